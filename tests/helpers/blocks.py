"""The code blocks of a page, and what keeps one from being run."""

import re
from pathlib import Path
from typing import NamedTuple

# Why a block cannot run in the tests. It stands in the line above the block: <!-- not run: network -->
REASONS = ("network", "cluster", "GPU", "package", "minutes")
BLOCK = re.compile(r"^(?:<!-- not run: ([^\n]*) -->\n)?```(python|console)\n(.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """A block of Python or of commands with their output."""

    language: str
    text: str
    line: int  # of its first line in the page
    reason: str | None  # why it is not run


class Command(NamedTuple):
    """What is typed after a prompt, and what the page says that it prints."""

    text: str
    output: tuple[str, ...]


def blocks(page: str) -> list[Block]:
    """The blocks of a page in their order."""
    found = []
    for match in BLOCK.finditer(page):
        reason = match[1]
        if reason is not None and reason not in REASONS:
            raise ValueError(f"{reason!r} is no reason: choose one of {', '.join(REASONS)}")
        found.append(Block(match[2], match[3], page.count("\n", 0, match.start(3)) + 1, reason))
    return found


def blocks_of(path: Path) -> list[Block]:
    return blocks(path.read_text(encoding="utf-8"))


def commands(block: Block) -> list[Command]:
    """The commands of a console block; a line that ends with a backslash goes on in the next."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        prompt = re.match(r"(?:\w+)?\$ ", line)
        if prompt:
            found.append((line[prompt.end() :], []))
        else:
            found[-1][1].append(line)  # an IndexError: a console block begins with a prompt
    return [Command(text, tuple(output)) for text, output in found]


def shape(line: str) -> str:
    """A line of output with its numbers and widths taken away: they depend on the machine."""
    return re.sub(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", "0", " ".join(line.split()))
