"""What the command says when something goes wrong, and its exit codes."""

import argparse
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import PATH, in_a_fresh_process
from tests.helpers.command import QUICK, failure, misuse
from twinvae.cli import main as cli

COMMAND = (sys.executable, "-m", "twinvae")
TORCH = ("--backend", "torch")  # compiles nothing


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("detect", "x.csv", "--out", "o", "--window", "-3"), "at least 1"),
        (("detect", "x.csv", "--out", "o", "--window", "ten"), "whole number"),
        (("detect", "x.csv", "--out", "o", "--learning-rate", "0"), "above 0"),
        (("detect", "x.csv", "--out", "o", "--backend", "tensorflow"), "invalid choice"),
        (("detect", "x.csv", "--out", "o", "--train-rows", "0"), "at least 1"),
        (("detect", "x.csv", "--out", "o", "--train-rows", "1" * 400), "whole number"),
        (("detect", "x.csv", "--out", "o", "--train-rows", "\u00b2"), "whole number"),
        (("detect", "x.csv", "--out", "o", "--epochs", "1" * 5000), "whole number"),
        (("detect", "--out", "o"), "required"),
        (("detect", "x.csv", "--dataset", "ucr-135", "--out", "o"), "not allowed"),
        (("detect", "x.csv", "--out", "o", "--windw", "3"), "unrecognized"),
        (("demo", "--out", "o", "--seed", "-1"), "at least 0"),
        (("fly",), "invalid choice"),
        ((), "required"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], word: str
) -> None:
    assert word in misuse(capsys, *arguments)


def test_failures_are_one_line(sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert "no such file" in failure(capsys, "detect", tmp_path / "none.csv", "--out", out)
    assert "nosuch" in failure(capsys, "detect", sensors, "--columns", "nosuch", "--out", out)
    assert "500" in failure(capsys, "detect", sensors, "--labels", "fault", "--train-rows", "500", "--out", out)
    assert "window" in failure(
        capsys, "detect", sensors, "--columns", "a", "--train-rows", "20", "--out", out, *QUICK[:2]
    )
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"not a model")
    assert "garbage" in failure(capsys, "score", sensors, "--model", garbage, "--out", tmp_path / "s.csv")
    assert "No such file" in failure(capsys, "score", sensors, "--model", "none", "--out", tmp_path / "s.csv")
    assert not out.exists()


