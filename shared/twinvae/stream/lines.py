"""Lines of text -> points of a stream: JSON lines, or CSV with or without a header."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from twinvae.process.notices import shortened
from twinvae.series.series import are_numbers
from twinvae.stream.json_values import number_of_json, stamp_of_json
from twinvae.stream.reader_state import check_reader_state
from twinvae.tables.dialect import (
    SEPARATORS,
    Decimal,
    cells_of,
    counter_of,
    decimal_of,
    difference_of,
    is_header,
    is_missing,
    is_number,
    missing_cells,
    number_of,
    separator_line,
    separator_of,
)
from twinvae.tables.time_names import (
    NO_TIME,
    TIME_NAMES,
    joined_stamp,
    makes_stamp,
    more_time_columns,
    time_column,
    time_parts,
)

LineFormat = Literal["auto", "jsonl", "csv"]
LINE_FORMATS: tuple[LineFormat, ...] = get_args(LineFormat)

# One number with a decimal comma. Epochs, which are time stamps before a comma, have nine digits and more.
_BETWEEN, _DECIMAL = re.compile(r"\s*[;\t|]\s*"), re.compile(r"[+-]?\d+,\d+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,8},\d+")


class Point(NamedTuple):
    """One line: a number, or one for each channel in the order of the model; NaN is missing."""

    values: float | list[float]
    time: Any  # the time stamp as it stands in the line; None if there is none


class UnsuitedHeaderError(ValueError):
    """The first line names other columns than the model's: no line can be read."""


