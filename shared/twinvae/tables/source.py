"""Where a series was read from and how, as JSON keeps it: so that it can be read again, and no other in its place."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinvae.files.checksum import file_checksum
from twinvae.process.notices import shortened
from twinvae.series.series import Series, are_numbers
from twinvae.series.spans import moments
from twinvae.tables.dialect import check_separator
from twinvae.tables.table import read_table

GIVE = "give the file that was scored (--series FILE), or score this one (twinvae detect)"


@dataclass(frozen=True)
class Source:
    """Where a series lay when it was scored, and how it was read."""

    name: str
    file: Path | None  # None: it came from no file
    sha256: str | None  # of that file
    rows: int
    reading: Mapping[str, Any]  # keyword arguments of `read_table`
    train_rows: int  # the first rows that were fitted on; 0 if a search or another series was
    ignore: tuple[tuple[Any, Any], ...]  # spans of time, or of rows, that have no event

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Source":
        """The source that a record in a file describes.

        Raises:
            ValueError: if a part is damaged.
        """
        file = given(record, "file", text)
        rows, train_rows = (
            _whole(record.get(key), f"series.{key}", least) for key, least in (("rows", 1), ("train_rows", 0))
        )
        return cls(
            part(record, "name", str, "series"), None if file is None else Path(file), given(record, "sha256", _sum),
            rows, given(record, "reading", _reading) or {}, train_rows, given(record, "ignore", _spans) or (),
        )  # fmt: skip

    def place(self, file: Path | None = None) -> Path:
        """The file to read: the one given, else where the series lay; held to its checksum.

        Raises:
            ValueError: if it is not there, or another file.
            OSError: if it cannot be read.
        """
        place = file or self.file
        if place is None:
            raise ValueError(f"{self.name}: it is not known in which file the series is: give it with --series FILE")
        if not place.is_file():
            raise ValueError(f"{place}: the series is not there: give the place where it is now (--series FILE)")
        if self.sha256 is not None and file_checksum(place) != self.sha256:
            raise ValueError(f"{place}: is not the file that was scored, it has another SHA-256: {GIVE}")
        return place

    def read(self, channels: tuple[str, ...], file: Path | None = None) -> Series:
        """The series again. `channels` are those of the model: the columns, where none were named.

        Raises:
            ValueError: if it is not there, or another one.
            OSError: if it cannot be read.
        """
        place, reading = self.place(file), dict(self.reading)
        if "columns" not in reading and not are_numbers(channels) and place.suffix.lower() != ".npy":
            reading["columns"] = channels
        series = read_table(place, **reading)
        if len(series) != self.rows:
            raise ValueError(f"{place}: has {len(series)} rows, the series that was scored has {self.rows}: {GIVE}")
        return series


def part(content: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    """What is there by this name, which must be of this kind; else a ValueError."""
    words: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
    if not isinstance(content.get(name), kind):
        raise ValueError(f"{where} has no {name}, or one that is not {words[kind]}")
    return content[name]


def given(content: Mapping[str, Any], name: str, check: Callable[[Any, str], Any]) -> Any:
    """What is there, and not null, and passes a check; else None."""
    value = content.get(name)
    return None if value is None else check(value, name)


def text(value: Any, name: str) -> str:
    """The value, which must be a text, and not an empty one; else a ValueError."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {shortened(json.dumps(value))}, not a text")
    return value


def _sum(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise ValueError(f"{name} is {shortened(json.dumps(value))}, not 64 hexadecimal digits")
    return value


def _names(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{name} is {shortened(json.dumps(value))}, not a list of texts")
    return tuple(value)


def _spans(value: Any, name: str) -> tuple[tuple[Any, Any], ...]:
    if not isinstance(value, list) or not all(isinstance(one, list) and len(one) == 2 for one in value):
        raise ValueError(f"series.{name} is {shortened(json.dumps(value))}, not a list of spans [start, end]")
    return moments(value)


def _whole(value: Any, name: str, least: int = 0) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{name} is {shortened(json.dumps(value))}, not a whole number of at least {least}")
    return value


def _mark_of_decimals(value: Any, name: str) -> str:
    if value not in (".", ","):
        raise ValueError(f"{name} is {shortened(json.dumps(value))}, neither . nor ,")
    return str(value)


def _separator(value: Any, name: str) -> str:
    check_separator(text(value, name))
    return str(value)


# The keyword arguments of `read_table` that a record may hold.
READING: Mapping[str, Callable[[Any, str], Any]] = {
    "columns": _names, "time": text, "labels": text, "missing_values": _names, "decimal": _mark_of_decimals,
    "skip_rows": _whole, "time_format": text, "time_zone": text, "difference": _names, "separator": _separator,
    "header": _names,
}  # fmt: skip


def _reading(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"series.{name} is not an object")
    if unknown := value.keys() - READING.keys():
        raise ValueError(f"series.{name} has {shortened(min(unknown))}, which is no way to read a file")
    return {key: READING[key](one, f"series.{name}.{key}") for key, one in value.items() if one is not None}
