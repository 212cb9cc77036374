"""What was marked decides: the threshold moves, or one rule beside it, until all is right; or nothing changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import detector_of, unchecked
from tests.helpers.waves import spiked_wave
from twinvae.detector.detection import Detection
from twinvae.detector.feedback import Feedback, event_rows
from twinvae.detector.marked_threshold import SAFETY, between
from twinvae.detector.marks import VERDICTS, MarkedSpan, marked_spans
from twinvae.stream.stream import Stream

QUICK: dict[str, Any] = {"window": 16, "hidden_dim": 16, "latent_dim": 4, "epochs": 4}
NORMAL = spiked_wave(600, ())
SMALL, LARGE, DOWN, WEAK, LONG = 100, 200, 300, 400, 500  # a spike up, a larger one, one down; two long stretches
SERIES = spiked_wave(600, (SMALL, LARGE))
SERIES[LARGE : LARGE + 6] += 2.0
SERIES[DOWN : DOWN + 6] -= 5.0
SERIES[WEAK : WEAK + 30] += 1.8
SERIES[LONG : LONG + 30] += 1.5
HOURS = pd.date_range("2026-01-01", periods=600, freq="h")
WITH_HOLES = pd.DataFrame({"a": SERIES, "b": spiked_wave(600, (250,), seed=3)}, HOURS).drop(HOURS[150:180])


@pytest.fixture(scope="module")
def fitted() -> Any:
    return detector_of("torch")(**QUICK, kind="point").fit(NORMAL)


@pytest.fixture
def detector(fitted: Any, tmp_path: Path) -> Any:
    """A detector of its own, which the test may change."""
    fitted.save(tmp_path / "m.safetensors")
    return type(fitted).load(tmp_path / "m.safetensors")


def span(found: Detection, place: int) -> tuple[int, int]:
    """The event that begins or ends in the 30 rows from there on."""
    return next((start, end) for start, end in event_rows(found) if start < place + 30 and place < end)


def test_what_is_right_already_changes_nothing(detector: Any) -> None:
    before = detector.as_bytes()
    changed = detector.feedback(SERIES, [("real", LARGE, LARGE + 6), ("expected", 0, 50)])
    assert not changed.is_change
    assert changed.after is changed.before
    assert "right already" in changed.why
    assert detector.as_bytes() == before


def test_a_missed_stretch_lowers_the_threshold_to_just_below_its_score(detector: Any) -> None:
    found = detector.detect(SERIES)
    weak = int(np.argmax(np.where(found.scores < found.threshold, found.scores, 0.0)))
    changed = detector.feedback(SERIES, [("missed", weak, weak + 1), ("real", LARGE, LARGE + 1)])
    assert changed.rules == {}
    assert detector.threshold_ == changed.after.threshold == pytest.approx(found.scores[weak] / SAFETY, rel=1e-3)
    assert detector.predict(SERIES)[weak] == 1
    assert detector.config_.margin == pytest.approx(3.0 * changed.times)
    assert f"{detector.config_.margin:g} times the largest score" in detector.detect(SERIES).basis


def test_an_expected_event_raises_it_but_not_beyond_the_middle_between_it_and_a_real_one(detector: Any) -> None:
    found = detector.detect(SERIES)
    start, end = span(found, WEAK)
    low, high = found.scores[start:end].max(), found.scores[span(found, SMALL)[0]]
    changed = detector.feedback(SERIES, [("expected", start, end), ("real", SMALL, SMALL + 6)])
    assert low < changed.after.threshold <= min(SAFETY, np.sqrt(high / low)) * low * 1.001
    assert not detector.predict(SERIES)[start:end].any()
    assert "above expected rows" in changed.why
    assert "below real rows" in changed.why


def test_what_it_costs_is_what_comes_and_goes_of_what_nobody_has_marked(detector: Any) -> None:
    found = detector.detect(SERIES)
    weak, long = span(found, WEAK), span(found, LONG)
    changed = detector.feedback(SERIES, [("expected", *weak), ("real", *span(found, LARGE))])
    assert (changed.gone, changed.new) == ((long,), ())
    again = detector.feedback(SERIES, [("missed", *long), ("expected", 0, 50)])
    assert (again.gone, again.new) == ((), (span(again.after, WEAK),))


@pytest.mark.parametrize(
    ("marks", "rule"),
    [
        ([("expected", LARGE), ("real", WEAK)], "min_length"),
        ([("expected", LARGE), ("expected", SMALL), ("real", DOWN)], "direction"),
    ],
)
def test_a_rule_parts_what_no_threshold_near_by_can(detector: Any, marks: list[tuple[str, int]], rule: str) -> None:
    found = detector.detect(SERIES)
    marked = [MarkedSpan(mark, *span(found, place)) for mark, place in marks]  # type: ignore[arg-type]
    changed = detector.feedback(SERIES, marked)
    assert list(changed.rules) == [rule]
    assert rule in changed.why
    assert getattr(detector, rule) == getattr(detector.config_, rule) == changed.rules[rule]
    assert all(mark.is_right(detector.detect(SERIES)) for mark in marked)


def test_a_least_deviation_is_of_the_channel_that_is_expected() -> None:
    series = np.stack([SERIES, spiked_wave(600, (), seed=3)], axis=1)
    series[350:356, 1] += 9.0
    made = detector_of("torch")(**QUICK, kind="point").fit(np.stack([NORMAL, spiked_wave(600, (), seed=4)], axis=1))
    changed = made.feedback(series, [("expected", 350, 356), ("real", LARGE, LARGE + 6), ("real", SMALL, SMALL + 6)])
    assert list(changed.rules) == ["min_deviation"]
    assert float(changed.rules["min_deviation"].removeprefix("1=")) > 7.0
    assert changed.gone == ()
    assert not made.predict(series)[350:356].any()


@pytest.mark.parametrize(
    "rules", [{"min_length": 200}, {"min_deviation": 5.5}, {"direction": "down"}, {"at_least": "20-of-30"}]
)
def test_a_rule_that_hides_what_is_real_is_loosened(detector: Any, rules: dict[str, Any], tmp_path: Path) -> None:
    detector.save(tmp_path / "m.safetensors")
    hiding = type(detector).load(tmp_path / "m.safetensors", **rules)
    assert not hiding.predict(SERIES)[SMALL : SMALL + 6].any()
    changed = hiding.feedback(SERIES, [("missed", SMALL, SMALL + 6), ("expected", 0, 50)])
    assert list(changed.rules) == list(rules)
    assert hiding.predict(SERIES)[SMALL : SMALL + 6].any()
    hiding.save(tmp_path / "m.safetensors")
    assert type(detector).load(tmp_path / "m.safetensors").predict(SERIES)[SMALL : SMALL + 6].any()


def test_what_nothing_can_do_names_the_two_marks_and_what_may_help(detector: Any) -> None:
    before = detector.as_bytes()
    with pytest.raises(ValueError, match="no threshold and no rule") as refused:
        detector.feedback(SERIES, [("expected", at, at + 6) for at in (LARGE, DOWN)] + [("missed", 20, 25)])
    assert f"expected rows [{LARGE}, {LARGE + 6}) (highest score " in str(refused.value)
    assert "missed rows [20, 25) (highest score " in str(refused.value)
    assert "--ignore" in str(refused.value)
    assert detector.as_bytes() == before


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_mark_that_can_never_be_right_is_named_alone() -> None:
    made = detector_of("torch")(**QUICK, valid_range="-20:20").fit(NORMAL)
    series = SERIES.copy()
    series[220:290], series[LONG] = np.nan, 99.0
    with unchecked():
        with pytest.raises(ValueError, match=r"^missed rows \[250, 256\) \(no score is known\) can be no event"):
            made.feedback(series, [("missed", 250, 256)])
        with pytest.raises(ValueError, match=r"^expected rows .* outside its valid range, which is always an event"):
            made.feedback(series, [("expected", LONG, LONG + 1), ("real", LARGE, LARGE + 2)])
        with pytest.raises(ValueError, match=r"^missed rows \[120, 125\) .* may lie in the smear of a stronger one"):
            made.feedback(series, [("missed", 120, 125)])


@pytest.mark.parametrize("threshold", [{"threshold": "robust"}, {"false_events": "60/10000steps"}])
def test_the_words_stay_true_where_no_margin_sets_the_threshold(threshold: dict[str, Any], tmp_path: Path) -> None:
    made = detector_of("torch")(**QUICK, kind="point", **threshold).fit(spiked_wave(1500, ()))
    found = made.detect(SERIES)
    weak = 440 + int(np.argmax(found.scores[440:490]))  # where nothing is
    changed = made.feedback(SERIES, [("missed", weak, weak + 1)])
    assert changed.times < 1
    made.save(tmp_path / "m.safetensors")
    again = type(made).load(tmp_path / "m.safetensors")
    assert again.model_.times == changed.times
    for basis in (made.detect(SERIES).basis, again.detect(SERIES).basis):
        assert f"is {changed.times:.4g} times" in basis
    assert f"is {changed.times:.4g} times" in Stream(again.model_).basis
    expected = changed.record()["expected"]
    assert (expected["before"] != expected["after"]) == ("false_events" in threshold)


def test_what_is_ignored_has_no_event_and_costs_none(detector: Any) -> None:
    marks, ignore = [("expected", WEAK, WEAK + 30), ("real", SMALL, SMALL + 6)], [(LONG - 5, LONG + 40)]
    assert len(detector.detect(SERIES).events) == 5
    changed = detector.feedback(SERIES, marks, ignore=ignore)
    assert changed.gone == ()
    assert changed.before.dropped == {"ignore": 1}


def test_a_stream_moves_by_the_same_factor_and_says_which_marks_are_wrong_there(detector: Any) -> None:
    threshold = detector.stream().threshold
    found = detector.detect(SERIES)
    start, end = span(found, WEAK)
    changed = detector.feedback(SERIES, [("expected", start, end), ("real", LARGE, LARGE + 6)])
    stream = detector.stream()
    assert stream.threshold == pytest.approx(threshold * changed.times)
    labels = np.zeros(len(SERIES))
    closed = [step.changes for step in map(stream.step, SERIES)] + [stream.tracker.finish()]
    for one in (change.event for changes in closed for change in changes if change.what == "close"):
        labels[one.start : one.end] = 1
    wrong = tuple(one for one in changed.marks if labels[one.start : one.end].any() != one.wants_event)
    assert changed.wrong_in_stream == wrong


# Any marks at all.


def _holds(detector: Any, series: Any, marks: list[tuple[str, int, int]], path: Path) -> Feedback | None:
    """Either every mark is right by the events of the detector that is read again, or it is refused and unchanged."""
    before = detector.as_bytes()
    try:
        changed: Feedback = detector.feedback(series, marks)
    except ValueError:
        assert detector.as_bytes() == before
        return None
    detector.save(path)
    events = type(detector).load(path).detect(series).events
    for mark, start, end in marks:
        assert any(one.start < end and start < one.end for one in events) == (mark != "expected"), (mark, start, end)
    if all(one.is_right(changed.before) for one in changed.marks):
        assert not changed.is_change
    return changed


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", ["plain", "rules", "holes"])
def test_after_it_every_mark_is_right_or_nothing_has_changed(
    case: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp(case) / "m.safetensors"
    series: Any = WITH_HOLES if case == "holes" else SERIES
    rules: dict[str, Any] = {"min_length": 3, "min_deviation": 0.5, "kind": "point"} if case == "rules" else {}
    made = detector_of("torch")(**QUICK, **rules).fit(WITH_HOLES[:90] if case == "holes" else NORMAL)
    model, arguments = made.model_, made.get_params()
    known = event_rows(made.detect(series))
    rows = st.tuples(st.integers(0, len(series) - 1), st.integers(1, 40)).map(
        lambda two: (two[0], min(sum(two), len(series)))
    )
    marks = st.lists(
        st.tuples(st.sampled_from(VERDICTS), st.sampled_from(known) | rows).map(lambda one: (one[0], *one[1])),
        min_size=1, max_size=5,
    )  # fmt: skip
    outcomes: list[Feedback | None] = []

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(marks=marks)
    def each(marks: list[tuple[str, int, int]]) -> None:
        made.set_params(**arguments)
        made.model_ = model
        outcomes.append(_holds(made, series, marks, path))

    with unchecked():  # thousands of calls would pay for them
        each()
    assert None in outcomes
    assert any(one is not None and one.is_change for one in outcomes)


@given(
    now=st.floats(1e-6, 1e6), below=st.just(0.0) | st.floats(1e-6, 1e6), above=st.floats(1e-6, 1e6) | st.just(np.inf)
)
def test_a_limit_is_the_nearest_that_is_between_with_a_distance(now: float, below: float, above: float) -> None:
    if not below < above * (1 - 1e-9):
        return
    limit = between(now, below, above)
    assert below <= limit <= above
    if below < now < above:
        assert limit == now
    else:
        assert limit <= SAFETY * max(below, now) * (1 + 1e-9)
        assert limit >= min(above, now) / SAFETY * (1 - 1e-9)


# Marks.


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ([], "nothing is marked"),
        ([("rael", 1, 2)], "mark 0 is 'rael': choose from real, expected, missed"),
        ([("real", 5, 5)], "mark 0 .real. is of rows .5, 5."),
        ([("real", 1, 2), ("real", -1, 5)], "mark 1"),
        ([("real", 0.0, 5)], "whole numbers"),
        ([("real", True, 5)], "whole numbers"),
        ([("real", 1)], "mark 0 is not .mark, start, end."),
        ([("real", 0, 9), ("expected", 30, 40), ("missed", 8, 31)], r"marks 1 and 2 contradict .*\[30, 31\)"),
        ([("real", 0, 601)], "outside the series, which has 600 rows"),
    ],
)
def test_marks_that_are_none_are_refused_in_words(detector: Any, marks: list[Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        detector.feedback(SERIES, marks)


def test_marks_stand_in_order_each_once() -> None:
    given_twice = [("missed", np.int64(7), 9), ("real", 1, 5), ("missed", 7, 9)]
    assert marked_spans(given_twice) == (("real", 1, 5), ("missed", 7, 9))
