"""Frames of types that hold missing values, or objects, are the numbers that they are."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from twinvae.series.series import Series

NULLABLE = {
    "Float64": pd.DataFrame({"a": pd.array([1.5, None, 3], dtype="Float64"), "b": [4.0, 5.0, 6.0]}),
    "Int64": pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": pd.array([4, 5, 6], dtype="Int64")}),
    "boolean": pd.DataFrame({"a": pd.array([True, None, False], dtype="boolean"), "b": [4.0, 5.0, 6.0]}),
    "a column of Int32": pd.Series(pd.array([1, None, 3], dtype="Int32")),
    "NA among objects": pd.DataFrame({"a": [1, pd.NA, 3.5], "b": [Decimal("4.5"), Fraction(1, 2), np.float32(2)]}),
    "None among objects": pd.DataFrame({"a": [True, None, 3.5]}, dtype=object),
    "NaT among objects": pd.DataFrame({"a": [1, pd.NaT, 3.5]}, dtype=object),
    "Decimal NaN": pd.Series([Decimal(1), Decimal("NaN"), Decimal(3)]),
    "a signalling NaN": pd.Series([Decimal(1), Decimal("sNaN"), Decimal(3)]),
    "polars nulls": pl.DataFrame({"a": [1, None, 3], "b": [4.0, 5.0, 6.0]}),
    "polars booleans": pl.DataFrame({"a": [True, None, False]}),
    "polars decimals": pl.DataFrame({"a": [Decimal(1), None, Decimal(3)]}),
    "a polars series": pl.Series([True, None, False]),
    "an array of objects": np.array([1, None, 3.5], dtype=object),
}


@pytest.mark.parametrize("name", NULLABLE)
def test_what_has_no_value_is_missing_whatever_stands_for_it(name: str) -> None:
    values = Series.of(NULLABLE[name]).values
    assert values.dtype == np.float64
    assert np.isnan(values[:, 0]).tolist() == [False, True, False]
    assert np.isfinite(values[:, 1:]).all()


WRONG: dict[str, tuple[Any, str]] = {
    "text": (pd.DataFrame({"a": [1.0, 2.0], "b": ["1,5", "x"]}), "row 0, column b holds '1,5' of type str"),
    "a word among numbers": (pd.DataFrame({"a": [1.0, "off"]}), "row 1, column a holds 'off' of type str"),
    "text that looks like numbers": (pd.DataFrame({"a": ["1", "2"]}), "row 0, column a holds '1' of type str"),
    "text among nulls": (pl.DataFrame({"a": [None, "x"]}), "row 1, column a holds 'x'"),
    "times": (pd.DataFrame({"a": [1.0], "t": [pd.Timestamp("2026-01-01")]}), "row 0, column t holds .*Timestamp"),
    "lists": (pl.DataFrame({"a": [[1.0], None]}), "row 0, column a holds"),
    "a long text": (pd.Series(["x" * 1000], name="a"), r"row 0, column a holds 'x+\.\.\. of type"),
    "durations": (np.array([np.timedelta64(1, "s"), 1], dtype=object), "row 0, column 0 holds"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_number_is_named_with_its_row_and_column(name: str) -> None:
    given, message = WRONG[name]
    with pytest.raises(TypeError, match=message) as caught:
        Series.of(given)
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


def test_a_number_that_float64_cannot_hold_is_named() -> None:
    with pytest.raises(ValueError, match="row 1, column 0: the number is too large"):
        Series.of(np.array([1, 10**400], dtype=object))
