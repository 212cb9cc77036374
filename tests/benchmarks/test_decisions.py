"""What alarms are worth, the records of decisions, and their tables."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy import decisions, pages
from benchmarks.accuracy.decision_records import Decision, Decisions, Judged, Rated, judged, read, write
from benchmarks.accuracy.decision_tables import CLEAN, QUIET, RATE, SEARCH, SPOILT, all_tables, found_rate, worth
from benchmarks.accuracy.decisions import Task, measure
from benchmarks.accuracy.decisions import decisions as run
from benchmarks.accuracy.sets import Case
from benchmarks.errors import RunError
from twinvae.data.datasets import Dataset
from twinvae.windowing.intervals import intervals


def record(
    values: Judged | Rated, dataset: str, half: str, situation: str = CLEAN, method: str = "vae_jax"
) -> Decision:
    return Decision(dataset, f"{dataset} {half}", half, situation, method, "digest", "code", values)


def test_events_found_alarms_that_are_right_and_how_well_they_overlap() -> None:
    labels = np.zeros(1000, np.int8)
    labels[100:200], labels[500:510], labels[900:910] = 1, 1, 1
    found = judged(labels, [(150, 250), (505, 510), (700, 720)])
    assert found == Judged(3, 2, 3, 2, 880, (0.3333, 0.5), (50, 5))
    assert worth([found, found]) == "0.67 / 0.67 / 11.36 (0.42, 28)"
    assert worth([judged(labels, [])]) == "0.00 / - / 0.00"
    assert worth([judged(np.zeros(1000, np.int8), [(1, 2)])]) == "10.00 (1 in 1000)"


def test_a_table_has_each_set_and_the_sums_of_its_half_and_no_sum_over_fewer_series() -> None:
    one = Judged(1, 1, 1, 1, 100, (0.5,), (0,))
    both = [record(one, "a", "dev"), record(one, "b", "dev"), record(one, "b", "report")]
    made = Decisions("command", machine={}, versions={}, records=[*both, record(one, "a", "dev", method="sub-pca")])
    (report, table), (dev, other) = all_tables(made)
    assert (report, dev) == ("A part that is normal, report half", "A part that is normal, dev half")
    assert table == (["set", "series", "events", "vae_jax"], [["b", "1", "1", "1.00 / 1.00 / 0.00 (0.50, 0)"]])
    assert [row[:3] + row[4:] for row in other[1]] == [
        ["a", "1", "1", "1.00 / 1.00 / 0.00 (0.50, 0)"], ["b", "1", "1", "-"], ["all sets", "2", "2", "-"],
    ]  # fmt: skip


def test_asked_stands_beside_found_with_its_interval_and_what_was_refused() -> None:
    rated = [Rated(4, 20_000), Rated(refused="too few rows")]
    assert found_rate(rated) == "2.0 (0.5 to 5.1; 4 in 20000)"
    assert found_rate(rated[1:]) == "-"
    made = Decisions("command", machine={}, versions={})
    made.records = [record(each, "a", "dev", f"{RATE}3") for each in rated]
    ((_, (_, rows)),) = all_tables(made)
    assert rows == [["vae_jax", "3", "-", "0 of 0", "2.0 (0.5 to 5.1; 4 in 20000)", "1 of 2"]]


def test_a_file_of_them_is_read_as_it_was_written_and_stands_in_a_page(tmp_path: Path) -> None:
    made = Decisions("command", machine={}, versions={})
    made.records = [record(Judged(1, 1, 1, 1, 9, (0.5,), (3,)), "a", "dev"), record(Rated(), "a", "dev", f"{RATE}3")]
    results = tmp_path / "made.json"
    write(results, made)
    assert read(results).records == made.records
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n<!-- decisions of {results} -->\n<!-- end -->\n")
    assert pages.pages(results, [page]) == 0
    assert "| a | 1 | 1 | 1.00 / 1.00 / 0.00 (0.50, 3) |" in page.read_text()
    results.write_text("{}")
    with pytest.raises(RunError):
        read(results)


LABELS = np.zeros(400, np.int8)
LABELS[300:310] = 1


def case(labels: np.ndarray = LABELS) -> Case:
    return Case("dev", Dataset("set/one", np.arange(400.0)[:, None], labels, 200, False, "made", ("0",)))


class Known:
    """Finds what is labelled when it searches, and a false alarm where it was fitted on a clean part."""

    def fit(self, values: np.ndarray) -> "Known":
        assert len(values) == 200
        return self

    def events(self, values: np.ndarray) -> list[Any]:
        return [SimpleNamespace(start=350, end=360)]

    def search(self, values: np.ndarray) -> Any:
        return SimpleNamespace(events=[SimpleNamespace(start=a, end=b) for a, b in intervals(LABELS[: len(values)])])


@pytest.mark.parametrize(
    ("situation", "labels", "expected"),
    [
        (CLEAN, LABELS, Judged(1, 0, 1, 0, 190, (), ())),
        (SPOILT, LABELS, None),
        (SPOILT, np.roll(LABELS, 200), Judged(0, 0, 1, 0, 200, (), ())),
        (CLEAN, np.roll(LABELS, 200), None),
        (SEARCH, LABELS, Judged(1, 1, 1, 1, 390, (1.0,), (0,))),
        (QUIET, LABELS, Judged(0, 0, 0, 0, 200, (), ())),
    ],
)
def test_each_situation_is_measured_on_the_series_that_it_is_one_for(
    monkeypatch: pytest.MonkeyPatch, situation: str, labels: np.ndarray, expected: Judged | None
) -> None:
    monkeypatch.setattr(decisions, "load_detector", lambda backend: Known)
    outcome = measure(Task("set", case(labels), situation, "vae_jax", frozenset()))
    assert not outcome.failure
    assert [each.values for each in outcome.records] == ([] if expected is None else [expected])


def test_the_command_goes_on_with_what_its_file_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(decisions, "opened", lambda source: iter([case()]))
    monkeypatch.setattr(decisions, "load_detector", lambda backend: Known)
    common: dict[str, Any] = {"data": tmp_path, "backends": ["jax"], "peers": False, "jobs": 1}
    common |= {"json": tmp_path / "out.json"}
    assert run(["set"], situations=[CLEAN], **common) == 0
    assert "0.00 / 0.00 / 52.63" in capsys.readouterr().out
    monkeypatch.setattr(Known, "fit", None)  # it is not asked again
    assert run(["set"], situations=[CLEAN, SEARCH], **common) == 0
    assert [one.situation for one in read(tmp_path / "out.json").records] == [CLEAN, SEARCH]
    with pytest.raises(RunError, match="--situations often"):
        run(["set"], situations=["often"], **common)


def test_rates_that_a_series_cannot_support_are_refused_and_counted() -> None:
    values = np.sin(np.arange(400) / 4)[:, None]
    whole = Case("dev", Dataset("set/one", values, LABELS, 290, False, "made", ("0",)))
    outcome = measure(Task("set", whole, RATE.strip(), "vae_torch", frozenset()))
    assert [each.situation for each in outcome.records] == ["asked for 30", "asked for 10", "asked for 3"]
    assert all(isinstance(each.values, Rated) and each.values.refused for each in outcome.records)
