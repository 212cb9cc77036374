"""Each Python and console block of the pages is run, in the order of the page, or says why it cannot be."""

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import _parser as benchmarks_parser
from tests.conftest import PATH, ROOT
from tests.docs.conftest import NAMES
from tests.helpers.blocks import Block, Command, blocks, blocks_of, commands, shape
from twinvae.cli.main import _parser, main

PAGES = [path for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))) if blocks_of(path)]
OUTSIDE = ("|", "python")  # a line with one of these is given to a shell


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_blocks_of_a_page_run(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks_of(page):
        where = f"{page}:{block.line}"
        if block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            if block.reason is None:
                names |= {name: NAMES[name]() for name in code.co_names if name in NAMES and name not in names}
                exec(code, names)
                capsys.readouterr()
            continue
        for command in commands(block):
            if block.reason is None:
                said = run(command, folder, capsys)
                assert missing(command, said) == [], f"{where}: {command.text}\n{said}"
            else:
                check(command)


def run(command: Command, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command and returns what it printed; a line with a pipe, or another program, in a shell."""
    words = shlex.split(command.text, comments=True)
    if not set(OUTSIDE) & set(words):
        assert words[0] == "twinvae", command.text
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # what the command says is no error
            code = main(words[1:])
        said = capsys.readouterr()
        assert code == 0, f"{command.text}\n{said.err}"
        return said.out
    functions = f'twinvae() {{ "{sys.executable}" -m twinvae "$@"; }}; python() {{ "{sys.executable}" "$@"; }}'
    ending = command.text.replace("tail -n +1 -F", "tail -n +1")  # which would wait for more
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {functions}; {ending}"],
        cwd=folder, env=os.environ | {"PYTHONPATH": PATH}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command.text}\n{done.stderr}"
    return done.stdout


def missing(command: Command, said: str) -> list[str]:
    """The lines that the page shows and the command did not print, numbers aside."""
    printed = set(map(shape, said.splitlines()))
    return [line for line in command.output if line != "..." and shape(line) not in printed]


def check(command: Command) -> None:
    """Holds a command that is not run to what there is: commands and options, extras, targets of make."""
    words = shlex.split(command.text, comments=True)
    program = Path(words[0]).name
    if program == "twinvae":
        _parser(words[1:]).parse_args(words[1:])
    elif words[1:3] == ["-m", "benchmarks"]:
        benchmarks_parser().parse_args(words[3:])
    elif program == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M), command.text
    elif program == "pip":
        known = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for extra in re.findall(r"\[([\w,]+)\]", command.text):
            assert all(re.search(rf"^{name} = \[", known, re.M) for name in extra.split(",")), command.text
    else:
        assert program == "ray", command.text


# The runner can fail.


def console(text: str, reason: str | None = None) -> Block:
    mark = "" if reason is None else f"<!-- not run: {reason} -->\n"
    (block,) = blocks(f"{mark}```console\n{text}\n```\n")
    return block


def test_a_block_without_a_reason_that_is_known_is_refused() -> None:
    assert console("$ true", "network").reason == "network"
    with pytest.raises(ValueError, match="'mood' is no reason"):
        console("$ true", "mood")


def test_an_output_that_a_command_does_not_print_is_found() -> None:
    (command,) = commands(console("$ twinvae demo\nrows [1, 2)   0.5\n...\nnever said"))
    assert missing(command, "rows   [17, 28)  9.5e-3\nmore") == ["never said"]


def test_a_line_goes_on_after_a_backslash_and_a_comment_is_none_of_it() -> None:
    first, second = commands(console("$ a b \\\n    c  # d\n1\nhead$ e"))
    assert shlex.split(first.text, comments=True) == ["a", "b", "c"]
    assert first.output == ("1",)
    assert second.text == "e"


@pytest.mark.parametrize(
    "text",
    [
        "twinvae detekt a.csv", "twinvae detect a.csv --out o --none 1", "python -m benchmarks run --none",
        "make nothing", "pip install '.[nothing]'", "rm -r /",
    ],
)  # fmt: skip
def test_a_command_that_there_is_not_is_found_without_running_it(text: str) -> None:
    with pytest.raises((SystemExit, AssertionError)):
        check(Command(text, ()))
