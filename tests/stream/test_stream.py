"""A stream scores what the batch scores, point by point; its events are the batch's; it survives restarts."""

import copy
import json
import math
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import BACKENDS, detector_of, in_a_fresh_process
from tests.helpers.calibrations import made_up
from twinvae.config import Config
from twinvae.model.model import Model
from twinvae.network.net import Net
from twinvae.network.parameters import draw
from twinvae.scoring.calibration import THRESHOLDS
from twinvae.scoring.events import Event
from twinvae.scoring.overflow import highest
from twinvae.series.scaling import Scaler
from twinvae.stream.event_tracker import EventTracker
from twinvae.stream.numpy_model import StreamModel
from twinvae.stream.state import DamagedStateError
from twinvae.stream.stream import Stream

SMALL = {"window": 6, "hidden_dim": 8, "latent_dim": 3, "epochs": 3}

HIGHEST = highest("float32")


def places(events: list[Event]) -> list[tuple[int, int, int]]:
    return [(event.start, event.end, event.peak) for event in events]


def model(channels: int = 1, *, threshold: float = 1.0, seed: int = 0, **settings: Any) -> Model:
    """A model that nobody has trained."""
    config = Config(**{"window": 6, "hidden_dim": 5, "latent_dim": 2, "merge_gap": 2} | settings)
    return Model(
        "tutorial", {}, 0, config, tuple("abcdef"[:channels]), draw(Net.of(config, channels), seed),
        Scaler(np.full(channels, 0.5), np.full(channels, 2.0)), dict.fromkeys(THRESHOLDS, threshold),
        made_up(channels, config.window, dtype=config.dtype),
    )  # fmt: skip


