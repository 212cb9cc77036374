"""Calibration: what scores need to know of the training series, and the threshold of each kind of score."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from twinvae.config import KINDS, Config, Kind
from twinvae.files.out_of_core import TimeByChannel, by_rows, has_missing, kept, median, pieces
from twinvae.scoring.formulas import (
    AVERAGED,
    Averaged,
    Calibration,
    Statistics,
    errors_of,
    known_mean,
    mean_square,
    runs_of,
)
from twinvae.scoring.gap_errors import excess, uncut_starts, with_gaps
from twinvae.scoring.kinds import SCORES, contributions_of_each, known_only, mean_over_channels
from twinvae.scoring.neighbours import VIEWS, Memory, View, bank_of, digest, viewed, with_distances
from twinvae.scoring.threshold import threshold
from twinvae.scoring.trim import largest_share, touched, trimmed, without
from twinvae.windowing.fold import observed_values, ratio
from twinvae.windowing.geometry import count, fully_covered

DURATIONS = (1, 16, 64, 256)  # time steps over which the multiscale score averages the error
LEAST_LARGEST = 0.1  # of the mean over the channels: the least that a channel's error is divided by
LEAST_DISTANCE = 1e-4  # of the mean square of the values compared: the least that a squared distance is divided by
INCOMPARABLE = 1e12  # what a squared distance is divided by where it says nothing: so it has no part in a score
LEAST_VARIANCE = 1e-3  # of the mean over the channels: the least variance of a channel's error
SINGLE_WINDOW = "single_window"  # the threshold of windows that are scored each on its own
THRESHOLDS: tuple[str, ...] = (*KINDS, SINGLE_WINDOW)

Name = TypeVar("Name")


class Calibrated(NamedTuple):
    """What calibration makes of a training series."""

    calibration: Calibration
    thresholds: dict[str, float]  # of each kind of score, and of a single window
    scores: Float[np.ndarray, " time"]  # of the training series, of the configured kind


def calibrate(
    scaled: TimeByChannel,
    statistics: Statistics,
    draws: Iterable[Statistics],
    config: Config,
    beside_gaps: Callable[[TimeByChannel], Statistics],
    rows: Int[np.ndarray, " row"] | None = None,
) -> Calibrated:
    """Calibrates the scores on the training series and sets a threshold for each of them.

    `statistics` are all statistics of the scaled training series from the posterior mean; `draws` are those of each
    latent draw, if `config.draws` asks for them; `beside_gaps` gives those of a series with gaps. With `config.trim`,
    the steps and windows that err most are left out. `rows` are the steps that the training table has rows for, if
    absent ones were filled in.
    """
    window, windows = config.window, count(len(scaled), config.window)
    counted = by_rows(lambda part: ~np.isnan(part).all(axis=1), scaled)
    errors, left_out, touched_windows = window_errors(scaled, statistics["window"], window), None, None
    if config.trim:
        errors = by_rows(np.nan_to_num, errors)  # a window without values
        left_out = trimmed(errors, len(scaled), window, config.trim)
        touched_windows = touched(left_out, window)
        errors = kept(errors, by_rows(np.logical_not, largest_share(errors, config.trim)))
        counted = by_rows(lambda known, out: known & ~out, counted, left_out)
    banks = {view: bank_of(view, viewed(view, scaled, statistics), window, touched_windows) for view in VIEWS}
    of_table = None if rows is None else np.searchsorted(rows, banks["shape"].starts)
    memory = Memory(banks, len(scaled), digest(scaled), of_table)

    shapes = with_distances(["shape"], scaled, {}, window, memory, np.arange(windows))  # which no draw changes

    def with_views(statistics: Statistics) -> Statistics:
        return with_distances(VIEWS, scaled, {**statistics, **shapes}, window, memory, np.arange(windows))

    def usual(statistics: Statistics) -> Statistics:
        if left_out is None or touched_windows is None:
            return statistics
        changed = {name: without(statistics[name], touched_windows) for name in ("causal", *VIEWS)}
        return {**statistics, **changed, "point": without(statistics["point"], left_out)}

    statistics = with_views(statistics)
    calibration = summarise(scaled, usual(statistics), counted, window, memory)
    if config.missing == "mask":
        cut = with_gaps(scaled, window)
        beside = with_distances(VIEWS, cut, beside_gaps(cut), window, memory, uncut_starts(len(cut), window))
        found = excess(scaled, statistics, cut, beside, window, calibration.durations)
        calibration = calibration._replace(excess=found)

    def parts(statistics: Statistics) -> Iterator[tuple[tuple[Kind, bool], np.ndarray]]:
        every = list(SCORES.values())
        for kind, part in contributions_of_each(every, scaled, statistics, window, calibration):
            yield (kind, False), part
        if left_out is not None:  # averages are over so long that a step left out would count in its neighbours
            long = [score for score in every if score.averages]
            for kind, part in contributions_of_each(long, scaled, usual(statistics), window, calibration):
                yield (kind, True), part

    thresholds, scores = {SINGLE_WINDOW: threshold(known_only(errors), config)}, np.empty(0)
    for (kind, without_trimmed), part in mean_over_draws(parts, statistics, map(with_views, draws), config.draws):
        used, found = SCORES[kind].counted(len(scaled), window), mean_over_channels(part)
        thresholds[kind] = threshold(kept(found[used], counted[used]), config)
        if kind == config.kind and not without_trimmed:
            scores = found
    return Calibrated(calibration, {name: thresholds[name] for name in THRESHOLDS}, scores)


def mean_over_draws(
    parts: Callable[[Statistics], Iterator[tuple[Name, np.ndarray]]],
    statistics: Statistics,
    draws: Iterable[Statistics],
    number: int,
) -> Iterable[tuple[Name, np.ndarray]]:
    """Applies `parts` to the statistics or, if there are latent draws, to those of each draw, and takes the mean."""
    if not number:
        return parts(statistics)
    totals: dict[Name, np.ndarray] = {}
    for drawn in draws:
        for name, part in parts(drawn):
            share = by_rows(lambda one: one / number, part)
            totals[name] = by_rows(np.add, totals[name], share) if name in totals else share
    return totals.items()


def window_errors(
    series: TimeByChannel, statistic: Float[np.ndarray, "n channel"], window: int
) -> Float[np.ndarray, " n"]:
    """The mean squared error of each window over its values; NaN if all are missing.

    Of one channel without gaps it is a view.
    """
    if not has_missing(series):
        return statistic[:, 0] if statistic.shape[1] == 1 else by_rows(lambda part: part.mean(axis=1), statistic)
    values = observed_values(series, window)
    return by_rows(lambda means, held: ratio((means * held).sum(axis=1), held.sum(axis=1)), statistic, values)


def summarise(
    series: TimeByChannel, statistics: Statistics, counted: Bool[np.ndarray, " time"], window: int, memory: Memory
) -> Calibration:
    """Summarises the errors of the scaled training series: the numbers that scores of any series are made with.

    The durations are `DURATIONS`, at most a quarter of the series each. The ends, where fewer windows cover a step, are
    left out of `largest` and `variance`, and so are steps without a value (NaN). A channel that hardly errs, such as a
    sensor that stood still, counts as if its largest error were a tenth of the mean over the channels, and its mean
    squared error a thousandth. `counted` marks the steps that `peak` is taken from.
    """
    length, point = len(series), statistics["point"]
    durations = tuple(min(duration, max(1, length // 4)) for duration in DURATIONS)
    known = [known_only(channel) for channel in statistics["causal"].T]
    middle = np.array([median(errors) if len(errors) else np.nan for errors in known])
    warm_up = np.where(np.isnan(middle), np.nanmean(middle), middle)  # a channel may be silent after the first steps
    inner = fully_covered(length, window)
    total, steps = np.zeros(point.shape[1]), np.zeros(point.shape[1])
    for rows in pieces(point[inner]):
        part = point[inner][rows]
        total += np.nansum(part, axis=0, dtype=np.float64)
        steps += np.count_nonzero(~np.isnan(part), axis=0)
    variance = total / np.maximum(steps, 1)
    variance = np.maximum(variance, max(LEAST_VARIANCE * variance.mean(), np.finfo(point.dtype).tiny))
    largest, peak = {}, {}
    for kind in AVERAGED:
        used, view = SCORES[kind].counted(length, window), _view(kind)
        least = LEAST_DISTANCE * float(np.nanmean(np.square(memory.banks[view].values))) if view else 0.0
        errors = errors_of(kind, statistics, series, window, warm_up)
        runs = list(runs_of(kind, errors, durations, warm_up))
        largest[kind] = _largest(runs, errors, used, least)
        score = by_rows(known_mean, mean_square(runs, largest[kind]))
        peak[kind] = max(float(np.nanmax(kept(score[used], counted[used]))), float(np.finfo(point.dtype).tiny))
        if view and len(memory.banks[view].starts) == 1:  # a window with none to compare it with
            largest[kind], peak[kind] = np.full_like(largest[kind], INCOMPARABLE), 1.0
    return Calibration(warm_up, durations, largest, peak, variance, memory)


def _view(kind: Averaged) -> View | None:
    return SCORES[kind].views[0] if SCORES[kind].views else None


def _largest(
    runs: Sequence[TimeByChannel], errors: Float[np.ndarray, "time _"], used: slice, least: float
) -> Float[np.ndarray, "duration _"]:
    """The largest error of each column averaged over runs of each duration, at least a tenth of the columns' mean."""
    largest = np.zeros((len(runs), errors.shape[1]))
    for most, averages in zip(largest, runs, strict=True):
        for rows in pieces(averages[used]):
            known = ~np.isnan(errors[used][rows])
            np.maximum(most, averages[used][rows].max(axis=0, initial=0.0, where=known), out=most)
    floor = np.maximum(
        LEAST_LARGEST * largest.mean(axis=1, keepdims=True), max(least, float(np.finfo(errors.dtype).tiny))
    )
    return np.maximum(largest, floor)
