"""The page of a detection in a browser: the table, the figures and the threshold agree, and labels are those marked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.browser import Browser
from tests.pages.conftest import SPANS, detection
from twinvae.pages.detection import detection_page
from twinvae.pages.shown import Shown
from twinvae.plots.words import JAPANESE

READY = "document.body.dataset.ready"
PAGE = "Bokeh.documents[0].get_model_by_name('page').args"
GIVEN = f"(args => name => args instanceof Map ? args.get(name) : args[name])({PAGE})"
STRIPS = f"[...{GIVEN}('events').data.event]"
IN_VIEW = f"(x => [x.start, x.end])({GIVEN}('x'))"


def opened(browser: Browser, folder: Path, shown: Shown, **how: Any) -> None:
    path = folder / "report.html"
    path.write_text(detection_page(shown), encoding="utf-8")
    browser.open(path, **how)
    browser.until(READY)


def rows_seen(browser: Browser) -> list[int]:
    seen: list[int] = browser.run(
        "return [...document.querySelectorAll('#events tr[data-event]:not([hidden])')].map(e => +e.dataset.event)"
    )
    return seen


def slide(browser: Browser, level: int) -> None:
    browser.run(
        "const s = document.getElementById('threshold'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
        level,
    )


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (420, True)])
def test_it_fits_the_window_and_says_the_answer_first(browser: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    opened(browser, tmp_path, detection(), width=width, dark=dark)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    (answer,) = browser.texts(".answer")
    assert answer.startswith("3 events in 3,000 rows. The strongest, from 1200: sensor 1 ")
    assert browser.texts("h1") == ["pump 3.csv"]
    painted = browser.run("return [...document.querySelectorAll('*')].filter(e => e.shadowRoot).length")
    assert painted >= 6  # overview, two channels, score, what they add, latent plane


def test_the_slider_changes_the_table_the_strips_and_what_is_expected(browser: Browser, tmp_path: Path) -> None:
    opened(browser, tmp_path, detection())
    for level, events in ((1, [0, 1, 3]), (0, [0, 1, 2, 3]), (2, [1]), (3, [])):
        slide(browser, level)
        assert rows_seen(browser) == events
        assert browser.run(f"return {STRIPS}") == events
    assert browser.run("return document.getElementById('none').hidden") is False
    slide(browser, 0)
    assert browser.texts("#found") == ["Threshold 0.5: events: 4. Expect about 4 false events in 10,000 normal rows."]
    assert browser.texts("#option") == ["--margin 1.5"]
    assert browser.texts("tr[data-event='1'] .times") == ["80 × the threshold"]
    browser.all("#reset")[0].click()
    assert rows_seen(browser) == [0, 1, 3]
    assert browser.run("return document.getElementById('option-line').hidden") is True


def test_a_click_on_an_event_shows_it_and_its_channels(browser: Browser, tmp_path: Path) -> None:
    opened(browser, tmp_path, detection(channels=5))
    before = browser.run(f"return {IN_VIEW}")
    browser.all("tr[data-event='3'] button")[0].click()
    start, end = browser.until(f"(view => view[0] > {before[0]} && view)({IN_VIEW})")
    assert start < SPANS[3][0] < SPANS[3][1] < end < before[1]
    assert browser.texts("tr[aria-current] td:last-child option")[1] == "real"
    shown = browser.run(
        f"return {GIVEN}('panels').map(p => p instanceof Map ? Object.fromEntries(p) : p)"
        ".filter(p => p.figure.visible).map(p => p.figure.title.text)"
    )
    assert shown[0] == "sensor 3"
    assert len(shown) == 3
    browser.all("#whole")[0].click()
    assert browser.run(f"return {IN_VIEW}") == before


def test_what_is_in_view_has_every_extreme_and_when_near_every_row(browser: Browser, tmp_path: Path) -> None:
    shown = detection(rows=60_000, channels=1)
    shown.series.values[31_234, 0] = 99.0
    opened(browser, tmp_path, shown)
    first = f"(p => p instanceof Map ? Object.fromEntries(p) : p)({GIVEN}('panels')[0]).shown.data"
    values, rows = browser.until(f"(d => d.row.length > 100 && [[...d.value], [...d.row]])({first})")
    assert len(values) < 6000
    assert values[rows.index(31_234)] == 99.0
    browser.all("tr[data-event='1'] button")[0].click()
    rows = browser.until(f"(d => d.row[0] > 1000 && [...d.row])({first})")
    assert set(range(SPANS[1][0] - 50, SPANS[1][1] + 50)) <= set(rows)


def test_saved_labels_are_those_that_were_marked(browser: Browser, tmp_path: Path) -> None:
    opened(browser, tmp_path, detection())
    assert browser.all("#save")[0].is_enabled() is False
    for event, mark in ((0, "expected"), (1, "real"), (3, "real"), (3, "")):
        browser.run(
            "const s = document.querySelector(`tr[data-event='${arguments[0]}'] select`); s.value = arguments[1];"
            "s.dispatchEvent(new Event('change'))", event, mark,
        )  # fmt: skip
    for first, last, works in ((10, 9, False), (-1, 5, False), (700, 3000, False), (700, 719, True)):
        for name, value in (("first", first), ("last", last)):
            browser.run(
                "const i = document.getElementById(arguments[0]); i.value = arguments[1];"
                "i.dispatchEvent(new Event('input'))", name, value,
            )  # fmt: skip
        assert browser.all("#add")[0].is_enabled() is works
    browser.all("#add")[0].click()
    browser.all("#add")[0].click()
    browser.all("#missed button")[1].click()
    assert browser.texts("#marked") == ["events marked: 2, missed: 1"]
    assert -1 in browser.run(f"return {STRIPS}")
    browser.all("#save")[0].click()
    saved = json.loads(browser.saved("labels.json").read_text(encoding="utf-8"))
    assert saved["format"] == "twinvae labels"
    assert saved["series"]["file"] == "/data/pump 3.csv"
    assert [(mark["mark"], mark["start"], mark["end"]) for mark in saved["marks"]] == [
        ("expected", 400, 410), ("missed", 700, 720), ("real", 1200, 1230),
    ]  # fmt: skip
    assert saved["marks"][0]["start_time"] == "400"


def test_a_selection_in_the_score_is_one_in_the_latent_plane_and_fills_the_form(
    browser: Browser, tmp_path: Path
) -> None:
    opened(browser, tmp_path, detection())
    browser.run(f"{GIVEN}('windows').selected.indices = [20, 21, 25]")
    rows = detection().latent_rows
    assert browser.run("return [+document.getElementById('first').value, +document.getElementById('last').value]") == [
        rows[20], rows[25],
    ]  # fmt: skip


def test_times_are_those_of_the_local_clock_on_both_sides_of_a_change(browser: Browser, tmp_path: Path) -> None:
    utc = np.datetime64("2026-10-24T22:00", "us") + np.arange(3000) * np.timedelta64(1, "h")
    local = utc + np.where(utc < np.datetime64("2026-10-25T01:00"), 2, 1) * np.timedelta64(1, "h")
    stamps = [
        f"{str(at)[:16].replace('T', ' ')}{'+02:00' if before else '+01:00'}"
        for at, before in zip(local, utc < np.datetime64("2026-10-25T01:00"), strict=True)
    ]
    opened(browser, tmp_path, detection(stamps=stamps, instants=utc))
    browser.run(f"{GIVEN}('x').setv({{start: {GIVEN}('x').bounds[0], end: {GIVEN}('x').bounds[0] + 2e7}})")
    first = f"(p => p instanceof Map ? Object.fromEntries(p) : p)({GIVEN}('panels')[0]).shown.data"
    said = browser.until(f"(d => d.row.length < 50 && [...d.stamp])({first})")
    assert said == stamps[: len(said)]
    assert any(text.endswith("+01:00") for text in said)


def test_no_name_becomes_markup_and_words_are_japanese_where_asked(browser: Browser, tmp_path: Path) -> None:
    shown = detection(title="</script><img src=x onerror=alert(1)>温度")
    path = tmp_path / "report.html"
    path.write_text(detection_page(shown, JAPANESE), encoding="utf-8")
    browser.open(path)
    browser.until(READY)
    assert browser.texts("h1") == [shown.title]
    assert browser.all("img") == []
    assert browser.run("return document.documentElement.lang") == "ja"
    assert browser.texts("#found")[0].startswith("しきい値 1：イベント 3 件。")


def test_no_event_is_said(browser: Browser, tmp_path: Path) -> None:
    levels = detection().levels[3:]
    opened(browser, tmp_path, detection(levels=levels, level=0))
    assert browser.texts(".answer") == ["No event in 3,000 rows."]
    assert browser.run("return document.getElementById('none').hidden") is False


def test_the_page_is_the_same_bytes_for_the_same_detection_and_small() -> None:
    page = detection_page(detection())
    assert page == detection_page(detection())
    assert len(page) < 1_700_000
