"""What a CSV is: its separator, its header, its words for missing values, its numbers, its columns of time and labels.

A file that is read as a whole (`twinvae.tables.table`) and lines that come one by one (`twinvae.stream.lines`) are both
read by these rules, so what one takes, the other takes too. Only the standard library is imported: `watch` starts fast.
"""

import csv
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from twinvae.process.notices import shortened
from twinvae.tables.time_names import TIME_NAMES, is_time_name, number_in

SEPARATORS = (",", ";", "\t", "|")
_MISSING = r"""nan -nan n/a na #n/a #na <na> #nan -nan(ind) 1.#qnan 1.#ind -1.#ind null (null) nil none nat missing
unavailable unknown undefined nodata ? - -- --- . \n #value! #div/0! #num! #ref! #name? #null! n.a."""
MISSING_CELLS = frozenset(["", *_MISSING.split(), "no data", "not available"])  # in any case
_OF_A_ROW = frozenset(("", "nan", "na", "n/a", "null", "none"))  # a name of a column is likelier to be one of the rest
LABEL_NAMES = ("label", "labels", "is_anomaly", "anomaly")  # in any case
_LABELS = """attack is_attack attack_label label_attack att_flag anomalies anomalous is_anomalous anomaly_label
label_anomaly outlier is_outlier outliers fault is_fault faulty fault_label failure is_failure ground_truth groundtruth
normal/attack is_abnormal abnormal event_label changepoint class target y"""
MORE_LABEL_NAMES = frozenset(_LABELS.split())  # in any case
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?,*;*$', re.IGNORECASE)
COMMA = r"^[+-]?\d+,\d+([eE][+-]?\d+)?$"  # a number with a decimal comma
THOUSANDS = r"^[+-]?[1-9]\d{0,2}((,\d{3})+(\.\d*)?|(\.\d{3})+,\d*|(\.\d{3}){2,}|([ '\u00a0\u202f]\d{3})+([.,]\d*)?)$"
_COMMA, _THOUSANDS = re.compile(COMMA), re.compile(THOUSANDS)
_WITH_SIGNS = re.compile(r"[^\w#]{0,3}\d[\d.,' ]*[^\w#]{0,3}$")  # 20 %, $1,204.82, <16
LINES_AHEAD = 100  # in which a header is looked for

Decimal = Literal[".", ","]


@dataclass(frozen=True)
class Dialect:
    """What the user says of how a file is written. What is not said is found out."""

    missing_values: tuple[str, ...] = ()  # cells that hold no value, beside `MISSING_CELLS`; numbers like -999 too
    decimal: Decimal | None = None
    skip_rows: int | None = None  # lines before the header
    time_format: str | None = None  # as strftime has it
    time_zone: str | None = None  # of local time stamps without an offset
    difference: tuple[str, ...] = ()  # counters, of which the differences are the channels
    separator: str | None = None  # one character
    header: tuple[str, ...] = ()  # the names of the columns, of a file without a line that names them

    def __post_init__(self) -> None:
        """Raises ValueError if the separator is none."""
        check_separator(self.separator)

    @property
    def missing(self) -> "frozenset[str | float]":
        """The cells and the numbers that stand for a missing value."""
        return missing_cells(self.missing_values)


def check_separator(separator: str | None) -> None:
    """Raises ValueError if this cannot stand between cells."""
    if separator is not None and (len(separator) != 1 or not separator.isascii() or separator in '"\r\n.'):
        raise ValueError(f"the separator must be one character such as ; or a tab, got {separator!r}")


FOUND_OUT = Dialect()  # all of it


def missing_cells(values: Sequence[str]) -> "frozenset[str | float]":
    """Cells in lower case and, where they are numbers, these."""
    cells = [value.strip().lower() for value in values]
    return frozenset(cells) | {number for cell in cells if (number := number_in(cell)) is not None}


def separator_of(line: str) -> str:
    """The separator that a line has most of outside quotes; the comma if it has none."""
    bare = _QUOTED.sub("", line) if '"' in line else line
    return max(SEPARATORS, key=bare.count)


