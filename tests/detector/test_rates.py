"""A detector that was asked for a rate of false events, in both backends."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.waves import spiked_wave

QUICK: dict[str, Any] = {"window": 16, "hidden_dim": 16, "latent_dim": 4, "epochs": 2, "kind": "point"}
NORMAL, FRESH = spiked_wave(3000, ()), spiked_wave(3000, (1000,), seed=1)


@pytest.mark.slow
def test_events_on_new_normal_data_are_about_as_many_as_were_asked_for(detector_class: Any, tmp_path: Path) -> None:
    detector = detector_class(**QUICK, false_events="30/10000steps").fit(NORMAL)
    rate = detector.false_alarms(spiked_wave(3000, (), seed=1))
    assert rate.events_asked == pytest.approx(30.0)
    assert rate.events_found == pytest.approx(1e4 * rate.events / rate.steps)
    assert rate.events_low <= rate.events_found <= rate.events_high
    assert rate.events_found < 90
    assert "30/10000steps" in detector.detect(FRESH).basis
    assert any(event.start <= 1000 < event.end for event in detector.events(FRESH))
    detector.save(tmp_path / "model.safetensors")
    again = detector_class.load(tmp_path / "model.safetensors")
    assert again.thresholds_ == detector.thresholds_
    assert again.config_.false_events == "30/10000steps"
    rarer = detector_class(**QUICK, false_events="5/10000steps")
    rarer.fit(NORMAL)
    assert rarer.threshold_ > detector.threshold_
    with pytest.warns(UserWarning, match="extrapolated: within a factor of 10"):
        detector_class(**QUICK, false_events="1/10000steps").fit(NORMAL)


def test_a_rate_in_time_is_that_in_steps_of_the_series_index(detector_class: Any) -> None:
    import pandas as pd

    hourly = pd.Series(NORMAL, index=pd.date_range("2026-01-01", periods=3000, freq="h"))
    timed = detector_class(**QUICK, false_events="1/week").fit(hourly)
    stepped = detector_class(**QUICK, false_events="1/168steps").fit(NORMAL)
    assert timed.thresholds_ == stepped.thresholds_
    with pytest.raises(ValueError, match="1/week needs time stamps"):
        detector_class(**QUICK, false_events="1/week").fit(NORMAL)


def test_a_rate_that_the_series_cannot_support_is_refused(detector_class: Any) -> None:
    with pytest.raises(ValueError, match=r"3000 training rows support at most .* train on at least 10000[01] rows"):
        detector_class(**QUICK, false_events="1/1000000steps").fit(NORMAL)
    with pytest.raises(ValueError, match="separate peaks, and no rate can be named"):
        detector_class(**QUICK, false_events="1/100steps").fit(NORMAL[:250])
    with pytest.raises(ValueError, match="leave draws out"):
        detector_class(**QUICK, draws=2, false_events="1/100steps").fit(NORMAL)


def test_a_threshold_is_at_least_that_of_scores_by_models_which_have_not_seen_them(detector_class: Any) -> None:
    apart = detector_class(**QUICK, false_events="30/10000steps").fit(NORMAL)
    seen = detector_class(**QUICK, false_events="30/10000steps", folds=0).fit(NORMAL)
    assert (apart.decision_scores_ == seen.decision_scores_).all()
    assert apart.threshold_ >= seen.threshold_
    assert np.isfinite(list(apart.thresholds_.values())).all()
