"""Both backends against the oracle, and against each other; and that each comparison can fail."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
import pytest

from tests.conftest import (
    BACKENDS,
    NO_GPU,
    assert_all_close,
    assert_close,
    assert_close_in_range,
    detector_of,
    rounding,
    unchecked,
)
from tests.helpers.gradients import Gradient, gradient
from tests.oracle import reference
from twinvae.config import KINDS, Config
from twinvae.data.synthetic import noisy_sine, suite
from twinvae.network.backend import STATISTICS, load_backend
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters, draw
from twinvae.network.schedule import Chunk, chunks
from twinvae.scoring.calibration import DURATIONS
from twinvae.scoring.events import Event
from twinvae.scoring.kinds import SCORES, Calibration, contributions

SMALL = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 3, "batch_size": 8}
CASES = {
    "tutorial": ({}, 1, 90),
    "last batch of one": (SMALL, 1, 4 + 2 * 8 + 1),
    "batch larger than the windows": (SMALL | {"batch_size": 64}, 1, 12),
    "three channels": (SMALL, 3, 40),
    "window of one": (SMALL | {"window": 1}, 2, 30),
    "one window": (SMALL, 2, 5),
    "beta 0": (SMALL | {"beta": 0.0}, 1, 40),
    "centred": (SMALL | {"centring": "window"}, 2, 40),
    "beta warms up": (SMALL | {"beta": 3.0, "beta_warm_up": 2}, 1, 40),
}


def places(events: list[Event]) -> list[tuple[int, int, int]]:
    return [(event.start, event.end, event.peak) for event in events]


def calibration(case: "Case") -> Calibration:
    """Errors are divided by 1, and the steps that are warming up score 0.25."""
    channels = case.series.shape[1]
    return Calibration(0.25, DURATIONS, np.ones((len(DURATIONS), channels)), np.ones(channels))


class Case:
    """A configuration, its weights, and a series."""

    def __init__(self, name: str, dtype: str, seed: int) -> None:
        settings, channels, length = CASES[name]
        self.config = Config(**settings, dtype=dtype)  # type: ignore[arg-type]
        generator = np.random.default_rng(seed)
        self.series = generator.normal(size=(length, channels)).astype(dtype)
        self.net = Net.of(self.config, channels)
        self.parameters = draw(self.net, seed)
        self.windows = length - self.config.window + 1
        batch = min(self.config.batch_size, self.windows)
        self.x = reference.windows(self.series, self.config.window)[:batch]
        self.weights = (generator.random(batch) > 0.2).astype(dtype)
        self.weights[0] = 1.0
        self.noise = generator.normal(size=(batch, self.config.latent_dim)).astype(dtype)

    @property
    def flat(self) -> np.ndarray:
        """The batch as the oracle takes it: in float64, so that its rounding is not counted."""
        seen = reference.seen(self.x.astype(np.float64), self.config.centring)
        return seen.reshape(len(self.x), -1)

    @property
    def every(self) -> np.ndarray:
        """All windows, as the model sees them."""
        windows = reference.windows(self.series.astype(np.float64), self.config.window)
        return reference.seen(windows, self.config.centring).reshape(self.windows, -1)

    @property
    def exact(self) -> Parameters:
        return {name: array.astype(np.float64) for name, array in self.parameters.items()}

    def gradient(self, name: str, parameters: Parameters | None = None) -> Gradient:
        """That of a backend, at the case's parameters or at others."""
        batch = self.x, self.weights, self.noise
        return gradient(name, self.net, parameters or self.parameters, *batch, self.config.beta)

    def train(self, backend: Any, steps: Iterable[Chunk] | None = None, parameters: Parameters | None = None) -> Any:
        """The states of a training run: of these chunks or of all, from the case's parameters or from others."""
        some = chunks(self.windows, self.config, 0) if steps is None else steps
        return backend.train(self.net, parameters or self.parameters, self.series, some, self.config)

    def reference_gradient(self) -> Parameters:
        weights, noise = self.weights.astype(np.float64), self.noise.astype(np.float64)
        return reference.gradient(self.flat, weights, noise, self.exact, self.config.beta)

    def reference_loss(self) -> tuple[Any, Any]:
        weights, noise = self.weights.astype(np.float64), self.noise.astype(np.float64)
        return reference.loss(self.flat, weights, noise, self.exact)


