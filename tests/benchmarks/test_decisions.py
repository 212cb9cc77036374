"""What alarms are worth, and the tables of decisions."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy import decisions
from benchmarks.accuracy.decisions import Judged, cells, judged, rate_table, table
from benchmarks.accuracy.decisions import decisions as run
from twinvae.data.datasets import Dataset
from twinvae.windowing.intervals import intervals


def test_events_found_alarms_that_are_right_and_how_well_they_overlap() -> None:
    labels = np.zeros(1000, np.int8)
    labels[100:200], labels[500:510], labels[900:910] = 1, 1, 1
    found = judged(labels, [(150, 250), (505, 510), (700, 720)])
    assert found == Judged(3, 2, 3, 2, 880, (50 / 150, 0.5), (50, 5))
    assert cells([found, found]) == ["2", "6", "0.67", "0.67", "11.36", "0.42", "28"]
    assert cells([judged(labels, [])])[:5] == ["1", "3", "0.00", "-", "0.00"]


def test_a_table_has_each_set_and_the_sums_of_each_half() -> None:
    one = Judged(1, 1, 1, 1, 100, (0.5,), (0,))
    rows = table({("a", "dev", "x", "m"): [one], ("b", "dev", "x", "m"): [one, one], ("b", "report", "x", "m"): [one]})
    assert [row[:2] + row[4:6] for row in rows] == [
        ["a", "dev", "1", "1"], ["b", "dev", "2", "2"], ["b", "report", "1", "1"],
        ["all sets", "dev", "3", "3"], ["all sets", "report", "1", "1"],
    ]  # fmt: skip


def test_asked_stands_beside_found_with_its_interval_and_what_was_refused() -> None:
    rate: Any = SimpleNamespace(events=4, steps=20_000)
    rows = rate_table({("a", "dev", 3.0): [rate, None], ("b", "dev", 3.0): [None]})
    assert rows[0] == ["a", "dev", "3", "2.0", "0.5 to 5.1", "20000", "1", "1"]
    assert rows[1][3:] == ["-", "-", "0", "0", "1"]
    assert rows[2] == ["all sets", "dev", "3", "2.0", "0.5 to 5.1", "20000", "1", "2"]


def test_the_command_measures_both_situations_of_every_series(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    labels = np.zeros(400, np.int8)
    labels[300:310] = 1
    dataset = Dataset("set/one", np.zeros((400, 1)), labels, 200, False, "made", ("0",))

    class Known:
        """Finds what is labelled when it searches, and a false alarm where it was fitted on a clean part."""

        def fit(self, values: np.ndarray) -> "Known":
            assert len(values) == 200
            return self

        def events(self, values: np.ndarray) -> list[Any]:
            return [SimpleNamespace(start=350, end=360)]

        def search(self, values: np.ndarray) -> Any:
            return SimpleNamespace(events=[SimpleNamespace(start=a, end=b) for a, b in intervals(labels)])

    monkeypatch.setattr(decisions, "opened", lambda source: iter([SimpleNamespace(half="dev", series=dataset)]))
    monkeypatch.setattr(decisions, "load_detector", lambda backend: Known)
    monkeypatch.setattr(decisions, "_rates", lambda series, backend: iter([(3.0, None)]))
    assert run(["set"], data=tmp_path, backend="jax", peers=False, json=tmp_path / "out.json") == 0
    said = capsys.readouterr().out
    assert "a clean part" in said
    assert (tmp_path / "out.json").exists()
    lines = [line.split() for line in said.splitlines() if line.startswith("all sets")]
    assert lines[0][-5:] == ["0.00", "0.00", "52.63", "-", "-"]
    assert lines[1][-5:] == ["1.00", "1.00", "0.00", "1.00", "0"]
