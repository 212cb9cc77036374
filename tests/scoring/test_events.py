"""Labels -> intervals -> events."""

import copy
import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinvae.config import Config
from twinvae.scoring.events import Alarms, Event, event_labels, find_events, with_expectation
from twinvae.windowing.intervals import intervals

labels_of_a_series = st.lists(st.integers(0, 1), max_size=80).map(lambda bits: np.array(bits, dtype=np.int8))


@settings(max_examples=100, deadline=None)
@given(labels=labels_of_a_series, min_length=st.integers(1, 6), merge_gap=st.integers(0, 6))
def test_intervals_are_sorted_apart_and_long_enough(labels: np.ndarray, min_length: int, merge_gap: int) -> None:
    found = intervals(labels, min_length=min_length, merge_gap=merge_gap)
    for start, end in found:
        assert 0 <= start < end <= len(labels)
        assert end - start >= min_length
        assert labels[start] == labels[end - 1] == 1
    for (_, end), (start, _) in pairwise(found):
        assert start - end > merge_gap


@settings(max_examples=100, deadline=None)
@given(labels=labels_of_a_series, merge_gap=st.integers(0, 6))
def test_without_a_least_length_each_label_is_in_an_interval(labels: np.ndarray, merge_gap: int) -> None:
    covered = np.zeros_like(labels)
    for start, end in intervals(labels, merge_gap=merge_gap):
        covered[start:end] = 1
    assert (covered >= labels).all()
    if merge_gap == 0:
        assert (covered == labels).all()


@pytest.mark.parametrize(
    ("labels", "min_length", "merge_gap", "expected"),
    [
        ([], 1, 0, []),
        ([0, 0], 1, 0, []),
        ([1, 1], 1, 0, [(0, 2)]),
        ([1, 0, 1], 1, 0, [(0, 1), (2, 3)]),
        ([1, 0, 1], 1, 1, [(0, 3)]),
        ([1, 0, 0, 1], 1, 1, [(0, 1), (3, 4)]),
        ([1, 0, 1, 0, 0, 0, 1], 2, 1, [(0, 3)]),
        ([0, 1, 0, 1, 1], 2, 0, [(3, 5)]),
    ],
)
def test_intervals_by_example(
    labels: list[int], min_length: int, merge_gap: int, expected: list[tuple[int, int]]
) -> None:
    assert intervals(np.array(labels, dtype=np.int8), min_length=min_length, merge_gap=merge_gap) == expected


def test_an_event_has_its_peak_and_its_channels_by_share() -> None:
    contributions = np.zeros((10, 3))
    contributions[3:6] = [[1.0, 0.0, 2.0], [2.0, 0.0, 10.0], [1.0, 0.0, 0.0]]
    contributions[8, 1] = 6.0
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 0], dtype=np.int8)
    first, second = find_events(labels, contributions, ("a", "b", "c"))
    assert (first.start, first.end, first.peak, first.score) == (3, 6, 4, 4.0)
    assert list(first.channels.items()) == [("c", 0.75), ("a", 0.25), ("b", 0.0)]
    assert replace(second, contributions=None) == Event(8, 9, 8, 2.0, {"b": 1.0, "a": 0.0, "c": 0.0})
    np.testing.assert_array_equal(first.contributions, [[2.0, 1.0, 0.0], [10.0, 2.0, 0.0], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(second.contributions, [[6.0, 0.0, 0.0]])


def explained() -> Event:
    parts = np.array([[1.0, 3.0], [2.0, 6.0]])
    return Event(4, 6, 5, 4.0, {"b": 0.75, "a": 0.25}, contributions=parts, value=7.0, expected=1.5)


def test_events_with_arrays_are_compared_copied_pickled_and_printed() -> None:
    event = explained()
    for same in (explained(), copy.deepcopy(event), pickle.loads(pickle.dumps(event)), replace(event)):
        assert same == event
        assert (same != event) is False
    assert event.contributions is not None
    for other in (
        replace(event, contributions=event.contributions + 1e-9),
        replace(event, contributions=None),
        replace(event, expected=1.0),
        replace(event, start=3),
        (event.start, event.end),
    ):
        assert other != event
        assert event != other
    assert [event] == [explained()]
    shown = "start=4, end=6, peak=5, score=4.0, channels={'b': 0.75, 'a': 0.25}, value=7.0, expected=1.5"
    assert repr(event) == f"Event({shown})"


def test_what_was_measured_and_expected_is_that_of_the_first_channel_at_the_peak() -> None:
    series, reconstruction = np.arange(20.0).reshape(10, 2), -np.arange(20.0).reshape(10, 2)
    (event,) = with_expectation([explained()], ("a", "b"), series, reconstruction)
    assert (event.value, event.expected) == (11.0, -11.0)
    assert replace(event, value=7.0, expected=1.5) == explained()
    assert with_expectation([], ("a", "b"), series, reconstruction) == []


def test_low_ends_of_an_event_are_cut_off_and_its_middle_is_not() -> None:
    scores = np.array([1.0, 2.0, 10.0, 5.0, 9.0, 2.0, 1.0, 0.0, 0.5])
    labels = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1], dtype=np.int8)
    alarms, config = Alarms(labels, scores, 9), Config(merge_gap=0, least_height=0.2)
    assert intervals(event_labels(alarms, config)) == [(1, 6), (8, 9)], "each run has its own height"
    assert intervals(event_labels(alarms, replace(config, least_height=0.0))) == [(0, 7), (8, 9)]


def test_labels_are_joined_over_short_gaps_and_short_events_have_none() -> None:
    alarms = Alarms(np.array([0, 1, 0, 1, 0, 0, 0, 1, 0], dtype=np.int8), np.ones(9), 9)
    assert event_labels(alarms, Config(merge_gap=1)).tolist() == [0, 1, 1, 1, 0, 0, 0, 1, 0]
    assert event_labels(alarms, Config(merge_gap=1, min_length=2)).tolist() == [0, 1, 1, 1, 0, 0, 0, 0, 0]


@settings(max_examples=50, deadline=None)
@given(labels=labels_of_a_series.filter(len), channels=st.integers(1, 4), seed=st.integers(0, 99))
def test_shares_add_up_to_1_and_the_peak_is_inside(labels: np.ndarray, channels: int, seed: int) -> None:
    contributions = np.random.default_rng(seed).exponential(size=(len(labels), channels)).astype(np.float32)
    names = [f"channel {index}" for index in range(channels)]
    alarms = Alarms(labels, contributions.mean(axis=1), 9)
    rows = event_labels(alarms, Config(merge_gap=2, least_height=0.2))
    covered = np.zeros_like(rows)
    for event in find_events(rows, contributions, names):
        covered[event.start : event.end] = 1
        assert sum(event.channels.values()) == pytest.approx(1.0)
        assert sorted(event.channels) == names
        assert list(event.channels.values()) == sorted(event.channels.values(), reverse=True)
        assert event.start <= event.peak < event.end
        assert event.score == contributions.mean(axis=1)[event.start : event.end].max()
        assert event.contributions is not None
        shares = event.contributions.sum(axis=0, dtype=np.float64) / event.contributions.sum(dtype=np.float64)
        assert dict(zip(event.channels, shares, strict=True)) == pytest.approx(event.channels)
    assert (covered == rows).all()
