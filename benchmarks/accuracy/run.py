"""The accuracy run: every method is measured on every series, and the run goes on when one of them fails."""

import hashlib
import multiprocessing
import signal
import statistics
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from benchmarks.accuracy.method import Answer, Method, unavailable
from benchmarks.accuracy.records import Accuracy, Record
from benchmarks.accuracy.sets import Case
from benchmarks.errors import RunError
from twinvae.data.datasets import BadFile, Dataset
from twinvae.metrics.alarms import alarm_quality
from twinvae.metrics.ranking import average_precision, check_labels
from twinvae.metrics.vus import vus
from twinvae.process.notices import one_line
from twinvae.series.series import Series
from twinvae.windowing.period import period

Draw = Callable[[Dataset, Answer, Method], None]
Each = Callable[[Callable[["Task"], "Outcome"], Iterable["Task"]], Iterable["Outcome"]]


class Task(NamedTuple):
    """A series, and what is to be measured on it, but for what was measured before."""

    dataset: str
    case: Case
    methods: Sequence[Method]
    seeds: Sequence[int]
    before: Sequence[Record]  # of this series
    draw: Draw | None


@dataclass
class Outcome:
    """What the methods came to on a series: the records, what to say of them, and what went wrong."""

    name: str
    records: list[Record] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