def points(length: int, channels: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    series = np.sin(np.arange(length) / 3)[:, None] + generator.normal(0, 0.1, (length, channels))
    series[length // 2 : length // 2 + 4, 0] += 9.0
    series[length // 2 + 9, 0] += 9.0
    return series


# What it scores.


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(
    ("channels", "options", "tolerance"),
    [
        (1, {"dtype": "float64"}, 1e-12),
        (2, {"dtype": "float64", "kind": "causal"}, 1e-12),
        (3, {"preset": "auto", "window": 7, "hidden_dim": 8, "latent_dim": 3}, 1e-5),
        (2, {"dtype": "float64", "draws": 3, "scaling": "standard", "centring": "window"}, 1e-12),
    ],
)
def test_a_stream_scores_labels_and_finds_what_the_batch_does(
    name: str, channels: int, options: dict[str, Any], tolerance: float
) -> None:
    detector = detector_of(name)(**SMALL | {"merge_gap": 3} | options, margin=1.5)
    detector.fit(np.random.default_rng(1).normal(size=(90, channels)))
    series = points(150, channels)
    stream = detector.stream()
    assert stream.kind == options.get("kind", "trailing")
    batch = detector.decision_function(series, kind=stream.kind)
    steps = [stream.step(point) for point in series]
    scores = np.array([step.score for step in steps])
    assert np.abs(scores - batch).max() <= tolerance * np.ptp(batch)
    assert [step.label for step in steps] == detector.detect(series, kind=stream.kind).alarms.tolist()
    changes = [change for step in steps for change in step.changes] + stream.tracker.finish()
    closed = [change.event for change in changes if change.what == "close"]
    expected = detector.events(series, kind=stream.kind)
    assert places(closed) == places(expected)
    assert expected
    for found, event in zip(closed, expected, strict=True):
        assert found.channels == pytest.approx(event.channels, rel=1e-4)


def holes(length: int, channels: int) -> np.ndarray:
    """`points` with gaps at the start, single ones, one longer than a window, and a channel that is silent for long."""
    series = points(length, channels)
    series[np.random.default_rng(5).random(series.shape) < 0.05] = np.nan
    series[:2] = series[4, -1] = series[5, -1] = series[-1] = np.nan
    series[30:45] = np.nan  # longer than a window
    series[52:58, -1] = np.nan  # as long as one
    series[length // 2 + 4 : length // 2 + 6] = np.nan  # at the end of an event
    series[100:120, -1] = np.nan
    return series


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(
    ("channels", "options", "tolerance"),
    [
        (1, {"preset": "tutorial", "missing": "mask", "dtype": "float64"}, 1e-10),
        (3, {"window": 7}, 1e-5),
        (2, {"dtype": "float64", "draws": 2, "centring": "window"}, 1e-10),
    ],
)
def test_gaps_are_left_out_as_the_batch_does(
    name: str, channels: int, options: dict[str, Any], tolerance: float
) -> None:
    detector = detector_of(name)(**{"preset": "auto"} | SMALL | {"merge_gap": 3} | options, margin=1.5)
    detector.fit(np.random.default_rng(1).normal(size=(90, channels)))
    series, stream = holes(150, channels), detector.stream()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gaps are left out; steps without a value near
        batch, expected = (f(series, kind=stream.kind) for f in (detector.decision_function, detector.events))
        alarms = detector.detect(series, kind=stream.kind).alarms
        filled = detector.decision_function(np.nan_to_num(series), kind=stream.kind)
    steps = [stream.step(point) for point in series]
    scores = np.array([step.score for step in steps])
    assert (np.isnan(scores) == np.isnan(batch)).all()
    assert np.isnan(scores).any()
    largest = np.nanmax(batch)
    assert np.nanmax(np.abs(scores - batch)) <= tolerance * largest
    assert np.nanmax(np.abs(filled - batch)) > 1e-3 * largest  # zeros are no values
    assert [step.label for step in steps] == alarms.tolist()
    changes = [change for step in steps for change in step.changes] + stream.tracker.finish()
    closed = [change.event for change in changes if change.what == "close"]
    assert places(closed) == places(expected)
    assert expected
    for found, event in zip(closed, expected, strict=True):
        assert found.channels == pytest.approx(event.channels, rel=1e-4)


def test_a_shifted_bias_changes_the_scores() -> None:
    saved = model(dtype="float64")
    moved = replace(saved, parameters={name: array.copy() for name, array in saved.parameters.items()})
    moved.parameters["posterior.bias"][0] += 1e-6
    ours, other = Stream(saved), Stream(moved)
    differ = [ours.update(float(value)) != other.update(float(value)) for value in points(20, 1)[:, 0]]
    assert differ == [False] * 5 + [True] * 15


def test_the_first_points_warm_up_and_never_alarm() -> None:
    stream = Stream(model(threshold=0.0))
    steps = [stream.step(float(value)) for value in range(7)]
    assert [step.score for step in steps[:5]] == [0.25] * 5
    assert [step.label for step in steps] == [0] * 5 + [1] * 2
    assert (stream.index, stream.score, stream.label) == (7, steps[-1].score, 1)


@pytest.mark.parametrize("point", [0.5, np.float32(0.5), [0.5], (0.5,), np.array([0.5]), np.array(0.5)])
def test_one_channel_takes_a_number_or_one_in_a_sequence(point: Any) -> None:
    ours, like = Stream(model()), Stream(model())
    for _ in range(8):
        assert ours.update(point) == like.update(0.5)


def test_integers_are_numbers_and_a_huge_value_is_an_anomaly_that_passes() -> None:
    stream = Stream(model())
    for value in (1, 2, 3, 4, 5, 6):
        calm = stream.update(value)
    assert calm < 10
    assert stream.update(1e38) == pytest.approx(HIGHEST)  # its square overflows float32
    assert stream.label == 1
    steps = [stream.step(value) for value in range(6)]
    assert max(step.score for step in steps) < 10  # it is in no window
    changes = [change for step in steps for change in step.changes] + stream.tracker.finish()
    assert changes[0].event.score == pytest.approx(HIGHEST)


@pytest.mark.parametrize(
    ("point", "error", "message"),
    [
        ([1.0], ValueError, r"point 2 has 1 values, the detector was fitted on 2 \(a, b\)"),
        ([1.0, 2.0, 3.0], ValueError, "point 2 has 3 values, the detector was fitted on 2"),
        ([[1.0, 2.0]], ValueError, r"point 2 has shape \(1, 2\)"),
        (1.0, ValueError, "point 2 has 1 values"),
        (["1", "2"], TypeError, "point 2 must hold real numbers"),
        ([1.0, [2.0]], TypeError, "point 2 must hold real numbers"),
        ([1.0, 2j], TypeError, "point 2 must hold real numbers"),
        ([1.0, 10**400], ValueError, "point 2 holds a number that is too large"),
        ([1.0, np.nan], ValueError, "missing value at point 2, channel b: fill it"),
        ([1.0, None], ValueError, "missing value at point 2, channel b: fill it"),
        ([np.inf, np.nan], ValueError, "infinite value at point 2, channel a"),
    ],
)
def test_a_point_that_is_refused_does_not_count(point: Any, error: type[Exception], message: str) -> None:
    stream, like = Stream(model(2)), Stream(model(2))
    for row in points(20, 2):
        if stream.index == 2:
            with pytest.raises(error, match=message) as raised:
                stream.update(point)
            assert "\n" not in str(raised.value)
        assert stream.update(row) == like.update(row)


def test_with_interpolate_a_missing_value_is_the_last_one() -> None:
    saved = model(2, missing="interpolate")
    held, like = Stream(saved), Stream(saved)
    with pytest.raises(ValueError, match="missing value at point 0, channel b: there is no earlier value to hold"):
        held.update([1.0, np.nan])
    series = points(20, 2)
    filled = series.copy()
    series[8:11, 1], filled[8:11, 1] = np.nan, filled[7, 1]
    assert [held.update(row) for row in series] == [like.update(row) for row in filled]
    one, same = Stream(model(missing="interpolate")), Stream(model())
    for value, whole in ((1.0, 1.0), (np.nan, 1.0), (2.0, 2.0)) * 4:
        assert one.update(value) == same.update(whole)


def test_a_value_that_is_too_large_counts_beside_a_gap_and_leaves_nothing_behind() -> None:
    stream = Stream(model(2, missing="mask"))
    for row in points(20, 2)[:8]:
        stream.update(row)
    assert stream.update([1e38, np.nan]) == pytest.approx(HIGHEST / 2)  # the other has its last score
    assert stream.update([1.0, 1e38]) == pytest.approx(HIGHEST / 2)
    assert stream.update([np.nan, np.nan]) < 10
    for row in points(20, 2)[:6]:
        score = stream.update(row)
    assert score < 10


def test_a_saved_model_streams_without_any_framework(tmp_path: Path) -> None:
    detector = detector_of("torch")(**SMALL, dtype="float64").fit(points(60, 2))
    path, series = tmp_path / "m.safetensors", points(40, 2)
    detector.save(path)
    scores = in_a_fresh_process(
        f"""
import json, sys
from twinvae.stream.stream import Stream
stream = Stream.load({str(path)!r})
print(json.dumps([stream.update(point) for point in json.loads({json.dumps(series.tolist())!r})]))
loaded = [m for m in ("jax", "torch", "flax", "vae_jax", "vae_torch", "sklearn", "scipy.stats", "polars",
    "matplotlib", "pandas") if m in sys.modules]
assert not loaded, loaded
"""
    )
    np.testing.assert_allclose(json.loads(scores), detector.decision_function(series, kind="trailing"), rtol=1e-9)


# Restarts.


@pytest.mark.parametrize("cut", [0, 3, 6, 32, 46, 50, 52, 59, 64])
def test_a_restored_stream_goes_on_as_if_nothing_had_happened(tmp_path: Path, cut: int) -> None:
    saved, series = model(2, merge_gap=8, missing="mask"), points(100, 2)
    series[30:40], series[44:48, 1], series[57:60, 0] = np.nan, np.nan, np.nan
    whole = Stream(saved)
    expected = [whole.step(row, at) for at, row in enumerate(series)]
    assert any(step.changes for step in expected)
    assert any(np.isnan(step.score) for step in expected)
    first, second = Stream(saved), Stream(saved)
    for at, row in enumerate(series[:cut]):
        first.step(row, at)
    first.save_state(tmp_path / "s", lines=7)
    second.update([5.0, np.nan])  # what it was before does not matter
    assert second.load_state(tmp_path / "s") == {"lines": 7}
    if cut:
        assert repr((second.index, second.score, second.label)) == repr((cut, first.score, first.label))
    assert repr([second.step(row, cut + at) for at, row in enumerate(series[cut:])]) == repr(expected[cut:])


def test_a_state_is_a_copy_and_reset_starts_anew() -> None:
    stream, series = Stream(model()), points(30, 1)[:, 0]
    scores = [stream.update(value) for value in series[:10]]
    state = stream.state
    later = [stream.update(value) for value in series[10:]]
    stream.restore(state)
    assert [stream.update(value) for value in series[10:]] == later
    stream.reset()
    assert [stream.update(value) for value in series[:10]] == scores


COPIES: dict[str, Any] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("cut", [2, 40, 53])  # while it warms up; after the first point of an event; after a gap
def test_a_copy_goes_on_as_the_original_and_neither_changes_the_other(way: str, cut: int) -> None:
    series, others = points(80, 2), points(80, 2, seed=1) + 5.0
    series[50:52, 0] = np.nan
    made = model(2, missing="mask", centring="window", least_height=0.5)
    whole, stream = Stream(made), Stream(made)
    expected = [whole.step(point) for point in series]
    for point in series[:cut]:
        stream.step(point)
    copied = COPIES[way](stream)
    for point in others:  # of the original, which must not reach the copy
        stream.step(point)
    assert [copied.step(point) for point in series[cut:]] == expected[cut:]
    again = COPIES[way](stream)
    for point in others:
        copied.step(point)
    assert [again.step(point) for point in series] == [stream.step(point) for point in series]


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_the_model_of_a_stream_has_arrays_of_its_own(way: str) -> None:
    made = model(2)
    one = StreamModel(made.parameters, made.config, 2, None)
    first = one.squared_error(np.ones(12, np.float32), gaps=False)
    before = first.tolist()
    COPIES[way](one).squared_error(np.full(12, 7.0, np.float32), gaps=False)
    assert first.tolist() == before


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_tracker_follows_events_of_its_own(way: str) -> None:
    whole, tracker = (EventTracker("ab", Config(merge_gap=2)) for _ in range(2))
    steps = [(at, int(at in (3, 4, 6)), 1.0 + at, np.array([1.0, at])) for at in range(12)]
    expected = [whole.update(*step) for step in steps]
    for step in steps[:5]:
        tracker.update(*step)
    copied = COPIES[way](tracker)
    tracker.update(5, 1, 90.0, np.array([60.0, 30.0]))
    assert [copied.update(*step) for step in steps[5:]] == expected[5:]


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    Stream(model(seed=1)).save_state(tmp_path / "s")
    stream = Stream(model())
    stream.update(1.0)
    with pytest.raises(ValueError, match="s: this state cannot be restored: it belongs to another model"):
        stream.load_state(tmp_path / "s")
    assert stream.index == 1


@pytest.mark.parametrize("part", ["thresholds", "config", "channels", "seed", "scaler", "calibration"])
def test_whatever_decides_tells_models_apart(part: str) -> None:
    one = model()
    other: dict[str, Any] = {
        "thresholds": dict.fromkeys(THRESHOLDS, 3.0),
        "config": replace(one.config, merge_gap=3),
        "channels": ("z",),
        "seed": 1,
        "scaler": one.scaler._replace(shift=np.array([0.25])),
        "calibration": one.calibration._replace(warm_up=np.full(1, 0.5)),
    }
    state = Stream(one).state
    with pytest.raises(ValueError, match="it belongs to another model"):
        Stream(replace(one, **{part: other[part]})).restore(state)
    Stream(replace(one, preset="auto", config=replace(one.config, missing="interpolate"))).restore(state)


def test_each_damaged_byte_of_a_state_file_is_noticed(tmp_path: Path) -> None:
    path, stream = tmp_path / "s", Stream(model())
    stream.update(1.0)
    stream.save_state(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"remove it to start anew|damaged state of a stream") as raised:
            Stream(model()).load_state(path)
        assert "\n" not in str(raised.value)
    path.write_bytes(whole[:-3])
    with pytest.raises(DamagedStateError):
        stream.load_state(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": np.zeros((5, 1), np.float32)}, "window is float32 of shape"),
        ({"window": np.full((6, 1), np.inf, np.float32)}, "not finite"),
        ({"parts": np.zeros(2)}, "parts is"),
        ({"index": -1}, "the index -1"),
        ({"index": None}, "the index None"),
        ({"index": 2**63}, "the index 9223372036854775808"),
        ({"index": 10**400}, "the index 1000"),
        ({"index": math.inf}, "the index inf"),
        ({"tracker": EventTracker("a", Config()).state | {"opened": math.inf}}, "the number None, of inf"),
        ({"tracker": {}}, "'totals' is missing"),
        ({"score": "x"}, "could not convert"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused_and_changes_nothing(change: dict[str, Any], message: str) -> None:
    stream, like = Stream(model()), Stream(model())
    with pytest.raises(ValueError, match=message):
        stream.restore(stream.state | change)
    assert [stream.update(float(x)) for x in range(9)] == [like.update(float(x)) for x in range(9)]


def test_an_unfitted_detector_has_no_stream() -> None:
    with pytest.raises(ValueError, match="not fitted"):
        detector_of("torch")().stream()