@pytest.fixture(params=CASES)
def case_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=("float32", "float64"))
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shifted(parameters: Parameters, name: str, by: float) -> Parameters:
    """The parameters with one element of one bias moved."""
    moved = {key: array.copy() for key, array in parameters.items()}
    moved[name][0] += by
    return moved


# One pass.


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
def test_scores_are_the_oracle_s(backend: Any, case_name: str, dtype: str, kind: Any) -> None:
    case = Case(case_name, dtype, 6)
    expected = reference.scores(
        case.series.astype(np.float64), case.exact, case.config.window, kind, centring=case.config.centring
    )
    expected = np.where(np.isnan(expected), 0.25, expected)
    (statistic,) = backend.statistics(
        case.net, case.parameters, case.series, (SCORES[kind].statistic,), "auto"
    ).values()
    scores = contributions(kind, case.series, statistic, case.config.window, calibration(case))
    assert_close(scores, expected, rounding(dtype), kind)
    assert scores.dtype == dtype


def test_a_bound_scorer_is_the_window_statistic(backend: Any, case_name: str, dtype: str) -> None:
    case = Case(case_name, dtype, 7)
    expected = backend.statistics(case.net, case.parameters, case.series, ("window",), "auto")["window"].mean(axis=1)
    scored = backend.bind(case.net, case.parameters, "auto")(reference.windows(case.series, case.config.window))
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "by"), [("float64", 1e-6), ("float32", 1e-3)])
def test_score_comparison_fails_on_a_shifted_bias(backend: Any, kind: Any, dtype: str, by: float) -> None:
    case = Case("window of one" if kind == "causal" else "three channels", dtype, 0)
    bias = "posterior.bias" if kind == "divergence" else "output.bias"
    moved = {**case.parameters, bias: case.parameters[bias] + np.dtype(dtype).type(by)}
    (statistic,) = backend.statistics(case.net, moved, case.series, (SCORES[kind].statistic,), "auto").values()
    expected = reference.scores(case.series.astype(np.float64), case.exact, case.config.window, kind)
    expected = np.where(np.isnan(expected), 0.25, expected)
    scores = contributions(kind, case.series, statistic, case.config.window, calibration(case))
    with pytest.raises(AssertionError, match="off by"):
        assert_close(scores, expected, rounding(dtype), kind)


def test_run_comparison_fails_on_a_bias_shifted_by_a_millionth(backend: Any) -> None:
    case = Case("three channels", "float64", 0)
    wrong = shifted(case.parameters, "output.bias", 1e-6)
    *_, last = case.train(backend, parameters=wrong)
    expected, _ = oracle_run(case)
    with pytest.raises(AssertionError, match="off by"):
        assert_all_close(last.parameters, expected, 1e-10)


def test_comparison_fails_on_nan_and_on_another_shape() -> None:
    with pytest.raises(AssertionError):
        assert_close([1.0, np.nan], [1.0, 2.0], 1.0)
    with pytest.raises(AssertionError, match="shape"):
        assert_close([1.0], [1.0, 2.0], 1.0)
    with pytest.raises(AssertionError):
        assert_all_close({}, {"bias": np.ones(1)}, 1.0)
    with pytest.raises(AssertionError):
        assert_close_in_range([1.0, 2.1], [1.0, 2.0], 1e-5)


# Training.


def oracle_run(case: Case, steps: int | None = None) -> tuple[Parameters, np.ndarray]:
    config = case.config
    return reference.train(
        case.parameters,
        case.series,
        chunks(case.windows, config, 0),
        window=config.window,
        beta=config.beta,
        learning_rate=config.learning_rate,
        steps=steps,
        centring=config.centring,
    )


