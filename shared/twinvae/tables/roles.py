"""What the columns of a table are: channels, time stamps, labels, or none of these.

What is decided for the user is said in one line, which names what undoes it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twinvae.process.notices import shortened, warn
from twinvae.tables.columns import is_binary, may_hold_numbers
from twinvae.tables.dialect import LABEL_NAMES, MISSING_CELLS, MORE_LABEL_NAMES, counter_of
from twinvae.tables.time_names import CALENDAR, joined_stamp, makes_stamp, more_time_columns, time_column, time_parts
from twinvae.tables.times import are_dates, hold_times

if TYPE_CHECKING:
    import polars as pl

FEWEST_ROWS = 20  # by which a column is judged
MOST_FALLS = 0.05  # of the rows, of a counter that wraps or is set back
_NUMBER_NAMES = re.compile(
    r"(unnamed: ?\d+|index|idx|id|row|rows|row_?id|row_?num(ber)?|no\.?|nr\.?|record|seq|#|)$", re.I
)
_PARTS = "weekday dayofweek day_of_week dow dayofyear day_of_year doy week weekofyear week_of_year quarter"
_CALENDAR_NAMES = {name for kind in CALENDAR for name in kind} | set(_PARTS.split())
_COUNTS, _CALENDAR = "numbers of rows", "numbers of a calendar"


class Columns(NamedTuple):
    """What the columns of a file are."""

    names: tuple[str, ...]  # the channels
    time: str | None
    labels: str | None


def with_joined_time(
    source: Path | str, frame: "pl.DataFrame", columns: Sequence[str] | None, time: str | None
) -> "pl.DataFrame":
    """A frame whose time stamps stand in one column, if those of a day and a clock, or of a calendar, stand in many."""
    import polars as pl

    taken = set(columns or ())
    parts = time_parts(frame.columns, taken) if time is None else ()
    if not parts or (len(parts) > 2 and (time_column(frame.columns, None, taken) or _time_by_name(frame, taken))):
        return frame
    plain = (pl.String, pl.Date, pl.Time, pl.Datetime)
    if not all(frame[name].dtype.is_numeric() or frame[name].dtype in plain for name in parts):
        return frame  # a list or bytes, say, which are no text
    texts = [frame[name].cast(pl.String).str.strip_chars() for name in parts]
    if any(text.null_count() for text in texts):
        return frame
    if not makes_stamp([text[0] for text in texts]):
        return frame
    name = " ".join(parts) if len(parts) == 2 else "time"
    rows = zip(*texts, strict=True)
    stamps = pl.Series(name, [joined_stamp(row) for row in rows])
    warn(f"{source}: joined {', '.join(parts)} to time stamps; see --time")
    rest = frame.drop(parts)
    return rest.insert_column(0, stamps) if name not in rest.columns else frame


def _time_by_name(frame: "pl.DataFrame", taken: set[str]) -> str | None:
    return next((name for name in more_time_columns(frame.columns, taken) if hold_times(frame[name])), None)


def time_names(frame: "pl.DataFrame", time: str | None) -> set[str]:
    """The columns that may hold time stamps: their words are none for missing values."""
    return {time} if time is not None else {*more_time_columns(frame.columns)}


def choose_columns(
    source: Path,
    available: Sequence[str],
    parts: "Callable[[str], Iterator[pl.Series]]",
    columns: Sequence[str] | None,
    time: str | None,
    labels: str | None,
    difference: Sequence[str] = (),
) -> Columns:
    """What the columns are, as `read_table` says; `parts` gives the values of one of the `available`, in parts."""
    taken = set(columns or ())
    others: list[str] = []  # columns of time stamps or labels that are not used
    if time is None:
        time = time_column(available, None, taken) or next(
            (name for name in more_time_columns(available, taken) if hold_times(next(parts(name)))), None
        )
        if time is None and columns is None:
            time = next((name for name in available if _is_text_of_dates(next(parts(name)))), None)
            if time is not None:
                warn(f"{source}: took column {time} as the time stamps; see --time")
    else:
        time = time_column(available, time, taken)
    if labels is None and columns is None:
        known = [c for c in available if c.lower() in LABEL_NAMES] + [
            c for c in available if c.lower() in MORE_LABEL_NAMES
        ]
        labels, *others = [c for c in known if c != time and is_binary(parts(c))] or [""]
        labels = labels or None
    for name in (*(columns or ()), *difference, *(n for n in (time, labels) if n)):
        if name not in available and counter_of(name) not in available:
            raise ValueError(f"{source}: no column {name!r}: the file has {', '.join(available)}")
    if columns is not None and len(taken) != len(columns):
        raise ValueError(f"{source}: a column is named twice in {', '.join(columns)}")
    if columns is None:
        unused = [c for c in available if c not in (time, labels)]
        for other in others:
            warn(f"{source}: left out column {other}, labels beside {labels}; see --labels and --columns")
        names = _channels(source, {c: parts for c in unused if c not in others}, set(difference))
    else:
        names = tuple(columns)
    if not names:
        raise ValueError(f"{source}: no column of values beside the time stamps and the labels")
    return Columns(tuple(f"difference({n})" if n in difference else n for n in names), time, labels)


def _is_text_of_dates(column: "pl.Series") -> bool:
    import polars as pl

    return column.dtype == pl.String and are_dates(column.str.strip_chars())


def _channels(
    source: Path, parts: "dict[str, Callable[[str], Iterator[pl.Series]]]", difference: set[str]
) -> tuple[str, ...]:
    """The columns without those that are no channels: texts, row numbers, calendars; each is said, as is a counter."""
    left_out: dict[str, list[str]] = {}
    kept, rising = [], []
    calendar = sum(name.strip().lower() in _CALENDAR_NAMES for name in parts)
    for name, part in parts.items():
        column = next(part(name))
        why = None if name in difference else _no_channel(column)
        if why == _CALENDAR and len(name.strip()) < 3 and calendar < 3:
            why = None  # mm or h alone may be millimetres or a height
        if why == "":
            continue
        if why is not None:
            left_out.setdefault(why, []).append(name)
            continue
        kept.append(name)
        if name not in difference and _only_rises(column):
            rising.append(name)
    counting = [name for name in left_out.get(_COUNTS, ()) if not _NUMBER_NAMES.match(name)]
    if len(counting) > len(kept):  # they are what the file is about
        left_out[_COUNTS] = [name for name in left_out[_COUNTS] if name not in counting]
        kept = [name for name in parts if name in kept or name in counting]
        rising = [name for name in kept if name in rising or name in counting]
    if not kept:  # the cells that are no numbers are named where they are read
        kept = left_out.pop("text", [])
    left_out = {why: names for why, names in left_out.items() if names}
    for why, names in left_out.items():
        warn(f"{source}: left out {', '.join(map(shortened, names))}: {why}; see --columns")
    if rising:
        warn(
            f"{source}: {', '.join(map(shortened, rising))} only rises: if it is a counter, take its differences with "
            f"difference (--difference {','.join(rising)}); if it numbers the rows, leave it out with --columns"
        )
    return tuple(kept)


def _no_channel(column: "pl.Series") -> str | None:
    """Why a column is no channel; nothing if that need not be said; None if it is one."""
    import polars as pl

    if not may_hold_numbers(column):
        return "times beside the time stamps" if column.dtype in (pl.Date, pl.Datetime) else None
    values = column.cast(pl.Float64, strict=False)
    known = values.drop_nulls()
    if len(known) == 0 and column.dtype == pl.String:
        return _without_numbers(column)
    steps = known.diff().drop_nulls()
    same = len(steps) == len(column) - 1 > 0 and steps[0] > 0 and bool((steps == steps[0]).all())
    reason = None
    if same and column.name == "":
        reason = ""
    elif len(column) < FEWEST_ROWS:
        reason = None
    elif same or (_NUMBER_NAMES.match(column.name) and len(steps) and bool((steps > 0).all())):
        reason = _COUNTS
    elif column.name.strip().lower() in _CALENDAR_NAMES and bool(
        ((known == known.floor()) & known.is_between(0, 9999)).all()
    ):
        reason = _CALENDAR
    return reason


def _without_numbers(column: "pl.Series") -> str | None:
    text = column.str.strip_chars().drop_nulls()
    if text.str.to_lowercase().is_in([*MISSING_CELLS]).all():
        return "" if column.name == "" else None if len(column) < FEWEST_ROWS else "no values"
    if len(column) < FEWEST_ROWS:
        return None
    return "times beside the time stamps" if are_dates(text) else "text"


def _only_rises(column: "pl.Series") -> bool:
    import polars as pl

    if len(column) < FEWEST_ROWS or not may_hold_numbers(column):
        return False
    steps = column.cast(pl.Float64, strict=False).diff().drop_nulls().to_numpy()
    rises, falls = steps[steps > 0], -steps[steps < 0]
    if len(steps) < FEWEST_ROWS - 1 or len(rises) < len(steps) / 2 or len(falls) > MOST_FALLS * len(steps):
        return False
    return len(falls) == 0 or bool(np.median(falls) > 3 * rises.max())
