"""Windows against loops."""

import array_api_compat.torch
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vae_jax.score
import vae_torch.score
from twinvae.series.scaling import fit_scaler, standardise
from twinvae.windowing.fold import fold, moving_sum
from twinvae.windowing.geometry import count, coverage, fully_covered
from twinvae.windowing.slide import centred, slide

modest = settings(max_examples=40, deadline=None)
lengths = st.integers(1, 40)
small = st.integers(1, 9)


def test_annotations_are_checked_while_the_tests_run() -> None:
    with pytest.raises(TypeError, match="Type-check error"):
        count("5", 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Type-check error"):
        fit_scaler(np.zeros(3), "standard")


@modest
@given(windows=lengths, window=small)
def test_coverage_counts_the_windows_over_each_step(windows: int, window: int) -> None:
    length = windows + window - 1
    expected = np.zeros(length, dtype=int)
    for start in range(count(length, window)):
        expected[start : start + window] += 1
    assert coverage(length, window).tolist() == expected.tolist()


@modest
@given(windows=lengths, window=small)
def test_fully_covered_steps_are_those_under_a_whole_window_of_windows(windows: int, window: int) -> None:
    length = windows + window - 1
    full = np.flatnonzero(coverage(length, window) == window)
    inner = np.arange(length)[fully_covered(length, window)]
    assert inner.tolist() == (full.tolist() if len(full) >= length / 2 else list(range(length)))


def folded(values: np.ndarray) -> np.ndarray:
    windows, window, channels = values.shape
    total = np.zeros((windows + window - 1, channels))
    for start in range(windows):
        for offset in range(window):
            total[start + offset] += values[start, offset]
    return total


@modest
@given(windows=lengths, window=small, channels=st.integers(1, 3), seed=st.integers(0, 99))
def test_fold_sums_over_the_windows_that_cover_a_step(windows: int, window: int, channels: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(windows, window, channels))
    np.testing.assert_allclose(fold(values, np), folded(values), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(1, 1, 1), (6, 1, 2), (1, 6, 2), (9, 4, 3), (70, 64, 2), (1, 256, 1), (130, 300, 2)])
def test_fold_is_the_same_in_each_framework(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    folds: list[object] = [
        fold(values, np),
        fold(jnp.asarray(values), jnp),
        jax.jit(vae_jax.score._fold)(values),
        fold(torch.tensor(values), array_api_compat.torch),
        vae_torch.score._fold(torch.tensor(values)),
        vae_torch.score._fold_tiles(torch.tensor(values)),
        vae_torch.score._fold(torch.tensor(values.transpose(1, 0, 2).copy()).transpose(0, 1)),  # a view
    ]
    for each in folds:
        result = np.asarray(each)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, folded(values), rtol=0, atol=5e-5)


@modest
@given(windows=lengths, window=small, channels=st.integers(1, 3))
def test_slide_cuts_the_windows_out(windows: int, window: int, channels: int) -> None:
    series = np.arange((windows + window - 1) * channels, dtype=float).reshape(-1, channels)
    starts = np.random.default_rng(0).permutation(windows)
    result = slide(series, starts, window, np)
    assert result.shape == (windows, window, channels)
    for row, start in zip(result, starts, strict=True):
        assert (row == series[start : start + window]).all()


@modest
@given(rows=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=60), data=st.data())
def test_moving_sum_is_the_loop_s(rows: list[tuple[float, float]], data: st.DataObject) -> None:
    values = np.array(rows)
    width = data.draw(st.integers(1, len(values)))
    expected = [values[start : start + width].sum(axis=0) for start in range(len(values) - width + 1)]
    result = moving_sum(values, width)
    assert result.shape == (len(values) - width + 1, 2)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-14 * max(1.0, np.abs(values).sum()))


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 13, 50])
def test_moving_sum_keeps_no_residue_of_a_huge_value(width: int) -> None:
    values = np.ones((200, 1))
    values[60] = 1e30
    result = moving_sum(values, width)[:, 0]
    clear = np.array([not start <= 60 < start + width for start in range(len(result))])
    assert (result[clear] == width).all()
    assert (result[~clear] >= 1e29).all()


