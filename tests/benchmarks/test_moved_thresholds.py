"""What alarms are worth as a threshold moves, and what of it the product says."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy import decisions
from benchmarks.accuracy.decision_records import Decision, Decisions, Moved, moved, read, write
from benchmarks.accuracy.decision_tables import MOVED, QUIET, all_tables, reading
from benchmarks.accuracy.decision_tables import SEARCH as NOTHING_KNOWN
from benchmarks.accuracy.decisions import AT_TIMES, MOVED_KINDS, Task, measure
from benchmarks.accuracy.sets import Case
from tests.conftest import ROOT
from twinvae.data.datasets import Dataset
from twinvae.scoring.expected_rate import MEASURED, SEARCH, TIMES

LABELS = np.zeros(400, np.int8)
LABELS[300:310] = 1
RESULTS = ROOT / "benchmarks" / "results" / "2026-11-27-moved.json"


def record(what: str, half: str, events: tuple[int, ...], normal: int = 10_000) -> Decision:
    none = (0,) * len(events)
    values = Moved(
        TIMES[: len(events)], 1, normal, (1, *none[1:]), tuple(one + 2 for one in events), (2,) * len(events), none
    )
    return Decision("set", half, half, MOVED + what, "vae_jax", "digest", "code", values)


def test_alarms_at_each_threshold_are_held_against_the_labels() -> None:
    found = moved(LABELS, {0.5: [(290, 310), (20, 50)], 1.0: [(305, 310)], 2.0: []})
    assert found == Moved((0.5, 1.0, 2.0), 1, 390, (1, 1, 0), (2, 1, 0), (1, 1, 0), (40, 0, 0))


class Known:
    """Has an alarm at rows 190 to 210 and at the label, and a false one below the usual threshold."""

    def fit(self, values: np.ndarray) -> "Known":
        assert len(values) == 200
        return self

    def detect(self, values: np.ndarray, kind: str) -> Any:
        assert kind in MOVED_KINDS
        return self.search(values)

    def search(self, values: np.ndarray) -> Any:
        labels = np.zeros(400, np.int8)
        labels[190:210] = labels[305:309] = 1
        low = labels.copy()
        low[390:] = 1
        return SimpleNamespace(at=lambda times: SimpleNamespace(labels=(low if times < 1 else labels)[: len(values)]))


@pytest.mark.parametrize(
    ("situation", "names", "alarms", "low"),
    [
        (MOVED.strip(), [MOVED + kind for kind in MOVED_KINDS], 2, 3),
        (MOVED + NOTHING_KNOWN, [MOVED + NOTHING_KNOWN], 2, 3),
        (MOVED + QUIET, [MOVED + QUIET], 1, 1),
    ],
)
def test_one_fit_is_judged_at_every_threshold(
    monkeypatch: pytest.MonkeyPatch, situation: str, names: list[str], alarms: int, low: int
) -> None:
    monkeypatch.setattr(decisions, "load_detector", lambda backend: Known)
    case = Case("dev", Dataset("set/one", np.arange(400.0)[:, None], LABELS, 200, False, "made", ("0",)))
    outcome = measure(Task("set", case, situation, "vae_jax", frozenset()))
    assert not outcome.failure
    assert [one.situation for one in outcome.records] == names
    for one in outcome.records:
        assert isinstance(one.values, Moved)
        counts = dict(zip(one.values.times, one.values.alarms, strict=True))
        assert tuple(counts) == AT_TIMES
        assert (counts[0.5], counts[1.0], counts[16.0]) == (low, alarms, alarms)
    known = frozenset(one.key for one in outcome.records)
    assert measure(Task("set", case, situation, "vae_jax", known)).records == ()


def test_a_reading_falls_with_the_threshold_and_ends_where_few_were_counted() -> None:
    counted = (40, 20, 4, 8, 3, 2, 5, 3, 3, 3, 3, 3, 3)
    assert reading([record("ensemble", "dev", counted), record("ensemble", "report", (0,) * 13)]) == (40, 20, 6, 6, 3.3)


def test_a_table_has_each_threshold_with_both_halves_and_what_is_said(tmp_path: Path) -> None:
    made = Decisions("command", machine={}, versions={})
    made.records = [record("causal", half, counted) for half, counted in (("dev", (30, 9)), ("report", (25, 0)))]
    write(tmp_path / "made.json", made)
    assert read(tmp_path / "made.json").records == made.records
    ((title, (columns, rows)),) = all_tables(made)
    assert title.startswith("The same of `causal`")
    assert columns[:3] == ["times", "said", "found / precision, report"]
    assert rows[0][:4] == ["0.25", "about 30", "1.00 / 0.07", "25.00 (16.18 to 36.90; 25 in 10000)"]
    assert rows[1][5:] == ["0.00 / 0.18", "9.00 (4.12 to 17.08; 9 in 10000)", "0.0 %"]


@pytest.mark.parametrize("name", MEASURED)
def test_what_is_said_is_what_was_counted(name: str) -> None:
    """The product's numbers are the reading of one half, and within a factor of 3 of what the other half has."""
    records = [one for one in read(RESULTS).records if one.situation == MOVED + (QUIET if name == SEARCH else name)]
    said, found = MEASURED[name], reading(records)
    if name == SEARCH:  # it keeps to one in 10,000, which the counts do not exclude: the synthetic series have fewer
        assert found[-1] < said[-1] == 1.0
        said, found = said[:-1], found[:-1]
    assert said == found
    for ours, other in zip(said, reading(records, "report"), strict=False):
        assert 1 / 3 < ours / other < 3
