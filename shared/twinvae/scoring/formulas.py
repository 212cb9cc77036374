"""The formulas of the scores: one function for each kind, and what they need to know of the training series."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from twinvae.files.out_of_core import TimeByChannel, by_rows, has_missing, pieces, zeros_beside
from twinvae.scoring.gap_errors import Excess
from twinvae.scoring.neighbours import Memory
from twinvae.scoring.statistics import row_sums
from twinvae.series.gaps import interpolate
from twinvae.windowing.fold import covering_mean, covering_sum, observed_values, ratio, run_errors, trailing_errors

Statistics = Mapping[str, np.ndarray]
Averaged = Literal["multiscale", "causal_multiscale", "residual", "neighbour", "trailing"]
AVERAGED: tuple[Averaged, ...] = get_args(Averaged)
ENSEMBLE: tuple[Averaged, ...] = ("multiscale", "causal_multiscale", "residual", "neighbour")
TRAILING = 3  # of the durations, the shortest: an average of the past stays raised for as long after an anomaly
LEAST_PART = 1e-3  # of the largest in training: what a factor of the ensemble counts at least


class Calibration(NamedTuple):
    """What scores need to know of the training series."""

    warm_up: Float[np.ndarray, " channel"]  # the median causal error: that of the steps which no window ends at
    durations: tuple[int, ...]  # time steps over which averaged scores average the error
    largest: Mapping[Averaged, Float[np.ndarray, "duration channel"]]  # such average of each duration and channel
    peak: Mapping[Averaged, float]  # the largest score of each averaged kind
    variance: Float[np.ndarray, " channel"]  # the mean squared error of each channel
    memory: Memory | None = None  # windows to compare others with; None: no score needs them
    excess: Excess | None = None  # of the errors where values are missing; None: none is known


# The function of a kind takes the statistics (a row for each time step, or for each window; the averages that it is
# made of are among them), the scaled series x, the window length W and the calibration. It gives the score of each
# channel at each time step t, NaN where none is known.
Formula = Callable[[Statistics, TimeByChannel, int, Calibration], TimeByChannel]


def point(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """The mean over the windows that cover t of the squared error at t."""
    return statistics["point"]


def reconstruction(
    statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration
) -> TimeByChannel:
    """The squared difference of x[t] and the mean over the covering windows of their reconstruction of x[t]."""
    return by_rows(lambda x, x_hat: (x - x_hat) ** 2, series, statistics["reconstruction"])


def window(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """The mean over the covering windows of the mean squared error of each."""
    return over_windows(statistics["window"], series, window)


def over_windows(
    statistic: Float[np.ndarray, "n _"], series: TimeByChannel, window: int
) -> Float[np.ndarray, "time _"]:
    """The mean over the covering windows of what each window has; if values are missing, by the values of each."""
    if not has_missing(series):
        return covering_mean(statistic, window)
    values = observed_values(series, window)
    values = values if statistic.shape == values.shape else by_rows(row_sums, values)
    values = by_rows(lambda part, held: np.where(np.isnan(part), held.dtype.type(0), held), statistic, values)
    sums = covering_sum(by_rows(lambda part, held: np.nan_to_num(part) * held, statistic, values), window)
    return by_rows(ratio, sums, covering_sum(values, window))


def causal(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """The squared error at the last step of the window that ends at t; the first W - 1 steps, at which no window
    ends, get `calibration.warm_up`."""
    return newest(statistics["causal"], series, window, calibration.warm_up)


def newest(
    statistic: Float[np.ndarray, "n channel"],
    series: TimeByChannel,
    window: int,
    warm_up: Float[np.ndarray, " channel"],
) -> TimeByChannel:
    """What belongs to the last step of each window, after a warm-up of W - 1 steps that have its usual value."""
    result = zeros_beside(series, series.shape, statistic.dtype)
    result[: window - 1] = warm_up
    result[window - 1 :] = statistic
    return result


def errors_of(
    kind: Averaged,
    statistics: Statistics,
    series: TimeByChannel,
    window: int,
    warm_up: Float[np.ndarray, " channel"],
) -> Float[np.ndarray, "time _"]:
    """The error of each step that an averaged score averages: of each channel, or of all in one column."""
    if kind == "multiscale":
        return statistics["point"]
    if kind in ("causal_multiscale", "trailing"):
        return newest(statistics["causal"], series, window, warm_up)
    view = "shape" if kind == "neighbour" else "residual"
    errors = by_rows(np.square, over_windows(statistics[view], series, window))
    if has_missing(errors):  # windows that share no value with those they are compared with: as their neighbours are
        interpolate(errors, by_rows(lambda part: ~np.isnan(part), errors))
        errors = by_rows(np.nan_to_num, errors)
    return errors


def durations_of(kind: Averaged, durations: tuple[int, ...]) -> tuple[int, ...]:
    """Those of the durations of a calibration that a score averages errors over."""
    return durations[:TRAILING] if kind == "trailing" else durations


def runs_of(
    kind: Averaged, errors: Float[np.ndarray, "time _"], durations: tuple[int, ...], warm_up: Float[np.ndarray, " _"]
) -> Iterator[Float[np.ndarray, "time _"]]:
    """The errors averaged over each of the durations of a kind: around each step, or up to it (`trailing`)."""
    for duration in durations_of(kind, durations):
        yield trailing_errors(errors, duration, warm_up) if kind == "trailing" else run_errors(errors, duration)


def average(kind: Averaged) -> str:
    """What the average of a kind is called among the statistics."""
    return f"average of {kind}"


def averaged(
    kind: Averaged, statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration
) -> Float[np.ndarray, "time _"]:
    """The mean over the durations of (e / largest)**2: e is the error averaged over one (`runs_of`), and largest the
    largest e of the training series."""
    errors = errors_of(kind, statistics, series, window, calibration.warm_up)
    return mean_square(runs_of(kind, errors, calibration.durations, calibration.warm_up), calibration.largest[kind])


def mean_square(
    runs: Iterable[Float[np.ndarray, "time _"]], largest: Float[np.ndarray, "duration _"]
) -> Float[np.ndarray, "time _"]:
    """The mean of the squares of averages over runs of some durations, each over the largest in training."""
    result: np.ndarray | None = None
    for averages, most in zip(runs, largest, strict=True):
        if result is None:
            result = zeros_beside(averages, averages.shape, averages.dtype)
        for rows in pieces(result):
            share = averages[rows] / most.astype(averages.dtype)
            result[rows] += share * share
    assert result is not None
    for rows in pieces(result):
        result[rows] /= len(largest)
    return result


def multiscale(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """`averaged` of the point score."""
    return statistics[average("multiscale")]


def causal_multiscale(
    statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration
) -> TimeByChannel:
    """`averaged` of the causal score: of errors that no later value has explained away."""
    return statistics[average("causal_multiscale")]


def trailing(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """`averaged` of the causal score over steps that have been: of all averages, what is known at once."""
    return statistics[average("trailing")]


def neighbour(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """`averaged` of the squared mean distance of the covering windows from the training window of the nearest shape.

    It belongs to no channel: each gets the whole of it.
    """
    return _for_all(statistics[average("neighbour")], series)


def residual(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """As `neighbour`, of what the network leaves of the windows: whether it errs as it did in training."""
    return _for_all(statistics[average("residual")], series)


def _for_all(column: Float[np.ndarray, "time _"], series: TimeByChannel) -> TimeByChannel:
    return by_rows(lambda part: np.repeat(part, series.shape[1], axis=1), column)


def ensemble(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """What four views of a window say together: p = multiscale, c = causal_multiscale, r = residual, z = neighbour,
    each over its largest in training (`calibration.peak`):

        ((p + 0.001) (c + 0.001) (r + 0.001))**(1/3) (1 + z)**(1/4)

    An anomaly is what all three views of the error agree on: its size as all windows see it, its size without a look
    ahead, and whether it is of a form that was there in training. A shape that was never there raises that. A channel
    has the score times the mean of its shares of p and of c.
    """

    def part(kind: Averaged) -> Float[np.ndarray, "time _"]:
        return by_rows(lambda rows: rows / rows.dtype.type(calibration.peak[kind]), statistics[average(kind)])

    return by_rows(_ensemble, *map(part, ENSEMBLE))


def _ensemble(
    multiscale: TimeByChannel,
    causal: TimeByChannel,
    residual: Float[np.ndarray, "time 1"],
    neighbour: Float[np.ndarray, "time 1"],
) -> TimeByChannel:
    causal = np.where(np.isnan(multiscale), multiscale, causal)  # a missing value has a warm-up, but no other error
    means = [known_mean(part)[:, None] for part in (multiscale, causal)]
    score = np.cbrt(residual + LEAST_PART)
    for mean in means:  # root by root, so that no product overflows
        score *= np.cbrt(mean + LEAST_PART)
    score *= np.sqrt(np.sqrt(1 + neighbour))
    shares = (
        np.divide(part, mean, out=np.ones_like(part), where=mean > 0)
        for part, mean in zip((multiscale, causal), means, strict=True)
    )
    result: np.ndarray = score * sum(shares) / 2
    return result


def probability(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """0.5 * e / variance, with e the point score: the negative logarithm of the reconstruction probability.

    That is the reconstruction probability of An and Cho 2015, "Variational autoencoder based anomaly detection using
    reconstruction probability", in nats per value. The decoder's Gaussian has the mean squared training error of each
    channel (`calibration.variance`) as its variance. The term 0.5 * log(2 pi variance), which no data change, is left
    out, so that the score is at least 0 and multiples of it mean something. With latent draws it is their Monte Carlo
    estimate. With one channel it ranks as point does.
    """
    return by_rows(lambda part: part * (0.5 / calibration.variance).astype(part.dtype), statistics["point"])


def divergence(statistics: Statistics, series: TimeByChannel, window: int, calibration: Calibration) -> TimeByChannel:
    """The mean over the covering windows of the KL divergence of their posterior from N(0, 1), in nats.

    It belongs to no channel: each gets the whole of it, so that all have an equal share.
    """
    return _for_all(over_windows(statistics["divergence"], series, window), series)


def known_mean(part: Float[np.ndarray, "step channel"]) -> Float[np.ndarray, " step"]:
    """The mean over the channels whose value is known (not NaN); NaN where none is."""
    known = ~np.isnan(part)
    if known.all():
        return np.asarray(part.mean(axis=1))
    return ratio(np.where(known, part, part.dtype.type(0)).sum(axis=1), known.sum(axis=1).astype(part.dtype))