def test_a_backend_that_is_not_installed_is_named_with_its_extra(
    sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinvae.network.backend.installed_backends", lambda: ("jax",))
    message = failure(capsys, "detect", sensors, "--backend", "torch", "--out", tmp_path / "out")
    assert "twinvae[torch]" in message
    monkeypatch.setattr("twinvae.cli.options.installed_backends", tuple)
    assert "twinvae[jax]" in failure(capsys, "detect", sensors, "--out", tmp_path / "out")


def test_an_output_folder_that_cannot_be_made_is_one_line(
    sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    arguments = ("--columns", "a,b", "--train-rows", "120", "--out", in_the_way / "out", *QUICK)
    message = failure(capsys, "detect", sensors, *arguments)
    assert str(in_the_way) in message


def test_a_full_disk_keeps_the_old_model(
    sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "m.safetensors"
    model.write_bytes(b"old")

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    message = failure(capsys, "fit", sensors, "--columns", "a,b", "--model", model, *QUICK)
    assert "No space left" in message
    assert model.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_warnings_are_one_line_and_bad_input_gives_no_traceback(sensors: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [*COMMAND, "detect", sensors, "--columns", "a", "--out", tmp_path / "out", *QUICK, *TORCH],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": PATH},
    )  # fmt: skip
    (warning,) = run.stderr.splitlines()
    assert warning.startswith("twinvae: warning: fitted on the whole file")
    run = subprocess.run(
        [*COMMAND, "detect", tmp_path / "none.csv", "--out", tmp_path / "out", *TORCH],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": PATH},
    )  # fmt: skip
    assert run.returncode == 1
    (error,) = run.stderr.splitlines()
    assert error.startswith("twinvae: error: ")


@pytest.mark.parametrize(
    ("closed", "arguments", "message"),
    [
        ("<&-", "watch --model m.safetensors", "standard input is closed: pipe the points into it"),
        (">&-", "watch --model m.safetensors", "standard output is closed: send it to a file or to /dev/null"),
        (">&-", "doctor --backend jax", "standard output is closed: send it to a file or to /dev/null"),
        ("<&- >&-", "score sensors.csv --model m.safetensors --out s.csv", "standard output is closed"),
        (">&- 2>&-", "score sensors.csv --model m.safetensors --out s.csv", ""),
    ],
)
def test_closed_pipes_are_one_line(sensors: Path, saved: Path, closed: str, arguments: str, message: str) -> None:
    run = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m twinvae {arguments} {closed}"], cwd=sensors.parent, check=False,
        input="[1, 2]\n", capture_output=True, text=True, env=os.environ | {"PYTHONPATH": PATH},
    )  # fmt: skip
    lines = run.stderr.splitlines()
    assert (run.returncode, run.stdout, len(lines)) == (1, "", 1 if message else 0)
    assert message in run.stderr
    assert sorted(path.name for path in sensors.parent.iterdir()) == ["m.safetensors", "sensors.csv"]


# Faults of ours.


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives a function that makes every detector raise an error when it is fitted."""

    def break_with(error: Exception) -> None:
        def fit(self: object, series: object) -> object:
            raise error

        monkeypatch.setattr("twinvae.detector.detector.VAEDetector.fit", fit)

    return break_with


def fit(sensors: Path, *more: str) -> tuple[str, ...]:
    return ("fit", str(sensors), "--columns", "a,b", "--model", str(sensors.with_name("m.safetensors")), *QUICK, *more)


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), TypeError("f() got 2"), RuntimeError("boom"), AssertionError(), IndexError("1"), Exception()],
)
def test_an_error_that_nobody_has_foreseen_is_said_to_be_ours(
    sensors: Path, capsys: pytest.CaptureFixture[str], broken: Any, error: Exception
) -> None:
    broken(error)
    message = failure(capsys, *fit(sensors), code=70)
    kind = type(error).__name__ + (f": {error}" if str(error) else "")
    assert message.startswith(
        f"twinvae: error: this is a fault of twinvae, not of your input: {kind} (in fit.py, line "
    )
    assert message.endswith("please report it with what --traceback shows")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("CUDA out of memory. Tried to allocate\n2 GiB"),
            "fewer rows (CUDA out of memory. Tried to allocate 2 GiB)",
        ),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "not enough memory: lower batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough memory: lower batch_size"),
        (RuntimeError("Unknown backend cuda. Available"), "error: Unknown backend cuda. Available"),
        (RuntimeError("No CUDA GPUs are available"), "error: No CUDA GPUs are available"),
        (RuntimeError("ONNX Runtime 1.0 cannot read the ONNX file"), "ONNX Runtime 1.0 cannot read"),
        (MemoryError(), "not enough memory: lower batch_size"),
        (ModuleNotFoundError("No module named 'scipy'", name="scipy"), "No module named 'scipy': see twinvae doctor"),
        (ValueError("bad value"), "error: bad value"),
        (OSError(errno.ENOSPC, "No space left", "x"), "error: x: No space left"),
    ],
)
def test_what_the_user_or_the_machine_can_change_is_not(
    sensors: Path, capsys: pytest.CaptureFixture[str], broken: Any, error: Exception, message: str
) -> None:
    broken(error)
    said = failure(capsys, *fit(sensors))
    assert message in said
    assert "fault of twinvae" not in said


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("bad value")])
def test_a_traceback_is_shown_on_request(
    sensors: Path, capsys: pytest.CaptureFixture[str], broken: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    broken(error)
    code = 70 if isinstance(error, KeyError) else 1

    def shown(*more: str) -> bool:
        assert cli.main(fit(sensors, *more)) == code
        said = capsys.readouterr().err
        assert said.splitlines()[-1].startswith("twinvae: error: ")
        assert ("Traceback (most recent call last)" in said) == ("raise error" in said)
        return "Traceback" in said

    monkeypatch.delenv("TWINVAE_TRACEBACK", raising=False)
    assert not shown()
    assert shown("--traceback")
    for value, expected in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("TWINVAE_TRACEBACK", value)
        assert shown() == expected


def test_a_fault_of_ours_in_a_stream_is_no_bad_line(
    saved: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: object, *_: object) -> object:
        raise TypeError("wrong")

    monkeypatch.setattr("twinvae.stream.stream.Stream.step", step)
    (tmp_path / "lines").write_text("[1, 2]\n")
    with (tmp_path / "lines").open() as lines:
        monkeypatch.setattr("sys.stdin", lines)
        assert cli.main(["watch", "--model", str(saved)]) == 70
    assert "fault of twinvae" in capfd.readouterr().err


@pytest.mark.filterwarnings("default")
def test_each_warning_is_said_once(sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gap = tmp_path / "gap.csv"
    hole = pl.int_range(pl.len()).is_in([7, 8, 140])
    pl.read_csv(sensors).with_columns(b=pl.when(hole).then(None).otherwise("b")).write_csv(gap)
    detect = ["detect", str(gap), "--columns", "a,b", "--out", str(tmp_path / "out"), *QUICK[2:]]
    for part in ([], [], ["--train-rows", "100"]):  # and the next command says it again
        assert cli.main([*detect, *part]) == 0
        said = capsys.readouterr().err.splitlines()
        assert len(said) == len(set(said))
        assert sum("left out" in line for line in said) == 1


def test_help_and_version_load_no_numbers() -> None:
    code = """
import sys
from twinvae.cli import main as cli
for option in ("--help", "--version"):
    try:
        cli.main([option])
    except SystemExit:
        assert "numpy" not in sys.modules
"""
    said = in_a_fresh_process(code)
    assert "synthesize" in said
    assert "twinvae 0." in said


def test_missing_values_may_be_negative_numbers() -> None:
    from twinvae.cli import fit, watch

    for command, first in ((fit, ["x.csv"]), (watch, [])):
        parser = argparse.ArgumentParser()
        command.options(parser)
        given = parser.parse_args([*first, "--model", "m", "--missing-values", "-999,-1", "--decimal", ","])
        assert (given.missing_values, given.decimal) == (("-999", "-1"), ",")


def test_a_long_name_in_a_file_makes_no_long_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path := tmp_path / "x.csv").write_text(f"{'a' * 5000}\ninf\n1\n")
    line = failure(capsys, "fit", path, "--model", tmp_path / "m.safetensors", "--columns", "a" * 5000)
    assert line.startswith("twinvae: error: ")
    assert len(line) < 900
