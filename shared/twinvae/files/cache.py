"""Files that can be made anew at any time: kept in the user's cache folder, and checked before they are used."""

import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from twinvae.files.atomic import write_bytes

KEPT = 64  # files of a kind; the one that was not used for longest goes first


def cache_folder() -> Path | None:
    """Where twinvae keeps what it can make anew, or None where nothing is to be kept.

    The environment variable TWINVAE_CACHE names the folder; `off` says that there is none. By default it is the folder
    `twinvae` in the place that the system has for caches.
    """
    chosen = os.environ.get("TWINVAE_CACHE", "")
    if chosen.lower() in ("off", "0", "no"):
        return None
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "twinvae"


def digest_of(*facts: object) -> str:
    """A name for whatever depends on these facts: 64 hexadecimal digits, others for any other facts."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def cached(kind: str, key: str, suffix: str, make: Callable[[Path], None], temporary: Path) -> Path:
    """The file that `make` writes for this key: the one in the cache if it is whole and the user's own, else a new one.

    The name of a file in the cache holds the SHA-256 of its content. One that is damaged, or belongs to another user,
    is made anew, with a warning. Where the cache cannot be written, the file stays in the folder `temporary`.
    """
    folder = cache_folder()
    if folder is not None:
        for path in sorted((folder / kind).glob(f"{key}-*{suffix}")):
            if not _trusted(path, key, suffix):
                warnings.warn(f"{path}: is damaged or not yours: made anew", stacklevel=2)
                with suppress(OSError):
                    path.unlink()
                continue
            with suppress(OSError):
                os.utime(path)
            return path
    made = temporary / f"{key}{suffix}"
    make(made)
    if folder is None:
        return made
    kept = folder / kind / f"{key}-{hashlib.sha256(made.read_bytes()).hexdigest()}{suffix}"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_bytes(kept, made.read_bytes())
    except OSError as error:
        reason = f"cannot keep a compiled program ({error.strerror}), so each process compiles"
        warnings.warn(f"{kept.parent}: {reason}: name another folder in TWINVAE_CACHE", stacklevel=2)
        return made
    _forget_the_oldest(kept.parent, suffix)
    return kept


def _trusted(path: Path, key: str, suffix: str) -> bool:
    try:
        if hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid():
            return False
        return path.name == f"{key}-{hashlib.sha256(path.read_bytes()).hexdigest()}{suffix}"
    except OSError:
        return False


def _forget_the_oldest(folder: Path, suffix: str) -> None:
    with suppress(OSError):  # another process may be doing the same
        by_use = sorted(folder.glob(f"*{suffix}"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in by_use[KEPT:]:
            path.unlink(missing_ok=True)
