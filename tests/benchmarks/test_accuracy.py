"""The accuracy run: its baselines, its means, its files, and one clear line for everything that goes wrong."""

import importlib.util
import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.accuracy import command, tables
from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.method import Answer, Method, unavailable
from benchmarks.accuracy.methods import chosen
from benchmarks.accuracy.published import Published, read_published, rows
from benchmarks.accuracy.records import METRICS, Accuracy, Record, shown, summarise
from benchmarks.accuracy.run import measure_all
from benchmarks.accuracy.sets import Case, named
from benchmarks.errors import RunError
from twinvae.data.datasets import BadFile, Dataset
from twinvae.metrics.vus import vus
from twinvae.windowing.period import period

STEPS, FITTED, START, END = 400, 200, 300, 320


def sine(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A noisy sine whose second half holds one labelled anomaly."""
    values = np.sin(np.arange(STEPS) / 4) + np.random.default_rng(seed).normal(0, 0.05, STEPS)
    labels = np.zeros(STEPS, dtype=np.int8)
    labels[START:END] = 1
    values[START:END] += 2.0
    return values, labels


def dataset(name: str = "one", seed: int = 0, **changed: Any) -> Dataset:
    values, labels = sine(seed)
    return Dataset(name, values[:, None], labels, FITTED, False, "made here", ("value",))._replace(**changed)


def perfect(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    scores = np.zeros(len(values))
    scores[START:END] = 1.0 + seed
    return Answer(scores, 0.5, [(START, END)])


def broken(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    raise KeyError("its\nown\nfault")


PERFECT = Method("vae_jax", "ours", "knows the answer", True, perfect, "jax")
BROKEN = Method("broken", "broken", "fails", False, broken)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two series in TSB-AD's form, one that cannot be read, and published figures."""
    data = tmp_path / "made"
    data.mkdir()
    for index in (1, 2):
        values, labels = sine(index)
        lines = [f"{value:.6f},{label}" for value, label in zip(values, labels, strict=True)]
        (data / f"00{index}_made_id_{index}_tr_{FITTED}_1st_{START}.csv").write_text("\n".join(["Data,Label", *lines]))
    (data / f"003_made_id_3_tr_{FITTED}_1st_{START}.csv").write_text("Data,Label\n1.0,0\noops,1\n")
    figures = "file,Sub-PCA,AutoEncoder,Donut\n"
    figures += "".join(f"00{i}_made_id_{i}_tr_{FITTED}_1st_{START}.csv,0.{i},0.5,0.25\n" for i in (1, 2))
    (data / "published_vus_pr.csv").write_text(figures)
    return data


def test_a_run_writes_a_table_records_pictures_and_one_page(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "new" / "accuracy.json", tmp_path / "out"
    arguments = ["--variant", "preset=tutorial", "--backends", "jax", "--seeds", "0,1"]
    arguments += ["--methods", "random,z-score,sub-pca"]
    code = main(["accuracy", str(folder), *arguments, "--json", str(file), "--out", str(out)])
    printed = capsys.readouterr()
    assert code == 1  # one file is bad
    assert re.search(r"^benchmarks: \S*003_made.*oops", printed.err)
    assert len(printed.err.splitlines()) == 2

    content = json.loads(file.read_text())
    records = [Record(**record) for record in content["records"]]
    assert len(records) == 2 * (2 + 2 + 1 + 1)  # series, seeds of each method
    assert all(record.values.keys() == METRICS.keys() for record in records)
    assert content["machine"]["name"]
    ranks = content["mean_ranks"]["made"]
    assert sum(ranks.values()) == pytest.approx(1 + 2 + 3 + 4)
    assert max(ranks, key=ranks.__getitem__) == "random"
    assert content["versions"]["numpy"]
    table = {line.split("  ")[0]: line.split("  ", 1)[-1].split() for line in printed.out.splitlines()}
    name = "vae_jax preset=tutorial"
    ours = [r.values["vus_pr"] for r in records if r.implementation == name]
    assert f"{np.mean([value or 0.0 for value in ours]):.3f}" in table[name]
    assert float(table["random score"][0]) < 0.3 < float(table[name][0])
    assert "0.500" in table["AutoEncoder (published, best of 3)"]
    assert "0.250" in table["Donut (published)"]
    values, labels = sine(1)
    scores = np.abs(values.round(6) - values[:FITTED].round(6).mean())
    expected = vus(labels, scores, period(values.round(6)))
    measured = next(r for r in records if (r.implementation, r.case[:3]) == ("z-score", "001"))
    assert measured.values["vus_pr"] == pytest.approx(expected.pr, rel=1e-5)

    page = (out / "accuracy.html").read_text()
    assert len(list(out.glob("*.png"))) == 2 == page.count("data:image/png;base64,")
    assert all(words in page for words in ("INFLATED", "published", "oops", "seeds 0, 1"))
    assert not re.search(r'(src|href)="(?!data:)', page)


# Means.


def record(case: str, seed: int | None, value: float | None) -> Record:
    return Record("set", case, "m", "none", seed, {"vus_pr": value})


def test_the_mean_of_a_set_is_the_mean_of_its_series_and_the_spread_is_that_over_the_seeds() -> None:
    found = summarise([record("a", 0, 0.1), record("b", 0, 0.3), record("a", 1, 0.3), record("b", 1, 0.5)], "vus_pr")
    assert found is not None
    assert found == pytest.approx((0.3, np.std([0.2, 0.4], ddof=1), 2, 2))
    assert shown(found, "vus_pr") == "0.300 ± 0.141"
    assert shown(summarise([record("a", None, 0.25)], "vus_pr"), "vus_pr") == "0.250"


def test_a_metric_that_is_not_defined_is_left_out_of_the_mean() -> None:
    assert summarise([record("a", 0, None)], "vus_pr") is None
    assert shown(None, "delay") == "-"
    found = summarise([record("a", 0, None), record("b", 0, 0.5)], "vus_pr")
    assert found is not None
    assert found.mean == 0.5
    assert found.cases == 1


def test_methods_are_ranked_on_each_series_and_equals_share_their_places() -> None:
    run = Accuracy("command", (0,), machine={}, versions={})
    values = {
        "a": {"x": [0.75, 0.25], "y": [0.5], "z": [0.1]},
        "b": {"x": [0.2], "y": [0.3], "z": [0.3]},
        "c": {"x": [0.0]},
    }
    run.records = [
        Record("set", case, name, "none", seed, {"vus_pr": value})
        for case, found in values.items()
        for name, seeds in found.items()
        for seed, value in enumerate(seeds)
    ]
    assert run.mean_ranks("set") == {"x": (1.5 + 3) / 2, "y": (1.5 + 1.5) / 2, "z": (3 + 1.5) / 2}
    assert run.mean_ranks("set", ["a"]) == {"x": 1.5, "y": 1.5, "z": 3.0}
    assert run.mean_ranks("set", ["c"]) == {"x": 1.0}, "one method is the first"
    assert run.mean_ranks("another") == {}
    methods = [PERFECT._replace(name=name, label=name) for name in "xyz"]
    assert [row[-2] for row in tables.summary(run, "set", methods, [])] == ["2.25", "1.50", "2.25"]


@pytest.mark.slow
def test_thresholds_are_measured_on_what_was_held_out(folder: Path, tmp_path: Path, capsys: Any) -> None:
    next(folder.glob("002*")).unlink()
    file = tmp_path / "t.json"
    assert main(["thresholds", str(folder), "--backend", "jax", "--json", str(file)]) == 1  # one file is bad
    printed = capsys.readouterr()
    assert "oops" in printed.err
    found = json.loads(file.read_text())[str(folder)]
    names = {(one["kind"], one["setting"]) for one in found}
    assert len(names) == len(found) == 3 * 5, "60 held-out rows; too few scores for peaks over threshold"
    for one in found:
        assert one["low"] <= one["found"] <= one["high"]
        assert one["steps"] <= 60
    by = {(one["kind"], one["setting"]): one["found"] for one in found}
    assert by["point", "maximum 3.0"] <= by["point", "maximum 1.0"] <= by["point", "quantile 0.99"]
    assert main(["thresholds", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


# What goes wrong.


def measured(
    series: Sequence[Dataset | BadFile], methods: list[Method], run: Accuracy | None = None
) -> tuple[Accuracy, list[str]]:
    run = run or Accuracy("command", (0,), machine={}, versions={})
    lines: list[str] = []
    cases = [Case("dev", one) for one in series]
    measure_all(run, "set", cases, methods, say=lambda line: None, complain=lines.append)
    return run, lines


def test_a_method_that_fails_is_one_line_and_the_rest_go_on() -> None:
    run, lines = measured([dataset("one"), dataset("two")], [BROKEN, PERFECT])
    assert lines == [f"{case}: broken: KeyError: 'its\\nown\\nfault'" for case in ("one", "two")] == run.failures
    assert run.implementations == ["vae_jax"]
    assert run.cases("set") == ["one", "two"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"labels": np.zeros(STEPS, dtype=np.int8)}, "mark no step"),
        ({"labels": np.zeros(3, dtype=np.int8)}, "3 labels"),
        ({"train_rows": 0}, "0 rows to fit on, of 400"),
        ({"train_rows": STEPS + 1}, "401 rows to fit on"),
        ({"values": np.full((STEPS, 1), np.nan)}, "no value"),
    ],
)
def test_a_series_that_cannot_be_measured_is_one_line(changed: dict[str, Any], words: str) -> None:
    run, lines = measured([BadFile("bad", "is bad"), dataset(**changed), dataset("good")], [PERFECT])
    assert lines[0] == "bad: is bad"
    assert words in lines[1]
    assert len(lines) == 2
    assert run.cases("set") == ["good"]


def test_gaps_are_filled_and_an_unlabelled_series_is_fitted_whole() -> None:
    values, _ = sine()
    values[5] = np.nan
    seen = []

    def look(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
        seen.append((len(fitted), bool(np.isfinite(values).all())))
        return perfect(fitted, values, period, seed)

    both = [dataset(values=values[:, None]), dataset(values=values[:, None], unlabelled_fit=True, train_rows=0)]
    measured(both, [PERFECT._replace(run=look)])
    assert seen == [(FITTED, True), (STEPS, True)]


@pytest.mark.parametrize("swallowed", [True, False])
def test_ctrl_c_is_one_line_and_keeps_what_was_measured(
    swallowed: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def interrupted(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
        calls.append(len(values))
        if len(calls) == 2:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                if not swallowed:  # a detector's fit keeps what it has and goes on
                    raise
        return perfect(fitted, values, period, seed)

    monkeypatch.setattr(command, "chosen", lambda *_: [PERFECT._replace(run=interrupted)])
    file = tmp_path / "kept.json"
    before = signal.getsignal(signal.SIGINT)
    assert main(["accuracy", str(folder), "--json", str(file)]) == 1
    assert capsys.readouterr().err == "benchmarks: interrupted\n"
    assert {record["case"][:3] for record in json.loads(file.read_text())["records"]} == {"001"}
    assert signal.getsignal(signal.SIGINT) is before


def test_wrong_requests_are_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, words in (
        ([str(tmp_path / "nowhere")], "nowhere"),
        ([str(empty)], "no labelled series"),
        ([str(folder), "--methods", "magic"], "unknown method 'magic'"),
        ([str(folder), "--backends", "numpy"], "numpy"),
        ([str(folder), "--variant", "hidden=3"], "hidden"),
        ([str(folder), "--variant", "kind=none"], "kind must be one of"),
        ([str(folder), "--variant", "window"], "'window' is not NAME=VALUE"),
        ([str(folder), "--jobs", "0"], "--jobs must be at least 1"),
        ([str(folder), "--json", str(tmp_path)], "is a folder"),
    ):
        assert main(["accuracy", *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        main(["accuracy", str(folder), "--seeds", "0,x"])


def test_a_missing_package_is_said_once_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyod" else find(name))
    pyod = BASELINES["pyod-vae"]
    assert str(unavailable(pyod)).startswith("not installed: pyod")
    run, lines = measured([dataset("one"), dataset("two")], [PERFECT, pyod])
    assert lines == []
    assert [note.split(":")[0] for note in run.notes] == ["PyOD VAE"]


# Published figures.


def test_the_best_published_method_is_that_of_the_measured_series() -> None:
    figures = {
        "A": {"1": 0.9, "2": 0.1, "3": 0.9}, "B": {"1": 0.5, "2": 0.7}, "Donut": {"1": 0.2, "2": float("nan")},
        "C": {"1": 1.0, "2": float("nan")},
    }  # fmt: skip
    found = rows(Published("vus_pr", "f.csv", figures), ["1", "x/2.csv"])
    assert [(row.method, row.note, round(row.mean, 6), row.cases) for row in found] == [
        ("B", "best of 4", 0.6, 2),
        ("Donut", "", 0.2, 1),
    ]
    assert rows(Published("vus_pr", "f.csv", figures), ["another"]) == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("published_luck.csv", "file,A\n1,0.5\n", "no metric 'luck'"),
        ("published_vus_pr.csv", "series,A\n1,0.5\n", "must be called file"),
        ("published_vus_pr.csv", "file,A\n1,good\n", "'good' is not a number"),
    ],
)
def test_published_figures_of_another_form_are_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        read_published(tmp_path)


def test_two_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    sources = [str(tmp_path / "a" / "nab"), str(tmp_path / "b" / "nab"), "ucr-135"]
    assert list(named(sources)) == [*sources[:2], "ucr-135"]


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(RunError, match="unknown method"):
        chosen(["x"], ["jax"])
    assert chosen([], ["jax"]) == []
    assert tables.as_lines(["a", "b"], [["long name", "1"]]) == "a          b\nlong name  1"
