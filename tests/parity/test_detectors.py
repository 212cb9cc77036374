"""Fitted detectors of both backends against the oracle, and against each other."""

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
    unchecked,
)
from tests.helpers.cases import SMALL
from tests.oracle import reference
from twinvae.config import KINDS, Config
from twinvae.data.synthetic import noisy_sine, suite
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters, draw
from twinvae.network.schedule import chunks
from twinvae.scoring.events import Event


def places(events: list[Event]) -> list[tuple[int, int, int]]:
    return [(event.start, event.end, event.peak) for event in events]


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
        expected = reference.scores(series, parameters, 50, kind, detector.calibration_).mean(axis=1)
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


@pytest.mark.parametrize("seed", range(3))
def test_the_same_weights_score_alike_in_float32(seed: int, tmp_path: Any) -> None:
    data = noisy_sine(seed)
    detector_of("jax")(preset="tutorial", seed=seed, epochs=20).fit(data.normal).save(tmp_path / "model.safetensors")
    loaded = [detector_of(name).load(tmp_path / "model.safetensors") for name in BACKENDS]
    for kind in KINDS:
        one, other = (detector.decision_function(data.anomalous, kind=kind) for detector in loaded)
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
    [("jax", range(20)), ("torch", range(3)), pytest.param("torch", range(3, 20), marks=pytest.mark.slow)],
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


@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_default_preset_is_the_same_detector_in_both_backends(channels: int) -> None:
    series = next(suite(0)).values[:, [0] * channels]  # 2,000 normal steps come first
    one, other = (detector_of(name)(dtype="float64", epochs=20).fit(series[:2000]) for name in BACKENDS)
    assert one.config_ == other.config_
    assert one.config_.kind == "ensemble"
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
