"""How much more the network errs where values are missing, so that a gap alarms no more often than any other stretch.

The less of a window is known, the worse is its reconstruction. Calibration cuts gaps into a part of the training
series, scores it, and keeps by how much the errors beside them exceed the largest of the series, for each statistic and
share of known values. Errors are divided by that where values are missing.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from twinvae.files.out_of_core import TimeByChannel, by_rows
from twinvae.network.backend import STATISTICS as OF_NETWORKS
from twinvae.scoring.neighbours import VIEWS
from twinvae.scoring.statistics import row_sums
from twinvae.windowing.fold import covering_sum, observed_values, ratio, run_errors
from twinvae.windowing.geometry import count, fully_covered

STATISTICS: tuple[str, ...] = (*OF_NETWORKS, *VIEWS)
SHARES = 8  # classes of the share of known values, of equal width
WINDOWS = 32  # the length of the part of the training series that gaps are cut into
APART = 3.382  # windows from a gap to the next: no multiple of a period, which a window is, so that gaps end anywhere
LEAST = 0.1  # of the mean over the channels: the least that counts as the largest error of one

Excess = Float[np.ndarray, "statistic share"]  # at least 1


def with_gaps(scaled: TimeByChannel, window: int) -> Float[np.ndarray, "longer channel"]:
    """The first rows of a series, twice, with gaps of one window at other places each time.

    A gap is in all channels, but every second one in a single channel where there are several. One parts the two.
    """
    rows, channels = min(len(scaled), WINDOWS * window), scaled.shape[1]
    once, gaps = np.array(scaled[:rows]), 0
    again, between = once.copy(), np.full((window, channels), np.nan, once.dtype)
    for part, first in ((once, window), (again, 2 * window + window // 2)):
        for begin in range(first, rows, round(APART * window)):
            lost = slice(gaps // 2 % channels, gaps // 2 % channels + 1) if gaps % 2 else slice(None)
            part[begin : begin + window, lost] = np.nan
            gaps += 1
    return np.concatenate([once, between, again])


def uncut_starts(length: int, window: int) -> Int[np.ndarray, " n"]:
    """The step of the training series at which each window of `with_gaps`, of this length, begins."""
    rows = (length - window) // 2
    starts = np.arange(count(length, window))
    return np.where(starts < rows, starts, starts - rows - window)


def length_with_gaps(length: int, window: int) -> int:
    """The number of rows of `with_gaps` of a series of this length."""
    return 2 * min(length, WINDOWS * window) + window


def excess(
    scaled: TimeByChannel,
    usual: Mapping[str, np.ndarray],
    cut: Float[np.ndarray, "longer channel"],
    beside: Mapping[str, np.ndarray],
    window: int,
    durations: Sequence[int],
) -> Excess:
    """By how much the errors beside gaps exceed the largest of the training series: that of a share is at least that
    of any larger one.

    `usual` are the statistics of the scaled series, `beside` those of `with_gaps` of it. The errors of steps are also
    compared averaged over those of the `durations` that are no longer than a window.
    """
    result = np.ones((len(STATISTICS), SHARES))
    for row, statistic in zip(result, STATISTICS, strict=True):
        clean, found = (_errors(statistic, *both) for both in ((scaled, usual), (cut, beside)))
        inner = fully_covered(len(scaled), window) if len(clean) == len(scaled) else slice(None)
        shares = known_shares(statistic, cut, window)[:, 0]
        partly = (shares > 0) & (shares < 1)
        for duration in (d for d in durations if d <= window) if statistic == "point" else (1,):
            largest = np.fmax.reduce(run_errors(clean, duration)[inner], axis=0, initial=0.0).astype(np.float64)
            largest = np.maximum(largest, max(LEAST * float(largest.mean()), float(np.finfo(clean.dtype).tiny)))
            times = np.fmax.reduce(run_errors(found, duration) / largest, axis=1, initial=0.0)
            np.maximum.at(row, _class(shares[partly]), times[partly])
    return np.maximum.accumulate(result[:, ::-1], axis=1)[:, ::-1].copy()


def _errors(statistic: str, series: TimeByChannel, statistics: Mapping[str, np.ndarray]) -> np.ndarray:
    if statistic != "reconstruction":
        return statistics[statistic]
    return by_rows(lambda x, x_hat: (x - x_hat) ** 2, series, statistics[statistic])


def known_shares(statistic: str, series: TimeByChannel, window: int) -> Float[np.ndarray, "n 1"]:
    """The share of known values in each window, or of each step in its windows (a mean weighted by their values)."""
    values = by_rows(lambda part: row_sums(part.astype(np.float64)), observed_values(series, window))
    if statistic in ("point", "reconstruction"):
        values = by_rows(ratio, covering_sum(by_rows(np.square, values), window), covering_sum(values, window))
    whole = window * series.shape[1]
    return by_rows(lambda part: part / whole, values)


def _class(shares: Float[np.ndarray, "*shape"]) -> np.ndarray:
    return np.minimum((shares * SHARES).astype(int), SHARES - 1)


def divisors(statistic: str, shares: Float[np.ndarray, "*shape"], known: Excess) -> Float[np.ndarray, "*shape"]:
    """What the errors of this statistic are divided by where these shares of the values are known."""
    row = known[STATISTICS.index(statistic)]
    return np.where(shares < 1.0, row[_class(np.nan_to_num(shares))], 1.0)


def evened(
    statistic: str, errors: Float[np.ndarray, "n _"], series: TimeByChannel, window: int, known: Excess
) -> Float[np.ndarray, "n _"]:
    """The errors of a series without what they exceed the usual by where values are missing."""
    shares = known_shares(statistic, series, window)
    return by_rows(lambda part, share: part / divisors(statistic, share, known).astype(part.dtype), errors, shares)
