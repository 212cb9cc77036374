"""Warnings for the caller or, where many series are worked on at once, kept with the series that they are of."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)


def warn(message: str, *, stacklevel: int = 1) -> None:
    """Like `warnings.warn`, or adds the message to the list of `collected` if that is open in this thread."""
    found = _collected.get()
    if found is None:
        warnings.warn(message, stacklevel=stacklevel + 1)
    else:
        found.append(message)


# Control characters move the cursor or change the terminal, half surrogates cannot be written, and marks of direction
# make a text look like another one.
_UNPRINTABLE = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def printable(text: str) -> str:
    """A text of lines as a terminal may have it, whatever is in names and cells: \\u001b, as in JSON, for an escape."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(message: object) -> str:
    """The message without line breaks, as an error or a cell of a table can hold it."""
    return " ".join(str(message).split())


def shortened(message: object, longest: int = 60) -> str:
    """The message, or the beginning of one that is longer than so many characters."""
    text = str(message)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


@contextmanager
def collected() -> Iterator[list[str]]:
    """Gives the list of what its body warns of. Unlike `warnings.catch_warnings`, for this thread alone."""
    found: list[str] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)
