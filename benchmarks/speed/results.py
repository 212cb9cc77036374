"""The results file: the raw answer of every process, and the records that are made of them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine as host
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.stats import Groups, summarise
from twinvae.files.atomic import write_text

SCHEMA = 2
LIBRARIES = {"torch": "torch-eager", "jax": "jax-run"}  # whose own matrix products are a framework's floor
FORMAT = "twinvae benchmark"


class ResultsError(ValueError):
    """A results file that cannot be used. The message is the one line that says why."""


@dataclass(frozen=True)
class Record:
    """One measured quantity. `samples` has a list for each process; the other numbers sum them up."""

    case: str
    implementation: str
    backend: str
    device: str
    threads: int
    metric: str
    parameters: dict[str, Any]
    value: float  # the median
    unit: str
    low: float | None  # bootstrap interval of the median
    high: float | None
    quartile1: float
    quartile3: float
    p99: float | None
    n: int
    operations: float | None  # useful operations behind one unit of value
    versions: dict[str, str]
    machine: str
    samples: Groups

    @property
    def counts(self) -> str:
        """Processes and calls in each: "5 x 30"."""
        calls = sorted({len(group) for group in self.samples})
        return f"{len(self.samples)} x {calls[0]}" + (f" to {calls[-1]}" if len(calls) > 1 else "")


@dataclass
class Results:
    """A results file in memory. `runs` holds the answer to each job by its key; `records` follow from it."""

    machine: dict[str, Any]
    command: str
    quick: bool
    device: str
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    versions: dict[str, str] = field(default_factory=host.versions)
    notes: list[str] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def records(self) -> list[Record]:
        return make_records(self.runs.values(), self.versions, self.machine["name"])

    def refused(self) -> dict[tuple[str, str], str]:
        """Returns why a case and implementation have no time, by these two names."""
        return {
            (run["job"]["case"], run["job"]["implementation"]): run["reason"]
            for run in self.runs.values()
            if run["status"] != "ok"
        }

    def notes_of(self, case: str, implementation: str) -> dict[str, Any]:
        """Returns what the first process of an implementation noted beside its times."""
        for run in self.runs.values():
            if (run["job"]["case"], run["job"]["implementation"]) == (case, implementation):
                notes: dict[str, Any] = run["notes"]
                return notes
        return {}


def difference(one: Results, other: Results, allowed: Iterable[str] = ()) -> str | None:
    """Says in a few words why two results may not be compared or joined; None if they may.

    They must be of one machine, one commit and one set of versions, but for what is `allowed`: the names of these.
    """
    parts = {
        "machine": {name: (one.machine.get(name), other.machine.get(name)) for name in host.IDENTITY},
        "commit": {"commit": (one.machine.get("commit"), other.machine.get("commit"))},
        "versions": {
            name: (one.versions.get(name), other.versions.get(name)) for name in one.versions | other.versions
        },
    }
    for what, facts in parts.items():
        unlike = [f"{name} {a} and {b}" for name, (a, b) in facts.items() if a != b]
        if unlike and what not in allowed:
            return f"another {what}: {unlike[0]}" if what != "versions" else f"other versions: {', '.join(unlike)}"
    return None


def make_records(runs: Iterable[dict[str, Any]], versions: dict[str, str], machine_name: str) -> list[Record]:
    """Returns a record over all processes for each case, implementation, thread count, metric and parameters."""
    groups: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for run in runs:
        job = run["job"]
        for metric in run["metrics"]:
            where = (job["case"], job["implementation"], job["device"], job["threads"])
            key = json.dumps([*where, metric["metric"], metric["parameters"]], sort_keys=True)
            groups.setdefault(key, []).append((job, metric))
    records = []
    for group in groups.values():
        job, metric = group[0]
        samples = [one["samples"] for _, one in group if one["samples"]]
        if not samples:
            continue
        summary = summarise(samples)
        name = job["implementation"]
        records.append(
            Record(
                case=job["case"], implementation=name,
                backend=IMPLEMENTATIONS[name].backend if name in IMPLEMENTATIONS else "none",
                device=job["device"], threads=job["threads"], metric=metric["metric"], parameters=metric["parameters"],
                value=summary.median, unit=metric["unit"], low=summary.low, high=summary.high,
                quartile1=summary.quartile1, quartile3=summary.quartile3, p99=summary.p99, n=summary.n,
                operations=metric["operations"], versions=versions, machine=machine_name, samples=samples,
            )
        )  # fmt: skip
    return records


def write(path: Path, results: Results) -> None:
    """Writes the results file. It is there as a whole or not at all."""
    records = [{k: v for k, v in vars(record).items() if k != "samples"} for record in results.records]
    content = {
        "format": FORMAT, "schema": SCHEMA, "created": results.created, "command": results.command,
        "quick": results.quick, "device": results.device, "machine": results.machine, "versions": results.versions,
        "notes": results.notes, "records": records, "runs": results.runs,
    }  # fmt: skip
    write_text(path, json.dumps(content, indent=1) + "\n")


def read(path: Path) -> Results:
    """Reads a results file and checks its shape.

    Raises:
        ResultsError: if there is none, or it is damaged, or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultsError(f"{path}: no such file") from None
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ResultsError(f"{path}: damaged: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ResultsError(f"{path}: not a results file of `python -m benchmarks run`")
    if content.get("schema") != SCHEMA:
        raise ResultsError(
            f"{path}: results of version {content.get('schema')}, this checkout reads version {SCHEMA}: measure again"
        )
    try:
        results = Results(
            **{
                name: content[name]
                for name in ("machine", "command", "quick", "device", "created", "versions", "notes", "runs")
            }
        )
        _ = results.machine["name"], results.records, results.refused()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ResultsError(f"{path}: damaged: {what}") from None
    return results


class Table:
    """A table of records, in which they are found by what they are about."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)

    def all(self, case: str, metric: str, **wanted: Any) -> list[Record]:
        """Returns the records whose attributes or parameters are as in `wanted`; an unknown name matches nothing."""
        return [
            record
            for record in self.records
            if record.case == case
            and record.metric == metric
            and all(getattr(record, name, record.parameters.get(name)) == value for name, value in wanted.items())
        ]

    def one(self, case: str, metric: str, **wanted: Any) -> Record | None:
        """Returns the record that a table shows: at the fewest threads that its case was measured with.

        So all that stand in a table, and its floor, have as many threads. Of several, the first has the lowest median.
        """
        fewest = min((record.threads for record in self.records if record.case == case), default=1)
        found = self.all(case, metric, **{"threads": fewest} | wanted)
        return min(found, key=lambda record: record.value, default=None)

    def roofline(self, threads: int, library: str | None = None) -> float | None:
        """Returns the operations a second of large float32 matrix products, in the fastest library or in the one named.

        A library may not know the processor: OpenBLAS has run at half of what XLA reached.
        """
        found = self.all("roofline", "matmul", threads=threads, precision="float32")
        chosen = [record.value for record in found if library in (None, record.implementation)]
        return max(chosen, default=None)

    def floor(self, record: Record) -> float | None:
        """Returns the seconds that the record's arithmetic takes at the rate of its own framework's matrix products."""
        rate = self.roofline(record.threads, LIBRARIES.get(record.backend))
        return record.operations / rate if rate and record.operations else None
