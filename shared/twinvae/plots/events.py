"""The picture of why: each event with what was measured, what the model expected, and what every channel adds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from twinvae.plots.figure import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    RED,
    WIDTH,
    draw_line,
    elided,
    envelope,
    hatch_holes,
    literal,
    name_channel,
    new_figure,
    short_stamps,
    show_values_in_full,
)
from twinvae.plots.words import ENGLISH, Words
from twinvae.scoring.events import Event
from twinvae.series.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_EVENTS = 6
MOST_LINES = 3  # channels drawn as lines
MOST_ROWS = 8  # channels in the strip
MOST_POINTS = 1000  # of a strip; a longer stretch is drawn by the largest of so many parts


def plot_events(
    path: Path,
    series: Series,
    reconstruction: Float[np.ndarray, "time channel"],
    contributions: Float[np.ndarray, "time channel"],
    events: Sequence[Event],
    *,
    title: str,
    threshold: float,
    margin: int,
    width: float = WIDTH,
    words: Words = ENGLISH,
) -> None:
    """The six highest events in the order of time, each with `margin` steps before and after it.

    Above: its first three channels, measured and expected, and the training window that is most like the one around
    the peak; the event is shaded and its peak dotted. Below: what the first eight channels add to the score, on a scale
    of its own for each event.
    """
    names = series.names
    shown = sorted(sorted(events, key=lambda event: -event.score)[:MOST_EVENTS], key=lambda event: event.start)
    heading = words("{title}: why each event", title=title)
    if len(shown) < len(events):
        heading += words(" (the highest {shown} of {all})", shown=len(shown), all=len(events))
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    lines, strips = min(len(names), MOST_LINES), min(len(names), MOST_ROWS)
    heights = [1.0] * lines + [0.3 + 0.17 * strips]
    size = (width if columns == 1 else width * 15 / 11, rows * (1.2 + 1.15 * sum(heights)) + 0.7)
    with new_figure(path, heading, *size) as figure:
        grid = figure.subfigures(rows, columns, squeeze=False, wspace=0.03, hspace=0.04).flat
        for part, event in zip(grid, shown, strict=False):
            *axes, strip = part.subplots(lines + 1, 1, sharex=True, height_ratios=heights)
            order = [names.index(name) for name in list(event.channels)[:strips]]
            begin, end = max(0, event.start - margin), min(len(series), event.end + margin)
            for axis, channel in zip(axes, order, strict=False):
                _draw_similar(axis, event, channel, begin, end, words)
                draw_line(axis, series.values[begin:end, channel], begin=begin, color=BLUE, label=words("measured"))
                draw_line(
                    axis,
                    reconstruction[begin:end, channel],
                    begin=begin,
                    color=RED,
                    linestyle="--",
                    label=words("expected"),
                )
                if len(names) > 1:
                    name_channel(axis, names[channel], 60)
                else:
                    axis.set_ylabel(words("value"))
            for axis in axes:
                axis.axvspan(
                    event.start - 0.5, event.end - 0.5, color=ORANGE, alpha=0.3, linewidth=0, label=words("event")
                )
                axis.axvline(event.peak, color=BLACK, linestyle=":", linewidth=1.0, label=words("highest score"))
                axis.spines[["top", "right"]].set_visible(False)
                axis.margins(x=0)
                show_values_in_full(axis)
                hatch_holes(axis, series, words, begin, end)
            _strip(strip, part, begin, contributions[begin:end, order], [names[channel] for channel in order], words)
            for edge in (event.start - 0.5, event.end - 0.5):
                strip.axvline(edge, color=ORANGE, linewidth=1.5)
            _label_time(strip, series)
            part.suptitle(literal(_headline(event, series, threshold, words)), x=0.01, ha="left", fontsize="medium")


def _draw_similar(axis: "Axes", event: Event, channel: int, begin: int, end: int, words: Words) -> None:
    """The training window that is most like the one around the peak, where the picture shows its steps.

    It is drawn first and thick, so that it is seen where the other lines cover it.
    """
    if event.similar is None or event.similar_start is None or np.isnan(event.similar[:, channel]).any():
        return
    first, last = max(begin, event.similar_start), min(end, event.similar_start + len(event.similar))
    line = event.similar[first - event.similar_start : last - event.similar_start, channel]
    draw_line(axis, line, begin=first, color=GREY, linewidth=3.0, alpha=0.5, label=words("most similar in training"))


def _headline(event: Event, series: Series, threshold: float, words: Words) -> str:
    row = int if series.grid is None else series.grid.row
    text = words("rows [{start}, {end})", start=row(event.start), end=row(event.end))
    if series.has_stamps:
        text += words(", from {stamp}", stamp=series.stamp(event.start))
    text += words(": score {score}", score=_number(event.score))
    if threshold > 0:
        text += words(", {times} times the threshold", times=_number(event.score / threshold))
    first, share = next(iter(event.channels.items()))
    if event.expected is not None:
        text += words(
            "\nat the highest score: {channel}{value}, expected {expected}",
            channel=f"{elided(first, 16)} ({share:.0%}) " if len(event.channels) > 1 else "",
            value=words("no value") if event.value is None else _number(event.value),
            expected=_number(event.expected),
        )
    if event.similar_row is not None:
        text += words(
            "\nmost like the window at row {row} of training (distance {distance:.2g})",
            row=event.similar_row, distance=event.similar_distance,
        )  # fmt: skip
    return text


def _strip(
    axis: "Axes",
    part: Any,
    begin: int,
    values: Float[np.ndarray, "time channel"],
    names: Sequence[str],
    words: Words,
) -> None:
    """A row for each channel: what it adds at each step, the darker the more."""
    size = -(-len(values) // MOST_POINTS)
    cells = np.stack([envelope(column, size)[1] for column in values.T])
    span = (begin - 0.5, begin - 0.5 + size * cells.shape[1], len(cells) - 0.5, -0.5)
    image = axis.imshow(cells, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0.0, extent=span)
    axis.set_xlim(begin - 0.5, begin - 0.5 + len(values))
    if len(names) > 1:
        axis.set_yticks(range(len(names)), [literal(elided(name, 16)) for name in names], fontsize="small")
    else:
        axis.set_yticks([])
    bar = part.colorbar(image, ax=axis, pad=0.01, aspect=8)
    bar.set_label(words("score" if len(names) == 1 else "adds"), fontsize="small")
    bar.ax.tick_params(labelsize="small")
    bar.outline.set_visible(False)


def _label_time(axis: "Axes", series: Series) -> None:
    """Writes the time stamps along an axis that shows a part of the series."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if not series.has_stamps:
        axis.xaxis.set_major_formatter("{x:,.0f}")
        return
    low, high = (min(max(round(x), 0), len(series) - 1) for x in axis.get_xlim())
    tick = short_stamps(series, low, high)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: tick(round(x)) if low <= x <= high else ""))


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
