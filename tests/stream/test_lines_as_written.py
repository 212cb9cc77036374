"""Lines as programs write them: units and titles around the header, separators, local times."""

from typing import Any

import pytest

from twinvae.stream.lines import LineReader
from twinvae.stream.local_times import LocalTimes

AUTUMN = [
    "2026-10-25 01:30:00",
    "2026-10-25 02:00:00",
    "2026-10-25 02:30:00",
    "2026-10-25 02:00:00",
    "2026-10-25 03:00:00",
]
OFFSETS = ["+02:00", "+02:00", "+02:00", "+01:00", "+01:00"]


def points(lines: list[str], channels: tuple[str, ...] = ("a", "b"), **how: Any) -> list[Any]:
    reader = LineReader(channels, **how)
    return [point.values for line in lines if (point := reader.read(line)) is not None]


def test_a_row_of_units_below_the_header_is_left_out_and_said() -> None:
    with pytest.warns(UserWarning, match="left out the row of units below the header"):
        assert points(["time,a,b", "s,degC,bar", "1,2,3", "2,3,4"]) == [[2, 3], [3, 4]]


@pytest.mark.parametrize("row", ["1,degC,3", "1,ERR,ERR", "NA,NA,NA", "x,5,6", "t0,,"])
def test_a_row_with_a_number_or_without_words_is_none_of_units(row: str) -> None:
    reader = LineReader(("a", "b"))
    reader.read("time,a,b")
    try:
        assert reader.read(row) is not None
    except ValueError as error:
        assert "is not a number" in str(error)  # noqa: PT017
    with pytest.raises(ValueError, match="'degC' is not a number"):  # nor is one that comes later
        reader.read("s,degC,bar")


def test_lines_before_the_header_are_skipped() -> None:
    lines = ["Station 12,x,y", "", "time,a,b", "1,2,3"]
    assert points(lines, skip_rows=2) == [[2, 3]]
    with pytest.raises(ValueError, match="--skip-rows"):
        points(lines)


def test_a_restart_does_not_skip_again() -> None:
    first, second = (LineReader(("a", "b"), skip_rows=1, time_zone="Europe/Berlin") for _ in range(2))
    for line in ("title", "time,a,b", *(f"{time},1,2" for time in AUTUMN[:3])):
        first.read(line)
    second.restore(first.state)
    point = second.read(f"{AUTUMN[3]},3,4")
    assert point is not None
    assert (point.values, point.time) == ([3, 4], f"{AUTUMN[3]}+01:00")


@pytest.mark.parametrize(
    ("separator", "header"), [("|", "a|b"), (":", "a:b"), (" ", "a b"), (";", "a,x;b"), ("~", "a~b")]
)
def test_the_separator_may_be_said(separator: str, header: str) -> None:
    channels = tuple(header.split(separator))
    assert points([header, f"1.5{separator}2"], channels, separator=separator) == [[1.5, 2]]


@pytest.mark.parametrize("separator", ["", ";;", '"', "\n", "ä", "."])
def test_what_cannot_separate_is_refused(separator: str) -> None:
    with pytest.raises(ValueError, match="the separator must be one character"):
        LineReader(("a",), separator=separator)


def test_local_times_get_the_offset_of_their_zone() -> None:
    zone = LocalTimes("Europe/Berlin")
    assert [zone.stamp(time) for time in AUTUMN] == [
        time + offset for time, offset in zip(AUTUMN, OFFSETS, strict=True)
    ]
    for time in (5, 1.7e9, "1700000000", "2026-10-25T02:00:00Z", "2026-10-25 02:00:00+05:00"):
        assert zone.stamp(time) == time


@pytest.mark.parametrize(
    ("time", "message"), [("2026-03-29 02:30", "never was in Europe/Berlin"), ("31.01.2026 5:00", "see --time-zone")]
)
def test_local_times_that_cannot_be_placed_are_bad_lines(time: str, message: str) -> None:
    reader = LineReader(("a",), time_zone="Europe/Berlin")
    reader.read("time,a")
    with pytest.raises(ValueError, match=message):
        reader.read(f"{time},1")


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        LineReader(("a",), time_zone="Mars/Base")
