"""`twinvae fleet`, from files to tables, with real training."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.conftest import BACKENDS, detector_of
from tests.helpers.browser import Browser
from tests.helpers.command import errors, files, misuse
from twinvae.cli import main as cli
from twinvae.tables.table import read_table

QUICK = ("--preset", "standard", "--window", "10", "--hidden-dim", "4", "--latent-dim", "2", "--epochs", "5")
SAME = {"preset": "standard", "window": 10, "hidden_dim": 4, "latent_dim": 2, "epochs": 5}
TRAIN = ("--train-rows", "120")


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five good series of several lengths and kinds, with an anomaly in rows 150 to 159, and three bad ones."""
    folder = tmp_path_factory.mktemp("fleet") / "machines"
    folder.mkdir()
    for index in range(5):
        generator, length = np.random.default_rng(index), 200 + 20 * (index % 2)
        time = np.arange(length)
        values = np.sin(time / 3)[:, None] + generator.normal(0, 0.05, (length, 1 + (index == 3)))
        values[150:160, -1] += 8.0
        if index == 4:
            values[30:33] = np.nan
        frame = pl.DataFrame(values, [f"x{channel}" for channel in range(values.shape[1])]).fill_nan(None)
        stamps = pl.Series("timestamp", [f"2026-01-01 {t // 60:02}:{t % 60:02}:00" for t in time])
        labels = pl.Series("fault", ((time >= 150) & (time < 160)).astype(int))
        frame = frame.insert_column(0, stamps).with_columns(labels)
        if index == 3:
            frame.write_parquet(folder / f"machine {index}.parquet")
        else:
            frame.write_csv(folder / f"machine {index}.csv")
    frame.head(100).write_csv(folder / "short.csv")
    frame.with_columns(x0=1.0).write_csv(folder / "still.csv")
    (folder / "text.csv").write_text("timestamp,x0,fault\n2026-01-01 00:00:00,oops,0\n")
    return folder


def fleet(machines: Path, out: Path, backend: str, *more: str) -> int:
    arguments = ("--labels", "fault", "--missing", "mask", "--backend", backend, *TRAIN, *QUICK, *more)
    return cli.main(["fleet", str(machines), "--out", str(out), *arguments])


