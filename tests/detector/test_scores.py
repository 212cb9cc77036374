"""Scores, thresholds, labels and events of a detector, in both backends."""

import pickle
from typing import Any

import numpy as np
import pytest

from tests.conftest import BACKENDS, assert_close, assert_close_in_range, detector_of, rounding, unchecked
from tests.helpers.detectors import CHANNELS, PLAIN, SMALL, SPIKE
from tests.oracle import reference
from twinvae.config import KINDS
from twinvae.scoring.kinds import SCORES
from twinvae.scoring.threshold import threshold
from twinvae.windowing.geometry import fully_covered


def test_fit_returns_the_detector_and_describes_the_training_series(pair: tuple[Any, Any]) -> None:
    for detector, series in zip(pair, (PLAIN, CHANNELS), strict=True):
        assert detector.fit_predict.__self__ is detector
        assert_close(detector.decision_scores_, detector.decision_function(series), rounding("float64"))
        assert (detector.labels_ == detector.predict(series)).all()
        assert detector.threshold_ == detector.thresholds_["reconstruction"]
        assert set(detector.thresholds_) == {*KINDS, "single_window"}
    assert pair[0].channels_ == ("0",)


def test_fit_predict_fits_and_labels(detector_class: Any) -> None:
    detector = detector_class(**SMALL, margin=0.5)
    labels = detector.fit_predict(PLAIN)
    assert labels.dtype == np.int8
    assert 0 < labels.sum() < len(PLAIN)
    assert (labels == detector.predict(PLAIN)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_score_is_the_oracle_s(pair: tuple[Any, Any], kind: Any) -> None:
    changed = CHANNELS.copy()
    changed[-1] += 0.1  # windows of the training series itself are not compared with themselves
    for detector, series in zip(pair, (SPIKE[:, None], changed), strict=True):
        scaled = (series - detector.scaler_.shift) / detector.scaler_.scale
        expected = reference.scores(scaled, detector.parameters_, 5, kind, detector.calibration_)
        assert_close(detector.contributions(series, kind=kind), expected, 10 * rounding("float64"))
        assert_close(detector.decision_function(series, kind=kind), expected.mean(axis=1), 10 * rounding("float64"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("time", [10, 40, 70])
def test_a_spike_at_t_peaks_at_t(fitted: Any, kind: Any, time: int) -> None:
    series = PLAIN.copy()
    series[time] += 20.0
    scores = fitted.decision_function(series, kind=kind)
    assert scores.shape == (80,)
    if kind in ("window", "neighbour"):
        assert abs(scores.argmax() - time) < 5
    else:
        assert scores.argmax() == time
    found = [event for event in fitted.events(series, kind=kind) if event.start <= time < event.end]
    assert found or kind == "neighbour", "among noise no shape of 5 steps is unusual"


@pytest.mark.parametrize("kind", KINDS)
def test_the_constructor_s_kind_decides(detector_class: Any, kind: Any) -> None:
    detector = detector_class(**SMALL, kind=kind, dtype="float64").fit(PLAIN)
    assert_close(detector.decision_function(SPIKE), detector.decision_function(SPIKE, kind=kind), rounding("float64"))
    assert (detector.predict(SPIKE) == detector.predict(SPIKE, kind=kind)).all()
    assert detector.threshold_ == detector.thresholds_[kind]
    assert detector.decision_scores_.tolist() == pytest.approx(detector.decision_function(PLAIN).tolist())


@pytest.mark.parametrize("method", ["decision_function", "contributions", "predict", "events"])
def test_an_unknown_kind_is_refused(fitted: Any, method: str) -> None:
    with unchecked(), pytest.raises(ValueError, match="kind must be one of"):
        getattr(fitted, method)(PLAIN, kind="nonsense")


@pytest.mark.parametrize("kind", KINDS)
def test_an_alarm_is_a_score_strictly_above_the_threshold(fitted: Any, kind: Any) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    scores = copy.decision_function(SPIKE, kind=kind)
    middle = sorted(set(scores.tolist()))[len(set(scores.tolist())) // 2]
    copy.thresholds_[kind] = middle
    alarms = copy.detect(SPIKE, kind=kind).alarms
    start = 4 if SCORES[kind].only_past else 0
    assert alarms[start:].tolist() == (scores > middle)[start:].astype(int).tolist()
    assert alarms[start:][scores[start:] == middle].tolist() == [0]


def test_the_first_steps_of_causal_are_warming_up(fitted: Any) -> None:
    causal = reference.scores(PLAIN[:, None], fitted.parameters_, 5, "causal", fitted.calibration_)[4:, 0]
    assert fitted.calibration_.warm_up == pytest.approx(np.median(causal))
    assert fitted.thresholds_["causal"] == pytest.approx(6.0 * causal.max())
    assert (fitted.decision_function(SPIKE, kind="causal")[:4] == fitted.calibration_.warm_up).all()
    copy = pickle.loads(pickle.dumps(fitted))
    copy.thresholds_["causal"] = 0.0
    assert copy.predict(SPIKE, kind="causal").tolist() == [0] * 4 + [1] * 76
    assert copy.events(SPIKE, kind="causal")[0].start == 4


def test_a_causal_fit_has_warm_up_scores_and_labels(detector_class: Any) -> None:
    detector = detector_class(**SMALL, kind="causal", margin=1e-9).fit(PLAIN)
    assert detector.decision_scores_[:4] == pytest.approx([float(detector.calibration_.warm_up[0])] * 4)
    assert detector.labels_.tolist() == [0] * 4 + [1] * 76


@pytest.mark.parametrize("kind", [kind for kind in KINDS if SCORES[kind].only_past])
def test_what_is_known_at_once_uses_no_future(fitted: Any, kind: Any) -> None:
    changed = PLAIN.copy()
    changed[50:] = np.random.default_rng(2).normal(100.0, 10.0, 30)
    before, after = (fitted.decision_function(series, kind=kind) for series in (PLAIN, changed))
    assert (before[:50] == after[:50]).all()
    assert (before[50:] != after[50:]).all()
    for other in ("point", "reconstruction", "window"):
        before, after = (fitted.decision_function(series, kind=other) for series in (PLAIN, changed))
        assert (before[46:50] != after[46:50]).all(), "the others do use it"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not SCORES[kind].averaged])  # they look further
def test_scores_of_a_part_are_those_of_the_whole_away_from_its_ends(fitted: Any, kind: Any) -> None:
    whole, part = (fitted.decision_function(series, kind=kind) for series in (SPIKE, SPIKE[20:60]))
    assert_close(part[8:-8], whole[28:52], 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_average_to_the_score_and_change_with_their_channel(many: Any, kind: Any) -> None:
    parts = many.contributions(CHANNELS, kind=kind)
    assert parts.shape == (80, 3)
    assert_close(many.decision_function(CHANNELS, kind=kind), parts.mean(axis=1), rounding("float64"))
    changed = CHANNELS.copy()
    changed[40, 1] += 30.0
    if kind == "neighbour":  # among noise no shape of 5 steps is unusual
        assert (parts == parts[:, :1]).all()
        return
    event = next(e for e in many.events(changed, kind=kind) if e.start <= 40 < e.end)
    of_all = kind in ("divergence", "residual")
    assert next(iter(event.channels)) == ("0" if of_all else "1"), "they belong to no channel"
    assert sum(event.channels.values()) == pytest.approx(1.0)


def test_draws_average_seeded_latent_draws(detector_class: Any) -> None:
    detector = detector_class(**SMALL, draws=3, seed=5, dtype="float64").fit(PLAIN)
    x = reference.windows(SPIKE[:, None], 5)[:, :, 0]
    mean, log_variance = reference.encode(x, detector.parameters_)
    noises = np.random.default_rng([5, 3]).standard_normal((3, 2))
    expected = np.zeros(80)
    for noise in noises:
        x_hat = reference.decode(mean + np.exp(log_variance / 2) * noise, detector.parameters_)
        covering = [[(w, t - w) for w in range(76) if w <= t < w + 5] for t in range(80)]
        average = np.array([np.mean([x_hat[pair] for pair in pairs]) for pairs in covering])
        expected += (SPIKE - average) ** 2 / 3
    assert_close(detector.decision_function(SPIKE), expected, 1e-12)
    assert (detector.decision_function(SPIKE) == detector.decision_function(SPIKE)).all()
    assert_close(detector.decision_scores_, detector.decision_function(PLAIN), 1e-12)
    none = detector_class(**SMALL, seed=5, dtype="float64").fit(PLAIN)
    assert (none.parameters_["output.bias"] == detector.parameters_["output.bias"]).all()
    assert np.abs(none.decision_function(SPIKE) - detector.decision_function(SPIKE)).max() > 1e-6


def test_draws_are_alike_in_both_backends() -> None:
    one, other = (detector_of(name)(**SMALL, draws=2, dtype="float64").fit(CHANNELS) for name in BACKENDS)
    for kind in KINDS:
        scores = one.decision_function(CHANNELS, kind=kind)
        assert_close_in_range(other.decision_function(CHANNELS, kind=kind), scores, 1e-10)
        assert other.thresholds_[kind] == pytest.approx(one.thresholds_[kind], rel=1e-9)


@pytest.mark.parametrize("method", ["maximum", "quantile", "robust"])
def test_each_kind_s_threshold_is_that_of_its_training_scores_away_from_the_ends(
    detector_class: Any, method: str
) -> None:
    detector = detector_class(**SMALL, threshold=method, dtype="float64").fit(CHANNELS)
    for kind in KINDS:
        scores = detector.decision_function(CHANNELS, kind=kind)
        scores = scores[4:] if SCORES[kind].only_past else scores[fully_covered(80, 5)]
        assert detector.thresholds_[kind] == pytest.approx(threshold(scores, detector.config_), rel=1e-12)
    windows = reference.windows(CHANNELS, 5).reshape(76, 15)
    x_hat = reference.decode(reference.encode(windows, detector.parameters_)[0], detector.parameters_)
    single = threshold(((windows - x_hat) ** 2).mean(axis=1), detector.config_)
    assert detector.thresholds_["single_window"] == pytest.approx(single, rel=1e-12)


def test_pot_needs_a_long_series_and_works_on_one(detector_class: Any) -> None:
    with pytest.raises(ValueError, match="train on a longer series"):
        detector_class(**SMALL, threshold="pot").fit(PLAIN)
    series = np.random.default_rng(0).normal(size=2000)
    detector = detector_class(**SMALL, threshold="pot", false_alarm_rate=1e-3).fit(series)
    assert (detector.decision_function(np.random.default_rng(1).normal(size=5000)) > detector.threshold_).mean() < 5e-3


def test_min_length_and_merge_gap_shape_the_events(detector_class: Any) -> None:
    series = PLAIN.copy()
    series[[20, 30]] += 20.0
    for settings, expected in (
        ({"merge_gap": 0}, 2),
        ({"merge_gap": 40}, 1),
        ({"merge_gap": 0, "min_length": 60}, 0),
    ):
        detector = detector_class(**SMALL, **settings).fit(PLAIN)
        labels = detector.predict(series)
        events = detector.events(series)
        assert len(events) == expected, (settings, labels)
