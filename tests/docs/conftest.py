"""The files and the names that the pages' blocks use."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from tests.conftest import unchecked
from twinvae.config import PRESETS
from twinvae.files.checksum import file_checksum

CHANNELS = ("flow",)  # one channel and one period in all: few programs to compile
SPIKE = slice(1200, 1212)


def waves(rows: int, seed: int, *, spike: bool = False) -> np.ndarray:
    """A noisy wave with a period of 80 rows, of shape (time, channel)."""
    time = np.arange(rows)[:, None]
    values = np.sin(2 * np.pi * time / 80) + np.random.default_rng(seed).normal(0, 0.1, (rows, 1))
    values[SPIKE, 0] += 3.0 * spike
    return values


def _frame(values: np.ndarray) -> pl.DataFrame:
    stamps = [f"2026-01-{1 + row // 1440:02} {row // 60 % 24:02}:{row % 60:02}" for row in range(len(values))]
    return pl.DataFrame({"time": stamps, **dict(zip(CHANNELS, values.T, strict=True))})


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that each page begins with: a reader's files, and a model of `normal.csv`."""
    from vae_jax import VAEDetector

    folder = tmp_path_factory.mktemp("page")
    files = {"sensors": (1500, 0, True), "today": (1500, 1, True), "normal": (1000, 2, False)}
    for name, (rows, seed, spike) in (files | {"normal-week": (1000, 3, False)}).items():
        _frame(waves(rows, seed, spike=spike)).write_csv(folder / f"{name}.csv")
    (folder / "maintenance.csv").write_text("start,end\n2026-01-01 20:00,2026-01-01 22:00\n", encoding="utf-8")
    pl.DataFrame({"value": waves(10_500, 4)[:, 0]}).write_csv(folder / "long.csv")
    _write_labels(folder)
    (folder / "machines").mkdir()
    parts = {f"pump-{index}": waves(1300, 10 + index, spike=True)[:, 0] for index in range(2)}
    for name, values in parts.items():
        pl.DataFrame({"value": values}).write_csv(folder / "machines" / f"{name}.csv")
    table = [pl.DataFrame({"machine": [name] * len(values), "value": values}) for name, values in parts.items()]
    pl.concat(table).write_parquet(folder / "all.parquet")
    for name, rows in (("normal", 1000), ("big", 3000)):
        np.save(folder / f"{name}.npy", waves(rows, 5)[:, 0])
    detector = VAEDetector(seed=0).fit(pl.read_csv(folder / "normal.csv").select(CHANNELS))
    detector.save(folder / "model.safetensors")
    return folder


def _write_labels(folder: Path) -> None:
    """What a reader has marked in a report of `today.csv`."""
    file = folder / "today.csv"
    known = {"name": file.name, "file": str(file), "sha256": file_checksum(file), "rows": 1500}
    content = {
        "format": "twinvae labels",
        "version": 1,
        "series": known | {"reading": {"columns": list(CHANNELS), "time": "time"}, "train_rows": 0},
        "marks": [
            {"mark": "real", "start": SPIKE.start, "end": SPIKE.stop},
            {"mark": "expected", "start": 100, "end": 110},
        ],
    }
    (folder / "labels.json").write_text(json.dumps(content), encoding="utf-8")


EPOCHS = 20  # of the presets in place of 100: what a page shows is run as it stands, with less training


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of `made`, which is the working directory; the presets train for fewer epochs, and pictures are empty.

    What a command computes and draws is tested elsewhere.
    """
    for name, preset in PRESETS.items():
        monkeypatch.setitem(PRESETS, name, replace(preset, epochs=EPOCHS))
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **options: Path(path).touch())
    copy = tmp_path / "page"
    shutil.copytree(made, copy)
    monkeypatch.chdir(copy)
    with unchecked():
        yield copy


@cache
def _detector() -> Any:
    from vae_jax import VAEDetector

    return VAEDetector(seed=0).fit(waves(1000, 2))


# What a block may use that the page has not defined: the reader's own series.
NAMES: Mapping[str, Callable[[], Any]] = {
    "normal": lambda: waves(1000, 2),
    "more_normal": lambda: waves(1000, 3),
    "series": lambda: waves(1500, 1, spike=True),
    "point": lambda: waves(1, 1)[0],
    "detector": _detector,
    "series_7": lambda: waves(1000, 7)[:, 0],
    "series_8": lambda: waves(1000, 8)[:, 0],
    "today": lambda: {"pump 7": waves(1500, 7, spike=True)[:, 0], "pump 8": waves(1500, 8)[:, 0]},
    "data_train": lambda: waves(1000, 2),
    "data_test": lambda: waves(1500, 1, spike=True),
}
