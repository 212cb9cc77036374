"""What every picture is made of: a figure that is saved once it is drawn, lines, shaded intervals and the time axis.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart. Figures are made without pyplot, which
keeps global state and takes longer to import.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width
from warnings import catch_warnings, simplefilter

import numpy as np
from jaxtyping import Float

from twinvae.files.atomic import replacing
from twinvae.plots.fonts import wide_fonts
from twinvae.plots.words import Words
from twinvae.process.notices import one_line, shortened, warn
from twinvae.series.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, RED, GREY, BLACK = "#0072B2", "#E69F00", "#D55E00", "#7F7F7F", "#000000"

WIDTH = 11.0  # inches
BINS = 1000  # of a series of more than four times as many steps: about the pixels that a picture is wide
LONGEST_NAME, LONGEST_TITLE = 90, 100  # columns of text in a picture of 11 inches
MOST_HOLES = 500  # shorter stretches without rows are a break in the line alone

Intervals = Sequence[tuple[int, int]]


@contextmanager
def new_figure(path: Path, title: str, width: float, height: float) -> Iterator["Figure"]:
    """Gives an empty figure, its size in inches; when the body ends, adds title and legend and writes it as a PNG.

    The user's settings of matplotlib have no part in it. A picture that cannot be drawn is one warning, since it should
    not cost the results that it belongs to; characters that no font has are another.

    Raises:
        OSError: if the file cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    try:
        with matplotlib.rc_context(), catch_warnings(record=True) as said:
            simplefilter("always")
            matplotlib.rcdefaults()
            matplotlib.rcParams["font.family"] = ["DejaVu Sans", *wide_fonts()]
            figure = Figure(figsize=(width, height), layout="constrained")
            yield figure
            handles = (zip(*axis.get_legend_handles_labels(), strict=True) for axis in figure.axes)
            legend = {label: handle for pairs in handles for handle, label in pairs}
            figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=len(legend), frameon=False)
            figure.suptitle(literal(elided(title, int(LONGEST_TITLE * width / WIDTH))), x=0.01, ha="left")
            with replacing(path) as temporary:
                figure.savefig(temporary, format="png", dpi=110)
    except OSError:
        raise
    except Exception as error:  # of matplotlib and of what it calls
        warn(f"{path}: the picture could not be drawn ({type(error).__name__}: {shortened(one_line(error))})")
        return
    if any("missing from font" in str(warning.message) for warning in said):
        warn(
            "no font here has all characters of the names: boxes stand in the pictures; "
            "install Noto Sans CJK, say, or for Japanese pip install 'twinvae[ja]'"
        )


def show_values_in_full(axis: "Axes") -> None:
    """No offset beside the axis hides the values of a channel far from zero."""
    axis.ticklabel_format(axis="y", useOffset=False, scilimits=(-4, 9))


def literal(text: str) -> str:
    """The text as it stands: for matplotlib a pair of $ would make a formula of what is between."""
    return text.replace("$", r"\$")


@contextmanager
def new_axes(
    path: Path, title: str, rows: int, height: float, *, width: float = WIDTH, ratios: Sequence[float] | None = None
) -> Iterator[list["Axes"]]:
    """Gives the axes of a new figure: `rows` below each other, each `height` inches on average, with one x axis."""
    with new_figure(path, title, width, height * rows + 0.8) as figure:
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0].tolist()
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.margins(x=0.01)
            show_values_in_full(axis)
        yield axes


