"""The rate of false alarms and its interval, on scores whose true rate is known."""

from typing import Any

import numpy as np
import pytest
from scipy import signal, stats

from tests.conftest import detector_of
from twinvae.scoring.false_alarms import FalseAlarms, asked_rate, autocorrelation_time, false_alarms

SMALL: dict[str, Any] = {"preset": "standard", "window": 10, "hidden_dim": 4, "latent_dim": 2, "epochs": 2}
SMALL["kind"] = "point"


def dependent(steps: int, memory: float, seed: int) -> np.ndarray:
    """Standard normal scores, each `memory` times the one before plus noise."""
    noise = np.random.default_rng(seed).normal(size=steps + 500)
    scores: np.ndarray = signal.lfilter([np.sqrt(1 - memory**2)], [1, -memory], noise)[500:]
    return scores


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_autocorrelation_time_of_a_first_order_process_is_known(memory: float) -> None:
    assert autocorrelation_time(dependent(100_000, memory, 0)) == pytest.approx((1 + memory) / (1 - memory), rel=0.1)


def test_scores_without_dependence_or_without_change_count_each() -> None:
    assert autocorrelation_time(np.zeros(100)) == 1.0
    assert autocorrelation_time(np.array([3.0])) == 1.0
    assert autocorrelation_time(np.tile([0.0, 1.0], 50)) == 1.0


@pytest.mark.parametrize("memory", [0.0, 0.9])
@pytest.mark.parametrize("rate", [0.05, 0.01])
def test_the_interval_holds_the_true_rate_where_one_for_independent_steps_does_not(memory: float, rate: float) -> None:
    limit, hits, naive, runs = stats.norm.isf(rate), 0, 0, 100
    for seed in range(runs):
        scores = dependent(3000, memory, seed)
        found = false_alarms(scores, scores > limit, rate)
        hits += found.low <= rate <= found.high
        interval = stats.binomtest(found.alarms, found.steps).proportion_ci(0.95)
        naive += interval.low <= rate <= interval.high
    assert hits >= 0.93 * runs
    assert (naive >= 0.9 * runs) == (memory == 0.0)


def test_for_independent_steps_it_is_the_interval_of_clopper_and_pearson() -> None:
    scores = np.tile([0.0, 1.0], 500)  # more than independent: tau is 1
    alarms = np.zeros(1000, dtype=bool)
    alarms[::100] = True
    found = false_alarms(scores, alarms, 0.02)
    expected = stats.binomtest(10, 1000).proportion_ci(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert (found.asked, found.found, found.steps, found.alarms, found.runs) == (0.02, 0.01, 1000, 10, 10)


def test_one_long_alarm_says_less_than_many_short_ones() -> None:
    scores = np.tile([0.0, 1.0], 500)
    together, apart = np.zeros(1000, dtype=bool), np.zeros(1000, dtype=bool)
    together[200:250], apart[::20] = True, True
    one, many = false_alarms(scores, together, None), false_alarms(scores, apart, None)
    assert one.found == many.found == 0.05
    assert (one.runs, many.runs) == (1, 50)
    assert one.low < many.low
    assert one.high > many.high


def test_no_alarm_and_nothing_but_alarms_have_one_open_end() -> None:
    scores = np.arange(300.0) % 2
    none, all_ = (false_alarms(scores, np.full(300, value), None) for value in (False, True))
    assert (none.low, all_.high) == (0.0, 1.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 300))
    assert 0 < all_.low < 1


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"threshold": "quantile", "quantile": 0.95}, 0.05),
        ({"threshold": "pot", "false_alarm_rate": 0.002}, 0.002),
        ({"threshold": "maximum"}, None),
        ({"threshold": "robust"}, None),
    ],
)
def test_a_detector_counts_its_alarms_away_from_the_ends(settings: dict[str, Any], asked: float | None) -> None:
    series = np.random.default_rng(0).normal(size=(1200, 2))
    detector = detector_of("jax")(**SMALL, **settings).fit(series[:700])
    assert asked_rate(detector.config_) == (None if asked is None else pytest.approx(asked))
    rate = detector.false_alarms(series[700:])
    inner = detector.detect(series[700:]).alarms[9:-9]
    assert isinstance(rate, FalseAlarms)
    assert (rate.steps, rate.alarms) == (482, inner.sum())
    assert rate.low <= rate.found <= rate.high
    causal = detector.false_alarms(series[700:], kind="causal")
    assert causal.steps == 491
    assert causal.alarms == detector.detect(series[700:], kind="causal").alarms.sum()


def test_steps_without_a_score_are_not_counted() -> None:
    series = np.random.default_rng(0).normal(size=(1200, 1))
    detector = detector_of("jax")(**SMALL, threshold="quantile", quantile=0.9, missing="mask").fit(series[:700])
    gap = series[700:].copy()
    gap[200:260] = np.nan
    with pytest.warns(UserWarning, match="have no value within a window"):
        rate = detector.false_alarms(gap)
    assert 482 - 60 <= rate.steps < 482
    assert rate.low <= rate.found <= rate.high


def test_a_rate_of_steps_is_not_claimed_for_scores_that_average_over_time() -> None:
    series = np.random.default_rng(0).normal(size=400)
    averaging = detector_of("torch")(**{**SMALL, "kind": "multiscale"}, threshold="quantile", quantile=0.9)
    with pytest.warns(UserWarning, match='threshold="quantile" names a rate of steps, which scores that average'):
        averaging.fit(series)
    assert averaging.false_alarms(series).asked is None
    assert "which scores that average over time do not keep" in averaging.detect(series).basis
    assert averaging.detect(series, kind="point").false_alarms.asked == pytest.approx(0.1)