@modest
@given(offset=st.floats(-1e3, 1e3), spread=st.floats(1e-3, 1e3), channels=st.integers(1, 3), seed=st.integers(0, 99))
def test_scaling_has_an_inverse(offset: float, spread: float, channels: int, seed: int) -> None:
    series = offset + spread * np.random.default_rng(seed).normal(size=(50, channels))
    scaler = fit_scaler(series, "standard")
    scaled = standardise(series, scaler, "float64")
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(scaled * scaler.scale + scaler.shift, series, rtol=1e-9, atol=1e-9 * abs(offset))


def test_no_scaling_is_shift_0_and_scale_1() -> None:
    series = np.random.default_rng(0).normal(5.0, 3.0, (20, 2))
    scaler = fit_scaler(series, "none")
    assert (standardise(series, scaler, "float64") == series).all()


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9])
def test_a_constant_channel_keeps_its_unit(level: float) -> None:
    series = np.stack([np.full(1000, level), np.arange(1000.0)], axis=1)
    scaler = fit_scaler(series, "standard")
    assert scaler.scale[0] == 1.0
    assert scaler.scale[1] == pytest.approx(series[:, 1].std())
    assert scaler.shift[0] == pytest.approx(level)


def test_robust_scaling_is_that_of_normal_data_and_outliers_hardly_move_it() -> None:
    series = np.random.default_rng(0).normal(5.0, 3.0, (20_000, 2))
    clean = fit_scaler(series, "robust")
    assert clean.shift == pytest.approx([5.0, 5.0], abs=0.1)
    assert clean.scale == pytest.approx([3.0, 3.0], rel=0.03)
    series[::100, 0] = -999.0
    spoilt = fit_scaler(series, "robust")
    assert spoilt.shift[0] == pytest.approx(5.0, abs=0.1)
    assert spoilt.scale[0] == pytest.approx(3.0, rel=0.05), "not 100"
    assert (spoilt.shift[1], spoilt.scale[1]) == (clean.shift[1], clean.scale[1])
    assert fit_scaler(series, "standard").scale[0] > 99.0


@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_robust_scaling_of_a_mostly_constant_channel_takes_its_deviation(noise: float) -> None:
    series = np.zeros((1000, 1)) + noise * np.random.default_rng(0).normal(size=(1000, 1))
    series[::5] = 4.0
    scaler = fit_scaler(series, "robust")
    assert scaler.shift[0] == pytest.approx(0.0, abs=1e-8)
    assert scaler.scale[0] == pytest.approx(series.std())
    assert fit_scaler(np.full((9, 1), 3.0), "robust").scale == [1.0]


def test_centred_takes_the_mean_off_each_window() -> None:
    x = np.random.default_rng(0).normal(size=(7, 4, 2)) + 3.0
    seen, level = centred(x, False, np)
    np.testing.assert_allclose(seen.mean(axis=1), 0.0, atol=1e-14)
    np.testing.assert_allclose(seen + level, x, rtol=1e-14)


def test_a_missing_value_has_no_part_in_a_window_s_mean() -> None:
    x = np.array([[[1.0], [np.nan], [3.0]], [[np.nan], [np.nan], [np.nan]]])
    seen, level = centred(x, True, np)
    assert level.ravel().tolist() == [2.0, 0.0]
    np.testing.assert_array_equal(seen[0, :, 0], [-1.0, np.nan, 1.0])


def test_scaling_rounds_once_and_in_blocks_alike() -> None:
    series = np.random.default_rng(0).normal(1e6, 1.0, (2**18 + 3, 1))
    scaler = fit_scaler(series, "standard")
    scaled = standardise(series, scaler, "float32")
    assert scaled.dtype == np.float32
    assert (scaled == ((series - scaler.shift) / scaler.scale).astype(np.float32)).all()
