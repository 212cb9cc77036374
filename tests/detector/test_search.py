"""The search of a series of which nothing is known, in both backends."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers.waves import spiked_wave
from twinvae.detector.preparation import prepare
from twinvae.detector.search import trained_apart
from twinvae.network.training import train_together
from twinvae.scoring.cross_fit import blocks, elsewhere
from twinvae.scoring.search import HELD_OUT, SEEN, score_of
from twinvae.series.series import Series

QUICK: dict[str, Any] = {"window": 16, "hidden_dim": 16, "latent_dim": 4, "epochs": 4}
SPIKES = (500, 1100)
WAVE = spiked_wave(1500, SPIKES)


def test_anomalies_in_the_series_itself_are_found_with_reasons(detector_class: Any) -> None:
    detector = detector_class(**QUICK)
    found = detector.search(WAVE)
    assert [event.start <= place < event.end for event, place in zip(found.events, SPIKES, strict=True)] == [True] * 2
    assert found.threshold == score_of(HELD_OUT)
    for event in found.events:
        assert event.end - event.start < 30
        assert event.score > found.threshold
        assert event.value == pytest.approx(WAVE[event.peak])
        assert event.expected is not None
        assert abs(event.expected) < 2 < abs(WAVE[event.peak])
    assert (detector.labels_ == found.labels).all()
    assert (detector.decision_scores_ == found.scores).all()
    assert np.allclose(found.contributions[:, 0], found.scores)
    assert detector.events(WAVE) == detector.detect(WAVE).events  # the fitted model goes on as after `fit`


def test_labels_of_a_series_without_a_normal_part_are_those_of_the_search(detector_class: Any) -> None:
    labels = detector_class(**QUICK).fit_predict(WAVE)
    assert (labels == detector_class(**QUICK).search(WAVE).labels).all()
    for named in ({"threshold": "maximum"}, {"kind": "point"}, {"folds": 0}, {"preset": "tutorial"}):
        detector = detector_class(**{**QUICK, **named})
        assert (detector.fit_predict(WAVE) == detector_class(**{**QUICK, **named}).fit(WAVE).labels_).all()


def test_the_fitted_model_is_that_of_fit(detector_class: Any) -> None:
    searched, fitted = detector_class(**QUICK), detector_class(**QUICK).fit(WAVE)
    searched.search(WAVE)
    assert searched.as_bytes() == fitted.as_bytes()


def test_a_model_does_not_depend_on_the_block_that_it_judges_nor_on_the_others(
    detector_class: Any, backend: Any
) -> None:
    prepared = prepare(detector_class(**QUICK), Series.of(WAVE))
    models = trained_apart(backend, prepared, 0)
    parts = blocks(len(WAVE), 3)
    for index, part in enumerate(parts):
        changed = prepared.scaled.copy()
        changed[part] = 9.0
        own = trained_apart(backend, replace(prepared, scaled=changed), 0)[index]
        assert all((own[name] == models[index][name]).all() for name in own)
    epochs = QUICK["epochs"] // 2
    alone = train_together(
        backend, prepared.net, [prepared.scaled], [epochs], prepared.config, 0, bool,
        [elsewhere(len(WAVE), 16, parts[1])],
    )[0][0]  # fmt: skip
    assert all(np.allclose(alone[name], models[1][name], rtol=1e-4, atol=1e-6) for name in alone)


def test_a_series_too_short_for_parts_is_searched_by_one_model_and_says_so(detector_class: Any) -> None:
    found = detector_class(**QUICK).search(WAVE[400:590])
    assert found.threshold == score_of(SEEN)
    assert "190 rows are too few to hold parts back (192 are needed for windows of 16)" in found.basis
    assert "stretches are few" in found.basis
    assert "folds=0 asks for one model" in detector_class(**QUICK, folds=0).search(WAVE).basis


def test_missing_values_and_absent_rows_are_searched_as_they_are_scored(detector_class: Any) -> None:
    import pandas as pd

    values = np.stack([WAVE, np.roll(WAVE, 7)], axis=1)
    values[700:760] = np.nan
    values[300:340, 1] = np.nan
    frame = pd.DataFrame(values, index=pd.date_range("2026-01-01", periods=1500, freq="5min")).drop(
        index=pd.date_range("2026-01-01", periods=1500, freq="5min")[900:950]
    )
    with pytest.warns(UserWarning, match="missing values|absent|no value within") as said:
        found = detector_class(**QUICK).search(frame)
    assert len(said) == len({str(one.message) for one in said}) == 3
    assert len(found.labels) == len(found.scores) == len(found.alarms) == 1450
    starts = [event.start_time for event in found.events]
    for place in SPIKES:
        stamp = pd.Timestamp("2026-01-01") + place * pd.Timedelta("5min")
        assert any(abs(start - stamp) < pd.Timedelta("2h") for start in starts)
    assert found.most_unusual[0].event.start_time in starts


def test_the_most_unusual_stretches_are_named_whether_they_are_events_or_not(detector_class: Any) -> None:
    found = detector_class(**QUICK).search(WAVE)
    stretches = found.most_unusual
    assert 2 <= len(stretches) <= 5
    assert [stretch.event for stretch in stretches if stretch.is_event] == sorted(found.events, key=lambda e: -e.score)
    for stretch in stretches:
        assert 0 <= stretch.severity <= 100
        assert (stretch.severity > 50) == (stretch.event.score > found.threshold)
    quiet = detector_class(**QUICK).fit(spiked_wave(1500, ())).detect(spiked_wave(1500, (), seed=1))
    assert not quiet.events
    assert quiet.most_unusual
    assert all(stretch.severity <= 50 and not stretch.is_event for stretch in quiet.most_unusual)
    assert "3 times the largest score fitted on" in quiet.basis
