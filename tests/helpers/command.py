"""The command as tests call it: in this process, for the line that it fails with."""

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


def misuse(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line on stderr of a command that is used wrongly: exit code 2."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line
