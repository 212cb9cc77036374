"""What the figures of the page are made of: axes of time, what a pointer is told, and samples that stand for many."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS, FixedTicker, HoverTool, Range1d
from bokeh.models.annotations import Label
from bokeh.models.renderers import DataRenderer
from bokeh.plotting import figure

from benchmarks.speed.report.summary import measured, seconds
from benchmarks.speed.results import Record

MOST_SAMPLES = 41  # that are drawn of a process; of more, quantiles from the least to the largest stand for all
SMALL = "12px"
# The page's own script dims all others in every figure.
POINTED = """
const {renderer, index} = cb_data;
const [at] = [...index.indices, ...index.line_indices];
if (at !== undefined) document.dispatchEvent(
  new CustomEvent("pointed", {detail: renderer.data_source.get_column("implementation")[at]}));
"""


def new_figure(height: int, **settings: Any) -> figure:
    """Returns a figure as wide as its place, without tools: a page that is scrolled by touch must not move them."""
    return figure(
        height=height, sizing_mode="stretch_width", min_width=200, toolbar_location=None, tools="",
        background_fill_color=None, border_fill_color=None, outline_line_color=None, min_border_right=12, **settings,
    )  # fmt: skip


def add_hover(
    plot: figure, renderers: Sequence[DataRenderer], told: Mapping[str, str], *, lights: bool = False, **settings: Any
) -> None:
    """Tells a pointer at these what stands in columns, by what each is called; `lights` also dims all others."""
    tool = HoverTool(
        renderers=list(renderers), tooltips=[(name, f"@{column}") for name, column in told.items()],
        callback=CustomJS(code=POINTED) if lights else None,
        attachment="vertical",  # beside its place it would leave the screen of a phone
        **settings,
    )  # fmt: skip
    plot.add_tools(tool)


def add_label(plot: figure, y: float, text: str) -> None:
    """Writes a line that begins at the left edge of a figure, however wide it is."""
    plot.add_layout(Label(x=2, x_units="screen", y=y, text=text, text_font_size=SMALL, text_baseline="middle"))


def mark_axis(axis: Any, labels: Mapping[float, str]) -> None:
    """Marks an axis at these values alone."""
    axis.ticker = FixedTicker(ticks=list(labels))
    axis.major_label_overrides = dict(labels)
    axis.major_label_text_font_size = axis.axis_label_text_font_size = SMALL
    axis.axis_label_text_font_style = "normal"


def round_times(low: float, high: float) -> list[float]:
    """Returns powers of ten on a log axis; where they are few, also three times these, or twice and five times."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = (float(f"{factor}e{decade}") for decade in decades for factor in factors)
        found = [tick for tick in ticks if low <= tick <= high]
        if len(found) >= 3:
            break
    return found


def round_steps(high: float) -> list[float]:
    """Returns four to nine round values from 0 on."""
    step = next(step for step in (float(f"{f}e{d}") for d in range(-9, 9) for f in (1, 2, 5)) if high / step < 8)
    return [at * step for at in range(int(high / step) + 1)]


def samples_of(record: Record, scale: float) -> list[tuple[int, str, float]]:
    """Returns the seconds of each call with its process, counted from 1, and what it is; of many calls, quantiles."""
    found = []
    for process, group in enumerate(record.samples, 1):
        if len(group) <= MOST_SAMPLES:
            found += [(process, f"call {at} of {len(group)}", value * scale) for at, value in enumerate(group, 1)]
        else:
            shares = np.linspace(0, 1, MOST_SAMPLES)
            values = np.quantile(group, shares) * scale
            found += [
                (process, f"{share:.1%} of its {len(group):,} calls take at most", float(value))
                for share, value in zip(shares, values, strict=True)
            ]
    return found


def told_of(records: Sequence[Record], scales: Sequence[float]) -> dict[str, list[str]]:
    """Returns the columns that tell a pointer of records: the median with its interval, counts, each process's median.

    A table near by holds them too.
    """
    pairs = list(zip(records, scales, strict=True))
    return {
        "median": [measured(record, scale) for record, scale in pairs],
        "counts": [record.counts for record in records],
        "each": [
            ", ".join(seconds(float(np.median(group)) * scale) for group in record.samples) for record, scale in pairs
        ],
    }


TOLD = {"median [95 % interval]": "median", "processes x calls": "counts", "each process": "each"}


def source_of(
    implementations: Sequence[str], columns: Mapping[str, Sequence[Any]], *, alpha: float = 1.0
) -> ColumnDataSource:
    """Returns a source whose rows the page's script dims by their implementation: `alpha` falls from `full`."""
    rows = len(implementations)
    every: dict[str, Sequence[Any]] = {
        "implementation": implementations, "alpha": [alpha] * rows, "full": [alpha] * rows, **columns,
    }  # fmt: skip
    return ColumnDataSource({name: [short(value) for value in values] for name, values in every.items()})


def short(value: Any) -> Any:
    """Returns a number, or those of a list, with six digits: what a picture shows, and all machines round alike."""
    if isinstance(value, (list, tuple)):
        return [short(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def between(low: float, high: float) -> Range1d:
    """Returns the range of an axis."""
    return Range1d(start=short(low), end=short(high))


def size_text(value: float) -> str:
    """Returns a count as a tick or a label names it."""
    return f"{value:,.0f}" if value < 10**6 else f"{value / 10**6:g} million"
