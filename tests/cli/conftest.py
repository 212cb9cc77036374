"""A series and a model that several tests of the command read."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.stream.test_stream import model
from twinvae.files.atomic import write_bytes
from twinvae.model import file as model_file


@pytest.fixture
def sensors(tmp_path: Path) -> Path:
    """Two channels with time stamps and labels; the anomaly is in rows 150 to 159 of channel b."""
    generator = np.random.default_rng(0)
    time = np.arange(200)
    b = np.cos(time / 3) + generator.normal(0, 0.05, 200)
    b[150:160] += 8.0
    frame = pl.DataFrame(
        {
            "timestamp": [f"2026-01-01 {t // 60:02}:{t % 60:02}:00" for t in time],
            "a": np.sin(time / 3) + generator.normal(0, 0.05, 200),
            "b": b,
            "fault": ((time >= 150) & (time < 160)).astype(int),
        }
    )
    path = tmp_path / "sensors.csv"
    frame.write_csv(path)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model of the channels a and b."""
    path = tmp_path / "m.safetensors"
    write_bytes(path, model_file.as_bytes(model(2)))
    return path
