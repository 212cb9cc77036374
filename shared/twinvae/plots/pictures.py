"""The pictures: a series with its events, the latent space, the reconstruction, the score.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart. Figures are made without pyplot, which
keeps global state and takes longer to import.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Integer

from twinvae.files.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, RED, GREY, BLACK = "#0072B2", "#E69F00", "#D55E00", "#7F7F7F", "#000000"
BINS = 4000  # a longer series is drawn by the least and the largest value of each of this many stretches
MOST_CHANNELS = 8

Intervals = Sequence[tuple[int, int]]
Stamp = Callable[[int], str]  # row -> its time stamp


def plot_series(
    path: Path,
    series: Float[np.ndarray, "time channel"],
    names: Sequence[str],
    stamp: Stamp | None,
    *,
    title: str,
    shaded: Intervals,
    shaded_as: str,
    reconstruction: Float[np.ndarray, "time channel"] | None = None,
    train_rows: int = 0,
) -> None:
    """Each channel over time, intervals shaded, and the reconstruction over it if there is one."""
    shown = min(len(names), MOST_CHANNELS)
    figure, axes = _figure(shown, height=3.0 if shown == 1 else 1.5)
    for channel, axis in enumerate(axes):
        _line(axis, series[:, channel], color=BLUE, label="series")
        if reconstruction is not None:
            _line(axis, reconstruction[:, channel], color=RED, linestyle="--", label="reconstruction")
        _shade(axis, shaded, ORANGE, shaded_as)
        if train_rows:
            axis.axvline(train_rows, color=GREY, linestyle=":", label="end of the training part")
        axis.set_ylabel(names[channel] if names[channel] != "0" or len(names) > 1 else "value")
    if shown < len(names):
        title += f" (channels {shown} of {len(names)})"
    _finish(figure, axes, len(series), stamp, title)
    _save(figure, path)


def plot_score(
    path: Path,
    scores: Float[np.ndarray, " time"],
    threshold: float,
    stamp: Stamp | None,
    *,
    title: str,
    ylabel: str,
    shaded: Intervals,
    shaded_as: str,
) -> None:
    """The score with its threshold and the detected events, on a logarithmic axis."""
    from matplotlib.ticker import LogLocator

    figure, axes = _figure(1, height=3.0)
    floor = max(float(np.nanmin(scores)), threshold * 1e-5, 1e-30)
    _line(axes[0], np.maximum(scores, floor), color=BLUE, label="score")
    axes[0].axhline(threshold, color=RED, linestyle="--", label=f"threshold {threshold:.3g}")
    _shade(axes[0], shaded, ORANGE, shaded_as)
    axes[0].set_yscale("log")
    decades = np.log10(max(float(np.nanmax(scores)), threshold) / floor)
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_locator(LogLocator(subs=(2, 5) if decades < 2 else "auto"))
    axes[0].yaxis.set_minor_formatter("{x:g}" if decades < 2 else "")
    axes[0].set_ylabel(ylabel)
    _finish(figure, axes, len(scores), stamp, title)
    _save(figure, path)


def plot_detection(
    path: Path,
    series: Float[np.ndarray, "time channel"],
    names: Sequence[str],
    scores: Float[np.ndarray, " time"],
    threshold: float,
    stamp: Stamp | None,
    *,
    title: str,
    labelled: Intervals,
    detected: Intervals,
    train_rows: int = 0,
) -> None:
    """The channels with labelled anomalies shaded, the score with its threshold, and both kinds of events as bars."""
    shown = min(len(names), 4)
    figure, axes = _figure(shown + 2, height=1.6, ratios=[2.0] * (shown + 1) + [0.7])
    for channel in range(shown):
        _line(axes[channel], series[:, channel], color=BLUE, label="series")
        axes[channel].set_ylabel(names[channel] if len(names) > 1 else "value")
    _line(axes[shown], scores, color=BLACK, label="score")
    axes[shown].axhline(threshold, color=RED, linestyle="--", label=f"threshold {threshold:.3g}")
    axes[shown].set_ylabel("score")
    if np.nanmax(scores) > 20 * threshold > 0:  # else a large peak would hide what happens at the threshold
        axes[shown].set_yscale("symlog", linthresh=threshold)
        axes[shown].set_ylabel("score (log above\nthe threshold)")
    axes[shown].set_ylim(bottom=min(0.0, float(np.nanmin(scores))))
    for axis in axes[:-1]:
        _shade(axis, labelled, ORANGE, "labelled anomaly")
        if train_rows:
            axis.axvline(train_rows, color=GREY, linestyle=":", label="end of the fitted rows")
    bars = axes[-1]
    for row, (events, color) in enumerate(((labelled, ORANGE), (detected, RED))):
        spans = [(start, end - start) for start, end in events]
        bars.broken_barh(spans, (row - 0.35, 0.7), facecolors=color, edgecolors=color, linewidth=1.5)
    bars.set_yticks([0, 1], ["labelled", "detected"])
    bars.set_ylim(1.6, -0.6)
    if shown < len(names):
        title += f" (channels {shown} of {len(names)})"
    _finish(figure, axes, len(series), stamp, title)
    _save(figure, path)


def plot_latent(
    path: Path,
    normal: Float[np.ndarray, "n latent"],
    anomalous: Float[np.ndarray, "m latent"],
    *,
    title: str,
    labels: tuple[str, str],
) -> None:
    """The latent means in the plane of the two largest principal components of the normal ones."""
    figure, (axis,) = _figure(1, height=5.0, width=6.5)
    plane, variance = principal_components(normal)
    for points, color, marker, size, alpha, label in (
        (normal, BLUE, "o", 14, 0.5, labels[0]),
        (anomalous, RED, "^", 26, 1.0, labels[1]),
    ):
        if len(points):
            some = points[:: max(1, len(points) // BINS)]
            x, y = ((some - normal.mean(axis=0)) @ plane).T
            axis.scatter(x, y, s=size, alpha=alpha, color=color, marker=marker, linewidths=0, label=label)
    axis.set_xlabel(f"component 1 ({variance[0]:.0%} of the variance)")
    axis.set_ylabel(f"component 2 ({variance[1]:.0%} of the variance)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title, x=0.01, ha="left")
    _save(figure, path)


def principal_components(
    points: Float[np.ndarray, "n latent"],
) -> tuple[Float[np.ndarray, "latent 2"], Float[np.ndarray, " 2"]]:
    """The two directions of largest variance, and each one's share of the variance (Pearson 1901).

    They are eigenvectors of the covariance. The sign of a direction makes its largest component positive. A latent
    space of one dimension gets a second direction of zeros.
    """
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(points.T.astype(np.float64), ddof=0)))
    plane = np.zeros((points.shape[1], 2))
    share = np.zeros(2)
    total = float(variances.sum())
    for index, column in enumerate(range(points.shape[1])[::-1][:2]):
        direction = directions[:, column]
        plane[:, index] = direction * np.sign(direction[np.abs(direction).argmax()])
        share[index] = float(variances[column]) / total if total > 0 else 0.0
    return plane, share


def _figure(
    rows: int, *, height: float, width: float = 11.0, ratios: Sequence[float] | None = None
) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0].tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.01)
    return figure, axes


def _line(axis: "Axes", values: Float[np.ndarray, " time"], **style: Any) -> None:
    steps = np.arange(len(values))
    if len(values) > 2 * BINS:
        size = -(-len(values) // BINS)
        padded = np.pad(values, (0, -len(values) % size), mode="edge").reshape(-1, size)
        values = np.stack([np.fmin.reduce(padded, axis=1), np.fmax.reduce(padded, axis=1)], axis=1).reshape(-1)
        steps = np.repeat(steps[::size], 2)
    axis.plot(steps, values, linewidth=1.1, **style)


def _shade(axis: "Axes", intervals: Intervals, color: str, label: str) -> None:
    for index, (start, end) in enumerate(intervals):
        axis.axvspan(start, end, color=color, alpha=0.3, linewidth=0.8, label=label if index == 0 else None)


def _finish(figure: "Figure", axes: list["Axes"], length: int, stamp: Stamp | None, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    last = axes[-1]
    last.set_xlabel("time" if stamp else "time step")
    if stamp:
        tick = short_stamps(stamp, length)
        last.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        last.xaxis.set_major_formatter(FuncFormatter(lambda x, _: tick(min(round(x), length - 1)) if x >= 0 else ""))
    else:
        last.xaxis.set_major_formatter("{x:,.0f}")
    legend = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=len(legend), frameon=False)
    figure.suptitle(title, x=0.01, ha="left")


def short_stamps(stamp: Stamp, length: int) -> Stamp:
    """Time stamps as short as the time that they span allows; as they stand where they are no ISO dates."""
    try:
        first, last = (datetime.fromisoformat(stamp(row)) for row in (0, length - 1))
    except ValueError:
        return stamp
    days = (last - first).days
    form = "%Y-%m-%d" if days >= 7 else "%m-%d %H:%M" if days >= 1 else "%H:%M:%S"
    return lambda row: datetime.fromisoformat(stamp(row)).strftime(form)


def _save(figure: "Figure", path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def windows_with(labels: Integer[np.ndarray, " time"], window: int) -> np.ndarray:
    """Whether each window holds a labelled step, (n,) of bool."""
    before = np.concatenate([[0], np.cumsum(labels != 0)])
    return before[window:] - before[:-window] > 0