def cells_of(line: str, separator: str) -> list[str]:
    """The cells of a line, without the spaces and quotes around them; ValueError if it cannot be taken apart."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(separator)]
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error as error:
        raise ValueError(f"cannot be read ({error})") from None
    return [cell.strip() for cell in cells]


# Numbers.


def number_of(cell: str, decimal: Decimal = ".", missing: "Collection[str | float]" = ()) -> float:
    """The number that a stripped cell holds; NaN where it is empty or a word for a missing value.

    Numbers are written as in C: 1, -2.5, 3e-4, inf, with the decimal mark. Digits are ASCII, without anything between
    them.

    Raises:
        ValueError: if the cell is neither.
    """
    try:
        if "_" not in cell and cell.isascii():  # Python alone takes 1_000 and digits of other scripts
            if decimal == ",":
                cell = cell.replace(",", ".") if "." not in cell or not number_in(cell) else "."
            value = float(cell)
            return math.nan if missing and value in missing else value
    except ValueError:
        pass
    if cell.lower() in MISSING_CELLS or cell.lower() in missing:
        return math.nan
    raise ValueError(f"{shortened(cell)!r} is not a number{no_number_because(cell)}")


def no_number_because(cell: str) -> str:
    """What may be done about a cell that is not a number; the end of a message."""
    if _COMMA.match(cell):
        return "; if its comma is the decimal mark of all numbers, say so with decimal (--decimal ,)"
    if _THOUSANDS.match(cell):
        return ": write numbers without thousands separators"
    if _WITH_SIGNS.match(cell):
        return ": write numbers alone, without %, signs of currencies or others"
    return ""


def decimal_of(cell: str, separator: str) -> Decimal | None:
    """The decimal mark that a cell shows for all: a comma, if it cannot be one between thousands; else None."""
    comma = "," in cell and _COMMA.match(cell) and (separator != "," or not _THOUSANDS.match(cell))
    return "," if comma else None


def is_missing(cell: str) -> bool:
    """Whether a stripped cell says that there is no value."""
    return cell.lower() in MISSING_CELLS


def is_number_or_missing(cell: str) -> bool:
    """Whether a stripped cell may stand in a column of numbers."""
    return is_missing(cell) or is_number(cell)


def is_number(cell: str) -> bool:
    """Whether a stripped cell holds a number, with a decimal point or comma."""
    try:
        return not math.isnan(number_of(cell, "," if _COMMA.match(cell) else "."))
    except ValueError:
        return False


def difference_of(value: float, before: float, most: float | None = None) -> float:
    """By how much a counter has risen, whose largest value up to `before` was `most`.

    It has the fewest of 16, 32 and 64 bits that hold all its values. A fall from the last quarter of these to the first
    one is a wrap; any other fall is a counter that was set back, and the difference is missing.
    """
    if not value < before:
        return value - before
    for size in (2.0**16, 2.0**32, 2.0**64):
        if max(before, most or before) <= size:
            return value + size - before if before >= 0.75 * size and 0 <= value <= 0.25 * size else math.nan
    return math.nan


def counter_of(name: str) -> str | None:
    """The counter whose differences a channel holds, by the channel's name: difference(bytes) is of bytes."""
    return name[11:-1] if name.startswith("difference(") and name.endswith(")") else None


# Headers.


class Header(NamedTuple):
    """Where the names of the columns stand."""

    line: int  # its number, from 0
    text: str
    separator: str
    names: list[str]


def separator_line(text: str) -> str | None:
    """The separator that a line `sep=;` names, as spreadsheets write it; None of any other line."""
    found = _SEPARATOR_LINE.match(text.strip(" \r\n"))  # the separator may be a tab
    return found[1] if found else None


