"""The columns of a table: which hold numbers, labels or time stamps, and what is said of those that do not.

What does not fit is refused by a ValueError that names the file, the row and the column. `begin` is the row of the file
at which a part of a column begins.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int8

from twinvae.tables.dialect import MISSING_CELLS

if TYPE_CHECKING:
    import polars as pl


def is_binary(parts: Iterable["pl.Series"]) -> bool:
    """Whether a column, in parts, holds nothing but 0 and 1."""
    import polars as pl

    return all(
        _may_hold_numbers(part)
        and (values := part.cast(pl.Float64, strict=False)).null_count() == 0
        and bool(values.is_in([0.0, 1.0]).all())
        for part in parts
    )


def _may_hold_numbers(column: "pl.Series") -> bool:
    import polars as pl

    return column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.String)


def counts(column: "pl.Series") -> bool:
    """Whether this is the unnamed column of row numbers that data frames write first."""
    import polars as pl

    if column.name != "" or len(column) < 2 or not _may_hold_numbers(column):
        return False
    steps = column.cast(pl.Float64, strict=False).diff().drop_nulls()
    return len(steps) == len(column) - 1 and steps[0] > 0 and bool((steps == steps[0]).all())


def numbers(path: Path | str, column: "pl.Series", begin: int = 0) -> Float[np.ndarray, " time"]:
    """The values of a column, or of a part of it; NaN where a cell is empty."""
    import polars as pl

    if column.dtype == pl.String:
        text = column.str.strip_chars()  # polars takes as numbers what `dialect.number_of` does
        numbers = text.cast(pl.Float64, strict=False)
        bad = (numbers.is_null() & text.is_not_null() & ~text.is_in(list(MISSING_CELLS))).arg_true()
        if len(bad):
            raise ValueError(
                f"{path}: row {begin + bad[0]}, column {column.name}: {text[bad[0]]!r} is not a number; choose the "
                "numeric columns with columns (--columns)"
            )
        return numbers.fill_null(np.nan).to_numpy()
    if not _may_hold_numbers(column):
        raise ValueError(f"{path}: column {column.name} holds {column.dtype}, not numbers")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def label_values(path: Path | str, column: "pl.Series", begin: int = 0) -> Int8[np.ndarray, " time"]:
    """The labels of a column, or of a part of it: each must be 0 or 1."""
    values = numbers(path, column, begin)
    if not np.isin(values, (0.0, 1.0)).all():
        row = np.flatnonzero(~np.isin(values, (0.0, 1.0)))[0]
        raise ValueError(
            f"{path}: row {begin + row}, column {column.name}: a label must be 0 or 1, got {values[row]:g}"
        )
    return values.astype(np.int8)


def check_times(path: Path | str, column: "pl.Series", begin: int = 0, *, in_order: bool) -> None:
    """Refuses time stamps that are missing or unknown and, where they must be in order, come twice or go back."""
    import polars as pl

    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise ValueError(f"{path}: column {column.name} holds {column.dtype}, which cannot be time stamps")
    if column.null_count():
        raise ValueError(f"{path}: row {begin + column.is_null().arg_true()[0]}: the time stamp is missing")
    order = column
    if column.dtype == pl.String:
        order = column.str.strip_chars().cast(pl.Float64, strict=False)
        if order.null_count():
            try:
                order = column.str.to_datetime(strict=False, time_zone="UTC" if _zoned(column) else None)
            except pl.exceptions.ComputeError:  # no format fits the first rows
                order = pl.Series([None] * len(column))
        if order.null_count():
            row = order.is_null().arg_true()[0]
            raise ValueError(
                f"{path}: row {begin + row}, column {column.name}: {column[row]!r} is not a time stamp (a number, or "
                "like 2026-01-31 23:59:00); write it so, or say that there are none with time (--time none)"
            )
    if not in_order:
        return
    before, after = order[:-1], order[1:]
    for wrong, what in ((after == before, "the same time stamp as"), (after < before, "an earlier time stamp than")):
        if wrong.any():
            row = wrong.arg_true()[0] + 1
            raise ValueError(f"{path}: row {begin + row} has {what} the row before: {column[row]}")


def _zoned(column: "pl.Series") -> bool:
    return column[0].strip().endswith("Z") or column[0].strip()[-6:-5] in ("+", "-")


def filled_rows(frame: "pl.DataFrame") -> int:
    """How many rows there are before the empty ones at the end of a frame."""
    import polars as pl

    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return int(filled[-1]) + 1 if len(filled) else 0
