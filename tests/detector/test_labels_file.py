"""labels.json: every kind of damage is one line that names the file, and the series is the one that was marked."""

import inspect
import json
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from twinvae.detector.labels_file import READING, Labels, read_labels
from twinvae.files.checksum import file_checksum
from twinvae.tables.table import read_table

ROWS = 40
STAMPS = [f"01.02.2026 {row // 6:02}:{row % 6}0" for row in range(ROWS)]


@pytest.fixture
def series(tmp_path: Path) -> Path:
    path = tmp_path / "machine.csv"
    lines = [f"{stamp};{row % 7},5;-999\n" for row, stamp in enumerate(STAMPS)]
    path.write_text("zeit;a;b\n" + "".join(lines))
    return path


@pytest.fixture
def content(series: Path) -> dict[str, Any]:
    """What a report saves."""
    return {
        "format": "twinvae labels",
        "version": 1,
        "series": {
            "name": "machine.csv",
            "file": str(series),
            "sha256": file_checksum(series),
            "rows": ROWS,
            "reading": {"columns": ["a"], "time": "zeit", "labels": None, "decimal": ",", "missing_values": ["-999"]},
            "train_rows": 20,
            "ignore": [["2026-02-01T02:00:00", "2026-02-01T03:00:00"]],
        },
        "marks": [
            {"mark": "real", "start": 30, "end": 33, "start_time": STAMPS[30], "last_time": STAMPS[32]},
            {"mark": "expected", "start": 3, "end": 7, "start_time": None},
        ],
    }


def written(content: Any, folder: Path) -> Labels:
    path = folder / "labels.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_labels(path)


def test_it_says_what_was_marked_and_gives_the_series_as_it_was_read(content: Any, tmp_path: Path) -> None:
    labels = written(content, tmp_path)
    assert labels.ignore == ((datetime(2026, 2, 1, 2), datetime(2026, 2, 1, 3)),)
    assert labels.marks == (("expected", 3, 7), ("real", 30, 33))
    assert (labels.name, labels.rows, labels.train_rows) == ("machine.csv", ROWS, 20)
    found = labels.series(None, ("a",))
    assert found.names == ("a",)
    assert found.stamp(30) == STAMPS[30]
    assert found.values[8, 0] == 1.5


def test_a_series_that_was_moved_is_named_anew(content: Any, series: Path, tmp_path: Path) -> None:
    moved = series.rename(tmp_path / "elsewhere.csv")
    labels = written(content, tmp_path)
    with pytest.raises(ValueError, match=r"labels\.json: the series .*machine\.csv is not there: .*--series"):
        labels.series(None, ("a",))
    assert len(labels.series(moved, ("a",))) == ROWS


def test_without_a_file_or_columns_the_user_and_the_model_say_them(content: Any, series: Path, tmp_path: Path) -> None:
    content["series"] |= {"file": None, "sha256": None}
    content["series"]["reading"]["columns"] = None
    labels = written(content, tmp_path)
    with pytest.raises(ValueError, match="names no file of the series: give it with --series"):
        labels.series(None, ("a",))
    assert labels.series(series, ("a",)).names == ("a",)


@pytest.mark.parametrize("keeps", ["sum", "rows", "stamps", "marks"])
def test_another_series_is_refused(keeps: str, content: Any, series: Path, tmp_path: Path) -> None:
    lines = series.read_text().splitlines(keepends=True)
    changed = {
        "sum": [*lines, lines[-1]],
        "rows": lines[:-1],
        "stamps": [lines[0], *(line.replace("01.02.2026", "02.02.2026") for line in lines[1:])],
        "marks": lines[:-10],
    }[keeps]
    series.write_text("".join(changed))
    if keeps != "sum":
        content["series"]["sha256"] = None
    if keeps == "marks":
        content["series"]["rows"] = len(changed) - 1
    words = {
        "sum": "not the file that was marked, it has another SHA-256: .*twinvae detect",
        "rows": f"has {ROWS - 1} rows, the series that was marked has {ROWS}",
        "stamps": r"the mark real of rows \[30, 33\) begins at 01.02.2026 05:00, where .* has 02.02.2026 05:00",
        "marks": "the mark real of rows .* lies outside the series, which has 30 rows",
    }[keeps]
    with pytest.raises(ValueError, match=words):
        written(content, tmp_path).series(None, ("a",))


