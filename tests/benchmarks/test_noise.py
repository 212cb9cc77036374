"""Controls of the same code, what may be claimed beside them, and that each committed page is of its file."""

import re
from pathlib import Path

import pytest

from benchmarks.machine import ROOT
from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.bars import verdicts
from benchmarks.speed.report.noise import controls, noise_floor
from benchmarks.speed.report.page import html, write_report
from benchmarks.speed.report.summary import break_evens, compared
from benchmarks.speed.report.who_wins import EAGER, cells, words
from benchmarks.speed.results import Results, Table, read, write
from benchmarks.speed.stats import Ratio, ratio, summarise
from tests.helpers.speed_results import results_of

PAGES = sorted(path.parent for path in (ROOT / "benchmarks" / "results").glob("*/report.html"))


def test_cases_that_only_score_have_a_control_in_place_of_compile() -> None:
    for name in ("window", "score", "points", "threads"):
        assert "torch-compiled" not in CASES[name].implementations
        assert {"torch-again", "jax-again"} <= set(CASES[name].implementations)
    assert {"torch-again", "jax-again"} <= set(CASES["fit"].implementations)
    assert all(CASES[name].rounds >= 5 for name in ("score", "cold", "window", "fit"))


def slow_again(results: Results, times: float) -> Table:
    for run in results.runs.values():
        if run["job"]["implementation"] == "jax-again":
            for metric in run["metrics"]:
                metric["samples"] = [times * sample for sample in metric["samples"]]
    return Table(results.records)


def test_the_noise_floor_is_what_the_controls_differ_by() -> None:
    table = slow_again(results_of(cases=("fit", "window")), 1.4)
    assert {IMPLEMENTATIONS[c.again.implementation].same_as for c in controls(table)} == {"torch-eager", "jax-run"}
    assert noise_floor(table) >= 1.4


@pytest.mark.parametrize(
    ("times", "floor", "claimed"),
    [
        (Ratio(1.3, 1.2, 1.4), 1.4, False), (Ratio(1.3, 1.2, 1.4), 1.1, True), (Ratio(1.3, 0.9, 1.6), 1.1, False),
        (Ratio(0.5, None, None), 1.4, True), (Ratio(0.8, None, None), 1.4, False),
    ],
)  # fmt: skip
def test_no_ratio_inside_the_floor_is_claimed(times: Ratio, floor: float, claimed: bool) -> None:
    assert times.is_beyond(floor) is claimed


def test_a_page_claims_nothing_inside_its_floor() -> None:
    results = results_of(cases=("fit", "score", "window"))
    slow_again(results, 1e4)
    page = html(results, "results.json")
    assert "no difference shown" in page
    before, bars = page.split('<h2 id="bars-that')
    assert not re.search(r"times as (fast|slow)", before)
    assert "not shown" in bars


def test_fewer_than_five_processes_have_no_interval() -> None:
    assert summarise([[1.0, 2.0]] * 4).low is None
    assert summarise([[1.0, 2.0]] * 5).low is not None
    assert ratio([[2.0]] * 5, [[1.0]] * 4).low is None


def test_a_bar_within_its_interval_is_neither_met_nor_missed() -> None:
    results = results_of(cases=("fit",))
    for turn, run in enumerate(results.runs.values()):
        if run["job"]["implementation"] == "jax-run":
            run["metrics"][0]["samples"] = [0.9 / 25 * (0.8 + 0.1 * run["job"]["round"])] * (3 + turn % 2)
    first = verdicts(Table(results.records), 1.0)[0]
    assert not first.shown
    assert "not shown" in html(results, "results.json")


def body(page: str) -> str:
    """A page but for its head, in which the style and Bokeh's own code stand, and for Bokeh's version."""
    return re.sub(r'"version":"[^"]*"', "", page[page.index("<body><main>") :])


def test_a_page_can_be_made_again_from_its_file(tmp_path: Path) -> None:
    results = results_of(cases=("fit", "map", "window", "cold"))
    write(tmp_path / "a.json", results)
    pages = [write_report(read(tmp_path / "a.json"), Path("a.json"), tmp_path / name).read_text() for name in "ab"]
    assert pages[0] == pages[1] == html(results, "a.json")


def test_committed_pages_are_those_of_their_files(tmp_path: Path) -> None:
    for folder in PAGES:
        source = folder.with_suffix(".json")
        again = write_report(read(source), source, tmp_path / folder.name).parent
        for name in ("report.html", "answer.md"):
            made, kept = ((where / name).read_text(encoding="utf-8") for where in (again, folder))
            assert (body(made) == body(kept)) if name == "report.html" else made == kept


def test_times_are_compared_one_way_round() -> None:
    table = Table(results_of(cases=("fit",)).records)
    eager, jax = (table.one("fit", "step", implementation=name) for name in ("torch-eager", "jax-run"))
    assert eager is not None
    assert jax is not None
    assert compared(jax, eager, 1.1) == "17.4 [17.2, 17.6] times as fast"
    assert compared(eager, jax, 1.1) == "takes 17.4 [17.2, 17.6] times as long"
    assert compared(eager, jax, 20.0) == "no difference shown"


def test_who_is_ahead_at_a_size_is_said_beyond_the_noise_alone() -> None:
    table = Table(results_of(cases=("map",)).records)
    assert {cell.text for cell in cells(table, EAGER, 1.1)} == {"JAX 17.4 x"}
    assert {cell.text for cell in cells(table, EAGER, 20.0)} == {"level"}
    assert "neither, within the noise, at 10" in words(table, 20.0)
    assert cells(Table([]), EAGER, 1.1) == []


def test_steps_that_are_level_have_no_break_even() -> None:
    table = Table(results_of(cases=("fit", "cold")).records)
    assert {even.text for even in break_evens(table, 1.1)} >= {"from the first step"}
    assert {even.text for even in break_evens(table, 50.0)} == {"never, or not shown"}
