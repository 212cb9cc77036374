"""jaxlib 0.10.2 compiles wrong sums of squares on the CPU: its case, and ours, against NumPy."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.conftest import assert_all_close, assert_close, rounding
from tests.helpers.calibrations import made_up
from tests.helpers.gradients import gradient
from tests.oracle import reference
from twinvae.config import KINDS, Config
from twinvae.network.backend import STATISTICS, load_backend
from twinvae.network.net import Net
from twinvae.network.parameters import draw
from twinvae.scoring.calibration import DURATIONS
from twinvae.scoring.kinds import SCORES, contributions


@pytest.mark.parametrize(("rows", "columns"), [(32_768, 8), (32_769, 8), (40_000, 50), (65_536, 50), (100_001, 10)])
def test_a_compiled_sum_of_squares_of_products_is_right(rows: int, columns: int) -> None:
    x, m = np.ones((rows, columns), np.float32), np.ones((columns, columns), np.float32)
    found = float(jax.jit(lambda array: ((array @ m) ** 2).sum())(x))
    assert found == pytest.approx(rows * columns**3, rel=1e-4)
    assert (rows, columns) != (32_769, 8) or found == pytest.approx(16_777_728, rel=1e-4)


@pytest.mark.parametrize("rows", [32_769, 40_000])
def test_its_gradient_is_right(rows: int) -> None:
    x, m = np.ones((rows, 8), np.float32), np.ones((8, 8), np.float32)
    found = jax.jit(jax.grad(lambda matrix: ((x @ matrix) ** 2).sum()))(m)
    np.testing.assert_allclose(found, np.full((8, 8), 2.0 * rows * 8), rtol=1e-4)


def windows_statistics(series: np.ndarray, parameters: Any, config: Config) -> dict[str, np.ndarray]:
    """The statistics, by NumPy in float64, without a loop over the windows."""
    window, channels = config.window, series.shape[1]
    exact = {name: array.astype(np.float64) for name, array in parameters.items()}
    values = series.astype(np.float64)
    x = np.lib.stride_tricks.sliding_window_view(values, window, axis=0).transpose(0, 2, 1)
    flat = x.reshape(len(x), -1)
    mean, log_variance = reference.encode(flat, exact)
    x_hat = reference.decode(mean, exact).reshape(len(x), window, channels)
    squared = (x - x_hat) ** 2
    point, average, covering = (np.zeros_like(values) for _ in range(3))
    for offset in range(window):
        rows = slice(offset, offset + len(x))
        point[rows] += squared[:, offset]
        average[rows] += x_hat[:, offset]
        covering[rows] += 1
    divergence = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    return {
        "point": point / covering,
        "reconstruction": average / covering,
        "window": squared.mean(axis=1),
        "causal": squared[:, -1],
        "divergence": divergence[:, None],
    }


@pytest.mark.parametrize("windows", [32_769, 40_000, 70_001])
@pytest.mark.parametrize("one_block", [True, False])
def test_our_statistics_of_a_long_series_are_numpy_s(
    windows: int, one_block: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(window=8, hidden_dim=8, latent_dim=3)
    series = np.random.default_rng(0).normal(size=(windows + 7, 1)).astype(np.float32)
    net = Net.of(config, 1)
    parameters = draw(net, 0)
    if one_block:
        monkeypatch.setattr("vae_jax.score.BLOCK_VALUES", 2**24)
    found = load_backend("jax").statistics(net, parameters, series, STATISTICS, "auto")
    expected = windows_statistics(series, parameters, config)
    assert_all_close(found, expected, rounding("float32"))


def test_our_scores_at_the_tutorial_s_size_are_numpy_s() -> None:
    config = Config()
    series = np.random.default_rng(0).normal(size=(40_049, 1)).astype(np.float32)
    net = Net.of(config, 1)
    parameters = draw(net, 0)
    expected = windows_statistics(series, parameters, config)
    nothing_known = made_up(1, 50, durations=DURATIONS)
    for kind in KINDS:
        names = SCORES[kind].statistics
        statistics = load_backend("jax").statistics(net, parameters, series, names, "auto") if names else {}
        wanted = contributions(kind, series.astype(np.float64), expected, 50, nothing_known)
        assert_close(contributions(kind, series, statistics, 50, nothing_known), wanted, rounding("float32"), kind)


def test_our_bound_scorer_on_many_windows_is_numpy_s() -> None:
    config = Config()
    windows = np.random.default_rng(0).normal(size=(40_000, 50, 1)).astype(np.float32)
    net = Net.of(config, 1)
    parameters = draw(net, 0)
    exact = {name: array.astype(np.float64) for name, array in parameters.items()}
    flat = windows[:, :, 0].astype(np.float64)
    expected = ((flat - reference.decode(reference.encode(flat, exact)[0], exact)) ** 2).mean(axis=1)
    assert_close(load_backend("jax").bind(net, parameters, "auto")(windows), expected, rounding("float32"))


@pytest.mark.parametrize("batch", [32_769, 40_000])
def test_our_loss_and_gradient_of_many_windows_are_numpy_s(batch: int) -> None:
    config = Config(window=8, hidden_dim=8, latent_dim=3)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(batch, 8, 1)).astype(np.float32)
    noise = generator.normal(size=(batch, 3)).astype(np.float32)
    weights = np.ones(batch, np.float32)
    net = Net.of(config, 1)
    parameters = draw(net, 0)
    exact = {name: array.astype(np.float64) for name, array in parameters.items()}
    flat, e, w = x[:, :, 0].astype(np.float64), noise.astype(np.float64), weights.astype(np.float64)
    found = gradient("jax", net, parameters, x, weights, noise, config.beta)
    squared, divergence = reference.loss(flat, w, e, exact)
    assert found.squared_error == pytest.approx(squared, rel=1e-4)
    assert found.divergence == pytest.approx(divergence.sum(), rel=1e-4)
    assert_all_close(found.parameters, reference.gradient(flat, w, e, exact, config.beta), 1e-3)


def test_a_compiled_score_of_one_number_is_numpy_s() -> None:
    """The mean of a bound scorer inside a program: what a compiler may fuse most."""
    from vae_jax._vector import flatten
    from vae_jax.model import to_state
    from vae_jax.score import _window_program  # the program that `bind` calls

    net = Net.of(Config(), 1)
    windows = np.random.default_rng(0).normal(size=(40_000, 50, 1)).astype(np.float32)
    vectors = tuple(map(jnp.asarray, flatten(to_state(draw(net, 0)), net)))
    score = partial(_window_program(net, 40_000), vectors)
    total = float(jax.jit(lambda array: jnp.sum(score(array)))(windows))
    assert total == pytest.approx(float(np.asarray(score(windows)).sum(dtype=np.float64)), rel=1e-4)
    slope = jax.jit(jax.grad(lambda array: jnp.sum(score(array))))(windows)
    part = jax.jit(jax.grad(lambda array: jnp.sum(score(array))))(windows[:100])
    assert_close(slope[:100], part, rounding("float32"))
