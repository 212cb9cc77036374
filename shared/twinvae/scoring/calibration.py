"""Calibration: what scores need to know of the training series, and the threshold of each kind of score."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.config import KINDS, Config, Kind
from twinvae.files.out_of_core import TimeByChannel, by_rows, has_missing, kept, median, pieces
from twinvae.scoring.gap_errors import excess, with_gaps
from twinvae.scoring.kinds import SCORES, Calibration, Statistics, contributions, known_only, mean_over_channels
from twinvae.scoring.threshold import threshold
from twinvae.scoring.trim import largest_share, trimmed, without
from twinvae.windowing.fold import observed_values, ratio, run_errors
from twinvae.windowing.geometry import fully_covered

DURATIONS = (1, 16, 64, 256)  # time steps over which the multiscale score averages the error
LEAST_LARGEST = 0.1  # of the mean over the channels: the least that a channel's error is divided by
LEAST_VARIANCE = 1e-3  # of the mean over the channels: the least variance of a channel's error
SINGLE_WINDOW = "single_window"  # the threshold of windows that are scored each on its own
THRESHOLDS: tuple[str, ...] = (*KINDS, SINGLE_WINDOW)

# Beside the kinds: the multiscale score of a training series that errs no more than usual where it is trimmed.
Part = Kind | Literal["trimmed"]


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
) -> Calibrated:
    """Calibrates the scores on the training series and sets a threshold for each of them.

    `statistics` are all statistics of the scaled training series from the posterior mean; `draws` are those of each
    latent draw, if `config.draws` asks for them; `beside_gaps` gives those of a series with gaps. With `config.trim`,
    the steps and windows that err most are left out.
    """
    counted = by_rows(lambda part: ~np.isnan(part).all(axis=1), scaled)
    errors, left_out = window_errors(scaled, statistics["window"], config.window), None
    point = statistics["point"]
    if config.trim:
        errors = by_rows(np.nan_to_num, errors)  # a window without values
        left_out = trimmed(errors, len(scaled), config.window, config.trim)
        errors = kept(errors, by_rows(np.logical_not, largest_share(errors, config.trim)))
        counted = by_rows(lambda known, out: known & ~out, counted, left_out)
        point = without(point, left_out)
    calibration = summarise(point, statistics["causal"], config.window)
    if config.missing == "mask":
        cut = with_gaps(scaled, config.window)
        calibration = calibration._replace(
            excess=excess(scaled, statistics, cut, beside_gaps(cut), config.window, calibration.durations)
        )

    def parts(statistics: Statistics) -> Iterator[tuple[Part, np.ndarray]]:
        for kind in KINDS:
            yield kind, contributions(kind, scaled, statistics[SCORES[kind].statistic], config.window, calibration)
        if left_out is not None:  # it averages far, so that a trimmed step would count in its neighbours
            usual = without(statistics["point"], left_out)
            yield "trimmed", contributions("multiscale", scaled, usual, config.window, calibration)

    thresholds, scores = {SINGLE_WINDOW: threshold(known_only(errors), config)}, np.empty(0)
    for name, part in mean_over_draws(parts, statistics, draws, config.draws):
        kind: Kind = "multiscale" if name == "trimmed" else name
        used, found = SCORES[kind].counted(len(scaled), config.window), mean_over_channels(part)
        thresholds[kind] = threshold(kept(found[used], counted[used]), config)
        if name == config.kind:
            scores = found
    return Calibrated(calibration, {name: thresholds[name] for name in THRESHOLDS}, scores)


def mean_over_draws(
    parts: Callable[[Statistics], Iterator[tuple[Part, np.ndarray]]],
    statistics: Statistics,
    draws: Iterable[Statistics],
    number: int,
) -> Iterable[tuple[Part, np.ndarray]]:
    """Applies `parts` to the statistics or, if there are latent draws, to those of each draw, and takes the mean."""
    if not number:
        return parts(statistics)
    totals: dict[Part, np.ndarray] = {}
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


def summarise(point: TimeByChannel, causal: Float[np.ndarray, "n channel"], window: int) -> Calibration:
    """Summarises the errors of the training series: the numbers that scores of any series are made with.

    The durations are `DURATIONS`, at most a quarter of the series each. The ends, where fewer windows cover a step, are
    left out of `largest` and `variance`, and so are steps without a value (NaN). A channel that hardly errs, such as a
    sensor that stood still, counts as if its largest error were a tenth of the mean over the channels, and its mean
    squared error a thousandth.
    """
    inner = fully_covered(len(point), window)
    durations = tuple(min(duration, max(1, len(point) // 4)) for duration in DURATIONS)
    largest = np.zeros((len(durations), point.shape[1]))
    for index, duration in enumerate(durations):
        runs = run_errors(point, duration)[inner]
        for rows in pieces(runs):
            known = ~np.isnan(point[inner][rows])
            np.maximum(largest[index], runs[rows].max(axis=0, initial=0.0, where=known), out=largest[index])
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
