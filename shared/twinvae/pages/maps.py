"""What each channel adds to the score, as a heat map, and where windows lie in the latent space."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from twinvae.pages.figures import BLUE, GREY, RED, Drawing, light_legend
from twinvae.pages.thinning import bins
from twinvae.plots.figure import elided
from twinvae.windowing.intervals import intervals

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure  # noqa: N812

BINS, FINE_BINS = 600, 120  # over all of the series, and around an event
MOST_FINE, MOST_CELLS = 60, 200_000  # events that are drawn finely, and cells in all
LOWEST = 1e-3  # of the threshold: what adds less has no colour


def added(drawing: Drawing, channels: Sequence[int]) -> "Figure":
    """What each channel adds to the score: coarsely over all, finely around events."""
    from bokeh.models import ColorBar, LogColorMapper, LogTicker

    shown, rows = drawing.shown, len(drawing.shown.series)
    names = [elided(shown.series.names[channel], 16) for channel in channels]
    plot = drawing.figure(drawing.words("what each channel adds to the score"), 110 + 20 * len(names))
    threshold = shown.levels[shown.level].threshold
    mapper = LogColorMapper(
        palette=[f"{BLUE}{alpha:02x}" for alpha in range(0, 256, 4)], low=max(threshold * LOWEST, 1e-30),
        high=max(threshold, float(np.nanmax(shown.scores, initial=0.0)), 1e-29), nan_color="#00000000",
    )  # fmt: skip
    first, last = drawing.clock.edges(0, rows)
    places, edges = _bins(drawing, first, last, 0, rows, BINS)
    fine = np.zeros(len(edges) - 1, np.int8)
    for event in sorted(shown.found, key=lambda event: -event.score)[:MOST_FINE]:
        begin, end = np.searchsorted(edges, [event.start - shown.window, event.end + shown.window])
        fine[max(0, begin - 1) : end] = 1
    coarse = bins(shown.contributions, edges)
    coarse[:, fine == 1] = np.nan  # drawn finely
    parts = [(coarse, first, last)]
    for begin, end in intervals(fine):
        if sum(part.size for part, *_ in parts) > MOST_CELLS:
            break
        _, finer = _bins(drawing, places[begin], places[end], int(edges[begin]), int(edges[end]), FINE_BINS)
        parts.append((bins(shown.contributions, finer), places[begin], places[end]))
    images = [np.maximum(part[list(channels)], mapper.low)[::-1] for part, *_ in parts]
    left, width = [begin for _, begin, _ in parts], [end - begin for _, begin, end in parts]
    plot.image(image=images, x=left, y=[0] * len(images), dw=width, dh=[len(names)] * len(images), color_mapper=mapper)
    plot.y_range.start, plot.y_range.end = 0, len(names)
    plot.yaxis.ticker = [len(names) - index - 0.5 for index in range(len(names))]
    plot.yaxis.major_label_overrides = {len(names) - index - 0.5: name for index, name in enumerate(names)}
    plot.grid.visible = False
    plot.add_layout(
        ColorBar(color_mapper=mapper, ticker=LogTicker(desired_num_ticks=4), height=10, padding=2,
                 background_fill_alpha=0.0, major_label_text_color=GREY),
        "below",
    )  # fmt: skip
    return plot


def _bins(
    drawing: Drawing, first: float, last: float, start: int, end: int, number: int
) -> tuple[Float[np.ndarray, " edge"], Int[np.ndarray, " edge"]]:
    """The places from the first to the last at equal distances, and the rows of [start, end) that follow each."""
    places = np.linspace(first, last, max(1, min(number, end - start)) + 1)
    rows = np.clip(np.ceil(drawing.clock.rows_at(places)), start, end).astype(np.int64)
    rows[0], rows[-1] = start, end
    return places, rows


def latent(drawing: Drawing) -> "Figure":
    """Where windows lie in the plane of the two largest principal components."""
    from bokeh.plotting import figure

    plot = figure(
        height=420, max_width=640, sizing_mode="stretch_width", match_aspect=True, toolbar_location="above",
        tools="pan,box_zoom,box_select,lasso_select,reset", active_drag="box_select",
        x_axis_label=drawing.words("component 1 ({share:.0%} of the variance)", share=drawing.share[0]),
        y_axis_label=drawing.words("component 2 ({share:.0%} of the variance)", share=drawing.share[1]),
    )  # fmt: skip
    plot.toolbar.logo = None
    plot.scatter(
        source=drawing.windows, x="first", y="second", size=7, color="color", marker="marker", fill_alpha=0.5,
        line_alpha=0.0, nonselection_fill_alpha=0.08, selection_fill_alpha=1.0,
    )  # fmt: skip
    for color, marker, label in (
        (BLUE, "circle", drawing.words("other windows")),
        (RED, "triangle", drawing.words("windows with a detected event")),
    ):
        plot.scatter([np.nan], [np.nan], color=color, marker=marker, size=7, legend_label=label)
    light_legend(plot)
    return plot
