"""The figures of the benchmark's page: their numbers stand in its tables, and a browser shows what is behind them."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from benchmarks.machine import ROOT
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.chart_parts import MOST_SAMPLES, round_steps, round_times, samples_of
from benchmarks.speed.report.marks import MARKS
from benchmarks.speed.report.page import html
from benchmarks.speed.results import Results, Table, read
from tests.helpers.browser import Browser
from tests.helpers.speed_results import results_of

COMMITTED = sorted((ROOT / "benchmarks" / "results").glob("*-cpu.json"))
SHOWN = "Bokeh.documents.length == 1 && Bokeh.documents[0].is_idle"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with everything in it, some of it level or not measured."""
    results = results_of()
    for key, run in results.runs.items():
        if key.startswith("map/jax-run"):
            run["metrics"] = run["metrics"][:-1]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html(results, "results.json"), encoding="utf-8")
    return path


def sources(page: str) -> Iterator[dict[str, Any]]:
    """The data of each figure's sources, by column."""

    def found(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if value.get("name") == "ColumnDataSource":
                yield dict(value["attributes"]["data"]["entries"])
            for one in value.values():
                yield from found(one)
        elif isinstance(value, list):
            for one in value:
                yield from found(one)

    text = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert text
    yield from found(json.loads(text[1]))


@pytest.mark.parametrize("results", [results_of(), *map(read, COMMITTED[-1:])], ids=["made up", "committed"])
def test_what_a_pointer_is_told_stands_in_a_table_too(results: Results) -> None:
    text = html(results, "results.json")
    cells = "\n".join(unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<td.*?</td>", text, re.DOTALL))
    columns = ("median", "counts", "torch", "jax", "ahead", "total")
    told = [(name, said) for source in sources(text) for name in columns for said in source.get(name, ())]
    told += [("each", said) for one in sources(text) for each in one.get("each", ()) for said in each.split(", ")]
    assert {name for name, _ in told} == {*columns, "each"}
    for name, said in told:
        known = said.removesuffix(", within the noise") if name == "ahead" else said
        known = known.rsplit(", ", 1)[0] if name in ("torch", "jax") else known  # its counts have a column
        assert known in cells, (name, said)


def test_every_figure_says_in_words_what_it_shows(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    words = re.findall(r'<div class="panels" role="img" aria-label="([^"]*)">', text)
    assert len(words) == 8
    assert "vae_jax (JAX): 23.2 µs, 17.4 x" in unescape(words[1])
    assert all(len(said) > 40 for said in words)


def test_each_implementation_has_a_look_of_its_own() -> None:
    assert MARKS.keys() == IMPLEMENTATIONS.keys()
    alone = [name for name, one in IMPLEMENTATIONS.items() if not one.same_as]
    assert len({(MARKS[name].marker, MARKS[name].character) for name in alone}) == len(alone)
    assert len({MARKS[name].colour for name in alone}) == len(alone)


def test_of_many_calls_the_least_and_the_largest_are_drawn() -> None:
    record = Table(results_of(cases=("window",)).records).all("window", "latency")[0]
    drawn = samples_of(record, 1.0)
    assert len(drawn) == MOST_SAMPLES * len(record.samples)
    first = [value for process, _, value in drawn if process == 1]
    assert (first[0], first[-1]) == (min(record.samples[0]), max(record.samples[0]))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(2e-6, 3e-3, [1e-5, 1e-4, 1e-3]), (4e-5, 4e-4, [5e-5, 1e-4, 2e-4]), (0.8, 40.0, [1.0, 3.0, 10.0, 30.0])],
)
def test_times_are_marked_at_round_ones(low: float, high: float, ticks: list[float]) -> None:
    assert round_times(low, high) == ticks


@pytest.mark.parametrize("high", [0.007, 1.0, 7.9, 8.0, 12.0, 345.0])
def test_steps_are_round_and_few(high: float) -> None:
    steps = round_steps(high)
    assert 3 <= len(steps) <= 9
    assert steps[0] == 0
    assert high / 1.7 < steps[-1] <= high


# In a browser.


def look(browser: Browser, page: Path, **window: Any) -> None:
    browser.open(page, **window)
    browser.until(SHOWN)


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (420, True)])
def test_all_figures_are_drawn_and_fit_the_window(browser: Browser, page: Path, width: int, dark: bool) -> None:
    look(browser, page, width=width, dark=dark)
    browser.until("[...document.querySelectorAll('.plot')].every(e => e.firstElementChild.clientHeight > 100)")
    assert browser.run("return document.querySelectorAll('.plot').length") == 13
    assert browser.run("return document.documentElement.scrollWidth") <= width
    right = browser.run("return Math.max(...[...document.querySelectorAll('.plot')].map(e => e.scrollWidth))")
    assert right <= width


