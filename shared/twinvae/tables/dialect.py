"""What a CSV is: its separator, its header, its words for missing values, its numbers, its columns of time and labels.

A file that is read as a whole (`twinvae.tables.table`) and lines that come one by one (`twinvae.stream.lines`) are both
read by these rules, so what one takes, the other takes too. Only the standard library is imported: `watch` starts fast.
"""

import csv
import re
from collections.abc import Collection, Sequence

from twinvae.process.notices import shortened

SEPARATORS = (",", ";", "\t", "|")
MISSING_CELLS = ("", "NaN", "nan", "NA", "N/A", "null", "NULL", "None")
TIME_NAMES = ("timestamp", "time", "datetime", "date")  # in any case
LABEL_NAMES = ("label", "labels", "is_anomaly", "anomaly")  # in any case
NO_TIME = "none"
_QUOTED = re.compile(r'"[^"]*"')


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


def number_of(cell: str) -> float:
    """The number that a stripped cell holds; NaN where it is empty or a word for a missing value.

    Numbers are written as in C, with a point: 1, -2.5, 3e-4, inf. Digits are ASCII, without anything between them.
    Anything else is a ValueError.
    """
    try:
        if "_" not in cell and cell.isascii():  # Python alone takes 1_000 and digits of other scripts
            return float(cell)
    except ValueError:
        pass
    if cell in MISSING_CELLS:
        return float("nan")
    raise ValueError(f"{shortened(cell)!r} is not a number")


def is_number_or_missing(cell: str) -> bool:
    """Whether a stripped cell may stand in a column of numbers."""
    try:
        number_of(cell)
    except ValueError:
        return False
    return True


def is_header(cells: Sequence[str]) -> bool:
    """Whether the first line names the columns, and is not itself a row of numbers, perhaps after a time stamp.

    What begins with a digit may be a time stamp. A data frame without names writes its columns as `,0,1,2`: a header.
    """
    first, rest = cells[:1], cells[1:]
    if rest and (first[0].lower() in TIME_NAMES or list(cells) == ["", *map(str, range(len(rest)))]):
        return True
    if not all(map(is_number_or_missing, rest)):
        return True
    return not all(is_number_or_missing(cell) or (bool(rest) and cell[:1].isdigit()) for cell in first)


def time_column(names: Sequence[str], wanted: str | None, taken: Collection[str] = ()) -> str | None:
    """The name of the column of time stamps: the one wanted, or the first with a usual name that is not taken."""
    if wanted is None:
        return next((name for name in names if name.lower() in TIME_NAMES and name not in taken), None)
    return None if wanted.lower() == NO_TIME and wanted not in names else wanted
