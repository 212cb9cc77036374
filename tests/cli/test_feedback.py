"""`twinvae feedback`: what was marked holds in `score` and `watch` afterwards, or the model file is as it was."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import detector_of
from tests.detector.test_feedback import DOWN, LARGE, NORMAL, QUICK, SERIES, SMALL, WEAK
from tests.helpers.command import failure
from tests.helpers.watching import watch
from twinvae.cli import main as cli
from twinvae.files.checksum import file_checksum

TORCH = ("--backend", "torch")
SPIKES = (SMALL, LARGE, DOWN)


@pytest.fixture(scope="module")
def fitted() -> bytes:
    """The file of a model whose streams have the score that it decides by."""
    content: bytes = detector_of("torch")(**QUICK, kind="causal").fit(NORMAL).as_bytes()
    return content


@pytest.fixture
def model(fitted: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(fitted)
    return path


@pytest.fixture
def series(tmp_path: Path) -> Path:
    path = tmp_path / "machine.csv"
    stamps = [f"2026-01-{1 + row // 24:02} {row % 24:02}:00" for row in range(600)]
    pl.DataFrame({"time": stamps, "0": SERIES}).write_csv(path)
    return path


def labels(series: Path, *marks: tuple[str, int, int], train_rows: int = 0) -> Path:
    """The file that a report of the series saves."""
    path = series.with_name("labels.json")
    known = {"name": series.name, "file": str(series), "sha256": file_checksum(series), "rows": 600}
    content = {
        "format": "twinvae labels",
        "version": 1,
        "series": known | {"reading": {"columns": ["0"], "time": "time"}, "train_rows": train_rows},
        "marks": [dict(zip(("mark", "start", "end"), mark, strict=True)) for mark in marks],
    }
    path.write_text(json.dumps(content))
    return path


def events(model: Path, series: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[Any], dict[str, Any]]:
    """Where `score` finds events, and all that it says."""
    out = series.with_name("scores.csv")
    assert cli.main(["score", str(series), "--model", str(model), "--out", str(out), *TORCH, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    return [(one["start"], one["end"]) for one in said["events"]], said


def touched(spans: list[Any], place: int) -> bool:
    return any(start < place + 30 and place < end for start, end in spans)


def test_what_was_marked_holds_for_scores_and_for_a_stream(
    model: Path, series: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, said = events(model, series, capsys)
    weak = next(span for span in before if touched([span], WEAK))
    marks = labels(series, ("expected", *weak), *(("real", place, place + 6) for place in SPIKES))
    assert cli.main(["feedback", str(model), str(marks), *TORCH]) == 0
    text = capsys.readouterr().out
    assert "4 marks: the threshold" in text
    assert "above expected rows [410, 419) from 2026-01-18 02:00 to 2026-01-18 10:00" in text
    assert f"events in machine.csv: {len(before)} before, " in text
    assert "finds more\nthe changed model is in" in text
    assert text.endswith(f"the changed model is in {model}\n")

    after, now = events(model, series, capsys)
    assert now["threshold"] > said["threshold"]
    assert not touched(after, WEAK)
    assert all(touched(after, place) for place in SPIKES)
    code, lines, _ = watch(series.read_text(), "--model", model)
    opened = [event for line in lines for event in line.get("events", ()) if event["change"] == "close"]
    streamed = [(one["start"], one["end"]) for one in opened]
    assert code == 0
    assert not touched(streamed, WEAK)
    assert all(touched(streamed, place) for place in SPIKES)


def test_nothing_is_written_where_nothing_changes_or_nobody_wants_it(
    model: Path, series: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = model.read_bytes()
    right = labels(series, ("real", LARGE, LARGE + 6))
    assert cli.main(["feedback", str(model), str(right), *TORCH]) == 0
    said = capsys.readouterr().out
    assert "nothing has to change" in said
    assert f"{model} is as it was" in said
    wrong = labels(series, ("real", LARGE, LARGE + 6), ("expected", WEAK, WEAK + 30))
    assert cli.main(["feedback", str(model), str(wrong), *TORCH, "--dry-run", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert not record["written"]
    assert record["times"] > 1
    assert record["threshold"]["after"] == pytest.approx(record["times"] * record["threshold"]["before"])
    assert model.read_bytes() == content


def test_the_changed_model_may_go_elsewhere(model: Path, series: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, out = model.read_bytes(), model.with_name("changed.safetensors")
    moved = series.rename(series.with_name("moved.csv"))
    marks = labels(moved, ("real", LARGE, LARGE + 6), ("expected", WEAK, WEAK + 30))
    moved = moved.rename(series)
    command = ["feedback", str(model), str(marks), *TORCH, "--series", str(moved), "--out", str(out), "--json"]
    assert cli.main(command) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["model"], record["written"], record["series"]) == (str(out), True, str(moved))
    assert model.read_bytes() == content
    assert not touched(events(out, moved, capsys)[0], WEAK)


def test_what_cannot_be_done_is_one_line_and_the_model_is_as_it_was(
    model: Path, series: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = model.read_bytes()
    feedback = ("feedback", model, series.with_name("labels.json"), *TORCH)
    labels(series, ("expected", LARGE, LARGE + 6), ("expected", DOWN, DOWN + 6), ("missed", 20, 25))
    said = failure(capsys, *feedback)
    assert "no threshold and no rule of events makes all marks right" in said
    assert "expected rows [200, 206) from 2026-01-09 08:00 to 2026-01-09 13:00" in said
    assert "missed rows [20, 25) from 2026-01-01 20:00 to 2026-01-02 00:00" in said
    labels(series, ("real", 1, 5), ("expected", 4, 9))
    assert "labels.json: marks 0 and 1 contradict each other" in failure(capsys, *feedback)
    marks = labels(series, ("real", 1, 5))
    assert "is an input of this command" in failure(capsys, *feedback, "--out", marks)
    assert "is an input of this command" in failure(capsys, *feedback, "--out", series)
    assert "none.json" in failure(capsys, "feedback", model, series.with_name("none.json"), *TORCH)
    assert "the detector was fitted on 1" in failure(capsys, *feedback, "--series", _wider(series))
    labels(series, ("real", 1, 5))
    series.write_text(series.read_text() + "2026-02-01 00:00,1\n")
    assert "has another SHA-256" in failure(capsys, *feedback)
    series.unlink()
    assert "is not there: give the place where it is now (--series)" in failure(capsys, *feedback)
    assert model.read_bytes() == content


def _wider(series: Path) -> Path:
    """The series with another channel, which labels without a checksum and columns do not tell from it."""
    path = series.with_name("wider.csv")
    pl.read_csv(series).with_columns(pl.col("0").alias("1")).write_csv(path)
    marks = series.with_name("labels.json")
    content = json.loads(marks.read_text())
    content["series"] |= {"sha256": None, "reading": {}}
    marks.write_text(json.dumps(content))
    return path


@pytest.mark.filterwarnings("default")
def test_a_model_that_has_learned_from_all_of_it_says_that_its_scores_are_others(
    tmp_path: Path, series: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = detector_of("torch")(**QUICK, kind="point").fit(pl.read_csv(series).select("0"))
    made.save(tmp_path / "model.safetensors")
    marks = labels(series, ("real", LARGE, LARGE + 6))
    assert cli.main(["feedback", str(tmp_path / "model.safetensors"), str(marks), *TORCH]) == 0
    captured = capsys.readouterr()
    assert "a search has judged it by scores of its own" in captured.err
    assert "below real rows" in captured.out
