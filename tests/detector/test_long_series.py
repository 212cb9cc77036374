"""A series on disk gives the results of the same series in memory, to the last bit, in bounded memory."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.conftest import in_a_fresh_process
from twinvae.cli.main import main
from twinvae.config import KINDS
from twinvae.files import out_of_core as storage
from twinvae.files.out_of_core import by_rows, first_row, kept, on_disk, quantiles, temporary_zeros, zeros_beside
from twinvae.network import schedule
from twinvae.scoring.trim import largest_share
from twinvae.series import gaps
from twinvae.tables import long_parquet as spool
from twinvae.tables.table import read_table

LENGTH = 1200


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every constant that cuts a long series, small enough that this one is cut many times."""
    monkeypatch.setattr(storage, "VALUES", 300)
    monkeypatch.setattr(storage, "LEAST_ROWS", 100)
    monkeypatch.setattr(schedule, "BLOCK", 256)
    monkeypatch.setattr(schedule, "CHUNK_STEPS", 7)
    monkeypatch.setattr("twinvae.network.training.CHUNK_STEPS", 7)
    monkeypatch.setattr("vae_jax.score.BLOCK_VALUES", 64 * 64)
    monkeypatch.setattr("vae_torch.score.BLOCK_VALUES", 64 * 64)
    monkeypatch.setattr(spool, "LONG", 1000)
    monkeypatch.setattr(spool, "ROWS", 333)


def series_of(channels: int, *, holes: bool = False, length: int = LENGTH) -> np.ndarray:
    generator = np.random.default_rng(channels)
    steps = np.arange(length)[:, None]
    series = np.sin(steps * 0.2 * (1 + np.arange(channels))) + generator.normal(0.0, 0.1, (length, channels))
    series[700:710] += 3.0
    if holes:
        series[generator.random(series.shape) < 0.05] = np.nan
        series[900:1100] = np.nan  # longer than a piece, and than a window
        series[:30, -1] = series[-40:, 0] = np.nan
    return series


def mapped(folder: Path, series: np.ndarray) -> np.ndarray:
    np.save(folder / "series.npy", series)
    result: np.ndarray = np.load(folder / "series.npy", mmap_mode="r")
    return result


def same(one: Any, other: Any) -> bool:
    return one is other or np.array_equal(one, other, equal_nan=True)


CASES: dict[str, tuple[dict[str, Any], np.ndarray]] = {
    "auto": ({"window": None, "batch_size": 256}, series_of(1)[:, 0]),
    "float32, held out": (
        {"validation_fraction": 0.2, "threshold": "quantile", "kind": "point"},
        series_of(2).astype(np.float32),
    ),
    "masks, trim, held out": (
        {"missing": "mask", "trim": 0.1, "threshold": "robust", "validation_fraction": 0.2},
        series_of(3, holes=True),
    ),
    "interpolated, draws, columns first": (
        {
            "missing": "interpolate",
            "scaling": "robust",
            "draws": 2,
            "threshold": "pot",
            "kind": "point",
        },
        np.asfortranarray(series_of(2, holes=True)),
    ),
}


@pytest.mark.filterwarnings("ignore:.*no value within a window")
@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_the_series_in_memory(detector_class: Any, case: str, tmp_path: Path) -> None:
    settings, series = CASES[case]
    settings = {"window": 16, "hidden_dim": 5, "latent_dim": 2, "epochs": 2, "margin": 0.5, **settings}
    large = mapped(tmp_path, series)
    assert on_disk(large)
    memory, disk = detector_class(**settings).fit(series), detector_class(**settings).fit(large)
    assert all(same(memory.parameters_[name], disk.parameters_[name]) for name in memory.parameters_)
    assert memory.thresholds_ == disk.thresholds_
    assert memory.history_ == disk.history_
    assert memory.as_bytes() == disk.as_bytes()  # calibration, scaler and parameters
    for name in ("decision_scores_", "labels_"):
        assert same(getattr(memory, name), getattr(disk, name))
        assert on_disk(getattr(disk, name))
        assert not on_disk(getattr(memory, name))
    for kind in KINDS:
        result = disk.contributions(large, kind=kind)
        assert same(memory.contributions(series, kind=kind), result)
        assert on_disk(result)
    events = [memory.events(series, kind=kind) for kind in (None, "ensemble")]
    assert any(events), "or the comparison says nothing"
    assert events == [disk.events(large, kind=kind) for kind in (None, "ensemble")]
    assert memory.false_alarms(series) == disk.false_alarms(large)
    for duplicate in (copy.deepcopy(disk), pickle.loads(pickle.dumps(disk))):
        assert same(duplicate.decision_scores_, memory.decision_scores_)


