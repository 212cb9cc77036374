"""The table over all sets: its halves, its means and gaps, what a file keeps, and the pages that show it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.accuracy import command, halves, pages
from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.method import Answer, Method
from benchmarks.accuracy.records import Accuracy, Record, read, write
from benchmarks.accuracy.run import measure_all, processes
from benchmarks.accuracy.sets import FOLDERS, Case, default_sources, half, opened
from benchmarks.errors import RunError
from tests.conftest import ROOT
from twinvae.data.datasets import Dataset, read_datasets

RESULTS = Path("benchmarks/results/made.json")


def record(dataset: str, case: str, of: str, method: str, value: float, seed: int | None = None) -> Record:
    return Record(dataset, case, method, "none", seed, {"vus_pr": value, "cpu_seconds": 2.0}, of)


@pytest.fixture
def run() -> Accuracy:
    """Two sets: on the report half of `one` our seeds have .5 and .7, the best peer .75; on that of `two` .9, .8."""
    made = Accuracy("command", (0, 1), machine={}, versions={})
    for name, case, of, ours, pca, z in (
        ("one", "a", "dev", (0.1, 0.1), 0.2, 0.3),
        ("one", "b", "report", (0.5, 0.7), 0.75, 0.1),
        ("one", "c", "dev", (0.3, 0.5), 0.2, 0.3),
        ("two", "a", "report", (0.8, 1.0), 0.2, 0.8),
    ):
        made.records += [record(name, case, of, "vae_jax", value, seed) for seed, value in enumerate(ours)]
        made.records += [record(name, case, of, "vae_torch", value + 0.002, seed) for seed, value in enumerate(ours)]
        made.records += [record(name, case, of, "sub-pca", pca), record(name, case, of, "z-score", z)]
        made.records.append(record(name, case, of, "random", 0.99, 0))
    return made


def test_a_half_has_the_means_of_its_series_and_the_gap_to_the_best_peer(run: Accuracy) -> None:
    columns, table = halves.by_set(run, "report")
    rows = [dict(zip(columns, cells, strict=True)) for cells in table]
    assert [(row["set"], row["series"]) for row in rows] == [("one", "1"), ("two", "1"), ("mean of all sets", "2")]
    assert [row["vae_jax"] for row in rows] == ["0.600 ± 0.141", "0.900 ± 0.141", "0.750 ± 0.141"]
    assert [row["torch - jax"] for row in rows] == ["+0.002"] * 3
    assert [row["best peer"] for row in rows] == ["sub-sequence PCA 0.750", "z-score 0.800", "sub-sequence PCA 0.475"]
    assert [row["ahead of it"] for row in rows] == ["-0.150", "+0.100", "+0.275"]
    columns, table = halves.by_set(run, "dev")
    assert [row[:2] for row in table] == [["one", "2"]], "no mean of a single set; two has no such half"
    assert dict(zip(columns, table[0], strict=True))["vae_jax"] == "0.250 ± 0.071"
    assert halves.times(run)[1][0][:3] == ["one", "3", "2.0"]


def test_a_mean_over_fewer_series_or_sets_is_not_compared(run: Accuracy) -> None:
    run.records = [one for one in run.records if (one.implementation, one.dataset) != ("sub-pca", "two")]
    columns, table = halves.by_set(run, "report")
    rows = [dict(zip(columns, cells, strict=True)) for cells in table]
    assert [row["sub-sequence PCA"] for row in rows] == ["0.750", "-", "-"]
    assert rows[-1]["best peer"] == "z-score 0.450"


def test_a_variant_stands_beside_the_default_and_the_gap_is_that_of_the_default(run: Accuracy) -> None:
    run.records = [record("one", "b", "report", "vae_jax kind=point", 0.95, 0), *run.records]
    columns, table = halves.by_set(run, "report")
    assert columns[2:5] == ["vae_jax", "vae_torch", "vae_jax kind=point"]
    assert table[0][-1] == "-0.150"


# Halves.


def test_each_second_series_of_a_folder_is_for_development() -> None:
    assert [half("folder", index) for index in range(4)] == ["dev", "report"] * 2


def test_both_halves_of_the_synthetic_set_have_every_signal_anomaly_and_number_of_channels() -> None:
    names = [one.name for one in read_datasets("synthetic")]
    for of in ("dev", "report"):
        mine = [name for index, name in enumerate(names) if half("synthetic", index) == of]
        assert len(mine) == 28
        for part in (0, 1, -1):
            counts = {p: sum(n.split("-")[part] == p for n in mine) for p in {n.split("-")[part] for n in names}}
            assert max(counts.values()) - min(counts.values()) <= 2 * (part == 1), counts


def test_a_set_that_is_not_there_is_one_line_and_the_rest_are_found(tmp_path: Path) -> None:
    (tmp_path / "skab").mkdir()
    sources, missing = default_sources(tmp_path)
    assert sources == [str(tmp_path / "skab"), "synthetic"]
    assert len(missing) == len(FOLDERS) - 1
    assert missing[0] == f"{tmp_path / 'nab'}: not there, the set is left out"


# What a file keeps.


def constant(value: float, calls: list[int]) -> Callable[[np.ndarray, np.ndarray, int, int], Answer]:
    def run(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
        calls.append(seed)
        return Answer(np.linspace(0.0, value, len(values)), 0.5, [])

    return run


def cases(offset: float = 0.0) -> list[Case]:
    values = np.sin(np.arange(200) / 4)[:, None] + offset
    labels = np.zeros(200, np.int8)
    labels[150:160] = 1
    return [Case("dev", Dataset("a", values, labels, 100, False, "made", ("value",)))]


def test_what_a_file_has_of_the_same_code_and_series_is_not_measured_again(tmp_path: Path) -> None:
    calls: list[int] = []
    ours = Method("vae_jax", "ours", "", True, constant(1.0, calls), "jax", code="old")
    peer = Method("z-score", "z-score", "", False, constant(1.0, calls))

    def again(*methods: Method, seeds: tuple[int, ...] = (0, 1), offset: float = 0.0) -> Accuracy:
        calls.clear()
        records = read(tmp_path / "f.json").records if kept else []
        run = Accuracy("command", seeds, machine={}, versions={}, records=records)
        measure_all(run, "set", cases(offset), methods, say=lambda line: None)
        write(tmp_path / "f.json", run)
        return run

    kept = False
    first = again(ours, peer)
    assert calls == [0, 1, 0]
    kept = True
    same = again(ours, peer)
    assert calls == []
    assert same.records == first.records
    new = again(ours._replace(code="new"), peer)
    assert calls == [0, 1], "of the detector alone"
    assert {one.code for one in new.records if one.implementation == "vae_jax"} == {"new"}
    assert len(new.records) == len(first.records)
    assert len(again(peer).records) == 3, "methods that were not asked for stay"
    assert len(again(ours._replace(code="new"), peer, seeds=(0,)).records) == 3, "and other seeds"
    again(peer, offset=1.0)
    assert calls == [0], "another series of that name"


def test_processes_measure_what_one_does() -> None:
    methods = [BASELINES["z-score"], BASELINES["random"]]
    found = []
    for number in (1, 2):
        run = Accuracy("command", (0,), machine={}, versions={})
        with processes(number) as each:
            measure_all(run, "set", cases(), methods, say=lambda line: None, each=each)
        found.append([one.values | {"seconds": 0, "cpu_seconds": 0} for one in run.records])
    assert found[0] == found[1]


def test_a_file_of_another_form_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.json"
    old = '{"format": "twinvae accuracy", "schema": 1}'
    for text, words in (("{}", "not a file of"), ("x", "not a file of"), (old, "measure them anew")):
        file.write_text(text)
        assert main(["pages", str(file)]) == 2
        assert words in capsys.readouterr().err


# Pages.


def test_a_page_is_filled_between_its_marks_and_the_rest_stays(run: Accuracy, tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / RESULTS.name
    write(results, run)
    page.write_text(
        f"above\n<!-- accuracy of {RESULTS} -->\nold\n<!-- end -->\n<!-- brief of {RESULTS} --><!-- end -->"
    )
    page.write_text(page.read_text().replace("--><!--", "-->\n<!--") + "below")
    assert main(["pages", str(results), str(page)]) == 0
    text = page.read_text()
    assert text.startswith("above\n")
    assert text.endswith("<!-- end -->below")
    assert "old" not in text
    assert "| mean of all sets | 0.750 ± 0.141 | 0.752 ± 0.141 | sub-sequence PCA 0.475 | +0.275 |" in text
    assert main(["pages", str(results), str(page)]) == 0
    assert page.read_text() == text


def test_a_page_without_a_place_is_refused_before_any_is_written(run: Accuracy, tmp_path: Path) -> None:
    good, bad, results = tmp_path / "good.md", tmp_path / "bad.md", tmp_path / RESULTS.name
    write(results, run)
    good.write_text(f"<!-- brief of {RESULTS} -->\n<!-- end -->")
    bad.write_text("nothing here")
    with pytest.raises(RunError, match="a page needs the marks"):
        pages.pages(results, [good, bad])
    assert good.read_text().count("\n") == 1


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))], ids=lambda path: path.name)
def test_the_tables_of_the_pages_are_those_of_the_committed_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for file in {mark["file"] for mark in pages.MARK.finditer(text)}:
        again = f"python -m benchmarks pages {file} {page}"
        assert pages.filled(text, ROOT / file, pages.read_run(ROOT / file)) == text, again


def test_the_command_without_a_source_measures_every_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "opened", lambda source: iter(cases()))
    for name in ("nab", "ecg"):
        (tmp_path / name).mkdir()
    file = tmp_path / "f.json"
    assert main(["accuracy", "--data", str(tmp_path), "--methods", "z-score", "--json", str(file)]) == 0
    content = json.loads(file.read_text())
    assert {one["dataset"] for one in content["records"]} == {"nab", "ecg", "synthetic"}
    assert any("merlion: not there" in note for note in content["notes"])


def test_the_series_of_a_set_are_opened_with_their_halves(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}_tr_1.csv").write_text("Data,Label\n1,0\n2,1\n")
    assert [(one.half, one.series.name) for one in opened(str(tmp_path))] == [
        ("dev", "a_tr_1"), ("report", "b_tr_1"), ("dev", "c_tr_1"),
    ]  # fmt: skip
