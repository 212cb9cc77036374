"""A run of a fleet that was ended, without training: what stays, and what --resume makes of it."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.helpers.command import errors, files
from tests.helpers.fleet_run import Fleet, fake_work
from twinvae.fleet.local_engine import run_local
from twinvae.fleet.work import Result, Settings, Task


class Killed(BaseException):
    """Ends the run at once."""


@pytest.mark.slow
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

    def counted(settings: Settings, task: Task) -> list[Result]:
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
    assert at == 1 + 2 + 3 + 4 + 1, "a plan, 2 parts, 3 models, 3 tables, a page, and none"


def interrupt_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C when so many batches are done."""

    def engine(work: Any, tasks: Any, lanes: Any) -> Iterator[Any]:
        with closing(run_local(work, tasks, lanes)) as results:
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

    def counted(settings: Settings, task: Task) -> list[Result]:
        worked.append(task.number)
        return fake_work(settings, task)

    monkeypatch.setattr("twinvae.fleet.run.work", counted)
    assert fleet("out", "--resume") == 0
    assert sorted(worked) == [2, 3]
    assert files(interrupted) == files(tmp_path / "whole")


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
