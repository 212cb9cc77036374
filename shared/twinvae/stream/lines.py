"""Lines of text -> points of a stream: JSON lines, or CSV with or without a header."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from twinvae.process.notices import shortened
from twinvae.series.series import are_numbers
from twinvae.tables.dialect import (
    MISSING_CELLS,
    NO_TIME,
    TIME_NAMES,
    cells_of,
    is_header,
    is_number_or_missing,
    number_of,
    separator_of,
    time_column,
)

LineFormat = Literal["auto", "jsonl", "csv"]
LINE_FORMATS: tuple[LineFormat, ...] = get_args(LineFormat)


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
    passed on as it stands. A value is missing where JSON has null or NaN, or a cell is empty or says so (NaN, NA ...).
    """

    def __init__(
        self,
        channels: Sequence[str],
        *,
        form: LineFormat = "auto",
        columns: Sequence[str] | None = None,
        time: str | None = None,
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
        self._time_place: int | None = None
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
        form = ("jsonl" if text[0] in "[{" else "csv") if self._form == "auto" else self._form
        point = self._json(text) if form == "jsonl" else self._row(text)
        if point is not None:
            self._form = form
        return point

    # JSON lines.

    def _json(self, text: str) -> Point:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            raise ValueError(f"not JSON ({reason}): {shortened(text)}") from None
        if isinstance(value, dict):
            return self._object(value)
        return Point(_one([_number(item) for item in value]) if isinstance(value, list) else _number(value), None)

    def _object(self, value: dict[str, Any]) -> Point:
        time = self._time_name(tuple(value))
        names = self._channels
        if not self._named and len(names) == 1:  # the only other key is the channel, whatever its name
            names = tuple(key for key in value if key != time)[:2]
            if len(names) != 1:
                raise ValueError(f"{len(names) or 'no'} values beside the time stamp: choose one with --columns")
        for name in names:
            if name not in value:
                raise ValueError(f"no channel {name!r}: the line has {shortened(', '.join(value))}; see --columns")
        return Point(_one([_number(value[name]) for name in names]), None if time is None else _stamp(value[time]))

    def _time_name(self, names: Sequence[str]) -> str | None:
        """Which of the names is the time stamp."""
        name = time_column(names, self._time, self._channels)
        return name if name in names else None

    # CSV.

    def _row(self, text: str) -> Point | None:
        separator = self._separator or separator_of(text)
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
            self._width = len(cells) if extra == has_time else None
            return Point(_one([number_of(cell) for cell in cells[has_time:]]), cells[0] if has_time else None)
        if len(cells) != len(self._header):
            raise ValueError(f"{len(cells)} cells, the header has {len(self._header)}: {shortened(text)}")
        time = None if self._time_place is None else cells[self._time_place]
        return Point(_one([number_of(cells[place]) for place in self._places]), time)

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
        empty = extra in (0, 1) and all(cell in MISSING_CELLS for cell in cells[extra:])
        return empty or any(is_number_or_missing(cell) and cell not in MISSING_CELLS for cell in cells)

    def _take_header(self, cells: list[str]) -> None:
        if len(set(cells)) != len(cells):
            raise UnsuitedHeaderError(f"a column is there twice in the header {shortened(', '.join(cells))}")
        time = self._time_name(cells)
        by_name = self._named or set(self._channels) <= set(cells)
        names = self._channels if by_name else [cell for cell in cells if cell != time]
        absent = [name for name in names if name not in cells]
        if absent or len(names) != len(self._channels):
            what = f"no column {absent[0]!r}" if absent else f"{len(names)} columns, not {len(self._channels)}"
            raise UnsuitedHeaderError(
                f"{what}: the first line is {shortened(', '.join(cells))!r}; name the columns with --columns, or say "
                "that these are JSON lines with --format jsonl"
            )
        self._header, self._places = cells, [cells.index(name) for name in names]
        self._time_place = None if time is None else cells.index(time)

    # What a restart needs to read the rest of the same input.

    @property
    def state(self) -> dict[str, Any]:
        """What was found out of the first lines."""
        return {"form": self._form, "separator": self._separator, "header": self._header, "width": self._width}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what another reader found out.

        Raises:
            ValueError: if the header does not suit.
        """
        if state["form"] not in (self._form, "auto") and self._form != "auto":
            return  # the user has chosen another format
        self._form, self._separator, self._width = state["form"], state["separator"], state["width"]
        if state["header"]:
            self._take_header(list(state["header"]))


def _one(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if value is None:
        return math.nan
    if type(value) is not int:
        raise ValueError(f"{shortened(json.dumps(value))} is not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number is too large") from None


def _stamp(value: Any) -> Any:
    if type(value) not in (str, int):
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            raise ValueError("the time stamp is not a finite number") from None
    return value
