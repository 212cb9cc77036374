"""No command writes over what it reads, or over what is no regular file; it says so before it works."""

import os
import stat
from pathlib import Path

import pytest

from tests.helpers.command import QUICK, failure, files


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: object, **__: object) -> None:
        raise AssertionError("trained before the outputs were checked")

    monkeypatch.setattr("twinvae.detector.detector.VAEDetector.fit", fit)


def commands(folder: Path) -> dict[str, tuple[str | Path, ...]]:
    """Each command whose output is one of its inputs."""
    table, model = folder / "sensors.csv", folder / "m.safetensors"
    (folder / "out").mkdir()
    (folder / "out" / "scores.csv").hardlink_to(table)
    (folder / "other.csv").write_bytes(table.read_bytes())
    (folder / "m.onnx").symlink_to(model)
    (folder / "m.csv").symlink_to(model)
    return {
        "fit": ("fit", table, "--model", table, *QUICK),
        "score": ("score", table, "--model", model, "--out", table),
        "score over the model": ("score", table, "--model", model, "--out", folder / "m.csv"),
        "detect": ("detect", table, "--out", folder / "out", "--train-rows", "100", "--labels", "fault", *QUICK),
        "detect over --train": (
            "detect", folder / "other.csv", "--out", folder / "out", "--train", table, "--columns", "a,b", *QUICK
        ),
        "watch": ("watch", "--model", model, "--state", model),
        "export": ("export", "--model", model, "--onnx", folder / "m.onnx"),
    }  # fmt: skip


def test_no_output_is_an_input(sensors: Path, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = commands(sensors.parent)
    before = files(sensors.parent)
    for name, arguments in cases.items():
        assert "is an input of this command" in failure(capsys, *arguments), name
    assert files(sensors.parent) == before


def test_an_output_is_a_regular_file(sensors: Path, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sensors.parent
    (folder / "out").mkdir()
    for name in ("pipe.csv", "pipe.onnx", "out/latent.png", "out/summary.json"):
        os.mkfifo(folder / name)
    (folder / "null.state").symlink_to("/dev/null")
    for arguments in (
        ("fit", sensors, "--model", "/dev/null", *QUICK),
        ("score", sensors, "--model", saved, "--out", folder / "pipe.csv"),
        ("detect", sensors, "--out", folder / "out", "--train-rows", "100", "--labels", "fault", *QUICK),
        ("demo", "--out", folder / "out"),
        ("watch", "--model", saved, "--state", folder / "null.state"),
        ("export", "--model", saved, "--onnx", folder / "pipe.onnx"),
    ):
        assert "not a regular file" in failure(capsys, *arguments), arguments[0]
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("name", ["out", "n" * 300, "sensors.csv/m", "none/m"])
def test_an_impossible_name_is_refused_before_the_training(
    sensors: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (sensors.parent / "out").mkdir()
    place = sensors.parent / name
    assert failure(capsys, "fit", sensors, "--model", place, *QUICK).startswith(f"twinvae: error: {place}: ")
