"""A rate of false events: how it is written, the tail that it is read from, and what is refused."""

import math

import numpy as np
import pytest

from twinvae.config import Config
from twinvae.process.settings import Rate
from twinvae.scoring.event_rate import LEAST_PEAKS, Tail, chosen, how_sure, tails, threshold_of, too_rare, why_not
from twinvae.windowing.intervals import intervals


def tail(scores: np.ndarray, apart: int, rate: float = 0.0) -> Tail:
    return chosen(tails(scores, apart), rate)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/week", Rate(1.0, 604800.0, True)),
        ("3/2days", Rate(3.0, 2 * 86400.0, True)),
        ("10/10000steps", Rate(10.0, 10_000.0, False)),
        (" 0.5 / 1000 rows", Rate(0.5, 1000.0, False)),
        ("1/Hour", Rate(1.0, 3600.0, True)),
    ],
)
def test_a_rate_is_events_in_a_time_or_in_steps(text: str, rate: Rate) -> None:
    assert Rate.of(text) == rate
    assert Config(false_events=text).false_events == text


def test_a_rate_in_time_needs_to_know_how_long_a_step_is() -> None:
    week, steps = Rate.of("1/week"), Rate.of("10/10000steps")
    assert week is not None
    assert steps is not None
    assert week.a_step(None) is None
    assert week.a_step(300.0) == pytest.approx(1 / 2016)
    assert steps.a_step(None) == steps.a_step(300.0) == pytest.approx(1e-3)
    assert Rate.of("") is None


@pytest.mark.parametrize(
    "text",
    ["1", "week", "1/", "0/week", "1/0days", "-1/week", "1e9/week", "nan/week", "1/fortnight", "./day",
     "1/9999999999999999999999days", "1/week/day", "1" * 400 + "/week"],
)  # fmt: skip
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"false_events must be .* such as 1/week") as caught:
        Config(false_events=text)
    assert len(str(caught.value)) < 250


def test_the_mean_rate_over_training_series_is_the_one_asked_for() -> None:
    generator = np.random.default_rng(0)
    excesses = generator.exponential(size=(20_000, 25))
    for share in (0.2, 0.02):
        known = (Tail(0.0, 25, float(row.sum()), 1000) for row in excesses)
        passed = [math.exp(-math.log(threshold_of(one, share * 25 / 1000))) for one in known]
        assert np.mean(passed) == pytest.approx(share, rel=0.1)


def test_peaks_of_one_event_are_one_and_higher_rates_have_lower_thresholds() -> None:
    scores = np.exp(np.random.default_rng(0).normal(size=20_000))
    scores[1000::500] = scores[1003::500] = 50.0
    known = tail(scores, apart=20)
    assert LEAST_PEAKS <= known.peaks <= 400
    assert known.steps == 20_000
    found = [threshold_of(known, rate) for rate in (1e-2, 1e-3, 1e-4)]
    assert found == sorted(found)
    assert found[0] < 50 < found[2]


def test_the_tail_has_about_as_many_events_as_were_asked_for_in_new_data_of_the_kind() -> None:
    generator = np.random.default_rng(1)
    known = tail(np.exp(generator.normal(size=20_000)), apart=20)
    fresh = np.exp(generator.normal(size=200_000))
    for rate in (3e-3, 1e-3):
        assert rate / 2 < np.mean(fresh > threshold_of(known, rate)) < 2 * rate


def test_anomalies_in_the_training_series_are_dropped_first() -> None:
    scores = np.exp(np.random.default_rng(0).normal(size=20_000))
    spoilt = scores.copy()
    spoilt[5000:5400] *= 1e6
    assert threshold_of(tail(spoilt, 20), 1e-3) == pytest.approx(threshold_of(tail(scores, 20), 1e-3), rel=0.1)


def test_scores_of_zero_and_unknown_ones_are_no_peaks() -> None:
    scores = np.exp(np.random.default_rng(0).normal(size=20_000))
    scores[::2] = np.nan
    scores[1::4] = 0.0
    assert np.isfinite(threshold_of(tail(scores, 20), 1e-3))
    assert tail(np.zeros(100), 20).peaks == 0


def test_what_cannot_be_promised_is_refused_in_words() -> None:
    few, enough = Tail(0.0, 5, 3.0, 400), Tail(0.0, 25, 20.0, 1000)
    assert "400 training scores have 5 separate peaks" in str(why_not(few, 0.1, "1/day"))
    assert "train on about 1600 rows" in str(why_not(few, 0.1, "1/day"))
    assert why_not(enough, 1e-3, "1/day") is None
    assert "1000 training rows support at most one false alarm in 10000 rows" in str(why_not(enough, 1e-5, "1/year"))
    assert "train on at least 10000 rows" in str(too_rare(1000, 1e-5, "1/year"))
    assert too_rare(1000, 1e-4, "1/year") is None
    assert how_sure(1000, 1e-3) == "within a factor of 3"
    assert how_sure(1000, 9e-4).startswith("extrapolated")


def test_a_frequent_rate_takes_the_tail_of_as_many_peaks_as_it_asks_for() -> None:
    """Of scores that come in runs of 50 steps, the highest start with 20 peaks let 24 of 100 events begin."""
    scores = np.repeat(np.exp(np.random.default_rng(0).exponential(size=1000)), 50)
    rate = 100 / len(scores)
    limit = threshold_of(tail(scores, 20, rate), rate)
    assert len(intervals((scores > limit).astype(np.int8), merge_gap=20)) == pytest.approx(100, rel=0.3)
