"""The rules of events from the fit to the stream: what is kept, what is said, and what is left out of training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import detector_of
from tests.helpers.waves import spiked_wave
from twinvae.detector.detection import Detection
from twinvae.scoring.events import Event
from twinvae.stream.stream import Stream

QUICK: dict[str, Any] = {"window": 16, "hidden_dim": 16, "latent_dim": 4, "epochs": 4}
UP, DOWN, WRONG = 200, 400, 150  # a spike up, one down, and values that cannot be, near the first
NORMAL = spiked_wave(800, ())
SERIES = spiked_wave(600, (UP,), seed=1)
SERIES[DOWN : DOWN + 6] -= 4.0
BROKEN = SERIES.copy()
BROKEN[WRONG : WRONG + 3] = 50.0


@pytest.fixture(scope="module", params=["jax", "torch"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The class of a detector, and a file that it has been saved to."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    detector_class = detector_of(request.param)
    detector_class(**QUICK).fit(NORMAL).save(path)
    return detector_class, path


def found(saved: tuple[Any, Path], series: Any = SERIES, ignore: Any = (), **rules: Any) -> Detection:
    detector_class, path = saved
    detection: Detection = detector_class.load(path, **rules).detect(series, ignore=ignore)
    return detection


def holds(events: list[Event], *places: int) -> None:
    """Each of these places lies in an event of its own, in order, and there are no others."""
    assert [event.start <= place < event.end for event, place in zip(events, places, strict=True)] == [True] * len(
        places
    )


def test_without_rules_nothing_is_said_and_with_one_that_keeps_all_nothing_changes(saved: tuple[Any, Path]) -> None:
    plain, kept = found(saved), found(saved, min_deviation="0.001")
    holds(plain.events, UP, DOWN)
    assert plain.dropped == {}
    assert plain.events[0].why is None
    assert (kept.labels == plain.labels).all()
    assert (kept.scores == plain.scores).all()
    assert kept.basis == plain.basis


def test_a_direction_keeps_its_side_and_says_what_it_has_left_out(saved: tuple[Any, Path]) -> None:
    up = found(saved, direction="up")
    holds(up.events, UP)
    assert up.dropped == {"direction": 1}
    assert up.basis.endswith("rules have left out 1 more event (1 by direction)")
    (why,) = up.events[0].why or ()
    assert "above what was expected (asked for: up)" in why
    holds(found(saved, direction="down").events, DOWN)
    assert (up.labels == 1).sum() == up.events[0].end - up.events[0].start


def test_a_deviation_is_in_the_units_of_the_series_whatever_its_scale(saved: tuple[Any, Path]) -> None:
    events = found(saved).events
    sizes = [abs((event.value or 0.0) - (event.expected or 0.0)) for event in events]
    between = sum(sizes) / 2
    large = [event for event, size in zip(events, sizes, strict=True) if size >= between]
    kept = found(saved, min_deviation=between)
    assert [event.start for event in kept.events] == [event.start for event in large]
    assert not found(saved, min_deviation={"0": 99.0}).events
    assert found(saved, min_deviation=99.0).dropped == {"min_deviation": 2}


def test_length_and_lasting_are_counted_too(saved: tuple[Any, Path]) -> None:
    assert found(saved, min_length=500).dropped == {"min_length": 2}
    assert found(saved, at_least="500-of-500").dropped == {"at_least": 2}
    assert "at least 1 of 2 steps" in (found(saved, at_least="1-of-2").events[0].why or ())[0]


def test_values_that_cannot_be_are_events_of_their_rows_and_hide_nothing(saved: tuple[Any, Path]) -> None:
    detection = found(saved, BROKEN, valid_range="-9:9")
    assert detection.alarms[WRONG : WRONG + 3].all()
    holds(detection.events, WRONG, UP, DOWN)
    first = detection.events[0]
    assert (first.start, first.end) == (WRONG, WRONG + 3)
    assert first.why == ("0 is outside its valid range -9:9",)
    assert first.value == 50.0
    away = np.abs(np.arange(600) - WRONG) > 340  # farther than windows and averages reach
    assert np.allclose(detection.scores[away], found(saved).scores[away], rtol=1e-4)
    ignored = found(saved, BROKEN, ignore=[(WRONG - 5, WRONG + 8)], valid_range="-9:9")
    holds(ignored.events, UP, DOWN)


def test_a_span_has_no_event_on_rows_and_on_a_grid_with_holes(saved: tuple[Any, Path]) -> None:
    detection = found(saved, ignore=[(DOWN - 20, DOWN + 30)])
    holds(detection.events, UP)
    assert detection.dropped == {"ignore": 1}
    index = pd.date_range("2026-01-01", periods=600, freq="5min")
    series = pd.Series(SERIES, index=index).drop(index[300:330])
    detector_class, path = saved
    with pytest.warns(UserWarning, match="30 rows are absent"):
        detection = detector_class.load(path).detect(series, ignore=[(index[DOWN - 20], index[DOWN + 30])])
    holds(detection.events, UP)
    assert detection.events[0].start_time <= index[UP]
    assert detection.dropped == {"ignore": 1}


def test_a_series_that_is_searched_itself_has_the_same_rules(detector_class: Any) -> None:
    series = np.concatenate([NORMAL, BROKEN])
    with pytest.warns(UserWarning, match="3 values of column 0 are outside its valid range"):
        detection = detector_class(**QUICK, direction="down", valid_range=(-9, 9)).search(
            series, ignore=[(800 + WRONG, 800 + WRONG)]
        )
    assert detection.labels[800 + DOWN]
    assert not detection.labels[800 + WRONG]
    assert detection.labels[800 + WRONG + 1]
    assert not detection.labels[800 + UP]
    with pytest.raises(ValueError, match="known by numbers of rows"):
        detector_class(**QUICK).search(series, ignore=[("2026-01-01", "2026-01-02")])


def test_values_that_cannot_be_are_not_learned_from(detector_class: Any) -> None:
    broken, blank = NORMAL.copy(), NORMAL.copy()
    broken[300:303], blank[300:303] = 1e4, np.nan
    with pytest.warns(UserWarning, match="3 values of column 0 are outside its valid range: left out of training"):
        detector = detector_class(**QUICK, valid_range=(-5, 5), missing="mask").fit(broken)
    alike = detector_class(**QUICK, missing="mask").fit(blank)
    assert all((detector.parameters_[name] == alike.parameters_[name]).all() for name in alike.parameters_)
    assert detector.thresholds_ == alike.thresholds_
    assert detector.labels_.tolist() == [int(300 <= at < 303) for at in range(800)]


@pytest.mark.parametrize("missing", ["error", "interpolate", "mask"])
def test_no_value_is_drawn_from_one_that_cannot_be(missing: Any) -> None:
    broken = NORMAL.copy()
    broken[300] = -999.0
    if missing != "error":
        broken[301:304] = np.nan
    with pytest.warns(UserWarning, match="1 values of column 0 are outside"):
        detector = detector_of("torch")(**QUICK, valid_range="-5:5", missing=missing).fit(broken)
    detection = detector.detect(broken)
    assert [(event.start, event.end) for event in detection.events] == [(300, 301)]
    assert detection.events[0].value == -999.0
    if missing == "interpolate":
        assert np.abs(detection.series.values[301:304]).max() < 5


def test_a_rule_that_makes_no_sense_here_is_refused_before_anything_is_trained(saved: tuple[Any, Path]) -> None:
    detector_class, path = saved
    two = np.stack([NORMAL, NORMAL], axis=1)
    for settings, words in (
        ({"min_deviation": "c=1"}, "min_deviation names the channel c, the series has 0, 1"),
        ({"valid_range": "1=50:60"}, "valid_range leaves no training value of column 1"),
    ):
        with pytest.raises(ValueError, match=words):
            detector_class(**QUICK, **settings).fit(two)
    with pytest.raises(ValueError, match="min_deviation names the channel c"):
        detector_class.load(path, min_deviation="c=1").detect(SERIES)
    with pytest.raises(TypeError, match="window cannot be chosen when a model is loaded"):
        detector_class.load(path, window=5)


def test_rules_are_in_the_model_file_and_in_the_stream(saved: tuple[Any, Path], tmp_path: Path) -> None:
    detector_class, path = saved
    detector_class.load(path, direction="up", valid_range="-9:9").save(tmp_path / "m")
    again = detector_class.load(tmp_path / "m")
    assert (again.config_.direction, again.config_.valid_range) == ("up", "-9:9")
    assert detector_class.load(path, direction="both").as_bytes() != again.as_bytes()
    stream = Stream.load(tmp_path / "m")
    changes = [change for row in BROKEN for change in stream.step(row).changes] + stream.tracker.finish()
    closed = [change.event for change in changes if change.what == "close"]
    assert any(event.start <= WRONG < event.end for event in closed)
    assert any(event.start <= UP < event.end for event in closed)
    assert not any(event.start <= DOWN < event.end for event in closed)
    assert "direction" in stream.tracker.dropped
    assert all(event.why for event in closed)


def test_a_stream_scores_and_finds_what_the_batch_does_where_values_cannot_be(saved: tuple[Any, Path]) -> None:
    detector_class, path = saved
    broken = BROKEN.copy()
    broken[5] = -40.0  # while it is warming up
    detection = detector_class.load(path, valid_range="-9:9").detect(broken, kind="trailing")
    stream = Stream.load(path, valid_range="-9:9")
    steps = [stream.step(row) for row in broken]
    assert np.allclose([step.score for step in steps], detection.scores, rtol=1e-3, atol=1e-6)
    changes = [change for step in steps for change in step.changes] + stream.tracker.finish()
    closed = [change.event for change in changes if change.what == "close"]
    assert [(event.start, event.end) for event in closed] == [(event.start, event.end) for event in detection.events]
    assert [event.why for event in closed] == [event.why for event in detection.events]
    assert [step.label for step in steps] == detection.alarms.tolist()
    skipped = Stream.load(path, valid_range="-9:9")
    for at, row in enumerate(broken):
        skipped.step(row, ignored=WRONG <= at < WRONG + 3 or at == 5)
    assert skipped.tracker.dropped["ignore"] >= 1
