"""The run of a fleet: plan, batches, parts. What is finished stays, whatever ends the process."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Protocol

from twinvae.config import resolve
from twinvae.fleet.batches import cut, need
from twinvae.fleet.folder import FleetFolder
from twinvae.fleet.input import ChangedError, Input, LongTable
from twinvae.fleet.plan import DamagedError, Plan
from twinvae.fleet.rows import Row, failed_row, reason
from twinvae.fleet.stems import file_stems
from twinvae.fleet.work import Result, Settings, Task, work
from twinvae.process.notices import shortened

Report = Callable[[int, int], None]  # takes the number of finished series, and of failed ones among them
Warn = Callable[[str], None]
Work = Callable[[Task], list[Result]]
Outcome = tuple[Task, list[Result] | Exception]


class Engine(Protocol):
    """Runs a function on many tasks, as `twinvae.fleet.local_engine.run_local` does."""

    def __call__(self, work: Work, tasks: Iterable[Task], *, one_by_one: bool) -> Generator[Outcome]:
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
    needs, refused = {}, dict(source.refused)
    labelled: list[str | None] = []
    for name in source.names:
        try:
            table = source.read(name)
            needs[name] = need(detector, settings.training_part(table))
            labelled += [] if table.labels is None else [table.labels_name]
        except (TypeError, ValueError) as error:
            if isinstance(source, LongTable) and isinstance(error, ChangedError):
                raise
            refused[name] = reason(error)
        report(len(needs) + len(refused), len(refused))
    if labelled and recorded.get("labels") is None:
        columns = ", ".join(map(shortened, dict.fromkeys(labelled)))
        warn(
            f"took column {columns} as labels, not as a channel, in {len(labelled)} series; see --labels and --columns"
        )
    return Plan(dict(recorded), dict(source.files), tuple(map(tuple, cut(needs, together))), refused)


class FleetRun:
    """Works on the batches of a plan that are not finished. A batch counts as finished once its part is on the disk."""

    def __init__(
        self, plan: Plan, source: Input, settings: Settings, folder: FleetFolder, report: Report, warn: Warn
    ) -> None:
        self._plan, self._source, self._folder, self._report, self._warn = plan, source, folder, report, warn
        self._work = partial(work, settings)
        self._stems = file_stems(plan.names)
        self._in_flight: dict[int, dict[str, Result]] = {}  # batch -> the results that its series have so far
        self._done = self._failed = len(plan.failed)

    def go(self, engine: Engine) -> None:
        """Works until every batch is finished.

        A batch that raises (no memory, a lost worker) is done anew at the end, each of its series alone; those that
        raise again are reported as failed.

        Raises:
            OSError: if the output cannot be written.
            ChangedError: if the one file of all series has changed.
        """
        waiting = self._unfinished()
        self._report(self._done, self._failed)
        raised: list[int] = []
        for tasks, alone in ((map(self._read, waiting), False), (self._one_by_one(raised), True)):
            with closing(engine(self._work, tasks, one_by_one=alone)) as outcomes:
                for task, outcome in outcomes:
                    if not isinstance(outcome, Exception):
                        self._keep(task.number, outcome)
                    elif alone:
                        self._keep(task.number, [Result(failed_row(task.names[0], outcome, len(task.series[0])))])
                    else:
                        raised.append(task.number)

    def _unfinished(self) -> list[int]:
        """The batches to work on; the series of the others are counted as done."""
        waiting = []
        for index, batch in enumerate(self._plan.batches):
            try:
                part = self._folder.read_part(self._plan, index)
            except DamagedError as error:
                self._warn(f"{error}: its batch of {len(batch)} series is done anew")
                part = None
            if part is None:
                waiting.append(index)
            else:
                self._count(part.rows)
        return waiting

    def _read(self, index: int) -> Task:
        """The series of a batch. Those that cannot be read have their result at once."""
        found, unread = {}, {}
        for name in self._plan.batches[index]:
            try:
                found[name] = self._source.read(name)
            except ValueError as error:
                if isinstance(self._source, LongTable) and isinstance(error, ChangedError):
                    raise
                unread[name] = Result(failed_row(name, error))
        self._in_flight[index] = unread
        return Task(index, tuple(found), tuple(found.values()))

    def _one_by_one(self, batches: Iterable[int]) -> Iterator[Task]:
        for index in batches:
            whole = self._read(index)
            if not whole.names:
                self._keep(index, [])
            for name, table in zip(whole.names, whole.series, strict=True):
                yield Task(index, (name,), (table,))

    def _keep(self, index: int, results: Iterable[Result]) -> None:
        """Adds results to their batch, and writes its part once each of its series has one."""
        found, batch = self._in_flight[index], self._plan.batches[index]
        found |= {result.row.name: result for result in results}
        if len(found) == len(batch):
            self._folder.write_part(self._plan, index, [found[name] for name in batch], self._stems)
            del self._in_flight[index]
            self._count([result.row for result in found.values()])
            self._report(self._done, self._failed)

    def _count(self, rows: Sequence[Row]) -> None:
        self._done += len(rows)
        self._failed += sum(row.status == "failed" for row in rows)
