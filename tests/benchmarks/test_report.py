"""Results files of the speed benchmark, the report of one and the comparison of two."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.speed.report.bars import verdicts
from benchmarks.speed.report.compare import compare
from benchmarks.speed.report.summary import cold_stages
from benchmarks.speed.results import ResultsError, Table, read, write
from tests.helpers.speed_results import results_of


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    results = results_of(cases=("fit", "cold"))
    write(tmp_path / "results.json", results)
    assert read(tmp_path / "results.json") == results
    content = json.loads((tmp_path / "results.json").read_text())
    wanted = {"case", "implementation", "backend", "device", "threads", "metric", "value", "unit", "low", "high", "n"}
    assert wanted | {"versions", "machine"} <= content["records"][0].keys()


def test_every_bar_is_answered_by_a_whole_run() -> None:
    assert all(verdict.met is not None for verdict in verdicts(Table(results_of().records), 1.0))


def test_bars_without_measurements_say_so() -> None:
    assert {verdict.measured for verdict in verdicts(Table([]), 1.0)} == {"not measured"}


def test_bars_judge() -> None:
    met = {verdict.bar: verdict.met for verdict in verdicts(Table(results_of().records), 1.0)}
    assert met["Warm fit, JAX against the tutorial's loop: at least 25 times as fast"] is True  # 600 / 23
    assert met["Warm fit, JAX against PyOD's VAE (its defaults): at least 100 times as fast"] is False  # 1500 / 23
    assert met["JAX training step: at most 3 times the arithmetic floor"] is True  # 23 / 8.5
    assert met["A stream's next point, without a framework: median at most 25 µs"] is False  # the widest: 36
    assert met["twinvae watch: at least 20,000 points a second from a pipe"] is True  # 49,000
    assert met["JAX fleet on all cores: at least 1.7x the single fit's rate on one core"] is True  # 2.7
    assert met["PyTorch fleet: at least 5x the models a second of its single fit"] is False


def test_report_of_a_whole_run(tmp_path: Path) -> None:
    write(tmp_path / "results.json", results_of())
    assert main(["report", str(tmp_path / "results.json")]) == 0
    whole = (tmp_path / "results" / "report.html").read_text()
    page = whole[whole.index("<body><main>") :]  # before it stands Bokeh's own code
    names = {path.stem for path in (tmp_path / "results").glob("*.png")}
    assert names == {"ladder", "map"}
    assert "data:image/png;base64," not in page
    assert 'src="http' not in page
    assert len(whole.encode()) < 3e6
    assert "1,500 steps" in page
    answer = (tmp_path / "results" / "answer.md").read_text().splitlines()
    assert len([line for line in answer if line.startswith("| ")]) == 2 + 5


def test_report_of_almost_nothing_says_what_is_missing(tmp_path: Path) -> None:
    results = results_of(cases=("recompile",))
    write(tmp_path / "results.json", results)
    assert main(["report", str(tmp_path / "results.json"), "--out", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page" / "report.html").read_text().count("not measured") > 20


def test_compare_finds_a_slower_version_and_nothing_else() -> None:
    old, new = results_of(), results_of()
    assert compare(old, new, least=0.05).startswith("0 changed beyond noise")
    for run_ in new.runs.values():
        if (run_["job"]["case"], run_["job"]["implementation"]) == ("fit", "jax-run"):
            run_["metrics"][0]["samples"] = [2 * sample for sample in run_["metrics"][0]["samples"]]
    lines = compare(old, new, least=0.05).splitlines()
    assert [line for line in lines if line.startswith("worse: fit, jax-run, 1 threads: fit")]
    assert sum(line.startswith(("worse", "better")) for line in lines) == 1


def test_all_in_a_table_have_as_many_threads_and_the_floor_of_their_own_library() -> None:
    results = results_of(cases=("fit", "roofline"))
    runs = [run_ for run_ in results.runs.values() if run_["job"]["implementation"] == "jax-run"]
    for index, run_ in enumerate(runs):
        twice = run_ | {"job": run_["job"] | {"threads": 2}}
        twice["metrics"] = [one | {"samples": [sample / 2 for sample in one["samples"]]} for one in run_["metrics"]]
        if run_["job"]["case"] == "fit":
            results.runs[f"two threads {index}"] = twice
        else:
            run_["metrics"][0]["samples"] = [2e11]
    table = Table(results.records)
    step, eager = (table.one("fit", "step", implementation=name) for name in ("jax-run", "torch-eager"))
    assert step is not None
    assert eager is not None
    assert step.threads == 1
    assert table.floor(step) == pytest.approx(8.5e5 / 2e11)
    assert table.floor(eager) == pytest.approx(8.5e5 / 1.01e11)


def test_stages_add_up_to_the_total_in_table_and_picture() -> None:
    results = results_of(cases=("cold",))
    for run_ in results.runs.values():
        run_["metrics"][-1]["samples"] = [9.0]  # the median of totals is not the sum of medians
    for _, values, total in cold_stages(Table(results.records)):
        assert sum(value for stage, value in values.items() if stage != "total") == pytest.approx(total.value)


# Bad files: one clear line each.


def first_version(path: Path) -> None:
    path.write_text(json.dumps({"format": "twinvae benchmark", "schema": 0}))


def without_runs(path: Path) -> None:
    write(path, results_of(cases=("recompile",)))
    content = json.loads(path.read_text())
    del content["runs"]
    path.write_text(json.dumps(content))


def cut(path: Path) -> None:
    write(path, results_of(cases=("recompile",)))
    path.write_text(path.read_text()[:-100])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: None, "no such file"),
        (cut, "damaged"),
        (without_runs, "'runs' is missing"),
        (first_version, "results of version 0, this checkout reads version 2"),
        (lambda path: path.write_text("[]"), "not a results file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "damaged"),
    ],
)
def test_a_bad_results_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], said: str
) -> None:
    path = tmp_path / "results.json"
    spoil(path)
    for command in (["report", str(path)], ["compare", str(path), str(path)]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    with pytest.raises(ResultsError):
        read(path)
