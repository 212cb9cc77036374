"""What comes in: arrays, data frames and files, good and bad."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from twinvae.series.series import Series
from twinvae.tables.table import read_table

finite = st.floats(-1e300, 1e300, allow_subnormal=True)


def as_series(values: Any, missing: str = "error") -> np.ndarray:
    return Series.of(values).checked(missing).values


# Arrays and data frames.


@settings(max_examples=40, deadline=None)
@given(values=arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=finite))
def test_a_float64_array_comes_back_as_it_is(values: np.ndarray) -> None:
    assert (as_series(values) == values).all()
    assert (as_series(as_series(values)) == values).all()
    assert (as_series(values.tolist()) == values).all()
    assert (as_series(values[:, 0]) == values[:, :1]).all()


KINDS_OF_ARRAY: dict[str, Any] = {
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(map(tuple, x.tolist())),
    "int8": lambda x: x.astype(np.int8),
    "int64": lambda x: x.astype(np.int64),
    "uint16": lambda x: x.astype(np.uint16),
    "float16": lambda x: x.astype(np.float16),
    "float32": lambda x: x.astype(np.float32),
    "big-endian float32": lambda x: x.astype(">f4"),
    "big-endian float64": lambda x: x.astype(">f8"),
    "big-endian int": lambda x: x.astype(">i4"),
    "Fortran order": np.asfortranarray,
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "objects": lambda x: x.astype(object),
    "pandas": pd.DataFrame,
    "pandas of objects": lambda x: pd.DataFrame(x.astype(object)),
    "polars": lambda x: pl.DataFrame(x, schema=["0", "1"], orient="row"),
}


@pytest.mark.parametrize("kind", KINDS_OF_ARRAY)
def test_each_kind_of_array_gives_the_same_series(kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 100, (20, 2)).astype(np.float64)
    result = as_series(KINDS_OF_ARRAY[kind](values))
    assert result.dtype == (np.float32 if "float32" in kind else np.float64)
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    assert (result == values).all()


def test_booleans_are_zeros_and_ones() -> None:
    assert as_series([True, False]).tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize(
    "values", [pd.Series([1.0, 2.0], name="a"), pl.Series("a", [1.0, 2.0]), pd.DataFrame({"a": [1.0, 2.0]})]
)
def test_names_come_from_columns(values: Any) -> None:
    assert as_series(values).tolist() == [[1.0], [2.0]]
    assert Series.of(values).names == ("a",)


def test_names_of_an_array_are_numbers() -> None:
    assert Series.of(np.zeros((3, 2))).names == ("0", "1")
    assert Series.of(pd.DataFrame(np.zeros((3, 2)))).names == ("0", "1")
    assert Series.of(pd.Series([1.0])).names == ("0",)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([], ValueError, "empty"),
        (np.zeros((0, 3)), ValueError, "empty"),
        (np.zeros((3, 0)), ValueError, "empty"),
        (pd.DataFrame(), ValueError, "empty"),
        (np.zeros((2, 2, 2)), ValueError, "3 dimensions"),
        (3.0, ValueError, "0 dimensions"),
        ([[1.0, 2.0], [3.0]], ValueError, "ragged"),
        (["a", "b"], TypeError, "real numbers"),
        (["1.0", "2.0"], TypeError, "real numbers"),
        ("abc", TypeError, "real numbers"),
        (None, ValueError, "0 dimensions"),
        ({"a": 1.0}, TypeError, "real numbers"),
        ([1.0, "a"], TypeError, "real numbers"),
        ([1.0 + 1j], ValueError, "Complex data not supported"),
        (np.array([1, 2], dtype="M8[s]"), TypeError, "real numbers"),
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), TypeError, "real numbers"),
        (pl.DataFrame({"a": [1.0], "b": ["x"]}), TypeError, "real numbers"),
    ],
)
def test_what_is_no_series_is_refused_in_words(values: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        as_series(values)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("frame", "column"), [(np.asarray, "1"), (lambda x: pd.DataFrame(x, columns=["a", "b"]), "b")])
def test_the_first_value_that_is_not_finite_is_named(bad: float, frame: Any, column: str) -> None:
    values = np.zeros((10, 2))
    values[4, 1] = values[7, 0] = bad
    with pytest.raises(ValueError, match=f"row 4, column {column}"):
        as_series(frame(values))


def test_missing_values_are_counted() -> None:
    with pytest.raises(ValueError, match=r'\(2 in all, NaN or empty\).*missing="interpolate"'):
        as_series([np.nan, 1.0, np.nan])


@pytest.mark.parametrize(
    "values", [[np.nan, 1.0, None, np.nan, 4.0, None], pl.Series([None, 1.0, None, None, 4.0, None])]
)
def test_missing_values_are_interpolated_in_time_and_held_at_the_ends(values: Any) -> None:
    assert as_series(values, missing="interpolate")[:, 0].tolist() == [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]


def test_interpolation_is_per_channel_and_leaves_the_argument_alone() -> None:
    values = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, np.nan]])
    before = values.copy()
    assert as_series(values, missing="interpolate").tolist() == [[1.0, 5.0], [2.0, 6.0], [3.0, 6.0]]
    np.testing.assert_array_equal(values, before)


def test_interpolation_does_not_hide_infinity_nor_an_empty_column() -> None:
    with pytest.raises(ValueError, match="infinite value at row 1, column 0"):
        as_series([1.0, np.inf, np.nan], missing="interpolate")
    with pytest.raises(ValueError, match="column b has no values"):
        as_series(pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan]}), missing="interpolate")


def test_a_masked_array_s_masked_values_are_missing() -> None:
    with pytest.raises(ValueError, match="missing value at row 1"):
        as_series(np.ma.masked_equal([1.0, 2.0, 3.0], 2.0))  # type: ignore[no-untyped-call]


# Files.


def stamps_of(table: Series) -> tuple[str, ...]:
    return tuple(table.stamp(row) for row in range(len(table)))


def table_of(folder: Path, text: str | bytes, **options: Any) -> Series:
    path = folder / "data.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path, **options)


GOOD = "time,a,b,label\n2024-01-01,1,10,0\n2024-01-02,2,,1\n2024-01-03,3,30,0\n"


def test_a_csv_file_is_values_names_times_and_labels(tmp_path: Path) -> None:
    table = table_of(tmp_path, GOOD, labels="label")
    np.testing.assert_array_equal(table.values, [[1.0, 10.0], [2.0, np.nan], [3.0, 30.0]])
    assert table.names == ("a", "b")
    assert stamps_of(table) == ("2024-01-01", "2024-01-02", "2024-01-03")
    assert table.labels is not None
    assert table.labels.tolist() == [0, 1, 0]


def test_rows_of_a_table_are_cut_alike(tmp_path: Path) -> None:
    part = table_of(tmp_path, GOOD, labels="label").rows(slice(1, 3))
    assert part.labels is not None
    assert (part.values[:, 0].tolist(), stamps_of(part), part.labels.tolist()) == (
        [2.0, 3.0],
        ("2024-01-02", "2024-01-03"),
        [1, 0],
    )


def test_columns_are_chosen_in_the_order_named(tmp_path: Path) -> None:
    table = table_of(tmp_path, GOOD, columns=("b", "a"))
    assert table.names == ("b", "a")
    assert table.values[0].tolist() == [10.0, 1.0]


def test_a_parquet_file_is_the_same_table(tmp_path: Path) -> None:
    frame = pl.read_csv(GOOD.encode(), try_parse_dates=True)
    frame.write_parquet(tmp_path / "data.parquet")
    one, other = table_of(tmp_path, GOOD, labels="label"), read_table(tmp_path / "data.parquet", labels="label")
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.names, stamps_of(one)) == (other.names, stamps_of(other))
    assert one.labels is not None
    assert other.labels is not None
    assert (one.labels == other.labels).all()


def test_without_time_stamps_rows_are_numbered(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a\n5\n6\n")
    assert (table.index, stamps_of(table)) == (None, ("0", "1"))


def test_spaces_signs_exponents_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    table = table_of(tmp_path, "\ufeffa,b\n 1 ,-2e3\n+3,NaN\n4, N/A \n")
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1.0, -2000.0], [3.0, np.nan], [4.0, np.nan]])


@pytest.mark.parametrize("stamps", [("10", "9.5", "11"), ("2024-01-02", "2024-01-01", "2024-01-03")])
def test_time_stamps_out_of_order_are_refused(tmp_path: Path, stamps: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"row 1 has an earlier time stamp than the row before: {stamps[1]}"):
        table_of(tmp_path, "Time,a\n" + "".join(f"{stamp},1\n" for stamp in stamps))


@pytest.mark.parametrize(
    "stamps",
    [
        ("9", "10", "11"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"),
        ("2024-01-01T00:00:00+02:00", "2024-01-01T00:00:01+02:00"),
        ("2024-01-01 00:00", "2024-01-01 00:05"),
        ("2024-01-01 00:00:00.5", "2024-01-01 00:00:00.75"),
        ("13/02/2024", "14/02/2024"),
    ],
)
def test_time_stamps_in_order_stay_as_they_stand(tmp_path: Path, stamps: tuple[str, ...]) -> None:
    assert stamps_of(table_of(tmp_path, "date,a\n" + "".join(f"{stamp},1\n" for stamp in stamps))) == stamps


BAD_FILES: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty": ("", {}, "the file is empty"),
    "blank": ("\n\n", {}, "data.csv"),
    "header only": ("a,b\n", {}, "no rows of data"),
    "long row": ("a,b\n1,2\n3,4,5\n", {}, "row 1 has 3 cells, the header has 2"),
    "no number": ("a,b\n1,2\n3,x\n", {}, "row 1, column b: 'x' is not a number"),
    "no number in quotes": ('a\n1\n"2;5"\n', {}, "row 1, column a: '2;5' is not a number"),
    "unknown column": (GOOD, {"columns": ("a", "z")}, "no column 'z': the file has time, a, b, label"),
    "unknown time": (GOOD, {"time": "z"}, "no column 'z'"),
    "unknown labels": (GOOD, {"labels": "z"}, "no column 'z'"),
    "column twice": (GOOD, {"columns": ("a", "a")}, "a column is named twice"),
    "no values": ("time\n1\n2\n", {}, "no column of values"),
    "same stamp": ("time,a\n1,1\n1,2\n", {}, "row 1 has the same time stamp as the row before: 1"),
    "same instant": ("time,a\n2024-01-01,1\n2024-01-01,2\n", {}, "row 1 has the same time stamp"),
    "missing stamp": ("time,a\n1,1\n,2\n", {}, "row 1: the time stamp is missing"),
    "no stamp": ("time,a\n2024-01-01,1\nsoon,2\n", {}, "row 1, column time: 'soon' is not a time stamp"),
    "labels": ("a,y\n1,0\n2,2\n", {"labels": "y"}, "row 1, column y: a label must be 0 or 1, got 2"),
    "missing label": ("a,y\n1,0\n2,\n", {"labels": "y"}, "row 1, column y: a label must be 0 or 1"),
    "words for labels": ("a,y\n1,maybe\n2,later\n", {"labels": "y"}, "row 0, column y: 'maybe' is not a number"),
    "UTF-8 damage": (b"a,b\n1,2\n\xff\xfe,4\n", {}, "data.csv"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), {}, "data.csv"),
    "a name twice": ("a,a\n1,2\n", {}, "twice"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    text, options, message = BAD_FILES[name]
    with pytest.raises(ValueError, match=r"data\.csv: ") as raised:
        table_of(tmp_path, text, **options)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_short_row_has_missing_values(tmp_path: Path) -> None:
    np.testing.assert_array_equal(table_of(tmp_path, "a,b\n1,2\n3\n").values, [[1.0, 2.0], [3.0, np.nan]])


def test_a_file_name_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "run1.csv").write_text("a\n1\n")
    (tmp_path / "run[1].csv").write_text("a\n2\n")
    assert read_table(tmp_path / "run[1].csv").values.tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.csv", "no such file"),
        ("missing.parquet", "no such file"),
        ("data.txt", "no such file"),
        ("data.bin", "not a .csv, .parquet or .npy file"),
    ],
)
def test_a_file_that_is_not_there_or_not_ours_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / name)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_folder_is_no_file(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"data.{suffix}").mkdir()
    with pytest.raises(ValueError, match=f"data.{suffix}: "):
        read_table(tmp_path / f"data.{suffix}")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"garbage" * 100, b"PAR1" + bytes(100) + b"PAR1"])
def test_a_damaged_parquet_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.parquet: ") as raised:
        read_table(tmp_path / "data.parquet")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("values", [["x", "y"], [[1.0], [2.0]]])
def test_a_parquet_column_that_is_not_numeric_is_named(tmp_path: Path, values: list[Any]) -> None:
    pl.DataFrame({"a": [1.0, 2.0], "b": values}).write_parquet(tmp_path / "data.parquet")
    with pytest.raises(ValueError, match="column b"):
        read_table(tmp_path / "data.parquet")
