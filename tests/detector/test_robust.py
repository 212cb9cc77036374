"""Training series that hold anomalies, and levels that change: trim and centring, in both backends."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import BACKENDS, assert_all_close, assert_close, assert_close_in_range, detector_of
from tests.oracle import reference
from twinvae.config import KINDS, Config
from twinvae.network.net import Net
from twinvae.network.parameters import draw
from twinvae.network.schedule import chunks
from twinvae.scoring.kinds import SCORES
from twinvae.series.scaling import standardise

SIZES = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 5, "batch_size": 8}
SMALL = {"preset": "tutorial", **SIZES, "dtype": "float64"}
RANDOM = np.random.default_rng(0)
PLAIN = np.sin(np.arange(120) / 3.0) + 0.1 * RANDOM.normal(size=120)
CHANNELS = np.stack([PLAIN, RANDOM.normal(size=120)], axis=1)
MOVE = np.array([100.0, -7.0])
SPOILT = PLAIN.copy()
SPOILT[60:63] += 5.0
LATER = PLAIN.copy()
LATER[90:93] += 5.0


# Trim.


@pytest.mark.parametrize("settings", [{}, {"draws": 2}, {"validation_fraction": 0.25}, {"centring": "window"}])
def test_trimmed_detectors_of_both_backends_agree(settings: dict[str, Any]) -> None:
    chosen = {**SMALL, "scaling": "robust", "trim": 0.1, **settings}
    one, other = (detector_of(name)(**chosen).fit(CHANNELS) for name in BACKENDS)
    for kind in KINDS:
        assert other.thresholds_[kind] == pytest.approx(one.thresholds_[kind], rel=1e-9)
        assert_close_in_range(
            other.decision_function(CHANNELS, kind=kind), one.decision_function(CHANNELS, kind=kind), 1e-10
        )
    assert other.thresholds_["single_window"] == pytest.approx(one.thresholds_["single_window"], rel=1e-9)


@pytest.mark.parametrize("kind", ["multiscale", "point", "reconstruction", "window"])
def test_an_anomaly_in_training_blinds_the_detector_unless_it_is_trimmed(detector_class: Any, kind: Any) -> None:
    chosen = SMALL | {"kind": kind, "margin": 2.0, "least_height": 0.1}
    assert not detector_class(**chosen).fit(SPOILT).predict(LATER).any()
    detector = detector_class(**chosen, trim=0.1).fit(SPOILT)
    assert detector.predict(LATER)[90:93].any()
    assert not detector.predict(PLAIN).any()
    scores = detector.decision_function(SPOILT)
    assert_close(detector.decision_scores_, scores, 1e-13)
    assert detector.labels_[60:63].any(), "what was left out is an alarm"


def test_calibration_leaves_out_the_steps_of_the_windows_with_the_largest_errors(detector_class: Any) -> None:
    detector = detector_class(**SMALL, trim=0.1, margin=1.0).fit(SPOILT)
    steps = np.argsort(-detector.decision_function(SPOILT, kind="window")[4:-4], kind="stable")[11:] + 4
    for kind in ("point", "reconstruction", "window"):
        scores = detector.decision_function(SPOILT, kind=kind)
        assert detector.thresholds_[kind] == pytest.approx(scores[steps].max(), rel=1e-12)
    errors = np.sort(detector.window_scorer()(reference.windows(SPOILT[:, None], 5)))
    assert detector.thresholds_["single_window"] == pytest.approx(errors[-12], rel=1e-12)


def test_trim_changes_calibration_and_nothing_of_the_training(detector_class: Any) -> None:
    one, other = detector_class(**SMALL).fit(SPOILT), detector_class(**SMALL, trim=0.1).fit(SPOILT)
    assert all((one.parameters_[name] == array).all() for name, array in other.parameters_.items())
    assert one.history_ == other.history_
    assert all(other.thresholds_[kind] < one.thresholds_[kind] for kind in KINDS if not SCORES[kind].averaged)
    for kind in ("multiscale", "causal_multiscale"):
        assert (other.calibration_.largest[kind] < one.calibration_.largest[kind]).all()
    bank = other.calibration_.memory.banks["shape"]
    assert not any(set(range(start, start + 5)) & {60, 61, 62} for start in bank.starts.tolist()), "none is anomalous"


# Centring.


@pytest.mark.filterwarnings("ignore:posterior collapse")  # three epochs teach it little
@pytest.mark.parametrize("series", [PLAIN[:, None], CHANNELS])
def test_a_centred_detector_is_the_oracle_s(detector_class: Any, series: np.ndarray) -> None:
    detector = detector_class(**SMALL, scaling="standard", centring="window").fit(series)
    expected, _ = reference.train(
        draw(Net.of(detector.config_, series.shape[1]), 0), scaled := standardise(series, detector.scaler_, "float64"),
        chunks(116, detector.config_, 0), window=5, beta=2.0, learning_rate=1e-3, centring="window",
    )  # fmt: skip
    assert_all_close(detector.parameters_, expected, 1e-10)
    for kind in ("point", "reconstruction", "window"):
        scores = reference.scores(scaled, expected, 5, kind, detector.calibration_, "window").mean(axis=1)
        assert_close_in_range(detector.decision_function(series, kind=kind), scores, 1e-9)
    every = reference.seen(reference.windows(scaled, 5), "window").reshape(116, -1)
    assert_close(detector.latent(series), reference.encode(every, detector.parameters_)[0], 1e-12)


def test_a_centred_detector_ignores_the_level_and_gives_it_back(detector_class: Any, tmp_path: Path) -> None:
    detector = detector_class(**SMALL, scaling="standard", centring="window").fit(CHANNELS)
    detector.save(tmp_path / "model.safetensors")
    series = CHANNELS.copy()
    series[0] += 0.1  # else its windows are those of the training series, and known as such
    moved = series + MOVE
    for one in (detector, detector_class.load(tmp_path / "model.safetensors")):
        for kind in KINDS:
            assert_close(one.decision_function(moved, kind=kind), one.decision_function(series, kind=kind), 1e-9)
        assert_close(one.reconstruct(moved), one.reconstruct(series) + MOVE, 1e-12)
        score = one.window_scorer()
        assert_close(score(reference.windows(moved, 5)), score(reference.windows(series, 5)), 1e-9)
    plain = detector_class(**SMALL, scaling="standard").fit(CHANNELS)
    assert plain.decision_function(moved).min() > 10 * plain.decision_function(CHANNELS).max()


def test_centring_needs_a_window_of_two_steps() -> None:
    with pytest.raises(ValueError, match="window of 1 step"):
        Config(window=1, centring="window")
