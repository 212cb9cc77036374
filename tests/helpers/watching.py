"""`twinvae watch` as a process of its own, fed through pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import PATH
from tests.stream.test_stream import points


def process(*arguments: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "twinvae", "watch", *map(str, arguments)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    running: subprocess.Popen[bytes] = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": PATH}, **pipes)
    return running


def watch(text: str | bytes, *arguments: str | Path) -> tuple[int, list[dict[str, Any]], list[str]]:
    """The exit code, what was written, and the lines on stderr."""
    with process(*arguments) as running:
        out, err = running.communicate(text.encode() if isinstance(text, str) else text, timeout=120)
    assert b"Traceback" not in err
    return running.returncode, [json.loads(line) for line in out.splitlines()], err.decode().splitlines()


def jsonl(length: int) -> list[bytes]:
    return [f"{json.dumps(row)}\n".encode() for row in points(length, 2).tolist()]