@pytest.mark.parametrize("name", CASES)
def test_ten_steps_of_training_are_the_oracle_s(backend: Any, name: str) -> None:
    case = Case(name, "float64", 9)
    ten = [
        chunk._replace(used=1)  # so that ten steps end where the oracle's do
        for chunk in islice(chunks(case.windows, case.config, 0, limit=1), 10)
    ]
    expected, expected_terms = oracle_run(case, steps=len(ten))
    results = list(case.train(backend, ten))
    assert_all_close(results[-1].parameters, expected, 1e-10)
    assert_close(np.concatenate([result.terms for result in results]), expected_terms, 1e-10)


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_the_oracle_s_and_leaves_its_arguments_alone(backend: Any, name: str) -> None:
    case = Case(name, "float64", 10)
    if name == "tutorial":
        case.config = Config(epochs=3, dtype="float64")
    before, series = {key: array.copy() for key, array in case.parameters.items()}, case.series.copy()
    expected, expected_terms = oracle_run(case)
    results = list(case.train(backend))
    assert_all_close(results[-1].parameters, expected, 1e-10)
    assert_close(np.concatenate([result.terms for result in results]), expected_terms, 1e-10)
    assert all((case.parameters[key] == array).all() for key, array in before.items())
    assert (case.series == series).all()


def test_a_run_without_the_warm_up_is_another(backend: Any) -> None:
    case = Case("beta warms up", "float64", 10)
    plain = [chunk._replace(beta_scale=None) for chunk in chunks(case.windows, case.config, 0)]
    *_, last = case.train(backend, plain)
    with pytest.raises(AssertionError, match="off by"):
        assert_all_close(last.parameters, oracle_run(case)[0], 1e-10)


def test_what_a_chunk_yields_is_not_changed_by_the_next(backend: Any) -> None:
    case = Case("three channels", "float64", 10)
    running = case.train(backend, chunks(case.windows, case.config, 0, limit=2))
    first = next(running)
    copies = {name: array.copy() for name, array in first.parameters.items()}
    last = list(running)[-1]
    assert all((first.parameters[name] == array).all() for name, array in copies.items())
    assert any((last.parameters[name] != array).any() for name, array in copies.items())


@pytest.fixture(scope="module")
def whole_run() -> tuple[np.ndarray, Parameters, np.ndarray]:
    """The tutorial's series, and the parameters and terms of the oracle after the tutorial's 100 epochs."""
    series, config = noisy_sine(0).normal[:, None], Config(dtype="float64")
    parameters, terms = reference.train(
        draw(Net.of(config, 1), 0),
        series,
        chunks(451, config, 0),
        window=config.window,
        beta=config.beta,
        learning_rate=config.learning_rate,
    )
    return series, parameters, terms


@pytest.fixture(scope="module")
def exact_detectors() -> dict[str, Any]:
    """Both detectors, trained apart on the tutorial's series in float64."""
    with unchecked():
        normal = noisy_sine(0).normal
        return {name: detector_of(name)(preset="tutorial", dtype="float64").fit(normal) for name in BACKENDS}


def test_the_tutorial_s_whole_run_is_the_oracle_s(
    backend_name: str, exact_detectors: dict[str, Any], whole_run: tuple[np.ndarray, Parameters, np.ndarray]
) -> None:
    series, parameters, terms = whole_run
    detector = exact_detectors[backend_name]
    assert_all_close(detector.parameters_, parameters, 1e-10)
    epochs = terms.reshape(100, 15, 11).sum(axis=1) / 451
    kl = epochs[:, 1:].sum(axis=1)
    assert_close(detector.history_["reconstruction"], epochs[:, 0], 1e-10)
    assert_close(detector.history_["kl"], kl, 1e-10)
    assert_close(detector.history_["kl_per_dimension"], epochs[:, 1:], 1e-10)
    assert_close(detector.history_["loss"], epochs[:, 0] + 2.0 * kl, 1e-10)
    for kind in ("point", "reconstruction", "window", "divergence"):
        expected = reference.scores(series, parameters, 50, kind).mean(axis=1)
        assert_close_in_range(detector.decision_function(series, kind=kind), expected, 1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_detectors_trained_apart_in_float64_agree(exact_detectors: dict[str, Any], kind: Any) -> None:
    one, other = exact_detectors.values()
    series = noisy_sine(0).anomalous
    assert_close_in_range(one.decision_function(series, kind=kind), other.decision_function(series, kind=kind), 1e-10)
    assert (one.predict(series, kind=kind) == other.predict(series, kind=kind)).all()
    events = [detector.events(series, kind=kind) for detector in (one, other)]
    assert places(events[0]) == places(events[1])
    assert len(events[0]) == (kind != "divergence")  # its peak is 4 times the largest in training, the margin 6
    assert one.thresholds_[kind] == pytest.approx(other.thresholds_[kind], rel=1e-9)
    assert (one.labels_ == other.labels_).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 20))
