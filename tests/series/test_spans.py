"""Spans of time and the rows that lie in them."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twinvae.series.series import Series
from twinvae.series.spans import lies_in, moments, rows_within

HOURS = pd.date_range("2026-01-01", periods=24, freq="h")


def frame(index: Any) -> Series:
    return Series.of(pd.DataFrame({"a": np.arange(len(index), dtype=float)}, index=index))


@pytest.mark.parametrize(
    "span",
    [
        ("2026-01-01 03:00", "2026-01-01 05:00"),
        ("2026/01/01 02:01", "2026-01-01T05:59:59"),
        (datetime(2026, 1, 1, 3), pd.Timestamp("2026-01-01 05:00")),
        (np.datetime64("2026-01-01T03:00"), np.datetime64("2026-01-01T05:00")),
    ],
)
def test_both_ends_belong_to_a_span_of_time(span: Any) -> None:
    assert rows_within(frame(HOURS), [span]) == ((3, 6),)


def test_rows_are_known_by_their_numbers_where_there_are_no_time_stamps() -> None:
    series = Series.of(np.arange(10.0))
    assert rows_within(series, [(7, 99), ("2", "3.5"), (-5, -1), (20, 30)]) == ((2, 4), (7, 10))


def test_a_zone_is_given_to_both_or_to_neither() -> None:
    local = frame(HOURS.tz_localize("Europe/Berlin"))
    span = ("2026-01-01 03:00+01:00", datetime(2026, 1, 1, 4, tzinfo=UTC))
    assert rows_within(local, [span]) == ((3, 6),)
    with pytest.raises(ValueError, match="give a zone"):
        rows_within(local, [("2026-01-01 03:00", "2026-01-01 05:00")])
    with pytest.raises(ValueError, match="give a zone"):
        rows_within(frame(HOURS), [span])


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([(3, 5)], "does not fit the series, whose rows are known by time stamps"),
        ([("2026-01-02", "2026-01-01")], "span 0: it ends before it begins"),
        ([("2026-01-01", "soon")], "span 0: 'soon' is neither a number nor a time stamp"),
        ([("nan", "nan")], "neither a number"),
        ([("2026-01-01",)], "span 0"),
        ([(1, 2), ("2026-01-01", "2026-01-02")], "some spans are of time stamps and some of numbers"),
    ],
)
def test_spans_that_are_not_fit_for_use_are_refused(spans: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rows_within(frame(HOURS), spans)
    with pytest.raises(ValueError, match="known by numbers of rows"):
        rows_within(Series.of(np.arange(9.0)), [("2026-01-01", "2026-01-02")])


def test_a_moment_of_a_stream_is_held_against_spans_of_its_kind() -> None:
    spans = moments([("2026-01-01", "2026-01-02")])
    assert [lies_in(at, spans) for at in ("2026-01-01 12:00", "2026-01-02", "2026-01-03")] == [True, True, False]
    assert lies_in("7", moments([(3, 7)]))
    for wrong in (7, "noon"):
        with pytest.raises(ValueError, match=r"cannot be compared|neither a number"):
            lies_in(wrong, spans)
