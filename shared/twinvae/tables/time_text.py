"""Time stamps as programs and people write them, brought to the few forms that are parsed."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

# What some mean differs between countries; but only order and distance of stamps depend on it, not what is written.
_ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "SGT": 8, "HKT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
    "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
_RULES = (
    (r"\s*\[[A-Za-z]+(/[\w+-]+)*\]$", ""),  # [Europe/Berlin]
    (r"\s+[A-Z][a-z]+/[A-Z]\w+(/\w+)?$", ""),
    (r"(?i)\s*Uhr$", ""),
    (r"(?i)^(mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", ""),
    (r"(:\d\d),(\d+)", "${1}.${2}"),
    (r"^(\d{4}[-/.]\d\d[-/.]\d\d)_", "${1} "),
    (r"^([A-Za-z]{3} +\d+) +(\d+:\d\d:\d\d)( [A-Z]+)? (\d{4})$", "${1} ${4} ${2}${3}"),  # as ctime writes it
    (r"^(\d{1,2})\.\s+([A-Za-z])", "${1} ${2}"),
    (r"^(\d{1,2} [A-Za-z]{3})\.\s", "${1} "),
    (r"(?i)\s*([ap])\.?\s?m\.?$", " ${1}m"),
    (r"^(\d{4}-\d\d-\d\d)[ T](\d\d)$", "${1} ${2}:00"),
    (r"(\d)T(\d)", "${1} ${2}"),
)


class Normal(NamedTuple):
    """Texts in the forms that are parsed, and which of them are the end of their day (24:00), written as its begin."""

    text: "pl.Series"
    next_day: "pl.Series"


def normal(text: "pl.Series") -> Normal:
    """Stripped time stamps without weekdays, names of zones and what else does not say when they are."""
    import polars as pl

    for pattern, instead in _RULES:
        text = text.str.replace(pattern, instead)
    for zone in text.str.extract(r"(?:[\d ]|[apAP][mM] ?)([A-Z]{1,4})$").unique().drop_nulls():
        if zone in _ZONES:
            text = text.str.replace(rf"\s*{zone}$", f"{_ZONES[zone]:+03d}00")
    midnight = r"([ T])24:00(:00)?"
    return Normal(text.str.replace(midnight, "${1}00:00${2}"), text.str.contains(midnight).cast(pl.Boolean))


def seconds(text: "pl.Series") -> "pl.Series | None":
    """Times that have passed, such as 26:03:00 or 00:15.250, in seconds; None if not all are such, or they go back."""
    import polars as pl

    if not text.str.contains(r"^(\d+:)?\d+:\d\d(\.\d+)?$").all():
        return None
    pieces = text.str.split(":")
    count = pieces.list.len()
    if count.n_unique() != 1:
        return None
    numbers = [pieces.list.get(at).cast(pl.Float64, strict=False) for at in range(int(count[0]))]
    total = numbers[0]
    for number in numbers[1:]:
        total = total * 60 + number
    return total if total.null_count() == 0 and total.is_sorted() else None


def compact(text: "pl.Series") -> "pl.Series | None":
    """Dates and times written as one number, 20260131 or 20260131235900; None if not all are such."""
    import polars as pl

    form = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(text[0] or ""))
    if form is None or not text.str.contains(r"^(19|20)\d{6}(\d{4}|\d{6})?$").all():
        return None
    if form == "%Y%m%d":
        order = text.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    else:
        order = text.str.to_datetime(form, strict=False, time_unit="us")
    return order if order.null_count() == 0 else None
