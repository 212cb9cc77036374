"""The command keeps what it compiles for its next run; what the user has set it leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import PATH
from twinvae.cli import main as cli

SETTINGS = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "TF_CPP_MIN_LOG_LEVEL")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", {"TWINVAE_CACHE": str(tmp_path / "cache")})
    monkeypatch.setattr(sys, "argv", ["twinvae", "fit"])


def test_a_command_keeps_programs_in_the_users_cache(tmp_path: Path) -> None:
    cli._keep_compiled_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "cache" / "jax")
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0, "others must not put programs there"


def test_what_the_user_has_set_stays() -> None:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = "elsewhere"
    cli._keep_compiled_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"


def test_no_cache_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["twinvae", "fit", "--no-cache"])
    cli._keep_compiled_programs()
    assert os.environ["TWINVAE_CACHE"] == "off"
    assert not set(SETTINGS) & set(os.environ)
    assert not list(tmp_path.iterdir())


def test_a_cache_that_cannot_be_made_is_none(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    cli._keep_compiled_programs()
    assert not set(SETTINGS) & set(os.environ)


@pytest.mark.slow
def test_a_second_run_finds_the_programs_of_the_first_and_the_same_model(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "series.csv", np.sin(np.arange(300.0)), header="value", comments="")

    def fit(model: str, *options: str) -> tuple[bytes, set[Path]]:
        command = [sys.executable, "-m", "twinvae", "fit", "series.csv", "--backend", "jax", "--epochs", "2", *options]
        environment = {"PYTHONPATH": PATH, "TWINVAE_CACHE": str(tmp_path / "cache"), "PATH": ""}
        done = subprocess.run(
            [*command, "--model", model], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return (tmp_path / model).read_bytes(), set(tmp_path.glob("cache/jax/*-cache"))

    without, nothing = fit("a", "--no-cache")
    assert not nothing
    first, programs = fit("b")
    assert programs
    assert fit("c") == (first, programs)
    assert first == without
