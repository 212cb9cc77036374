"""Files that are whole or not there: written beside their place, then renamed."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder, which takes the place of `path` if the body succeeds.

    If the body or the disk fails, the old file stays as it was and the temporary one is removed.

    Raises:
        OSError: if the folder does not exist or cannot be written, or the disk is full.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except OSError as error:
        error.filename = str(path)  # the user's file, not the temporary one
        raise
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's file is the owner's alone
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def as_json(content: Any) -> str:
    """JSON for people: indented, but a list of numbers (and null) stays on one line."""
    text = json.dumps(content, indent=2)
    return re.sub(r"\[\n(?:[\s\d.,eE+-]|null)*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"
