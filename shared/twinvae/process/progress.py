"""A progress bar for long training runs, on a terminal only."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 0.5  # seconds before a bar appears: a run that is over by then needs none

Report = Callable[[int, float, float, float], None]


def _bar(words: str, *after: str, **settings: Any) -> Any:
    """A bar on stderr between texts, removed when it stops. Only what shows one imports rich."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(words), BarColumn(), *map(TextColumn, after), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, **settings)


@contextmanager
def training_progress(epochs: int) -> Iterator[Report]:
    """Gives a function to call with the finished epochs and their last loss, squared error and KL, per window."""
    if not sys.stderr.isatty():
        yield lambda done, loss, squared, divergence: None
        return
    begin = time.monotonic()
    bar: Any = None
    task: Any = None

    def report(done: int, loss: float, squared: float, divergence: float) -> None:
        nonlocal bar, task
        if bar is None:
            if time.monotonic() - begin < PATIENCE:
                return
            bar = _bar("epoch {task.completed}/{task.total}  {task.description}")
            task = bar.add_task("", total=epochs)
            bar.start()
        description = f"loss {loss:.3g} (error {squared:.3g}, KL {divergence:.3g})"
        bar.update(task, completed=done, description=description)

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


@contextmanager
def fleet_progress(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Gives a function to call with the number of finished series, and of failed ones among them."""
    if not sys.stderr.isatty():
        yield lambda done, failed: None
        return
    words = f"{what} {{task.completed}}/{{task.total}} series{{task.fields[failed]}}"
    bar = _bar(words, "{task.fields[rate]}", speed_estimate_period=120)
    task = bar.add_task("", total=total, failed="", rate="")
    begin, first = time.monotonic(), None

    def report(done: int, failed: int) -> None:
        nonlocal first
        if first is None:
            first = done  # those of an earlier run tell nothing of the speed of this one
            bar.reset(task, completed=done)
        rate = (done - first) / max(time.monotonic() - begin, 1e-9)
        counted = f", {failed} failed" if failed else ""
        bar.update(task, completed=done, failed=counted, rate=f"{rate:.3g} series/s")

    with bar:
        yield report
