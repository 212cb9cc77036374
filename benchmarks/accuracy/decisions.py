"""`python -m benchmarks decisions` measures what is decided: a clean part, nothing known, a rate that was asked for.

Of each set, the halves are apart: what was chosen on one is judged on the other.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import machine
from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.decision_records import (
    Decision,
    Decisions,
    Rated,
    Spans,
    Values,
    judged,
    moved,
    read,
    write,
)
from benchmarks.accuracy.decision_tables import CLEAN, MOVED, QUIET, RATE, SEARCH, SPOILT, STREAM, all_tables
from benchmarks.accuracy.method import unavailable
from benchmarks.accuracy.methods import sources_digest
from benchmarks.accuracy.run import processes
from benchmarks.accuracy.sets import LONG, Case, default_sources, named, opened
from benchmarks.accuracy.tables import as_lines
from benchmarks.errors import RunError, complain
from twinvae.config import Kind
from twinvae.data.datasets import BadFile, Dataset
from twinvae.detector.detection import Detection
from twinvae.detector.detector import load_detector
from twinvae.detector.preparation import prepare
from twinvae.detector.search import trained_apart
from twinvae.metrics.ranking import check_labels
from twinvae.network.backend import load_backend
from twinvae.network.training import train
from twinvae.process.notices import one_line
from twinvae.scoring.expected_rate import TIMES
from twinvae.series.series import Series
from twinvae.windowing.intervals import intervals
from twinvae.windowing.period import period

RATES = (30.0, 10.0, 3.0)  # false events in 10,000 steps that are asked for
FITTED = 0.7  # of the training rows, where a rate is asked for; the rest is normal data that was not fitted on
PEERS = ("sub-pca", "isolation-forest", "pyod-vae")
AT_TIMES = (0.125, 0.177, *TIMES)  # the usual threshold
MOVED_KINDS: tuple[Kind, ...] = ("ensemble", "multiscale", "trailing", "causal")  # the scores that decide
OURS = (STREAM, RATE.strip(), MOVED.strip(), MOVED + SEARCH, MOVED + QUIET)  # peers have no such thing
SITUATIONS = (CLEAN, SPOILT, SEARCH, QUIET, *OURS)  # the order in which they are measured
PARTS: Mapping[str, Sequence[str]] = {  # of a situation that is measured at once
    RATE.strip(): [f"{RATE}{rate:g}" for rate in RATES],
    MOVED.strip(): [MOVED + kind for kind in MOVED_KINDS],
}


class Task(NamedTuple):
    """A series, and what is to be measured on it, but for what was measured before."""

    dataset: str
    case: Case
    situation: str
    method: str  # vae_jax, or a peer
    known: frozenset[tuple[str, ...]]  # keys of records that there are


class Outcome(NamedTuple):
    """What a method decided on a series, or why it did not."""

    records: tuple[Decision, ...] = ()
    failure: str = ""


def decisions(
    sources: Sequence[str], *, data: Path, backends: Sequence[str], peers: bool, situations: Sequence[str], jobs: int,
    json: Path | None,
) -> int:  # fmt: skip
    """Measures and prints the tables; returns the exit code: 0, or 1 if a series failed.

    A results file that is there is gone on with: what it has of the same series and the same code is not run again.

    Raises:
        RunError: if the request cannot be met.
        OSError: if a file cannot be written.
    """
    if (unknown := set(situations) - set(SITUATIONS)) or jobs < 1:
        wrong = f"--situations {', '.join(sorted(unknown))}" if unknown else f"--jobs {jobs}"
        raise RunError(f"{wrong}: take at least one job, and some of the situations {', '.join(SITUATIONS)}")
    there, missing = (list(sources), []) if sources else default_sources(data)
    run = Decisions(machine.command_line())
    if json is not None and json.exists():
        run.records = read(json).records
    for line in missing:
        print(line, flush=True)
    with processes(jobs) as pool:
        each: Any = pool  # of tasks and outcomes of our own
        for method in (*(f"vae_{name}" for name in backends), *(_peers() if peers else ())):
            for situation in situations or SITUATIONS:
                if situation in OURS and not method.startswith("vae_"):
                    continue
                chosen = (
                    [LONG] if situation == RATE.strip() and not sources else there
                )  # parts of the sets are too short
                for name, source in named(chosen).items():
                    _measure(run, each(measure, _tasks(run, name, source, situation, method)), json)
                print(f"{method}, {situation}: done", flush=True)
    for title, table in all_tables(run):
        print(f"\n{title}\n{as_lines(*table)}")
    for failure in run.failures:
        complain(failure)
    return 1 if run.failures else 0


def _measure(run: Decisions, outcomes: Iterable[Outcome], json: Path | None) -> None:
    for outcome in outcomes:
        if outcome.failure:
            run.failures.append(outcome.failure)
        same = {record.key[:4] for record in outcome.records}
        run.records = [one for one in run.records if one.key[:4] not in same] + list(outcome.records)
        if json is not None and (outcome.records or outcome.failure):
            write(json, run)


def _tasks(run: Decisions, name: str, source: str, situation: str, method: str) -> Iterator[Task]:
    known = frozenset(one.key for one in run.records if (one.dataset, one.method) == (name, method))
    return (Task(name, case, situation, method, known) for case in opened(source))


def measure(task: Task) -> Outcome:
    """Measures what a method decides on a series."""
    series = task.case.series
    code = sources_digest() if task.method.startswith("vae_") else BASELINES[task.method].code
    try:
        values, dataset = _checked(series)
        content = values.tobytes() + np.ascontiguousarray(dataset.labels).tobytes()
        digest = hashlib.sha256(content).hexdigest()[:8]

        def record(situation: str, found: Values) -> Decision:
            return Decision(
                task.dataset, series.name, task.case.half, situation, task.method, digest, code, found
            )  # fmt: skip

        parts = PARTS.get(task.situation, [task.situation])
        if all(record(situation, Rated()).key in task.known for situation in parts):
            return Outcome()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are about constant channels and gaps
            return Outcome(tuple(record(name, found) for name, found in _decided(task, values, dataset)))
    except (ValueError, TypeError, MemoryError) as error:
        return Outcome(failure=f"{series.name}: {task.method}, {task.situation}: {one_line(error)}")


def _decided(task: Task, values: np.ndarray, dataset: Dataset) -> Iterator[tuple[str, Values]]:
    """What was decided, by the name of the situation; nothing if the series is none for it."""
    rows, labels, situation = dataset.train_rows, dataset.labels, task.situation
    has_part = not dataset.unlabelled_fit and 0 < rows < len(values)
    is_spoilt = bool(labels[:rows].any())
    if situation in (CLEAN, SPOILT) and has_part and is_spoilt == (situation == SPOILT):
        alarms = _fitted(task.method)(values[:rows], values)
        after = [(max(start - rows, 0), end - rows) for start, end in alarms if end > rows]
        yield situation, judged(labels[rows:], after)
    elif situation == STREAM and has_part and not is_spoilt:
        detector = load_detector(task.method.removeprefix("vae_"))().fit(values[:rows])
        events = detector.events(values[rows:], kind=detector.stream().kind)  # those of a stream: `tests/stream`
        yield situation, judged(labels[rows:], [(one.start, one.end) for one in events])
    elif situation == SEARCH and labels.any():
        yield situation, judged(labels, _searched(task.method)(values))
    elif situation == QUIET and has_part and not is_spoilt:
        yield situation, judged(labels[:rows], _searched(task.method)(values[:rows]))
    elif situation == RATE.strip() and has_part and not is_spoilt:
        yield from _rates(values[:rows], task.method.removeprefix("vae_"))
    elif situation == MOVED.strip() and has_part and not is_spoilt:
        detector = load_detector(task.method.removeprefix("vae_"))().fit(values[:rows])
        for kind in MOVED_KINDS:
            yield MOVED + kind, moved(labels[rows:], _at_times(detector.detect(values, kind=kind), rows))
    elif situation == MOVED + SEARCH and labels.any():
        yield situation, moved(labels, _at_times(load_detector(task.method.removeprefix("vae_"))().search(values)))
    elif situation == MOVED + QUIET and has_part and not is_spoilt:
        found = load_detector(task.method.removeprefix("vae_"))().search(values[:rows])
        yield situation, moved(labels[:rows], _at_times(found))


def _at_times(found: Detection, first: int = 0) -> dict[float, Spans]:
    """The events of a detection that touch the rows from the first on, counted from there, at each of the times."""
    spans = {times: intervals(found.at(times).labels) for times in AT_TIMES}
    return {
        times: [(max(start - first, 0), end - first) for start, end in each if end > first]
        for times, each in spans.items()
    }


def _fitted(method: str) -> Callable[[np.ndarray, np.ndarray], Spans]:
    """What finds events in values after a fit on others: our detector, or a peer at its usual threshold."""
    if method in BASELINES:

        def run(fitted: np.ndarray, values: np.ndarray) -> Spans:
            known = np.nan_to_num(fitted)
            return BASELINES[method].run(known, np.nan_to_num(values), period(known[:, 0]), 0).alarms

        return run
    detector = load_detector(method.removeprefix("vae_"))()
    return lambda fitted, values: [(one.start, one.end) for one in detector.fit(fitted).events(values)]


def _searched(method: str) -> Callable[[np.ndarray], Spans]:
    """What finds events in values of which nothing is known."""
    if method in BASELINES:
        return lambda values: _fitted(method)(values, values)
    detector = load_detector(method.removeprefix("vae_"))()
    return lambda values: [(one.start, one.end) for one in detector.search(values).events]


def _peers() -> list[str]:
    """The peers that can run here."""
    return [name for name in PEERS if unavailable(BASELINES[name]) is None]


def _rates(normal: np.ndarray, backend: str) -> Iterator[tuple[str, Rated]]:
    """For each rate that is asked for, what is found on normal rows that were not fitted on.

    The rates share a training: they differ in their thresholds alone."""
    cut, learned = int(FITTED * len(normal)), None
    for asked in RATES:
        detector = load_detector(backend)(false_events=f"{asked:g}/10000steps")
        try:
            prepared = prepare(detector, Series.of(normal[:cut]))
            if learned is None:
                trained = train(load_backend(backend), prepared.net, prepared.scaled, prepared.config, 0)
                learned = trained, trained_apart(load_backend(backend), prepared, 0)
            detector.calibrate(prepared, *learned[0], learned[1])
            found = detector.false_alarms(normal[cut:])
            yield f"{RATE}{asked:g}", Rated(found.events, found.steps)
        except ValueError as error:
            yield f"{RATE}{asked:g}", Rated(refused=one_line(error))


def _checked(series: Dataset | BadFile) -> tuple[np.ndarray, Dataset]:
    if isinstance(series, BadFile):
        raise ValueError(series.message)
    check_labels(series.labels, len(series.values))
    return Series.of(series.values).values, series
