"""What is usual in a series that is searched itself, how far a step is above it, and who judges which block."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import assert_close
from tests.oracle import reference
from twinvae.scoring.cross_fit import blocks, elsewhere, held_out, least_length
from twinvae.scoring.kinds import mean_over_channels
from twinvae.scoring.search import LEAST_SPREAD, score_of, unusual, usual

WINDOW = 10


@settings(max_examples=50, deadline=None)
@given(length=st.integers(3, 300), number=st.integers(1, 8), window=st.integers(1, 20))
def test_blocks_hold_each_step_once_and_their_models_learn_from_windows_elsewhere(
    length: int, number: int, window: int
) -> None:
    parts = blocks(length, number)
    assert [step for part in parts for step in range(part.start, part.stop)] == list(range(length))
    for part in parts:
        learned = {step for start in elsewhere(length, window, part) for step in range(start, start + window)}
        assert not learned & set(range(part.start, part.stop))
    if length >= least_length(window, number):
        assert all(len(elsewhere(length, window, part)) for part in parts) or number == 1


def test_each_block_has_the_rows_of_its_own_model() -> None:
    found = [{"point": np.full((10, 1), float(model)), "window": np.full((8, 1), float(model))} for model in range(3)]
    together = held_out(found, blocks(10, 3))
    assert together["window"][:, 0].tolist() == [0.0] * 3 + [1.0] * 4 + [2.0]  # of the block that it begins in
    assert together["point"][:, 0].tolist() == [0.0] * 3 + [1.0] * 4 + [2.0] * 3


def test_the_score_is_the_loop_s() -> None:
    generator = np.random.default_rng(0)
    point = generator.exponential(size=(900, 2)) * [1.0, 7.0]
    point[400:420, 0] *= 9.0
    known = usual(point, WINDOW)
    inner = slice(WINDOW - 1, 900 - WINDOW + 1)
    exponents = []
    for index, duration in enumerate(known.durations):
        runs = reference.run_errors(point, duration)
        stretches = [runs[inner][i * 64 : (i + 1) * 64 if i < 12 else None] for i in range(13)]
        unit = [statistics.median(part[:, c].max() for part in stretches) for c in range(2)]
        assert_close(known.unit[index], np.maximum(unit, 0.1 * np.mean(unit)), 1e-12)
        largest = [math.log((part / known.unit[index]).mean(axis=1).max()) for part in stretches]
        middle = statistics.median(largest)
        assert known.middle[index] == pytest.approx(middle)
        spread = 1.4826022 * statistics.median(abs(value - middle) for value in largest)
        assert known.spread[index] == pytest.approx(max(spread, LEAST_SPREAD))
        exponents.append((np.log((runs / known.unit[index]).mean(axis=1)) - middle) / known.spread[index])
    wanted = np.log1p(np.mean(np.exp(exponents), axis=0))
    scores = mean_over_channels(unusual(point, known))
    assert_close(scores, wanted, 1e-10)
    assert known.stretches == 13
    assert int(np.argmax(scores)) in range(390, 430)


def test_the_score_of_a_deviation_is_that_of_a_step_which_is_so_far_in_every_duration() -> None:
    assert score_of(3.5) == pytest.approx(math.log1p(math.exp(3.5)))
    point = np.random.default_rng(0).exponential(size=(900, 1))
    known = usual(point, WINDOW)._replace(spread=np.full(4, 0.5), middle=np.zeros(4), unit=np.ones((4, 1)))
    assert_close(unusual(np.full((900, 1), math.exp(3.5 * 0.5)), known), np.full((900, 1), score_of(3.5)), 1e-6)


def test_what_is_usual_does_not_depend_on_anomalies_in_a_third_of_the_stretches() -> None:
    point = np.random.default_rng(0).exponential(size=(6400, 1))
    spoilt = point.copy()
    spoilt[:2000:500] *= 1e12  # in four of the hundred stretches, and what is averaged over 256 steps beside them
    clean, same = usual(point, WINDOW), usual(spoilt, WINDOW)
    assert np.abs(same.middle - clean.middle).max() < 2 * clean.spread.max()
    assert mean_over_channels(unusual(spoilt, same)).max() > 20


def test_the_channel_that_errs_has_the_share_of_the_score() -> None:
    point = np.random.default_rng(0).exponential(size=(900, 3))
    point[500, 1] = 1e3
    found = unusual(point, usual(point, WINDOW))[500]
    assert found[1] / found.sum() > 0.95


@pytest.mark.parametrize("huge", [1e30, 1e300])
def test_errors_of_any_size_have_finite_scores_in_their_order(huge: float) -> None:
    point = np.random.default_rng(0).exponential(size=(900, 1))
    point[300], point[600], point[700:800] = huge, huge / 1e3, 0.0
    scores = mean_over_channels(unusual(point, usual(point, WINDOW)))
    assert np.isfinite(scores).all()
    assert scores[300] > scores[600] > score_of(3.5) > scores[750] >= 0


def test_missing_values_are_left_out() -> None:
    point = np.random.default_rng(0).exponential(size=(900, 2))
    point[100:400] = np.nan
    point[500:600, 0] = np.nan
    known = usual(point, WINDOW)
    assert np.isfinite(known.middle).all()
    assert known.stretches < usual(np.nan_to_num(point), WINDOW).stretches
    scores = mean_over_channels(unusual(point, known))
    assert np.isfinite(scores[400:]).all()
