"""Reconstructions of windows -> a score per time step.

A backend reconstructs the windows of a block of the series and calls `block_statistics` on its device;
`series_statistics` cuts a series into blocks and adds them up; `contributions` turns what comes out into
scores. Memory is proportional to the series, never to windows times window length; for a series on disk it is bounded,
and what is as long as the series is on disk too (`twinvae.files.out_of_core`).
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from twinvae.config import Kind
from twinvae.files.out_of_core import by_rows, has_missing, kept, median, number, pieces, zeros_beside
from twinvae.network.backend import Statistic
from twinvae.series.gaps import interpolate, neighbours
from twinvae.windowing.fold import moving_sum, observed_values
from twinvae.windowing.geometry import count, coverage, fully_covered

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

Fold = Callable[[Any], Any]  # `twinvae.windowing.fold.fold`, or what a framework does faster
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
        s: zeros_beside(
            series, (length if s in folded else windows, 1 if s == "divergence" else channels), series.dtype
        )
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
        values = by_rows(_row_sums, observed_values(series, window))
        return totals | {s: by_rows(_ratio, totals[s], _covering_sum(values, window)) for s in folded}
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
    """The mean squared error of each window over its values; NaN if all are missing.

    Of one channel without gaps it is a view.
    """
    if not has_missing(series):
        return statistic[:, 0] if statistic.shape[1] == 1 else by_rows(lambda part: part.mean(axis=1), statistic)
    values = observed_values(series, window)
    return by_rows(lambda means, held: _ratio((means * held).sum(axis=1), held.sum(axis=1)), statistic, values)


def largest_share(values: Float[np.ndarray, " n"], share: float) -> Bool[np.ndarray, " n"]:
    """Which values are the largest: this share of them, rounded down; of equal ones the first."""
    chosen = zeros_beside(values, (len(values),), bool)
    wanted = int(share * len(values))
    if not wanted:
        return chosen
    ordered = by_rows(np.copy, values)
    ordered.partition(len(values) - wanted)
    least = ordered[len(values) - wanted]
    spare = wanted - number(lambda part: part > least, values)  # of the values that equal the least
    for rows in pieces(values):
        equal = values[rows] == least
        chosen[rows] = (values[rows] > least) | (equal & (np.cumsum(equal) <= spare))
        spare -= min(spare, int(np.count_nonzero(equal)))
    return chosen


def trimmed(errors: Float[np.ndarray, " n"], length: int, window: int, share: float) -> Bool[np.ndarray, " time"]:
    """Which steps of a training series calibration leaves out: this share of those that it counts.

    They are the steps whose covering windows err most on average, given the error of each window: whole stretches, so
    that what is left has its largest errors still.
    """
    scores = _covering_sum(errors[:, None], window)
    _divide_by_coverage(scores, window)
    inner = fully_covered(length, window)
    steps = zeros_beside(errors, (length,), bool)
    steps[inner] = largest_share(scores[inner, 0], share)
    return steps


def without(
    statistic: Float[np.ndarray, "time channel"], steps: Bool[np.ndarray, " time"]
) -> Float[np.ndarray, "time channel"]:
    """The statistic with the mean of the other steps at these."""
    total, values = np.zeros(statistic.shape[1]), np.zeros(statistic.shape[1])
    for rows in pieces(statistic):
        usual = statistic[rows][~steps[rows]]
        total += np.nansum(usual, axis=0, dtype=np.float64)
        values += np.count_nonzero(~np.isnan(usual), axis=0)
    mean = np.divide(total, values, out=np.full_like(total, np.nan), where=values > 0).astype(statistic.dtype)
    return by_rows(lambda part, out: np.where(out[:, None], mean, part), statistic, steps)


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
    largest = np.zeros((len(durations), point.shape[1]))
    for index, duration in enumerate(durations):
        runs = run_errors(point, duration)[inner]
        for rows in pieces(runs):
            known = ~np.isnan(point[inner][rows])
            np.maximum(largest[index], runs[rows].max(axis=0, initial=0.0, where=known), out=largest[index])
        del runs
    least = np.finfo(point.dtype).tiny
    floor = np.maximum(LEAST_LARGEST * largest.mean(axis=1, keepdims=True), least)
    total, steps = np.zeros(point.shape[1]), np.zeros(point.shape[1])
    for rows in pieces(point[inner]):
        part = point[inner][rows]
        total += np.nansum(part, axis=0, dtype=np.float64)
        steps += np.count_nonzero(~np.isnan(part), axis=0)
    variance = total / np.maximum(steps, 1)
    return Calibration(
        warm_up=median(known_only(mean_over_channels(causal))),
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
    if has_missing(series):
        result = by_rows(np.copy, result) if result is statistic else result
        _fill_gaps(result, by_rows(lambda part: ~np.isnan(part), series), window, only_past=kind == "causal")
    return result


def _fill_gaps(
    scores: Float[np.ndarray, "time channel"],
    observed: Bool[np.ndarray, "time channel"],
    window: int,
    *,
    only_past: bool,
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
        return by_rows(lambda x, x_hat: (x - x_hat) ** 2, series, statistic)
    if kind in ("window", "divergence"):
        means = _covering_mean(statistic, series, window)
        return means if kind == "window" else by_rows(lambda part: np.repeat(part, series.shape[1], axis=1), means)
    if kind == "causal":
        result = zeros_beside(series, series.shape, statistic.dtype)
        result[: window - 1] = calibration.warm_up
        result[window - 1 :] = statistic
        return result
    if kind == "probability":
        return by_rows(lambda part: part * (0.5 / calibration.variance).astype(part.dtype), statistic)
    result = zeros_beside(statistic, statistic.shape, statistic.dtype)
    for duration, largest in zip(calibration.durations, calibration.largest, strict=True):
        runs, unit = run_errors(statistic, duration), largest.astype(statistic.dtype)
        for rows in pieces(result):
            ratio = runs[rows] / unit
            result[rows] += ratio * ratio
        del runs
    for rows in pieces(result):
        result[rows] /= len(calibration.durations)
    return result


def _covering_mean(
    statistic: Float[np.ndarray, "n _"], series: Float[np.ndarray, "time channel"], window: int
) -> Float[np.ndarray, "time _"]:
    """The mean over the covering windows of what each has for each channel, or for all; by its values if some miss."""
    if has_missing(series):
        values = observed_values(series, window)
        values = values if statistic.shape == values.shape else by_rows(_row_sums, values)
        sums = _covering_sum(by_rows(np.multiply, statistic, values), window)
        return by_rows(_ratio, sums, _covering_sum(values, window))
    sums = _covering_sum(statistic, window)
    _divide_by_coverage(sums, window)
    return sums


def run_errors(point: Float[np.ndarray, "time channel"], duration: int) -> Float[np.ndarray, "time channel"]:
    """At each time step, the mean over the runs of `duration` consecutive steps that cover it of the run's mean.

    A series shorter than that is one run. A run counts by its share of known errors (not NaN); where there are none
    the result is NaN.
    """
    duration = min(duration, len(point))
    if has_missing(point):
        sums = _sum_of_runs(by_rows(lambda part: np.where(np.isnan(part), part.dtype.type(0), part), point), duration)
        known = by_rows(lambda part: (~np.isnan(part)).astype(part.dtype), point)
        return by_rows(_ratio, sums, _sum_of_runs(known, duration))
    result = _sum_of_runs(point, duration)
    _divide_by_coverage(result, duration)
    for rows in pieces(result):
        result[rows] /= duration
    return result


def _sum_of_runs(point: Float[np.ndarray, "time channel"], duration: int) -> Float[np.ndarray, "time channel"]:
    """At each time step, the sum over the runs of `duration` steps that cover it of the run's sum."""
    result = zeros_beside(point, point.shape, point.dtype)
    for rows in pieces(point):
        first = max(0, rows.start - duration + 1)
        runs = moving_sum(np.array(point[first : rows.stop + duration - 1]), duration)
        result[rows] = _covering_sum(runs, duration)[rows.start - first : rows.stop - first]
    return result


