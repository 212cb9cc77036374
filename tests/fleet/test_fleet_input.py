"""The series of a folder and of a long table."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinvae.fleet.input import ChangedError, Folder, LongTable, open_input


def frame(first: int, rows: int = 5) -> pl.DataFrame:
    return pl.DataFrame({"time": range(rows), "a": [float(first + row) for row in range(rows)]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    frame(10).write_csv(path / "pump 1.csv")
    frame(20).write_parquet(path / "b.v2.parquet")
    return path


def test_a_folder_has_a_series_for_each_file_named_as_the_file(folder: Path) -> None:
    (folder / ".hidden.csv").write_text("time,a\n")
    (folder / "notes.txt").write_text("")
    (folder / "sub.csv").mkdir()
    source = open_input(folder)
    assert source.names == ("b.v2", "pump 1")
    assert source.left_out == 3
    assert source.read("pump 1").values[:, 0].tolist() == [10, 11, 12, 13, 14]
    assert source.read("b.v2").values[:, 0].tolist() == [20, 21, 22, 23, 24]


def test_two_series_with_one_name_are_refused_and_the_rest_is_read(folder: Path) -> None:
    frame(30).write_csv(folder / "b.v2.csv")
    source = open_input(folder)
    assert source.names == ("pump 1",)
    assert source.refused == {"b.v2": "two series with one name: b.v2.csv, b.v2.parquet"}


def test_a_file_name_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.csv")).write_text("a\n1\n2\n")
    (folder / "温.csv").write_text("a\n1\n2\n")
    source = open_input(folder)
    assert source.names == ("b.v2", "pump 1", "温")
    assert source.refused == {"\\xff": "the name of its file is not UTF-8 text: rename it"}
    assert source.read("温").values[:, 0].tolist() == [1, 2]


def test_a_file_that_changes_or_goes_is_noticed_when_it_is_read(folder: Path) -> None:
    source = open_input(folder)
    frame(10, rows=6).write_csv(folder / "pump 1.csv")
    (folder / "b.v2.parquet").unlink()
    with pytest.raises(ChangedError, match=r"pump 1\.csv: the file has changed since the run began"):
        source.read("pump 1")
    with pytest.raises(ChangedError, match=r"b\.v2\.parquet: the file has gone since the run began"):
        source.read("b.v2")


def test_a_folder_as_it_was_knows_a_file_that_has_gone(folder: Path) -> None:
    before = open_input(folder)
    (folder / "b.v2.parquet").unlink()
    now = open_input(folder)
    assert isinstance(now, Folder)
    with pytest.raises(ChangedError, match="gone"):
        now.as_of(before.files).read("b.v2")


def test_what_is_no_input_is_said(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        (empty, None, r"empty: no \.csv or \.parquet file in this folder"),
        (tmp_path / "none", None, "none: no such file or folder"),
        (folder, "k", "a folder, where each file is a series"),
        (folder / "pump 1.csv", None, "name the column that tells its series apart with --key"),
        (folder / "pump 1.csv", "k", "no column 'k': the file has time, a"),
        (folder / "b.v2.parquet", "k", "no column 'k': the file has time, a"),
    ]
    for path, key, message in cases:
        with pytest.raises(ValueError, match=message):
            open_input(path, key=key)


# Long tables.


def long_table(order: list[int]) -> pl.DataFrame:
    """Three series whose rows stand as `order` says, each in order of time."""
    seen = dict.fromkeys(set(order), 0)
    rows = []
    for key in order:
        rows.append({"sensor": f"s{key}", "time": seen[key], "x": float(10 * key + seen[key]), "label": seen[key] % 2})
        seen[key] += 1
    return pl.DataFrame(rows)


@settings(max_examples=30, deadline=None)
@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=30), suffix=st.sampled_from([".csv", ".parquet"]))
def test_a_series_of_a_long_table_is_its_rows_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], suffix: str
) -> None:
    table = long_table(order)
    path = tmp_path_factory.mktemp("long") / f"long{suffix}"
    table.write_csv(path) if suffix == ".csv" else table.write_parquet(path, row_group_size=4)
    source = open_input(path, key="sensor", labels="label")
    assert source.names == tuple(sorted({f"s{key}" for key in order}))
    for name in source.names:
        own, read = table.filter(pl.col("sensor") == name), source.read(name)
        assert read.names == ("x",)
        assert read.values[:, 0].tolist() == own["x"].to_list()
        assert read.labels is not None
        assert read.labels.tolist() == own["label"].to_list()
        assert read.index is not None
        assert [int(stamp) for stamp in read.stamps(slice(None))] == own["time"].to_list()


def test_only_a_parquet_whose_series_stand_together_is_left_on_the_disk(tmp_path: Path) -> None:
    """What is in memory still answers when the file has gone; what is on the disk does not."""
    for order, suffix, on_disk in ([0, 0, 1, 1], ".parquet", True), ([0, 1, 0, 1], ".parquet", False):
        path = tmp_path / f"{on_disk}{suffix}"
        long_table(order).write_parquet(path)
        source = open_input(path, key="sensor")
        assert isinstance(source, LongTable)
        path.unlink()
        if on_disk:
            with pytest.raises(ChangedError, match="cannot be read any more"):
                source.rows(0, 2)
        else:
            assert source.rows(0, 2).height == 2


def test_a_large_table_is_sorted_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinvae.fleet.input.MOST_ROWS", 5)
    table = long_table([3, 1, 0, 1, 2, 2, 1, 0, 1, 1, 1])
    table.write_parquet(tmp_path / "long.parquet")
    source = open_input(tmp_path / "long.parquet", key="sensor", scratch=tmp_path / "scratch")
    pieces = [pl.read_parquet(path)["sensor"].to_list() for path in sorted((tmp_path / "scratch").iterdir())]
    assert pieces == [["s0"] * 2, ["s1"] * 6 + ["s2"] * 2, ["s3"]]
    for name in source.names:
        assert source.read(name).values[:, 0].tolist() == table.filter(pl.col("sensor") == name)["x"].to_list()


def test_time_goes_on_within_a_series_of_a_long_table(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("k,time,a\nx,1,0\ny,5,0\nx,3,0\ny,4,0\n")
    source = open_input(path, key="k")
    assert len(source.read("x")) == 2
    with pytest.raises(ValueError, match=r"long\.csv, k y: row 1 has an earlier time stamp than the row before: 4"):
        source.read("y")


def test_a_cell_that_is_no_number_fails_its_series_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("k,a\nx,1\ny,oops\nx,2\n")
    source = open_input(path, key="k")
    assert len(source.read("x")) == 2
    with pytest.raises(ValueError, match="k y: row 0, column a: 'oops' is not a number"):
        source.read("y")


def test_a_missing_key_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("k,a\nx,1\n,2\ny,3\n")
    with pytest.raises(ValueError, match="row 1: the key k is missing"):
        open_input(path, key="k")


def test_keys_that_are_numbers_are_text(tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    pl.DataFrame({"k": [7, 7, 12], "a": np.arange(3.0)}).write_parquet(path)
    assert open_input(path, key="k").names == ("12", "7")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_series_are_read_as_the_user_says_they_are_written(tmp_path: Path, suffix: str) -> None:
    long = pl.DataFrame(
        {"key": ["x"] * 3 + ["y"] * 3, "time": [1, 2, 3] * 2, "n": [5, 7, 4, 1, 2, 9], "a": [1.0, -9, 3, -9, 5, 6]}
    )
    folder = tmp_path / "in"
    folder.mkdir()
    parts = {"x": long.head(3).drop("key"), "y": long.tail(3).drop("key")}
    for name, part in {**parts, "long": long}.items():
        path = tmp_path / f"long{suffix}" if name == "long" else folder / f"{name}{suffix}"
        part.write_csv(path) if suffix == ".csv" else part.write_parquet(path)
    how: dict[str, Any] = {"missing_values": ("-9",), "difference": ("n",)}
    for source in (open_input(folder, **how), open_input(tmp_path / f"long{suffix}", key="key", **how)):
        found = {name: source.read(name) for name in source.names}
        assert found["x"].names == ("difference(n)", "a")
        np.testing.assert_array_equal(found["x"].values, [[np.nan, 1], [2, np.nan], [np.nan, 3]])
        np.testing.assert_array_equal(found["y"].values, [[np.nan, np.nan], [1, 5], [7, 6]])
