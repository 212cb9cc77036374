"""Reconstructions of windows -> a score per time step.

A backend reconstructs the windows of a block of the series and calls `block_statistics` on its device;
`series_statistics` cuts a series into blocks and adds them up; `contributions` turns what comes out into
scores. Memory is proportional to the series, never to windows times window length.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from shared.config import Kind
from shared.windows import ROWS, count, coverage, fully_covered, moving_sum, observed_values

Statistic = Literal["point", "reconstruction", "window", "causal", "divergence"]
STATISTICS: tuple[Statistic, ...] = ("point", "reconstruction", "window", "causal", "divergence")
STATISTIC_OF: Mapping[Kind, Statistic] = {
    "point": "point",
    "reconstruction": "reconstruction",
    "window": "window",
    "causal": "causal",
    "multiscale": "point",
    "probability": "point",
    "divergence": "divergence",
}
DURATIONS = (1, 16, 64, 256)  # time steps over which the multiscale score averages the error
LEAST_LARGEST = 0.1  # of the mean over the channels: the least that a channel's error is divided by
LEAST_VARIANCE = 1e-3  # of the mean over the channels: the least variance of a channel's error
SHORT = 2**18  # values in the windows of a series for which all statistics cost about as much as one

Fold = Callable[[Any], Any]  # `shared.windows.fold`, or what a framework does faster
RunBlock = Callable[[Float[np.ndarray, "length channel"]], Mapping[str, Any] | Future[Mapping[str, Any]]]


def block_statistics(
    x: Float[Any, "n window channel"],
    x_hat: Float[Any, "n window channel"],
    divergence: Float[Any, " n"] | None,
    used: Any | None,
    statistics: Sequence[Statistic],
    xp: ModuleType,
    fold: Fold,
    masked: bool = False,
    level: Float[Any, "n 1 channel"] | None = None,
) -> dict[str, Any]:
    """What a block of windows adds to each statistic. Windows from `used` on, if given, are padding and add nothing.
    `level`, if given, was taken off the windows.

    Over the n + window - 1 steps of the block, per channel: `point`, the sum over the covering windows of the
    squared error; `reconstruction`, that of x_hat. Over its n windows: `window`, the mean squared error per
    channel; `causal`, the squared error of the last step per channel; `divergence`, the KL divergence in nats.

    If `masked`, x may hold NaN, which x_hat does not: `point` and `causal` are NaN there, `window` is the mean over
    the other values, 0 if there are none; `point` and `reconstruction` count each window as often as it has values.
    """
    n = x.shape[0]

    def real(values: Any) -> Any:
        return values if used is None else xp.where(xp.reshape(xp.arange(n) < used, (n, 1, 1)), values, 0.0)

    error = x - x_hat
    squared = error * error
    held = xp.astype(~xp.isnan(x), x.dtype) if masked else None

    def weighted(values: Any) -> Any:
        return values if held is None else values * xp.sum(held, axis=(1, 2), keepdims=True)

    result: dict[str, Any] = {}
    for statistic in statistics:
        if statistic == "point":
            result[statistic] = fold(real(weighted(squared)))
        elif statistic == "reconstruction":
            result[statistic] = fold(real(weighted(x_hat if level is None else x_hat + level)))
        elif statistic == "window" and held is not None:
            sums = xp.sum(xp.where(held > 0, squared, 0.0), axis=1)
            result[statistic] = sums / xp.maximum(xp.sum(held, axis=1), xp.ones_like(sums))
        elif statistic == "window":
            result[statistic] = xp.mean(squared, axis=1)
        elif statistic == "causal":
            result[statistic] = squared[:, -1, :]
        elif divergence is not None:
            result[statistic] = xp.reshape(divergence, (n, 1))
    return result


def block_windows(windows: int, features: int, values: int) -> int:
    """Windows in a block of about `values` values: a power of two, so that many lengths share a program."""
    largest = max(64, 2 ** int(np.log2(max(1, values // features))))
    return min(largest, max(64, 2 ** int(np.ceil(np.log2(windows)))))


def series_statistics(
    run_block: RunBlock,
    series: Float[np.ndarray, "time channel"],
    window: int,
    statistics: Sequence[Statistic],
    block: int,
    ahead: int = 2,
    *,
    masked: bool = False,
) -> dict[str, Float[np.ndarray, "_ _"]]:
    """Adds up the blocks of a series, `ahead` of them begun before the first is finished.

    `run_block(values)` gets the steps of one block, of `block` windows or, at the end of the series, fewer; it returns
    `block_statistics` of them, perhaps of more (padded) windows, or a future of these. `point` and `reconstruction`
    come back as means over the covering windows, one row per time step; the others have one row per window. If
    `masked`, the mean weighs a window by the number of its values that are not missing; NaN if none of them has any.
    """
    length, channels = series.shape
    windows = count(length, window)
    folded = [s for s in statistics if s in ("point", "reconstruction")]
    totals: dict[str, np.ndarray] = {
        s: np.zeros((length if s in folded else windows, 1 if s == "divergence" else channels), series.dtype)
        for s in statistics
    }

    def add(begin: int, block_of: Mapping[str, Any] | Future[Mapping[str, Any]]) -> None:
        parts = block_of.result() if isinstance(block_of, Future) else block_of
        for statistic, total in totals.items():
            rows = total[begin : begin + (block + window - 1 if statistic in folded else block)]
            rows += np.asarray(parts[statistic])[: len(rows)]

    pending: deque[tuple[int, Mapping[str, Any] | Future[Mapping[str, Any]]]] = deque()
    for begin in range(0, windows, block):
        pending.append((begin, run_block(series[begin : begin + block + window - 1])))
        if len(pending) > ahead:  # let a device that works asynchronously run ahead
            add(*pending.popleft())
    while pending:
        add(*pending.popleft())
    if masked:
        values = observed_values(series, window).sum(axis=1, keepdims=True)
        return totals | {s: _ratio(totals[s], _covering_sum(values, window)) for s in folded}
    for statistic in folded:
        _divide_by_coverage(totals[statistic], window)
    return totals


class Calibration(NamedTuple):
    """What scores need to know of the training series."""

    warm_up: float  # the median causal score: that of the steps which no window ends at
    durations: tuple[int, ...]  # time steps over which the multiscale score averages the error
    largest: Float[np.ndarray, "duration channel"]  # the largest such average of each duration and channel
    variance: Float[np.ndarray, " channel"]  # the mean squared error of each channel


def window_errors(
    series: Float[np.ndarray, "time channel"], statistic: Float[np.ndarray, "n channel"], window: int
) -> Float[np.ndarray, " n"]:
    """The mean squared error of each window over its values; NaN if all are missing."""
    if not np.isnan(series).any():
        return statistic.mean(axis=1)
    values = observed_values(series, window)
    known = values.sum(axis=1)
    return np.divide((statistic * values).sum(axis=1), known, out=np.full_like(known, np.nan), where=known > 0)


def largest_share(values: Float[np.ndarray, " n"], share: float) -> Bool[np.ndarray, " n"]:
    """Which values are the largest: this share of them, rounded down; of equal ones the first."""
    chosen = np.zeros(len(values), bool)
    chosen[np.argsort(-values, kind="stable")[: int(share * len(values))]] = True
    return chosen


def trimmed(errors: Float[np.ndarray, " n"], length: int, window: int, share: float) -> Bool[np.ndarray, " time"]:
    """Which steps of a training series calibration leaves out: this share of those that it counts.

    They are the steps whose covering windows err most on average, given the error of each window: whole stretches, so
    that what is left has its largest errors still.
    """
    scores = _covering_sum(errors[:, None], window)[:, 0] / coverage(length, window)
    inner = fully_covered(length, window)
    steps = np.zeros(length, bool)
    steps[inner] = largest_share(scores[inner], share)
    return steps


def without(
    statistic: Float[np.ndarray, "time channel"], steps: Bool[np.ndarray, " time"]
) -> Float[np.ndarray, "time channel"]:
    """The statistic with the mean of the other steps at these."""
    return np.where(steps[:, None], np.nanmean(statistic[~steps], axis=0), statistic)


def calibrate(
    point: Float[np.ndarray, "time channel"], causal: Float[np.ndarray, "n channel"], window: int
) -> Calibration:
    """The calibration from the statistics `point` and `causal` of the training series.

    The durations are `DURATIONS`, at most a quarter of the series each. The ends, where fewer windows cover a step, are
    left out of `largest` and `variance`, and so are steps without a value (NaN). A channel that hardly errs, a sensor
    that stood still, counts as if its largest error were a tenth of the mean over the channels, and its mean squared
    error a thousandth.
    """
    inner = fully_covered(len(point), window)
    durations = tuple(min(duration, max(1, len(point) // 4)) for duration in DURATIONS)
    known = ~np.isnan(point[inner])
    largest = np.array(
        [run_errors(point, duration)[inner].max(axis=0, initial=0.0, where=known) for duration in durations], np.float64
    )
    least = np.finfo(point.dtype).tiny
    floor = np.maximum(LEAST_LARGEST * largest.mean(axis=1, keepdims=True), least)
    variance = point[inner].sum(axis=0, where=known, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    return Calibration(
        warm_up=float(np.median(known_only(mean_over_channels(causal)), overwrite_input=True)),
        durations=durations,
        largest=np.maximum(largest, floor),
        variance=np.maximum(variance, max(LEAST_VARIANCE * variance.mean(), least)),
    )


def contributions(
    kind: Kind,
    series: Float[np.ndarray, "time channel"],
    statistic: Float[np.ndarray, "length _"],
    window: int,
    calibration: Calibration,
) -> Float[np.ndarray, "time channel"]:
    """The score of each channel at each time step; their mean over channels is the score.

    `statistic` is the result of `series_statistics` of the name `STATISTIC_OF[kind]`. With x the scaled series and
    W the window length, at time t:

    - point: the mean over the windows that cover t of the squared error at t. For exact places;
    - reconstruction: the squared difference of x[t] and the mean over the covering windows of x_hat[t]. For short
      spikes;
    - window: the mean over the covering windows of the window's mean squared error. For long and contextual anomalies;
    - causal: the squared error at the last step of the window that ends at t; the first W - 1 steps, which no
      window ends at, get `calibration.warm_up`. For streams;
    - multiscale: the mean over the durations of (e / largest)**2, where e is the point score averaged over runs of that
      duration (`run_errors`), and largest the largest e of the training series. It has no unit. For anomalies of
      unknown length;
    - probability: 0.5 * e / variance, with e the point score and variance `calibration.variance`: the negative
      logarithm, in nats per value, of the reconstruction probability of An and Cho 2015, "Variational autoencoder based
      anomaly detection using reconstruction probability". The decoder's Gaussian has the mean squared training error
      of each channel as its variance. The term 0.5 * log(2 pi variance), which no data change, is left out, so that the
      score is at least 0 and multiples of it mean something. With latent draws it is their Monte Carlo estimate. For
      channels of unequal noise, where a small error of a quiet one counts; with one channel it ranks as point does;
    - divergence: the mean over the covering windows of the KL divergence of their posterior from N(0, 1), in nats:
      how far from the usual the latent space has to go to describe them. It belongs to no channel: each gets
      the whole of it, so that all have an equal share. For series that the model draws well even where they are
      unusual.

    Means are over the values that are not missing (NaN in `series`; divergence: a window counts by how many it has). A
    missing value gets the score of its neighbours, interpolated in time (causal: the last one before it). It is NaN
    where no window that the score is made of holds a value of the channel: further than W - 1 steps from any (causal:
    after the last one).
    """
    result = _contributions(kind, series, statistic, window, calibration)
    observed = ~np.isnan(series)
    if not observed.all():
        result = result.copy() if result is statistic else result
        for channel, known in enumerate(observed.T):
            _fill_gaps(result[:, channel], known, window, only_past=kind == "causal")
    return result


def _fill_gaps(
    scores: Float[np.ndarray, " time"], observed: Bool[np.ndarray, " time"], window: int, *, only_past: bool
) -> None:
    """Puts scores where a value is missing, and NaN where none is near; in place."""
    step = np.arange(len(scores))
    before = np.maximum.accumulate(np.where(observed, step, -window))
    after = np.minimum.accumulate(np.where(observed, step, len(scores) + window)[::-1])[::-1]
    if only_past:  # the steps before the first window ends are known in every series
        scores[:] = scores[np.maximum.accumulate(np.where(np.isnan(scores), 0, step))]
        far = step - before >= window
        far[: window - 1] = False
    else:
        if observed.any():
            scores[~observed] = np.interp(step[~observed], step[observed], scores[observed])
        far = np.minimum(step - before, after - step) >= window
    scores[far] = np.nan


def _contributions(
    kind: Kind,
    series: Float[np.ndarray, "time channel"],
    statistic: Float[np.ndarray, "length _"],
    window: int,
    calibration: Calibration,
) -> Float[np.ndarray, "time channel"]:
    """`contributions`, NaN where a score is not known."""
    if kind == "point":
        return statistic
    if kind == "reconstruction":
        error = series - statistic
        error *= error
        return error
    if kind in ("window", "divergence"):
        means = _covering_mean(statistic, series, window)
        return means if kind == "window" else np.repeat(means, series.shape[1], axis=1)
    if kind == "causal":
        return np.concatenate(
            [np.full((window - 1, statistic.shape[1]), calibration.warm_up, statistic.dtype), statistic]
        )
    if kind == "probability":
        return statistic * (0.5 / calibration.variance).astype(statistic.dtype)
    result = np.zeros_like(statistic)
    for duration, largest in zip(calibration.durations, calibration.largest, strict=True):
        ratio = run_errors(statistic, duration)
        ratio /= largest.astype(ratio.dtype)
        ratio *= ratio
        result += ratio
    result /= len(calibration.durations)
    return result


def _covering_mean(
    statistic: Float[np.ndarray, "n _"], series: Float[np.ndarray, "time channel"], window: int
) -> Float[np.ndarray, "time _"]:
    """The mean over the covering windows of what each has for each channel, or for all; by its values if some miss."""
    if np.isnan(series).any():
        values = observed_values(series, window)
        values = values if statistic.shape == values.shape else values.sum(axis=1, keepdims=True)
        return _ratio(_covering_sum(statistic * values, window), _covering_sum(values, window))
    sums = _covering_sum(statistic, window)
    _divide_by_coverage(sums, window)
    return sums


def run_errors(point: Float[np.ndarray, "time channel"], duration: int) -> Float[np.ndarray, "time channel"]:
    """At each time step, the mean over the runs of `duration` consecutive steps that cover it of the run's mean.

    A series shorter than that is one run. A run counts by its share of known errors (not NaN); where there are none
    the result is NaN.
    """
    duration = min(duration, len(point))
    known = ~np.isnan(point)
    if not known.all():
        sums = _sum_of_runs(np.where(known, point, 0.0), duration)
        return _ratio(sums, _sum_of_runs(known.astype(point.dtype), duration))
    result = _sum_of_runs(point, duration)
    _divide_by_coverage(result, duration)
    result /= duration
    return result


def _sum_of_runs(point: Float[np.ndarray, "time channel"], duration: int) -> Float[np.ndarray, "time channel"]:
    """At each time step, the sum over the runs of `duration` steps that cover it of the run's sum."""
    length = len(point)
    result = np.empty_like(point)
    for begin in range(0, length, ROWS):
        end = min(begin + ROWS, length)
        first = max(0, begin - duration + 1)
        runs = moving_sum(point[first : end + duration - 1], duration)
        result[begin:end] = _covering_sum(runs, duration)[begin - first : end - first]
    return result


