"""The page of a fleet: its order, its words, names of all kinds, and what it does in a browser."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.browser import Browser
from twinvae.fleet.page import MOST_ROWS, page_of, short_stamp
from twinvae.fleet.rows import EventRow, Row, failed_row, table_of
from twinvae.fleet.sketch import sketch
from twinvae.plots.words import LANGUAGES

MARKUP = "</script><script>document.title='hit'</script>\"'><img src=x onerror=\"document.title='hit'\">"
DRAWN = sketch(np.sin(np.arange(600) / 9), np.full(600, 0.2), 1.0)


def series(name: str, events: int = 0, **facts: Any) -> Row:
    usual: dict[str, Any] = {"rows": 600, "channels": 1, "window": 20, "threshold": 2.0, "highest": 0.4, "drift": 0.1}
    return Row(name, "ok", events=events, sketch=DRAWN, **usual | facts)


def event(name: str, start: int = 100, score: float = 4.0, **facts: Any) -> EventRow:
    usual: dict[str, Any] = {"channels": ("a", "b"), "shares": (0.9, 0.1), "value": 3.0, "expected": 0.5}
    at = (start, start + 10, f"2026-01-01T{start // 60:02}:{start % 60:02}:00.000000", "", start + 2, "")
    return EventRow(name, *at, score, **usual)._replace(**facts)


def page(
    rows: Sequence[Row], events: Sequence[EventRow] = (), language: str = "en", settings: Mapping[str, Any] = {}
) -> str:
    fleet, found = table_of(rows, Row).sort("name"), table_of(events, EventRow)
    return page_of(fleet, found, settings or {"train_rows": 300}, LANGUAGES[language], {"linked / name"})


def written(text: str, name: str = "series") -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text)
    assert found is not None
    return json.loads(found[1])


MIXED = [
    series("quiet"), series("nearly", highest=0.9), series("gap", warnings=("a gap",)),
    series("earlier", 1, highest=9.0), series("earlier, low", 1, highest=1.5),
    failed_row("broken", "row 3 is text"), series("risen", drift=0.8), series("drifts", drift=0.5, highest=0.9),
    series("now", 1, highest=3.0, now=3.0), series("now, was worse", 2, highest=50.0, now=2.0),
    series("unknown", highest=None),
]  # fmt: skip
FOUND = [
    event("earlier", score=18.0), event("earlier, low", score=3.0), event("now", 585, score=6.0),
    event("now, was worse", 10, score=100.0), event("now, was worse", 590, score=4.0),
]  # fmt: skip
ORDER = [
    "now", "now, was worse", "risen", "drifts", "broken", "earlier", "earlier, low", "nearly", "gap", "quiet", "unknown"
]  # fmt: skip


def test_events_now_come_first_then_drift_then_failures_then_earlier_events() -> None:
    text = page(MIXED, FOUND)
    assert [row[0] for row in written(text)] == ORDER
    assert "<h1>Of 11 series 2 have an event now, 2 drift, 1 failed</h1>" in text


def test_why_is_that_of_the_event_now_and_else_of_the_highest() -> None:
    why = {row[0]: row[4] for row in written(page(MIXED, FOUND))}
    assert why["now, was worse"] == "2026-01-01 09:50, for 10 rows, 2 times the threshold: value 3, expected 0.5"
    assert why["earlier"] == "2026-01-01 01:40, for 10 rows, 9 times the threshold: value 3, expected 0.5"
    assert why["broken"] == "row 3 is text"
    assert "does the model still fit?" in why["risen"]
    assert why["quiet"] == ""
    channels = page([series("one", 1, channels=2)], [event("one", start_time="100", value=None), event("one", 300)])
    assert written(channels)[0][4] == "row 100, for 10 rows, 2 times the threshold"


def test_numbers_that_json_lacks_are_unknown() -> None:
    wild = event("wild", score=np.inf, value=np.nan)
    found = written(page([series("wild", 1, highest=np.inf, drift=None, threshold=0.0)], [wild]))
    assert found[0][5:8] == [None, 1, None]


@pytest.mark.parametrize(
    ("stamp", "short"),
    [
        ("2026-01-13T10:00:00.000000", "2026-01-13 10:00"), ("2026-01-13 10:00:30.000", "2026-01-13 10:00:30"),
        ("2026-01-13T10:00:00+02:00", "2026-01-13 10:00+02:00"), ("2026-01-13 10:00:00Z", "2026-01-13 10:00Z"),
        ("2026-01-13T10:00:30.500000", "2026-01-13T10:00:30.500000"), ("2026-01-13", "2026-01-13"), ("12", "12"),
        ("2026-01-13 10:00:00.000 UTC", "2026-01-13 10:00:00.000 UTC"), ("13.01.2026 10:00", "13.01.2026 10:00"),
    ],
)  # fmt: skip
def test_a_time_stamp_loses_only_what_is_nought(stamp: str, short: str) -> None:
    assert short_stamp(stamp) == short


def test_a_fleet_that_is_too_large_for_a_page_says_where_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinvae.fleet.page.MOST_ROWS", 3)
    text = page(MIXED, FOUND)
    assert [row[0] for row in written(text)] == ORDER[:3]
    assert "8 more series are in fleet.parquet" in text
    assert MOST_ROWS >= 10_000


@pytest.mark.parametrize("settings", [{"train_rows": None}, {"train_rows": 300}])
def test_a_page_in_japanese_has_no_english_words(settings: dict[str, Any]) -> None:
    text = page([*MIXED, series("rules")], FOUND, "ja", settings)
    assert '<html lang="ja">' in text
    shown = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", text.partition("</h1>")[2], flags=re.DOTALL)
    assert set(re.findall(r"[A-Za-z.]+", shown)) <= {"JavaScript", "fleet.parquet"}


# In a browser.


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Browser:
    (tmp_path / "report.html").write_text(page(MIXED, FOUND), encoding="utf-8")
    browser.open(tmp_path / "report.html")
    return browser


def names(browser: Browser) -> list[str]:
    return browser.texts("tbody .series b")


def test_a_column_is_sorted_by_the_keyboard_and_says_which_way(opened: Browser) -> None:
    assert names(opened) == ORDER
    assert opened.run("return document.querySelector('[aria-sort]').textContent") == "rank"
    highest = next(button for button in opened.all("thead button") if button.text == "highest score")
    highest.send_keys("\ue007")  # Enter
    assert names(opened)[:3] == ["now, was worse", "earlier", "now"]
    assert opened.run("return document.querySelector('[aria-sort=descending]').textContent") == "highest score"
    highest.send_keys(" ")
    assert names(opened)[0] in ("quiet", "gap", "risen")
    assert set(names(opened)[-2:]) == {"broken", "unknown"}, "what is not known is last, whichever way"
    assert len(opened.all("[aria-sort=ascending]")) == 1


def test_rows_are_found_by_text_and_by_state(opened: Browser) -> None:
    find = opened.all("#find")[0]
    find.send_keys("NOW,")
    assert names(opened) == ["now, was worse"]
    assert opened.texts("#count") == ["1 of 11 series"]
    find.send_keys(" not there")
    assert opened.texts("#count") == ["no series is like that"]
    opened.run("arguments[0].value = ''; arguments[0].dispatchEvent(new Event('input'))", find)
    failed = next(button for button in opened.all("button[data-only]") if button.text == "failed 1")
    failed.click()
    assert names(opened) == ["broken"]
    assert failed.get_attribute("aria-pressed") == "true"
    next(button for button in opened.all("button[data-only]") if button.text == "with warnings 1").click()
    assert names(opened) == ["gap"]
    assert opened.texts("tbody details li") == ["a gap"]


def test_what_is_drawn_shows_the_events_and_the_threshold(opened: Browser) -> None:
    drawn = opened.run(
        "return [...document.querySelectorAll('tbody tr')].map(row => [row.querySelector('b').textContent, "
        "row.querySelector('.mark')?.getAttribute('d'), row.querySelector('.band')?.getAttribute('d').length])"
    )
    marks = {name: mark for name, mark, _ in drawn}
    assert marks["earlier"] == "M10 0H11V40H10z"
    assert marks["quiet"] == ""
    assert marks["broken"] is None
    assert all(band > 500 for name, _, band in drawn if name != "broken")


def test_names_and_reasons_are_text_whatever_they_hold(browser: Browser, tmp_path: Path) -> None:
    odd = [MARKUP, "冷却塔 7 号機", "x" * 500, "linked / name", "&amp; %41 \\", "\u202eright to left"]
    rows = [*(series(name, 1, warnings=(MARKUP,), last_time=MARKUP) for name in odd), failed_row("bad", MARKUP)]
    events = [event(name, start_time=MARKUP, channels=(MARKUP,)) for name in odd]
    text = page(rows, events)
    assert text.count("<script") == 3
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    browser.open(tmp_path / "report.html")
    assert set(names(browser)) == {*odd, "bad"}
    assert browser.run("return document.title") == "Of 7 series 0 have an event now, 0 drift, 1 failed"
    (link,) = browser.all("tbody a")
    assert link.get_attribute("href") == (tmp_path / "reports" / "linked %2F name.html").as_uri()


@pytest.mark.parametrize("width", [320, 420, 800, 1200])
def test_every_column_fits_in_the_window(browser: Browser, tmp_path: Path, width: int) -> None:
    rows = [series("a very long name of a series " * 9, 1), series("x" * 300), failed_row("bad", "y" * 290)]
    (tmp_path / "report.html").write_text(page(rows, [event(rows[0].name)]), encoding="utf-8")
    browser.open(tmp_path / "report.html", width=width)
    assert browser.run("return document.documentElement.scrollWidth") == width
    past = "[...document.querySelectorAll('#fleet *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
    assert browser.run(f"return {past}.map(e => e.outerHTML)") == []
    assert browser.run("return document.querySelector('tbody .why').getBoundingClientRect().width") > 120


def test_many_rows_are_made_as_they_come_into_sight(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page([series(f"s{index:03}") for index in range(350)]), encoding="utf-8")
    browser.open(tmp_path / "report.html")
    assert len(names(browser)) == 100
    assert browser.texts("#count") == ["350 of 350 series, the first 100 shown"]
    browser.run("document.getElementById('more').focus()")
    browser.run("document.getElementById('more').click()")  # what the keyboard does
    assert len(names(browser)) >= 200
    browser.run("document.getElementById('more').scrollIntoView({behavior: 'instant'})")
    browser.until("document.querySelectorAll('tbody tr').length > 200")
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    browser.until("scrollTo(0, document.body.scrollHeight), document.getElementById('more').hidden")
    assert names(browser) == [f"s{index:03}" for index in range(350)]
    assert browser.texts("#count") == ["350 of 350 series"]
