"""Figures of one row for each implementation: a bar to its median with the samples below it, or the stages of a run."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from bokeh.plotting import figure

from benchmarks.speed.report.chart_parts import (
    TOLD,
    add_hover,
    add_label,
    between,
    mark_axis,
    new_figure,
    round_steps,
    round_times,
    samples_of,
    short,
    source_of,
    told_of,
)
from benchmarks.speed.report.marks import EDGE, FLOORS, MARKS
from benchmarks.speed.report.summary import seconds
from benchmarks.speed.results import Record
from twinvae.pages.markup import as_table

HEIGHT = 54  # pixels of a row: its name, its bar, its samples
NAME, BAR, SAMPLES = -0.3, 0.0, 0.27  # where these lie in a row
STAGES = (
    ("import", "start and import", "#56B4E9", " "), ("first_use", "compile and other first use", "#E69F00", "/"),
    ("train", "train 1,500 steps", "#2a7fc0", " "), ("score", "score", "#D55E00", "x"),
)  # fmt: skip


class Row(NamedTuple):
    """An implementation, its label and record, the seconds of a unit of the record, and what stands beside its time."""

    name: str
    label: str
    record: Record
    scale: float = 1.0
    beside: str = ""

    @property
    def value(self) -> float:
        return self.record.value * self.scale

    @property
    def text(self) -> str:
        """The label and the time, in one line."""
        return f"{self.label}: {seconds(self.value)}" + (f", {self.beside}" if self.beside else "")


def rows_figure(rows: Sequence[Row], *, floors: Mapping[str, float]) -> figure:
    """Returns bars on a log axis of seconds, or thin lines where there is no floor from which a bar could begin.

    Each interval is a line over its bar, each process a line of dots below.
    """
    plot = _rows([row.text for row in rows], x_axis_type="log")
    samples = [(at, row, sample) for at, row in enumerate(rows) for sample in samples_of(row.record, row.scale)]
    values = [*(value for _, _, (_, _, value) in samples), *(row.value for row in rows), *floors.values()]
    margin = (max(values) / min(values)) ** 0.06
    low, high = min(values) / margin, max(values) * margin
    plot.x_range = between(low, high)
    mark_axis(plot.xaxis, {tick: seconds(tick) for tick in round_times(low, high)})
    left = min(floors.values(), default=low)  # a bar from the floor, not from an arbitrary end of a log axis
    for library, floor in floors.items():  # in pieces, so that no name is crossed out
        plot.segment(
            x0=short(floor), x1=short(floor), y0="above", y1="below", line_color=MARKS[library].colour,
            line_dash=FLOORS[library], line_width=2,
            source={"above": [at - 0.14 for at in range(len(rows))], "below": [at + 0.46 for at in range(len(rows))]},
        )  # fmt: skip
    names = [row.name for row in rows]
    shared: dict[str, Sequence[Any]] = {
        "label": [row.label for row in rows], "y": [at + BAR for at in range(len(rows))],
        "value": [row.value for row in rows], "colour": [MARKS[name].colour for name in names],
        "marker": [MARKS[name].marker for name in names],
        **told_of([row.record for row in rows], [row.scale for row in rows]),
    }  # fmt: skip
    source = source_of(names, shared)
    bars = plot.hbar(
        y="y", left=short(left), right="value", height=0.16 if floors else 0.03, fill_color="colour",
        fill_alpha="alpha", line_color=None, source=source,
    )  # fmt: skip
    known = [(at, row) for at, row in enumerate(rows) if row.record.low and row.record.high]
    plot.segment(
        y0="y", y1="y", x0="low", x1="high", line_color=EDGE, line_width=3, line_alpha="alpha",
        source=source_of(
            [row.name for _, row in known],
            {
                "y": [at + BAR for at, _ in known],
                "low": [(row.record.low or 0.0) * row.scale for _, row in known],
                "high": [(row.record.high or 0.0) * row.scale for _, row in known],
            },
        ),
    )  # fmt: skip
    medians = plot.scatter(
        x="value", y="y", marker="marker", size=12, fill_color="colour", line_color=EDGE, fill_alpha="alpha",
        line_alpha="alpha", source=source,
    )  # fmt: skip
    dots = plot.scatter(
        x="value", y="y", size=5, fill_color="colour", line_color=EDGE, line_width=0.5, fill_alpha="alpha",
        line_alpha="alpha",
        source=source_of(
            [row.name for _, row, _ in samples],
            {
                "label": [row.label for _, row, _ in samples],
                "colour": [MARKS[row.name].colour for _, row, _ in samples],
                "y": [at + SAMPLES + _beside(process, row.record) for at, row, (process, _, _) in samples],
                "which": [f"{process} of {len(row.record.samples)}: {call}" for _, row, (process, call, _) in samples],
                **_times(samples),
            },
            alpha=0.8,
        ),
    )  # fmt: skip
    add_hover(plot, [bars, medians], {"": "label"} | TOLD, lights=True)
    add_hover(plot, [dots], {"": "label", "process": "which", "time": "text"}, lights=True)
    return plot


def stages_figure(rows: Sequence[tuple[str, str, dict[str, float], Record]]) -> figure:
    """Returns the stages of a run, one after the other on an axis of seconds.

    A row is an implementation, its label, the seconds of its stages and the record of the total. A bar that is more
    than three times as long as the middle one is cut: its line says so.
    """
    totals = sorted(total.value for _, _, _, total in rows)
    shown = next((t for t in reversed(totals) if t <= 3 * totals[len(totals) // 2]), totals[-1]) * 1.05
    texts = [
        f"{label}: {seconds(total.value)}" + (", bar cut" if total.value > shown else "") for _, label, _, total in rows
    ]
    plot = _rows(texts)
    plot.x_range = between(-0.03 * shown, shown)  # room for half of a label
    mark_axis(plot.xaxis, {tick: f"{tick:g} s" for tick in round_steps(shown)})
    ends = [0.0] * len(rows)
    drawn = []
    for stage, title, colour, hatch in STAGES:
        widths = [max(0.0, _stage(values, stage)) for _, _, values, _ in rows]
        source = source_of(
            [name for name, *_ in rows],
            {
                "label": [label for _, label, _, _ in rows], "stage": [title] * len(rows), "left": ends,
                "y": [at + BAR for at in range(len(rows))], "text": [seconds(width) for width in widths],
                "right": [min(end + width, shown) for end, width in zip(ends, widths, strict=True)],
                "total": [seconds(total.value) for *_, total in rows],
            },
        )  # fmt: skip
        drawn.append(
            plot.hbar(
                y="y", left="left", right="right", height=0.28, fill_color=colour, fill_alpha="alpha",
                hatch_pattern=hatch, hatch_color="#000000", hatch_alpha=0.5, hatch_scale=8, line_color=EDGE,
                line_width=0.5, source=source,
            )
        )  # fmt: skip
        ends = [min(end + width, shown) for end, width in zip(ends, widths, strict=True)]
    samples = [
        (at, row, sample) for at, row in enumerate(rows) for sample in samples_of(row[3], 1.0) if sample[2] <= shown
    ]
    dots = plot.scatter(
        x="value", y="y", size=5, fill_color=EDGE, line_color=EDGE, fill_alpha="alpha", line_alpha="alpha",
        source=source_of(
            [row[0] for _, row, _ in samples],
            {
                "label": [row[1] for _, row, _ in samples],
                "y": [at + SAMPLES + 0.06 + _beside(process, row[3]) / 2 for at, row, (process, _, _) in samples],
                "which": [f"{process} of {len(row[3].samples)}" for _, row, (process, _, _) in samples],
                **_times(samples),
            },
            alpha=0.8,
        ),
    )  # fmt: skip
    add_hover(
        plot, drawn, {"": "label", "stage": "stage", "time": "text", "total": "total"}, lights=True,
    )  # fmt: skip
    add_hover(plot, [dots], {"": "label", "process": "which", "total": "text"}, lights=True)
    return plot


def stages_key() -> str:
    """Returns what the colours of the stages mean, as HTML."""
    lines = {" ": "none", "/": "repeating-linear-gradient(135deg,#0008 0 1px,#0000 1px 5px)",
             "x": "repeating-linear-gradient(135deg,#0008 0 1px,#0000 1px 4px),"
                  "repeating-linear-gradient(45deg,#0008 0 1px,#0000 1px 4px)"}  # fmt: skip
    keys = (
        f'<span class="key"><span style="background:{lines[hatch]} {colour}"></span>{title}</span>'
        for _, title, colour, hatch in STAGES
    )
    return f'<p class="controls">{"".join(keys)}</p>'


def samples_table(rows: Sequence[Row]) -> str:
    """Returns what each process of these rows measured."""
    cells = [
        (
            row.label, f"{process} of {len(row.record.samples)}", f"{len(group):,}",
            *(seconds(value * row.scale) for value in (min(group), median(group), max(group))),
        )
        for row in rows
        for process, group in enumerate(row.record.samples, 1)
    ]  # fmt: skip
    return as_table(("implementation", "process", "calls", "least", "median", "largest"), cells)


def _rows(texts: Sequence[str], **settings: str) -> figure:
    """Returns a figure with a line of text above the place of each row's bar, the first on top."""
    plot = new_figure(HEIGHT * len(texts) + 40, y_range=between(len(texts) - 0.45, -0.5), **settings)
    plot.yaxis.visible = False
    plot.ygrid.visible = False
    for at, text in enumerate(texts):
        add_label(plot, at + NAME, text)
    return plot


def _times(samples: Sequence[tuple[int, Any, tuple[int, str, float]]]) -> dict[str, list[Any]]:
    values = [value for _, _, (_, _, value) in samples]
    return {"value": values, "text": [seconds(value) for value in values]}


def _stage(values: dict[str, float], stage: str) -> float:
    return values.get("start", 0.0) + values.get("import", 0.0) if stage == "import" else values.get(stage, 0.0)


def _beside(process: int, record: Record) -> float:
    """Where the samples of a process lie, beside the middle of those of all."""
    count = len(record.samples)
    return (process - (count + 1) / 2) * min(0.05, 0.25 / count)