def test_detectors_of_every_demo_seed_agree_in_float64(seed: int) -> None:
    data = noisy_sine(seed)
    settings = {"preset": "tutorial", "seed": seed, "dtype": "float64"}
    one, other = (detector_of(name)(**settings).fit(data.normal) for name in BACKENDS)
    expected = one.decision_function(data.anomalous)
    assert_close_in_range(other.decision_function(data.anomalous), expected, 1e-10)
    assert (one.predict(data.anomalous) == other.predict(data.anomalous)).all()
    found = [places(detector.events(data.anomalous)) for detector in (one, other)]
    assert found[0] == found[1]
    assert len(found[0]) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_same_weights_score_alike_in_float32(kind: Any, seed: int, tmp_path: Any) -> None:
    data = noisy_sine(seed)
    detector_of("jax")(preset="tutorial", seed=seed, epochs=20).fit(data.normal).save(tmp_path / "model.safetensors")
    one, other = (
        detector_of(name).load(tmp_path / "model.safetensors").decision_function(data.anomalous, kind=kind)
        for name in BACKENDS
    )
    assert one.dtype == other.dtype == np.float32
    assert_close_in_range(one, other.astype(np.float64), 1e-5)


@pytest.mark.parametrize(("writer", "reader"), [BACKENDS, BACKENDS[::-1]])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_fitted_in_one_backend_scores_alike_in_the_other(
    writer: str, reader: str, channels: int, tmp_path: Any
) -> None:
    series = np.random.default_rng(0).normal(size=(60, channels))
    detector = detector_of(writer)(**SMALL, scaling="standard", dtype="float64").fit(series)
    detector.save(tmp_path / "model.safetensors")
    other = detector_of(reader).load(tmp_path / "model.safetensors")
    assert all((other.parameters_[name] == array).all() for name, array in detector.parameters_.items())
    for kind in KINDS:
        expected = detector.decision_function(series, kind=kind)
        assert_close_in_range(other.decision_function(series, kind=kind), expected, 1e-10)
        assert other.events(series, kind=kind) == pytest.approx(detector.events(series, kind=kind))


@pytest.mark.parametrize(
    ("name", "seeds"),
    [("jax", range(20)), ("torch", range(6)), pytest.param("torch", range(6, 20), marks=pytest.mark.slow)],
)
def test_the_injected_spike_is_the_one_event_on_twenty_seeds(name: str, seeds: range) -> None:
    for seed in seeds:
        data = noisy_sine(seed)
        with unchecked():
            detector = detector_of(name)(preset="tutorial", seed=seed).fit(data.normal)
        events = detector.events(data.anomalous)
        assert len(events) == 1, f"seed {seed}: {events}"
        event = events[0]
        assert event.start >= 280, f"seed {seed}: {event}"
        assert event.end <= 340, f"seed {seed}: {event}"
        assert 300 <= event.peak < 320, f"seed {seed}: {event}"
        assert not detector.labels_.any()


@pytest.mark.parametrize("channels", [1, 2])
def test_the_default_preset_is_the_same_detector_in_both_backends(channels: int) -> None:
    series = next(suite(0)).values[:, [0] * channels]  # 2,000 normal steps come first
    one, other = (detector_of(name)(dtype="float64", epochs=20).fit(series[:2000]) for name in BACKENDS)
    assert one.config_ == other.config_
    assert one.config_.kind == "multiscale"
    expected = one.decision_function(series)
    assert_close_in_range(other.decision_function(series), expected, 1e-9)
    assert places(other.events(series)) == places(one.events(series))


@pytest.mark.gpu
def test_scores_on_a_gpu_are_those_of_the_cpu(backend_name: str) -> None:
    detector = detector_of(backend_name)(**SMALL, device="cpu").fit(noisy_sine(0).normal)
    expected = detector.decision_function(noisy_sine(0).anomalous)
    detector.set_params(device="gpu")
    try:
        detector.fit(noisy_sine(0).normal)
    except ValueError as error:
        assert "gpu" in str(error)  # noqa: PT017
        pytest.skip(NO_GPU)
    assert detector.config_.device == "gpu"
    assert_close_in_range(detector.decision_function(noisy_sine(0).anomalous), expected.astype(np.float64), 1e-2)
