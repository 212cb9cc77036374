"""The command as tests call it: in this process, for the lines that it fails with and the files that it leaves."""

from pathlib import Path

import pytest

from twinvae.cli import main as cli

QUICK = ("--preset", "standard", "--epochs", "2", "--window", "10", "--hidden-dim", "4", "--latent-dim", "2")


def failure(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 1) -> str:
    """The one line on stderr of a command that fails with this exit code."""
    assert cli.main([str(argument) for argument in arguments]) == code
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert captured.out == ""
    return errors[0]


def errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr that are errors; nothing there may be a traceback."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    assert all(line.startswith("twinvae: ") for line in text.splitlines())
    return [line for line in text.splitlines() if "error: " in line]


def misuse(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line on stderr of a command that is used wrongly: exit code 2."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def files(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
