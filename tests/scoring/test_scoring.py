"""Statistics of blocks -> scores, without a backend: each against a plain loop."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import assert_close
from tests.helpers.calibrations import made_up
from tests.oracle import reference, views
from twinvae.config import KINDS
from twinvae.network.backend import STATISTICS, Statistic
from twinvae.scoring.calibration import DURATIONS, summarise
from twinvae.scoring.formulas import AVERAGED, Calibration
from twinvae.scoring.kinds import SCORES, contributions
from twinvae.scoring.statistics import BLOCK_UNITS, block_statistics, block_windows, series_statistics
from twinvae.scoring.trim import largest_share, trimmed, without
from twinvae.windowing.fold import fold, run_errors
from twinvae.windowing.geometry import coverage

modest = settings(max_examples=30, deadline=None)


def reconstructions(values: np.ndarray, window: int) -> np.ndarray:
    """Some function of a window: what a model would be."""
    return 0.5 * reference.windows(values, window)[:, ::-1] + 0.1


plain_fold = partial(fold, xp=np)


def scored(
    series: np.ndarray, window: int, kinds: tuple[Statistic, ...], block: int = 2**20, padding: int = 0
) -> dict[str, np.ndarray]:
    def run_block(values: np.ndarray) -> Mapping[str, Any]:
        used = len(values) - window + 1
        whole = np.pad(values, ((0, padding), (0, 0)))
        x = reference.windows(whole, window)
        divergence = np.abs(x).sum(axis=(1, 2))
        return block_statistics(
            x, reconstructions(whole, window), divergence, used if padding else None, kinds, np, plain_fold
        )

    return series_statistics(run_block, series, window, kinds, block)


def expected(series: np.ndarray, window: int, kind: str, calibration: Calibration) -> np.ndarray:
    if kind in (*AVERAGED, "ensemble"):
        drawn = np.zeros(series.shape)
        for w, part in enumerate(reconstructions(series, window)):
            drawn[w : w + window] += part / coverage(len(series), window)[w : w + window, None]
        point, causal = (expected(series, window, one, calibration) for one in ("point", "causal"))
        return views.scores(kind, point, causal, series, drawn, window, calibration)
    if kind == "probability":
        half: np.ndarray = expected(series, window, "point", calibration) / calibration.variance / 2
        return half
    x, x_hat = reference.windows(series, window), reconstructions(series, window)
    result = np.full(series.shape, calibration.warm_up)
    for t in range(len(series)):
        covering = [w for w in range(len(x)) if w <= t < w + window]
        if kind == "point":
            result[t] = np.mean([(series[t] - x_hat[w, t - w]) ** 2 for w in covering], axis=0)
        elif kind == "reconstruction":
            result[t] = (series[t] - np.mean([x_hat[w, t - w] for w in covering], axis=0)) ** 2
        elif kind == "window":
            result[t] = np.mean([((x[w] - x_hat[w]) ** 2).mean(axis=0) for w in covering], axis=0)
        elif kind == "divergence":
            result[t] = np.mean([np.abs(x[w]).sum() for w in covering])
        elif t >= window - 1:
            result[t] = (series[t] - x_hat[t - window + 1, -1]) ** 2
    return result


@pytest.mark.parametrize("kind", KINDS)
@modest
@given(
    windows=st.integers(1, 200),
    window=st.integers(1, 9),
    channels=st.integers(1, 3),
    block=st.sampled_from([1, 7, 64, 2**20]),
    padding=st.sampled_from([0, 5]),
)
def test_each_score_is_the_loop_s_whatever_the_blocks(
    kind: Any, windows: int, window: int, channels: int, block: int, padding: int
) -> None:
    series = np.random.default_rng(windows).normal(size=(windows + window - 1, channels))
    calibration = made_up(channels, window, durations=DURATIONS, warm_up=0.7, dtype="float64", seed=0)
    statistics = scored(series, window, SCORES[kind].statistics, block, padding)
    found = contributions(kind, series, statistics, window, calibration)
    wanted = expected(series, window, kind, calibration)
    if wanted.max() < 1e-50:  # all shapes of two steps are one of two: what is left is rounding
        assert kind == "neighbour"
        assert found.max() < 1e-50
    else:
        assert_close(found, wanted, 1e-13)


def test_run_errors_do_not_depend_on_how_many_rows_are_worked_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    point = np.random.default_rng(0).exponential(size=(700, 2))
    whole = {duration: run_errors(point, duration) for duration in DURATIONS}
    monkeypatch.setattr("twinvae.files.out_of_core.VALUES", 100)
    for duration, errors in whole.items():
        assert_close(run_errors(point, duration), errors, 1e-14)


def summarised(point: np.ndarray) -> Calibration:
    """What is known of a training series with these errors, of windows of 10 steps."""
    memory = made_up(point.shape[1], 10, dtype="float64").memory
    assert memory is not None
    statistics = {"point": point, "causal": point[9:], "shape": point[9:, :1], "residual": point[9:, :1]}
    return summarise(point, statistics, np.ones(len(point), bool), 10, memory)


def test_the_largest_training_error_of_each_duration_scores_one_and_none_more() -> None:
    point = np.random.default_rng(0).exponential(size=(2000, 1))
    calibration = summarised(point)
    scores = contributions("multiscale", point, {"point": point}, 10, calibration)[9:-9]
    assert 1 / len(DURATIONS) <= scores.max() == calibration.peak["multiscale"] <= 1
    for duration, largest in zip(calibration.durations, calibration.largest["multiscale"], strict=True):
        assert run_errors(point, duration)[9:-9].max() == largest


def test_a_channel_without_errors_in_training_does_not_drown_the_others() -> None:
    point = np.random.default_rng(0).exponential(size=(2000, 2)) * [1.0, 1e-9]
    calibration = summarised(point)
    largest = calibration.largest["multiscale"]
    assert largest[:, 1] == pytest.approx(largest[:, 0] / 20)
    assert calibration.variance[1] == pytest.approx(calibration.variance[0] / 2000)


def test_the_warm_up_of_a_quiet_channel_is_its_own_and_raises_nothing() -> None:
    point = np.random.default_rng(0).exponential(size=(2000, 3)) * [1.0, 1.0, 0.01]
    calibration = summarised(point)
    assert calibration.warm_up == pytest.approx(np.median(point[9:], axis=0))
    scores = contributions("causal_multiscale", point, {"causal": point[9:]}, 10, calibration)
    assert (scores[:9] < 1.5 * scores[9:].max(axis=0)).all()


def test_the_probability_score_makes_channels_comparable() -> None:
    point = np.random.default_rng(0).exponential(size=(2000, 2)) * [1.0, 0.01]
    calibration = summarised(point)
    scores = contributions("probability", point, {"point": point}, 10, calibration)
    assert scores[9:-9].mean(axis=0) == pytest.approx([0.5, 0.5])  # nats: half a squared standard deviation
    assert calibration.variance == pytest.approx(point[9:-9].mean(axis=0))


def test_every_channel_has_an_equal_share_of_the_divergence() -> None:
    series = np.random.default_rng(0).normal(size=(50, 3))
    kl = np.random.default_rng(1).exponential(size=(46, 1))
    scores = contributions("divergence", series, {"divergence": kl}, 5, made_up(3, 5))
    assert (scores == scores[:, :1]).all()
    assert scores[20] == pytest.approx(kl[16:21].mean())


@modest
@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=40), share=st.floats(0.0, 0.49))
def test_the_largest_share_is_that_many_and_none_left_is_larger(values: list[int], share: float) -> None:
    array = np.array(values, float)
    chosen = largest_share(array, share)
    assert chosen.sum() == int(share * len(array))
    assert not chosen.any() or array[chosen].min() >= array[~chosen].max()


def test_trimmed_steps_are_where_an_anomaly_is_and_fully_covered() -> None:
    errors = np.full(191, 0.1)
    errors[0], errors[51:61] = 49.0, 5.0  # the first of 10 steps, and those that cover step 60
    steps = trimmed(errors, 200, 10, 0.05)
    assert np.flatnonzero(steps).tolist() == [9, *range(56, 64)]
    assert not trimmed(errors, 200, 10, 0.0).any()


def test_without_puts_the_mean_of_the_rest_in_the_place_of_the_trimmed_steps() -> None:
    point = np.array([[1.0, 10.0], [99.0, 99.0], [3.0, 30.0]])
    assert without(point, np.array([False, True, False])).tolist() == [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]


def test_divergence_has_one_row_per_window_and_one_column() -> None:
    series = np.random.default_rng(0).normal(size=(203, 2))
    result = scored(series, 4, ("divergence",), 1)["divergence"]
    assert_close(result[:, 0], np.abs(reference.windows(series, 4)).sum(axis=(1, 2)), 1e-13)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_padding_adds_nothing(statistic: Statistic) -> None:
    series = np.random.default_rng(0).normal(size=(20, 1))
    padded = np.concatenate([series, np.full((30, 1), 1e6)])
    x, x_hat = reference.windows(padded, 4), reconstructions(padded, 4)
    result = block_statistics(x, x_hat, np.zeros(len(x)), 17, (statistic,), np, plain_fold)[statistic]
    short = block_statistics(x[:17], x_hat[:17], np.zeros(17), 17, (statistic,), np, plain_fold)[statistic]
    assert (result[: len(short)] == short).all()
    if statistic in ("point", "reconstruction"):
        assert (result[len(short) :] == 0.0).all()


def test_all_statistics_at_once_are_each_on_its_own() -> None:
    series = np.random.default_rng(0).normal(size=(90, 2))
    together = scored(series, 6, STATISTICS)
    for statistic in STATISTICS:
        assert (together[statistic] == scored(series, 6, (statistic,))[statistic]).all()


@modest
@given(
    windows=st.integers(1, 10**8),
    features=st.integers(1, 10**5),
    hidden=st.integers(1, 10**5),
    values=st.integers(1, 2**22),
)
def test_blocks_are_powers_of_two_and_bounded(windows: int, features: int, hidden: int, values: int) -> None:
    block = block_windows(windows, features, hidden, values)
    assert block >= 64
    assert block & (block - 1) == 0
    assert block == 64 or (block * features <= values and block * hidden <= BLOCK_UNITS)
    assert block < 2 * max(windows, 64)
