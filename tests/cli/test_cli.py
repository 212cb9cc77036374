"""The command, from arguments to files and output."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.conftest import unchecked
from tests.helpers.command import QUICK, failure, misuse
from twinvae.cli import main as cli
from twinvae.data import datasets
from twinvae.data.synthetic import noisy_sine
from twinvae.files.atomic import replacing

PICTURES = ("signal.png", "latent.png", "reconstruction.png", "score.png", "events.png")
DEMO_PICTURES = ("signal.png", "latent.png", "reconstruction_train.png", "reconstruction_test.png", "score.png")


def test_demo_of_both_backends_finds_the_spike_and_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with unchecked():
        assert cli.main(["demo", "--backend", "both", "--seed", "3", "--out", str(tmp_path / "new" / "demo")]) == 0
    out = tmp_path / "new" / "demo"
    summary = json.loads((out / "summary.json").read_text())
    for name in ("jax", "torch"):
        run = summary["backends"][name]
        ((start, end),) = run["events"]
        assert 280 <= start < 320
        assert 300 < end <= 340
        assert run["roc_auc"] == pytest.approx(1.0, abs=0.01)
        assert run["average_precision"] > 0.9
        assert set(run["seconds"]) == {"import", "compile", "train", "score"}
    assert summary["parity"]["max_score_difference"] < 1e-10
    assert summary["parity"]["labels_equal"] is True
    assert sorted(path.name for path in out.iterdir()) == sorted([*DEMO_PICTURES, "summary.json"])
    for picture in DEMO_PICTURES:
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "jax" in printed
    assert "torch" in printed
    assert "labels are equal" in printed


def test_detect_writes_everything_with_the_users_time_stamps(
    sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["detect", sensors, "--train-rows", "120", "--labels", "fault", "--out", out, "--json", *QUICK]
    assert cli.main([str(argument) for argument in arguments]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*PICTURES, "report.html", "scores.csv", "events.json", "model.safetensors"]
    )
    assert json.loads((out / "events.json").read_text()) == summary
    given, scores = pl.read_csv(sensors), pl.read_csv(out / "scores.csv")
    assert scores.columns == ["timestamp", "score", "label", "score_a", "score_b"]
    assert scores["timestamp"].to_list() == given["timestamp"].to_list()
    np.testing.assert_allclose(scores["score"], (scores["score_a"] + scores["score_b"]) / 2, rtol=1e-5)
    (event,) = summary["events"]
    assert event["start"] < 160
    assert event["end"] > 150
    assert next(iter(event["channels"])) == "b"
    assert event["start_time"] == given["timestamp"][event["start"]]
    assert event["value"] == pytest.approx(given["b"][event["peak"]])
    assert abs(event["expected"] - event["value"]) > 1.0
    rows = scores[event["start"] : event["end"]]
    if event["rows_per_value"] == 1:
        np.testing.assert_allclose(event["contributions"]["b"], rows["score_b"], rtol=5e-3)
    assert summary["average_precision"] > 0.5
    flagged = set(np.flatnonzero(scores["label"].to_numpy()))
    assert flagged <= set(range(event["start"], event["end"]))


@pytest.mark.parametrize(("fitted_with", "scored_with"), [("jax", "torch"), ("torch", "jax")])
def test_a_model_fitted_with_one_backend_scores_with_the_other(
    sensors: Path, tmp_path: Path, fitted_with: str, scored_with: str
) -> None:
    model, columns = tmp_path / "m.safetensors", ("--columns", "a,b")
    fit = ["fit", sensors, "--model", model, "--train-rows", "120", "--backend", fitted_with, *columns, *QUICK]
    assert cli.main([str(argument) for argument in fit]) == 0
    results = []
    for backend in (fitted_with, scored_with):
        out = tmp_path / f"{backend}.parquet"
        score = ["score", sensors, "--model", model, "--out", out, "--backend", backend]
        assert cli.main([str(argument) for argument in score]) == 0
        results.append(pl.read_parquet(out))
    a, b = (frame["score"].to_numpy() for frame in results)
    assert np.abs(a - b).max() <= 1e-5 * np.ptp(a)
    assert results[0]["label"].equals(results[1]["label"])


def test_score_of_normal_data_says_how_often_it_alarms(
    sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, normal = tmp_path / "m.safetensors", tmp_path / "normal.csv"
    pl.read_csv(sensors).slice(100, 50).write_csv(normal)
    fit = ["fit", sensors, "--model", model, "--train-rows", "100", "--columns", "a,b", "--threshold", "quantile"]
    rate = ("--quantile", "0.9", "--kind", "point")
    assert cli.main([str(argument) for argument in (*fit, *rate, *QUICK)]) == 0
    score = ["score", normal, "--model", model, "--out", tmp_path / "s.csv", "--normal"]
    assert cli.main([str(argument) for argument in score]) == 0
    assert "share of steps in alarm: asked for 0.1, found" in capsys.readouterr().out
    assert cli.main([*map(str, score), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found, scores = said["false_alarms"], pl.read_csv(tmp_path / "s.csv")["score"].to_numpy()[9:-9]
    assert (found["steps"], found["alarms"]) == (len(scores), (scores > said["threshold"]).sum())


def test_detect_reads_and_writes_parquet(sensors: Path, tmp_path: Path) -> None:
    source = tmp_path / "sensors.parquet"
    pl.read_csv(sensors, try_parse_dates=True).drop("fault").write_parquet(source)
    assert cli.main(["detect", str(source), "--train-rows", "120", "--out", str(tmp_path / "out"), *QUICK]) == 0
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet").height == 200


def test_detect_can_fit_on_another_file(sensors: Path, tmp_path: Path) -> None:
    normal = tmp_path / "normal.csv"
    pl.read_csv(sensors).head(120).write_csv(normal)
    arguments = ["detect", sensors, "--train", normal, "--columns", "a,b", "--out", tmp_path / "out", *QUICK]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert json.loads((tmp_path / "out" / "events.json").read_text())["train_rows"] == 0


@pytest.mark.filterwarnings("default")
def test_missing_values_are_refused_with_their_place_interpolated_or_left_out(
    sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gap = tmp_path / "gap.csv"
    pl.read_csv(sensors).with_columns(b=pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise("b")).write_csv(gap)
    arguments = ("detect", gap, "--columns", "a,b", "--train-rows", "120", "--out", tmp_path / "out", *QUICK)
    message = failure(capsys, *arguments)
    assert "row 7" in message
    assert "column b" in message
    assert "--missing interpolate" in message
    assert not (tmp_path / "out").exists()
    assert "--missing mask" in message
    assert cli.main([*map(str, arguments), "--missing", "interpolate"]) == 0
    assert cli.main([*map(str, arguments), "--preset", "auto"]) == 0
    assert "1 missing values (0.2%) are left out, the first at row 7, column b" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_rows_without_a_value_near_them_have_empty_scores(
    sensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gap = tmp_path / "gap.csv"
    away = pl.int_range(pl.len()).is_between(130, 189)
    pl.read_csv(sensors).with_columns(pl.when(~away).then(pl.col("a", "b"))).write_csv(gap)
    arguments = ("detect", gap, "--train-rows", "120", "--labels", "fault", "--out", tmp_path / "out", *QUICK)
    assert cli.main([*map(str, arguments), "--missing", "mask"]) == 0
    errors = capsys.readouterr().err
    assert "no value within a window" in errors
    assert "left out" not in errors, "that was asked for"
    scores = pl.read_csv(tmp_path / "out" / "scores.csv")
    assert scores["score"][155:165].null_count() == 10
    assert scores["label"][155:165].sum() == 0
    assert scores["score"][120:130].null_count() == 0


@pytest.mark.slow
def test_the_public_series_is_found_with_the_defaults(tmp_path: Path) -> None:
    assert cli.main(["detect", "--dataset", "ucr-135", "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "events.json").read_text())
    (event,) = summary["events"]
    assert event["start"] < 4199
    assert event["end"] > 4187
    assert summary["average_precision"] > 0.7


def test_doctor_is_content_with_the_tested_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "jaxlib" in printed
    assert "fit for use" in printed
    assert cli.main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


def test_doctor_fails_where_sums_of_squares_are_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vae_jax.doctor.sums_of_squares_are_right", lambda: False)
    assert cli.main(["doctor"]) == 1
    assert "jaxlib" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "fit", "score", "detect", "doctor"])
def test_help_shows_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"example: twinvae {command}" in " ".join(capsys.readouterr().out.split())


def test_a_data_set_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"twinvae\[datasets\]"):
        datasets.load_dataset("ucr-135")


def test_a_file_is_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "x") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_the_demo_series_is_the_tutorials() -> None:
    series = noisy_sine(0)
    clean = np.sin(np.linspace(0, 20 * np.pi, 500))
    assert np.std(series.normal - clean) == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(series.anomalous - series.normal > 1, series.labels == 1)
    assert np.flatnonzero(series.labels).tolist() == list(range(300, 320))
    np.testing.assert_allclose((series.anomalous - series.normal)[300:320], 2.5)


DATA = Path(__file__).parents[3] / "shared" / "data" / "nab"
FILES = sorted(DATA.glob("*_NAB_*.csv"))


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason="no ../shared/data here")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem[:12])
def test_real_series_are_scored_and_drawn(file: Path, tmp_path: Path) -> None:
    rows = file.stem.split("_tr_")[1].split("_")[0]
    arguments = ["detect", str(file), "--train-rows", rows, "--labels", "Label", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    summary = json.loads((tmp_path / "events.json").read_text())
    assert summary["roc_auc"] > 0.5
    drawn = set(PICTURES) - (set() if summary["events"] else {"events.png"})
    assert {path.name for path in tmp_path.iterdir()} >= drawn


def test_synthesize_writes_a_series_that_detect_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ("--train-rows", "600")
    shape = ("--channels", "2", "--length", "1500", *rows)
    kinds = ("--kind", "spike", "flatline")
    assert cli.main(["synthesize", *kinds, *shape, "--json", "--out", str(tmp_path / "new")]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["train_rows"] == 600
    assert [event["kind"] for event in made["events"]][:2] == ["spike", "flatline"]
    assert set(made["events"][0]["channels"]) <= {"channel_0", "channel_1"}
    labels = pl.read_csv(made["file"])["Label"].to_numpy()
    assert np.flatnonzero(labels)[0] == made["events"][0]["start"]
    assert "_tr_600_1st_" in made["file"]
    assert Path(made["picture"]).read_bytes().startswith(b"\x89PNG")
    assert cli.main(["detect", made["file"], "--labels", "Label", *rows, *QUICK, "--out", str(tmp_path)]) == 0
    assert "average precision" in capsys.readouterr().out


def test_synthesize_refuses_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new"
    assert "raise length" in failure(capsys, "synthesize", "--kind", "trend", "--length", "2050", "--out", out)
    assert "magnitude must be" in failure(capsys, "synthesize", "--kind", "trend", "--magnitude", "nan", "--out", out)
    assert not out.exists()
    assert "invalid choice: 'drift'" in misuse(capsys, "synthesize", "--kind", "drift", "--out", out)


def test_synthesize_makes_many_series_that_a_fleet_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = ("--kind", "spike", "--length", "700", "--train-rows", "300")
    for out, number in (("few", "3"), ("more", "11")):
        assert cli.main(["synthesize", *shape, "--series", number, "--out", str(tmp_path / out)]) == 0
    assert f"3 series of 700 rows, the first 300 normal, in {tmp_path / 'few'}" in capsys.readouterr().out
    few = [path.read_bytes() for path in sorted((tmp_path / "few").iterdir())]
    more = [path.read_bytes() for path in sorted((tmp_path / "more").iterdir())]
    assert [path.name for path in sorted((tmp_path / "few").iterdir())] == [f"series-{n}.csv" for n in range(3)]
    assert len(set(more)) == 11, "each is different"
    assert more[:3] == few
