"""The run of a fleet: plan, batches, parts, tables. What is finished stays, whatever ends the process."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Protocol

from twinvae.config import resolve
from twinvae.fleet.batches import cut, need
from twinvae.fleet.folder import FleetFolder
from twinvae.fleet.input import ChangedError, Input, LongTable
from twinvae.fleet.plan import DamagedError, Plan
from twinvae.fleet.stems import file_stems
from twinvae.fleet.work import Result, Settings, Task, failed, joined, work
from twinvae.process.notices import one_line

Report = Callable[[int, int], None]  # takes the number of finished series, and of failed ones among them
Warn = Callable[[str], None]


class Engine(Protocol):
    """Runs a function on many tasks, as `twinvae.fleet.local_engine.run_local` does."""

    def __call__(
        self, work: Callable[[Task], Result], tasks: Iterable[Task], *, one_by_one: bool
    ) -> Generator[tuple[Task, Result | Exception]]:
        """Yields each task with its result, or with the exception that it raised, in the order of completion."""


def make_plan(
    source: Input, settings: Settings, recorded: Mapping[str, Any], together: int, report: Report, warn: Warn
) -> Plan:
    """Reads each series once, one at a time, and keeps what its training takes. `recorded` goes into the plan.

    Raises:
        TypeError, ValueError: if an argument of the detector is not fit for use.
    """
    resolve(settings.preset, settings.hyperparameters)
    detector = settings.detector()
    needs, refused, labelled = {}, dict(source.refused), 0
    for name in source.names:
        try:
            table = source.read(name)
            needs[name] = need(detector, settings.training_part(table))
            labelled += table.labels is not None
        except ChangedError as error:
            if isinstance(source, LongTable):
                raise
            refused[name] = _line(error)
        except (TypeError, ValueError) as error:
            refused[name] = _line(error)
        report(len(needs) + len(refused), len(refused))
    if labelled and recorded.get("labels") is None:
        warn(f"took a column of 0 and 1 as labels, not as a channel, in {labelled} series; see --columns")
    return Plan(dict(recorded), dict(source.files), tuple(map(tuple, cut(needs, together))), refused)


def run_plan(
    plan: Plan, source: Input, settings: Settings, folder: FleetFolder, engine: Engine, report: Report, warn: Warn
) -> None:
    """Works on the batches that are not finished. Each one's part is on the disk before it counts as finished.

    A batch that raises (no memory, a lost worker) is done anew at the end, each of its series alone; those that raise
    again are reported as failed.

    Raises:
        OSError: if the output cannot be written.
        ChangedError: if the one file of all series has changed.
    """
    stems = file_stems(plan.names)
    waiting, done, bad = _unfinished(plan, folder, warn)
    report(done, bad)
    unread: dict[int, list[Result]] = {}  # of each batch in flight: the series that could not be read

    def read(index: int) -> Task:
        found, unread[index] = {}, []
        for name in plan.batches[index]:
            try:
                found[name] = source.read(name)
            except ValueError as error:
                if isinstance(source, LongTable) and isinstance(error, ChangedError):
                    raise
                unread[index].append(failed(name, error))
        return Task(index, tuple(found), tuple(found.values()))

    def keep(index: int, results: Sequence[Result]) -> None:
        nonlocal done, bad
        result = joined([*unread.pop(index), *results], plan.batches[index])
        folder.write_part(plan, index, result, stems)
        done += len(result.rows)
        bad += sum(row["status"] == "failed" for row in result.rows)
        report(done, bad)

    raised: dict[int, list[Result]] = {}
    with closing(engine(partial(work, settings), map(read, waiting), one_by_one=False)) as results:
        for task, result in results:
            if isinstance(result, Exception):
                raised[task.number] = []
            else:
                keep(task.number, [result])

    def alone() -> Iterator[Task]:
        for index in list(raised):
            whole = read(index)
            if not whole.names:
                keep(index, [])
            for name, table in zip(whole.names, whole.series, strict=True):
                yield Task(index, (name,), (table,))

    with closing(engine(partial(work, settings), alone(), one_by_one=True)) as results:
        for task, result in results:
            ((name,), (table,)) = task.names, task.series
            one = failed(name, _line(result), rows=len(table)) if isinstance(result, Exception) else result
            raised[task.number].append(one)
            if len(raised[task.number]) + len(unread[task.number]) == len(plan.batches[task.number]):
                keep(task.number, raised.pop(task.number))


def _unfinished(plan: Plan, folder: FleetFolder, warn: Warn) -> tuple[list[int], int, int]:
    """The batches to work on, and how many series of the others are finished and have failed."""
    waiting, done, bad = [], len(plan.failed), len(plan.failed)
    for index in range(len(plan.batches)):
        try:
            part = folder.read_part(plan, index)
        except DamagedError as error:
            warn(f"{error}: its batch of {len(plan.batches[index])} series is done anew")
            part = None
        if part is None:
            waiting.append(index)
        else:
            done += len(part["rows"])
            bad += sum(row["status"] == "failed" for row in part["rows"])
    return waiting, done, bad


def _line(error: Exception) -> str:
    return one_line(error) or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)
