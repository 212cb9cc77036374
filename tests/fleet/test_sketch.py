"""What the page of a fleet draws of a series, and whether its scores have risen."""

import numpy as np
import pytest

from twinvae.fleet.sketch import COLUMNS, FEW, LETTERS, UNKNOWN, column_starts, columns_of, drift, sketch

QUIET = np.abs(np.random.default_rng(0).normal(size=1000))
NO_EVENTS = np.zeros(1000, np.int8)


def heights(word: str) -> list[int]:
    return [LETTERS.index(letter) if letter in LETTERS else -1 for letter in word]


def test_one_row_of_many_is_seen_in_its_column() -> None:
    values, scores = np.zeros(100_000), np.full(100_000, 0.1)
    values[41_234], values[77_777], scores[41_234] = 5.0, -5.0, 3.0
    low, high, score = map(heights, sketch(values, scores, 1.0).split(" "))
    spike, dip = 41_234 * COLUMNS // 100_000, 77_777 * COLUMNS // 100_000
    assert len(low) == len(high) == len(score) == COLUMNS
    assert [column for column, height in enumerate(high) if height == 63] == [spike]
    assert [column for column, height in enumerate(low) if height == 0] == [dip]
    assert [column for column, height in enumerate(score) if height > 31] == [spike]
    assert score[spike] == round(63 * 3.0 / 4.0)  # the severity of three times the threshold is 75 of 100


@pytest.mark.parametrize("rows", [1, 7, 60, 61, 119, 2000])
def test_a_column_has_as_many_rows_as_another_or_one_more(rows: int) -> None:
    sizes = np.diff([*column_starts(rows), rows])
    assert len(sizes) == min(rows, COLUMNS)
    assert sizes.min() >= 1
    assert np.ptp(sizes) <= 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_known_or_too_large_to_subtract_has_its_place(dtype: type) -> None:
    most = np.finfo(dtype).max
    values = np.array([np.nan, -most, most, 0.0], dtype)
    low, high, score = map(heights, sketch(values, np.array([np.nan, np.inf, most, 0.0], dtype), 1.0).split(" "))
    assert low == high == [-1, 0, 63, 32]
    assert score == [-1, 63, 63, 0]
    still, nothing = np.full(4, 7.0, dtype), np.full(4, np.nan, dtype)
    assert sketch(still, nothing, 0.0) == f"gggg gggg {4 * UNKNOWN}"
    assert sketch(nothing, nothing, 1.0) == " ".join([4 * UNKNOWN] * 3)


def test_events_touch_the_columns_that_hold_their_rows() -> None:
    assert columns_of(600, []) == []
    assert columns_of(600, [(0, 1)]) == [0, 1]
    assert columns_of(600, [(5, 12), (15, 40), (599, 600)]) == [0, 4, 59, 60]
    assert columns_of(10, [(3, 5)]) == [3, 5]


def test_a_tenth_of_the_last_rows_is_high_where_nothing_changed_and_all_where_the_score_rose() -> None:
    found = drift(QUIET, NO_EVENTS, 500)
    assert found == pytest.approx(0.1, abs=0.08)
    risen = QUIET.copy()
    risen[900:] += 5.0
    assert drift(risen, NO_EVENTS, 500) == 1.0
    assert drift(risen, NO_EVENTS, 1000) == 1.0, "what is judged is not what it is compared with"


def test_rows_of_events_and_unknown_scores_are_no_drift() -> None:
    scores, labels = QUIET.copy(), NO_EVENTS.copy()
    scores[900:960], labels[900:960] = 50.0, 1
    scores[960:970] = np.nan
    assert drift(scores, labels, 500) == pytest.approx(0.1, abs=0.15)


def test_of_a_few_rows_nothing_is_said() -> None:
    assert drift(QUIET[: 10 * FEW - 1], NO_EVENTS[: 10 * FEW - 1], 100) is None
    assert drift(QUIET, NO_EVENTS, FEW - 1) is None
    assert drift(QUIET, np.ones(1000, np.int8), 500) is None
