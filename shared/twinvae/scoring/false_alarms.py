"""The rate of false alarms on normal data: the rate that was asked for, beside the one that is found."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from twinvae.config import Config
from twinvae.windowing.intervals import intervals
from twinvae.windowing.period import autocorrelation

CONFIDENCE = 0.95
LONGEST_LAG = 4096  # time steps


class FalseAlarms(NamedTuple):
    """Alarms on normal data. The rates are shares of time steps; those of events are for 10,000 time steps."""

    asked: float | None  # None: the threshold names no rate
    found: float
    low: float  # of the rate, with 95 % confidence
    high: float
    steps: int  # normal time steps that were scored
    alarms: int  # of them above the threshold
    runs: int  # of alarms without a gap
    independent: float  # as many independent steps say as much as these
    events: int  # false alarms as people count them
    events_asked: float | None  # for 10,000 steps; None: no rate of events was asked for
    events_found: float
    events_low: float  # with 95 % confidence
    events_high: float


def asked_rate(config: Config) -> float | None:
    """The share of normal steps that a threshold should let alarm: known of `quantile` and `pot` only."""
    return {"quantile": 1.0 - config.quantile, "pot": config.false_alarm_rate}.get(config.threshold)


def false_alarms(
    scores: Float[np.ndarray, " n"],
    alarms: Bool[np.ndarray, " n"],
    asked: float | None,
    events: int = 0,
    events_asked: float | None = None,
) -> FalseAlarms:
    """The rate of alarms among steps that are all normal, with an interval that allows for their dependence.

    The scores of neighbouring steps are alike, so n steps say less than n independent ones would: as much as `n / tau`,
    where tau is the larger of the integrated autocorrelation time of the scores (`autocorrelation_time`) and the mean
    length of a run of alarms. High scores depend less on each other than all do, so this is on the safe side. The
    interval is that of Clopper and Pearson (1934) for the found rate among so many steps. Events lie apart: theirs is
    that of Garwood (1936) for a Poisson count. `events_asked` is for 10,000 steps.
    """
    from scipy.special import betaincinv, gammaincinv

    steps, count = len(scores), int(np.count_nonzero(alarms))
    runs = len(intervals(alarms.astype(np.int8)))
    tau = max(autocorrelation_time(scores), count / runs if runs else 1.0)
    independent = max(1.0, steps / tau)
    found = count / steps
    hits, tail = found * independent, (1.0 - CONFIDENCE) / 2
    low = float(betaincinv(hits, independent - hits + 1.0, tail)) if count else 0.0
    high = float(betaincinv(hits + 1.0, independent - hits, 1.0 - tail)) if count < steps else 1.0
    each = 1e4 / steps
    fewest = float(gammaincinv(events, tail)) * each if events else 0.0
    most = float(gammaincinv(events + 1.0, 1.0 - tail)) * each
    return FalseAlarms(
        asked, found, low, high, steps, count, runs, independent, events, events_asked, events * each, fewest, most
    )


def autocorrelation_time(scores: Float[np.ndarray, " n"]) -> float:
    """`1 + 2 * sum of the autocorrelations`, at least 1: in steps, how far apart scores are about independent.

    The sum ends before the first pair of neighbouring lags (2k, 2k + 1) whose sum is not positive: Geyer 1992,
    "Practical Markov Chain Monte Carlo", section 3.3.
    """
    correlation = autocorrelation(scores.astype(np.float64), min(LONGEST_LAG, len(scores) - 1))
    pairs = correlation[: len(correlation) // 2 * 2].reshape(-1, 2).sum(axis=1)
    if len(pairs) == 0 or pairs[0] == 0:
        return 1.0
    end = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)
    return max(1.0, 2.0 * float(pairs[:end].sum()) - 1.0)
