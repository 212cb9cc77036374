"""Processes that are killed, told to end, or left without space: what they leave, and what --resume makes of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.conftest import PATH
from tests.helpers.command import files

SERIES, TOGETHER = 24, 2
BATCHES = SERIES // TOGETHER
QUICK = ("--preset", "standard", "--window", "10", "--hidden-dim", "4", "--latent-dim", "2", "--epochs", "20")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sensors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 series: 12 batches of two."""
    folder = tmp_path_factory.mktemp("fleet") / "in"
    folder.mkdir()
    for index in range(SERIES):
        values = np.sin(np.arange(300) / 3) + np.random.default_rng(index).normal(0, 0.1, 300)
        values[250:260] += 4
        pl.DataFrame({"time": range(300), "a": values}).write_csv(folder / f"s{index:02}.csv")
    return folder


def start(sensors: Path, out: Path, backend: str, *more: str, limit: str = "unlimited") -> "subprocess.Popen[str]":
    """`limit` is that of the size of a file, in units of 1024 bytes."""
    arguments: list[object] = [
        "--out",
        out,
        "--backend",
        backend,
        "--train-rows",
        "200",
        "--together",
        TOGETHER,
        *QUICK,
        *more,
    ]
    command = [sys.executable, "-m", "twinvae", "fleet", str(sensors), *map(str, arguments)]
    return subprocess.Popen(
        ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *command],
        env=os.environ | {"PYTHONPATH": PATH}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(running: "subprocess.Popen[str]", code: int = 0) -> list[str]:
    """The lines on stderr of a process that ends with this code."""
    _, err = running.communicate(timeout=300)
    assert running.returncode == code, err
    assert "Traceback" not in err
    return err.splitlines()


def parts(out: Path) -> dict[str, int]:
    """The finished batches, and when each was."""
    return {path.name: path.stat().st_mtime_ns for path in (out / ".progress").glob("part-*.json")}


def wait_for(running: "subprocess.Popen[str]", happened: Callable[[], bool]) -> None:
    while not happened():
        try:
            running.wait(0.002)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it has ended before: {running.communicate()}")


@pytest.fixture(scope="module")
def whole(sensors: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes]]:
    """The files of a run that nothing has stopped, on one worker."""
    known: dict[str, dict[str, bytes]] = {}

    def made(backend: str) -> dict[str, bytes]:
        if backend not in known:
            out = tmp_path_factory.mktemp(backend) / "out"
            assert finish(start(sensors, out, backend, "--workers", "1")) == []
            known[backend] = files(out)
        return known[backend]

    return made


Whole = Callable[[str], dict[str, bytes]]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_killed_again_and_again_it_ends_as_if_nothing_had_been(
    sensors: Path, tmp_path: Path, backend: str, whole: Whole
) -> None:
    out = tmp_path / "out"
    kept: dict[str, int] = {}
    for many in (0, 1, 4, 9):
        with start(sensors, out, backend, *(["--resume"] if many else [])) as running:
            wait_for(running, lambda many=many: (out / ".progress" / "plan.json").exists() and len(parts(out)) >= many)  # type: ignore[misc]
            running.kill()
            running.wait(60)
        now = parts(out)
        assert now.items() >= kept.items(), "what was finished has been lost or done again"
        assert len(now) < BATCHES, "it was killed too late to show anything"
        kept = now
    assert finish(start(sensors, out, backend, "--resume")) == []
    assert files(out) == whole(backend)


def test_killed_while_it_writes_the_tables(sensors: Path, tmp_path: Path, whole: Whole) -> None:
    out = tmp_path / "out"
    with start(sensors, out, "torch") as running:
        wait_for(running, lambda: len(parts(out)) == BATCHES or (out / "events.parquet").exists())
        running.kill()
    assert finish(start(sensors, out, "torch", "--resume"))[1:] == []
    assert files(out) == whole("torch")


@pytest.mark.parametrize(("backend", "number", "code"), [("jax", signal.SIGINT, 130), ("torch", signal.SIGTERM, 143)])
def test_told_to_end_it_says_how_to_go_on(
    sensors: Path, tmp_path: Path, backend: str, whole: Whole, number: int, code: int
) -> None:
    out = tmp_path / "out"
    with start(sensors, out, backend) as running:
        wait_for(running, lambda: len(parts(out)) >= 2)
        running.send_signal(number)
        (line,) = finish(running, code)
    assert line == "twinvae: error: interrupted: what is finished is kept: go on with --resume"
    assert 2 <= len(parts(out)) < BATCHES
    assert finish(start(sensors, out, backend, "--resume")) == []
    assert files(out) == whole(backend)


def test_without_space_it_ends_in_one_line_and_goes_on_when_there_is_some(
    sensors: Path, tmp_path: Path, whole: Whole
) -> None:
    out = tmp_path / "out"
    (line,) = finish(start(sensors, out, "torch", limit="4"), 1)  # the plan fits, a model does not
    assert line.startswith("twinvae: error: ")
    assert line.endswith("File too large: what is finished is kept: go on with --resume")
    assert finish(start(sensors, out, "torch", "--resume")) == []
    assert files(out) == whole("torch")
