"""The plan of a fleet's run: which series are in which batch, of which settings and versions of the input.

It is kept as JSON with a checksum, as are the other files of a run's progress.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from twinvae.files.atomic import write_text
from twinvae.fleet.input import Version

FORMAT = "twinvae fleet"
VERSION = 1


class DamagedError(ValueError):
    """A file of the progress is not as it was written."""


@dataclass(frozen=True)
class Plan:
    """What a run does. It follows from the settings and the input alone, so that a lost plan can be made anew."""

    settings: Mapping[str, Any]  # plain data
    files: Mapping[str, Version]  # of the input
    batches: tuple[tuple[str, ...], ...]
    failed: Mapping[str, str]  # series that are in no batch -> why

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all series, in order."""
        return tuple(sorted([*self.failed, *(name for batch in self.batches for name in batch)]))

    @cached_property
    def digest(self) -> str:
        """A hash of all that the plan says: parts of one plan are told from those of another by it."""
        return content_sum(asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The plan in a file.

        Raises:
            DamagedError: if the file is not whole.
        """
        try:
            content = read_checked(path)
            plan = cls(
                dict(content["settings"]),
                {name: Version(*version) for name, version in content["files"].items()},
                tuple(map(tuple, content["batches"])),
                dict(content["failed"]),
            )
            "".join([*plan.names, *plan.failed.values()])  # a TypeError if they are no words
        except (DamagedError, KeyError, TypeError, ValueError, AttributeError):
            advice = "remove this file, and --resume makes it anew; what is finished stays"
            raise DamagedError(f"{path}: damaged plan: {advice}") from None
        return plan


def write_checked(path: Path, content: Mapping[str, Any]) -> None:
    """Writes plain data as JSON with a checksum, whole or not at all."""
    head = json.dumps({"format": FORMAT, "version": VERSION, "sum": content_sum(content)})
    write_text(path, f'{head[:-1]},\n"content": {_text(content)}}}\n')


def read_checked(path: Path) -> dict[str, Any]:
    """What `write_checked` has written.

    Raises:
        DamagedError: if the file is cut off, or its content does not have the sum that it should.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        content: dict[str, Any] = whole["content"]
        whole_sum = whole["sum"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedError(f"{path}: not whole") from None
    if not isinstance(content, dict) or whole_sum != content_sum(content):
        raise DamagedError(f"{path}: damaged")
    return content


def content_sum(content: Mapping[str, Any]) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
