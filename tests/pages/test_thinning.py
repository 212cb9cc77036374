"""Of a long series the rows are kept that hold an extreme, whatever the series; and a clock says when rows are."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from twinvae.pages import thinning
from twinvae.pages.clock import clock_of
from twinvae.pages.thinning import bins, kept_rows
from twinvae.series.series import Series


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=300),
    st.integers(8, 80),
    st.integers(0, 290),
)
def test_the_least_and_the_largest_value_are_kept_and_the_rows_that_are_named(
    values: list[float], most: int, near: int
) -> None:
    series = np.array(values)[:, None]
    rows = kept_rows(series, most, [(near, near + 3)])
    assert (np.diff(rows) > 0).all()
    assert set(range(near, min(near + 3, len(values)))) <= set(rows.tolist())
    assert len(rows) <= most + 8
    if not np.isnan(series).all():
        assert np.nanmax(series[rows]) == np.nanmax(series)
        assert np.nanmin(series[rows]) == np.nanmin(series)


def test_pieces_of_a_long_series_keep_the_same_rows(monkeypatch: object) -> None:
    series = np.random.default_rng(0).normal(size=(5000, 2))
    whole = kept_rows(series, 400)
    thinning_at = thinning.AT_ONCE
    try:
        thinning.AT_ONCE = 700
        assert kept_rows(series, 400).tolist() == whole.tolist()
    finally:
        thinning.AT_ONCE = thinning_at


def test_a_bin_has_the_largest_value_between_its_edges() -> None:
    values = np.arange(20.0).reshape(10, 2)
    values[3] = np.nan
    found = bins(values, np.array([0, 3, 3, 4, 10]))
    assert found[0, [0, 3]].tolist() == [4.0, 18.0]
    assert np.isnan(found[0, [1, 2]]).all()


def test_rows_stand_where_their_time_stamps_are_and_hours_that_come_twice_are_apart() -> None:
    utc = np.datetime64("2026-10-25T00:00", "us") + np.array([0, 1, 2, 3, 10]) * np.timedelta64(30, "m")
    stamps = pl.Series("t", ["02:00+02:00", "02:30+02:00", "02:00+01:00", "02:30+01:00", "06:00+01:00"])
    clock = clock_of(Series(np.zeros((5, 1)), ("a",), stamps, instants=utc))
    assert clock.kind == "time"
    assert clock.offsets == [(0, "+02:00"), (2, "+01:00")]
    assert (np.diff(clock.at(np.arange(5))) / 6e4).tolist() == [30.0, 30.0, 30.0, 210.0]
    assert clock.at([0]) == np.datetime64("2026-10-25T02:00", "ms").astype(np.int64)
    first, last = clock.edges(3, 4)
    assert last - first <= 210 * 6e4


def test_a_series_without_time_counts_its_rows() -> None:
    clock = clock_of(Series(np.zeros((5, 1)), ("a",)))
    assert (clock.kind, clock.at([3]).tolist(), clock.edges(1, 2)) == ("row", [3.0], (0.5, 1.5))