DAMAGED: list[tuple[tuple[str | int, ...], Any, str]] = [  # the place, what stands there (None: nothing), the words
    (("format",), None, "not a file of labels"),
    (("format",), "twinvae", "not a file of labels"),
    (("version",), 2, "labels of version 2, this release reads version 1"),
    (("version",), True, "labels of version True"),
    (("series",), None, "the file has no series"),
    (("series",), [], "the file has no series, or one that is not an object"),
    (("series", "name"), 3, "series has no name, or one that is not a text"),
    (("series", "file"), 3, "file is 3, not a text"),
    (("series", "file"), "", "not a text"),
    (("series", "sha256"), "abc", "sha256 is \"abc\", not 64 hexadecimal digits"),
    (("series", "rows"), None, "series.rows is null, not a whole number of at least 1"),
    (("series", "rows"), 0, "at least 1"),
    (("series", "rows"), 40.0, "not a whole number"),
    (("series", "train_rows"), True, "series.train_rows is true, not a whole number"),
    (("series", "reading"), ["a"], "series.reading is not an object"),
    (("series", "reading", "columns"), "a", "series.reading.columns is \"a\", not a list of texts"),
    (("series", "reading", "columns"), [1], "not a list of texts"),
    (("series", "reading", "decimal"), "x", "series.reading.decimal is \"x\", neither . nor ,"),
    (("series", "reading", "skip_rows"), -1, "series.reading.skip_rows is -1"),
    (("series", "reading", "separator"), ";;", "the separator must be one character"),
    (("series", "reading", "shell"), "x", "series.reading has shell, which is no way to read a file"),
    (("series", "ignore"), [["2026-02-01"]], "series.ignore is [["),
    (("series", "ignore"), [["soon", "2026-02-01"]], "'soon' is neither a number nor a time stamp"),
    (("marks",), None, "the file has no marks, or one that is not a list"),
    (("marks",), {}, "the file has no marks"),
    (("marks",), [], "nothing is marked"),
    (("marks", 1), 7, "mark 1 has no mark, start and end: 7"),
    (("marks", 1, "mark"), None, "mark 1 has no mark, start and end"),
    (("marks", 1, "mark"), "good", "mark 1 is 'good': choose from real, expected, missed"),
    (("marks", 1, "mark"), ["real"], "mark 1 is"),
    (("marks", 1, "start"), "3", "mark 1 (expected) is of rows [3, 7): these must be whole numbers"),
    (("marks", 1, "start"), 7, "mark 1 (expected) is of rows [7, 7)"),
    (("marks", 1, "start"), -1, "mark 1 (expected)"),
    (("marks", 1, "end"), 1e400, "mark 1 (expected)"),
    (("marks", 1, "end"), 10**30, "mark 1 (expected)"),
    (("marks", 1, "end"), 31, "marks 0 and 1 contradict each other: rows [30, 31) are real and expected"),
    (("marks", 0, "start_time"), 30, "start_time is 30, not a text"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "words"), DAMAGED)
def test_damage_is_one_line(place: tuple[str | int, ...], value: Any, words: str, content: Any, tmp_path: Path) -> None:
    damaged = deepcopy(content)
    part: Any = damaged
    for step in place[:-1]:
        part = part[step]
    if value is None:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    with pytest.raises(ValueError, match=r"labels\.json: ") as refused:
        written(damaged, tmp_path)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[1, 2", '{"format": "twinvae lab', "[" * 100_000, "\x00", "9" * 5000])
def test_what_is_no_json_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"labels\.json: not a whole file of labels, it is no JSON .*save the labels"):
        written(text, tmp_path)


def test_bytes_that_are_no_text_and_no_file_at_all(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(b"\xff\xfe{\x00}\x00")
    with pytest.raises(ValueError, match="it is no JSON"):
        read_labels(path)
    with pytest.raises(FileNotFoundError):
        read_labels(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["[]", "null", "3", "{}"])
def test_json_of_something_else_is_no_file_of_labels(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not a file of labels: .*report"):
        written(text, tmp_path)


def test_a_mark_of_an_editor_at_the_begin_is_left_out(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(content).encode())
    assert len(read_labels(path).marks) == 2


def test_every_way_to_read_a_file_may_stand_in_it() -> None:
    assert READING.keys() == inspect.signature(read_table).parameters.keys() - {"path", "in_order"}
