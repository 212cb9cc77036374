"""`twinvae report`: a detection written anew is the one that was written, and what it cannot do is one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.helpers.command import files
from twinvae.cli import main as cli

QUICK = ["--epochs", "2", "--window", "8", "--hidden-dim", "8", "--latent-dim", "2"]


@pytest.fixture(scope="module")
def detected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a series and its detection."""
    folder = tmp_path_factory.mktemp("detected")
    values = np.sin(np.arange(400) / 5.0)
    values[300:304] += 4.0
    pl.DataFrame({"flow": values, "note": values * 2}).write_csv(folder / "series.csv")
    (folder / "ignore.csv").write_text("start,end\n10,12\n")
    arguments = ["detect", folder / "series.csv", "--train-rows", "200", "--columns", "flow", "--out", folder / "out",
                 "--ignore", folder / "ignore.csv", *QUICK]  # fmt: skip
    assert cli.main([str(argument) for argument in arguments]) == 0
    return folder


def report(*arguments: object) -> int:
    return cli.main(["report", *map(str, arguments)])


def test_it_writes_the_same_files_in_another_language(detected: Path, tmp_path: Path) -> None:
    before = files(detected / "out")
    assert report(detected / "out", "--lang", "ja") == 0
    after = files(detected / "out")
    assert after.keys() == before.keys()
    assert after["scores.csv"] == before["scores.csv"]
    assert after["model.safetensors"] == before["model.safetensors"]
    old, new = (json.loads(each["events.json"]) for each in (before, after))
    assert {name: new[name] for name in new if name != "files"} == {
        name: old[name] for name in old if name not in ("files", "loss")
    }
    assert '<html lang="ja">' in after["report.html"].decode()
    assert new["source"]["reading"] == {"columns": ["flow"]}
    assert new["source"]["ignore"] == [[10.0, 12.0]]


def test_a_series_that_has_moved_is_named(detected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = tmp_path / "moved.csv"
    (detected / "series.csv").rename(moved)
    try:
        assert report(detected / "out") == 1
        assert "--series FILE" in capsys.readouterr().err
        assert report(detected / "out", "--series", moved) == 0
        moved.write_text(moved.read_text() + "1,2\n")
        assert report(detected / "out", "--series", moved) == 1
        assert "SHA-256" in capsys.readouterr().err
    finally:
        text = moved.read_text().removesuffix("1,2\n")
        (detected / "series.csv").write_text(text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "holds no detection"),
        ("[1]", "damaged"),
        ("{", "damaged"),
        ('{"files": {}, "kind": "point"}', "an earlier release"),
        ('{"files": {}, "kind": "point", "source": {"file": null, "reading": {}, "ignore": []}}', "came from no file"),
        ('{"files": {}, "kind": "point", "source": {"reading": {}, "ignore": []}}', "damaged"),
        ('{"files": {}, "kind": "point", "source": 3}', "damaged"),
        ('{"files": 3, "kind": "point", "source": {"file": "a", "reading": {}, "ignore": []}}', "damaged"),
    ],
)
def test_what_is_no_detection_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, said: str
) -> None:
    if change is not None:
        (tmp_path / "events.json").write_text(change)
    before = files(tmp_path)
    assert report(tmp_path) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert files(tmp_path) == before
