"""The run of a fleet without training: which batches are worked on, what stays after a stop, what becomes of faults."""

import errno
import json
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinvae.cli import main as cli
from twinvae.fleet.input import Folder
from twinvae.fleet.local_engine import AHEAD, run_local
from twinvae.fleet.work import Result, Settings, Task, failed, joined
from twinvae.tables.table import Table

ARGUMENTS = ("--train-rows", "40", "--together", "2", "--preset", "standard", "--window", "8", "--backend", "torch")


@pytest.fixture
def sensors(tmp_path: Path) -> Path:
    """Seven good series, so four batches of two, and one that cannot be read."""
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(7):
        values = np.random.default_rng(index).normal(size=60)
        pl.DataFrame({"time": range(60), "a": values}).write_csv(folder / f"s{index}.csv")
    (folder / "bad.csv").write_text("time,a\n1,x\n")
    return folder


def fake_work(settings: Settings, task: Task) -> Result:
    """A result that depends on the series alone, as it should."""
    results = []
    for name, table in zip(task.names, task.series, strict=True):
        total = float(table.values.sum())
        row = failed(name, None).rows[0] | {"status": "ok", "error": None, "rows": len(table), "loss": total}
        row |= {"events": 1, "anomalous_steps": 3}
        event = {"series": name, "start": 1, "end": 4, "start_time": "1", "score": total, "channels": ["a"]}
        results.append(Result((row,), (event,), {name: f"model of {total!r}".encode()}, {}))
    return joined(results, task.names)


Fleet = Callable[..., int]