def measure_all(
    run: Accuracy, name: str, cases: Iterable[Case], methods: Sequence[Method], *,
    say: Callable[[str], None] = print, complain: Callable[[str], None] = print, draw: Draw | None = None,
    each: Each = map, keep: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Measures the methods on the series of a data set and adds the records to the run.

    What the run holds already is not measured again if the series and the code of the method are the same; what it
    holds of these methods from other code gives way. `draw` is called for each series with the answer of the first
    method that has one, from its first seed; `each` is `map` or that of several processes; `keep` is called after
    each series."""
    usable = []
    for method in methods:
        reason = unavailable(method)
        if reason is None:
            usable.append(method)
        elif f"{method.label}: {reason}" not in run.notes:
            run.notes.append(f"{method.label}: {reason}")
            say(f"{method.label}: {reason}")
    measured = {method.name for method in usable}
    before: dict[str, list[Record]] = {}
    for record in run.records:
        if record.dataset == name:
            before.setdefault(record.case, []).append(record)
    tasks = (Task(name, case, usable, run.seeds, before.get(case.series.name, []), draw) for case in cases)
    for index, outcome in enumerate(each(measure_series, tasks)):
        stale = {id(one) for one in before.get(outcome.name, []) if one.implementation in measured}
        run.records = [record for record in run.records if id(record) not in stale] + outcome.records
        run.notes += [note for note in outcome.notes if note not in run.notes]
        run.failures += outcome.failures
        for failure in outcome.failures:
            complain(failure)
        if outcome.results:
            say(f"[{index + 1}] {outcome.name}: VUS-PR: {', '.join(outcome.results)}")
        keep()


def measure_series(task: Task) -> Outcome:
    """Measures the methods on a series."""
    outcome = Outcome(task.case.series.name)
    if isinstance(task.case.series, BadFile):
        outcome.failures.append(f"{outcome.name}: {task.case.series.message}")
        return outcome
    try:
        dataset, fitted, buffer = _checked(task.case.series)
    except (ValueError, TypeError) as error:
        outcome.failures.append(f"{outcome.name}: {_line(error)}")
        return outcome
    base = Record(
        task.dataset, dataset.name, "", "", None, {}, task.case.half, digest=_digest(dataset),
        parameters={
            "buffer": buffer, "fitted_rows": len(fitted), "unlabelled_fit": dataset.unlabelled_fit,
            "steps": len(dataset.values), "channels": dataset.values.shape[1],
        },
    )  # fmt: skip
    codes = {method.name: method.code for method in task.methods}
    known = {
        (one.implementation, one.seed): one
        for one in task.before
        if (one.digest, one.code) == (base.digest, codes.get(one.implementation))
    }
    drawn = task.draw is None
    with _stoppable() as check:
        for method in task.methods:
            own = replace(base, implementation=method.name, backend=method.backend, code=method.code)
            values = []
            for seed in task.seeds if method.seeded else (None,):
                record = known.pop((method.name, seed), None)
                if record is None:
                    try:
                        answer, record = _measure(dataset, fitted, replace(own, seed=seed), method, outcome.notes)
                        check()
                        if not drawn and task.draw is not None:
                            task.draw(dataset, answer, method)
                            drawn = True
                    except OSError:
                        raise  # the disk has failed, not the method
                    except Exception as error:  # a method of others may raise anything; the run goes on
                        check()
                        outcome.failures.append(f"{dataset.name}: {method.label}: {_line(error)}")
                        break
                outcome.records.append(record)
                values.append(record.values)
            else:
                mean, took = (statistics.fmean(one[name] or 0.0 for one in values) for name in ("vus_pr", "seconds"))
                outcome.results.append(f"{method.label} {mean:.3f} ({took:.1f} s)")
    outcome.records += known.values()  # of seeds that were not asked for
    return outcome


@contextmanager
def processes(number: int) -> Iterator[Each]:
    """Gives a `map` over so many processes, each with one series at a time; for one, the `map` of this process."""
    if number == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")  # a framework's threads are not forked
    pool = ProcessPoolExecutor(number, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL))
    try:
        yield pool.map
    except BrokenExecutor:
        raise RunError("one of the processes was killed, perhaps for its memory: lower --jobs") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _checked(dataset: Dataset) -> tuple[Dataset, np.ndarray, int]:
    """The series without gaps, the rows to fit on, and the period of its first channel.

    Raises:
        ValueError: if the labels cannot be used, there are no rows to fit on, or a channel is empty.
    """
    values = Series.of(dataset.values).checked("interpolate").values
    check_labels(dataset.labels, len(values))
    if dataset.unlabelled_fit:
        return dataset._replace(values=values), values, period(values[:, 0])
    if not 1 <= dataset.train_rows <= len(values):
        raise ValueError(f"{dataset.train_rows} rows to fit on, of {len(values)}")
    return dataset._replace(values=values), values[: dataset.train_rows], period(values[:, 0])


def _digest(dataset: Dataset) -> str:
    return hashlib.sha256(dataset.values.tobytes() + np.ascontiguousarray(dataset.labels).tobytes()).hexdigest()[:8]


def _measure(
    dataset: Dataset, fitted: np.ndarray, record: Record, method: Method, notes: list[str]
) -> tuple[Answer, Record]:
    began, worked = time.perf_counter(), time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = method.run(fitted, dataset.values, record.parameters["buffer"], record.seed or 0)
    times = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked}
    if method.ours:
        notes += [f"{dataset.name}: {method.label}: {_line(one.message)}" for one in caught]
    values = qualities(dataset.labels, answer, record.parameters["buffer"]) | times
    rounded = {name: value if value is None else float(f"{value:.6g}") for name, value in values.items()}
    parameters = record.parameters | {"threshold": float(f"{answer.threshold:.6g}")}
    return answer, replace(record, values=rounded, parameters=parameters)


def qualities(labels: np.ndarray, answer: Answer, buffer: int) -> dict[str, float | None]:
    """Returns every metric of an answer, by name. `buffer` is the greatest tolerance of VUS in time steps.

    Raises:
        ValueError: if a score is not finite, or there are too few or too many.
    """
    volume = vus(labels, answer.scores, buffer)
    alarms = np.zeros(len(labels), dtype=np.int8)
    for start, end in answer.alarms:
        alarms[start:end] = 1
    found: dict[str, float | None] = {
        "vus_pr": volume.pr, "vus_roc": volume.roc, "average_precision": average_precision(labels, answer.scores),
    }  # fmt: skip
    return found | alarm_quality(labels, alarms)._asdict()


def _line(error: Any) -> str:
    """An error in one line. Its type stands before it unless the message was written for users."""
    text = one_line(error) or type(error).__name__
    return text if isinstance(error, ValueError | Warning) else f"{type(error).__name__}: {text}"


@contextmanager
def _stoppable() -> Iterator[Callable[[], None]]:
    """Gives a function that raises KeyboardInterrupt if Ctrl-C was pressed, even if a fit has swallowed it.

    A detector's fit ends early at Ctrl-C and keeps what it has, which must not be taken for a measurement.
    """
    pressed = False

    def handle(number: int, frame: Any) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
