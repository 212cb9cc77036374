"""How columns of time stamps are called, and what makes a time stamp of columns that hold its parts."""

import re
from collections.abc import Collection, Sequence

TIME_NAMES = ("timestamp", "time", "datetime", "date")  # in any case
_MORE = """ts epoch unix unixtime unix_time unix_timestamp epoch_ms time_ms _time @timestamp time_stamp timestamps times
dates date_time date-time date/time ds utc time_utc utc_time timestamp_utc utc_timestamp datetime_utc local_time
localtime event_time eventtime created_at recorded_at measured_at last_changed last_updated datum zeit uhrzeit
zeitstempel zeitpunkt datumzeit fecha hora fecha_hora fechahora data ora hora_data datahora data_hora heure horodatage
date_heure tijd tijdstip datumtijd czas дата время 日時 時刻 日付 時間 年月日 年月日時 タイムスタンプ 时间 日期 时间戳
日期时间 시간 날짜 일시"""
_DAYS = "date datum fecha data dato 日付 年月日 日期 날짜 дата"
_CLOCKS = "time zeit uhrzeit hora ora heure tijd czas 時刻 時間 时间 시간 время"
MORE_TIME_NAMES = frozenset(_MORE.split())  # in any case, if they hold time stamps
DAY_NAMES, CLOCK_NAMES = frozenset(_DAYS.split()), frozenset(_CLOCKS.split())
CALENDAR = (
    ("year", "yr", "yyyy", "yy"), ("month", "mon", "mo", "mm"), ("day", "dom", "dy", "dd"), ("hour", "hr", "hh", "h"),
    ("minute", "min", "mi", "mn", "mm"), ("second", "sec", "ss"),
)  # fmt: skip
NO_TIME = "none"


def number_in(text: str) -> float | None:
    """The number that a text is for Python; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def time_column(names: Sequence[str], wanted: str | None, taken: Collection[str] = ()) -> str | None:
    """The name of the column of time stamps: the one wanted, or the first with a usual name that is not taken."""
    if wanted is None:
        return next((name for name in names if name.lower() in TIME_NAMES and name not in taken), None)
    return None if wanted.lower() == NO_TIME and wanted not in names else wanted


def more_time_columns(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """The columns with a name that is often one of time stamps, but may also be a channel's."""
    return [name for name in names if is_time_name(name) and name not in taken]


def is_time_name(name: str) -> bool:
    """Whether a name is often one of time stamps: ts, Time (UTC), Date Time."""
    bare = re.sub(r"\s*[\[(].*[\])]$", "", name).strip().lower()
    if bare in TIME_NAMES or bare in MORE_TIME_NAMES:
        return True
    words = bare.split()
    return len(words) > 1 and all(word in DAY_NAMES or word in CLOCK_NAMES for word in words)  # Date Time


def time_parts(names: Sequence[str], taken: Collection[str] = ()) -> tuple[str, ...]:
    """The columns that make a time stamp together: a day and a clock, or a year, a month, a day and what follows."""
    free = {name.strip().lower(): name for name in reversed(names) if name not in taken}
    day, clock = (next((free[name] for name in free if name in known), None) for known in (DAY_NAMES, CLOCK_NAMES))
    if day is not None and clock is not None:
        return day, clock
    left, parts = [name for name in names if name not in taken], []
    for kind in CALENDAR:
        found = next((name for known in kind for name in left if name.strip().lower() == known), None)
        if found is None:
            break
        parts.append(found)
        left.remove(found)  # mm is the month, and a second mm the minute
    return tuple(parts) if len(parts) > 2 else ()


def joined_stamp(cells: Sequence[str]) -> str:
    """The time stamp that some cells make together, as `time_parts` orders them."""
    if len(cells) == 2:
        return " ".join(cells)
    year, month, day, *clock = (cell.removesuffix(".0").zfill(2) for cell in cells)
    clock += ["00"] * (2 - len(clock)) if clock else []
    return f"{year}-{month}-{day} {':'.join(clock)}".strip()


def makes_stamp(cells: Sequence[str]) -> bool:
    """Whether the cells of a row, in the columns of `time_parts`, are a day and a clock or the parts of a calendar."""
    if len(cells) == 2:
        return ":" not in cells[0] and bool(re.match(r"\d{1,2}[:.]\d{2}|\d{1,2} ?[AaPp][Mm]|\d{6}$", cells[1]))
    least, most = (1000, 1, 1, 0, 0, 0), (9999, 12, 31, 23, 59, 60)
    numbers = [number_in(cell) for cell in cells]
    return all(n is not None and n == int(n) and a <= n <= b for n, a, b in zip(numbers, least, most, strict=False))