@pytest.fixture
def fleet(sensors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Runs the command with work that trains nothing."""
    monkeypatch.setattr("twinvae.fleet.run.work", fake_work)
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no power fails here, and it takes its time

    def run(out: str, *more: str, source: Path = sensors) -> int:
        return cli.main(["fleet", str(source), "--out", str(tmp_path / out), *ARGUMENTS, *more])

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr that are errors; nothing there may be a traceback."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    assert all(line.startswith("twinvae: ") for line in text.splitlines())
    return [line for line in text.splitlines() if "error: " in line]


class Killed(BaseException):
    """Ends the run at once."""


def test_a_run_makes_the_tables_and_a_model_for_each_series(fleet: Fleet, tmp_path: Path) -> None:
    assert fleet("out") == 0
    names = [f"s{index}" for index in range(7)]
    models = [f"models/{name}.safetensors" for name in names]
    assert sorted(files(tmp_path / "out")) == sorted(["events.parquet", "fleet.json", "fleet.parquet", *models])
    table = pl.read_parquet(tmp_path / "out" / "fleet.parquet")
    assert table["name"].to_list() == ["bad", *names]
    assert table["status"].to_list() == ["failed"] + ["ok"] * 7
    assert table["model"].to_list() == [None, *models]
    assert "row 0, column a: 'x' is not a number" in table["error"][0]
    assert pl.read_parquet(tmp_path / "out" / "events.parquet")["series"].to_list() == names


def test_wherever_it_is_killed_a_resumed_run_ends_as_one_that_was_not(
    fleet: Fleet, sensors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run dies before or after each of its renames, and no clean-up is done."""
    for index in range(3, 7):
        (sensors / f"s{index}.csv").unlink()
    assert fleet("whole") == 0
    expected = files(tmp_path / "whole")
    replace, unlink = Path.replace, Path.unlink
    point, renames = 0, 0

    def deadly(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == point:
            raise Killed
        moved = replace(self, target)
        if renames == -point:
            raise Killed
        return moved

    def clean(self: Path, missing_ok: bool = False) -> None:
        if not self.name.startswith("."):
            unlink(self, missing_ok=missing_ok)

    worked: list[int] = []

    def counted(settings: Settings, task: Task) -> Result:
        worked.append(task.number)
        return fake_work(settings, task)

    def dies(out: str) -> bool:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", deadly)
            patched.setattr(Path, "unlink", clean)
            try:
                fleet(out)
            except Killed:
                return True
        return False

    for at in range(1, 100):
        for point in (at, -at):
            out, renames = f"killed{point}", 0
            killed = dies(out)
            if killed:
                finished = {int(path.stem[-6:]) for path in (tmp_path / out / ".progress").glob("part-*")}
                with monkeypatch.context() as patched:
                    patched.setattr("twinvae.fleet.run.work", counted)
                    worked.clear()
                    assert fleet(out, "--resume") == 0
                assert finished.isdisjoint(worked), "a batch was repeated"
            assert files(tmp_path / out) == expected
        if not killed:
            break
    assert at == 1 + 2 + 3 + 3 + 1, "a plan, 2 parts, 3 models, 3 tables, and none"


def interrupt_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C when so many batches are done."""

    def engine(work: Any, tasks: Any, lanes: Any) -> Iterator[Any]:
        with closing(run_local(work, tasks, lanes)) as results:  # type: ignore[type-var]
            for done, one in enumerate(results):
                if done == batches:
                    raise KeyboardInterrupt
                yield one

    monkeypatch.setattr("twinvae.cli.fleet.run_local", engine)


@pytest.fixture
def interrupted(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """The folder of a run that was interrupted after two of its four batches."""
    with monkeypatch.context() as patched:
        interrupt_after(2, patched)
        assert fleet("out", "--workers", "1") == 130
    assert errors(capsys) == ["twinvae: error: interrupted: what is finished is kept: go on with --resume"]
    assert len(list((tmp_path / "out" / ".progress").glob("part-*"))) == 2
    return tmp_path / "out"


def test_a_folder_with_an_unfinished_run_takes_no_other(
    fleet: Fleet, interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(interrupted)
    for arguments, message in (
        ((), "out: holds an unfinished run: go on with --resume, or choose another --out"),
        (("--resume", "--seed", "3"), "out: begun with other settings: seed was 0, now 3"),
        (("--resume", "--margin", "2"), "margin was not given, now 2.0"),
        (("--resume", "--train-rows", "30"), "train-rows was 40, now 30"),
        (("--resume", "--scores"), "scores was False, now True"),
    ):
        assert fleet("out", *arguments) == 1
        (line,) = errors(capsys)
        assert message in line
    assert files(interrupted) == before
    assert fleet("out", "--resume", "--workers", "3") == 0, "another number of workers changes no result"


def test_a_finished_fleet_is_left_alone(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet("out", "--resume") == 0, "--resume begins where there is nothing"
    before, said = files(tmp_path / "out"), capsys.readouterr().out
    assert fleet("out", "--resume") == 0
    printed = capsys.readouterr()
    assert printed.out == said
    assert "note: " in printed.err
    assert "was finished already" in printed.err
    for arguments, message in (
        ((), "holds a finished fleet: remove it, or choose another --out"),
        (("--resume", "--seed", "3"), "seed was 0, now 3"),
    ):
        assert fleet("out", *arguments) == 1
        (line,) = errors(capsys)
        assert message in line
    assert files(tmp_path / "out") == before


def test_files_of_others_are_in_the_way(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out" / "models").mkdir(parents=True)
    (tmp_path / "out" / "models" / "mine").write_text("")
    for more in ((), ("--resume",)):
        assert fleet("out", *more) == 1
        assert "models is in the way" in errors(capsys)[0]
    assert (tmp_path / "out" / "models" / "mine").exists()


def test_input_that_has_changed_since_is_named(
    fleet: Fleet, interrupted: Path, sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sensors / "s6.csv").unlink()
    (sensors / "s5.csv").write_text("time,a\n1,1\n")
    (sensors / "new.csv").write_text("time,a\n1,1\n")
    before = files(interrupted)
    assert fleet("out", "--resume") == 1
    (line,) = errors(capsys)
    assert "the input has changed since the run began: 1 changed (s5.csv); 1 gone (s6.csv); 1 new (new.csv)" in line
    assert "--leave-changed" in line
    assert files(interrupted) == before
    assert fleet("out", "--resume", "--leave-changed") == 0
    table = pl.read_parquet(interrupted / "fleet.parquet")
    assert table["name"].to_list() == ["bad", *(f"s{index}" for index in range(7))]
    said = dict(table.filter(pl.col("status") == "failed").select("name", "error").iter_rows())
    assert sorted(said) == ["bad", "s5", "s6"]
    assert "s5.csv: the file has changed since the run began" in said["s5"]
    assert "s6.csv: the file has gone since the run began" in said["s6"]


def test_a_file_that_goes_while_others_train_fails_alone(
    fleet: Fleet, sensors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(settings: Settings, task: Task) -> Result:
        if task.number == 0:  # the last two batches are not read yet
            (sensors / "s4.csv").unlink()
            (sensors / "s6.csv").unlink()
        return fake_work(settings, task)

    monkeypatch.setattr("twinvae.fleet.run.work", work)
    assert fleet("out", "--workers", "1") == 0
    table = pl.read_parquet(tmp_path / "out" / "fleet.parquet")
    assert table.filter(pl.col("status") == "failed")["name"].to_list() == ["bad", "s4", "s6"]


def test_a_damaged_part_is_done_anew(
    fleet: Fleet, interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet("whole") == 0
    part = interrupted / ".progress" / "part-000001.json"
    part.write_bytes(part.read_bytes()[:-40])
    capsys.readouterr()
    assert fleet("out", "--resume") == 0
    warning, *rest = capsys.readouterr().err.splitlines()
    assert "part-000001.json: not whole: its batch of 2 series is done anew" in warning
    assert rest == []
    assert files(interrupted) == files(tmp_path / "whole")


def test_a_damaged_plan_is_made_anew_and_finished_batches_stay(
    fleet: Fleet, interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fleet("whole") == 0
    plan = interrupted / ".progress" / "plan.json"
    plan.write_bytes(plan.read_bytes().replace(b"s1", b"s7"))
    capsys.readouterr()
    assert fleet("out", "--resume") == 1
    (line,) = errors(capsys)
    assert "plan.json: damaged plan: remove this file, and --resume makes it anew; what is finished stays" in line
    plan.unlink()
    assert fleet("out", "--resume", "--seed", "5") == 1
    (line,) = errors(capsys)
    assert "part-000000.json: of other settings or other input than these" in line
    plan.unlink()
    worked: list[int] = []

    def counted(settings: Settings, task: Task) -> Result:
        worked.append(task.number)
        return fake_work(settings, task)

    monkeypatch.setattr("twinvae.fleet.run.work", counted)
    assert fleet("out", "--resume") == 0
    assert sorted(worked) == [2, 3]
    assert files(interrupted) == files(tmp_path / "whole")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nwhile running")])
def test_a_batch_without_memory_is_tried_one_by_one(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert fleet("whole") == 0

    def work(settings: Settings, task: Task) -> Result:
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


def test_a_full_disk_is_one_line_and_resume_goes_on(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fleet("whole") == 0
    capsys.readouterr()
    write, written = Path.write_bytes, 0

    def full(self: Path, data: Any) -> int:
        nonlocal written
        written += 1
        if written > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return write(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        assert fleet("out") == 1
    (line,) = errors(capsys)
    assert line.endswith("No space left on device: what is finished is kept: go on with --resume")
    assert fleet("out", "--resume") == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")


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
    alive: weakref.WeakSet[Table] = weakref.WeakSet()
    planned: list[int] = []
    worked: list[int] = []
    read = Folder.read

    def reading(self: Folder, name: str) -> Table:
        table = read(self, name)
        alive.add(table)
        if not worked:
            planned.append(len(alive))
        return table

    def working(settings: Settings, task: Task) -> Result:
        worked.append(len(alive))
        return fake_work(settings, task)

    monkeypatch.setattr(Table, "__hash__", object.__hash__)
    monkeypatch.setattr(Folder, "read", reading)
    monkeypatch.setattr("twinvae.fleet.run.work", working)
    assert fleet("out", "--workers", "1", "--together", "2") == 0
    assert len(worked) == 24
    assert max(planned[:47]) <= 2, "planning keeps one series"
    assert max(worked) <= 2 * (1 + AHEAD + 2), "one in work, those ahead, the one that is written, the one being read"