def test_what_is_wrong_is_said_as_of_a_series_in_memory(tmp_path: Path) -> None:
    from twinvae.series.series import Series

    series = series_of(2)
    series[400, 1] = np.nan
    for value, message in (
        (np.nan, "missing value at row 400, column 1 .2 in all"),
        (np.inf, "infinite value at row 800"),
    ):
        series[800, 0] = value
        for given in (series, mapped(tmp_path, series)):
            with pytest.raises(ValueError, match=message):
                Series.of(given).checked("error")


@pytest.mark.parametrize("dtype", ["i2", ">f8", ">f4"])
def test_other_numbers_are_converted_on_disk(dtype: str, tmp_path: Path) -> None:
    from twinvae.series.series import Series

    series = (99 * series_of(2)).astype(dtype)
    converted = Series.of(mapped(tmp_path, series)).checked("error").values
    assert on_disk(converted)
    assert same(converted, Series.of(series).checked("error").values)
    assert converted.dtype == (np.float32 if dtype == ">f4" else np.float64)


def test_pieces_change_no_result(tmp_path: Path) -> None:
    values = np.round(np.random.default_rng(0).normal(size=1000), 1)  # with equal ones
    large = mapped(tmp_path, values)
    assert same(quantiles(large, [0.1, 0.77]), np.quantile(values, [0.1, 0.77]))
    assert same(kept(large, values > 0), values[values > 0])
    assert first_row(lambda part: part > 2.4, large) == np.flatnonzero(values > 2.4)[0]
    assert first_row(np.isnan, large) is None
    largest = np.zeros(1000, bool)
    largest[np.argsort(-values, kind="stable")[:123]] = True
    assert same(largest_share(large, 0.123), largest)
    doubled = by_rows(lambda part: 2 * part, large)
    assert on_disk(doubled)
    assert same(doubled, 2 * values)
    assert not on_disk(values[3:])
    assert on_disk(np.asarray(large)[3:][:, None])


def test_a_gap_is_filled_as_numpy_does(tmp_path: Path) -> None:
    series = series_of(3, holes=True)
    series[:, 1] = np.nan
    for given in (
        series.copy(),
        np.array(mapped(tmp_path, series)),
        zeros_beside(mapped(tmp_path, series), series.shape, float),
    ):
        given[:] = series
        known = ~np.isnan(given)
        gaps.interpolate(given, known)
        for channel in (0, 2):
            there, step = known[:, channel], np.arange(LENGTH)
            expected = np.interp(step, step[there], series[there, channel])
            assert np.allclose(given[:, channel], expected, rtol=0, atol=1e-14)
        assert np.isnan(given[:, 1]).all()


# Files.


def write_parquet(path: Path, series: np.ndarray, **columns: Any) -> Path:
    names = [chr(ord("a") + channel) for channel in range(series.shape[1])]
    frame = pl.DataFrame({**columns, **{name: series[:, index] for index, name in enumerate(names)}})
    frame.write_parquet(path, row_group_size=200)
    return path


def seconds(length: int = LENGTH) -> pl.Series:
    return pl.Series(np.arange(length) * 1_000_000).cast(pl.Datetime("us", "UTC"))


