"""Averages of the past in a stream are those of the batch, after restarts and in copies too."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.calibrations import made_up
from tests.oracle import views
from tests.stream.test_stream import COPIES, model, points
from twinvae.scoring.kinds import contributions
from twinvae.stream.stream import Stream
from twinvae.stream.trailing import TrailingAverages

WINDOW, DURATIONS = 6, (1, 4, 16)


def averaging(channels: int = 1, **settings: Any) -> Stream:
    """A stream whose averages reach further back than its window."""
    made = model(channels, kind="ensemble", **settings)
    known = made_up(channels, WINDOW, durations=DURATIONS, dtype=made.config.dtype, seed=3)
    return Stream(replace(made, calibration=known))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    length=st.integers(1, 60),
    gaps=st.sampled_from([0.0, 0.1, 0.9]),
    durations=st.sampled_from([(1, 4, 16), (1, 3, 3), (1,)]),
)
def test_step_by_step_they_are_those_of_a_series(
    seed: int, length: int, gaps: float, durations: tuple[int, ...]
) -> None:
    generator = np.random.default_rng(seed)
    calibration = made_up(2, 2, durations=durations, dtype="float64", seed=seed)
    errors = generator.exponential(size=(length, 2)) ** 4
    errors[generator.random(errors.shape) < gaps] = np.nan
    averages = TrailingAverages(calibration, draws=0)
    found = np.array([averages.add(error, gap=bool(np.isnan(error).any())) for error in errors])
    expected = views.trailing(errors, durations, calibration.largest["trailing"], calibration.warm_up)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    series = np.zeros((length + 1, 2))
    series[1:][np.isnan(errors)] = np.nan
    batch = contributions("trailing", series, {"causal": errors}, 2, calibration)[1:]
    np.testing.assert_allclose(batch[~np.isnan(errors)], found[~np.isnan(errors)], rtol=1e-12)


def test_a_huge_error_leaves_no_rounding_behind() -> None:
    calibration = made_up(1, 6, durations=DURATIONS, dtype="float64")
    averages, like = (TrailingAverages(calibration, draws=0) for _ in range(2))
    averages.add(np.array([1e100]), gap=False)
    errors = np.random.default_rng(0).exponential(size=(40, 1))
    found, expected = ([one.add(error, gap=False).item() for error in errors] for one in (averages, like))
    assert found[15:] == expected[15:]
    assert found[14] > 1e190


@pytest.mark.parametrize("cut", [0, 3, 6, 10, 32, 46, 58, 63])
def test_a_restored_stream_averages_what_was_before(tmp_path: Path, cut: int) -> None:
    series = points(100, 2)
    series[30:40], series[44:48, 1], series[50, 0], series[57:60, 0] = np.nan, np.nan, 1e38, np.nan
    first, second, whole = (averaging(2, missing="mask", draws=2) for _ in range(3))
    expected = [whole.step(row, at) for at, row in enumerate(series)]
    assert whole.kind == "trailing"
    assert any(step.changes for step in expected)
    assert any(np.isnan(step.score) for step in expected)
    for at, row in enumerate(series[:cut]):
        first.step(row, at)
    first.save_state(tmp_path / "s")
    for row in points(20, 2, seed=4):  # what it was before does not matter
        second.update(row)
    second.load_state(tmp_path / "s")
    assert repr([second.step(row, cut + at) for at, row in enumerate(series[cut:])]) == repr(expected[cut:])
    whole.reset()
    assert repr([whole.step(row, at) for at, row in enumerate(series)]) == repr(expected)


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_averages_errors_of_its_own(way: str) -> None:
    series, stream, whole = points(80, 2), averaging(2), averaging(2)
    expected = [whole.step(point) for point in series]
    for point in series[:40]:
        stream.step(point)
    copied = COPIES[way](stream)
    for point in points(40, 2, seed=1) + 5.0:  # of the original, which must not reach the copy
        stream.step(point)
    assert [copied.step(point) for point in series[40:]] == expected[40:]


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (np.ones((16, 1)), r"errors is float64 of shape \(16, 1\)"),
        (np.ones((15, 2)), "errors is float64 of shape"),
        (np.ones((16, 2), np.float32), "errors is float32"),
        (np.full((16, 2), -1.0), "errors below 0"),
    ],
)
def test_a_state_with_other_errors_is_refused_and_changes_nothing(errors: np.ndarray, message: str) -> None:
    stream, like = averaging(2), averaging(2)
    series = points(60, 2)
    for one in (stream, like):
        for row in series[:32]:  # in an event
            one.update(row)
    with pytest.raises(ValueError, match=message):
        stream.restore(averaging(2).state | {"errors": errors})
    state = stream.state
    del state["errors"]
    with pytest.raises(ValueError, match="'errors' is missing"):
        stream.restore(state)
    assert [stream.step(row) for row in series[32:]] == [like.step(row) for row in series[32:]]
