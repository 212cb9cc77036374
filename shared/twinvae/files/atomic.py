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

from twinvae.files.lock import hold, remove_unless_held

LONGEST_SUFFIX = 16
TEMPORARY = re.compile(r"\.twinvae-.*")  # whose names begin so is being written, or was when its process was killed
RUST_CODE = re.compile(r"\(os error (\d+)\)")  # in the words of libraries that have no OSError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder, which takes the place of `path` if the body succeeds.

    If the body or the disk fails, the old file stays as it was and the temporary one is removed. A symbolic link stays,
    and the file that it leads to is replaced. The mode of the old file is kept, and its owner where the system lets us.
    What a killed process leaves is removed by `check_outputs` of a later one.

    Raises:
        OSError: if the folder does not exist or cannot be written, the disk is full, or something other than a regular
            file stands in the place. It names `path`, the user's file, not the temporary one.
    """
    with _named(path):
        target, before = _target(path)
        handle, temporary = _new_beside(target)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            _take_over_rights(temporary, before)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
            if handle is not None:
                os.close(handle)


def check_outputs(paths: Iterable[Path], inputs: Iterable[Path | None] = ()) -> None:
    """Says before the work, not after it, that a file cannot be written, or that it would destroy an input.

    Temporary files of processes that were killed are removed from the folders of the outputs.

    Raises:
        ValueError: if one is an input, by this or another name.
        OSError: if there will be no place for it: see `replacing`.
    """
    known = [path for path in inputs if path is not None]
    folders = set()
    for path in paths:
        target, before = _target(path)
        for other in known:
            if before and other.exists() and os.path.samestat(before, other.stat()):
                raise ValueError(f"{path}: is an input of this command: choose another file for the output")
        try:
            with tempfile.TemporaryFile(dir=target.parent):
                folders.add(target.parent)
        except OSError as error:
            error.filename = str(path)
            raise
    for folder in folders:
        remove_abandoned(folder)


def remove_abandoned(folder: Path) -> None:
    """Removes temporary files of `replacing` from a folder, but for those that a process is writing at the moment."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                remove_unless_held(Path(entry.path))


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """Makes a folder, and those above it. Those that are new go again if the body fails and has left nothing there.

    Raises:
        OSError: if it cannot be made, or is no folder.
    """
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file, where a folder is to be written", str(path))
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in new:
            with suppress(OSError):  # what holds files stays
                folder.rmdir()
        raise


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Whatever the system refuses while a file is written is an OSError that names it, in whatever words it is said."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # in words of a library's own
            raise _in_words(path, error) from None
        if error.filename is None or TEMPORARY.fullmatch(Path(os.fsdecode(error.filename)).name):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    except Exception as error:
        if RUST_CODE.search(str(error)):
            raise _in_words(path, error) from None
        raise


def _in_words(path: Path, error: Exception) -> OSError:
    text = str(error)
    found = RUST_CODE.search(text)
    code = int(found[1]) if found else errno.EIO
    return OSError(code, os.strerror(code) if found else text.partition("\n")[0], str(path))


def _new_beside(target: Path) -> tuple[int | None, Path]:
    """A new file in the folder of another, and the handle that keeps it from being taken for an abandoned one."""
    # Parts of the name only, since a name may be as long as the file system allows.
    suffix = target.suffix if len(target.suffix) <= LONGEST_SUFFIX else ""
    while True:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".twinvae-{target.stem[:16]}-", suffix=suffix)
        if hold(handle):
            return handle, Path(name)
        os.close(handle)
        if Path(name).exists():  # not taken for an abandoned one in this moment: there are no locks here
            return None, Path(name)


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
