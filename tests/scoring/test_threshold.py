"""Each way to a threshold against its own arithmetic."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from twinvae.config import Config
from twinvae.scoring.threshold import fenced_maximum, peaks_over_threshold, robust, threshold


def config_of(**values: Any) -> Config:
    return Config(**values)


SCORES = np.random.default_rng(0).exponential(size=5000)


def test_maximum_is_margin_times_the_largest() -> None:
    assert threshold(SCORES, config_of(threshold="maximum", margin=3.0)) == 3.0 * max(SCORES.tolist())


def test_fenced_is_margin_times_the_largest_that_is_no_outlier_of_the_logarithms() -> None:
    scores = np.exp(np.random.default_rng(0).normal(size=5001))
    assert threshold(scores, config_of(threshold="fenced", margin=3.0)) == 3.0 * max(scores.tolist())
    spoilt = np.concatenate([scores, np.full(500, 1e9)])
    logarithms = sorted(math.log(score) for score in spoilt)
    middle = (logarithms[2750] + logarithms[2750]) / 2
    away = sorted(abs(value - middle) for value in logarithms)[2750]
    fence = math.exp(middle + 6.0 * away / float(stats.norm.ppf(0.75)))
    assert threshold(spoilt, config_of(threshold="fenced", margin=3.0)) == pytest.approx(3.0 * fence, rel=1e-12)


def test_scores_of_zero_are_beside_the_fence_and_nothing_but_zeros_is_zero() -> None:
    assert fenced_maximum(np.concatenate([np.zeros(9000), SCORES])) == fenced_maximum(SCORES)
    assert fenced_maximum(np.zeros(20)) == 0.0


def test_quantile_is_interpolated_between_the_sorted_scores() -> None:
    ordered = sorted(SCORES.tolist())
    place = 0.99 * (len(ordered) - 1)
    low = int(place)
    expected = ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
    assert threshold(SCORES, config_of(threshold="quantile", quantile=0.99)) == pytest.approx(expected, rel=1e-12)


def test_robust_is_median_plus_mads() -> None:
    ordered = sorted(SCORES.tolist())
    median = (ordered[2499] + ordered[2500]) / 2
    away = sorted(abs(score - median) for score in ordered)
    expected = median + 7.0 * (away[2499] + away[2500]) / 2 / stats.norm.ppf(0.75)
    assert threshold(SCORES, config_of(threshold="robust", mad_factor=7.0)) == pytest.approx(expected, rel=1e-12)


def test_robust_ignores_a_few_outliers() -> None:
    spoilt = np.concatenate([SCORES, np.full(50, 1e9)])
    assert robust(spoilt, 5.0) == pytest.approx(robust(SCORES, 5.0), rel=0.05)


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
@pytest.mark.parametrize("rate", [1e-3, 1e-4])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_peaks_over_threshold_meets_the_wanted_rate(shape: float, rate: float, unit: float) -> None:
    generator = np.random.default_rng(1)
    found = peaks_over_threshold(unit * stats.genpareto.rvs(shape, size=100_000, random_state=generator), rate)
    assert rate / 2 < stats.genpareto.sf(found / unit, shape) < 2 * rate
    fresh = unit * stats.genpareto.rvs(shape, size=200_000, random_state=generator)
    assert rate / 2 < (fresh > found).mean() < 2 * rate


def test_peaks_over_threshold_lies_above_the_tail_s_start_and_grows_as_the_rate_falls() -> None:
    found = [peaks_over_threshold(SCORES, rate) for rate in (1e-2, 1e-3, 1e-4, 1e-5)]
    assert found == sorted(found)
    assert found[0] > np.quantile(SCORES, 0.98)


def test_a_rate_below_the_tail_is_a_quantile() -> None:
    assert peaks_over_threshold(SCORES, 0.1) == pytest.approx(np.quantile(SCORES, 0.9))


def test_too_few_peaks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 10 training scores above their 0\.98 quantile, got 2"):
        peaks_over_threshold(SCORES[:100], 1e-4)


@pytest.mark.parametrize("method", ["maximum", "fenced", "quantile", "robust", "pot"])
def test_float32_scores_give_the_float64_threshold_of_the_same_values(method: str) -> None:
    scores = SCORES.astype(np.float32)
    config = config_of(threshold=method)
    assert threshold(scores, config) == threshold(scores.astype(np.float64), config)
    assert isinstance(threshold(scores, config), float)