SEEN = """
return Bokeh.documents[0].roots().flatMap(root => root.renderers).map(renderer => renderer.data_source)
  .filter(source => source.columns().includes("implementation")).flatMap(source => {
    const [names, alpha, full] = ["implementation", "alpha", "full"].map(name => [...source.get_column(name)]);
    return names.map((name, at) => [name, alpha[at] >= full[at]]);
  }).reduce((all, [name, seen]) => ({...all, [name]: [...new Set([...(all[name] ?? []), seen])]}), {});
"""


def test_a_press_on_a_name_dims_it_in_every_figure(browser: Browser, page: Path) -> None:
    look(browser, page)
    press = "document.querySelectorAll('button[data-implementation=jax-run]')[{}].click()"
    browser.run(press.format(0))
    dimmed = browser.run(SEEN)
    assert dimmed.pop("jax-run") == [False]
    assert set(map(tuple, dimmed.values())) == {(True,)}
    assert (
        browser.run(
            "return [...document.querySelectorAll('button[data-implementation=jax-run]')].map(b => b.ariaPressed)"
        )
        == ["false"] * 3
    )
    browser.run(press.format(2))
    assert set(map(tuple, browser.run(SEEN).values())) == {(True,)}


def test_a_name_in_focus_stands_out_in_every_figure(browser: Browser, page: Path) -> None:
    from selenium.webdriver import Keys

    look(browser, page)
    browser.all("summary")[-1].send_keys(Keys.TAB)
    name = browser.until("document.activeElement.dataset.implementation")
    seen = browser.run(SEEN)
    assert seen.pop(name) == [True]
    assert set(map(tuple, seen.values())) == {(False,)}


PLACE = """
const [root, renderer, at, x, y] = arguments, figure = Bokeh.documents[0].roots()[root];
const source = figure.renderers[renderer].data_source, frame = Bokeh.index.find_one(figure).frame;
frame.el.scrollIntoView({block: "center", behavior: "instant"});
const box = frame.el.getBoundingClientRect(), value = name => source.get_column(name)[at];
return [box.left + frame.x_scale.compute(value(x)) - frame.x_scale.target_range.start,
        box.bottom + frame.y_scale.compute(value(y)) - frame.y_scale.target_range.start].map(Math.round);
"""
TOLD = "[...document.querySelectorAll('.bk-Tooltip')].map(e => e.shadowRoot.textContent).join(' ')"
MAP, LADDER, TIME_TO_RESULT, BATCH = 0, 2, 3, 7  # roots, in the order of the page


def pointed(browser: Browser, *place: Any) -> str:
    """What is told a pointer at a point of a figure: its number, that of a renderer, of a row, and x and y."""
    from selenium.webdriver import ActionChains

    x, y = browser.run(PLACE, *place)
    move = ActionChains(browser.driver, duration=0)
    move.w3c_actions.pointer_action.move_to_location(x - 1, y)
    move.w3c_actions.pointer_action.move_to_location(x, y)
    move.perform()
    return str(browser.until(f"{TOLD}.length > 10 && {TOLD}"))


def test_a_pointer_is_told_what_is_behind_a_bar_a_dot_a_cell_and_a_line(browser: Browser, page: Path) -> None:
    look(browser, page)
    cell = pointed(browser, MAP, 1, 0, "batch", "y")
    assert "32 hidden" in cell
    assert "667 µs [660, 673], vae_torch" in cell
    assert "JAX 17.4 [17.2, 17.6] x" in cell
    bar = pointed(browser, LADDER, 4, 1, "value", "y")
    assert "vae_torch (PyTorch)" in bar
    assert "404 µs [400, 408]" in bar
    assert "5 x 3" in bar
    lit = {name for name, seen in browser.run(SEEN).items() if True in seen}
    assert lit == {"torch-eager"}
    assert "call" in pointed(browser, LADDER, 5, 0, "value", "y")
    assert "compile and other first use" in pointed(browser, TIME_TO_RESULT, 1, 0, "left", "y")
    point = pointed(browser, BATCH, 2, 2, "x", "y")
    assert "tutorial's own loop" in point
    assert "3.71 ms" in point
