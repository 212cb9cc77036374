"""What stands above and below the rows of a table in a CSV: units, metadata; totals, a mark of a program, a text."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twinvae.process.notices import shortened, warn
from twinvae.tables.columns import filled_rows
from twinvae.tables.dialect import Dialect, is_missing, is_number, is_row_of_units

if TYPE_CHECKING:
    import polars as pl

MOST_ON_TOP = 10  # rows of metadata below a header
LONGEST = 20  # rows of a footer
_BODY = 20  # rows above it, which show what a row is like
_LEAST = 5  # of these: fewer show nothing
_TOTALS = """total totals sum subtotal average avg mean median min max minimum maximum count summe gesamt mittelwert
mittel durchschnitt anzahl moyenne somme total: sum: average: mean: 合計 平均"""
_IS_TOTAL = frozenset(_TOTALS.split())  # in any case
_MARK = re.compile(r"(\$\w+\$|grand total.*|end of (report|file|data).*)$", re.IGNORECASE)  # $RT_OFF$ of WinCC


def without_rows_on_top(source: Path | str, frame: "pl.DataFrame", dialect: Dialect) -> "pl.DataFrame":
    """A frame of text without one or two rows of units, or words where time stamps follow, below its header; said."""
    head = frame.head(MOST_ON_TOP + _LEAST).rows()
    for count in (1, 2):
        after = head[count : count + 2]
        if len(after) == 2 and all(is_row_of_units(row, *after, missing=dialect.missing) for row in head[:count]):
            warn(f"{source}: left out the row{'s' * (count > 1)} of units below the header")
            return frame.slice(count)
    first = [(row[0] or "").strip() for row in head]
    count = next((at for at, cell in enumerate(first) if not re.match(r"[A-Za-z]\w*$", cell)), 0)
    stamps = first[count : count + _LEAST]
    if 1 < count <= MOST_ON_TOP and len(stamps) == _LEAST and all(re.match(r"\d+[-/.:]\d+[-/.:]", s) for s in stamps):
        warn(f"{source}: left out {count} rows below the header without time stamps: {', '.join(first[:count])}")
        return frame.slice(count)
    return frame


def without_footer(source: Path | str, frame: "pl.DataFrame", dialect: Dialect) -> "pl.DataFrame":
    """A frame of text without the rows at its very end that are none of the table; they are said.

    Such a row has the name of a total, or a mark, where its first cell is; or a text where all rows above have numbers
    or time stamps, and no more cells than half of the columns.
    """
    end = frame.height
    missing = {word for word in dialect.missing if isinstance(word, str)}
    body = frame.slice(max(0, end - LONGEST - _BODY), min(_BODY, max(end - LONGEST, end // 2))).rows()
    while len(body) >= _LEAST and frame.height - end < LONGEST and _is_footer(frame.row(end - 1), body, missing):
        end = filled_rows(frame.head(end - 1))
    if end < frame.height:
        first = next(cell for cell in frame.row(end if any(frame.row(end)) else frame.height - 1) if cell)
        warn(f"{source}: left out what stands below the table, from row {end} on: {shortened(first)!r}")
    return frame.head(end)


def _is_footer(row: Sequence[str | None], body: Sequence[Sequence[str | None]], missing: set[str]) -> bool:
    cells = [(cell or "").strip() for cell in row]
    first = next((at for at, cell in enumerate(cells) if cell), None)
    if first is None or cells[first].lower() in missing or is_missing(cells[first]):
        return False
    above = [(other[first] or "").strip() for other in body]
    if cells[first].lower() in _IS_TOTAL or _MARK.match(cells[first]):
        return cells[first] not in above
    filled = sum(map(bool, cells))
    is_text = cells[first].isprintable() and not is_number(cells[first]) and all(map(_begins_with_a_digit, above))
    return is_text and not _begins_with_a_digit(cells[first]) and 2 * filled <= len(cells)


def _begins_with_a_digit(cell: str) -> bool:
    return bool(re.match(r"[+-]?[.,]?\d", cell))
