"""The index of what the user has: what of it is time, and whether its rows are in the order of time."""

import re
import sys
from datetime import timedelta
from typing import Any

import numpy as np

_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def index_of(series: Any) -> Any:
    """The index of a pandas object or a darts series, whatever its kind; None for anything else.

    Raises:
        ValueError: if it is not in the order of time, or holds a time stamp twice, none, or several levels.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(series, (pandas.DataFrame, pandas.Series)):
        index = series.index
    elif hasattr(type(series), "time_index"):
        index = series.time_index
    else:
        return None
    if pandas is not None and isinstance(index, pandas.Index):
        _check(pandas, index)
    return index


def _check(pandas: Any, index: Any) -> None:
    if isinstance(index, pandas.MultiIndex):
        levels = ", ".join(str(name) for name in index.names)
        raise ValueError(
            f"the index has {index.nlevels} levels ({levels}): give one series, such as frame.xs(key), or many to "
            "VAEFleet: {key: part.droplevel(0) for key, part in frame.groupby(level=0)}"
        )
    stamps = _stamps(pandas, index)
    if stamps is None:
        if not index.is_monotonic_increasing and index.is_unique and pandas.api.types.is_numeric_dtype(index.dtype):
            raise ValueError(_order(index, np.asarray(index)))
        return
    missing = np.asarray(stamps.isna())
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(f"row {row}: the time stamp of the index is missing (NaT): drop such rows, or give it one")
    if not stamps.is_monotonic_increasing:
        raise ValueError(_order(index, stamps))
    if not stamps.is_unique:
        row = int(np.argmax(stamps.duplicated()))
        raise ValueError(
            f"row {row} has the same time stamp as the row before: {index[row]}: keep one of them, such as "
            "frame[~frame.index.duplicated()]; many series in one frame are for VAEFleet"
        )


def _order(index: Any, values: Any) -> str:
    row = int(np.argmax(np.asarray(values[1:] < values[:-1]))) + 1
    said = f"row {row} has an earlier index than the row before: {index[row]} after {index[row - 1]}: "
    back = values[row - 1] - values[row]
    if isinstance(back, timedelta) and back <= timedelta(hours=1) and values[row:].is_monotonic_increasing:
        return f'{said}if clocks were set back, tz_localize(zone, ambiguous="infer"), else sort_index()'
    return f"{said}use sort_index()"


def _stamps(pandas: Any, index: Any) -> Any:
    """The index as one of time, if it is one: its own, or its text as ISO dates; else None."""
    if isinstance(index, (pandas.DatetimeIndex, pandas.PeriodIndex, pandas.TimedeltaIndex)):
        return index
    first = index[0] if len(index) else None
    if isinstance(first, str) and not _ISO_DAY.match(first):
        return None
    if index.dtype != object and not isinstance(first, str):
        return None
    if any(isinstance(stamp, (bool, int, float)) for stamp in index[:1]):
        return None
    try:
        stamps = pandas.to_datetime(index, format="ISO8601", utc=True)
    except (TypeError, ValueError):
        return None
    return stamps if isinstance(stamps, pandas.DatetimeIndex) else None


def instants_of(index: Any) -> np.ndarray | None:
    """When each row is: datetime64 (UTC, if it has a zone), or numbers of periods; None if it is not of time."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(index, pandas.Index):
        return None
    stamps = _stamps(pandas, index)
    if stamps is None:
        return None
    if isinstance(stamps, pandas.PeriodIndex):
        return np.asarray(stamps.asi8)
    if isinstance(stamps, pandas.TimedeltaIndex):
        return np.asarray(stamps.as_unit("us").asi8)
    return np.asarray(stamps.as_unit("us").asi8).view("M8[us]")
