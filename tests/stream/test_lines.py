"""Lines of text become points, and a bad one says what is wrong with it."""

import contextlib
import json
from typing import Any

import pytest

from twinvae.stream.lines import LineReader
from twinvae.stream.points import Point, UnsuitedHeaderError

NAN: Any = pytest.approx(float("nan"), nan_ok=True)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["[1, 2.5]", " [3, null] "], [Point([1, 2.5], None), Point([3, NAN], None)]),
        (['{"b": 2, "a": 1, "time": "x", "c": "?"}'], [Point([1, 2], "x")]),
        (['{"b": 2, "a": 1}', "", "[NaN, 4]"], [Point([1, 2], None), None, Point([NAN, 4], None)]),
        (["1,2", "3,"], [Point([1, 2], None), Point([3, NAN], None)]),
        (["2026-01-01 00:00;1;2", "x;3;NA"], [Point([1, 2], "2026-01-01 00:00"), Point([3, NAN], "x")]),
        (["\ufeffb\tc\tTime\ta\r\n", "1\tx\t7\t2", "b\tc\tTime\ta"], [None, Point([2, 1], "7"), None]),
        (['"a",b', '"1","2"'], [None, Point([1, 2], None)]),
        (["sep=\t\n", "b\ta", "1\t2"], [None, None, Point([2, 1], None)]),
    ],
)
def test_lines_by_example(lines: list[str], expected: list[Point | None]) -> None:
    reader = LineReader(("a", "b"))
    assert [reader.read(line) for line in lines] == expected


@pytest.mark.parametrize(
    ("options", "line", "expected"),
    [
        ({"columns": ("x", "y")}, '{"y": 2, "x": 1, "a": 5}', Point([1, 2], None)),
        ({"time": "at"}, '{"a": 1, "b": 2, "time": 3, "at": [4]}', Point([1, 2], [4])),
        ({"time": "none"}, '{"a": 1, "b": 2, "time": 3}', Point([1, 2], None)),
        ({}, "2026-01-01,,NaN", Point([NAN, NAN], "2026-01-01")),
        ({}, ";", Point([NAN, NAN], None)),
    ],
)
def test_columns_and_time_are_chosen_by_name(options: dict[str, Any], line: str, expected: Point) -> None:
    assert LineReader(("a", "b"), **options).read(line) == expected


@pytest.mark.parametrize("line", ["7.5", "[7.5]", '{"temperature": 7.5}', '{"value": 7.5, "time": null}'])
def test_one_unnamed_channel_is_the_only_number(line: str) -> None:
    assert LineReader(("0",)).read(line) == Point(7.5, None)


def test_one_unnamed_channel_takes_the_only_column() -> None:
    reader = LineReader(("0",))
    assert [reader.read(line) for line in ("date,temperature", "x,7.5")] == [None, Point(7.5, "x")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1, 2", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a": 1}', "no channel 'b': the line has a"),
        ('[1, "2"]', '"2" is not a number'),
        ("[true, 2]", "true is not a number"),
        ('{"a": 1, "b": 2, "time": NaN}', "the time stamp is not a finite number"),
        ("[[1], 2]", "is not a number"),
        ("[1, 1" + "0" * 400 + "]", "too large"),
        ("[1, 1" + "0" * 9000 + "]", "not JSON"),
        ('1,"' + "2" * 200_000, "cannot be read"),
    ],
)
def test_a_bad_line_says_what_is_wrong_and_the_next_is_read(line: str, message: str) -> None:
    reader = LineReader(("a", "b"))
    with pytest.raises(ValueError, match=message) as raised:
        reader.read(line)
    assert len(str(raised.value)) < 200
    assert reader.read("[1, 2]") == Point([1, 2], None)


def test_bad_rows_of_a_csv() -> None:
    reader = LineReader(("a", "b"))
    reader.read("a,b")
    for row, message in (("1,x", "'x' is not a number"), ("1", "1 cells, the header has 2"), ("1,2,3", "3 cells")):
        with pytest.raises(ValueError, match=message):
            reader.read(row)
    assert reader.read("1,2") == Point([1, 2], None)


def test_rows_without_a_header_have_the_cells_of_the_first() -> None:
    first, second = LineReader(("a", "b")), LineReader(("a", "b"))
    assert first.read("1,2") == Point([1, 2], None)
    second.restore(json.loads(json.dumps(first.state)))
    for reader in (first, second):
        with pytest.raises(ValueError, match="3 cells, the first row has 2"):  # not a time stamp before two channels
            reader.read("1,2,3")
        assert reader.read("3,4") == Point([3, 4], None)


