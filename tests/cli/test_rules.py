"""The rules of events in the commands: detect, score, fleet and watch, and what is said of wrong ones."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.helpers.command import failure, misuse
from tests.helpers.watching import watch
from tests.helpers.waves import spiked_wave
from twinvae.cli import main as cli

QUICK = ("--window", "16", "--hidden-dim", "16", "--latent-dim", "4", "--epochs", "4", "--backend", "torch")
UP, DOWN = 1100, 1300


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series of 5 minutes, with a spike up and one down after its first 800 rows."""
    values = spiked_wave(1500, (UP,))
    values[DOWN : DOWN + 6] -= 4.0
    path = tmp_path_factory.mktemp("data") / "sensors.csv"
    stamps = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 6, 4, 55), "5m", eager=True)
    pl.DataFrame({"time": stamps.dt.strftime("%d.%m.%Y %H:%M"), "flow": values}).write_csv(path)
    return path


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    """Maintenance from before the spike down until after it, in the form of the time stamps of the series."""
    path = tmp_path / "maintenance.csv"
    path.write_text("start,end,what\n05.01.2026 11:00,05.01.2026 16:00,pump\n24.12.2026 00:00,25.12.2026 00:00,rest\n")
    return path


def test_detect_keeps_rules_in_the_model_and_says_what_each_has_done(
    file: Path, windows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, rules = tmp_path / "out", ("--direction", "up", "--min-deviation", "flow=0.5", "--valid-range", "-9:9")
    assert cli.main(["detect", str(file), "--train-rows", "800", "--out", str(out), *rules, *QUICK]) == 0
    said = capsys.readouterr().out
    assert "by the rules" in said
    assert "above what was expected (asked for: up, at least 0.5)" in said
    assert "rules have left out 1 more event (1 by direction)" in said
    summary = json.loads((out / "events.json").read_text())
    assert summary["dropped"] == {"direction": 1}
    (event,) = summary["events"]
    assert event["start"] <= UP < event["end"]
    assert event["why"]

    model, scores = str(out / "model.safetensors"), str(tmp_path / "scores.csv")
    score = ["score", str(file), "--model", model, "--out", scores, "--backend", "torch", "--json"]
    assert cli.main(score) == 0
    assert [event["start"] for event in json.loads(capsys.readouterr().out)["events"]] == [event["start"]]
    assert cli.main([*score, "--direction", "both", "--ignore", str(windows)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [each["start"] for each in result["events"]] == [event["start"]]
    assert result["dropped"] == {"ignore": 1}
    assert "left out" in result["basis"]

    lines = "".join(file.read_text().splitlines(keepends=True))
    code, _, err = watch(lines, "--model", out / "model.safetensors", "--direction", "down")
    assert code == 0
    assert "more left out by rules" in err[-1]


def test_a_searched_file_and_a_fleet_have_no_event_in_maintenance(
    file: Path, windows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ignore = ("--ignore", str(windows))
    assert cli.main(["detect", str(file), "--out", str(tmp_path / "out"), *ignore, *QUICK]) == 0
    assert "by ignore" in capsys.readouterr().out
    fleet = ["fleet", str(file.parent), "--out", str(tmp_path / "f"), "--direction", "up", *QUICK]
    assert cli.main([*fleet, *ignore]) == 0
    assert "rules have left out" in capsys.readouterr().out
    events, rows = (pl.read_parquet(tmp_path / "f" / f"{name}.parquet") for name in ("events", "fleet"))
    assert events["start"].to_list()
    assert all(abs(start - UP) < 40 for start in events["start"])
    assert "above what was expected" in events["why"][0][0]
    assert rows["dropped"].to_list() >= [1]
    assert "begun with other settings: ignore was" in failure(capsys, *fleet, "--resume")


@pytest.mark.filterwarnings("default")
def test_what_does_not_fit_is_one_line_before_anything_is_trained(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, spans = ("--out", str(tmp_path / "out")), tmp_path / "spans.csv"
    detect = ("detect", file, *out, "--ignore", spans, *QUICK)
    for text, words in (
        ("start,end\n3,5\n", "spans.csv: ignore: 3.0 does not fit the series, whose rows are known by time stamps"),
        ("begin,stop\n3,5\n", "spans.csv: needs the columns start and end, and has begin, stop"),
        ("start,end\n2026-01-02,2026-01-01\n", "spans.csv: ignore: span 0: it ends before it begins"),
        ("start,end\n2026-01-02,\n", "spans.csv: row 0: end is missing"),
        ("start,end\n2026-01-02 10:00+01:00,2026-01-02 11:00+01:00\n", "give a zone"),
        ("start,end\n2026-01-02,soon\n", "spans.csv"),
    ):
        spans.write_text(text)
        assert words in failure(capsys, *detect)
        assert not (tmp_path / "out").exists()
    assert "missing.csv" in failure(capsys, "detect", file, *out, "--ignore", tmp_path / "missing.csv", *QUICK)
    assert "3 of 2 steps" in misuse(capsys, "detect", str(file), *out, "--at-least", "3-of-2")
    assert "valid_range must be like" in misuse(capsys, "detect", str(file), *out, "--valid-range", "9:-9")
    assert "names the channel depth, the series has flow" in failure(
        capsys, "detect", file, *out, "--min-deviation", "depth=1", *QUICK
    )
    assert "leaves no training value of column flow" in failure(
        capsys, "detect", file, *out, "--valid-range", "50:60", *QUICK
    )
    spans.write_text("start,end\n2030-01-01,2030-01-02\n")
    assert cli.main([*map(str, detect), "--train-rows", "800"]) == 0
    assert "none of its 1 spans lies in the series" in capsys.readouterr().err
