"""The examples of the rules in docs/thresholds.md run as they stand there."""

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.conftest import ROOT
from tests.helpers.waves import spiked_wave
from twinvae.cli import main as cli

PAGE = (ROOT / "docs" / "thresholds.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Which events are worth a call") : PAGE.index("## Measured")]
FAST = ("--epochs", "2", "--hidden-dim", "8", "--latent-dim", "2")


def test_every_rule_has_an_example_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stamps = pl.datetime_range(pl.datetime(2026, 1, 5), pl.datetime(2026, 1, 9, 23, 50), "10m", eager=True)
    values = np.stack([spiked_wave(len(stamps), (620,)), 8 + spiked_wave(len(stamps), (), seed=1)], axis=1)
    table = pl.DataFrame({"time": stamps.dt.strftime("%Y-%m-%d %H:%M"), "flow": values[:, 0], "pressure": values[:, 1]})
    table[:400].write_csv(tmp_path / "week.csv")
    table[500:].write_csv(tmp_path / "today.csv")
    (spans,) = re.findall(r"```text\n(start,end\n.*?)```", SECTION, re.DOTALL)
    (tmp_path / "maintenance.csv").write_text(spans)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\$ twinvae (.*)$", SECTION, re.M)
    for command in commands:
        arguments = shlex.split(command)
        assert cli.main([*arguments, *(FAST if arguments[0] == "fit" else ())]) == 0, command
        said = capsys.readouterr()
        assert said.err == "", command
    for rule in ("--direction", "--min-deviation", "--min-length", "--at-least", "--valid-range", "--ignore"):
        assert any(rule in command for command in commands), rule
        assert f"| `{rule}" in SECTION, rule
