"""Events of a stream, opened and closed as its points come: those of the batch."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twinvae.config import Config
from twinvae.scoring.events import Alarms, Event, event_labels, find_events
from twinvae.scoring.rules import Rules, kept
from twinvae.stream.event_tracker import RECORDS, EventTracker
from twinvae.windowing.intervals import intervals


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.1, 0.5, 1.5, 2.0, 3.0, 5.0, 8.0, 30.0, 900.0]), max_size=60),
    min_length=st.integers(1, 5),
    merge_gap=st.integers(0, 4),
    least_height=st.sampled_from([0.0, 0.1, 0.3, 0.9]),
    window=st.integers(1, 12),
    cut=st.integers(0, 60),
    share=st.integers(0, 2**31),
)
def test_the_closed_events_are_those_of_the_batch_also_after_a_restart(
    scores: list[float], min_length: int, merge_gap: int, least_height: float, window: int, cut: int, share: int
) -> None:
    config = Config(window=window, min_length=min_length, merge_gap=merge_gap, least_height=least_height)
    part = np.random.default_rng(share).uniform(0, 1, len(scores))
    series = np.array(scores)
    contributions = 2 * series[:, None] * np.stack([part, 1 - part], axis=1)
    series = contributions.mean(axis=1)
    labels = (series > 1.0).astype(np.int8)
    rows = event_labels(Alarms(labels, series, window), config, only_past=True)
    expected = find_events(rows, contributions, ["a", "b"])
    tracker, changes = EventTracker(["a", "b"], config), []
    for at, label in enumerate(labels):
        if at == cut:
            other = EventTracker(["a", "b"], config)
            other.restore(json.loads(json.dumps(tracker.state)))
            assert (other.idle, other.is_open) == (tracker.idle, tracker.is_open)
            tracker = other
        changes += tracker.update(at, int(label), float(series[at]), contributions[at], f"t{at}")
    changes += tracker.finish()
    closed = [change for change in changes if change.what == "close"]
    assert [_plain(change.event) for change in closed] == [_plain(event) for event in expected]
    for change, event in zip(closed, expected, strict=True):
        assert change.event.channels == pytest.approx(event.channels)
        assert (change.event.start_time, change.event.last_time, change.event.peak_time) == (
            f"t{event.start}",
            f"t{event.end - 1}",
            f"t{event.peak}",
        )
    assert tracker.idle
    assert not tracker.is_open
    # Each is opened once, then closed or withdrawn, and at most one is open.
    assert [(c.what == "open", c.number) for c in changes] == [
        (opening, number) for number in range(tracker.opened) for opening in (True, False)
    ]


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.1, 0.5, 1.5, 2.0, 5.0, 30.0]), max_size=60),
    asked=st.fixed_dictionaries(
        {
            "at_least": st.sampled_from(["", "2-of-3", "3-of-6"]), "min_length": st.integers(1, 4),
            "direction": st.sampled_from(["both", "up", "down"]), "min_deviation": st.sampled_from(["", "a=0.5"]),
            "valid_range": st.sampled_from(["", "b=:1"]),
        }
    ),
    merge_gap=st.integers(0, 4),
    cut=st.integers(0, 60),
    share=st.integers(0, 2**31),
)  # fmt: skip
@example(  # a value outside its range has the highest score there is, beside which a sum forgets all others
    scores=[0.1] * 10 + [1.5, 1.5, 30.0, 0.1, 0.1],
    asked={"at_least": "", "min_length": 1, "direction": "both", "min_deviation": "a=0.5", "valid_range": "b=:1"},
    merge_gap=0, cut=0, share=1,
)  # fmt: skip
def test_the_rules_keep_what_they_keep_of_the_batch_also_after_a_restart(
    scores: list[float], asked: dict[str, Any], merge_gap: int, cut: int, share: int
) -> None:
    config, generator = Config(window=4, merge_gap=merge_gap, least_height=0.1, **asked), np.random.default_rng(share)
    part = generator.uniform(0, 1, len(scores))
    contributions = 2 * np.array(scores)[:, None] * np.stack([part, 1 - part], axis=1)
    deviations, outside = generator.normal(0, 1, (len(scores), 2)), np.zeros((len(scores), 2), bool)
    if asked["valid_range"]:
        outside[:, 1] = generator.uniform(0, 1, len(scores)) < 0.1
    contributions[outside] = 1e30
    series, out = contributions.mean(axis=1), outside.any(axis=1)
    inside = np.where(out, 0.0, series)
    labels = (series > 1.0).astype(np.int8)
    alone = replace(config, min_length=1)
    rows = event_labels(Alarms((inside > 1.0).astype(np.int8), inside, 4), alone, only_past=True) | out
    for start, end in intervals(rows, merge_gap=merge_gap):
        rows[start:end] = 1
    events = find_events(rows, contributions, ["a", "b"])
    at_peak = [deviations[event.peak, "ab".index(next(iter(event.channels)))] for event in events]
    rules = Rules.of(config, ["a", "b"])
    expected = kept(rules, events, at_peak, labels, ["a", "b"], outside=outside)

    tracker, changes = EventTracker(["a", "b"], config), []
    for at, label in enumerate(labels):
        if at == cut:
            other = EventTracker(["a", "b"], config)
            other.restore(json.loads(json.dumps(tracker.state)))
            tracker = other
        changes += tracker.update(
            at, int(label), float(series[at]), contributions[at], deviations=deviations[at].tolist(),
            outside=np.flatnonzero(outside[at]).tolist(),
        )  # fmt: skip
    changes += tracker.finish()
    closed = [change.event for change in changes if change.what == "close"]
    assert [(event.start, event.end) for event in closed] == intervals(expected.labels)
    assert {event.start: event.why or () for event in closed} == expected.reasons
    assert tracker.dropped == expected.dropped
    assert [(c.what == "open", c.number) for c in changes] == [
        (opening, number) for number in range(tracker.opened) for opening in (True, False)
    ]


def test_an_event_whose_peak_is_ignored_is_none_and_one_that_turns_is_withdrawn() -> None:
    tracker = EventTracker(["a"], Config(merge_gap=0, direction="up"))
    said = [
        change.what
        for at, (score, deviation, ignored) in enumerate(
            [
                (2.0, 1.0, False),
                (5.0, -1.0, False),
                (0.0, 0.0, False),
                (9.0, 1.0, True),
                (2.0, 1.0, False),
                (0.0, 0.0, False),
            ]
        )
        for change in tracker.update(
            at, int(score > 1), score, np.array([score]), deviations=[deviation], ignored=ignored
        )
    ]
    assert said == ["open", "withdrawn"]
    assert tracker.dropped == {"direction": 1, "ignore": 1}


def _plain(event: Event) -> tuple[int, int, int, float]:
    return event.start, event.end, event.peak, event.score


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    merge_gap=st.sampled_from([0, 20]),
    window=st.sampled_from([5, 64]),
    average=st.sampled_from([0, 16, 64]),
)
def test_runs_with_several_peaks_end_as_those_of_the_batch(
    seed: int, merge_gap: int, window: int, average: int
) -> None:
    generator, config = np.random.default_rng(seed), Config(window=window, merge_gap=merge_gap, least_height=0.1)
    scores = np.exp(np.cumsum(generator.normal(0, 0.5, 400)) % 12 - 2)
    smear = window + average
    tracker, changes, labels = EventTracker(["a"], config, smear), [], (scores > 1).astype(np.int8)
    for at, (score, label) in enumerate(zip(scores.tolist(), labels.tolist(), strict=True)):
        changes += tracker.update(at, label, score, np.array([score]))
    changes += tracker.finish()
    expected = find_events(event_labels(Alarms(labels, scores, smear), config, only_past=True), scores[:, None], ["a"])
    assert [_plain(change.event) for change in changes if change.what == "close"] == [_plain(e) for e in expected]


def test_an_event_opens_and_closes_as_soon_as_it_is_known() -> None:
    tracker = EventTracker(["a"], Config(min_length=2, merge_gap=3))
    labels = [0, 1, 0, 0, 1, 0, 0, 0, 0, 0]
    said = [
        (at, change.what, (change.event.start, change.event.end))
        for at, label in enumerate(labels)
        for change in tracker.update(at, label, float(label), np.array([float(label)]))
    ]
    assert said == [(4, "open", (1, 5)), (8, "close", (1, 5))]


def test_an_event_whose_low_start_is_cut_off_may_be_withdrawn() -> None:
    tracker = EventTracker(["a"], Config(min_length=3, merge_gap=0, least_height=0.5))
    said = [
        change.what
        for at, score in enumerate([2.0, 2.0, 2.0, 50.0, 0.0])
        for change in tracker.update(at, int(score > 1), score, np.array([score]))
    ]
    assert said == ["open", "withdrawn"]


def test_a_rise_without_end_takes_bounded_memory() -> None:
    tracker = EventTracker(["a"], Config(window=5 * RECORDS, merge_gap=0, least_height=0.5))
    for at in range(5 * RECORDS):
        tracker.update(at, 1, 2.0 + at, np.ones(1))
        assert len(tracker.state["run"]["rises"]) <= RECORDS
    (change,) = tracker.finish()
    assert change.event.start == pytest.approx(2.5 * RECORDS, rel=0.01)


def test_a_rise_without_end_after_a_valley_takes_bounded_memory() -> None:
    tracker = EventTracker(["a"], Config(window=5 * RECORDS, least_height=0.1))
    for at, score in enumerate([1e9, *(2.0 + np.arange(3.0 * RECORDS) / (3 * RECORDS))]):
        tracker.update(at, 1, float(score), np.ones(1))
        assert len(tracker.state["run"]["since"]) <= RECORDS
    assert len(tracker.state["run"]["since"]) > RECORDS / 4
