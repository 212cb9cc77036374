"""What every picture is made of: a figure that is saved once it is drawn, lines, shaded intervals and the time axis.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart. Figures are made without pyplot, which
keeps global state and takes longer to import.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np
from jaxtyping import Float

from twinvae.files.atomic import replacing
from twinvae.process.notices import one_line, shortened, warn
from twinvae.series.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, RED, GREY, BLACK = "#0072B2", "#E69F00", "#D55E00", "#7F7F7F", "#000000"

MOST_HOLES = 500  # shorter stretches without rows are a break in the line alone

Intervals = Sequence[tuple[int, int]]


# What draws Japanese, Chinese and Korean, where the system has it; the first font stays matplotlib's own.
WIDE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic",
    "Hiragino Sans", "Yu Gothic", "MS Gothic", "Meiryo", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei",
)  # fmt: skip


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
            matplotlib.rcParams["font.family"] = ["DejaVu Sans", *_wide_fonts()]
            figure = Figure(figsize=(width, height), layout="constrained")
            yield figure
            handles = (zip(*axis.get_legend_handles_labels(), strict=True) for axis in figure.axes)
            legend = {label: handle for pairs in handles for handle, label in pairs}
            figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=len(legend), frameon=False)
            figure.suptitle(literal(title), x=0.01, ha="left")
            with replacing(path) as temporary:
                figure.savefig(temporary, format="png", dpi=110)
    except OSError:
        raise
    except Exception as error:  # of matplotlib and of what it calls
        warn(f"{path}: the picture could not be drawn ({type(error).__name__}: {shortened(one_line(error))})")
        return
    if any("missing from font" in str(warning.message) for warning in said):
        warn("no font here has all characters of the names: boxes stand in the pictures; install Noto Sans CJK, say")


def literal(text: str) -> str:
    """The text as it stands: for matplotlib a pair of $ would make a formula of what is between."""
    return text.replace("$", r"\$")


def _wide_fonts() -> list[str]:
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    return [name for name in WIDE_FONTS if name in installed]


@contextmanager
def new_axes(
    path: Path, title: str, rows: int, height: float, *, width: float = 11.0, ratios: Sequence[float] | None = None
) -> Iterator[list["Axes"]]:
    """Gives the axes of a new figure: `rows` below each other, each `height` inches on average, with one x axis."""
    with new_figure(path, title, width, height * rows + 0.8) as figure:
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0].tolist()
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.margins(x=0.01)
        yield axes


def draw_line(axis: "Axes", values: Float[np.ndarray, " time"], *, begin: int = 0, size: int = 1, **style: Any) -> None:
    """Draws values from the step `begin` on: all, or the least and the largest of each stretch of `size` steps."""
    steps = np.arange(begin, begin + len(values))
    if size > 1:
        stretches = stretches_of(values, size)
        steps = np.repeat(steps[::size], 2)
        values = np.stack([np.fmin.reduce(stretches, axis=1), np.fmax.reduce(stretches, axis=1)], axis=1).ravel()
    axis.plot(steps, values, **style)


def stretches_of(values: Float[np.ndarray, " time"], size: int) -> Float[np.ndarray, "stretch size"]:
    """The values in stretches of `size` steps; the last value fills up the last of them."""
    return np.pad(values, (0, -len(values) % size), mode="edge").reshape(-1, size)


def shade(axis: "Axes", intervals: Intervals, label: str) -> None:
    """Shades intervals of steps [start, end)."""
    for index, (start, end) in enumerate(intervals):
        axis.axvspan(start, end, color=ORANGE, alpha=0.3, linewidth=0.8, label=label if index == 0 else None)


def hatch_holes(axis: "Axes", series: Series) -> None:
    """Hatches the steps that have no row, where they are wide enough to be seen."""
    absent = [] if series.grid is None else series.grid.absent
    wide = [(start, end) for start, end in absent if end - start > len(series) / MOST_HOLES]
    for index, (start, end) in enumerate(wide):
        label = "no rows" if index == 0 else None
        axis.axvspan(start - 0.5, end - 0.5, facecolor="none", edgecolor=GREY, hatch="///", linewidth=0.0, label=label)


def mark_end(axis: "Axes", rows: int, label: str) -> None:
    """Draws a line after the first rows, if there are any."""
    if rows:
        axis.axvline(rows, color=GREY, linestyle=":", label=label)


def label_time(axis: "Axes", series: Series) -> None:
    """Writes the time stamps of a series along an axis that shows all of it, or its row numbers if it has none."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if not series.has_stamps:
        axis.set_xlabel("time step")
        axis.xaxis.set_major_formatter("{x:,.0f}")
        return
    axis.set_xlabel("time")
    tick, last = short_stamps(series), len(series) - 1
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: tick(min(round(x), last)) if x >= 0 else ""))


def short_stamps(series: Series, begin: int = 0, end: int | None = None) -> Callable[[int], str]:
    """The time stamp of a row, as short as the time from `begin` to `end` allows; whole where it is no ISO date."""
    try:
        ends = (begin, len(series) - 1 if end is None else end)
        first, last = (datetime.fromisoformat(series.stamp(row)) for row in ends)
    except ValueError:
        return series.stamp
    days = (last - first).days
    form = "%Y-%m-%d" if days >= 7 else "%m-%d %H:%M" if days >= 1 else "%H:%M:%S"
    return lambda row: datetime.fromisoformat(series.stamp(row)).strftime(form)
