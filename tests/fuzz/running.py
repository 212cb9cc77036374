"""The command run thousands of times in this process, and what must hold whatever it was given."""

import io
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from tests.conftest import unchecked
from twinvae.cli import main as cli

LONGEST = 20.0  # seconds of one case


class Ran(NamedTuple):
    """What a command has left: its exit code, and what it wrote."""

    code: int
    out: bytes
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines on stderr that are no notes, warnings or bad lines of `watch`."""
        said = (line.removeprefix("twinvae: ") for line in self.err.splitlines())
        return [line for line in said if not line.startswith(("note: ", "warning: ", "line "))]


class Hung(BaseException):
    """A case that takes longer than a case may."""


def run(*arguments: str | Path, given: bytes = b"") -> Ran:
    """Runs the command with these bytes on standard input."""
    streams = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(given))
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", errors="backslashreplace", write_through=True)
    wrappers = sys.stdout, sys.stderr
    try:
        with unchecked(), _time_limit():
            code = cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        for wrapper in wrappers:
            wrapper.flush()
        sys.stdin, sys.stdout, sys.stderr = streams
    return Ran(code, out.getvalue(), err.getvalue().decode())


@contextmanager
def _time_limit() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


Tree = Mapping[str, bytes | str | None]


def tree(folder: Path) -> Tree:
    """All that is below a folder: the content of files, where links lead, None for folders."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else (path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    }


def check(ran: Ran, before: Tree, after: Tree, outputs: Sequence[str] = ()) -> None:
    """Raises AssertionError if the command broke a rule, whatever it was given.

    It ends with 0 or 1 and at most one line of error, which is no traceback and names no fault of ours; its inputs are
    as they were; and nothing is there beside them and its outputs.
    """
    assert ran.code in (0, 1), f"exit code {ran.code}: {ran.err}"
    assert len(ran.errors) == ran.code, f"not one line of error for exit code {ran.code}: {ran.err}"
    assert "Traceback" not in ran.err
    assert all(line.startswith("twinvae: ") for line in ran.err.splitlines()), ran.err
    assert max(map(len, ran.errors), default=0) < 1000, f"an error of {len(ran.err)} characters: {ran.err[:300]}"
    for name, content in before.items():
        assert after.get(name, "gone") == content or name in outputs, f"{name} was changed"
    for name in after.keys() - before.keys():
        assert name in outputs, f"{name} was left"