def mean_over_channels(contributions: Float[np.ndarray, "time channel"]) -> Float[np.ndarray, " time"]:
    """The score: the mean over the channels whose part is known (not NaN); NaN where none is."""
    known = ~np.isnan(contributions)
    if known.all():
        return contributions.mean(axis=1)
    values = known.sum(axis=1).astype(contributions.dtype)
    return _ratio(np.where(known, contributions, 0.0).sum(axis=1), values)


def known_only(scores: Float[np.ndarray, " time"]) -> Float[np.ndarray, " n"]:
    """The scores that are not NaN."""
    known = ~np.isnan(scores)
    return scores if known.all() else scores[known]


def _ratio(sums: Float[np.ndarray, "*shape"], values: Float[np.ndarray, "*_"]) -> Float[np.ndarray, "*shape"]:
    """`sums / values`, NaN where there are no values."""
    return np.divide(sums, values, out=np.full_like(sums, np.nan), where=values > 0)


def _covering_sum(values: Float[np.ndarray, "n channel"], width: int) -> Float[np.ndarray, "time channel"]:
    """The sum, at each time step, of the values of the windows of `width` steps that cover it."""
    length = len(values) + width - 1
    result = np.empty((length, values.shape[1]), values.dtype)
    for begin in range(0, length, ROWS):
        end = min(begin + ROWS, length)
        known = values[max(0, begin - width + 1) : end]
        before, after = max(0, width - 1 - begin), max(0, end - len(values))
        result[begin:end] = moving_sum(np.pad(known, ((before, after), (0, 0))), width)
    return result


def _divide_by_coverage(sums: Float[np.ndarray, "time _"], width: int) -> None:
    """Makes sums over the windows of `width` steps that cover a step their means, in place."""
    length = len(sums)
    for begin in range(0, length, ROWS):
        rows = sums[begin : begin + ROWS]
        rows /= coverage(length, width, begin, begin + len(rows)).astype(sums.dtype)[:, None]
