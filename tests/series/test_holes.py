"""Rows that are absent are told from steps that vary, and from what a calendar or a timetable leaves out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from twinvae.series.holes import find_holes
from twinvae.series.series import Series

RNG = np.random.default_rng(0)


def times(*parts: Any) -> np.ndarray:
    return np.concatenate([np.asarray(part, "M8[us]") for part in parts])


def every(minutes: float, start: str, rows: int) -> np.ndarray:
    step = np.timedelta64(round(minutes * 60e6), "us")
    return np.datetime64(start, "us") + np.arange(rows) * step


MINUTES = every(5, "2026-03-02", 1000)
ABSENT = {
    "one row": (np.delete(MINUTES, 500), 1, 1),
    "a stretch": (np.delete(MINUTES, np.s_[500:521]), 21, 1),
    "several": (np.delete(MINUTES, [*range(100, 110), 300, *range(700, 800)]), 111, 3),
    "a fifth, here and there": (np.delete(MINUTES, 1 + RNG.permutation(998)[:200]), 200, None),
    "numbers": (np.delete(np.arange(100.0) * 60, [40, 41]), 2, 1),
    "epoch milliseconds": (np.delete(1.7e12 + np.arange(100) * 1000.0, [40, 41]), 2, 1),
    "a logger that begins anew between two steps": (
        times(MINUTES[:500], MINUTES[520:] + np.timedelta64(70, "s")),
        20,
        1,
    ),
    "a few milliseconds of jitter": (np.delete(MINUTES + RNG.integers(0, 1000, 1000), np.s_[7:17]), 10, 1),
    "ten years": (times(every(1, "2010-01-01", 50), every(1, "2020-01-01", 50)), 5258830, 1),
}


@pytest.mark.parametrize("name", ABSENT)
def test_rows_that_are_absent_are_counted(name: str) -> None:
    instants, absent, places = ABSENT[name]
    holes = find_holes(instants)
    assert holes is not None
    assert holes.fill
    assert holes.absent.sum() == absent
    assert places is None or len(holes.after) == places


BUSINESS = pd.bdate_range("2025-01-01", "2026-01-01")
HOLIDAYS = BUSINESS.drop(["2025-05-01", "2025-05-26", "2025-07-04", "2025-09-01", "2025-12-24", "2025-12-25"])
HOURS_OF_TRADE = np.concatenate([every(1, f"{day:%Y-%m-%d}T09:30", 390) for day in BUSINESS[:30]])
EVEN = {
    "no hole": MINUTES,
    "months": pd.date_range("2000-01-31", periods=120, freq="ME"),
    "quarters": pd.date_range("2000-01-01", periods=60, freq="QS"),
    "years": pd.date_range("1900-01-01", periods=60, freq="YS"),
    "business days": BUSINESS,
    "two weeks of business days": BUSINESS[:12],
    "business days and holidays": HOLIDAYS,
    "hours of trade": HOURS_OF_TRADE,
    "clocks set forward": pd.date_range("2026-03-28", periods=400, freq="5min").delete(np.s_[312:324]),
    "clocks set forward in hours": pd.date_range("2026-03-01", periods=1000, freq="h").delete(28 * 24 + 2),
    "days of a zone in UTC": pd.date_range("2026-01-01", periods=365, freq="D", tz="Europe/Berlin").tz_convert(None),
    "steps that vary": MINUTES + (RNG.random(1000) * 2e8).astype("m8[us]"),
    "arrivals": np.cumsum(RNG.exponential(60.0, 5000)),
    "stamps rounded to minutes": every(1.1, "2026-01-01", 900).astype("M8[m]").astype("M8[us]"),
    "too few to say": times(every(1, "2026-01-01", 3), every(1, "2026-01-02", 3)),
    "not in order": MINUTES[::-1],
}


@pytest.mark.parametrize("name", EVEN)
def test_what_is_no_hole_is_not_called_one(name: str) -> None:
    given = EVEN[name]
    assert find_holes(given.values if isinstance(given, pd.Index) else given) is None


@pytest.mark.parametrize(
    "instants",
    [
        times(MINUTES + (RNG.random(1000) * 2e8).astype("m8[us]"), every(5, "2026-07-01", 10)),
        times(BUSINESS.values[:100], BUSINESS.values[180:]),
    ],
    ids=["steps that vary", "business days"],
)
def test_a_hole_that_is_far_longer_than_steps_that_are_not_even_is_said_not_filled(instants: np.ndarray) -> None:
    holes = find_holes(instants)
    assert holes is not None
    assert (holes.fill, len(holes.after)) == (False, 1)
    assert holes.times > 30


def test_a_series_on_its_grid_has_missing_values_in_its_holes() -> None:
    index = pd.DatetimeIndex(np.delete(MINUTES, np.s_[10:13]))
    given = Series.of(pd.Series(np.arange(997.0), index=index))
    series = given.on_grid()
    assert len(series) == 1000
    assert np.flatnonzero(np.isnan(series.values[:, 0])).tolist() == [10, 11, 12]
    assert series.grid is not None
    assert series.grid.absent == [(10, 13)]
    assert [series.stamp(row) for row in (0, 9, 11, 13)] == [
        str(MINUTES[row]).replace("T", " ")[:19] for row in (0, 9, 11, 13)
    ]
    assert series.on_grid() is series
    assert given.rows(slice(0, 10)).on_grid().grid is None


def test_a_hole_of_years_is_shortened() -> None:
    index = pd.DatetimeIndex(times(every(1 / 60, "2010-01-01", 50), every(1 / 60, "2020-01-01", 50)))
    series = Series.of(pd.Series(np.arange(100.0), index=index)).on_grid()
    assert len(series) == 300
    assert series.stamp(150).startswith("2015-01")
