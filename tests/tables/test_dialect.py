"""A CSV is the same series, whether it is read as a whole or line by line."""

import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.watching import watch
from tests.stream.test_stream import model
from twinvae.files.atomic import write_bytes
from twinvae.model import file as model_file
from twinvae.stream.lines import LineReader
from twinvae.stream.points import Point
from twinvae.tables.dialect import SEPARATORS, cells_of, is_header, number_of, separator_of
from twinvae.tables.table import read_table

NAMES = ("a", "b 2", "0", "x;y", "p|q", "m, n", "flow\tout", 'in "bar"', "Ünit")
CELLS = ("1", "-2.5", " 3 ", "+4", "5e-3", "inf", ".5", "6.", "", "NaN", "nan", "NA", "N/A", "null", "NULL", "None")
WORDS = ("Null", "#N/A", "unavailable", "-", "?", "NAN", "-nan", "n.i.B.", "-999", "-999.0")
MISSING = ("-999", "N.I.B.")


def rows_of_file(text: str) -> tuple[tuple[str, ...], list[list[str]], list[str]]:
    """Names, values and time stamps, as text so that NaN equals NaN."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        path.write_bytes(text.encode())
        table = read_table(path, missing_values=MISSING)
        stamps = [] if table.index is None else [table.stamp(row).strip() for row in range(len(table))]
        return table.names, [list(map(str, row)) for row in table.values.tolist()], stamps


def rows_of_lines(text: str, names: tuple[str, ...]) -> tuple[list[list[str]], list[str]]:
    reader = LineReader(names, missing_values=MISSING)
    found = [point for line in text.splitlines(keepends=True) if (point := reader.read(line)) is not None]
    values = [point.values if isinstance(point.values, list) else [point.values] for point in found]
    return [list(map(str, map(float, row))) for row in values], [p.time for p in found if p.time is not None]


@st.composite
def files(draw: st.DrawFn) -> str:
    """A CSV with a header, of two columns and three rows at least, in any of the ways that people write one."""
    separator = draw(st.sampled_from(SEPARATORS))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True))
    timed = draw(st.sampled_from([None, "time", "Date", "TIMESTAMP"]))

    def written(cell: str) -> str:
        must = '"' in cell or any(other in cell for other in SEPARATORS)
        if must or draw(st.booleans()):
            before = "" if must else draw(st.sampled_from(["", " "]))
            return before + '"' + cell.replace('"', '""') + '"'  # a space after a quote polars refuses, in one line
        return draw(st.sampled_from(["", " "])) + cell + draw(st.sampled_from(["", " "]))

    table = [names] + [
        draw(st.lists(st.sampled_from(CELLS + WORDS), min_size=len(names), max_size=len(names))) for _ in range(3)
    ]
    table[-1][0] = "7"  # empty rows at the end do not count
    if timed:
        table = [[stamp, *row] for stamp, row in zip([timed, "8", "9", "10"], table, strict=True)]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return mark + "".join(separator.join(map(written, row)) + end for row in table)


@settings(max_examples=50, deadline=None)
@given(files())
def test_a_file_and_its_lines_are_the_same_series(text: str) -> None:
    names, values, stamps = rows_of_file(text)
    assert rows_of_lines(text, names) == (values, stamps)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["20,5", "-0,25", "7", "1,125", "NaN", "-", "3e5", "1,5e-3"]), min_size=2, max_size=9))
@pytest.mark.filterwarnings("ignore:.*took the comma as the decimal mark")
def test_a_decimal_comma_is_the_same_in_a_file_and_in_its_lines(cells: list[str]) -> None:
    text = "a;b\n" + "".join(f"{cell};{row}\n" for row, cell in enumerate([*cells, "0,5"]))
    names, values, _ = rows_of_file(text)
    assert rows_of_lines(text, names)[0] == values


@pytest.mark.filterwarnings("ignore:.*(joined|as the header|day or the month first)")
@pytest.mark.parametrize("before", ["", "# made by a logger\n", "sep=;\n"])
@pytest.mark.parametrize(
    ("header", "stamp"),
    [
        ("Date;Time", "01/03/2024;00:{:02}"),
        ("日付;時刻", "2024-03-01;00:{:02}"),
        ("ts", "17092512{:02}000"),
        ("year;month;day;hour;minute", "2024;3;1;0;{}"),
    ],
)
def test_time_and_differences_are_the_same_in_a_file_and_in_its_lines(before: str, header: str, stamp: str) -> None:
    counts = [2**32 - 40 + 7 * row for row in range(5)] + [3, 10, 4, 9]
    rows = (f"{stamp.format(row)};{count % 2**32};{row % 3}\n" for row, count in enumerate(counts))
    text = f"{before}{header};n;a\n" + "".join(rows)
    names = ("difference(n)", "a")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        path.write_text(text, encoding="utf-8")
        table = read_table(path, columns=names)
    found, stamps = rows_of_lines(text, names)
    assert found == [list(map(str, row)) for row in table.values.tolist()]
    assert stamps == [table.stamp(row) for row in range(len(table))]


def test_a_reader_that_is_restored_goes_on_with_its_counters_and_its_decimal_mark() -> None:
    first, second = LineReader(("difference(n)", "a")), LineReader(("difference(n)", "a"))
    for line in ("n;a", "5;1,5", "9;2"):
        first.read(line)
    second.restore(json.loads(json.dumps(first.state)))
    assert second.read("11;0,5") == first.read("11;0,5") == Point([2.0, 0.5], None)


def test_one_number_with_a_decimal_comma_is_no_time_without_a_word() -> None:
    with pytest.raises(ValueError, match=r"20,5: a decimal comma, .*--decimal ,"):
        LineReader(("a",)).read("20,5")
    reader = LineReader(("a",), decimal=",")
    assert [reader.read(line) for line in ("20,5", "21,116", "7")] == [
        Point(20.5, None), Point(21.116, None), Point(7.0, None),
    ]  # fmt: skip


@pytest.mark.parametrize("separator", SEPARATORS)
def test_what_fit_takes_watch_takes(tmp_path: Path, separator: str) -> None:
    saved = tmp_path / "m.safetensors"
    write_bytes(saved, model_file.as_bytes(model(2)))
    text = "time,a,b\n" + "".join(f"t{at},{at % 3},\n" for at in range(12))
    code, lines, err = watch(text.replace(",", separator), "--model", saved, "--missing", "mask")
    assert code == 0
    assert [line["time"] for line in lines[:12]] == [f"t{at}" for at in range(12)]
    assert any(line.endswith(", 0 bad lines") for line in err)
    names, values, _ = rows_of_file("a,b\n1,2\n".replace(",", separator))
    assert (names, values) == (("a", "b"), [["1.0", "2.0"]])


@pytest.mark.parametrize(
    ("line", "separator"),
    [("a,b;c;d", ";"), ('"a;b;c",d', ","), ("a|b", "|"), ("a\tb|c\td", "\t"), ("a", ","), ('"a|b|c"\t"d"', "\t")],
)
def test_the_separator_is_the_most_frequent_outside_quotes(line: str, separator: str) -> None:
    assert separator_of(line) == separator


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a,b", True),
        ("time,0,1", True),
        (",0,1,2", True),  # of a data frame without names
        (",a", True),
        ("a,", True),
        ("1,x", True),
        ("sensor,1,2", True),
        ("1,2", False),
        ("5,0,1", False),
        ("nan,1", False),
        ("2026-01-01 00:00,1,2", False),
        ("2026-01-01,,NaN", False),
        (",1", False),
        (",", False),
    ],
)
def test_the_first_line_is_a_header_or_a_row(tmp_path: Path, line: str, expected: bool) -> None:
    assert is_header(cells_of(line, ",")) == expected
    path = tmp_path / "data.csv"
    path.write_text(f"{line}\n" + line.replace("2026-01-01", "2026-01-02") + "\n")
    if not expected:
        with pytest.raises(ValueError, match=r"data\.csv: the first line is .*: it must name the columns"):
            read_table(path)


def test_a_header_that_holds_numbers_is_no_point() -> None:
    reader = LineReader(("0", "1"))
    assert [reader.read(line) for line in ("time,0,1", "x,5,6")] == [None, Point([5.0, 6.0], "x")]
    named = LineReader(("a", "7"))
    assert [named.read(line) for line in ("7,a", "1,2")] == [None, Point([2.0, 1.0], None)]


def test_a_first_row_with_a_stamp_of_any_form_is_a_point() -> None:
    for channels in (("a", "b"), ("0", "1")):
        assert LineReader(channels).read("Monday,1,2") == Point([1.0, 2.0], "Monday")


def test_a_row_of_empty_cells_between_tabs_is_a_point() -> None:
    reader = LineReader(("a", "b"))
    (gap,) = [reader.read(line) for line in ("a\tb", "1\t2", "\t")][2:]
    assert gap is not None
    assert all(map(math.isnan, gap.values))  # type: ignore[arg-type]
    assert reader.read("") is None


@pytest.mark.parametrize("cell", ["1_000", "٣", "²", "1,500,000", "1.500,5", "0x10", "x", "--1"])
def test_what_is_no_number_is_none_in_both(cell: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        number_of(cell)
    reader, path = LineReader(("a", "b")), tmp_path / "data.csv"
    reader.read("a;b")
    with pytest.raises(ValueError, match="is not a number"):
        reader.read(f"1;{cell}")
    path.write_text(f"a;b\n1;{cell}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"row 0, column b: .* is not a number"):
        read_table(path)
