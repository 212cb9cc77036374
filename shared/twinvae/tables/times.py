"""Columns of time stamps: their formats, their order, and local clocks that are set back.

Messages begin with the `source`, and count rows from `begin`, the row of the file at which a part of a column begins.
"""

import itertools
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from twinvae.process.notices import shortened, warn
from twinvae.tables.dialect import FOUND_OUT, Dialect
from twinvae.tables.time_text import compact, normal, seconds

if TYPE_CHECKING:
    import polars as pl

_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日"),
    *("%G-W%V-%u", "%Y-%j", "%y-%m-%d", "%y/%m/%d"),
    *("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%y"),
    *("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d %B %Y", "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%a %b %d %Y"),
)
_CLOCKS = (
    *("", " %H:%M:%S", " %H:%M", " %H:%M:%S%.f", " %I:%M:%S %p", " %I:%M %p", " %I:%M:%S%p", " %I:%M%p"),
    *(" %H.%M.%S", " %H.%M", " %H%M%S", " %H%M", "T%H%M%S", "-%H:%M:%S", ":%H:%M:%S", " %H時%M分%S秒", " %H時%M分"),
)
_DAY_OR_MONTH_FIRST = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}")
_OFFSET = re.compile(r"[+-]\d\d(:?\d\d)?$")


def check_times(
    source: Path | str, column: "pl.Series", begin: int = 0, *, in_order: bool, dialect: Dialect = FOUND_OUT
) -> np.ndarray | None:
    """Refuses time stamps that are missing or unknown and, where they must be in order, come twice or go back.

    Returns when they are, as datetime64 or numbers; None where that is not known, or they need not be in order.
    """
    import polars as pl

    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise ValueError(f"{source}: column {column.name} holds {column.dtype}, which cannot be time stamps")
    if column.null_count():
        raise ValueError(f"{source}: row {begin + column.is_null().arg_true()[0]}: the time stamp is missing")
    order = instants(source, column, dialect, begin) if column.dtype == pl.String else column
    if order is not None and order.dtype.is_integer():
        dates = compact(order.cast(pl.String))
        order = order if dates is None else dates
    if order is None or not in_order:
        return None
    before, after = order[:-1], order[1:]
    for wrong, what in (
        ((after == before), "the same time stamp as"),
        ((after < before), "an earlier time stamp than"),
    ):
        if wrong.any():
            row = wrong.arg_true()[0] + 1
            raise ValueError(
                f"{source}: row {begin + row} has {what} the row before: {column[row]}{_set_back(order, row)}"
            )
    if order.dtype in (pl.Date, pl.Datetime):
        return order.dt.epoch("us").to_numpy().view("M8[us]")  # UTC, if it has a zone
    if order.dtype.is_numeric() or order.dtype.is_temporal():
        return order.to_physical().cast(pl.Float64).to_numpy()
    return None


def _set_back(order: "pl.Series", row: int) -> str:
    """What is said of rows from the newest on, and of a local hour that comes twice: the end of a message."""
    import polars as pl

    if order.is_sorted(descending=True) and order[0] != order[-1]:
        return "; the newest row stands first: sort the rows by time"
    if order.dtype == pl.Datetime and order.dtype.time_zone is None:  # type: ignore[attr-defined]
        back = (order[row - 1] - order[row]).total_seconds()
        step = (order[row - 1] - order[row - 2]).total_seconds() if row > 1 else 0
        if 0 <= back <= 3600 and 1500 <= back + step <= 7200:  # clocks are set back by 30 minutes or more
            return (
                "; if the hour comes twice because clocks were set back, name the zone of these local times with "
                "time_zone (--time-zone Europe/Berlin, say)"
            )
    return ""


def instants(
    source: Path | str, column: "pl.Series", dialect: Dialect = FOUND_OUT, begin: int = 0
) -> "pl.Series | None":
    """The time stamps of a text column as numbers or instants, None if their format is not known, which is said.

    Raises:
        ValueError: if some of them have another format than the others.
    """
    import polars as pl

    text = column.str.strip_chars()
    if dialect.time_format:
        order = _parsed(text, dialect.time_format)
        if order is None:
            raise ValueError(f"{source}: {dialect.time_format!r} is no format of time stamps: see strftime")
    else:
        order = text.cast(pl.Float64, strict=False)
        if order.null_count() == 0 and (dates := compact(text)) is not None:
            order = dates
        if order.null_count() > len(order) / 2:  # else the cells that are no numbers are named
            order = _of_known_format(source, column.name, text)
    if order is None or (order.null_count() == len(order) and not dialect.time_format):
        warn(
            f"{source}: column {column.name}: {shortened(text[0])!r} is no time stamp of a known format: passed on as "
            "text, its order unchecked; give its format with time_format (--time-format), or say that there are no "
            "time stamps with time (--time none)"
        )
        return None
    if order.null_count():
        row = order.is_null().arg_true()[0]
        raise ValueError(
            f"{source}: row {begin + row}, column {column.name}: {shortened(column[row])!r} is not a time stamp (a "
            "number, or like 2026-01-31 23:59:00); write it so, give its format with time_format (--time-format), or "
            "say that there are none with time (--time none)"
        )
    return order