@pytest.fixture(scope="module", params=BACKENDS)
def trained(request: pytest.FixtureRequest, machines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / str(request.param)
    assert fleet(machines, out, request.param, "--scores", "--dtype", "float64", "--workers", "2") == 0
    return out


def test_each_series_is_found_as_by_a_detector_of_its_own(trained: Path, machines: Path) -> None:
    table, events = (pl.read_parquet(trained / f"{name}.parquet") for name in ("fleet", "events"))
    assert table["name"].to_list() == [*(f"machine {index}" for index in range(5)), "short", "still", "text"]
    detector_class = detector_of(trained.name)
    assert table["status"].to_list() == ["ok"] * 5 + ["failed"] * 3
    for row in table[[3, 4]].iter_rows(named=True):  # a Parquet file of two channels, a series with a gap
        assert row["error"] is None
        whole = read_table(next(machines.glob(f"{row['name']}.*")), labels="fault")
        alone = detector_class(**SAME, missing="mask", dtype="float64").fit(whole.rows(slice(120)))
        assert (row["rows"], row["channels"], row["window"], row["epochs"]) == (len(whole), len(whole.names), 10, 5)
        assert row["kind"] == "window"
        assert row["threshold"] == pytest.approx(alone.threshold_, rel=1e-10)
        assert row["loss"] == pytest.approx(alone.history_["loss"][-1], rel=1e-10)
        assert row["roc_auc"] > 0.9
        expected = alone.events(whole)
        own = events.filter(pl.col("series") == row["name"]).to_dicts()
        assert row["events"] == len(own) == len(expected) > 0
        assert row["anomalous_steps"] == sum(event.end - event.start for event in expected)
        for record, event in zip(own, expected, strict=True):
            assert (record["start"], record["end"], record["peak"]) == (event.start, event.end, event.peak)
            assert record["start_time"] == whole.stamp(event.start)
            assert record["last_time"] == whole.stamp(event.end - 1)
            assert record["score"] == pytest.approx(event.score, rel=1e-9)
            assert record["channels"] == list(event.channels)


def test_series_that_are_not_fit_say_why(trained: Path) -> None:
    table = pl.read_parquet(trained / "fleet.parquet").tail(3)
    assert table["status"].to_list() == ["failed"] * 3
    short, still, text = table["error"]
    assert "--train-rows is 120, the series has 100 rows" in short
    assert "the training series is constant" in still
    assert "row 0, column x0: 'oops' is not a number" in text
    assert table["model"].null_count() == table["threshold"].null_count() == 3


@pytest.mark.parametrize("name", BACKENDS)
def test_a_model_scores_in_either_backend_as_the_scores_say(trained: Path, machines: Path, name: str) -> None:
    row = pl.read_parquet(trained / "fleet.parquet").row(3, named=True)
    detector = detector_of(name).load(trained / row["model"])
    assert detector.threshold_ == row["threshold"]
    scores = pl.read_parquet(trained / "scores" / "machine 3.parquet")
    assert scores.columns == ["timestamp", "score", "label", "score_x0", "score_x1"]
    found = detector.decision_function(read_table(machines / "machine 3.parquet", labels="fault"))
    np.testing.assert_allclose(scores["score"], found, rtol=1e-9)


def test_each_series_with_an_event_opens_as_its_own_page(trained: Path, browser: Browser) -> None:
    table = pl.read_parquet(trained / "fleet.parquet")
    found = set(table.filter(pl.col("events") > 0)["name"])
    pages = {path.name for path in (trained / "reports").iterdir()}
    assert pages == {"bokeh.js", *(f"{name}.html" for name in found)}
    browser.open(trained / "report.html")
    links = browser.all("tbody a")
    assert {link.text for link in links} == found
    name = links[0].text
    links[0].click()
    browser.until("document.title.startsWith('machine') && document.querySelector('.bk-Figure')")
    assert browser.texts("h1") == [name]
    assert len(browser.texts("#events tbody tr:not([hidden])")) == table.filter(name=name)["events"].item()


def test_the_bits_depend_on_neither_workers_nor_the_run(trained: Path, machines: Path, tmp_path: Path) -> None:
    assert fleet(machines, tmp_path / "out", trained.name, "--scores", "--dtype", "float64", "--workers", "1") == 0
    assert files(tmp_path / "out") == files(trained)


def test_what_is_printed_names_the_series_with_events_and_the_failures(
    machines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet(machines, tmp_path / "out", "torch") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("5 of 8 series done, 3 failed; ")
    assert any(line.startswith("  machine 3: ") and "the first at 2026-01-01 02:" in line for line in lines)
    assert lines[-4].startswith("  short: --train-rows is 120")
    assert lines[-1].endswith(f"are in {tmp_path / 'out'}")
    summary = json.loads((tmp_path / "out" / "fleet.json").read_text())
    assert (summary["series"], summary["ok"], summary["failed"]) == (8, 5, 3)
    assert summary["settings"]["hyperparameters"]["window"] == 10


@pytest.mark.filterwarnings("default")
def test_what_one_should_know_is_warned_of_once(
    machines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for index in (0, 2):
        pl.read_csv(machines / f"machine {index}.csv").rename({"fault": "label"}).write_csv(folder / f"m{index}.csv")
    (folder / "notes.txt").write_text("")
    assert cli.main(["fleet", str(folder), "--out", str(tmp_path / "out"), "--backend", "torch", *QUICK]) == 0
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 3
    assert "left out 1 entries that are hidden, or no .csv or .parquet file" in warnings[0]
    assert "fitted on whole series: their anomalies count as normal; see --train-rows" in warnings[1]
    assert "as labels, not as a channel, in 2 series; see --labels and --columns" in warnings[2]


def test_ray_that_is_not_installed_names_its_extra(
    machines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("twinvae.cli.fleet.importlib.util.find_spec", lambda name: None if name == "ray" else name)
    assert fleet(machines, tmp_path / "out", "torch", "--engine", "ray") == 1
    (line,) = errors(capsys)
    assert "pip install 'twinvae[ray]'" in line


def test_wrong_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, word in (
        (("fleet", "in"), "--out"),
        (("fleet", "in", "--out", "o", "--together", "0"), "at least 1"),
        (("fleet", "in", "--out", "o", "--engine", "spark"), "invalid choice"),
    ):
        assert word in misuse(capsys, *arguments)


@pytest.mark.slow
def test_ray_writes_the_same_bytes(trained: Path, machines: Path, tmp_path: Path) -> None:
    backend = trained.name
    arguments = ("--scores", "--dtype", "float64", "--engine", "ray")
    assert fleet(machines, tmp_path / "ray", backend, *arguments) == 0
    names = sorted(path.relative_to(trained) for path in trained.rglob("*") if path.is_file())
    assert names == sorted(
        path.relative_to(tmp_path / "ray") for path in (tmp_path / "ray").rglob("*") if path.is_file()
    )
    for name in names:
        assert (tmp_path / "ray" / name).read_bytes() == (trained / name).read_bytes(), name
