"""The numbers of the speed benchmark: medians and their intervals, operations, break-even points."""

import numpy as np
import pytest

from benchmarks.speed import arithmetic
from benchmarks.speed.report import summary
from benchmarks.speed.stats import ratio, summarise
from twinvae.config import Config


def test_quantiles_of_pooled_samples() -> None:
    summary = summarise([[1.0, 2.0], [3.0, 4.0, 5.0]])
    assert (summary.median, summary.quartile1, summary.quartile3, summary.n) == (3.0, 2.0, 4.0, 5)
    whole = summarise([[1.0, 2.0], [3.0, 4.0, 5.0], [3.0], [3.0], [3.0]])
    assert 1.0 <= (whole.low or 0.0) <= 3.0 <= (whole.high or 0.0) <= 5.0
    assert summary.p99 is None


def test_p99_needs_a_thousand_samples() -> None:
    assert summarise([list(range(999))]).p99 is None
    assert summarise([list(range(500)), list(range(500, 1000))]).p99 == pytest.approx(989.01)


def test_no_samples_have_no_summary() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarise([[], []])


def test_bootstrap_interval_covers_the_median_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(100):
        summary = summarise(np.random.default_rng(seed).normal(10.0, 1.0, (40, 1)).tolist())
        covered += (summary.low or 0.0) <= 10.0 <= (summary.high or 0.0)
    assert 88 <= covered <= 100


def test_bootstrap_sees_that_processes_differ() -> None:
    """Many calls in five processes that differ say little more than five numbers."""
    groups = [(value + np.linspace(-0.01, 0.01, 100)).tolist() for value in (1.0, 1.5, 2.0, 2.5, 3.0)]
    summary = summarise(groups)
    assert (summary.high or 0.0) - (summary.low or 9.0) >= 1.0


def test_ratio_and_its_interval() -> None:
    times = ratio([[2.0, 2.1, 1.9]] * 5, [[1.0, 1.05, 0.95]] * 5)
    assert times.value == pytest.approx(2.0)
    assert (times.low or 9.0) < 2.0 < (times.high or 0.0)


# Arithmetic.


def test_operations_of_the_tutorial_s_model() -> None:
    assert arithmetic.score_point(Config()) == 7680
    assert arithmetic.parameters(Config(), 1) == 4294
    assert arithmetic.training_step(Config()) == 3 * 2 * 32 * 4160 + 12 * 4294  # 0.85 million


def test_break_even_is_where_the_lines_cross() -> None:
    assert summary.crossing(20.0, 1e-4, 1.0, 1e-3) == pytest.approx(19 / 9e-4)
    assert summary.crossing(1.0, 1e-4, 2.0, 1e-3) == 0.0
    assert summary.crossing(1.0, 1e-3, 2.0, 1e-4) is None