def hold_times(column: "pl.Series") -> bool:
    """Whether a column may hold time stamps by its values: text without numbers, or numbers that rise."""
    import polars as pl

    if column.dtype.is_temporal():
        return True
    if column.null_count() == len(column):
        return False
    if column.dtype != pl.String:
        return column.dtype.is_numeric() and bool(column.diff().drop_nulls().gt(0).all())
    text = column.str.strip_chars()
    order = text.cast(pl.Float64, strict=False)
    if order.null_count() == 0:
        return bool(order.diff().drop_nulls().gt(0).all())
    return order.null_count() == len(order)  # of whatever format


def are_dates(text: "pl.Series") -> bool:
    """Whether all cells of a stripped text column are dates."""
    if text.null_count() or not re.match(r"\D{0,4}\d+\D", text[0]):
        return False
    found = _candidates(text)
    return any(order.null_count() == 0 for _, order in found)


def _parsed(text: "pl.Series", form: str) -> "pl.Series | None":
    import polars as pl

    try:
        return text.str.to_datetime(form, strict=False, time_unit="us", ambiguous="earliest")
    except (pl.exceptions.ComputeError, pl.exceptions.PanicException):
        return None


def _inferred(text: "pl.Series") -> "pl.Series | None":
    import polars as pl

    zoned = text[0].endswith("Z") or text[0][-6:-5] in ("+", "-")
    try:
        return text.str.to_datetime(strict=False, time_zone="UTC" if zoned else None)
    except pl.exceptions.ComputeError:  # no format fits the first rows
        return None


def _candidates(text: "pl.Series") -> "list[tuple[str, pl.Series]]":
    """What the column is in each format that its first cell has, those of ISO first."""
    inferred = None if _DAY_OR_MONTH_FIRST.match(text[0]) else _inferred(text)
    if inferred is not None and inferred.null_count() == 0:
        return [("", inferred)]
    text, next_day = normal(text)
    zone = ""
    if " " in text[0] and _OFFSET.search(text[0]):
        text, zone = text.str.replace(r" ?([+-]\d\d):?(\d\d)?$", "${1}${2}"), "%z"
        text = text.str.replace(r"([+-]\d\d)$", "${1}00")
    head, found = text[:1], [] if inferred is None else [("", inferred)]
    for day, clock in itertools.product(_DAYS, _CLOCKS):
        form = day + clock + zone
        one = _parsed(head, form)
        if one is not None and one.null_count() == 0 and one[0].year >= 1000:
            order = _parsed(text, form)
            if order is not None:
                found.append((form, _later(order, next_day) if next_day.any() else order))
    return found


def _later(order: "pl.Series", next_day: "pl.Series") -> "pl.Series":
    """The instants, those that are the end of their day a day later."""
    return (order.dt.epoch("us") + next_day.cast(int) * 86_400_000_000).cast(order.dtype)


def _span(order: "pl.Series") -> timedelta:
    first, last = order.min(), order.max()
    return last - first  # type: ignore[operator, return-value]


def _of_known_format(source: Path | str, name: str, text: "pl.Series") -> "pl.Series | None":
    if (passed := seconds(text)) is not None:
        return passed
    found = sorted(_candidates(text), key=lambda one: one[1].null_count())
    if not found:
        return None
    whole = [one for one in found if one[1].null_count() == 0]
    if len(whole) < 2:
        return found[0][1]
    rising = [one for one in whole if one[1].is_sorted()] or whole
    form, order = min(rising, key=lambda one: one[1].diff().max() or 0)
    longest = 31 * _span(order) + timedelta(days=366)  # else the two digits of a year are taken for a day
    others = [other for other, values in rising if not values.equals(order) and _span(values) <= longest]
    if others:
        which = {"%m": "month", "%y": "year", "%Y": "year"}.get(form[:2], "day")
        warn(
            f"{source}: column {name}: {shortened(text[0])!r} may have the day or the month first: read with the "
            f"{which} first; say so with time_format (--time-format '{form}', or '{others[0]}')"
        )
    return order


def with_offsets(source: Path | str, column: "pl.Series", dialect: Dialect) -> "pl.Series":
    """Local time stamps with the offset from UTC that they had in `dialect.time_zone`, so that no hour comes twice.

    Where clocks are set back, a row is of the first of the two hours unless that would not be after the row before.

    Raises:
        ValueError: if the zone or a time stamp is not known, or a time stamp never was in that zone.
    """
    import polars as pl

    zone = dialect.time_zone
    assert zone is not None
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{zone!r} is no time zone: name one as Europe/Berlin or America/New_York") from None
    if column.null_count():
        return column  # refused by `check_times`
    order = instants(source, column, dialect) if column.dtype == pl.String else column
    if order is None or order.dtype != pl.Datetime or order.dtype.time_zone is not None:  # type: ignore[attr-defined]
        return column
    early, late = (order.dt.replace_time_zone(zone, ambiguous=a, non_existent="null") for a in ("earliest", "latest"))
    if early.null_count():
        row = early.is_null().arg_true()[0]
        raise ValueError(f"{source}: row {row}: {column[row]} never was in {zone}: clocks were set forward over it")
    utc, second = early.dt.epoch("us").to_list(), late.dt.epoch("us").to_list()
    twice = (early != late).arg_true().to_list()
    for row in twice:
        if row and utc[row] <= utc[row - 1]:
            utc[row] = second[row]
    instant = pl.Series(column.name, utc).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    if column.dtype != pl.String:
        return instant
    return (column.str.strip_chars() + instant.dt.strftime("%:z")).alias(column.name)
