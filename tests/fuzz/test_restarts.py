"""`watch` ended and started again between any two lines writes what one run writes, whatever the lines are."""

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.running import Ran, check, run, tree
from tests.stream.test_stream import model
from twinvae.files.atomic import write_bytes
from twinvae.model import file as model_file

SEPARATORS = (",", ";", "\t", "|", " ; ", ", ")
WORDS = ("", "NaN", "NA", "null", "-", "?", "n.i.B.")
JUNK = (
    "", " ", "\t", "oops", "1", "1,2,3,4", "1;2", "[1", "{}", "[]", "[1, 2]", "[null, 5]", "a,b", "b,a", "time,b,a",
    '{"a": 3, "b": 4, "time": 9}', "x,y", "a;b", "# a,b", "# note", "sep=;", "sep=,", "3", '"1","2"', '"1', "1,inf",
    "1e999,1", "2026-01-01,1,2", "20,5", "1,2,", ",", ";", ",,", "\ufeff1,2", "\x00", "\x85", "\u2028", "1\r2", "é",
    "null", "NaN,NaN",
)  # fmt: skip


class Case:
    """Models of one channel, of two, and of a counter and a channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        some: Any = {"threshold": 0.5, "least_height": 0.1, "missing": "mask"}
        counter = model(2, **some)
        counter = type(counter)(**vars(counter) | {"channels": ("difference(a)", "b")})
        self.models = []
        for at, made in enumerate((model(1, **some), model(2, **some), counter, model(2, threshold=0.5))):
            self.models.append(folder / f"m{at}.safetensors")
            write_bytes(self.models[-1], model_file.as_bytes(made))

    def watch(self, state: str, lines: list[bytes], *arguments: str | Path) -> Ran:
        before = tree(self.folder)
        ran = run("watch", *arguments, "--state", self.folder / state, given=b"".join(lines))
        check(ran, before, tree(self.folder), [state])
        return ran


def lines_of(channels: int, chance: random.Random) -> list[bytes]:
    """A header or none, rows of one form, and other lines among them; a byte here and there is none of UTF-8."""
    names, separator = ["a", "b"][:channels], chance.choice(SEPARATORS)
    stamped, json_lines, comma = chance.random() < 0.5, chance.random() < 0.2, chance.random() < 0.15

    def number() -> str:
        if chance.random() < 0.1:
            return chance.choice(WORDS)
        text = str(chance.choice((chance.randrange(50), round(chance.gauss(0, 3), 2), 30.5)))
        return text.replace(".", ",") if comma and separator[0] != "," else text

    def row(at: int) -> str:
        stamp = chance.choice((f"2026-01-01 00:{at:02}", f"2026-01-01 00:{at:02}", str(at), "x"))
        if json_lines:
            values = [chance.choice(("1", "2.5", "null", "30", "NaN", '"x"', "1e400")) for _ in names]
            pairs = ", ".join(f'"{name}": {value}' for name, value in zip(names, values, strict=True))
            return f'{{"time": "{stamp}", {pairs}}}' if stamped else f"[{', '.join(values)}]"
        return separator.join([stamp] * stamped + [number() for _ in names])

    texts = [row(at) for at in range(chance.randrange(1, 25))]
    if chance.random() < 0.4 and not json_lines:
        columns = ["time"] * stamped + chance.sample(names, channels)
        first = chance.choice(([], [], ["# made by hand"], ["sep=" + separator.strip(" ")]))
        texts = [*first, separator.join(columns), *texts]
    for _ in range(chance.choice((0, 0, 1, 3))):
        texts.insert(chance.randrange(len(texts) + 1), chance.choice(JUNK))
    ends = [chance.choice(("\n", "\n", "\r\n")) for _ in texts]
    lines = [text.encode() + end.encode() for text, end in zip(texts, ends, strict=True)]
    if chance.random() < 0.1:
        lines[chance.randrange(len(lines))] = b"\xff\xfe,\x80\n"
    return lines


def same_with_restarts(case: Case, seed: int) -> None:
    """One run with a state, and as many as there are cuts; also with --replay, where each gets all lines so far."""
    chance = random.Random(f"restarts {seed}")
    for path in case.folder.glob("s*"):
        path.unlink()
    which = chance.randrange(len(case.models))
    lines = lines_of(1 if which == 0 else 2, chance)
    arguments: list[str | Path] = ["--model", case.models[which], "--state-every", "1"]
    arguments += chance.choice(
        ([], [], [], ["--missing", "mask"], ["--decimal", ","], ["--missing-values", "30,n.i.B."])
    )
    cuts = sorted({0, len(lines), *(chance.randrange(len(lines) + 1) for _ in range(chance.choice((1, 2, 30))))})
    replay = chance.random() < 0.4
    whole = case.watch("s0", lines, *arguments)
    out = b""
    for begin, end in pairwise(cuts):
        part = lines[:end] if replay else lines[begin:end]
        ran = case.watch("s1", part, *arguments, *(["--replay"] if replay else []))
        out += ran.out
        if ran.code and "could be scored" not in ran.err:
            break  # a header that does not suit ends every run
    assert out == whole.out, f"{lines} cut at {cuts}{' with --replay' * replay}"


FEW, MANY = range(3), range(3, 800)


@pytest.mark.parametrize("seeds", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)])
def test_restarts_change_nothing(tmp_path: Path, seeds: range) -> None:
    case = Case(tmp_path)
    for seed in seeds:
        same_with_restarts(case, seed)