def mean_over_channels(contributions: Float[np.ndarray, "time channel"]) -> Float[np.ndarray, " time"]:
    """The score: the mean over the channels whose part is known (not NaN); NaN where none is.

    Of one channel it is a view.
    """
    return contributions[:, 0] if contributions.shape[1] == 1 else by_rows(_known_mean, contributions)


def _known_mean(part: Float[np.ndarray, "step channel"]) -> Float[np.ndarray, " step"]:
    known = ~np.isnan(part)
    if known.all():
        return np.asarray(part.mean(axis=1))
    return _ratio(np.where(known, part, part.dtype.type(0)).sum(axis=1), known.sum(axis=1).astype(part.dtype))


def known_only(scores: Float[np.ndarray, " time"]) -> Float[np.ndarray, " n"]:
    """The scores that are not NaN."""
    return kept(scores, by_rows(lambda part: ~np.isnan(part), scores)) if has_missing(scores) else scores


def _row_sums(part: Float[np.ndarray, "step channel"]) -> Float[np.ndarray, "step 1"]:
    return np.asarray(part.sum(axis=1, keepdims=True))


def _ratio(sums: Float[np.ndarray, "*shape"], values: Float[np.ndarray, "*_"]) -> Float[np.ndarray, "*shape"]:
    """`sums / values`, NaN where there are no values."""
    return np.divide(sums, values, out=np.full_like(sums, np.nan), where=values > 0)


def _covering_sum(values: Float[np.ndarray, "n channel"], width: int) -> Float[np.ndarray, "time channel"]:
    """The sum, at each time step, of the values of the windows of `width` steps that cover it."""
    result = zeros_beside(values, (len(values) + width - 1, values.shape[1]), values.dtype)
    for rows in pieces(result):
        known = values[max(0, rows.start - width + 1) : rows.stop]
        before, after = max(0, width - 1 - rows.start), max(0, rows.stop - len(values))
        result[rows] = moving_sum(np.pad(known, ((before, after), (0, 0))), width)
    return result


def _divide_by_coverage(sums: Float[np.ndarray, "time _"], width: int) -> None:
    """Makes sums over the windows of `width` steps that cover a step their means, in place."""
    for rows in pieces(sums):
        sums[rows] /= coverage(len(sums), width, rows.start, rows.stop).astype(sums.dtype)[:, None]
