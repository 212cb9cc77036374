"""Figures of how times grow: a line for each implementation, by the length of a series, a size, or the threads."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bokeh.models import Range1d
from bokeh.plotting import figure

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.chart_parts import (
    TOLD,
    add_hover,
    between,
    mark_axis,
    new_figure,
    round_times,
    short,
    size_text,
    source_of,
    told_of,
)
from benchmarks.speed.report.marks import EDGE, FLOORS, MARKS
from benchmarks.speed.report.summary import seconds
from benchmarks.speed.results import LIBRARIES, Record, Table

HEIGHT = 340


class Times(NamedTuple):
    """An axis of seconds, and where it is marked. Figures that share its range can be compared."""

    range: Range1d
    ticks: list[float]


def lines_figure(
    table: Table, records: Sequence[Record], at: Callable[[Record], float], *, x: str, y: str, title: str,
    times: Times, floors: bool = True,
) -> figure:  # fmt: skip
    """Returns the lines of these records by what `at` says, in seconds on log axes, with bands of their intervals."""
    lines = by_implementation(records, at)
    ticks = sorted({at(record) for record in records})
    plot = new_figure(
        HEIGHT, x_axis_type="log", y_axis_type="log", x_axis_label=x, y_axis_label=y, title=title, y_range=times.range,
        x_range=between(ticks[0] / 1.3, ticks[-1] * 1.3),
    )  # fmt: skip
    mark_axis(plot.xaxis, {tick: size_text(tick) for tick in ticks})
    mark_axis(plot.yaxis, {tick: seconds(tick) for tick in times.ticks})
    _bands(plot, lines, at)
    names = list(lines)
    drawn = plot.multi_line(
        xs="xs", ys="ys", line_color="colour", line_alpha="alpha", line_width=2,
        source=source_of(
            names,
            {
                "xs": [[at(record) for record in lines[name]] for name in names],
                "ys": [[record.value for record in lines[name]] for name in names],
                "colour": [MARKS[name].colour for name in names],
                "label": [IMPLEMENTATIONS[name].label for name in names],
            },
        ),
    )  # fmt: skip
    points = [record for name in names for record in lines[name]]
    marks = [MARKS[record.implementation] for record in points]
    dots = plot.scatter(
        x="x", y="y", marker="marker", size=9, fill_color="colour", line_color=EDGE, fill_alpha="alpha",
        line_alpha="alpha",
        source=source_of(
            [record.implementation for record in points],
            {
                "x": [at(record) for record in points], "y": [record.value for record in points],
                "colour": [mark.colour for mark in marks], "marker": [mark.marker for mark in marks],
                "at": [f"{at(record):,}" for record in points],
                "label": [IMPLEMENTATIONS[record.implementation].label for record in points],
                **told_of(points, [1.0] * len(points)),
            },
        ),
    )  # fmt: skip
    if floors:
        _floors(plot, table, records, at)
    add_hover(plot, [dots], {"": "label", x: "at"} | TOLD, lights=True)
    add_hover(plot, [drawn], {"": "label"}, lights=True, line_policy="nearest")
    return plot


def times_of(records: Sequence[Record], table: Table) -> Times:
    """Returns the axis of the seconds of these records and of the floors below them."""
    ends = [end for r in records for end in (r.value, r.low, r.high, table.floor(r)) if end] or [1.0]
    low, high = min(ends) / 1.3, max(ends) * 1.3
    return Times(between(low, high), round_times(low, high))


def by_implementation(records: Sequence[Record], at: Callable[[Record], float]) -> dict[str, list[Record]]:
    """Returns the records of each implementation from left to right, in the order of their table."""
    found = {
        name: sorted((record for record in records if record.implementation == name), key=at)
        for name in IMPLEMENTATIONS
    }
    return {name: line for name, line in found.items() if line}


def _bands(plot: figure, lines: Mapping[str, Sequence[Record]], at: Callable[[Record], float]) -> None:
    bands = {name: [r for r in line if r.low and r.high] for name, line in lines.items()}
    names = [name for name, line in bands.items() if line]
    plot.patches(
        xs="xs", ys="ys", fill_color="colour", fill_alpha="alpha", line_color=None,
        source=source_of(
            names,
            {
                "colour": [MARKS[name].colour for name in names],
                "xs": [[at(r) for r in [*bands[name], *reversed(bands[name])]] for name in names],
                "ys": [[*(r.low for r in bands[name]), *(r.high for r in reversed(bands[name]))] for name in names],
            },
            alpha=0.2,
        ),
    )  # fmt: skip


def _floors(plot: figure, table: Table, records: Sequence[Record], at: Callable[[Record], float]) -> None:
    """Draws what the arithmetic takes at the rate of matrix products, a line for each framework's own library."""
    for backend, library in LIBRARIES.items():
        floors = {at(r): floor for r in records if r.backend == backend and (floor := table.floor(r))}
        if floors:
            plot.line(
                sorted(floors), [short(floors[x]) for x in sorted(floors)], line_color=MARKS[library].colour,
                line_dash=FLOORS[library], line_width=2,
            )  # fmt: skip
