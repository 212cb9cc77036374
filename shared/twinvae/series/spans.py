"""Spans of time, such as maintenance windows, and the rows of a series that lie in them."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from twinvae.process.notices import shortened
from twinvae.series.series import Series

OFFSET = r":\d\d.*(Z|[+-]\d\d:?\d\d)$"  # at the end of a time stamp with a zone


def moment(value: Any) -> datetime | float:
    """A time stamp as a moment, or a number as it is: two can be compared if both are of one kind.

    Raises:
        ValueError: if it is neither a number nor a time stamp as 2026-01-31 23:59:00.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, np.datetime64):
        return datetime.fromisoformat(str(value.astype("M8[us]")))
    text = str(value).strip()
    try:
        if math.isfinite(number := float(text)):
            return number
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise ValueError(f"{shortened(text)!r} is neither a number nor a time stamp as 2026-01-31 23:59:00") from None


def moments(spans: Iterable[Sequence[Any]]) -> tuple[tuple[Any, Any], ...]:
    """Spans with moments as their ends, in the order of time.

    Raises:
        ValueError: if an end is no moment, lies before its beginning, or is of another kind.
    """
    found = []
    for number, span in enumerate(spans):
        try:
            start, end = map(moment, span)
            if end < start:  # type: ignore[operator]
                raise ValueError(f"it ends before it begins: {span[0]}, {span[1]}")
            found.append((start, end))
        except (TypeError, ValueError) as error:
            raise ValueError(f"ignore: span {number}: {shortened(error, 200)}") from None
    try:
        return tuple(sorted(found))
    except TypeError:
        raise ValueError("ignore: some spans are of time stamps and some of numbers, or only some have zones") from None


def lies_in(value: Any, spans: Iterable[Sequence[Any]]) -> bool:
    """Whether a time stamp, or the number of a row, lies in one of some spans whose ends are moments.

    Raises:
        ValueError: if it is none, or cannot be compared with them.
    """
    one = moment(value)
    try:
        return any(start <= one <= end for start, end in spans)
    except TypeError:
        raise ValueError(f"{shortened(value)!r} cannot be compared with the spans of --ignore") from None


def rows_within(series: Series, spans: Iterable[Sequence[Any]]) -> tuple[tuple[int, int], ...]:
    """The rows [start, end) that lie in each span, whose both ends belong to it. Those with no row are left out.

    A span is of time stamps where the series has them, else of the numbers of rows.

    Raises:
        ValueError: if the spans are not fit for use, or not of what the rows of the series are known by.
    """
    found, instants = [], series.instants
    for start, end in moments(spans):
        first, last = (_place(series, instants, one) for one in (start, end))
        if instants is None:
            rows = max(0, int(np.ceil(first))), min(len(series), int(np.floor(last)) + 1)
        else:
            rows = int(np.searchsorted(instants, first)), int(np.searchsorted(instants, last, side="right"))
        if rows[0] < rows[1]:
            found.append(rows)
    return tuple(found)


def _place(series: Series, instants: np.ndarray | None, one: datetime | float) -> Any:
    """A moment as the instants of the series are."""
    is_time = isinstance(one, datetime)
    if is_time != (instants is not None and instants.dtype.kind == "M"):
        known = "numbers of rows" if instants is None else "numbers" if is_time else "time stamps"
        raise ValueError(f"ignore: {one} does not fit the series, whose rows are known by {known}")
    if not isinstance(one, datetime):
        return one
    has_zone = re.search(OFFSET, series.stamp(0)) is not None
    if has_zone != (one.tzinfo is not None):
        which = "no zone" if has_zone else "a zone"
        raise ValueError(
            f"ignore: {one} has {which}, and the first row is at {series.stamp(0)}: give a zone (such as +01:00) to "
            "both or to neither"
        )
    return np.datetime64(one.astimezone(UTC).replace(tzinfo=None) if has_zone else one, "us")
