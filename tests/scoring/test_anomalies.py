"""Runs of alarms taken apart: each anomaly has its own event, and its ends are those of its own peak."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinvae.config import Config
from twinvae.scoring.anomalies import SPLIT
from twinvae.scoring.events import Alarms, anomalies, event_labels
from twinvae.windowing.intervals import intervals

heights = st.sampled_from([0.5, 1.5, 2.0, 3.0, 5.0, 8.0, 30.0, 60.0, 900.0, 2e4])
pieces_of_a_series = st.lists(st.tuples(heights, st.integers(1, 9)), max_size=40)


def drawn(parts: list[tuple[float, int]]) -> np.ndarray:
    """A score of steps of these heights and lengths."""
    return np.repeat([height for height, _ in parts], [length for _, length in parts]).astype(np.float64)


def alarms_of(scores: np.ndarray, smear: int) -> Alarms:
    return Alarms((scores > 1.0).astype(np.int8), scores, smear)


def places(scores: Any, *, smear: int = 99, only_past: bool = False, **options: Any) -> list[tuple[int, int]]:
    config = Config(**{"merge_gap": 0, "least_height": 0.1} | options)
    return intervals(event_labels(alarms_of(np.asarray(scores, np.float64), smear), config, only_past=only_past))


def test_a_lower_anomaly_in_the_run_of_a_higher_one_has_its_event() -> None:
    scores = [2, 50, 500, 60, 4, 2, 4, 30, 200, 9, 2, 2, 9000, 5]
    assert places(scores) == [(1, 4), (7, 9), (12, 13)]
    assert places(scores, merge_gap=3) == [(1, 13)]
    assert places(scores, least_height=0.0) == [(0, 14)]


def test_a_shallow_valley_parts_nothing() -> None:
    assert places([9, 100, 51, 100, 9]) == [(1, 4)]
    assert places([9, 100, 49, 100, 9]) == [(1, 4)], "two that touch are one event"
    assert places([9, 100, 9, 100, 9]) == [(1, 2), (3, 4)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_low_stretch_that_is_longer_than_the_smear_is_an_anomaly_of_its_own(turned: bool) -> None:
    scores = [1000.0] * 3 + [20.0] * 40
    assert places(scores[:12], smear=9) == [(0, 3)]
    (first, *_), last = places(scores[::-1] if turned else scores, smear=9)[0], places(scores, smear=9)[-1][1]
    assert (first, last) == (0, 43)


@settings(max_examples=300, deadline=None)
@given(
    parts=pieces_of_a_series,
    least_height=st.sampled_from([0.0, 0.05, 0.1, 0.5, 0.9]),
    smear=st.integers(1, 30),
    only_past=st.booleans(),
)
def test_each_alarm_is_in_an_anomaly_or_in_the_smear_of_one(
    parts: list[tuple[float, int]], least_height: float, smear: int, only_past: bool
) -> None:
    alarms = alarms_of(drawn(parts), smear)
    found = anomalies(alarms, least_height, only_past=only_past)
    assert (found <= alarms.labels).all()
    assert_all_near(alarms, found)


def assert_all_near(alarms: Alarms, found: np.ndarray) -> None:
    on = np.flatnonzero(found)
    for at in np.flatnonzero(alarms.labels):
        assert np.abs(on - at).min() <= alarms.smear


@settings(max_examples=300, deadline=None, derandomize=True)
@given(parts=pieces_of_a_series, least_height=st.sampled_from([0.05, 0.1, 0.4]), smear=st.integers(1, 300))
def test_no_event_hides_a_second_anomaly(parts: list[tuple[float, int]], least_height: float, smear: int) -> None:
    """Two steps with one between them that is low beside both are not in one event; the highest of each is in one."""
    assert least_height <= SPLIT
    assert_nothing_hidden(alarms_of(drawn(parts), smear), least_height)


@pytest.mark.xfail(reason="a low anomaly that touches a higher one on both sides makes one event of the three")
def test_no_event_hides_what_a_lower_anomaly_joins() -> None:
    assert_nothing_hidden(alarms_of(np.array([60.0, 3.0, 8.0, 1.5, 60.0]), 1), 0.05)


def assert_nothing_hidden(alarms: Alarms, least_height: float) -> None:
    for start, end in intervals(anomalies(alarms, least_height)):
        scores = alarms.scores[start:end]
        lower_side = np.minimum(np.maximum.accumulate(scores), np.maximum.accumulate(scores[::-1])[::-1])
        assert (scores >= least_height * lower_side).all()


@settings(max_examples=300, deadline=None)
@given(parts=pieces_of_a_series, sharp=pieces_of_a_series, least_height=st.sampled_from([0.0, 0.1, 0.5]))
def test_with_a_sharp_score_each_alarm_of_both_is_near_an_anomaly(
    parts: list[tuple[float, int]], sharp: list[tuple[float, int]], least_height: float
) -> None:
    scores = drawn(parts)
    narrow = np.resize(np.append(drawn(sharp), 0.5), len(scores))
    alarms, sharp_alarms = alarms_of(scores, 20), alarms_of(narrow, 5)
    found = anomalies(alarms, least_height, sharp=sharp_alarms)
    assert_all_near(alarms, found)
    if least_height:
        assert_all_near(sharp_alarms, found)


def test_a_sharp_score_gives_the_ends_and_finds_what_smear_hides() -> None:
    scores, narrow = np.full(60, 500.0), np.full(60, 0.2)
    scores[10:14], narrow[10:14] = 5000.0, [90.0, 900.0, 800.0, 9.0]
    narrow[40:42] = 3.0
    whole, sharp = alarms_of(scores, 60), alarms_of(narrow, 20)
    assert intervals(anomalies(whole, 0.2)) == [(10, 14)]
    assert intervals(anomalies(whole, 0.2, sharp=sharp)) == [(11, 13), (40, 42)]
    assert intervals(anomalies(whole, 0.2, sharp=alarms_of(np.full(60, 0.2), 20))) == [(10, 14)], "it sees nothing"


@pytest.mark.parametrize("spread", [0.3, 1.0, 1.5])
def test_noise_about_the_threshold_of_a_sharp_score_is_one_anomaly(spread: float) -> None:
    generator = np.random.default_rng(0)
    narrow = np.exp(spread * generator.normal(size=900)) * np.where(np.arange(900) < 450, 2.0, 200.0)
    narrow[:100] = narrow[800:] = 0.2
    scores = np.full(900, 500.0)
    scores[100:800] = 5000.0 * np.exp(np.sin(np.arange(700) / 30))  # it swings, so that it has valleys too
    whole, sharp = alarms_of(scores, 150), alarms_of(narrow, 50)
    ((start, end),) = intervals(event_labels(whole, Config(least_height=0.1), sharp=sharp))
    assert max(abs(start - 100), abs(end - 800)) <= 50


@settings(max_examples=40, deadline=None, derandomize=True)
@given(places=st.lists(st.integers(25, 80), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_what_a_whole_window_of_rest_parts_stays_apart(places: list[int], seed: int) -> None:
    """Each spike of a sharp score, of any height, has its event with its own ends, all in one run of alarms."""
    at = np.cumsum(places)
    narrow = np.full(at[-1] + 30, 0.02)
    narrow[at] = narrow[at + 1] = 10.0 ** np.random.default_rng(seed).uniform(1.5, 5, len(at))
    found = anomalies(alarms_of(2.0 + narrow, len(narrow)), 0.1, sharp=alarms_of(narrow, 20))
    assert intervals(found) == [(place, place + 2) for place in at.tolist()]


def test_an_echo_of_what_is_still_in_the_window_is_no_event() -> None:
    quiet = [0.0] * 5
    scores = [*quiet, 100, 80, *quiet, 34, 15, *quiet, 34, *quiet]
    assert places(scores, smear=8, only_past=True) == [(5, 7), (19, 20)]
    assert places(scores, smear=30, only_past=True) == [(5, 7)]
    assert len(places(scores, smear=30)) == 3, "a score that looks both ways has no echoes"
    assert places([*quiet, 100, *quiet, 36, *quiet], smear=30, only_past=True) == [(5, 6), (11, 12)]
