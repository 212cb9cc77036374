"""The tutorial in both languages: its code runs, and what the pages show and say is what it printed and drew."""

import importlib.util
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt

from tests.conftest import ROOT, unchecked

HERE = ROOT / "docs" / "tutorial"
LANGUAGES = ("en", "ja")
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?")
COUNTED = 2  # by so many may differ how many of 20 series alarm, say: some are near the threshold
RELATIVE = 0.2  # by so much may other numbers differ: training in float32 rounds differently on each processor


def load_pages() -> Any:
    spec = importlib.util.spec_from_file_location("tutorial_pages", HERE / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = load_pages()
CELLS: dict[str, str] = pages.cells_of((HERE / "tutorial.py").read_text(encoding="utf-8"))


def page(language: str) -> str:
    return (HERE / f"{language}.md").read_text(encoding="utf-8")


def numbers(text: str) -> list[str]:
    return [found.replace(",", "") for found in NUMBER.findall(text)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_holds_every_cell_in_its_order(language: str) -> None:
    wanted = {name: pages.in_language(code, language) for name, code in CELLS.items()}
    assert list(pages.code_of(page(language)).items()) == list(wanted.items())


def test_both_pages_show_the_same_results() -> None:
    assert pages.printed_in(page("en")) == pages.printed_in(page("ja"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_has_a_picture_of_each_cell_that_draws_one_and_no_other(language: str) -> None:
    drawing = [name for name, code in CELLS.items() if code.splitlines()[-1].startswith("draw.")]
    wanted = {f"{language}/{name.removesuffix('-picture')}.png" for name in drawing}
    assert set(pages.PICTURE.findall(page(language))) == wanted
    assert {f"{language}/{path.name}" for path in (HERE / "pictures" / language).iterdir()} == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_numbers_of_the_prose_are_those_of_the_code_and_of_what_it_printed(language: str) -> None:
    text = page(language)
    text = text[: text.rindex("\n### ")]  # literature
    shown = "".join(place["body"] for place in pages.places(text))
    known = {float(number) for number in [*numbers(shown), *re.findall(r"\d+e-\d+", shown)]}
    prose = re.sub(r"```.*?```", "", pages.PLACE.sub("", text), flags=re.DOTALL)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|^#+ [\d.]+", "", prose, flags=re.MULTILINE)
    said = [number for number in numbers(prose) if "." in number or int(number) > 10]
    assert len(said) > 20
    assert not [each for each in said if not any(_rounds_to(value, each) for value in known)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_bold_closes(language: str) -> None:
    """Markdown shows the asterisks where a full-width bracket is the last bold character and a letter follows."""
    html = MarkdownIt("commonmark").render(page(language))
    assert "<strong>" in html
    assert "**" not in re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)


def _rounds_to(value: float, said: str) -> bool:
    return round(value, len(said.partition(".")[2])) == float(said)


def test_the_notebooks_have_the_code_of_the_pages() -> None:
    made = {language: pages.notebook(page(language)) for language in LANGUAGES}
    for language, notebook in made.items():
        code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert code == [pages.in_language(cell, language) for cell in CELLS.values()]
        assert json.loads(json.dumps(notebook)) == notebook
        assert "".join(notebook["cells"][0]["source"]).startswith("# ")
    kinds = [[cell["cell_type"] for cell in notebook["cells"]] for notebook in made.values()]
    assert kinds[0] == kinds[1], "the two languages have their prose at the same places"


@pytest.mark.slow
def test_the_code_prints_and_draws_what_the_pages_show(tmp_path: Path) -> None:
    """The code is the same in both languages, so it runs once; its pictures are drawn in both."""
    from matplotlib.image import imread

    with unchecked():
        ran = pages.run(CELLS)
    for name, shown in pages.printed_in(page("en")).items():
        assert not _difference(shown, ran[name].printed, 3 if name.startswith("real-") else 0), name
    for language in LANGUAGES:
        for name, picture in pages.pictures_of(ran).items():
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a missing glyph, say
                picture.save(tmp_path / name, language)
            now, shown = imread(tmp_path / name), imread(HERE / "pictures" / language / name)
            assert now.shape == shown.shape, name
            assert np.abs(now - shown).mean() < 0.03, f"{language}/{name}"


def _difference(shown: str, printed: str, steps: int = 0) -> str:
    """The first line that differs by more than machines do; nothing if there is none. Events may shift by `steps`."""
    if len(shown.splitlines()) != len(printed.splitlines()):
        return "another number of lines"
    for before, now in zip(shown.splitlines(), printed.splitlines(), strict=True):
        if NUMBER.sub("#", before) != NUMBER.sub("#", now):
            return now
        for found, new in zip(NUMBER.finditer(before), numbers(now), strict=True):
            old, digits = found[0].replace(",", ""), len(found[0].partition(".")[2])
            count = COUNTED if before[found.end() :].startswith(" of ") else steps
            allowed = RELATIVE * float(old) + 0.5 * 10.0**-digits if digits else count
            if abs(float(old) - float(new)) > allowed:
                return now
    return ""


def test_a_difference_is_found() -> None:
    assert not _difference("loss 7.01, event [300, 320)\n", "loss 7.05, event [300, 320)\n")
    assert not _difference("1 times: 14 of 20 series\n", "1 times: 15 of 20 series\n")
    assert _difference("loss 7.01\n", "loss 9.01\n")
    assert _difference("1 times: 14 of 20 series\n", "1 times: 14 of 21 series\n")
    assert _difference("event [300, 320)\n", "event [300, 321)\n")
    assert _difference("the same to 1e-05: True\n", "the same to 1e-05: False\n")
    assert _difference("event [300, 320)\n", "")
