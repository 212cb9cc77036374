"""labels.json: what somebody has marked in the report of a detection, and in which series."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinvae.detector.marks import MarkedSpan, check_within, marked_spans
from twinvae.files.checksum import file_checksum
from twinvae.process.notices import one_line, shortened
from twinvae.series.series import Series, are_numbers
from twinvae.series.spans import moments
from twinvae.tables.dialect import check_separator
from twinvae.tables.table import read_table

FORMAT = "twinvae labels"
VERSION = 1
ANEW = "save the labels again from the report"
GIVE = "give the file that was marked (--series FILE), or mark it anew (twinvae detect)"


@dataclass(frozen=True)
class Labels:
    """What a file of labels says; `series` reads the series that it is of."""

    path: Path
    name: str  # of the series
    file: Path | None  # where the series lay
    sha256: str | None  # of that file
    rows: int
    reading: Mapping[str, Any]  # how it was read: keyword arguments of `read_table`
    train_rows: int  # the first rows that were fitted on; 0 if a search or another series was
    marks: tuple[MarkedSpan, ...]
    stamps: tuple[tuple[MarkedSpan, str | None, str | None], ...]  # of the first and the last row of each mark
    ignore: tuple[tuple[Any, Any], ...]  # spans of time, or of rows, that have no event

    def series(self, file: Path | None, channels: tuple[str, ...]) -> Series:
        """The series, from its own place or from another file, held to what was marked.

        `channels` are those of the model: the columns, where the labels name none.

        Raises:
            ValueError: if it is not there, or not the series that was marked.
            OSError: if it cannot be read.
        """
        place = file or self.file
        if place is None:
            raise ValueError(f"{self.path}: names no file of the series: give it with --series FILE")
        if file is None and not place.is_file():
            raise ValueError(f"{self.path}: the series {place} is not there: give the place where it is now (--series)")
        if self.sha256 is not None and file_checksum(place) != self.sha256:
            raise ValueError(f"{place}: is not the file that was marked, it has another SHA-256: {GIVE}")
        reading = dict(self.reading)
        if "columns" not in reading and not are_numbers(channels) and place.suffix.lower() != ".npy":
            reading["columns"] = channels
        series = read_table(place, **reading)
        if len(series) != self.rows:
            raise ValueError(f"{place}: has {len(series)} rows, the series that was marked has {self.rows}: {GIVE}")
        check_within(self.marks, series)
        for mark, *texts in self.stamps:
            for row, text, what in zip((mark.start, mark.end - 1), texts, ("begins", "ends"), strict=True):
                if text is not None and text != series.stamp(row):
                    raise ValueError(
                        f"{self.path}: the mark {mark.mark} of rows [{mark.start}, {mark.end}) {what} at "
                        f"{shortened(text)}, where {place} has {series.stamp(row)}: {GIVE}"
                    )
        return series


def read_labels(path: Path) -> Labels:
    """Reads a file of labels and checks all of it.

    Raises:
        ValueError: if it is none, or a part is damaged; it names the file, and the mark by its place, from 0.
        OSError: if it cannot be read.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = shortened(one_line(error), 100)
        raise ValueError(f"{path}: not a whole file of labels, it is no JSON ({reason}): {ANEW}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path}: not a file of labels: save one from the report of twinvae detect (report.html)")
    if (version := content.get("version")) != VERSION or type(version) is not int:
        there = f"labels of version {shortened(version)}, this release reads version {VERSION}"
        raise ValueError(f"{path}: {there}: mark the series in a report of this release")
    try:
        return _labels(path, content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}: {ANEW}") from None


def _labels(path: Path, content: Mapping[str, Any]) -> Labels:
    series, marks = _part(content, "series", dict, "the file"), _part(content, "marks", list, "the file")
    name = _part(series, "name", str, "series")
    file, sha256 = _given(series, "file", _text), _given(series, "sha256", _sum)
    rows, train_rows = (
        _whole(series.get(key), f"series.{key}", least) for key, least in (("rows", 1), ("train_rows", 0))
    )
    reading, ignore = _given(series, "reading", _reading) or {}, _given(series, "ignore", _spans) or ()
    for number, mark in enumerate(marks):
        if not isinstance(mark, dict) or not {"mark", "start", "end"} <= mark.keys():
            raise ValueError(f"mark {number} has no mark, start and end: {shortened(json.dumps(mark))}")
    spans = [(mark["mark"], mark["start"], mark["end"]) for mark in marks]
    known = marked_spans(spans)
    stamps = [
        (MarkedSpan(*span), *(_given(mark, key, _text) for key in ("start_time", "last_time")))
        for mark, span in zip(marks, spans, strict=True)
    ]
    place = None if file is None else Path(file)
    return Labels(path, name, place, sha256, rows, reading, train_rows, known, tuple(stamps), ignore)


def _part(content: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    words = {dict: "an object", list: "a list", str: "a text"}
    if not isinstance(content.get(name), kind):
        raise ValueError(f"{where} has no {name}, or one that is not {words[kind]}")
    return content[name]


def _given(content: Mapping[str, Any], name: str, check: Callable[[Any, str], Any]) -> Any:
    """What is there, and not null, and passes a check; else None."""
    value = content.get(name)
    return None if value is None else check(value, name)


def _text(value: Any, name: str) -> str:
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
    check_separator(_text(value, name))
    return str(value)


# The keyword arguments of `read_table` that a file of labels may hold.
READING: Mapping[str, Callable[[Any, str], Any]] = {
    "columns": _names, "time": _text, "labels": _text, "missing_values": _names, "decimal": _mark_of_decimals,
    "skip_rows": _whole, "time_format": _text, "time_zone": _text, "difference": _names, "separator": _separator,
    "header": _names,
}  # fmt: skip


def _reading(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"series.{name} is not an object")
    if unknown := value.keys() - READING.keys():
        raise ValueError(f"series.{name} has {shortened(min(unknown))}, which is no way to read a file")
    return {key: READING[key](one, f"series.{name}.{key}") for key, one in value.items() if one is not None}