def header_of(lines: Sequence[str], skip_rows: int | None = None, separator: str | None = None) -> Header | None:
    """The header of a file that begins with these lines; None if all are blank.

    Lines before it are left out where it is plain that they are no header: comments (#), `sep=;`, and lines that have
    fewer cells than all that follow. If the last comment has as many cells as the row of numbers after it, it is the
    header.

    Raises:
        ValueError: if a line cannot be taken apart.
    """
    filled = [(at, text) for at, line in enumerate(lines) if at >= (skip_rows or 0) and (text := line.strip("\r\n"))]
    ends = [at for at, (_, text) in enumerate(filled) if text.startswith("***End_of_Header***")]  # of LabVIEW
    filled = filled[ends[-1] + 1 :] if ends and skip_rows is None else filled
    if not filled:
        return None
    if (said := separator_line(filled[0][1])) is not None:
        separator, filled = separator or said, filled[1:] or filled
    first = next((at for at, (_, text) in enumerate(filled) if not text.startswith("#")), 0)
    if skip_rows is not None:
        first = 0
    separator = separator or separator_of(filled[first][1])
    names = cells_of(filled[first][1], separator)
    if first and not is_header(names):
        commented = cells_of(filled[first - 1][1].lstrip("#"), separator)
        if len(commented) == len(names) and is_header(commented):
            return Header(filled[first - 1][0], filled[first - 1][1], separator, commented)
    table = filled[first:]
    if skip_rows is None and len(table) > 2 and (later := _later_header(table, separator)):
        return later
    return Header(table[0][0], table[0][1], separator, names)


def _later_header(lines: Sequence[tuple[int, str]], separator: str | None) -> Header | None:
    """The header, if the first line is plainly none: it has fewer cells, or a later line alone names the time."""
    body = [text for _, text in lines[len(lines) // 2 :]]
    separators = list(map(separator_of, body))
    separator = separator or max(SEPARATORS, key=separators.count)
    try:
        cells = [cells_of(text, separator) for _, text in lines]
    except ValueError:
        return None
    counts = [_width(row) for row in cells]
    usual = max(set(counts[len(lines) // 2 :]), key=counts[len(lines) // 2 :].count)
    names_time = [any(is_time_name(cell) for cell in row) for row in cells]
    for at in range(1, len(cells) - 1):
        row = [cell for cell in cells[at] if cell]
        if counts[at] < max(usual, 2) or any(is_number(cell) or cell[:1].isdigit() for cell in row):
            continue
        narrow = all(count < usual for count in counts[:at])
        numbers_follow = any(is_number(cell) for row in cells[at + 1 : at + 4] for cell in row)  # units may come first
        if numbers_follow and (narrow or (names_time[at] and not any(names_time[:at]))):
            return Header(lines[at][0], lines[at][1], separator, cells[at])
    return None


def _width(cells: Sequence[str]) -> int:
    return max((at for at, cell in enumerate(cells, 1) if cell), default=0)


def is_header(cells: Sequence[str]) -> bool:
    """Whether the first line names the columns, and is not itself a row of numbers, perhaps after a time stamp.

    What begins with a digit may be a time stamp. A data frame without names writes its columns as `,0,1,2`: a header.
    """
    first, rest = cells[:1], cells[1:]
    if rest and (first[0].lower() in TIME_NAMES or list(cells) == ["", *map(str, range(len(rest)))]):
        return True
    if not all(map(_may_be_of_a_row, rest)):
        return True
    return not all(_may_be_of_a_row(cell) or (bool(rest) and cell[:1].isdigit()) for cell in first)


def _may_be_of_a_row(cell: str) -> bool:
    return cell.lower() in _OF_A_ROW or is_number(cell)


def is_row_of_units(
    first: Sequence[str | None], *after: Sequence[str | None], missing: "Collection[str | float]" = ()
) -> bool:
    """Whether the first row has only words, none for a missing value, where the rows after it have numbers."""
    words = [at for at, cell in enumerate(first) if cell and cell.strip()]
    numbers = [at for at in words if all(is_number((row[at] or "").strip()) for row in after)]
    cells = [(first[at] or "").strip() for at in words]
    return bool(numbers) and not any(
        is_number_or_missing(cell) or cell.lower() in missing or cell[:1].isdigit() for cell in cells
    )
