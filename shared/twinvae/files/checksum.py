"""Checksums that files carry, so that damage to them is noticed when they are read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def checksum(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of a text and of named arrays (names, shapes, types and values), as 64 hexadecimal digits."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass"))
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode(errors="surrogatepass"))
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def file_checksum(path: Path) -> str:
    """The SHA-256 of the bytes of a file, as `sha256sum` prints it. An OSError says that it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
