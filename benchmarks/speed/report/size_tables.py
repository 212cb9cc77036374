"""The tables behind the figures of how times grow: a row for each size, a column for each implementation."""

from collections.abc import Sequence

from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.summary import measured
from benchmarks.speed.results import Record, Table
from twinvae.pages.markup import as_table, missing

SHARE = "<p><small>In brackets the share of its own library's measured sgemm rate.</small></p>"


def sizes(table: Table) -> str:
    """The time of a training step at every size, one thread."""
    rows = []
    for case in ("batch", "hidden", "window-length", "channels"):
        axis, found = CASES[case].options["axis"], table.all(case, "step", threads=1)
        for value in sorted({record.parameters[axis] for record in found}):
            rows.append((f"{case} {value:,}", [record for record in found if record.parameters[axis] == value]))
    return _grid("size", rows, table) + SHARE


def points(table: Table) -> str:
    """The time of a scored point at every length of the series."""
    found = table.all("points", "score_point")
    keys = sorted({(record.threads, record.parameters["points"]) for record in found})
    rows = [
        (f"{size:,} points, {_threads(threads)}", table.all("points", "score_point", threads=threads, points=size))
        for threads, size in keys
    ]
    return _grid("series", rows, table) + SHARE


def threads(table: Table) -> str:
    """The time of a training step and of a scored point with every number of threads."""
    rows = [
        (f"{what}, {_threads(count)}", table.all("threads", metric, threads=count))
        for metric, what in (("step", "a training step"), ("score_point", "a scored point"))
        for count in sorted({record.threads for record in table.all("threads", metric)})
    ]
    return _grid("what", rows, table, shares=False)


def _grid(what: str, rows: Sequence[tuple[str, Sequence[Record]]], table: Table, *, shares: bool = True) -> str:
    names = [name for name in IMPLEMENTATIONS if any(one.implementation == name for _, found in rows for one in found)]
    cells = []
    for title, found in rows:
        by_name = {record.implementation: record for record in found}
        counts = " and ".join(dict.fromkeys(record.counts for record in found))
        cells.append((title, *(_cell(by_name.get(name), table, shares) for name in names), counts))
    labels = [IMPLEMENTATIONS[name].label for name in names]
    return as_table((what, *labels, "processes x calls"), cells, numbers=labels)


def _cell(record: Record | None, table: Table, shares: bool) -> str:
    if record is None:
        return missing()
    floor = table.floor(record) if shares else None
    return measured(record) + (f" ({floor / record.value:.0%})" if floor else "")


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"
