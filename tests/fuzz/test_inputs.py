"""Damaged tables: each is read, or refused in one line; `fit` leaves a model only where it has succeeded."""

import io
import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.fuzz.damage import damaged_bytes
from tests.fuzz.running import check, run, tree
from tests.helpers.calibrations import made_up
from twinvae.detector import detector as detectors
from twinvae.detector.detector import VAEDetector
from twinvae.detector.preparation import Prepared
from twinvae.model.model import Model
from twinvae.network.parameters import draw
from twinvae.scoring.calibration import THRESHOLDS

ROWS = 40
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "utf-32", "shift-jis")
CELLS = (
    "", " ", "nan", "NaN", "NA", "null", "None", "inf", "-inf", "1e999", "-1e999", "1e-400", "1e308", "0x10",
    "1_000", "1,5",
    "1.5", "1.000,5", "1,000.5", "1'000", "+1", "--1", "1e", "e1", ".", "-", "+", "?", "#N/A", "#DIV/0!", "true",
    "False",
    "on", "x", "é", "٣", "½", "\uff11", "\u2212" + "1", "\0", "\x1a", "a\nb", '"', '""', '"a', "'1'", "1 2", "1;2",
    "1\t2",
    "2026-01-01", "2026-01-01T00:00:00Z", "31.12.2026 23:59", "24:00", "1970-01-01", "9" * 400, "a" * 5000, "=1+1",
    "1%", "€5",
    "-0", "1e5", "1E+05", "Infinity", "12:30:00", "99999999999999999999", "0.1e-5", "١٢", "\ufeff1", "\u202e1",
)  # fmt: skip
NAMES = (
    "", "a", "time", "Time", "timestamp", "date", "label", "a.1", "1", "nan", "_", '"', "é", "a" * 3000, "a,b", "\0",
    " a ",
    "difference(a)", "score", "index", "Unnamed: 0", "$x$", "\ufeffa", "year", "hour", "#a", "sep=;",
    "row of the table",
)  # fmt: skip


def stub(patch: pytest.MonkeyPatch) -> None:
    """Takes the training away; what stands before and after it stays."""

    def calibrate(self: VAEDetector, prepared: Prepared, parameters: Any, history: Any) -> None:
        assert not np.isinf(prepared.scaled).any()
        width = len(prepared.channels)
        self.history_ = history
        self.model_ = Model(
            self.preset, self._overrides(), self.seed, prepared.config, prepared.channels, parameters, prepared.scaler,
            dict.fromkeys(THRESHOLDS, 1.0), made_up(width, prepared.config.window, dtype=prepared.config.dtype),
        )  # fmt: skip

    patch.setattr(VAEDetector, "calibrate", calibrate)
    patch.setattr(detectors, "train", lambda backend, net, *rest: (draw(net, 0), {"loss": [0.5]}))


def rows_of(chance: random.Random) -> list[list[str]]:
    """A plain table: time stamps or none, some channels, perhaps labels."""
    width, begin = chance.choice((1, 2, 3)), datetime(2026, 1, 1)
    head = [["time", *"abc"[:width], *(["label"] * (chance.random() < 0.3))]]
    stamped = chance.random() < 0.7
    for at in range(ROWS):
        cells = [f"{chance.gauss(0, 1):.4f}" for _ in range(width)]
        labels = ["1" if 20 < at < 25 else "0"] * (len(head[0]) - width - 1)
        head.append([str(begin + timedelta(minutes=at)) if stamped else str(at), *cells, *labels])
    return head


def damaged_csv(chance: random.Random) -> bytes:
    """A table with odd cells, names, widths, separators, lines, encodings or bytes."""
    rows = rows_of(chance)
    for _ in range(chance.choice((1, 1, 2, 5))):
        kind, row = chance.randrange(9), chance.randrange(len(rows))
        if kind < 3 and rows[row]:
            rows[row][chance.randrange(len(rows[row]))] = chance.choice(CELLS)
        elif kind == 3 and rows[0]:
            rows[0][chance.randrange(len(rows[0]))] = chance.choice(NAMES)
        elif kind == 4:
            rows[row] = (
                rows[row][: chance.randrange(len(rows[row]) + 1)] if chance.random() < 0.5 else [*rows[row], "7"]
            )
        elif kind == 5:
            column, word = chance.randrange(len(rows[0]) or 1), chance.choice(CELLS)
            for cells in rows[1:]:
                if column < len(cells) and chance.random() < 0.7:
                    cells[column] = word
        elif kind == 6:
            rows.insert(
                row, chance.choice(([], ["# note"], ["sep=;"], ["title"], rows[0], ["", ""], ["°C", "V"], ["\0"]))
            )
        elif kind == 7:
            del rows[row : row + chance.choice((1, 5, 39))]
            rows = rows or [[""]]
        else:
            chance.shuffle(rows)
    separator, end = chance.choice(",,,;\t|: "), chance.choice(("\n", "\n", "\r\n", "\r", "\n\n", "\x85"))
    content = end.join(separator.join(cells) for cells in rows).encode(chance.choice(ENCODINGS), errors="replace")
    return damaged_bytes(content, chance) if chance.random() < 0.3 else content


