"""No command writes over what it reads, or over what is no regular file; it says so before it works."""

import contextlib
import os
import signal
import stat
from pathlib import Path

import pytest

from tests.helpers.command import QUICK, failure, files
from twinvae.cli import main


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


def test_folders_are_checked_before_the_work(
    sensors: Path, saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def works(*_: object, **__: object) -> None:
        raise AssertionError("worked before the outputs were checked")

    for what in ("cli.synthesize.write_series", "cli.fleet.open_input", "data.download._pooch"):
        monkeypatch.setattr(f"twinvae.{what}", works)
    folder = sensors.parent
    many, one = ("synthesize", "--kind", "spike", "--length", "600", "--train-rows", "200"), ("--anomalies", "1")
    for name in ("series/series-1.csv", "fleet/events.parquet", "fleet2/fleet.json"):
        (folder / name).mkdir(parents=True)
    (folder / "fleet3").mkdir()
    (folder / "fleet3" / "models").symlink_to("nowhere")
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr("twinvae.fleet.folder.FleetFolder.check_new", lambda self: None)
    for arguments, place in (
        ((*many, "--series", "2", "--out", folder / "series"), "series/series-1.csv"),
        ((*many, *one, "--out", sensors), "sensors.csv"),
        (("fleet", folder, "--out", folder / "fleet"), "fleet/events.parquet"),
        (("fleet", folder, "--out", folder / "fleet2"), "fleet2/fleet.json"),
        (("fleet", folder, "--out", folder / "fleet3"), "fleet3/models"),
    ):
        line = failure(capsys, *arguments)
        assert line.startswith(f"twinvae: error: {folder / place}: a ")
        assert sorted(folder.rglob("*")) == before


def test_a_damaged_state_is_not_put_over_the_model(
    sensors: Path, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved.rename(saved.with_name("state.damaged"))
    whole = model.read_bytes()
    (state := saved.with_name("state")).write_bytes(b"")
    assert "is an input of this command" in failure(capsys, "watch", "--model", model, "--state", state)
    assert model.read_bytes() == whole


def test_sigterm_ends_a_command_with_its_own_code_and_leaves_nothing(
    sensors: Path, saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("twinvae.detector.detector.VAEDetector.fit", ended)
    before, handler = files(sensors.parent), signal.getsignal(signal.SIGTERM)
    for arguments in (
        ("fit", sensors, "--labels", "fault", "--model", sensors.with_name("new.safetensors")),
        ("detect", sensors, "--labels", "fault", "--train-rows", "9", "--out", sensors.parent / "new" / "folder"),
    ):
        assert failure(capsys, *arguments, code=143) == "twinvae: error: ended by SIGTERM"
        assert sorted(sensors.parent.iterdir()) == sorted([saved, sensors])
    assert files(sensors.parent) == before
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.parametrize("command", [("--help",), ("score", "--help"), ("download", "--list")])
def test_a_full_standard_output_is_an_error_that_says_so(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main.main(command) == 1
        with contextlib.suppress(OSError):
            full.close()
    assert capsys.readouterr().err == "twinvae: error: standard output: No space left on device\n"
