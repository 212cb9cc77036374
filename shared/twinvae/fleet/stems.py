"""The names of the files of a fleet's series: each series has one of its own on every file system."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable

LONGEST_STEM = 200  # bytes: file systems take 255, and a temporary file's name is longer
UNSAFE = '/\\:*?"<>|%~'  # in one file system or another; ~ marks the names that are not their series' own


def file_stems(names: Iterable[str]) -> dict[str, str]:
    """A file name without suffix for each series: the series' own name, percent-encoded where a character is unsafe.

    A name that is too long, reserved by the system, or equal to another but for case ends in a hash instead. The
    result depends on the set of names alone, not on their order.
    """
    own = {name: _encoded(name) for name in names}
    alike = Counter(map(_folded, own.values()))
    return {
        name: stem
        if stem and alike[_folded(stem)] == 1 and len(stem.encode()) <= LONGEST_STEM and not _reserved(stem)
        else stem.encode()[: LONGEST_STEM - 20].decode(errors="ignore")
        + f"~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        for name, stem in own.items()
    }


def _encoded(name: str) -> str:
    stem = "".join(
        letter if letter.isprintable() and letter not in UNSAFE else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in name
    )
    return f"%2E{stem[1:]}" if stem.startswith(".") else stem  # no hidden files


def _folded(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()


def _reserved(stem: str) -> bool:
    """Whether Windows keeps the name for a device."""
    device = stem.split(".", maxsplit=1)[0].strip().upper()
    return device in ("CON", "PRN", "AUX", "NUL") or (device[:3] in ("COM", "LPT") and device[3:].isdigit())
