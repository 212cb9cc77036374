"""Files as programs and people write them are read for what they are, and what was decided is said once."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinvae.series.series import Series
from twinvae.tables.table import read_table

CLOCK = [f"2024-03-{1 + hour // 24:02} {hour % 24:02}:00" for hour in range(48)]


def read(folder: Path, text: str, **how: Any) -> tuple[Series, list[str]]:
    """The series, and what was said."""
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        table = read_table(path, **how)
    return table, [str(one.message).removeprefix(f"{path}: ") for one in said]


def rows(*columns: Any, separator: str = ",") -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in zip(*columns, strict=False))


WAVE = [round(math.sin(row / 5) * 10, 3) for row in range(48)]


@pytest.mark.parametrize(
    "word",
    [
        "Null",
        "NULL",
        "#N/A",
        "unavailable",
        "Unknown",
        "-",
        "--",
        "?",
        "NAN",
        "-nan",
        "1.#QNAN",
        "#DIV/0!",
        "<NA>",
        "NaT",
    ],
)
def test_the_usual_words_for_missing_values(tmp_path: Path, word: str) -> None:
    table, said = read(tmp_path, f"time,a,b\n1,2.5,1\n2,{word},1\n3, {word} ,{word}\n4,3.5,2\n")
    assert np.isnan(table.values[1:3, 0]).all()
    assert table.values[[0, 3], 0].tolist() == [2.5, 3.5]
    assert said == []


def test_other_missing_values_are_named(tmp_path: Path) -> None:
    text = "time,a,b\n1,-999,1\n2,5,n.i.B.\n3,-999.0,-9990\n"
    with pytest.raises(ValueError, match=r"row 1, column b: 'n.i.B.' is not a number; .*--missing-values=n.i.B."):
        read(tmp_path, text)
    table, _ = read(tmp_path, text, missing_values=["-999", "N.I.B."])
    assert np.isnan(table.values[:, 0]).tolist() == [True, False, True]
    assert np.isnan(table.values[:, 1]).tolist() == [False, True, False]


def test_missing_values_of_a_parquet_and_a_npy_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({"time": [1, 2, 3], "a": [1.0, -999.0, 3.0], "b": [1, -999, 4]})
    frame.write_parquet(tmp_path / "a.parquet")
    np.save(tmp_path / "a.npy", frame.select("a", "b").to_numpy())
    for name in ("a.parquet", "a.npy"):
        found = read_table(tmp_path / name, missing_values=["-999"]).values
        assert np.isnan(found).tolist() == [[False, False], [True, True], [False, False]]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_decimal_comma_is_read_and_said(tmp_path: Path, separator: str) -> None:
    text = "time,a,b\n1,2%5,7\n2,-3%25,8\n3,1%5e3,9\n".replace(",", separator).replace("%", ",")
    table, said = read(tmp_path, text)
    assert table.values.tolist() == [[2.5, 7], [-3.25, 8], [1500, 9]]
    assert said == ["took the comma as the decimal mark; see --decimal"]
    assert read(tmp_path, text, decimal=",")[1] == []


def test_quoted_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, '"a","b"\n"1.5","2"\n "3.5" ,"4"\n'.replace(' "3.5" ', '"3.5"'))[0].values.tolist() == [
        [1.5, 2],
        [3.5, 4],
    ]
    assert read(tmp_path, 'a,b\n"1,5","2"\n"3,5","4"\n')[0].values.tolist() == [[1.5, 2], [3.5, 4]]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["1,234,567", "2"], "thousands separators"),
        (["1.234,5", "2"], "thousands separators"),
        (["1 234", "2"], "thousands separators"),
        (["1,5", "2.5"], "decimal point, those of a a comma"),
    ],
)
def test_numbers_that_cannot_be_told_are_refused_with_the_reason(tmp_path: Path, cells: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(tmp_path, "t;a\n" + "".join(f"{row};{cell}\n" for row, cell in enumerate(cells)))


def test_a_quoted_comma_that_may_be_between_thousands_is_asked_for(tmp_path: Path) -> None:
    text = 'a,b\n"1,234",2\n"3,500",4\n'
    with pytest.raises(ValueError, match="--decimal ,"):
        read(tmp_path, text)
    assert read(tmp_path, text, decimal=",")[0].values.tolist() == [[1.234, 2], [3.5, 4]]


@pytest.mark.parametrize(
    "before",
    [
        "# station 12\n# exported, 2024, x\n",
        "sep=,\n",
        '"sep=,"\n',
        "Station 12\nexported 2024-05-01\n\n",
        "Station 12,,\nheight: 5,,\n,,\n",
        "#group,false,false\r\n#datatype,double,double\r\n",
        "Station,12,x\nHeight,5,m\n",
    ],
)
def test_lines_before_the_header(tmp_path: Path, before: str) -> None:
    body = "timestamp,a,b\n" + rows(CLOCK, WAVE, WAVE)
    table, said = read(tmp_path, before + body)
    assert table.names == ("a", "b")
    assert len(table) == 48
    line = before.count("\n") + 1
    assert said == [f"took line {line} as the header; see --skip-rows"]
    assert read(tmp_path, before + body, skip_rows=line - 1)[1] == []


def test_a_header_in_a_comment(tmp_path: Path) -> None:
    table, _ = read(tmp_path, "# made by x\n# time,a,b\n1,2,3\n2,3,4\n")
    assert (table.names, len(table)) == (("a", "b"), 2)


def test_a_header_that_is_not_found_is_pointed_at(tmp_path: Path) -> None:
    text = "1,2\n5,6\nx,y\n7,8\n"
    with pytest.raises(
        ValueError, match=r"first line is '1,2': it must name the columns; line 3 seems to.*--skip-rows 2"
    ):
        read(tmp_path, text)
    assert read(tmp_path, text, skip_rows=2)[0].names == ("x", "y")


def test_units_and_headers_again_are_left_out(tmp_path: Path) -> None:
    table, said = read(tmp_path, "time,a,b\n,°C,hPa\n1,2,3\n2,3,4\ntime,a,b\n3,4,6\n")
    assert table.values.tolist() == [[2, 3], [3, 4], [4, 6]]
    assert said == ["left out 1 rows that repeat the header", "left out the row of units below the header"]


def test_separators_at_the_end_of_each_line(tmp_path: Path) -> None:
    assert read(tmp_path, "time;a;;\n1;2;;\n2;4;;\n")[0].names == ("a",)
    assert read(tmp_path, "time;a;\n1;2;\n2;4;\n")[0].names == ("a",)


# Time.


@pytest.mark.parametrize(
    "stamps",
    [
        [f" {stamp}" for stamp in CLOCK],
        [f"{stamp}:00 UTC" for stamp in CLOCK],
        [f"{stamp}:00+0100" for stamp in CLOCK],
        [f"{stamp}:00 +01:00" for stamp in CLOCK],
        [f"03/{1 + h // 24:02}/2024 {h % 12 or 12}:00:00 {'AM' if h % 24 < 12 else 'PM'}" for h in range(48)],
        [f"{1 + h // 24:02}.03.2024 {h % 24:02}.00" for h in range(48)],
        [f"{1 + h // 24:02}-Mar-2024 {h % 24:02}:00" for h in range(48)],
        [f"2024年3月{1 + h // 24}日 {h % 24:02}:00" for h in range(48)],
        [1709251200 + 60 * h for h in range(48)],
    ],
)
@pytest.mark.filterwarnings("ignore:.*may have the day or the month first")
def test_time_stamps_in_many_forms(tmp_path: Path, stamps: list[Any]) -> None:
    table, _ = read(tmp_path, "timestamp,a\n" + rows(stamps, WAVE))
    assert table.names == ("a",)
    assert table.stamp(47).strip() == str(stamps[47]).strip()
    with pytest.raises(ValueError, match="row 2 has an earlier time stamp"):
        read(tmp_path, "timestamp,a\n" + rows([stamps[0], stamps[2], stamps[1], *stamps[3:]], WAVE))


def test_the_month_first_is_tried_on_the_whole_file(tmp_path: Path) -> None:
    stamps = [f"01/{5 + hour // 24:02}/2024 {hour % 24:02}:00" for hour in range(24 * 10)]
    table, said = read(tmp_path, "timestamp,a\n" + rows(stamps, np.sin(np.arange(240))))
    assert (len(table), said) == (240, [])


def test_a_day_that_may_be_a_month_is_said(tmp_path: Path) -> None:
    stamps = [f"01/02/2024 {hour:02}:00" for hour in range(24)]
    _, said = read(tmp_path, "timestamp,a\n" + rows(stamps, WAVE))
    assert len(said) == 1
    assert "may have the day or the month first: read with the day first" in said[0]
    assert read(tmp_path, "timestamp,a\n" + rows(stamps, WAVE), time_format="%m/%d/%Y %H:%M")[1] == []


@pytest.mark.parametrize("name", ["ts", "日時", "時刻", "日付", "Zeit", "fecha", "Time (UTC)", "unix", "_time"])
def test_time_has_many_names(tmp_path: Path, name: str) -> None:
    table, said = read(tmp_path, f"{name},a\n" + rows(CLOCK, WAVE))
    assert (table.names, table.stamp(0), said) == (("a",), CLOCK[0], [])


def test_a_channel_with_a_name_of_time_is_a_channel(tmp_path: Path) -> None:
    assert read(tmp_path, "ts,a\n" + rows(WAVE, WAVE))[0].names == ("ts", "a")


def test_a_day_and_a_clock_are_joined(tmp_path: Path) -> None:
    stamps = [stamp.split() for stamp in CLOCK]
    for day, clock in (("Date", "Time"), ("Datum", "Uhrzeit"), ("日付", "時刻")):
        table, said = read(tmp_path, f"a,{day},{clock}\n" + rows(WAVE, *zip(*stamps, strict=True)))
        assert (table.names, table.stamp(1), said) == (
            ("a",), CLOCK[1], [f"joined {day}, {clock} to time stamps; see --time"],
        )  # fmt: skip


def test_a_calendar_is_joined_or_left_out(tmp_path: Path) -> None:
    parts = [[2024] * 48, [3] * 48, [1 + h // 24 for h in range(48)], [h % 24 for h in range(48)]]
    table, said = read(tmp_path, "year,month,day,hour,a\n" + rows(*parts, WAVE))
    assert (table.names, table.stamp(25)) == (("a",), "2024-03-02 01:00")
    assert said == ["joined year, month, day, hour to time stamps; see --time"]
    table, said = read(tmp_path, "time,month,hour,a\n" + rows(CLOCK, parts[1], parts[3], WAVE))
    assert (table.names, said) == (("a",), ["left out month, hour: numbers of a calendar; see --columns"])


BERLIN = [f"2026-10-25 {h:02}:{m:02}:00" for h in (1, 2, 2, 3) for m in (0, 20, 40)]


def test_an_hour_that_comes_twice(tmp_path: Path) -> None:
    text = "timestamp,a\n" + rows(BERLIN, WAVE)
    with pytest.raises(ValueError, match=r"row 6 has an earlier time stamp.*clocks were set back.*--time-zone"):
        read(tmp_path, text)
    table, _ = read(tmp_path, text, time_zone="Europe/Berlin")
    assert [table.stamp(row)[11:] for row in (5, 6)] == ["02:40:00+02:00", "02:00:00+01:00"]
    with pytest.raises(ValueError, match="'Europa/Berlin' is no time zone"):
        read(tmp_path, text, time_zone="Europa/Berlin")
    with pytest.raises(ValueError, match="never was in Europe/Berlin"):
        read(tmp_path, "time,a\n2026-03-29 01:30,1\n2026-03-29 02:30,2\n", time_zone="Europe/Berlin")


# Columns that are no channels.


@pytest.mark.parametrize("name", ["Unnamed: 0", "index", "id", "anything"])
def test_columns_that_count_rows_are_left_out(tmp_path: Path, name: str) -> None:
    text = f"{name},timestamp,a\n" + rows(range(48), CLOCK, WAVE)
    table, said = read(tmp_path, text)
    assert (table.names, said) == (("a",), [f"left out {name}: numbers of rows; see --columns"])
    assert read(tmp_path, text, columns=[name, "a"])[0].names == (name, "a")


def test_text_is_left_out_but_not_a_column_with_a_bad_cell(tmp_path: Path) -> None:
    table, said = read(tmp_path, "timestamp,host,a\n" + rows(CLOCK, ["h1"] * 48, WAVE))
    assert (table.names, said) == (("a",), ["left out host: text; see --columns"])
    with pytest.raises(ValueError, match=r"row 0, column host: 'h1' is not a number.*--columns"):
        read(tmp_path, "timestamp,host,a\n" + rows(CLOCK, ["h1", *range(47)], WAVE))


@pytest.mark.parametrize("name", ["attack", "anomaly_label", "is_attack", "fault", "Normal/Attack"])
def test_labels_have_many_names(tmp_path: Path, name: str) -> None:
    table, _ = read(tmp_path, f"timestamp,a,{name}\n" + rows(CLOCK, WAVE, [0] * 40 + [1] * 8))
    assert table.names == ("a",)
    assert table.labels is not None
    assert table.labels.sum() == 8


def test_labels_may_be_words(tmp_path: Path) -> None:
    table, _ = read(tmp_path, "timestamp,a,Normal/Attack\n" + rows(CLOCK, WAVE, ["Normal"] * 40 + ["Attack"] * 8))
    assert table.labels is not None
    assert (table.names, table.labels.sum()) == (("a",), 8)


def test_a_file_of_cells_that_are_no_numbers_names_the_cell(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"row 0, column a: '0.0%' is not a number"):
        read(tmp_path, "timestamp,a\n" + rows(CLOCK, [f"{value}%" for value in WAVE]))


def test_time_stamps_of_an_unknown_format_are_passed_on_as_text_and_said(tmp_path: Path) -> None:
    table, said = read(tmp_path, "Zeit,a\n" + rows([f"day {row}" for row in range(48)], WAVE))
    assert (table.names, table.stamp(3), len(said)) == (("a",), "day 3", 1)
    assert "--time-format" in said[0]


def counts(bits: int, before: int = 20) -> list[int]:
    """A counter that rises by 100 + row, and wraps after some rows."""
    start = 2**bits - sum(100 + row for row in range(1, before))
    return [(start + sum(100 + row for row in range(1, at + 1))) % 2**bits for at in range(48)]


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_the_differences_of_a_counter_pass_a_wrap(tmp_path: Path, bits: int) -> None:
    text = "timestamp,bytes,a\n" + rows(CLOCK, counts(bits), WAVE)
    _, said = read(tmp_path, text)
    assert len(said) == 1
    assert said[0].startswith("bytes only rises: ")
    assert "--difference bytes" in said[0]
    table, said = read(tmp_path, text, difference=["bytes"])
    assert (table.names, said) == (("difference(bytes)", "a"), [])
    assert math.isnan(table.values[0, 0])
    np.testing.assert_allclose(table.values[1:, 0], [100 + row for row in range(1, 48)], atol=5000 if bits == 64 else 0)
    again, _ = read(tmp_path, text, columns=["a", "difference(bytes)"])  # as a model names its channels
    np.testing.assert_array_equal(again.values[:, 1], table.values[:, 0])


def test_a_counter_that_is_set_back_is_missing_once(tmp_path: Path) -> None:
    table, _ = read(tmp_path, "time,n\n1,100\n2,150\n3,20\n4,70\n", difference=["n"])
    np.testing.assert_array_equal(table.values[:, 0], [math.nan, 50, math.nan, 50])


# What is found out may be overruled.


def test_the_separator_may_be_said(tmp_path: Path) -> None:
    text = "time:a,x:b\n1:2,5:3\n2:3,5:4\n"
    assert read(tmp_path, text, separator=":", decimal=",")[0].values.tolist() == [[2.5, 3], [3.5, 4]]
    assert read(tmp_path, "title: x\n" + text, separator=":", skip_rows=1, decimal=",")[0].names == ("a,x", "b")
    with pytest.raises(ValueError, match="the separator must be one character"):
        read(tmp_path, text, separator="::")


def test_a_file_without_a_header_is_read_with_names(tmp_path: Path) -> None:
    text = "1,2,3\n2,3,4\n3,4,5\n"
    with pytest.raises(ValueError, match=r"must name the columns; .*--header TIME,A,B"):
        read(tmp_path, text)
    table, said = read(tmp_path, text, header=["time", "a", "b"])
    assert (table.names, len(table), table.stamp(0), said) == (("a", "b"), 3, "1", [])
    assert read(tmp_path, "x\n" + text, header=["time", "a", "b"], skip_rows=1)[0].values[0].tolist() == [2, 3]
    with pytest.raises(ValueError, match="2 names are given for 3 columns"):
        read(tmp_path, text, header=["time", "a"])


def test_a_row_of_words_for_missing_values_is_no_row_of_units(tmp_path: Path) -> None:
    table, said = read(tmp_path, "a,b\nn.i.B.,n.i.B.\n1,2\n2,3\n", missing_values=["n.i.B."])
    assert (len(table), said) == (3, [])


def test_who_has_chosen_the_columns_is_not_told_to(tmp_path: Path) -> None:
    text = "time,a\n1,2\n2,x\n3,5\n"
    with pytest.raises(ValueError, match="choose the numeric columns"):
        read(tmp_path, text)
    with pytest.raises(ValueError, match="--missing-values=x") as caught:
        read(tmp_path, text, columns=["a"])
    assert "choose" not in str(caught.value)
