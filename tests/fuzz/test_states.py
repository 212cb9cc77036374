"""Damaged states of `watch`: each is refused or put aside in one line, or the stream goes on as from the whole one."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.damage import damaged_bytes
from tests.fuzz.running import Ran, check, run, tree
from tests.fuzz.safetensors_damage import Tensors, damaged_content, damaged_header, opened
from tests.stream.test_stream import model, points
from twinvae.files.atomic import write_bytes
from twinvae.files.checksum import checksum
from twinvae.model import file as model_file

STATE = "state"


class Case:
    """A model, and states of its stream in the middle of an event and outside of one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.model = folder, folder / STATE, folder / "m.safetensors"
        write_bytes(self.model, model_file.as_bytes(model(2, threshold=0.5, least_height=0.1, missing="mask")))
        rows = points(60, 2).tolist()
        lines = ["time,a,b\n", *(f"2026-01-01 00:{at:02},{a},{b}\n" for at, (a, b) in enumerate(rows))]
        self.rest = ["".join(lines[at:]).encode() for at in (8, 34, 36)]
        self.states = []
        for at in (8, 34, 36):
            self.path.unlink(missing_ok=True)
            ran = run("watch", "--model", self.model, "--state", self.path, given="".join(lines[:at]).encode())
            assert not ran.code, ran.err
            self.states.append(self.path.read_bytes())
        self.expected = [self.go_on(state, rest) for state, rest in zip(self.states, self.rest, strict=True)]
        self.anew = [self.go_on(b"", rest) for rest in self.rest]

    def go_on(self, state: bytes, lines: bytes) -> Ran:
        """Goes on from a state with the rest of the lines."""
        for path in self.folder.glob(f"{STATE}*"):
            path.unlink()
        self.path.write_bytes(state)
        before = tree(self.folder)
        ran = run("watch", "--model", self.model, "--state", self.path, given=lines)
        check(ran, before, tree(self.folder), [STATE, f"{STATE}.damaged"])
        return ran


def same_or_refused(case: Case, seed: int) -> None:
    """Damage that no checksum was made for."""
    chance = random.Random(f"state {seed}")
    which = chance.randrange(3)
    damaged = chance.choice((damaged_bytes, damaged_header))(case.states[which], chance)
    ran = case.go_on(damaged, case.rest[which])
    aside = case.folder / f"{STATE}.damaged"
    expected = case.anew[which] if aside.exists() else case.expected[which]
    assert ran.code or ran.out == expected.out, "a damaged state was used"
    if ran.code:
        assert case.path.read_bytes() == damaged, "a state that was refused was changed"
    assert not aside.exists() or aside.read_bytes() == damaged


def sum_of(metadata: dict[str, str], tensors: Tensors) -> str:
    return checksum(metadata["state"], tensors)


def usable_or_refused(case: Case, seed: int) -> None:
    """Damage under a right checksum: the state is refused, or what is written from it is JSON with numbers in it."""
    chance = random.Random(f"summed state {seed}")
    which = chance.randrange(3)
    case.path.write_bytes(case.states[which])
    damaged = damaged_content(*opened(case.path), "state", sum_of, chance)
    ran = case.go_on(damaged, case.rest[which])
    for line in ran.out.splitlines():
        assert isinstance(json.loads(line, parse_constant=pytest.fail), dict)
    if "cannot be restored" in ran.err:
        assert case.path.read_bytes() == damaged


FEW, MANY = range(4), range(4, 2000)


@pytest.mark.parametrize("seeds", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)])
@pytest.mark.parametrize("check_case", [same_or_refused, usable_or_refused])
def test_a_damaged_state_is_refused_or_usable(tmp_path: Path, check_case: Callable[..., None], seeds: range) -> None:
    case = Case(tmp_path)
    for seed in seeds:
        check_case(case, seed)
