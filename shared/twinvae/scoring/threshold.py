"""Thresholds from the scores of normal data. A step is an anomaly if its score is strictly above the threshold."""

import math

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.files.out_of_core import by_rows, kept, median, quantiles

MAD_TO_DEVIATION = 1.482602218505602  # 1 / the 0.75 quantile of N(0, 1): makes a MAD estimate sigma
TAIL = 0.98  # peaks over threshold: the quantile where the tail begins, as Siffer et al. 2017
LEAST_PEAKS = 10
FENCE = 6.0  # robust deviations of the logarithm above its median: training scores beyond may be anomalies themselves


def threshold(scores: Float[np.ndarray, " n"], config: Config) -> float:
    """Computes the threshold that `config.threshold` names from the scores of the training series.

    Raises:
        ValueError: if peaks over threshold has fewer than ten peaks to fit.
    """
    if config.threshold == "maximum":
        return config.margin * float(np.max(scores))
    if config.threshold == "fenced":
        return config.margin * fenced_maximum(scores)
    values = by_rows(lambda part: part.astype(np.float64), scores)
    if config.threshold == "quantile":
        return float(quantiles(values, config.quantile))
    if config.threshold == "robust":
        return robust(values, config.mad_factor)
    return peaks_over_threshold(values, config.false_alarm_rate)


def check_enough(scores: int, config: Config) -> None:
    """Raises ValueError if there are too few training scores for the threshold, which is known before training."""
    least = math.ceil(LEAST_PEAKS / (1 - TAIL)) + 1
    if config.threshold == "pot" and scores < least:
        raise ValueError(
            f'threshold="pot" needs at least {least} training scores away from the ends of the series, got {scores}: '
            "train on a longer series, or choose another threshold"
        )


def fenced_maximum(scores: Float[np.ndarray, " n"]) -> float:
    """The largest score, but at most `exp(median + 6 * 1.4826 * MAD)` of the logarithms of the scores above 0.

    Scores are products of many factors, so their logarithms are about symmetric: a score beyond that fence belongs to
    an anomaly in the training series, and would set a threshold that no other anomaly reaches.
    """
    largest = float(np.max(scores))
    positive = kept(scores, by_rows(lambda part: part > 0, scores))
    if len(positive) == 0:
        return largest
    logarithms = by_rows(lambda part: np.log(part.astype(np.float64)), positive)
    return min(largest, float(np.exp(robust(logarithms, FENCE))))


def robust(scores: Float[np.ndarray, " n"], factor: float) -> float:
    """Median + factor * MAD, the MAD scaled to the standard deviation of normal data (Leys et al. 2013)."""
    middle = median(scores)
    return middle + factor * MAD_TO_DEVIATION * median(by_rows(lambda part: np.abs(part - middle), scores))


def peaks_over_threshold(scores: Float[np.ndarray, " n"], rate: float) -> float:
    """The score that normal data exceed with probability `rate`, from a generalised Pareto fit to their tail.

    With t the start of the tail, n scores and k peaks above it, shape g and scale s of the excesses:
    `t + s / g * ((rate * n / k)**-g - 1)`, or `t - s * log(rate * n / k)` where g is 0: Siffer et al. 2017,
    "Anomaly Detection in Streams with Extreme Value Theory", equation 1.

    Raises:
        ValueError: if fewer than ten scores lie above the start of the tail.
    """
    start = float(quantiles(scores, TAIL))
    peaks = np.array(kept(scores, by_rows(lambda part: part > start, scores))) - start
    if len(peaks) < LEAST_PEAKS:
        raise ValueError(
            f'threshold="pot" needs at least {LEAST_PEAKS} training scores above their {TAIL:g} quantile, got '
            f"{len(peaks)}: train on a longer series, or choose another threshold"
        )
    if rate * len(scores) >= len(peaks):  # the wanted quantile lies below the tail: no model needed
        return float(quantiles(scores, 1.0 - rate))
    from scipy.stats import genpareto  # a second to import

    # The fit works on excesses of mean 1: SciPy's search starts from there.
    unit = float(peaks.mean())
    shape, _, scale = genpareto.fit(peaks / unit, floc=0.0)
    ratio = rate * len(scores) / len(peaks)
    if abs(shape) < 1e-8:
        return start - unit * scale * math.log(ratio)
    return start + unit * scale / shape * (ratio**-shape - 1.0)


NOT_KEPT = "a rate of steps, which scores that average over time do not keep"
