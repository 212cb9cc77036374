"""One pass through the model, in both backends, against the oracle; and that each comparison can fail."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.conftest import (
    BACKENDS,
    assert_all_close,
    assert_close,
    assert_close_in_range,
    rounding,
)
from tests.helpers.calibrations import made_up
from tests.helpers.cases import CASES, Case, shifted
from tests.oracle import reference
from twinvae.config import KINDS, Config
from twinvae.network.backend import STATISTICS, load_backend
from twinvae.network.net import Net
from twinvae.network.parameters import draw
from twinvae.scoring.calibration import DURATIONS
from twinvae.scoring.formulas import Calibration
from twinvae.scoring.kinds import contributions


def calibration(case: "Case") -> Calibration:
    """Of no fit, with random numbers to divide errors by."""
    return made_up(case.series.shape[1], case.config.window, durations=DURATIONS, dtype=case.config.dtype, seed=1)


@pytest.fixture(scope="module")
def statistics_of() -> Callable[[str, str, str], dict[str, np.ndarray]]:
    """All statistics of a case by a backend, in one program: JAX would compile for each of them."""
    found: dict[tuple[str, str, str], dict[str, np.ndarray]] = {}

    def computed(backend_name: str, case_name: str, dtype: str) -> dict[str, np.ndarray]:
        key = backend_name, case_name, dtype
        if key not in found:
            case, backend = Case(case_name, dtype, 6), load_backend(backend_name)
            found[key] = backend.statistics(case.net, case.parameters, case.series, STATISTICS, "auto")
        return found[key]

    return computed


@pytest.fixture(params=CASES)
def case_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=("float32", "float64"))
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("dtype", "seed"), [("float32", 0), ("float64", 1)])
def test_encode_is_the_oracle_s(backend: Any, case_name: str, dtype: str, seed: int) -> None:
    case = Case(case_name, dtype, seed)
    mean, log_variance = backend.encode(case.net, case.parameters, case.series, "auto")
    expected = reference.encode(case.every, case.exact)
    assert mean.dtype == log_variance.dtype == dtype
    assert_close(mean, expected[0], rounding(dtype), "mean")
    assert_close(log_variance, expected[1], rounding(dtype), "log-variance")


@pytest.mark.parametrize(("dtype", "seed"), [("float32", 0), ("float64", 1)])
def test_loss_terms_and_every_gradient_are_the_oracle_s(
    backend_name: str, case_name: str, dtype: str, seed: int
) -> None:
    case = Case(case_name, dtype, seed)
    result = case.gradient(backend_name)
    squared, divergence = case.reference_loss()
    assert_close(result.squared_error, squared, rounding(dtype), "squared error")
    assert_close(result.divergence, divergence.sum(), rounding(dtype), "divergence")
    assert_all_close(result.parameters, case.reference_gradient(), rounding(dtype))
    assert all(array.dtype == dtype for array in result.parameters.values())


def test_gradients_of_the_two_backends_agree(case_name: str) -> None:
    case = Case(case_name, "float32", 2)
    one, other = (case.gradient(name) for name in BACKENDS)
    assert_all_close(one.parameters, other.parameters, rounding("float32"))


def test_gradient_of_the_oracle_is_that_of_finite_differences(case_name: str) -> None:
    case = Case(case_name, "float64", 3)
    generator = np.random.default_rng(0)
    step = 1e-6
    for name, slope in case.reference_gradient().items():
        numeric, exact = [], []
        for index in generator.choice(slope.size, min(slope.size, 8), replace=False):
            ends = []
            for sign in (-1, 1):
                moved = {key: array.copy() for key, array in case.parameters.items()}
                moved[name].flat[index] += sign * step
                squared, divergence = reference.loss(case.flat, case.weights, case.noise, moved)
                ends.append(squared + case.config.beta * divergence.sum())
            numeric.append((ends[1] - ends[0]) / (2 * step))
            exact.append(slope.flat[index])
        np.testing.assert_allclose(numeric, exact, rtol=1e-5, atol=1e-6 * np.abs(slope).max(), err_msg=name)


def test_statistics_of_a_latent_draw_are_the_oracle_s(backend: Any, dtype: str) -> None:
    case = Case("three channels", dtype, 4)
    noise = np.random.default_rng(0).normal(size=case.config.latent_dim).astype(dtype)
    every = reference.windows(case.series.astype(np.float64), case.config.window)
    flat = every.reshape(len(every), -1)
    mean, log_variance = reference.encode(flat, case.exact)
    x_hat = reference.decode(mean + np.exp(log_variance / 2) * noise, case.exact).reshape(every.shape)
    result = backend.statistics(case.net, case.parameters, case.series, ("window",), "auto", noise)
    assert_close(result["window"], ((every - x_hat) ** 2).mean(axis=1), rounding(dtype))


def test_divergence_of_each_window_is_the_oracle_s(backend: Any, dtype: str) -> None:
    case = Case("three channels", dtype, 5)
    every = reference.windows(case.series.astype(np.float64), case.config.window)
    mean, log_variance = reference.encode(every.reshape(len(every), -1), case.exact)
    expected = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    result = backend.statistics(case.net, case.parameters, case.series, ("divergence",), "auto")
    assert_close(result["divergence"][:, 0], expected, rounding(dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_oracle_s(statistics_of: Any, backend_name: str, case_name: str, dtype: str, kind: Any) -> None:
    case = Case(case_name, dtype, 6)
    window, known = case.config.window, calibration(case)
    series = case.series.astype(np.float64)
    expected = reference.scores(series, case.exact, window, kind, known, centring=case.config.centring)
    statistics = statistics_of(backend_name, case_name, dtype)
    scores = contributions(kind, case.series, statistics, window, known)
    assert_close(scores, expected, rounding(dtype), kind)
    assert scores.dtype == dtype


def test_a_bound_scorer_is_the_window_statistic(
    statistics_of: Any, backend_name: str, case_name: str, dtype: str
) -> None:
    case = Case(case_name, dtype, 6)
    expected = statistics_of(backend_name, case_name, dtype)["window"].mean(axis=1)
    scored = load_backend(backend_name).bind(case.net, case.parameters, "auto")(
        reference.windows(case.series, case.config.window)
    )
    assert_close(scored, expected, rounding(dtype))


@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_add_up_to_the_scores_of_one_block(
    backend_name: str, dtype: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend: Any = load_backend(backend_name)
    config = Config(window=7, hidden_dim=4, latent_dim=2, dtype=dtype)  # type: ignore[arg-type]
    series = np.random.default_rng(8).normal(size=(64 * 4 + 13, channels)).astype(dtype)
    net = Net.of(config, channels)
    parameters = draw(net, 0)
    whole = backend.statistics(net, parameters, series, STATISTICS, "auto")
    whole |= dict(zip(("mean", "log-variance"), backend.encode(net, parameters, series, "auto"), strict=True))
    monkeypatch.setattr(f"vae_{backend_name}.score.BLOCK_VALUES", 1)  # blocks of 64 windows, the least
    blocks = backend.statistics(net, parameters, series, STATISTICS, "auto")
    blocks |= dict(zip(("mean", "log-variance"), backend.encode(net, parameters, series, "auto"), strict=True))
    assert_all_close(blocks, whole, rounding(dtype))


# Each comparison can fail.


@pytest.mark.parametrize("name", ["encoder.bias", "posterior.bias", "decoder.bias", "output.bias"])
def test_gradient_comparison_fails_on_a_bias_shifted_by_a_millionth(backend_name: str, name: str) -> None:
    case = Case("tutorial", "float64", 0)
    case.parameters["encoder.bias"][0] = case.parameters["decoder.bias"][0] = 3.0  # that unit is active everywhere
    result = case.gradient(backend_name, shifted(case.parameters, name, 1e-6))
    with pytest.raises(AssertionError, match="off by"):
        assert_all_close(result.parameters, case.reference_gradient(), rounding("float64"))


@pytest.mark.parametrize(("dtype", "by"), [("float64", 1e-6), ("float32", 1e-4)])
def test_encode_comparison_fails_on_a_shifted_bias(backend: Any, dtype: str, by: float) -> None:
    case = Case("tutorial", dtype, 0)
    mean, _ = backend.encode(case.net, shifted(case.parameters, "posterior.bias", by), case.series, "auto")
    every = reference.windows(case.series.astype(np.float64), case.config.window).reshape(case.windows, -1)
    with pytest.raises(AssertionError, match="off by"):
        assert_close(mean, reference.encode(every, case.exact)[0], rounding(dtype))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "neighbour"])  # that knows no network
@pytest.mark.parametrize(("dtype", "by"), [("float64", 1e-6), ("float32", 1e-3)])
def test_score_comparison_fails_on_a_shifted_bias(backend: Any, kind: Any, dtype: str, by: float) -> None:
    case = Case("window of one" if kind == "causal" else "three channels", dtype, 0)
    bias = "posterior.bias" if kind == "divergence" else "output.bias"
    moved = {**case.parameters, bias: case.parameters[bias] + np.dtype(dtype).type(by)}
    window, known = case.config.window, calibration(case)
    statistics = backend.statistics(case.net, moved, case.series, STATISTICS, "auto")
    expected = reference.scores(case.series.astype(np.float64), case.exact, window, kind, known)
    scores = contributions(kind, case.series, statistics, window, known)
    with pytest.raises(AssertionError, match="off by"):
        assert_close(scores, expected, rounding(dtype), kind)


def test_comparison_fails_on_nan_and_on_another_shape() -> None:
    with pytest.raises(AssertionError):
        assert_close([1.0, np.nan], [1.0, 2.0], 1.0)
    with pytest.raises(AssertionError, match="shape"):
        assert_close([1.0], [1.0, 2.0], 1.0)
    with pytest.raises(AssertionError):
        assert_all_close({}, {"bias": np.ones(1)}, 1.0)
    with pytest.raises(AssertionError):
        assert_close_in_range([1.0, 2.1], [1.0, 2.0], 1e-5)
