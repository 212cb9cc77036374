"""Damaged folders of fleets: a run ends with the same files or says in one line why not; members score or not."""

import json
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import unchecked
from tests.fuzz.damage import damaged_bytes, damaged_data, deep
from tests.fuzz.running import check, run, tree
from tests.helpers.fleet_run import fake_work
from tests.stream.test_stream import model
from twinvae.fleet.folder import FleetFolder
from twinvae.fleet.plan import Plan, content_sum
from twinvae.fleet.work import Result, Settings, Task
from twinvae.model import file as model_file

ARGUMENTS = (
    "--train-rows",
    "30",
    "--together",
    "2",
    "--preset",
    "standard",
    "--window",
    "6",
    "--backend",
    "jax",
    "--scores",
)
MODEL = model_file.as_bytes(model(1))


def work(settings: Settings, task: Task) -> list[Result]:
    """A result that depends on the series alone, with a model that can be used."""
    return [
        result._replace(model=MODEL, scores=f"scores {result.row.loss}".encode())
        for result in fake_work(settings, task)
    ]


class Case:
    """A run that was killed when half of its batches were done, and a finished one; both are copied for each case."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.input = folder, folder / "in"
        self.input.mkdir()
        for at in range(4):
            values = np.random.default_rng(at).normal(size=40)
            rows = "".join(f"{row},{value}\n" for row, value in enumerate(values))
            (self.input / f"s{at}.csv").write_text(f"time,a\n{rows}")
        assert self.fleet("whole").code == 0
        self.whole = tree(folder / "whole")

        write_part = FleetFolder.write_part

        def interrupted(self: FleetFolder, plan: Plan, index: int, *rest: Any) -> None:
            write_part(self, plan, index, *rest)
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(FleetFolder, "write_part", interrupted)
            assert self.fleet("half").code == 130
        assert any((folder / "half" / ".progress").glob("part-*"))

    def fleet(self, out: str, *more: str) -> Any:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("twinvae.fleet.run.work", work)
            patched.setattr(os, "fsync", lambda handle: None)
            return run("fleet", self.input, "--out", self.folder / out, *ARGUMENTS, *more)


def spoil(path: Path, chance: random.Random) -> bool:
    """Damages a file, or puts something else in its place; gives whether its checksum is right nevertheless."""
    content, kind = path.read_bytes(), chance.randrange(10)
    if kind < 4:
        path.write_bytes(damaged_bytes(content, chance))
    elif kind < 7 and path.suffix == ".json" and content.startswith(b"{"):
        data = damaged_data(json.loads(content), chance)
        if isinstance(data, dict) and kind == 5:  # with the sum that it should have
            rest = {name: value for name, value in data.items() if name != "sum"}
            content_of = rest.get("content", rest)
            data["sum"] = content_sum(content_of if isinstance(content_of, dict) else {})
        path.write_text(json.dumps(data) if chance.random() < 0.95 else deep(5000))
    else:
        path.unlink()
        if kind == 7:
            path.mkdir()
        elif kind == 8:
            path.symlink_to(chance.choice(("nowhere", ".", path.name, "/dev/null", "../in/s0.csv")))
        elif kind == 9:
            path.touch()
    return kind == 5


def spoil_folder(path: Path, chance: random.Random) -> None:
    shutil.rmtree(path)
    kind = chance.randrange(4)
    if kind == 0:
        path.write_text("in the way")
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        path.symlink_to("nowhere")


def goes_on_or_says_why(case: Case, seed: int) -> None:
    """A folder with some damage is resumed; if that succeeds, everything is as in a run that nothing has hit."""
    chance = random.Random(f"fleet {seed}")
    out = case.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(case.folder / (source := chance.choice(("half", "half", "whole"))), out)
    forged, spoilt = False, list[Path]()
    for _ in range(chance.choice((1, 1, 2))):
        places = sorted(
            path for path in out.rglob("*") if path.is_file() and not path.is_symlink() and path.name != "lock"
        )
        folders = sorted(path for path in out.rglob("*") if path.is_dir() and not path.is_symlink())
        if chance.random() < 0.12 and folders:
            spoil_folder(chance.choice(folders), chance)
        elif places:
            spoilt.append(chance.choice(places))
            forged |= spoil(spoilt[-1], chance)
    before, damaged = tree(case.folder), tree(out)
    ran = case.fleet("out", "--resume")
    after = tree(case.folder)
    check(ran, before, after, [name for name in before.keys() | after.keys() if name.startswith("out")])
    names = [path.name for path in out.rglob("*")]
    assert not any(name.startswith(".twinvae-") for name in names), names
    if ran.code or forged:
        return
    if source == "half" or tree(out) != damaged:
        different = [name for name, content in case.whole.items() if content and (out / name).read_bytes() != content]
        assert not different, "a run that went on has other files than one that nothing has hit"
    members_score_or_are_refused(case, out)


def members_score_or_are_refused(case: Case, out: Path) -> None:
    """Each model is scored with, and opened as a fleet."""
    from vae_jax import VAEFleet

    scores = case.folder / "scores.csv"
    for at in range(4):
        path = out / "models" / f"s{at}.safetensors"
        before = tree(case.folder)
        source = (case.input / f"s{at}.csv", "--columns", "a")
        ran = run("score", *source, "--model", path, "--out", scores, "--backend", "jax")
        check(ran, before, tree(case.folder), ["scores.csv"])
        assert ran.code or path.read_bytes() == MODEL, "a damaged member was used"
        scores.unlink(missing_ok=True)
    with unchecked(), suppress(ValueError, OSError):
        list(VAEFleet.load(out).values())


FEW, MANY = range(1), range(1, 400)


@pytest.mark.parametrize("seeds", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)])
def test_a_damaged_fleet_goes_on_or_says_why_not(tmp_path: Path, seeds: range) -> None:
    case = Case(tmp_path)
    for seed in seeds:
        goes_on_or_says_why(case, seed)
