"""The pictures: a series with its events, the latent space, the reconstruction, the score."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer

from twinvae.plots.figure import (
    BLACK,
    BLUE,
    ORANGE,
    RED,
    WIDTH,
    Intervals,
    draw_line,
    hatch_holes,
    label_time,
    mark_end,
    name_channel,
    new_axes,
    shade,
)
from twinvae.plots.words import ENGLISH, Words
from twinvae.series.series import Series

MOST_POINTS = 4000  # of a kind in the latent space


def plot_series(
    path: Path,
    series: Series,
    *,
    title: str,
    shaded: Intervals = (),
    shaded_as: str = "",
    reconstruction: Float[np.ndarray, "time channel"] | None = None,
    train_rows: int = 0,
    words: Words = ENGLISH,
) -> None:
    """The first eight channels over time, intervals shaded, and the reconstruction over them if there is one."""
    shown = min(len(series.names), 8)
    with new_axes(path, title + _how_many(shown, series, words), shown, 3.0 if shown == 1 else 1.7) as axes:
        for channel, axis in enumerate(axes):
            draw_line(axis, series.values[:, channel], color=BLUE, label=words("series"))
            if reconstruction is not None:
                draw_line(axis, reconstruction[:, channel], color=RED, linestyle="--", label=words("reconstruction"))
            shade(axis, shaded, shaded_as)
            hatch_holes(axis, series, words)
            mark_end(axis, train_rows, words("end of the training part"))
            if series.names == ("0",):
                axis.set_ylabel(words("value"))
            else:
                name_channel(axis, series.names[channel])
        label_time(axes[-1], series, words)


def plot_score(
    path: Path,
    series: Series,
    scores: Float[np.ndarray, " time"],
    threshold: float,
    *,
    title: str,
    ylabel: str,
    shaded: Intervals,
    shaded_as: str,
    width: float = WIDTH,
    words: Words = ENGLISH,
) -> None:
    """The score of a series with its threshold and the detected events, on a logarithmic axis."""
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator

    with new_axes(path, title, 1, 3.0, width=width) as (axis,):
        floor = max(float(np.nanmin(scores)), threshold * 1e-5, 1e-30)
        draw_line(axis, np.maximum(scores, floor), color=BLUE, label=words("score"))
        axis.axhline(threshold, color=RED, linestyle="--", label=words("threshold {value:.3g}", value=threshold))
        shade(axis, shaded, shaded_as)
        hatch_holes(axis, series, words)
        axis.set_yscale("log")
        top = max(float(np.nanmax(scores)), threshold)
        decades = np.log10(top / floor)
        axis.yaxis.set_minor_locator(LogLocator(subs=(2, 5) if decades < 2 else "auto"))
        plain = floor >= 1e-4 and top < 1e6  # else some labels would be 1e-05 and others 0.001
        axis.yaxis.set_major_formatter("{x:g}" if plain else LogFormatterSciNotation())
        minor = "{x:g}" if plain else LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf))
        axis.yaxis.set_minor_formatter(minor if decades < 2 else "")
        axis.set_ylabel(ylabel)
        label_time(axis, series, words)


def plot_detection(
    path: Path,
    series: Series,
    scores: Float[np.ndarray, " time"],
    threshold: float,
    *,
    title: str,
    labelled: Intervals,
    detected: Intervals,
    train_rows: int = 0,
    width: float = WIDTH,
    words: Words = ENGLISH,
) -> None:
    """The channels with labelled anomalies shaded, the score with its threshold, and both kinds of events as bars."""
    shown = min(len(series.names), 4)
    ratios = [2.0] * (shown + 1) + [0.7]
    heading = title + _how_many(shown, series, words)
    with new_axes(path, heading, shown + 2, 1.7, width=width, ratios=ratios) as (*axes, score, bars):
        for channel, axis in enumerate(axes):
            draw_line(axis, series.values[:, channel], color=BLUE, label=words("series"))
            if len(series.names) > 1:
                name_channel(axis, series.names[channel])
            else:
                axis.set_ylabel(words("value"))
        draw_line(score, scores, color=BLACK, label=words("score"))
        score.axhline(threshold, color=RED, linestyle="--", label=words("threshold {value:.3g}", value=threshold))
        score.set_ylabel(words("score"))
        if np.nanmax(scores) > 20 * threshold > 0:  # else a large peak would hide what happens at the threshold
            score.set_yscale("symlog", linthresh=threshold)
            score.set_ylabel(words("score (log above\nthe threshold)"))
        score.set_ylim(bottom=min(0.0, float(np.nanmin(scores))))
        for axis in (*axes, score):
            shade(axis, labelled, words("labelled anomaly"))
            hatch_holes(axis, series, words)
            mark_end(axis, train_rows, words("end of the fitted rows"))
        for row, (events, color) in enumerate(((labelled, ORANGE), (detected, RED))):
            spans = [(start - 0.5, end - start) for start, end in events]
            bars.broken_barh(spans, (row - 0.35, 0.7), facecolors=color, edgecolors=color, linewidth=1.5)
        bars.set_yticks([0, 1], [words("labelled"), words("detected")])
        bars.set_ylim(1.6, -0.6)
        label_time(bars, series, words)


def plot_latent(
    path: Path,
    normal: Float[np.ndarray, "n latent"],
    anomalous: Float[np.ndarray, "m latent"],
    *,
    title: str,
    labels: tuple[str, str],
    words: Words = ENGLISH,
) -> None:
    """The latent means in the plane of the two largest principal components of the normal ones."""
    with new_axes(path, title, 1, 5.0, width=6.5) as (axis,):
        plane, variance = principal_components(normal)
        for points, color, marker, size, alpha, label in (
            (normal, BLUE, "o", 14, 0.5, labels[0]),
            (anomalous, RED, "^", 26, 1.0, labels[1]),
        ):
            if len(points):
                some = points[:: max(1, len(points) // MOST_POINTS)]
                x, y = ((some - normal.mean(axis=0)) @ plane).T
                axis.scatter(x, y, s=size, alpha=alpha, color=color, marker=marker, linewidths=0, label=label)
        axis.set_aspect("equal", adjustable="datalim")  # else a ring would be drawn as an ellipse
        axis.set_xlabel(words("component 1 ({share:.0%} of the variance)", share=variance[0]))
        axis.set_ylabel(words("component 2 ({share:.0%} of the variance)", share=variance[1]))


def principal_components(
    points: Float[np.ndarray, "n latent"],
) -> tuple[Float[np.ndarray, "latent 2"], Float[np.ndarray, " 2"]]:
    """The two directions of largest variance, and each one's share of the variance (Pearson 1901).

    They are eigenvectors of the covariance. The sign of a direction makes its largest component positive. A latent
    space of one dimension gets a second direction of zeros.
    """
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(points.T.astype(np.float64), ddof=0)))
    plane, share = np.zeros((points.shape[1], 2)), np.zeros(2)
    total = float(variances.sum())
    for index, direction in enumerate(directions.T[::-1][:2]):
        plane[:, index] = direction * np.sign(direction[np.abs(direction).argmax()])
        share[index] = max(0.0, float(variances[-1 - index]) / total) if total > 0 else 0.0
    return plane, share


def _how_many(shown: int, series: Series, words: Words) -> str:
    every = len(series.names)
    return words(" (channels {shown} of {all})", shown=shown, all=every) if shown < every else ""


def windows_with(labels: Integer[np.ndarray, " time"], window: int) -> np.ndarray:
    """Whether each window holds a labelled step, (n,) of bool."""
    before = np.concatenate([[0], np.cumsum(labels != 0)])
    return before[window:] - before[:-window] > 0
