"""Damaged model files: each is refused in one line, or is used as the whole one."""

import random
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.damage import damaged_bytes
from tests.fuzz.running import check, run, tree
from tests.fuzz.safetensors_damage import damaged_content, damaged_header, opened
from tests.stream.test_stream import model, points
from twinvae.model import file as model_file

LINES = "".join(f"{a},{b}\n" for a, b in points(30, 2).tolist()).encode()


def same_or_refused(path: Path, whole: bytes, seed: int) -> None:
    """Damage that no checksum was made for: the model is refused, or it is the same."""
    chance = random.Random(f"model {seed}")
    path.write_bytes(whole)
    expected = run("watch", "--model", path, given=LINES)
    path.write_bytes(chance.choice((damaged_bytes, damaged_header))(whole, chance))
    before = tree(path.parent)
    ran = run("watch", "--model", path, given=LINES)
    check(ran, before, tree(path.parent))
    assert ran.code or ran.out == expected.out, "a damaged model was used"


def usable_or_refused(path: Path, whole: bytes, seed: int) -> None:
    """Damage under a right checksum: the model is refused, or all commands can work with it."""
    chance = random.Random(f"summed model {seed}")
    path.write_bytes(whole)
    path.write_bytes(damaged_content(*opened(path), "settings", model_file.content_sum, chance))
    before = tree(path.parent)
    ran = run("watch", "--model", path, given=LINES)
    check(ran, before, tree(path.parent))
    assert b"NaN" not in ran.out
    assert b"Infinity" not in ran.out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = model_file.read(path)
        except (ValueError, OSError):
            return
    path.write_bytes(model_file.as_bytes(found))  # what was read can be written
    if found.config.draws > 10:
        return
    (table := path.with_name("x.csv")).write_text("a,b\n" + LINES.decode())
    before = tree(path.parent)
    columns, out = ("--columns", "a,b"), path.with_name("scores.csv")
    ran = run("score", table, "--model", path, *columns, "--out", out, "--backend", "jax")
    check(ran, before, tree(path.parent), ["scores.csv"])
    out.unlink(missing_ok=True)


FEW, MANY = range(4), range(4, 2000)


@pytest.mark.parametrize("seeds", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", [same_or_refused, usable_or_refused])
def test_a_damaged_model_is_refused_or_usable(tmp_path: Path, case: Callable[..., None], seeds: range) -> None:
    for seed in seeds:
        case(tmp_path / "m.safetensors", model_file.as_bytes(model(2)), seed)
