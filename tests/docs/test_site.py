"""The site builds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATH, ROOT


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(tmp_path)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": PATH}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "<table" in (tmp_path / "hyperparameters.html").read_text(encoding="utf-8")
