"""Anomalies beside higher ones, with the default settings: each has its event."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.conftest import BACKENDS, detector_of
from twinvae.windowing.intervals import intervals

TRAINING = 2000


def spikes(number: int, apart: int, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A wave with spikes of three steps after the training rows, and where they are."""
    length = TRAINING + (number + 1) * apart
    series = np.sin(2 * np.pi * np.arange(length) / 48) + np.random.default_rng(0).normal(0, 0.05, length)
    labels = np.zeros(length, np.int8)
    for at, height in zip(range(TRAINING + apart, length, apart), heights, strict=False):
        series[at : at + 3] += height
        labels[at : at + 3] = 1
    return series, labels


@cache
def fitted(name: str, draws: int = 0) -> Any:
    """A detector of the training rows, which all these series share."""
    return detector_of(name)(epochs=20, draws=draws).fit(spikes(0, 1, np.empty(0))[0][:TRAINING])


@pytest.mark.parametrize("name", BACKENDS)
def test_the_lower_of_two_spikes_has_its_event_with_its_own_ends(name: str) -> None:
    series, labels = spikes(2, 300, np.array([5.0, 20.0]))
    events = fitted(name).events(series)
    assert [event.end - event.start for event in events] == pytest.approx([3, 3], abs=20)
    assert [event.peak for event in events] == pytest.approx([start + 1 for start, _ in intervals(labels)], abs=3)


@pytest.mark.slow
def test_forty_spikes_of_mixed_heights_are_forty_events_of_the_stream_and_hardly_fewer_of_the_default() -> None:
    heights = 10 ** np.random.default_rng(1).uniform(0.5, 2, 40)
    series, labels = spikes(40, 240, heights)
    detector = fitted("jax")
    true = intervals(labels)
    events = detector.events(series)
    assert all(event.end - event.start < 240 for event in events)
    held = [sum(event.start < end and start < event.end for start, end in true) for event in events]
    assert max(held) == 1, "no event hides a second anomaly"
    found = [any(event.start < end and start < event.end for event in events) for start, end in true]
    assert sum(found) >= 39
    live = [
        change.event
        for point, stream in ((point, stream) for stream in [detector.stream()] for point in series)
        for change in stream.step(float(point)).changes
        if change.what == "close"
    ]
    assert [(event.start, event.end) for event in live] == true, "a spike in the window makes no second event"


@pytest.mark.parametrize("draws", [0, 2])
def test_the_extent_of_an_event_does_not_depend_on_the_length_of_the_file(draws: int) -> None:
    series, _ = spikes(1, 300, np.array([8.0]))
    detector = fitted("torch", draws)
    whole = [(event.start, event.end) for event in detector.events(series)]
    begin = TRAINING + 260
    day = [(begin + event.start, begin + event.end) for event in detector.events(series[begin : begin + 75])]
    assert len(whole) == len(day) == 1
    np.testing.assert_allclose(day, whole, atol=4)
    assert whole[0][1] - whole[0][0] <= 20
