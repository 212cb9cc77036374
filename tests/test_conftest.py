"""The rule on skips, by runs of pytest on a folder of its own; annotations are checked in one thread at a time."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import typechecking

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "gpu": "def test(): pytest.skip('no GPU here')",
    "browser": "def test(): pytest.skip('no Chromium with chromedriver and Selenium here')",
    "data": "def test(): pytest.skip('no ../shared/data here')",
    "mark": "@pytest.mark.skipif(True, reason='no GPU here')\ndef test(): pass",
    "xfail": "@pytest.mark.xfail(strict=True)\ndef test(): assert False",
}
REFUSED = {
    "reason": "def test(): pytest.skip('too slow')",
    "none": "def test(): pytest.skip()",
    "bare": "@pytest.mark.skip\ndef test(): pass",
    "condition": "@pytest.mark.skipif(True, reason='Windows')\ndef test(): pass",
    "package": "pytest.importorskip('no_such_package')\ndef test(): pass",
    "module": "pytest.skip('why not', allow_module_level=True)",
    "fixture": "@pytest.fixture\ndef f(): pytest.skip('why not')\ndef test(f): pass",
}


def run(folder: Path, files: dict[str, str]) -> tuple[int, str]:
    """pytest's exit status and output on these files, with our conftest."""
    for name, body in files.items():
        (folder / f"test_{name}.py").write_text(f"import pytest\n{body}\n")
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfEs", "--continue-on-collection-errors", str(folder)],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared")]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_missing_gpu_browser_or_data_may_skip(tmp_path: Path) -> None:
    status, output = run(tmp_path, ALLOWED)
    assert status == 0, output
    assert "4 skipped, 1 xfailed" in output


def test_nothing_else_may_skip(tmp_path: Path) -> None:
    status, output = run(tmp_path, REFUSED)
    assert status == 1, output
    for name in REFUSED:
        assert f"FAILED test_{name}.py" in output or f"ERROR test_{name}.py" in output, (name, output)
    assert "skipped" not in output.splitlines()[-1]
    assert output.count("only a missing GPU, browser or data may do") >= len(REFUSED)


def test_two_threads_do_not_decorate_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    free: list[bool] = []

    def beartype(function: Callable[..., Any]) -> Callable[..., Any]:
        other = threading.Thread(target=lambda: free.append(typechecking.ONE_AT_A_TIME.acquire(blocking=False)))
        other.start()
        other.join()
        return function

    monkeypatch.setattr(typechecking, "beartype", beartype)
    typechecking.checked(lambda: None)
    assert free == [False]
