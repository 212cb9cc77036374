"""Latent points, reconstructions and single windows."""

from typing import Any

import numpy as np
import pytest

from tests.conftest import assert_close, rounding
from tests.helpers.detectors import CHANNELS, PLAIN, SMALL
from tests.oracle import reference


def test_latent_points_are_the_oracle_s_means(many: Any) -> None:
    scaled = (CHANNELS - many.scaler_.shift) / many.scaler_.scale
    expected = reference.encode(reference.windows(scaled, 5).reshape(76, 15), many.parameters_)[0]
    assert_close(many.latent(CHANNELS), expected, rounding("float64"))


def test_a_reconstruction_has_the_units_of_the_series(many: Any) -> None:
    scaled = (CHANNELS - many.scaler_.shift) / many.scaler_.scale
    expected = many.reconstruct(CHANNELS)
    assert expected.shape == (80, 3)
    error = ((CHANNELS - expected) / many.scaler_.scale) ** 2
    assert_close(many.contributions(CHANNELS, kind="reconstruction"), error, 1e-12)
    every = reference.windows(scaled, 5)
    x_hat = reference.decode(reference.encode(every.reshape(76, 15), many.parameters_)[0], many.parameters_)
    middle = np.mean([x_hat.reshape(every.shape)[w, 40 - w] for w in range(36, 41)], axis=0)
    assert_close(expected[40], middle * many.scaler_.scale + many.scaler_.shift, 1e-12)


def test_scores_and_reconstructions_follow_a_change_of_units(detector_class: Any) -> None:
    one = detector_class(**SMALL, scaling="standard", dtype="float64").fit(CHANNELS)
    factor, offset = np.array([1e3, 1e-3, 7.0]), np.array([5.0, -3.0, 0.0])
    other = detector_class(**SMALL, scaling="standard", dtype="float64").fit(CHANNELS * factor + offset)
    assert_close(other.decision_scores_, one.decision_scores_, 1e-8)
    assert_close((other.reconstruct(CHANNELS * factor + offset) - offset) / factor, one.reconstruct(CHANNELS), 1e-8)


def test_a_window_scorer_is_the_window_statistic(pair: tuple[Any, Any]) -> None:
    for detector, series in zip(pair, (PLAIN[:, None], CHANNELS), strict=True):
        score = detector.window_scorer()
        every = reference.windows(series, 5)
        scaled = (every - detector.scaler_.shift) / detector.scaler_.scale
        flat = scaled.reshape(len(every), -1)
        x_hat = reference.decode(reference.encode(flat, detector.parameters_)[0], detector.parameters_)
        expected = ((flat - x_hat) ** 2).mean(axis=1)
        assert_close(score(every), expected, rounding("float64"))
        assert_close(score(every[7]), expected[7:8], rounding("float64"))
        assert detector.thresholds_["single_window"] == pytest.approx(6.0 * expected.max())
    assert pair[0].window_scorer()(PLAIN[:5]).shape == (1,)


@pytest.mark.parametrize("windows", [np.zeros(4), np.zeros((2, 7)), np.zeros(0), np.zeros((0, 5, 1))])
def test_a_window_scorer_refuses_other_shapes(fitted: Any, windows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"windows must have shape \(n, 5, 1\)"):
        fitted.window_scorer()(windows)


def test_a_window_scorer_refuses_shapes_that_only_have_the_right_size(many: Any) -> None:
    with pytest.raises(ValueError, match=r"windows must have shape \(n, 5, 3\)"):
        many.window_scorer()(np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"windows must have shape \(n, 5, 3\)"):
        many.window_scorer()(np.zeros((5, 5, 3)).transpose(0, 2, 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_window_scorer_refuses_values_that_are_not_finite(fitted: Any, bad: float) -> None:
    with pytest.raises(ValueError, match="missing, infinite or too large"):
        fitted.window_scorer()(np.array([0.0, bad, 0.0, 0.0, 0.0]))


def test_the_rows_of_an_event_do_not_depend_on_the_length_of_the_series(detector_class: Any) -> None:
    generator = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(800) / 24) + 0.1 * generator.normal(size=800)
    detector = detector_class(window=24, epochs=5, hidden_dim=8, latent_dim=3).fit(wave[:600])
    for length in (24, 75, 200):
        series = wave.copy()
        series[600 + length // 2 : 604 + length // 2] += 4.0
        expected = [(600 + length // 2, 604 + length // 2)]
        assert [(event.start, event.end) for event in detector.events(series)] == expected, length
        day = series[600 : 600 + length]
        assert [(600 + event.start, 600 + event.end) for event in detector.events(day)] == expected, length
        assert (detector.predict(day) == detector.predict(series)[600 : 600 + length]).all(), length
    with pytest.raises(ValueError, match="23 time steps, fewer than the window of 24: score more rows"):
        detector.events(day[:23])
