"""The command `twinvae fleet` with work that trains nothing, and series for it."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.helpers.fleet_run import Fleet, fake_work
from twinvae.cli import main as cli

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


@pytest.fixture
def fleet(sensors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Runs the command with work that trains nothing."""
    monkeypatch.setattr("twinvae.fleet.run.work", fake_work)
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no power fails here, and it takes its time

    def run(out: str, *more: str, source: Path = sensors) -> int:
        return cli.main(["fleet", str(source), "--out", str(tmp_path / out), *ARGUMENTS, *more])

    return run