def draw_line(
    axis: "Axes",
    values: Float[np.ndarray, " time"],
    *,
    begin: int = 0,
    color: str,
    linewidth: float = 1.1,
    **style: Any,
) -> None:
    """Draws values from the step `begin` on; of a long series, the band from the least to the largest of each part.

    A line through so many points would be a block that hides all that lies under it.
    """
    if len(values) <= 4 * BINS:
        axis.plot(np.arange(begin, begin + len(values)), values, color=color, linewidth=linewidth, **style)
        return
    size = -(-len(values) // BINS)
    low, high = envelope(values, size)
    edges = begin - 0.5 + np.minimum(np.arange(len(low) + 1) * size, len(values))
    axis.stairs(
        high, edges, baseline=low, fill=True, facecolor=(color, 0.3), edgecolor=color, linewidth=0.7, zorder=2, **style
    )


def envelope(
    values: Float[np.ndarray, " time"], size: int
) -> tuple[Float[np.ndarray, " part"], Float[np.ndarray, " part"]]:
    """The least and the largest value of each part of `size` steps, in order; NaN for a part without values."""
    starts = np.arange(0, len(values), size)
    return np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)


def elided(text: str, longest: int) -> str:
    """The text, without the middle of one that is longer than so many columns; wide characters take two."""
    widths = [2 if east_asian_width(character) in "WF" else 1 for character in text]
    if sum(widths) <= longest:
        return text
    half = (longest - 1) // 2
    head = int(np.searchsorted(np.cumsum(widths), half, side="right"))
    tail = int(np.searchsorted(np.cumsum(widths[::-1]), half, side="right"))
    return f"{text[:head]}…{text[len(text) - tail :]}"


def name_channel(axis: "Axes", name: str, longest: int = LONGEST_NAME) -> None:
    """Writes the name of a channel above its axis: beside it, a long one would run into the next."""
    axis.set_title(literal(elided(name, longest)), loc="left", fontsize="small", pad=3)


def shade(axis: "Axes", intervals: Intervals, label: str) -> None:
    """Shades intervals of steps [start, end), each step from half a step before it to half a step after it."""
    for index, (start, end) in enumerate(intervals):
        axis.axvspan(
            start - 0.5, end - 0.5, color=ORANGE, alpha=0.3, linewidth=0.8, label=label if index == 0 else None
        )


def hatch_holes(axis: "Axes", series: Series, words: Words, begin: int = 0, end: int | None = None) -> None:
    """Hatches the steps from `begin` to `end` that have no row, where they are wide enough to be seen."""
    last = len(series) if end is None else end
    absent = [] if series.grid is None else series.grid.absent
    shown = [(max(start, begin), min(stop, last)) for start, stop in absent]
    wide = [(start, stop) for start, stop in shown if stop - start > (last - begin) / MOST_HOLES]
    for index, (start, stop) in enumerate(wide):
        label = words("no rows") if index == 0 else None
        axis.axvspan(start - 0.5, stop - 0.5, facecolor="none", edgecolor=GREY, hatch="///", linewidth=0.0, label=label)


def mark_end(axis: "Axes", rows: int, label: str) -> None:
    """Draws a line after the first rows, if there are any."""
    if rows:
        axis.axvline(rows, color=GREY, linestyle=":", label=label)


def label_time(axis: "Axes", series: Series, words: Words) -> None:
    """Writes the time stamps of a series along an axis that shows all of it, or its row numbers if it has none."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if not series.has_stamps:
        axis.set_xlabel(words("time step"))
        axis.xaxis.set_major_formatter("{x:,.0f}")
        return
    axis.set_xlabel(words("time, from {first}", first=elided(series.stamp(0), 40)))
    tick, last = short_stamps(series), len(series) - 1
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: tick(min(round(x), last)) if x >= 0 else ""))


def short_stamps(series: Series, begin: int = 0, end: int | None = None) -> Callable[[int], str]:
    """The time stamp of a row, as short as the time from `begin` to `end` allows; whole where it is no ISO date."""
    try:
        at = (begin, len(series) - 1 if end is None else end, min(begin + 1, len(series) - 1))
        first, last, second = (datetime.fromisoformat(series.stamp(row)) for row in at)
    except ValueError:
        return series.stamp
    days = (last - first).days
    daily = all(stamp.time() == time() for stamp in (first, second, last))
    form = "%Y-%m-%d" if days >= 60 or (daily and days) else "%m-%d %H:%M" if days >= 1 else "%H:%M:%S"
    return lambda row: datetime.fromisoformat(series.stamp(row)).strftime(form)
