"""The files of a detection: which are there after another, and the sums that the summary names."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import detector_of
from tests.helpers.command import files
from tests.stream.test_stream import model, points
from twinvae.detector.report import write_detection
from twinvae.series.series import Series

PICTURES = {"signal.png", "reconstruction.png", "score.png"}


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(path: Path, *_: Any, **__: Any) -> None:
        path.write_text(f"picture at {len(list(path.parent.iterdir()))}")

    for name in ("plots.plot_series", "plots.plot_score", "plots.plot_latent", "plot_events"):
        monkeypatch.setattr(f"twinvae.detector.report.{name}", draw)


def written(out: Path, *, threshold: float = 0.5, suffix: str = ".csv") -> set[str]:
    """The names in the folder after a detection."""
    detector = detector_of("torch")()
    detector.model_ = model(2, threshold=threshold)
    detector.history_ = {"loss": [0.5]}
    series = Series.of(points(60, 2))
    summary = write_detection(out, series, detector, train_rows=0, name="x", scores_suffix=suffix)
    assert bool(summary["events"]) == (threshold < 100)
    assert json.loads((out / "events.json").read_text())["files"] == summary["files"]
    for name, digest in summary["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    return {path.name for path in out.iterdir()}


def test_a_later_detection_leaves_no_file_of_the_one_before(tmp_path: Path) -> None:
    always = {"events.json", "report.html", "model.safetensors", *PICTURES}
    assert written(tmp_path) == always | {"scores.csv", "events.png", "latent.png"}
    assert written(tmp_path, suffix=".parquet") == always | {"scores.parquet", "events.png", "latent.png"}
    assert written(tmp_path, threshold=1e6) == always | {"scores.csv", "latent.png"}


@pytest.mark.parametrize("summary", [None, b"", b"[1]", b'{"files": 3}', b'{"files": {"events.png": 3}}', b"[" * 5000])
def test_files_of_somebody_else_stay(tmp_path: Path, summary: bytes | None) -> None:
    for name in ("events.png", "scores.parquet", "mine.txt"):
        (tmp_path / name).write_text("mine")
    if summary is not None:
        (tmp_path / "events.json").write_bytes(summary)
    names = written(tmp_path, threshold=1e6)
    assert {"events.png", "scores.parquet", "mine.txt"} <= names
    (tmp_path / "latent.png").write_text("now mine")
    (tmp_path / "events.json").write_text((tmp_path / "events.json").read_text().replace("latent", "events"))
    written(tmp_path, threshold=1e6)
    found = files(tmp_path)
    assert [found[name] for name in ("events.png", "scores.parquet", "mine.txt")] == [b"mine"] * 3
