"""How many false events to expect of a threshold: as it was set, and as it is moved."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinvae.config import PRESETS, Config, Kind
from twinvae.process.settings import Rate
from twinvae.scoring.event_rate import FARTHEST, LEAST_PEAKS, EventRate, Tail, chosen, rate_of, tails, threshold_of
from twinvae.scoring.expected_rate import MEASURED, SEARCH, TIMES, Threshold, measured

AUTO = PRESETS["auto"]
RATED = replace(AUTO, false_events="2/week")


def tail(peaks: int, start: float, mean: float, steps: int) -> Tail:
    return Tail(start, peaks, peaks * mean, peaks + steps)


TAIL = st.builds(tail, st.integers(LEAST_PEAKS, 500), st.floats(-20, 5), st.floats(0.01, 1), st.integers(500, 10**6))


def kept(*scores: Any) -> EventRate:
    return EventRate(1e-3, {"ensemble": tuple(tails(each, 20) for each in scores)})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ensemble", "about 0.5"), ("causal", "about 1"), ("neighbour", "an unknown number")],
)
def test_the_default_says_what_was_measured_of_its_score(kind: Kind, expected: str) -> None:
    assert Threshold(AUTO, kind, 1.234).in_words == (
        "the threshold 1.234 is 3 times the largest score fitted on, outliers aside; expect "
        f"{expected} in 10,000 normal rows to begin a false alarm; a lower margin finds more"
    )


@pytest.mark.parametrize("name", MEASURED)
def test_fewer_are_expected_of_a_higher_threshold(name: str) -> None:
    times = np.geomspace(0.05, 50.0, 60)
    found = [measured(name, one) for one in times]
    assert all(a.rate >= b.rate for a, b in pairwise(found) if a.rate is not None and b.rate is not None)
    last = TIMES[len(MEASURED[name]) - 1]
    for one, expected in zip(times, found, strict=True):
        assert expected.sure == ("at least" if one < TIMES[0] else "at most" if one > last else "measured")
        assert expected.words.startswith(expected.sure if expected.sure != "measured" else "about")
    assert [measured(name, one).rate for one in TIMES[: len(MEASURED[name])]] == pytest.approx(list(MEASURED[name]))


def test_a_margin_is_named_to_the_last_digit() -> None:
    for margin in (4.5, 3.0, 0.1 + 0.2, 3.0 * 2.0**0.5, 1e-7):
        option = Threshold(replace(AUTO, margin=margin), "point", 1.0).expected.option
        assert option is not None
        assert float(option.removeprefix("--margin ")) == margin


@pytest.mark.parametrize("rule", ["quantile", "robust", "pot"])
def test_a_threshold_that_has_moved_is_not_said_to_be_what_its_rule_makes(rule: Any) -> None:
    config = replace(AUTO, threshold=rule)
    still, moved = Threshold(config, "point", 1.0), Threshold(config, "point", 2.0, 2.0)
    assert still.keeps_rate
    assert not moved.keeps_rate
    assert " is 2 times " in moved.in_words
    assert " times " not in still.in_words
    for one in (still, moved):
        assert (one.expected.rate, one.expected.sure, one.expected.option) == (None, "unknown", None)
        assert "expect an unknown number" in one.in_words


@given(TAIL, st.floats(0, 1))
def test_the_rate_of_a_threshold_is_the_one_that_it_is_set_for(known: Tail, place: float) -> None:
    rate = (FARTHEST / known.peaks) ** place * known.peaks / known.steps  # from all peaks down to the rarest
    value = threshold_of(known, rate)
    assert rate_of([known], value) == pytest.approx(rate, rel=1e-6)
    assert threshold_of(known, rate_of([known], value)) == pytest.approx(value, rel=1e-9)


@given(st.integers(0, 1000), st.floats(-3, 3))
def test_it_is_the_least_rate_whose_threshold_is_not_above(seed: int, height: float) -> None:
    generator = np.random.default_rng(seed)
    known, value = kept(*np.exp(generator.normal(size=(2, 3000)))), math.exp(height)
    rate = known.rate("ensemble", value)
    assert known.rate("ensemble", 1.1 * value) <= rate
    if known.is_below("ensemble", value):
        assert rate <= max(each[-1].peaks / each[-1].steps for each in known.tails["ensemble"])
        return
    assert known.threshold("ensemble", rate * (1 + 1e-9)) <= value * (1 + 1e-6)
    one = known.tails["ensemble"][0]
    below = 0.99 * rate_of(one, value)
    assert threshold_of(chosen(one, below), below) > value


def test_a_rate_that_moves_is_said_in_the_unit_that_was_asked_for() -> None:
    known = kept(np.exp(np.random.default_rng(0).normal(size=20_000)))
    value = known.threshold("ensemble", known.asked)
    asked = Threshold(RATED, "ensemble", value, known=known)
    assert asked.expected.option == "--false-alarms 2/week"
    assert asked.expected.rate == pytest.approx(10.0)
    assert asked.in_words == (
        f"the threshold {value:.4g} lets normal rows like those fitted on begin 2/week false alarms, within a factor "
        "of 3 to 10; another rate changes that"
    )
    moved = Threshold(RATED, "ensemble", 1.5 * value, 1.5, known)
    assert moved.expected.rate is not None
    text = str(moved.expected.option).removeprefix("--false-alarms ")
    rate = Rate.of(text)
    assert rate is not None
    assert rate.events / 2 * 10.0 == pytest.approx(moved.expected.rate, rel=0.01)
    assert moved.expected.rate < 10.0
    assert (
        f"is 1.5 times the one for 2/week false alarms; expect normal rows like those fitted on to begin about {text}"
        in moved.in_words
    )
    far, near = (Threshold(RATED, "ensemble", times * value, times, known).expected for times in (1e3, 0.01))
    assert (far.sure, near.sure, far.option, near.option) == ("at most", "at least", None, None)
    assert far.rate == pytest.approx(1e4 * FARTHEST / known.steps("ensemble"))


def test_a_model_of_before_knows_the_rate_that_it_was_asked_for_and_no_other() -> None:
    config = replace(AUTO, false_events="10 / 10000steps")
    still, moved = Threshold(config, "ensemble", 1.0).expected, Threshold(config, "ensemble", 2.0, 2.0)
    assert still.rate == pytest.approx(10.0)
    assert still.option == "--false-alarms 10/10000steps"
    assert (moved.expected.sure, moved.expected.option) == ("unknown", None)
    assert "2 times the one for 10 / 10000steps false alarms; expect an unknown number" in moved.in_words


def test_a_score_whose_tail_kept_no_rate_has_the_margin_s_threshold() -> None:
    known = kept(np.exp(np.random.default_rng(0).normal(size=20_000)))
    other = Threshold(RATED, "causal", 1.0, 2.0, known)
    assert "is 6 times the largest score fitted on, outliers aside" in other.in_words
    assert other.expected.rate == measured("causal", 2.0).rate
    assert other.expected.option is None


@pytest.mark.parametrize(
    ("text", "times", "scaled"),
    [("1/week", 0.5, "0.5/week"), ("10/10000steps", 1.2345, "12.3/10000steps"), ("1/week", 1e-9, "0.000000001/week")],
)
def test_so_many_times_a_rate_is_a_rate(text: str, times: float, scaled: str) -> None:
    assert Rate.scaled(text, times) == scaled
    assert Rate.of(scaled) is not None


def test_of_a_search_it_is_said_among_its_rows() -> None:
    assert measured(SEARCH, 1.0).among(400) == "about 0.04 false alarms"
    assert measured(SEARCH, 1.0).among(3_000_000) == "about 300 false alarms"
    assert Threshold(Config(), "point", 1.0).expected.among(10) == "an unknown number of false alarms"
