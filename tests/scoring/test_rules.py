"""The rules of events: what each drops, in which order, and what is said of those that are kept."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinvae.config import Config
from twinvae.scoring.events import find_events
from twinvae.scoring.rules import Candidate, Rules, dropped_by, in_words, kept, most_alarms, reasons

NAMES = ("a", "b")


def rules(**settings: Any) -> Rules:
    return Rules.of(Config(**settings), NAMES)


def test_without_rules_every_event_is_kept_and_nothing_is_said() -> None:
    off = rules()
    assert not off.are_on
    assert dropped_by(off, Candidate(1, 0, np.nan)) is None
    assert reasons(off, Candidate(1, 0, 5.0), NAMES) == ()
    assert off.outside(np.array([[1e30, -1e30]])) is None


@pytest.mark.parametrize(
    ("settings", "candidate", "expected"),
    [
        ({"direction": "up"}, Candidate(5, 0, 1.0), None),
        ({"direction": "up"}, Candidate(5, 0, -1.0), "direction"),
        ({"direction": "up"}, Candidate(5, 0, 0.0), "direction"),
        ({"direction": "down"}, Candidate(5, 0, -1.0), None),
        ({"direction": "down"}, Candidate(5, 0, 1.0), "direction"),
        ({"direction": "down"}, Candidate(5, 0, np.nan), None),
        ({"min_deviation": "2"}, Candidate(5, 1, -2.0), None),
        ({"min_deviation": "2"}, Candidate(5, 1, 1.9), "min_deviation"),
        ({"min_deviation": "a=2"}, Candidate(5, 1, 0.1), None),
        ({"min_deviation": "a=2"}, Candidate(5, 0, 0.1), "min_deviation"),
        ({"min_deviation": "2"}, Candidate(5, 1, np.nan), None),
        ({"min_length": 5}, Candidate(5, 0, np.nan), None),
        ({"min_length": 6}, Candidate(5, 0, np.nan), "min_length"),
        ({"at_least": "2-of-3"}, Candidate(5, 0, 0.0, has_lasted=True), None),
        ({"at_least": "2-of-3"}, Candidate(5, 0, 0.0, has_lasted=False), "at_least"),
        ({}, Candidate(5, 0, 0.0, ignored=True), "ignore"),
        (
            {"min_length": 9, "direction": "up", "valid_range": "0:1"},
            Candidate(5, 0, -1.0, has_lasted=False, outside=(1,), ignored=True),
            None,
        ),
    ],
)
def test_each_rule_drops_what_it_was_asked_to(settings: Any, candidate: Candidate, expected: str | None) -> None:
    assert dropped_by(rules(**settings), candidate) == expected


def test_a_kept_event_says_what_it_is_by_the_rules() -> None:
    asked = rules(direction="up", min_deviation="a=0.5", min_length=3, at_least="2-of-4", valid_range="b=:9")
    assert reasons(asked, Candidate(7, 0, 0.83), NAMES) == (
        "a is 0.83 above what was expected (asked for: up, at least 0.5)",
        "7 steps long (asked for: at least 3)",
        "at least 2 of 4 steps above the threshold",
    )
    assert reasons(asked, Candidate(7, 1, 0.83), NAMES)[0] == "b is 0.83 above what was expected (asked for: up)"
    assert "missing at the peak" in reasons(asked, Candidate(7, 0, np.nan), NAMES)[0]
    assert reasons(asked, Candidate(1, 0, 0.0, outside=(1,)), NAMES) == ("b is outside its valid range :9",)


def test_a_value_at_the_end_of_its_range_is_in_it_and_a_missing_one_too() -> None:
    asked = rules(valid_range="a=0:1,b=:5")
    outside = asked.outside(np.array([[0.0, 5.0], [1.0, np.nan], [1.1, -99.0], [-0.1, 5.1]]))
    assert outside is not None
    assert outside.tolist() == [[False, False], [False, False], [True, False], [True, True]]
    assert asked.outside(np.array([[0.5, np.nan]])) is None


@given(st.lists(st.integers(0, 1), min_size=1, max_size=30), st.integers(1, 6), st.integers(0, 29), st.integers(1, 30))
def test_the_most_alarms_of_the_last_steps(alarms: list[int], of: int, start: int, length: int) -> None:
    start = min(start, len(alarms) - 1)
    end = min(start + length, len(alarms))
    counts = [sum(alarms[max(0, at - of + 1) : at + 1]) for at in range(start, end)]
    assert most_alarms(np.array(alarms, np.int8), start, end, of) == max(counts)


def judged(asked: Rules, labels: list[int], deviations: list[float], **more: Any) -> Any:
    """What is kept of events, each of which peaks at its second step, in channel a."""
    rows = np.array(labels, np.int8)
    scores = np.where(rows & np.roll(rows, 1) & ~np.roll(rows, 2) & 1, 9.0, 2.0)
    events = find_events(rows, np.stack([2 * scores, np.zeros(len(rows))], axis=1), NAMES)
    return kept(asked, events, deviations, rows, NAMES, **more)


LABELS = [0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0]


def test_events_are_counted_by_the_rule_that_drops_them() -> None:
    found = judged(rules(direction="up"), LABELS, [1.0, -1.0])
    assert found.labels.tolist() == [0, 1, 1, 1, 1, *[0] * 9]
    assert found.dropped == {"direction": 1}
    assert found.reasons == {1: ("a is 1 above what was expected (asked for: up)",)}
    assert in_words({"direction": 2, "ignore": 1}) == "rules have left out 3 more events (2 by direction, 1 by ignore)"
    assert in_words({}) == ""


def test_an_event_whose_peak_lies_in_a_span_is_dropped_and_another_loses_its_rows_there() -> None:
    found = judged(rules(), LABELS, [np.nan, np.nan], ignored=[(0, 3), (9, 11)])
    assert found.labels.tolist() == [*[0] * 7, 1, 1, *[0] * 5], "the rest lies behind a span, away from the peak"
    assert found.dropped == {"ignore": 1}
    assert list(found.reasons) == [7]


def test_what_is_not_valid_is_an_event_whatever_else_is_asked_but_in_a_span() -> None:
    outside = np.zeros((len(LABELS), 2), bool)
    outside[[2, 12], 1] = True
    asked = rules(min_length=50, direction="down", valid_range="b=0:1")
    found = judged(asked, LABELS, [1.0, 1.0], outside=outside)
    assert found.labels.tolist() == LABELS
    assert found.reasons[7] == ("b is outside its valid range 0:1",)
    found = judged(asked, LABELS, [1.0, 1.0], outside=outside, ignored=[(0, 10)])
    assert found.labels.tolist() == [*[0] * 10, 1, 1, 1, 0], "the part that holds it is kept without the peak"
    assert found.dropped == {"ignore": 1}