@pytest.mark.parametrize("text", [False, True])
def test_a_long_parquet_file_is_spooled(tmp_path: Path, text: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    series = series_of(2, holes=True).astype(np.float32)
    stamps = seconds().dt.to_string("%Y-%m-%dT%H:%M:%SZ") if text else seconds()
    labels = np.zeros(LENGTH, bool)
    labels[700:710] = True
    padding = np.full((900, 2), np.nan, np.float32)
    path = write_parquet(tmp_path / "long.parquet", series, time=stamps, label=labels)
    empty = pl.DataFrame(
        {"time": [None] * 900, "label": None, "a": None, "b": None}, schema=pl.read_parquet_schema(path)
    )
    pl.concat([pl.read_parquet(path), empty]).write_parquet(path)
    assert len(padding) == empty.height
    table = read_table(path)
    monkeypatch.setattr(spool, "LONG", 10**9)
    short = read_table(path)
    assert on_disk(table.values)
    assert not on_disk(short.values)
    assert table.values.dtype == np.float32
    assert same(table.values, short.values)
    assert len(table) == LENGTH
    assert table.names == short.names == ("a", "b")
    assert table.labels is not None
    assert same(table.labels, short.labels)
    assert [table.stamp(row) for row in (0, 999, 1199)] == [short.stamp(row) for row in (0, 999, 1199)]
    part = table.rows(slice(5, 800))
    assert part.stamps(slice(2, 4)).to_list() == short.stamps(slice(7, 9)).to_list()
    assert part.stamps(slice(2, 4)).dtype == short.stamps(slice(0, 1)).dtype


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "same stamp": ({"time": np.repeat(np.arange(LENGTH // 2), 2)}, "row 1 has the same time stamp"),
    "stamp that goes back": ({"time": np.r_[0:666, 5, 667:LENGTH]}, "row 666 has an earlier time stamp"),
    "no stamp": ({"time": ["2026-01-01"] + ["soon"] * (LENGTH - 1)}, "row 1, column time: 'soon' is not a time stamp"),
    "missing stamp": ({"time": [*range(1000), None, *range(1001, LENGTH)]}, "row 1000: the time stamp is missing"),
    "words": ({"c": ["1"] * 1100 + ["x"] * 100}, "row 1100, column c: 'x' is not a number"),
    "offset": ({"c": 1e8 + np.random.default_rng(0).normal(size=LENGTH)}, "column c varies by .*; float32"),
    "too large": ({"c": np.r_[np.zeros(LENGTH - 1), 1e300]}, "column c varies by .*; float32"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_long_parquet_file_is_checked(case: str, tmp_path: Path) -> None:
    columns, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        read_table(write_parquet(tmp_path / "long.parquet", series_of(1), **columns))


def test_times_of_a_long_file_are_no_values(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "long.parquet", series_of(1), c=seconds())
    with pytest.warns(UserWarning, match="left out c: times beside the time stamps; see --columns"):
        assert read_table(path).names == ("a",)
    with pytest.raises(ValueError, match="column c holds Datetime"):
        read_table(path, columns=("a", "c"))


def test_labels_of_a_long_file_hold_nothing_but_0_and_1(tmp_path: Path) -> None:
    almost = np.r_[np.zeros(LENGTH - 1), 2.0]
    path = write_parquet(tmp_path / "long.parquet", series_of(1), label=almost)
    assert read_table(path).names == ("label", "a")
    with pytest.raises(ValueError, match="row 1199, column label: a label must be 0 or 1, got 2"):
        read_table(path, labels="label")


def test_a_broken_parquet_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "long.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(ValueError, match=r"long.parquet: cannot be read: .*\Z"):
        read_table(tmp_path / "long.parquet")


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.array(["x"]), {}, "must hold numbers of shape"),
        (np.array([{}]), {}, "not a .npy file of numbers"),
        (np.zeros((2, 2, 2)), {}, "must hold numbers of shape"),
        (np.zeros((0, 2)), {}, "no rows of data"),
        (np.zeros((5, 2)), {"columns": ["2"]}, "no column '2': the file has 0, 1"),
        (np.zeros(5), {"labels": "label"}, "neither time stamps nor labels"),
        (np.zeros(5), {"time": "t"}, "neither time stamps nor labels"),
    ],
)
def test_an_npy_file_is_checked(array: np.ndarray, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "x.npy", **options)


def test_an_npy_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        read_table(tmp_path / "x.npy")
    for content in (b"", b"not NumPy's", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'"):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"not a \.npy file of numbers"):
            read_table(tmp_path / "x.npy")


SMALL = ("--margin", "0.5", "--window", "16", "--hidden-dim", "5", "--latent-dim", "2", "--epochs", "2")


def score(path: Path, model: Path, out: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["score", str(path), "--model", str(model), "--out", str(out), "--json", *options]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_command_takes_long_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], backend_name: str) -> None:
    series = series_of(2).astype(np.float32)
    parquet = write_parquet(tmp_path / "long.parquet", series, time=seconds())
    np.save(tmp_path / "long.npy", series)
    models = {}
    for path in (parquet, tmp_path / "long.npy"):
        model = tmp_path / f"{path.suffix[1:]}.safetensors"
        assert main(["fit", str(path), "--model", str(model), "--backend", backend_name, *SMALL]) == 0
        models[path] = model
    capsys.readouterr()
    of_parquet = score(parquet, models[parquet], tmp_path / "a.parquet", capsys, "--normal")
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame.columns == ["time", "score", "label", "score_a", "score_b"]
    assert (frame["time"] == seconds()).all()
    of_npy = score(tmp_path / "long.npy", models[parquet], tmp_path / "b.npy", capsys)
    score(tmp_path / "long.npy", models[tmp_path / "long.npy"], tmp_path / "c.csv", capsys)
    assert (frame["score"].to_numpy() == np.load(tmp_path / "b.npy")).all()
    text = pl.read_csv(tmp_path / "c.csv")
    assert text.columns == ["row", "score", "label", "score_0", "score_1"]
    assert text["row"].to_list() == list(range(LENGTH))
    assert (text["score"].cast(pl.Float32).to_numpy() == np.load(tmp_path / "b.npy")).all(), "both models are one"
    assert (text["label"] == frame["label"]).all()
    assert [event["start"] for event in of_parquet["events"]] == [event["start"] for event in of_npy["events"]]
    assert of_parquet["events"][0]["start_time"] == str(seconds()[of_parquet["events"][0]["start"]])


# Disk and memory.


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", series_of(1))
    write_parquet(tmp_path / "long.parquet", series_of(1))
    model = tmp_path / "m.safetensors"
    assert main(["fit", str(tmp_path / "long.npy"), "--model", str(model), "--backend", "torch", *SMALL]) == 0
    (tmp_path / "room").mkdir()
    program = f"""
import resource, sys
sys.stderr = sys.stdout
from twinvae.cli import main as cli
from twinvae.tables import long_parquet as spool
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))
options = ["--model", "{model}", "--backend", "torch"]
for suffix in ("parquet", "csv", "npy"):
    assert cli.main(["score", "{tmp_path}/long.npy", *options, "--out", "{tmp_path}/scores." + suffix]) == 1
spool.LONG = 1000
for suffix in ("parquet", "npy"):
    assert cli.main(["fit", "{tmp_path}/long." + suffix, *options]) == 1
"""
    lines = in_a_fresh_process(program, TMPDIR=str(tmp_path / "room")).splitlines()
    assert len(lines) == 5, lines
    assert all("twinvae: error: " in line for line in lines), lines
    assert f"error: {tmp_path}/room: File too large: 4,800 bytes" in lines[3]
    assert "see TMPDIR" in lines[4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.npy", "long.parquet", "m.safetensors", "room"]
    assert list((tmp_path / "room").iterdir()) == []


def test_a_temporary_file_has_no_name_and_its_room_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reserved = []
    monkeypatch.setattr("os.posix_fallocate", lambda file, begin, size: reserved.append(size))
    array = temporary_zeros((3, 5), np.float32)
    assert reserved == [60]
    assert not array.any()
    array[2] = 1.0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_anonymous_memory_is_bounded(backend_name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.sin(np.arange(10**7, dtype=np.float32) / 10))
    program = f"""
import threading, numpy as np
from vae_{backend_name} import VAEDetector

def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024

def detector():
    return VAEDetector(window=50, epochs=1, batch_size=1024, missing="mask")

detector().fit(np.sin(np.arange(5000) / 10))
series, done, peak = np.load("{tmp_path}/long.npy", mmap_mode="r"), threading.Event(), 0.0

def watch():
    global peak
    while not done.wait(0.01):
        peak = max(peak, anonymous())

watcher, before = threading.Thread(target=watch), anonymous()
watcher.start()
fitted = detector().fit(series)
fitted.decision_function(series)
done.set()
watcher.join()
print(peak - before)
"""
    assert 1 < float(in_a_fresh_process(program, TMPDIR=str(tmp_path))) < 200, "MiB; in memory it takes about 400"
