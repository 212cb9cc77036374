"""What `detect` decides with a normal part, with none, and at a rate of false alarms."""

import json
from pathlib import Path

import pytest

from tests.helpers.command import failure, misuse
from tests.helpers.waves import spiked_wave
from twinvae.cli import main as cli

QUICK = ("--window", "16", "--hidden-dim", "16", "--latent-dim", "4", "--epochs", "4", "--backend", "torch")


@pytest.fixture
def wave(tmp_path: Path) -> Path:
    file = tmp_path / "wave.csv"
    file.write_text("\n".join(["value", *map(str, spiked_wave(2400, (2300,)).tolist())]))
    return file


def test_a_file_of_which_nothing_is_known_is_searched(
    wave: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["detect", str(wave), "--out", str(tmp_path / "out"), *QUICK]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "2400 rows were searched by 3 models" in said.out
    assert "below the threshold, the most unusual (severity 50" in said.out
    summary = json.loads((tmp_path / "out" / "events.json").read_text())
    assert (summary["kind"], summary["train_rows"]) == ("search", 0)
    (event,) = summary["events"]
    assert event["start"] <= 2302 < event["end"]
    assert said.out.count(f"[{event['start']}, {event['end']})") == 1, "what is an event is no other stretch too"
    first, *others = summary["most_unusual"]
    assert first["event"]
    assert first["start"] == event["start"]
    assert 50 < first["severity"] < 100
    assert not any(one["event"] for one in others)


def test_without_events_it_is_said_how_near_the_highest_score_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "quiet.csv"
    file.write_text("\n".join(["value", *map(str, spiked_wave(1200, ()).tolist())]))
    assert cli.main(["detect", str(file), "--train-rows", "800", "--out", str(tmp_path / "out"), *QUICK]) == 0
    said = capsys.readouterr().out
    assert "no events\nbelow the threshold, the most unusual (severity 50 is the threshold" in said
    assert "the threshold" in said
    assert "the highest score" in said


@pytest.mark.filterwarnings("default")
def test_a_named_rule_is_kept_and_what_it_cannot_find_is_said(
    wave: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ("--threshold", "maximum", "--margin", "3")
    assert cli.main(["detect", str(wave), "--out", str(tmp_path / "out"), *QUICK, *named]) == 0
    said = capsys.readouterr()
    assert "nothing in it can exceed its own largest score by a margin" in said.err
    assert "no events" in said.out
    assert "of the threshold, which no row can exceed, since all of them were fitted on" in said.out


def test_score_says_too_what_no_events_rests_on(wave: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(tmp_path / "model")
    assert cli.main(["fit", str(wave), "--train-rows", "2000", "--model", model, *QUICK]) == 0
    capsys.readouterr()
    quiet = tmp_path / "quiet.csv"
    quiet.write_text("\n".join(wave.read_text().splitlines()[:2000]))
    score = ("score", str(quiet), "--model", model, "--out", str(tmp_path / "s.csv"), "--backend", "torch")
    assert cli.main([*score]) == 0
    assert "of the threshold" in capsys.readouterr().out


def test_a_rate_is_kept_in_the_model_or_refused_in_one_line(
    wave: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    rate = ("--kind", "point", "--train-rows", "2200", "--out", out)
    assert cli.main(["detect", str(wave), *rate, *QUICK, "--false-alarms", "20/1000steps"]) == 0
    assert "20/1000steps false alarms" in capsys.readouterr().out
    assert "needs time stamps" in failure(capsys, "detect", wave, *rate, *QUICK, "--false-alarms", "1/week")
    assert "support at most" in failure(capsys, "detect", wave, *rate, *QUICK, "--false-alarms", "1/999999rows")
    assert "such as 1/week" in misuse(capsys, "detect", str(wave), *rate, "--false-alarms", "often")
