"""The kinds of score: one function for each of them, and the one table of all.

A new kind of score is a function here, a row in `SCORES`, and its name in `twinvae.config.Kind`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from twinvae.config import Kind, Scaling
from twinvae.files.out_of_core import TimeByChannel, by_rows, has_missing, kept, pieces, zeros_beside
from twinvae.network.backend import Statistic
from twinvae.scoring.gap_errors import Excess, evened
from twinvae.scoring.statistics import row_sums
from twinvae.series.gaps import interpolate, neighbours
from twinvae.windowing.fold import covering_mean, covering_sum, observed_values, ratio, run_errors
from twinvae.windowing.geometry import fully_covered

Statistics = dict[str, np.ndarray]


class Calibration(NamedTuple):
    """What scores need to know of the training series."""

    warm_up: float  # the median causal score: that of the steps which no window ends at
    durations: tuple[int, ...]  # time steps over which the multiscale score averages the error
    largest: Float[np.ndarray, "duration channel"]  # the largest such average of each duration and channel
    variance: Float[np.ndarray, " channel"]  # the mean squared error of each channel
    excess: Excess | None = None  # of the errors where values are missing; None: none is known


# The function of a kind takes its statistic (a row for each time step, or for each window), the scaled series x, the
# window length W and the calibration. It gives the score of each channel at each time step t, NaN where none is known.
Rows = Float[np.ndarray, "_ _"]


def point(statistic: Rows, series: Rows, window: int, calibration: Calibration) -> Rows:
    """The mean over the windows that cover t of the squared error at t."""
    return statistic


def reconstruction(statistic: Rows, series: Rows, window: int, calibration: Calibration) -> Rows:
    """The squared difference of x[t] and the mean over the covering windows of their reconstruction of x[t]."""
    return by_rows(lambda x, x_hat: (x - x_hat) ** 2, series, statistic)


def window_mean(statistic: Rows, series: Rows, window: int, calibration: Calibration) -> Rows:
    """The mean over the covering windows of what each window has; if values are missing, by the values of each."""
    if not has_missing(series):
        return covering_mean(statistic, window)
    values = observed_values(series, window)
    values = values if statistic.shape == values.shape else by_rows(row_sums, values)
    sums = covering_sum(by_rows(np.multiply, statistic, values), window)
    return by_rows(ratio, sums, covering_sum(values, window))


def causal(statistic: Rows, series: Rows, window: int, calibration: Calibration) -> Rows:
    """The squared error at the last step of the window that ends at t; the first W - 1 steps, at which no window
    ends, get `calibration.warm_up`."""
    result = zeros_beside(series, series.shape, statistic.dtype)
    result[: window - 1] = calibration.warm_up
    result[window - 1 :] = statistic
    return result


def multiscale(statistic: Rows, series: Rows, window: int, calibration: Calibration) -> Rows:
    """The mean over the durations of (e / largest)**2, where e is the point score averaged over runs of that duration
    (`run_errors`), and largest the largest e of the training series."""
    result = zeros_beside(statistic, statistic.shape, statistic.dtype)
    for duration, largest in zip(calibration.durations, calibration.largest, strict=True):
        runs, unit = run_errors(statistic, duration), largest.astype(statistic.dtype)
        for rows in pieces(result):
            share = runs[rows] / unit
            result[rows] += share * share
    for rows in pieces(result):
        result[rows] /= len(calibration.durations)
    return result


def probability(statistic: Rows, series: Rows, window: int, calibration: Calibration) -> Rows:
    """0.5 * e / variance, with e the point score: the negative logarithm of the reconstruction probability.

    That is the reconstruction probability of An and Cho 2015, "Variational autoencoder based anomaly detection using
    reconstruction probability", in nats per value. The decoder's Gaussian has the mean squared training error of each
    channel (`calibration.variance`) as its variance. The term 0.5 * log(2 pi variance), which no data change, is left
    out, so that the score is at least 0 and multiples of it mean something. With latent draws it is their Monte Carlo
    estimate. With one channel it ranks as point does.
    """
    return by_rows(lambda part: part * (0.5 / calibration.variance).astype(part.dtype), statistic)


def divergence(statistic: Rows, series: Rows, window: int, calibration: Calibration) -> Rows:
    """The mean over the covering windows of the KL divergence of their posterior from N(0, 1), in nats.

    It belongs to no channel: each gets the whole of it, so that all have an equal share.
    """
    means = window_mean(statistic, series, window, calibration)
    return by_rows(lambda part: np.repeat(part, series.shape[1], axis=1), means)


@dataclass(frozen=True)
class Score:
    """A kind of score. The table in README.md is made of `help` and `suits`."""

    kind: Kind
    statistic: Statistic  # what a backend computes for it
    of: Callable[[Rows, Rows, int, Calibration], Rows]
    help: str  # the score at time t
    suits: str  # what to take it for
    unit: str = "squared error"
    only_past: bool = False  # whether it looks at nothing after t
    averaged: bool = False  # whether it averages the error over the durations of the calibration

    def axis(self, scaling: Scaling) -> str:
        """What the axis of a picture says: the unit of the score of a series with this scaling."""
        of_errors = self.unit == "squared error" and scaling == "standard"
        return f"{self.unit} (training deviations)" if of_errors else self.unit

    def counted(self, length: int, window: int) -> slice:
        """The steps of a series that calibration counts: away from the ends, where fewer windows cover a step."""
        return slice(window - 1, length) if self.only_past else fully_covered(length, window)

    def smear(self, window: int, calibration: Calibration) -> int:
        """How many steps away from an anomaly the score may still be raised: by the windows and averages it is in."""
        return window + (max(calibration.durations) if self.averaged else 0)


_TABLE = (
    Score(
        "point", "point", point,
        "the squared error at t, averaged over all windows that cover t",
        "exact places",
    ),
    Score(
        "reconstruction", "reconstruction", reconstruction,
        "the squared difference of the value and the average drawing (the dashed line above)",
        "short spikes, one clean event",
    ),
    Score(
        "window", "window", window_mean,
        "the mean squared error of whole windows, averaged over those that cover t",
        "long or contextual anomalies",
    ),
    Score(
        "causal", "causal", causal,
        "the squared error of the newest point of the window that ends at t: knows no future",
        "live data",
        only_past=True,
    ),
    Score(
        "multiscale", "point", multiscale,
        "the `point` error averaged over 1, 16, 64 and 256 steps around t, each average over its largest in training; "
        "the mean of the squares",
        "anomalies of unknown length: the default",
        unit="(error / largest training error)²",
        averaged=True,
    ),
    Score(
        "probability", "point", probability,
        "the reconstruction probability (An and Cho 2015) as a negative logarithm: half the `point` error over each "
        "channel's mean squared error in training",
        "channels of unequal noise: a small error of a quiet one counts",
        unit="nats per value",
    ),
    Score(
        "divergence", "divergence", divergence,
        "the mean KL divergence of the windows that cover t: how far the latent space goes to describe them",
        "series that are drawn well even where they are unusual",
        unit="nats",
    ),
)  # fmt: skip
SCORES: dict[Kind, Score] = {score.kind: score for score in _TABLE}


def statistics_of(*kinds: Kind) -> tuple[Statistic, ...]:
    """The statistics that scores of these kinds are made of, each once."""
    return tuple(dict.fromkeys(SCORES[kind].statistic for kind in kinds))


def contributions(
    kind: Kind, series: TimeByChannel, statistic: Float[np.ndarray, "length _"], window: int, calibration: Calibration
) -> TimeByChannel:
    """Computes the score of each channel at each time step; the mean over the channels is the score of the step.

    `statistic` is the result of `series_statistics` of the name `SCORES[kind].statistic`, `series` the scaled series.
    """
    return contributions_of(SCORES[kind], series, statistic, window, calibration)


def contributions_of(
    score: Score, series: TimeByChannel, statistic: Float[np.ndarray, "length _"], window: int, calibration: Calibration
) -> TimeByChannel:
    """The contributions to any score, one of the table or not.

    Means are over the values that are not missing (NaN in `series`; divergence: a window counts by how many it has). A
    missing value gets the score of its neighbours, interpolated in time (causal: the last one before it). It is NaN
    where no window that the score is made of holds a value of the channel: further than W - 1 steps from any (causal:
    after the last one). Errors count less where windows have few values (`calibration.excess`).
    """
    gaps = has_missing(series)
    excess, late = calibration.excess if gaps else None, score.statistic == "reconstruction"
    if excess is not None and not late:
        statistic = evened(score.statistic, statistic, series, window, excess)
    result = score.of(statistic, series, window, calibration)
    if excess is not None and late:  # its statistic is no error yet
        result = evened(score.statistic, result, series, window, excess)
    if gaps:
        result = by_rows(np.copy, result) if result is statistic else result
        _fill_gaps(result, by_rows(lambda part: ~np.isnan(part), series), window, only_past=score.only_past)
    return result


def _fill_gaps(
    scores: TimeByChannel, observed: Bool[np.ndarray, "time channel"], window: int, *, only_past: bool
) -> None:
    """Puts scores where a value is missing, and NaN where none is near; in place."""
    length, channel = len(scores), np.arange(scores.shape[1])
    if only_past:  # the steps before the first window ends are known in every series
        for rows, last, _ in neighbours(by_rows(lambda part: ~np.isnan(part), scores)):
            scores[rows] = scores[last, channel]
    else:
        interpolate(scores, observed)
    for rows, last, first in neighbours(observed):
        step = np.arange(rows.start, rows.stop)[:, None]
        far = (last < 0) | (step - last >= window)
        if only_past:
            far &= step >= window - 1
        else:
            far &= (first == length) | (first - step >= window)
        scores[rows][far] = np.nan


def unaveraged(
    kind: Kind, series: TimeByChannel, statistic: Rows, window: int, calibration: Calibration
) -> Float[np.ndarray, " time"]:
    """An averaged score from the error of each step alone, its shortest duration, with 0 where it is not known."""
    shortest = calibration._replace(durations=calibration.durations[:1], largest=calibration.largest[:1])
    scores = mean_over_channels(contributions(kind, series, statistic, window, shortest))
    return by_rows(lambda part: np.nan_to_num(part, nan=0.0), scores)


def mean_over_channels(contributions: TimeByChannel) -> Float[np.ndarray, " time"]:
    """The score: the mean over the channels whose part is known (not NaN); NaN where none is.

    Of one channel it is a view.
    """
    return contributions[:, 0] if contributions.shape[1] == 1 else by_rows(_known_mean, contributions)


def _known_mean(part: Float[np.ndarray, "step channel"]) -> Float[np.ndarray, " step"]:
    known = ~np.isnan(part)
    if known.all():
        return np.asarray(part.mean(axis=1))
    return ratio(np.where(known, part, part.dtype.type(0)).sum(axis=1), known.sum(axis=1).astype(part.dtype))


def known_only(scores: Float[np.ndarray, " time"]) -> Float[np.ndarray, " n"]:
    """The scores that are not NaN."""
    return kept(scores, by_rows(lambda part: ~np.isnan(part), scores)) if has_missing(scores) else scores
