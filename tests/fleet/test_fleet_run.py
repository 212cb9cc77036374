"""A run of a fleet without training: what it makes, what becomes of faults, and what is in memory."""

import json
import weakref
from pathlib import Path

import polars as pl
import pytest

from tests.helpers.command import errors, files
from tests.helpers.fleet_run import Fleet, fake_work
from twinvae.fleet.input import Folder
from twinvae.fleet.local_engine import AHEAD
from twinvae.fleet.work import Result, Settings, Task
from twinvae.series.series import Series


def test_a_run_makes_the_tables_and_a_model_for_each_series(fleet: Fleet, tmp_path: Path) -> None:
    assert fleet("out") == 0
    names = [f"s{index}" for index in range(7)]
    models = [f"models/{name}.safetensors" for name in names]
    tables = ["events.parquet", "fleet.json", "fleet.parquet", "report.html"]
    assert sorted(files(tmp_path / "out")) == sorted([*tables, *models])
    table = pl.read_parquet(tmp_path / "out" / "fleet.parquet")
    assert table["name"].to_list() == ["bad", *names]
    assert table["status"].to_list() == ["failed"] + ["ok"] * 7
    assert table["model"].to_list() == [None, *models]
    assert "row 0, column a: 'x' is not a number" in table["error"][0]
    assert pl.read_parquet(tmp_path / "out" / "events.parquet")["series"].to_list() == names


def test_files_of_others_are_in_the_way(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out" / "models").mkdir(parents=True)
    (tmp_path / "out" / "models" / "mine").write_text("")
    for more in ((), ("--resume",)):
        assert fleet("out", *more) == 1
        assert "models is in the way" in errors(capsys)[0]
    assert (tmp_path / "out" / "models" / "mine").exists()


def test_a_file_that_goes_while_others_train_fails_alone(
    fleet: Fleet, sensors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(settings: Settings, task: Task) -> list[Result]:
        if task.number == 0:  # the last two batches are not read yet
            (sensors / "s4.csv").unlink()
            (sensors / "s6.csv").unlink()
        return fake_work(settings, task)

    monkeypatch.setattr("twinvae.fleet.run.work", work)
    assert fleet("out", "--workers", "1") == 0
    table = pl.read_parquet(tmp_path / "out" / "fleet.parquet")
    assert table.filter(pl.col("status") == "failed")["name"].to_list() == ["bad", "s4", "s6"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nwhile running")])
def test_a_batch_without_memory_is_tried_one_by_one(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert fleet("whole") == 0

    def work(settings: Settings, task: Task) -> list[Result]:
        if len(task.names) > 1 and task.number in (0, 2):
            raise error
        if task.names == ("s5",):
            raise error
        return fake_work(settings, task)

    monkeypatch.setattr("twinvae.fleet.run.work", work)
    assert fleet("out") == 0
    table = pl.read_parquet(tmp_path / "out" / "fleet.parquet")
    expected = pl.read_parquet(tmp_path / "whole" / "fleet.parquet")
    assert table.filter(pl.col("name") != "s5").equals(expected.filter(pl.col("name") != "s5"))
    (row,) = table.filter(pl.col("name") == "s5").to_dicts()
    assert row["status"] == "failed"
    assert row["error"] == (" ".join(str(error).split()) or "not enough memory")
    assert row["rows"] == 60


def test_what_cannot_begin_is_one_line(
    fleet: Fleet, sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for out, more, source, message in (
        ("out", (), tmp_path / "empty", "no .csv or .parquet file in this folder"),
        ("out", (), tmp_path / "none", "no such file or folder"),
        ("file", (), sensors, "file"),
        ("file/out", (), sensors, "file"),
        ("in", (), sensors, "--out is the folder of the input"),
        ("out", ("--address", "x:1"), sensors, "--address is for --engine ray"),
        ("out", ("--engine", "ray", "--workers", "2"), sensors, "--workers is for --engine local"),
        ("out", ("--margin", "2", "--centring", "window", "--window", "1"), sensors, "take a longer window"),
    ):
        assert fleet(out, *more, source=source) == 1
        (line,) = errors(capsys)
        assert message in line
    assert not (tmp_path / "out").exists()


def test_a_fleet_of_which_nothing_succeeds_fails_and_says_why(
    fleet: Fleet, sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sensors.glob("s*.csv"):
        path.unlink()
    assert fleet("out") == 1
    printed = capsys.readouterr()
    assert "bad: " in printed.out
    assert "none of the 1 series could be done" in printed.err
    assert pl.read_parquet(tmp_path / "out" / "fleet.parquet")["status"].to_list() == ["failed"]


@pytest.mark.parametrize("most_rows", [2**24, 130])
def test_a_long_table_gives_what_a_folder_gives(
    fleet: Fleet, sensors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_rows: int
) -> None:
    monkeypatch.setattr("twinvae.fleet.input.MOST_ROWS", most_rows)
    (sensors / "bad.csv").unlink()
    assert fleet("folder") == 0
    parts = [pl.read_csv(path).with_columns(sensor=pl.lit(path.stem)) for path in sorted(sensors.iterdir())]
    whole = pl.concat(parts)
    for name, table in (("apart", whole), ("mixed", whole.sort("time", "a"))):
        table.write_parquet(tmp_path / f"{name}.parquet")
        assert fleet(name, "--key", "sensor", source=tmp_path / f"{name}.parquet") == 0
        expected, found = files(tmp_path / "folder"), files(tmp_path / name)
        assert expected.pop("fleet.json") != found.pop("fleet.json")
        assert found == expected


def test_json_is_for_machines(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet("out", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["series"], said["ok"], said["failed"], said["events"]) == (8, 7, 1, 7)
    assert said["most_events"][0] == {"series": "s0", "events": 1, "start": 1, "start_time": "1"}
    assert [failure["name"] for failure in said["failures"]] == ["bad"]
    assert json.loads((tmp_path / "out" / "fleet.json").read_text()).items() <= said.items()


def test_off_a_terminal_nothing_is_said_before_the_summary(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet("out") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[0] == "7 of 8 series done, 1 failed; 7 events in 7 series"
    assert "  s0: 1 event, the first at 1" in printed.out


def test_memory_holds_the_batches_in_flight_not_the_fleet(
    fleet: Fleet, sensors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(10, 50):
        (sensors / f"t{index}.csv").write_bytes((sensors / "s0.csv").read_bytes())
    alive: weakref.WeakSet[Series] = weakref.WeakSet()
    planned: list[int] = []
    worked: list[int] = []
    read = Folder.read

    def reading(self: Folder, name: str) -> Series:
        table = read(self, name)
        alive.add(table)
        if not worked:
            planned.append(len(alive))
        return table

    def working(settings: Settings, task: Task) -> list[Result]:
        worked.append(len(alive))
        return fake_work(settings, task)

    monkeypatch.setattr(Series, "__hash__", object.__hash__)
    monkeypatch.setattr(Folder, "read", reading)
    monkeypatch.setattr("twinvae.fleet.run.work", working)
    assert fleet("out", "--workers", "1", "--together", "2") == 0
    assert len(worked) == 24
    assert max(planned[:47]) <= 2, "planning keeps one series"
    assert max(worked) <= 2 * (1 + AHEAD + 2), "one in work, those ahead, the one that is written, the one being read"
