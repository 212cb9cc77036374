"""What is unusual in a series that is searched itself: nothing of it is known to be normal.

Most of a series is normal. So the errors of its stretches say what is usual, by medians, which a few anomalies do not
move: the score of a step is how far it is above the largest error that a stretch usually has.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.files.out_of_core import TimeByChannel, pieces, zeros_beside
from twinvae.scoring.calibration import DURATIONS, LEAST_LARGEST
from twinvae.scoring.formulas import known_mean
from twinvae.scoring.threshold import MAD_TO_DEVIATION
from twinvae.windowing.fold import run_errors
from twinvae.windowing.geometry import fully_covered

SHORTEST = 64  # time steps of a stretch, where a window has fewer
LEAST_SPREAD = 0.15  # of the logarithms of the largest errors: series that are all alike differ by no less elsewhere
HELD_OUT = 3.5  # deviations above what is usual: an alarm, where the model has not seen the step; chosen by measurement
SEEN = 4.0  # likewise, where it has learned from it
FEW = 20  # stretches: with fewer, what is usual is hardly known


class Usual(NamedTuple):
    """The largest errors that the stretches of a series usually have, for each of some durations."""

    durations: tuple[int, ...]  # time steps over which errors are averaged
    unit: Float[np.ndarray, "duration channel"]  # the median over the stretches of a channel's largest error
    middle: Float[np.ndarray, " duration"]  # the median of the logarithms of the stretches' largest errors in units
    spread: Float[np.ndarray, " duration"]  # their median absolute deviation, scaled to a standard deviation
    stretches: int  # how many of them had a value


def usual(point: TimeByChannel, window: int) -> Usual:
    """Summarises the point errors of a series by stretches of max(window, 64) steps, away from its ends.

    An error in units is the mean over the channels, each divided by its `unit`, which is at least a tenth of the mean
    over the channels. A step without a value (NaN) is left out.
    """
    inner, length = fully_covered(len(point), window), max(window, SHORTEST)
    durations = tuple(min(duration, max(1, len(point) // 4)) for duration in DURATIONS)
    units, middles, spreads, stretches = [], [], [], 0
    for duration in durations:
        runs = run_errors(point, duration)[inner]
        largest = np.array([_largest(part) for part in _stretches(runs, length)])
        unit = np.nanmedian(largest, axis=0) if len(largest) else np.full(point.shape[1], np.nan)
        least = max(LEAST_LARGEST * float(np.nanmean(unit)) if np.isfinite(unit).any() else 0.0, _TINY)
        unit = np.maximum(np.nan_to_num(unit), least)
        highest = [float(np.nanmax(known_mean(part / unit))) for part in _stretches(runs, length)]
        logarithms = np.log(np.maximum(highest or [1.0], _TINY))
        middle = float(np.median(logarithms))
        spread = MAD_TO_DEVIATION * float(np.median(np.abs(logarithms - middle)))
        units.append(unit)
        middles.append(middle)
        spreads.append(max(spread, LEAST_SPREAD))
        stretches = stretches or len(highest)
    return Usual(durations, np.array(units), np.array(middles), np.array(spreads), stretches)


_TINY = float(np.finfo(np.float32).tiny)


def _stretches(runs: TimeByChannel, length: int) -> Iterator[np.ndarray]:
    """Stretches of so many rows, those of them that hold a value; what is left at the end belongs to the last."""
    number = max(1, len(runs) // length)
    for index in range(number):
        part = np.asarray(runs[index * length : (index + 1) * length if index + 1 < number else len(runs)], np.float64)
        if not np.isnan(part).all():
            yield part


def _largest(part: Float[np.ndarray, "step channel"]) -> Float[np.ndarray, " channel"]:
    return np.fmax.reduce(part, axis=0)


def unusual(point: TimeByChannel, known: Usual, *, durations: int | None = None) -> TimeByChannel:
    """The score of each channel at each time step: their mean over the channels is the score of the step.

    With q the error in units averaged over a duration, z = (log q - middle) / spread; the score of a step is
    log(1 + the mean over the durations of exp z), about z where that is large. The share of a channel is that of its
    errors, weighed by the durations' exp z. `durations`: only the first so many of them.
    """
    count = len(known.durations) if durations is None else durations
    runs = [run_errors(point, duration) for duration in known.durations[:count]]
    result = zeros_beside(point, point.shape, point.dtype)
    for rows in pieces(result):
        exponents, shares = [], []
        for index in range(count):
            part = runs[index][rows].astype(np.float64) / known.unit[index]
            q = np.maximum(known_mean(part), _TINY)
            exponents.append((np.log(q) - known.middle[index]) / known.spread[index])
            shares.append(part / q[:, None])
        z = np.array(exponents)
        top = np.maximum(z.max(axis=0), 0.0)
        powers = np.exp(z - top)
        mean = powers.mean(axis=0)
        score = top + np.log(np.exp(-top) + mean)
        weights = powers / powers.sum(axis=0)
        share = (weights[:, :, None] * np.array(shares)).sum(axis=0)
        result[rows] = score[:, None] * share
    return result


def score_of(deviations: float) -> float:
    """The score of a step that is so many deviations above what is usual, in every duration."""
    return float(np.logaddexp(0.0, deviations))