def damaged_npy(chance: random.Random) -> bytes:
    """An array of some type and shape with another header, or damage to its bytes."""
    values: Any = np.random.default_rng(chance.randrange(99)).normal(
        size=chance.choice(((40,), (40, 2), (40, 2, 1), (0,), ()))
    )
    kinds = ("<f8", ">f8", "<f4", "<f2", "<i8", "|b1", "<u8", "<c16", "<U4", "S3", "O", "<M8[s]", "<m8[s]", "V8")
    file = io.BytesIO()
    try:
        with np.errstate(all="ignore"):
            np.save(file, values.astype(chance.choice(("<f8", *kinds))), allow_pickle=True)
    except (TypeError, ValueError):
        np.save(file, values)
    content = file.getvalue()
    old = chance.choice(("(40,)", "(40, 2)", "False", "<f8", "shape", "descr", "{", "}", "NUMPY", "40"))
    new = chance.choice(
        ("(-1,)", "(2**63,)", "(99999999999999,)", "(40, 0)", "()", "True", "[('a','<f8')]", "None", "|O", "V", "")
    )
    kind = chance.randrange(3)
    if kind == 0:
        content = content.replace(old.encode(), new.encode(), 1)
    elif kind == 1:
        content = damaged_bytes(content, chance)
    elif values.size:
        odd = np.array(chance.choice((np.nan, np.inf, -np.inf, 1e308, 1e-320)))
        values = values.copy()
        values.flat[[chance.randrange(values.size) for _ in range(chance.choice((1, 30)))]] = odd
        np.save(file := io.BytesIO(), np.asfortranarray(values))
        content = file.getvalue()
    return content


def damaged_parquet(chance: random.Random) -> bytes:
    """A table with columns of odd types, or damage to its bytes."""
    begin = datetime(2026, 1, 1)
    odd: tuple[Any, ...] = (
        pl.Series([[1.0, 2.0]] * ROWS), pl.Series([{"x": 1.0}] * ROWS), pl.Series([b"\xff"] * ROWS),
        pl.Series([begin + timedelta(minutes=at) for at in range(ROWS)]), pl.Series([date(2026, 1, 1)] * ROWS),
        pl.Series([timedelta(seconds=at) for at in range(ROWS)]), pl.Series([Decimal(at) / 3 for at in range(ROWS)]),
        pl.Series([None] * ROWS), pl.Series(["x", "y"] * (ROWS // 2), dtype=pl.Categorical), pl.Series([True,
        False] * (ROWS // 2)),
        pl.Series([float("nan")] * ROWS), pl.Series([float("inf")] * ROWS), pl.Series([1e308, -1e308] * (ROWS // 2)),
        pl.Series([2**64 - 1] * ROWS, dtype=pl.UInt64), pl.Series(chance.choices(CELLS, k=ROWS)),
        pl.Series(["1.5", "2,5"] * (ROWS // 2)), pl.Series([begin.time()] * ROWS), pl.Series(range(ROWS),
        dtype=pl.Int8),
        pl.Series([[[1]]] * ROWS), pl.Series([begin] * ROWS).dt.replace_time_zone("Europe/Berlin"),
    )  # fmt: skip
    columns = {"time": pl.Series(range(ROWS)), "a": pl.Series(np.random.default_rng(0).normal(size=ROWS))}
    for _ in range(chance.choice((0, 1, 1, 2))):
        columns[chance.choice(("time", "a", "b", "label", *NAMES))] = chance.choice(odd)
    frame = pl.DataFrame(columns)[: chance.choice((ROWS, ROWS, ROWS, 0, 3))]
    frame.write_parquet(file := io.BytesIO(), compression=chance.choice(("zstd", "snappy", "uncompressed")))
    content = file.getvalue()
    return damaged_bytes(content, chance) if chance.random() < 0.4 else content


KINDS = {"csv": damaged_csv, "npy": damaged_npy, "parquet": damaged_parquet}


def fitted_or_refused(folder: Path, kind: str, seed: int) -> None:
    """One damaged table, with the options that people give."""
    chance = random.Random(f"{kind} {seed}")
    for path in folder.glob("*"):
        path.unlink()
    (source := folder / f"x.{kind}").write_bytes(KINDS[kind](chance))
    options = chance.choice((
        (), (), (), (), ("--columns", "a"), ("--columns", "a,b"), ("--time", "none"), ("--time", "time"),
        ("--labels", "label"),
        ("--missing", "error"), ("--missing", "interpolate"), ("--missing", "mask"), ("--missing-values", "1.5,x,-"),
        ("--decimal", ","), ("--skip-rows", "1"), ("--difference", "a"), ("--time-zone", "Europe/Berlin"),
        ("--train-rows", "20"),
        ("--time-format", "%Y-%m-%d"), ("--scaling", "robust"), ("--preset", "tutorial"),
    ))  # fmt: skip
    arguments = ["--preset", "standard", "--window", "5", "--hidden-dim", "4", "--latent-dim", "2", "--backend", "jax"]
    before = tree(folder)
    with pytest.MonkeyPatch.context() as patched:
        stub(patched)
        ran = run("fit", source, "--model", folder / "m.safetensors", *arguments, *options)
    after = tree(folder)
    check(ran, before, after, ["m.safetensors"])
    assert (ran.code == 0) == ("m.safetensors" in after)


FEW, MANY = range(3), range(3, 800)


@pytest.mark.parametrize("seeds", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_table_is_read_or_refused(tmp_path: Path, kind: str, seeds: range) -> None:
    for seed in seeds:
        fitted_or_refused(tmp_path, kind, seed)
