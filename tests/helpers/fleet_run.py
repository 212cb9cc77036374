"""A run of a fleet that trains nothing."""

from collections.abc import Callable

from twinvae.fleet.rows import EventRow, Row
from twinvae.fleet.work import Result, Settings, Task

Fleet = Callable[..., int]  # what the fixture `fleet` gives: the name of --out, more arguments -> the exit code


def fake_work(settings: Settings, task: Task) -> list[Result]:
    """A result that depends on the series alone, as it should."""
    results = []
    for name, table in zip(task.names, task.series, strict=True):
        total = float(table.values.sum())
        row = Row(name, "ok", rows=len(table), loss=total, events=1, anomalous_steps=3)
        event = EventRow(name, 1, 4, "1", "3", 2, "2", total, None, None, ("a",), (1.0,))
        results.append(Result(row, (event,), f"model of {total!r}".encode()))
    return results
