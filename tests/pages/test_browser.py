"""The browser of the tests sees what a person would: errors, requests, the window's size and colours, saved files."""

from pathlib import Path

import pytest

from tests.helpers.browser import Browser
from twinvae.pages.document import document


def page(folder: Path, script: str = "") -> Path:
    path = folder / "ページ 1.html"
    path.write_text(document("Page", [f"<p>text</p><script>{script}</script>"]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("nothing.at.all", "nothing is not defined"),
        ("console.error('wrong')", "wrong"),
        ("fetch('http://192.0.2.1/').catch(() => 0)", "requested http://192.0.2.1/"),
        ("document.body.append(Object.assign(new Image(), {src: 'missing.png'}))", "missing.png"),
    ],
)
def test_errors_and_requests_are_found(chromium: object, tmp_path: Path, script: str, said: str) -> None:
    browser = Browser(chromium, tmp_path)
    browser.open(page(tmp_path, script))
    browser.until("document.readyState == 'complete'")
    assert any(said in complaint for complaint in browser.complaints()), browser.complaints()


def test_a_page_has_the_size_and_colours_asked_for_and_saves_files(browser: Browser, tmp_path: Path) -> None:
    save = "Object.assign(document.createElement('a'), {href: 'data:,kept', download: 'a.txt'}).click()"
    for width, dark in ((1200, False), (420, True)):
        browser.open(page(tmp_path, save if dark else ""), width=width, dark=dark)
        assert browser.run("return innerWidth") == width
        assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") is dark
        assert browser.texts("p") == ["text"]
    assert browser.saved("a.txt").read_text() == "kept"
