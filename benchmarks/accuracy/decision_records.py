"""The file of a decisions run: a record for each series, situation and method, with the counts that are added up."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine as host
from benchmarks.accuracy.record_files import read_run, write_run
from twinvae.windowing.intervals import intervals

FORMAT = "twinvae decisions"
SCHEMA = 1

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Judged:
    """What alarms are worth on a series: counts, which are added up over a set."""

    labelled: int
    found: int  # of the labelled events, those that an alarm touches
    alarms: int
    true: int  # of the alarms, those that touch a label
    normal: int  # steps
    overlaps: tuple[float, ...]  # of each event found, the largest intersection over union with an alarm
    delays: tuple[int, ...]  # of each event found, the steps to its first alarm


@dataclass(frozen=True)
class Rated:
    """What a rate of false events came to on normal rows that were not fitted on; `refused` says why it was not."""

    events: int = 0
    steps: int = 0
    refused: str = ""


@dataclass(frozen=True)
class Moved:
    """What alarms are worth on a series as the threshold moves: counts for each of so many times the usual one."""

    times: tuple[float, ...]
    labelled: int
    normal: int  # steps
    found: tuple[int, ...]
    alarms: tuple[int, ...]
    true: tuple[int, ...]
    covered: tuple[int, ...]  # normal steps within an alarm


Values = Judged | Rated | Moved


@dataclass(frozen=True)
class Decision:
    """What one method decided in one situation on one series.

    The digest is one of the values and labels, and the code of what the method was, so that a record of another series
    or another detector is known from this one."""

    dataset: str
    case: str  # the series
    half: str
    situation: str
    method: str
    digest: str
    code: str
    values: Values

    @property
    def key(self) -> tuple[str, ...]:
        """What another record of the same measurement has as well."""
        return self.dataset, self.case, self.situation, self.method, self.digest, self.code


@dataclass
class Decisions:
    """A decisions run: what was measured, on which machine, and what went wrong."""

    command: str
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: dict[str, Any] = field(default_factory=host.facts)
    versions: dict[str, str] = field(default_factory=host.versions)
    records: list[Decision] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def judged(labels: np.ndarray, alarms: Spans) -> Judged:
    """Holds alarms against labels: an event is found if an alarm touches it, without any slack."""
    events, overlaps, delays = intervals(labels), [], []
    for start, end in events:
        hits = [(a, b) for a, b in alarms if a < end and b > start]
        if hits:
            overlaps.append(max((min(end, b) - max(start, a)) / (max(end, b) - min(start, a)) for a, b in hits))
            delays.append(max(0, min(a for a, _ in hits) - start))
    true = sum(bool(labels[a:b].any()) for a, b in alarms)
    normal = int(np.count_nonzero(labels == 0))
    shares = tuple(float(f"{share:.4g}") for share in overlaps)
    return Judged(len(events), len(overlaps), len(alarms), true, normal, shares, tuple(delays))


def moved(labels: np.ndarray, alarms: Mapping[float, Spans]) -> Moved:
    """Holds the alarms of each of some thresholds against labels; they are keyed by their times the usual threshold."""
    each = [judged(labels, spans) for spans in alarms.values()]
    covered = [sum(int(np.count_nonzero(labels[a:b] == 0)) for a, b in spans) for spans in alarms.values()]
    found, hits, true = zip(*((one.found, one.alarms, one.true) for one in each), strict=True)
    return Moved(tuple(alarms), each[0].labelled, each[0].normal, found, hits, true, tuple(covered))


def write(path: Path, run: Decisions) -> None:
    """Writes the results file, a record on each line. It is there as a whole or not at all."""
    write_run(path, FORMAT, SCHEMA, run)


def is_one(path: Path) -> bool:
    """Whether a file holds results of this form, of whatever version."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["format"] == FORMAT)
    except (ValueError, KeyError, TypeError):
        return False


def read(path: Path) -> Decisions:
    """Reads a results file.

    Raises:
        RunError: if it is none of this form.
        OSError: if it cannot be read.
    """

    def make(content: dict[str, Any]) -> Decisions:
        facts = {name: content[name] for name in ("command", "created", "machine", "versions", "failures")}
        return Decisions(records=[_record(record) for record in content["records"]], **facts)

    return read_run(path, FORMAT, SCHEMA, make)


def _record(record: dict[str, Any]) -> Decision:
    values = record.pop("values")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    kind = Rated if "refused" in values else Moved if "times" in values else Judged
    return Decision(values=kind(**values), **record)