class LineReader:
    """Reads lines of one format. What it finds out of the first ones holds for the rest.

    - `jsonl`: a number, a list, or an object of channel names and numbers, which may have a time stamp;
    - `csv`: cells as `twinvae.tables.dialect` has them. A first line that names the columns is the header, and chooses
      them by name. Without one the cells are the channels in the order of the model, perhaps after a time stamp, as in
      the first row. A line with too few cells is refused, since it may be torn.
    - `auto`: jsonl if the first good line begins with a bracket or a brace, else csv.

    `columns` are the names of the model's channels in the input, if they are called otherwise there. The time stamp is
    the column or key `time`, or the first called timestamp, time, datetime or date; "none" if there is none. It is
    passed on as it stands. A value is missing where JSON has null or NaN, or a cell is empty, says so (NaN, NA ...), or
    is one of `missing_values`. `decimal` is the decimal mark of a CSV; without it, the first number that shows one. A
    channel called difference(NAME) is what the counter NAME has risen by since the line before.
    """

    def __init__(
        self,
        channels: Sequence[str],
        *,
        form: LineFormat = "auto",
        columns: Sequence[str] | None = None,
        time: str | None = None,
        missing_values: Sequence[str] = (),
        decimal: Decimal | None = None,
    ) -> None:
        if columns is not None and len(columns) != len(channels):
            raise ValueError(f"{len(columns)} columns are named, the detector was fitted on {len(channels)} channels")
        self._channels = tuple(columns or channels)
        self._named = columns is not None or not are_numbers(tuple(channels))
        self._time = time
        self._form: LineFormat = form
        self._separator: str | None = None
        self._header: list[str] | None = None
        self._places: list[int] | None = None  # of the channels in a row that has a header
        self._time_places: tuple[int, ...] = ()
        self._missing = missing_cells(missing_values)
        self._decimal: Decimal | None = decimal
        self._counters = [at for at, name in enumerate(channels) if counter_of(name) is not None]
        self._before: list[float] | None = None  # the values of the line before
        self._width: int | None = None  # cells of a row that has no header

    def read(self, line: str) -> Point | None:
        """The point of a line; None if it is blank or a header.

        Raises:
            ValueError: if it is neither; the next line may be fine.
            UnsuitedHeaderError: if a header lacks a channel.
        """
        text = line.strip(" \r\n\ufeff")
        if not text or (text.isspace() and self._separator != "\t"):  # a row of nothing but tabs has empty cells
            return None
        if self._header is None and self._form != "jsonl" and (text[0] == "#" or separator_line(text)):
            self._take_preamble(text)
            return None
        form = ("jsonl" if text[0] in "[{" else "csv") if self._form == "auto" else self._form
        point = self._json(text) if form == "jsonl" else self._row(text)
        if point is None:
            return None
        self._form = form
        return self._with_differences(point) if self._counters else point

    def _take_preamble(self, text: str) -> None:
        """Takes note of a comment or `sep=;` before the header."""
        if (separator := separator_line(text)) is not None:
            self._separator = separator
            return
        names = cells_of(text.lstrip("#"), self._separator or separator_of(text))
        if self._named and set(self._channels) <= set(names):  # the header itself is a comment
            self._separator = self._separator or separator_of(text)
            self._take_header(names)

    def _with_differences(self, point: Point) -> Point:
        values = list(point.values) if isinstance(point.values, list) else [point.values]
        if len(values) == len(self._channels):  # the stream refuses all others
            before, self._before = self._before or [math.nan] * len(values), list(values)
            for at in self._counters:
                values[at] = difference_of(values[at], before[at])
        return Point(_one(values), point.time)

    # JSON lines.

    def _json(self, text: str) -> Point:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            raise ValueError(f"not JSON ({reason}): {shortened(text)}") from None
        if isinstance(value, dict):
            return self._object(value)
        items = value if isinstance(value, list) else [value]
        return Point(_one([self._known(number_of_json(item)) for item in items]), None)

    def _known(self, value: float) -> float:
        return math.nan if self._missing and value in self._missing else value

    def _object(self, value: dict[str, Any]) -> Point:
        time = self._time_name(tuple(value))
        names = tuple(name if name in value else counter_of(name) or name for name in self._channels)
        if not self._named and len(names) == 1:  # the only other key is the channel, whatever its name
            names = tuple(key for key in value if key != time)[:2]
            if len(names) != 1:
                raise ValueError(f"{len(names) or 'no'} values beside the time stamp: choose one with --columns")
        for name in names:
            if name not in value:
                raise ValueError(f"no channel {name!r}: the line has {shortened(', '.join(value))}; see --columns")
        values = [self._known(number_of_json(value[name])) for name in names]
        return Point(_one(values), None if time is None else stamp_of_json(value[time]))

    def _time_name(self, names: Sequence[str]) -> str | None:
        """Which of the names is the time stamp."""
        name = time_column(names, self._time, self._channels)
        if name is None and self._time is None:
            name = next(iter(more_time_columns(names, self._channels)), None)
        return name if name in names else None

    # CSV.

    def _row(self, text: str) -> Point | None:
        separator = self._separator or separator_of(text)
        if self._separator is None and any(map(_DECIMAL.fullmatch, others := _BETWEEN.split(text))):
            if self._decimal == ",":
                separator = max(SEPARATORS[1:], key=text.count)  # the comma is none
            elif len(others) > 1:
                raise ValueError(f"{shortened(text)}: a decimal comma: write a decimal point, or say --decimal ,")
        try:
            cells = cells_of(text, separator)
        except ValueError as error:
            raise ValueError(f"{error}: {shortened(text)}") from None
        if cells == self._header:
            return None  # again, as in a log that is rotated
        if self._header is None:
            self._take_first(cells)
            self._separator = separator if len(cells) > 1 else None
            if self._header:
                return None
        if not self._header or self._places is None:
            if self._width not in (None, len(cells)):
                raise ValueError(f"{len(cells)} cells, the first row has {self._width}: {shortened(text)}")
            extra = len(cells) - len(self._channels)
            has_time = extra == 1 and (self._time or "").lower() != NO_TIME
            if has_time and self._time is None and self._width is None and _DECIMAL_COMMA.fullmatch(text):
                advice = "say --decimal , or name the first with --time"
                raise ValueError(f"{shortened(text)}: a decimal comma, or a time stamp and a value? {advice}")
            self._width = len(cells) if extra == has_time else None
            return Point(_one(self._numbers(cells[has_time:])), cells[0] if has_time else None)
        if len(cells) != len(self._header):
            raise ValueError(f"{len(cells)} cells, the header has {len(self._header)}: {shortened(text)}")
        values = self._numbers([cells[place] for place in self._places])
        return Point(_one(values), self._stamp(cells) if self._time_places else None)

    def _numbers(self, cells: Sequence[str]) -> list[float]:
        if self._decimal == "." and not self._missing:  # nothing is left to be found out
            return [number_of(cell) for cell in cells]
        return [self._number(cell) for cell in cells]

    def _number(self, cell: str) -> float:
        decimal = self._decimal
        if decimal is None:
            if "," in cell and decimal_of(cell, self._separator or separator_of(cell)):
                decimal = self._decimal = ","
            elif "." in cell and is_number(cell):
                decimal = self._decimal = "."
        return number_of(cell, decimal or ".", self._missing)

    def _stamp(self, cells: Sequence[str]) -> str:
        if len(self._time_places) == 1:
            return cells[self._time_places[0]]
        parts = [cells[place] for place in self._time_places]
        return joined_stamp(parts) if makes_stamp(parts) else " ".join(parts)

    def _take_first(self, cells: list[str]) -> None:
        """Decides whether the first row is a header: if not, the header is empty."""
        named = set(self._channels) <= set(cells) or (not self._named and cells[0].lower() in TIME_NAMES)
        if not is_header(cells) or (self._may_be_data(cells) and not named):
            self._header = []
        elif len(cells) == 1 < len(self._channels):
            raise ValueError(f"neither a header nor numbers: {shortened(cells[0])}")
        else:
            self._take_header(cells)

    def _may_be_data(self, cells: Sequence[str]) -> bool:
        """Whether a first line that looks like a header could also be a row, with any text as its time stamp."""
        extra = len(cells) - len(self._channels)
        empty = extra in (0, 1) and all(map(is_missing, cells[extra:]))
        return empty or any(is_number(cell) for cell in cells)

    def _take_header(self, cells: list[str]) -> None:
        if len(named := [cell for cell in cells if cell]) != len(set(named)):
            raise UnsuitedHeaderError(f"a column is there twice in the header {shortened(', '.join(cells))}")
        time = self._time_name(cells)
        places = [cells.index(name) for name in self._stamp_names(cells, time)]
        used = {cells[place] for place in places}
        names = [cell if (cell in cells) else counter_of(cell) or cell for cell in self._channels]
        if not (self._named or set(self._channels) <= set(cells)):
            names = [cell for cell in cells if cell not in used]
        absent = [name for name in names if name not in cells]
        if absent or len(names) != len(self._channels):
            what = f"no column {absent[0]!r}" if absent else f"{len(names)} columns, not {len(self._channels)}"
            raise UnsuitedHeaderError(
                f"{what}: the first line is {shortened(', '.join(cells))!r}; name the columns with --columns, or say "
                "that these are JSON lines with --format jsonl"
            )
        self._header, self._places = cells, [cells.index(name) for name in names]
        self._time_places = tuple(places)

    def _stamp_names(self, names: Sequence[str], time: str | None) -> tuple[str, ...]:
        """The columns of the time stamp."""
        parts = time_parts(names, self._channels) if self._time is None else ()
        if parts and (len(parts) == 2 or time is None):
            return parts
        return () if time is None else (time,)

    # What a restart needs to read the rest of the same input.

    @property
    def state(self) -> dict[str, Any]:
        """What was found out of the first lines."""
        known = self._before if self._counters else None
        return {
            "form": self._form, "separator": self._separator, "header": self._header, "width": self._width,
            "decimal": self._decimal, "before": [x if math.isfinite(x) else None for x in known or ()],
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what another reader found out.

        Raises:
            ValueError: if the header does not suit, or it is no such state.
        """
        check_reader_state(state, LINE_FORMATS)
        if state["form"] not in (self._form, "auto") and self._form != "auto":
            return  # the user has chosen another format
        self._form, self._separator, self._width = state["form"], state["separator"], state["width"]
        self._decimal = self._decimal or state.get("decimal")
        if state.get("before"):
            self._before = [math.nan if count is None else float(count) for count in state["before"]]
        self._header = state["header"]  # an empty one says that there is none
        if self._header:
            self._take_header(self._header)


def _one(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values
