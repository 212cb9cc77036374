"""Locks that keep other processes out as long as one lives, so that two never write to the same files."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)  # what a file system says that has none


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds the lock that a file is. A file system that has no locks is taken as it is.

    Raises:
        ValueError: if another process holds it; the message is `what`.
        OSError: if the file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(what) from None
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_beside(path: Path, what: str) -> Iterator[None]:
    """Holds the lock of a file that is written anew each time: a hidden file beside it, which is removed at the end.

    Raises:
        ValueError: if another process holds it; the message is `what`.
        OSError: if the file cannot be made.
    """
    target = path.resolve()  # by whatever link it is called
    beside = target.with_name(f".{target.name}.lock")
    with locked(beside, what):
        try:
            yield
        finally:
            with suppress(OSError):  # while it is held, so that it is nobody else's
                beside.unlink()


def hold(handle: int) -> bool:
    """Locks a file that this process has just made, until the handle is closed or the process is gone.

    False if it could not, or another process has just removed the file: see `remove_unless_held`.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.fstat(handle).st_nlink > 0


def remove_unless_held(path: Path) -> None:
    """Removes a file that no process holds. Where that cannot be known it stays."""
    if fcntl is None:
        return
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()  # while it is locked, so that whoever has just made it sees that it has gone
        finally:
            os.close(handle)
