"""The accuracy run: every method is measured on every series, and the run goes on when one of them fails."""

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.accuracy.methods import Answer, Method, unavailable
from benchmarks.accuracy.records import METRICS, Accuracy, Record
from twinvae.data.datasets import BadFile, Dataset
from twinvae.metrics.alarms import alarm_quality
from twinvae.metrics.ranking import average_precision, check_labels
from twinvae.metrics.vus import vus
from twinvae.process.notices import one_line
from twinvae.series.series import Series
from twinvae.windowing.period import period

Draw = Callable[[Dataset, Answer, Method], None]


def measure_all(
    run: Accuracy, name: str, series: Iterable[Dataset | BadFile], methods: Sequence[Method], *,
    say: Callable[[str], None] = print, complain: Callable[[str], None] = print, draw: Draw | None = None,
) -> None:  # fmt: skip
    """Measures the methods on the series of a data set and adds the records to the run.

    `draw` is called for each series with the answer of the first method that has one, from its first seed."""
    usable = []
    for method in methods:
        reason = unavailable(method)
        if reason is None:
            usable.append(method)
        elif f"{method.label}: {reason}" not in run.notes:
            run.notes.append(f"{method.label}: {reason}")
            say(f"{method.label}: {reason}")

    def fail(message: str) -> None:
        run.failures.append(message)
        complain(message)

    with _stoppable() as check:
        for index, one in enumerate(series):
            check()
            if isinstance(one, BadFile):
                fail(f"{one.name}: {one.message}")
                continue
            try:
                dataset, fitted, buffer = _checked(one)
            except (ValueError, TypeError) as error:
                fail(f"{one.name}: {_line(error)}")
                continue
            drawn = draw is None
            results = []
            for method in usable:
                began = time.perf_counter()
                for seed in run.seeds if method.seeded else (None,):
                    try:
                        answer, records, said = _measure(name, dataset, fitted, buffer, method, seed, run.preset)
                        check()
                        if not drawn and draw is not None:
                            draw(dataset, answer, method)
                            drawn = True
                    except OSError:
                        raise  # the disk has failed, not the method
                    except Exception as error:  # a method of others may raise anything; the run goes on
                        check()
                        fail(f"{dataset.name}: {method.label}: {_line(error)}")
                        break
                    run.records += records
                    run.notes += [note for note in said if note not in run.notes]
                else:
                    value = run.summary(name, method.name, "vus_pr", [dataset.name])
                    took = time.perf_counter() - began
                    results.append(f"{method.label} {value.mean:.3f} ({took:.1f} s)" if value else method.label)
            say(f"[{index + 1}] {dataset.name}: VUS-PR: {', '.join(results)}")


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


def _measure(
    name: str, dataset: Dataset, fitted: np.ndarray, buffer: int, method: Method, seed: int | None, preset: str | None
) -> tuple[Answer, list[Record], list[str]]:
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = method.run(fitted, dataset.values, buffer, seed or 0)
    seconds = time.perf_counter() - began
    said = [f"{dataset.name}: {method.label}: {_line(one.message)}" for one in caught if method.name.startswith("vae_")]
    values = qualities(dataset.labels, answer, buffer) | {"seconds": seconds}
    parameters = {
        "preset": preset, "buffer": buffer, "fitted_rows": len(fitted), "unlabelled_fit": dataset.unlabelled_fit,
        "steps": len(dataset.values), "channels": dataset.values.shape[1], "threshold": answer.threshold,
    }  # fmt: skip
    records = [
        Record(
            dataset=name, case=dataset.name, implementation=method.name, backend=method.backend, seed=seed,
            metric=metric, value=value, unit=METRICS[metric].unit, parameters=parameters,
        )
        for metric, value in values.items()
    ]  # fmt: skip
    return answer, records, said


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