@pytest.mark.parametrize(("header", "message"), [("a,c", "no column 'b'"), ("a,a,b", "a column is there twice")])
def test_a_header_without_the_channels_ends_it(header: str, message: str) -> None:
    with pytest.raises(UnsuitedHeaderError, match=message):
        LineReader(("a", "b")).read(header)


@pytest.mark.parametrize("channels", [("a", "b"), ("0",), ("0", "1")])
@pytest.mark.parametrize("row", ["1,2", "[1, 2]"])
def test_a_bad_first_line_does_not_decide_the_format(channels: tuple[str, ...], row: str) -> None:
    row = row if len(channels) == 2 else row.replace("2", "").replace(",", "").replace(" ", "")
    reader = LineReader(channels)
    if len(channels) == 2:
        with pytest.raises(ValueError, match="neither"):
            reader.read("oops")
    else:
        reader.read("oops")  # may be the name of the column
    assert reader.read(row) == Point([1, 2] if len(channels) == 2 else 1, None)


def test_a_reader_continues_where_another_knew_the_header() -> None:
    first, second = LineReader(("a", "b")), LineReader(("a", "b"))
    first.read("b;time;a")
    second.restore(json.loads(json.dumps(first.state)))
    assert second.read("1;x;2") == first.read("1;x;2") == Point([2, 1], "x")


def test_a_reader_remembers_that_there_is_no_header() -> None:
    first, second = LineReader(("a", "b")), LineReader(("a", "b"))
    first.read("1,2")
    second.restore(json.loads(json.dumps(first.state)))
    for line, message in (("b,a", "'b' is not a number"), ("a,c", "'a' is not a number"), ("a,a,b", "3 cells")):
        with pytest.raises(ValueError, match=message) as raised:  # a bad line, not a header
            second.read(line)
        assert not isinstance(raised.value, UnsuitedHeaderError)
    assert second.read("3,4") == Point([3, 4], None)


@pytest.mark.parametrize(
    "change", [{"form": "xml"}, {"separator": ""}, {"separator": 3}, {"header": "ab"}, {"header": [1]}, {"width": "2"}]
)
def test_a_state_that_no_reader_has_made_is_refused(change: dict[str, Any]) -> None:
    reader = LineReader(("a", "b"))
    with pytest.raises(ValueError, match="makes no sense"):
        reader.restore(LineReader(("a", "b")).state | change)
    assert reader.read("1,2") == Point([1, 2], None)


@pytest.mark.parametrize("line", ["20,5", "-20,5", "0,25"])
def test_a_decimal_comma_is_no_time_stamp(line: str) -> None:
    reader = LineReader(("0",))
    for _ in range(2):
        with pytest.raises(ValueError, match="a decimal comma, or a time stamp and a value"):
            reader.read(line)
    assert LineReader(("0",), time="t").read(line) is not None
    assert reader.read("1700000000,5") == Point(5, "1700000000")
    assert reader.read("20,5") == Point(5, "20")  # as the rows before have it


@pytest.mark.parametrize("line", ["2026-01-01 00:00;20,5", "7;20,5", "x\t20,5\t21,5", "12:00 | 20,5", "20,5;21,5"])
def test_a_decimal_comma_beside_another_separator_is_a_bad_line(line: str) -> None:
    reader = LineReader(("0",))
    for _ in range(2):
        with pytest.raises(ValueError, match="a decimal comma: write a decimal point") as raised:
            reader.read(line)
        assert not isinstance(raised.value, UnsuitedHeaderError)
    assert reader.read("20.5") == Point(20.5, None)


@pytest.mark.parametrize("line", ["1700000000,5", "20,5.0", "20;5", "2026-01-01,5"])
def test_what_can_be_nothing_else_is_a_time_stamp(line: str) -> None:
    assert LineReader(("0",)).read(line) == Point(5, line.replace(";", ",").split(",")[0])


@pytest.mark.parametrize("line", ["[5]", "5", "[1, 2, 3]", "[]"])
def test_a_line_of_too_few_counters_changes_nothing(line: str) -> None:
    reader = LineReader(("difference(a)", "b"))
    reader.read("[3, 1]")
    with contextlib.suppress(ValueError):  # the stream refuses what the reader does not
        assert reader.read(line) != Point([2, 1], None)
    assert reader.read("[7, 1]") == Point([4, 1], None)
