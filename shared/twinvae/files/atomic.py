"""Files that are whole or not there: written beside their place, then renamed."""

import errno
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LONGEST_SUFFIX = 16


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder, which takes the place of `path` if the body succeeds.

    If the body or the disk fails, the old file stays as it was and the temporary one is removed. A symbolic link stays,
    and the file that it leads to is replaced. The mode of the old file is kept, and its owner where the system lets us.

    Raises:
        OSError: if the folder does not exist or cannot be written, the disk is full, or something other than a regular
            file stands in the place.
    """
    target, before = _target(path)
    try:
        # Parts of the name only, since a name may be as long as the file system allows.
        suffix = target.suffix if len(target.suffix) <= LONGEST_SUFFIX else ""
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:16]}-", suffix=suffix)
    except OSError as error:
        error.filename = str(path)  # the user's file, not the temporary one
        raise
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        _take_over_rights(temporary, before)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_output(path: Path, inputs: Iterable[Path | None] = ()) -> None:
    """Says before the work, not after it, that a file cannot be written, or that it would destroy an input.

    Raises:
        ValueError: if it is one of the inputs, by this or another name.
        OSError: if there will be no place for it: see `replacing`.
    """
    target, before = _target(path)
    for other in inputs:
        if before and other and other.exists() and os.path.samestat(before, other.stat()):
            raise ValueError(f"{path}: is an input of this command: choose another file for the output")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        error.filename = str(path)
        raise


def _target(path: Path) -> tuple[Path, os.stat_result | None]:
    """The file that a name leads to, through symbolic links, and its status if it is there already."""
    try:
        before = path.stat()
    except FileNotFoundError:  # perhaps a link to what is not there yet
        return Path(os.path.realpath(path)), None
    except OSError as error:
        error.filename = str(path)
        raise
    if stat.S_ISDIR(before.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a directory, where a file is to be written", str(path))
    if not stat.S_ISREG(before.st_mode):
        raise OSError(errno.EINVAL, "not a regular file: choose another place for the output", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return Path(os.path.realpath(path)), before


def _take_over_rights(new: Path, before: os.stat_result | None) -> None:
    """Gives a temporary file, which is the owner's alone, the mode and the owner of the old file, or the usual mode."""
    if before is None:
        umask = os.umask(0)
        os.umask(umask)
        new.chmod(0o666 & ~umask)
        return
    if hasattr(os, "chown"):
        for owner in (before.st_uid, -1):  # only root may give a file away, but all may choose among their groups
            with suppress(OSError):
                os.chown(new, owner, before.st_gid)
                break
    new.chmod(stat.S_IMODE(before.st_mode))


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
