"""Files as users have them."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinvae.cli import main as cli
from twinvae.plots.figure import short_stamps
from twinvae.series.series import Series
from twinvae.tables import long_parquet
from twinvae.tables.table import read_table

QUICK = ("--epochs", "2", "--window", "5", "--hidden-dim", "4", "--latent-dim", "2")


def write(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_headers(tmp_path: Path, separator: str) -> None:
    table = read_table(write(tmp_path, "a,b\n1,2\n3,4\n".replace(",", separator)))
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("name", ["Label", "label", "is_anomaly", "anomaly"])
def test_a_column_of_labels_is_no_channel(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"a,{name}\n1,0\n2,1\n")
    table = read_table(path)
    assert table.names == ("a",)
    assert table.labels is not None
    assert table.labels.tolist() == [0, 1]
    assert read_table(path, columns=["a", name]).names == ("a", name)
    assert read_table(write(tmp_path, f"a,{name}\n1,0\n2,3\n")).names == ("a", name)


def test_the_row_numbers_of_a_data_frame_are_no_channel(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, ",a\n0,5\n1,6\n2,8\n")).names == ("a",)
    assert read_table(write(tmp_path, ",a\n0,5\n1,6\n1,8\n")).names == ("", "a")


def test_empty_rows_at_the_end_do_not_count(tmp_path: Path) -> None:
    assert len(read_table(write(tmp_path, "time,a\n1,5\n2,6\n,\n\n,\n"))) == 2


def test_a_file_without_a_header_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must name the columns"):
        read_table(write(tmp_path, "1,5\n2,6\n"))


def test_time_stamps_can_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "date,a\nMonday,1\nTuesday,2\n")
    with pytest.warns(UserWarning, match="'Monday' is no time stamp of a known format: passed on as text.*--time none"):
        assert read_table(path).stamp(1) == "Tuesday"
    assert read_table(path, columns=["a"], time="none").index is None


@pytest.mark.parametrize("name", ["score", "label_time", "row", "label"])
def test_time_stamps_of_any_name_are_kept(tmp_path: Path, name: str) -> None:
    stamps = [f"2026-01-01T00:{minute:02}:00" for minute in range(40)]
    rows = "".join(f"{stamp},{np.sin(index)}\n" for index, stamp in enumerate(stamps))
    out = tmp_path / "out"
    arguments = ["detect", write(tmp_path, f"{name},a\n{rows}"), "--time", name, "--train-rows", "30", "--out", out]
    assert cli.main([*map(str, arguments), *QUICK]) == 0
    scores = pl.read_csv(out / "scores.csv")
    assert scores[:, 0].to_list() == stamps
    assert {"score", "label"} <= set(scores.columns[1:])


def test_parquet_time_stamps_keep_their_type(tmp_path: Path) -> None:
    times = pl.datetime_range(
        pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 2), "1h", eager=True, time_zone="Asia/Tokyo"
    )
    path = tmp_path / "data.parquet"
    pl.DataFrame({"time": times, "a": np.sin(np.arange(len(times)))}).write_parquet(path)
    out = tmp_path / "out"
    assert cli.main(["detect", str(path), "--train-rows", "20", "--out", str(out), *QUICK]) == 0
    assert pl.read_parquet(out / "scores.parquet")["time"].equals(times)


def test_columns_in_another_order_are_refused_when_scoring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{np.sin(t)},{10 * np.cos(t)}\n" for t in range(40))
    path, model = write(tmp_path, f"a,b\n{rows}"), tmp_path / "m.safetensors"
    assert cli.main(["fit", str(path), "--model", str(model), *QUICK]) == 0
    score = ["score", str(path), "--model", str(model), "--out", str(tmp_path / "s.csv")]
    assert cli.main([*score, "--columns", "b,a"]) == 1
    assert "fitted on a, b" in capsys.readouterr().err
    assert cli.main(score) == 0


def test_a_series_with_gaps_can_be_scored_by_a_model_that_refuses_them(tmp_path: Path) -> None:
    rows = [str(np.sin(t)) for t in range(40)]
    model, scores, refuse = tmp_path / "m.safetensors", str(tmp_path / "s.csv"), (*QUICK, "--missing", "error")
    assert cli.main(["fit", str(write(tmp_path, "\n".join(["a", *rows]))), "--model", str(model), *refuse]) == 0
    rows[7] = "NaN"
    score = ["score", str(write(tmp_path, "\n".join(["a", *rows]))), "--model", str(model), "--out", scores]
    assert cli.main(score) == 1
    assert cli.main([*score, "--missing", "interpolate"]) == 0


def test_ticks_are_as_short_as_the_time_allows() -> None:
    def stamped(times: list[str]) -> Series:
        return Series(np.zeros((len(times), 1)), ("a",), pl.Series(times))

    def stamps(step: str) -> list[str]:
        times = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 2, 1), step, eager=True, time_zone="UTC")
        return [str(time) for time in times[:100]]

    for step, text in (("1d", "2026-01-02"), ("3h", "01-01 03:00"), ("1h", "01-01 01:00"), ("1m", "00:01:00")):
        assert short_stamps(stamped(stamps(step)))(1) == text
    assert short_stamps(stamped([f"week {row}" for row in range(9)]))(3) == "week 3"


@pytest.mark.parametrize("values", [[[1], [2], [3]], [{"a": 1}, {"a": 2}, {"a": 3}], [b"a", b"b", b"c"]])
@pytest.mark.parametrize("column", ["time", "label", "", "value"])
def test_a_parquet_column_of_any_type_is_read_or_refused_by_name(
    tmp_path: Path, column: str, values: list[Any]
) -> None:
    path = tmp_path / "data.parquet"
    columns = {"time": [1, 2, 3], "label": [0, 1, 0], "": [0, 1, 2], "value": [1.0, 2.0, 4.0]}
    pl.DataFrame(columns | {column: values}).write_parquet(path)
    if column == "time" and isinstance(values[0], bytes):
        assert read_table(path).names == ("value",)
        return
    with pytest.raises(ValueError, match=rf"data\.parquet: column {column} holds (List|Struct|Binary)"):
        read_table(path)


def test_a_parquet_file_with_flipped_bytes_is_refused_or_read(tmp_path: Path) -> None:
    path, random = tmp_path / "data.parquet", np.random.default_rng(5)
    pl.DataFrame({"time": range(50), "a": np.arange(50.0), "s": [str(row) for row in range(50)]}).write_parquet(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(300):
        damaged = whole.copy()
        damaged[random.integers(len(whole), size=2)] = random.integers(256, size=2)
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(ValueError):  # but polars' panics are no Exception
            read_table(path, columns=["a"])


def test_a_panic_of_polars_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(*_: object, **__: object) -> object:
        raise pl.exceptions.PanicException("unreachable")

    pl.DataFrame({"a": [1.0]}).write_parquet(tmp_path / "data.parquet")
    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(ValueError, match=r"data\.parquet: cannot be read: the file is damaged"):
        read_table(tmp_path / "data.parquet")


def test_absent_rows_of_a_file_that_is_read_part_by_part_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 20), "1h", eager=True)
    frame = pl.DataFrame({"time": times, "a": np.sin(np.arange(len(times)))})
    pl.concat([frame[:100], frame[130:]]).write_parquet(tmp_path / "x.parquet")
    monkeypatch.setattr(long_parquet, "LONG", 10)
    monkeypatch.setattr(long_parquet, "ROWS", 64)
    with pytest.warns(UserWarning, match="30 rows are absent by the time stamps; in so long a file"):
        read_table(tmp_path / "x.parquet")
