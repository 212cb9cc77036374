"""Pictures in Japanese: every word has one, every glyph is there, nothing overlaps; and English where no font is."""

import ast
import string
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.conftest import ROOT
from tests.plots.test_event_plots import example
from twinvae.cli import main as cli
from twinvae.config import Scaling
from twinvae.plots import events, fonts, pictures
from twinvae.plots.words import ENGLISH, JAPANESE, language_of
from twinvae.scoring.kinds import SCORES
from twinvae.series.series import Series

PACKAGE = ROOT / "shared" / "twinvae"


def said_in_pictures() -> Iterator[str]:
    """The English words of each call of `words` in the sources, and the units of the scores."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("words", "self.words", "drawing.words"):
                given = ast.walk(node.args[0])
                yield from (n.value for n in given if isinstance(n, ast.Constant) and isinstance(n.value, str))
    scalings: tuple[Scaling, ...] = ("none", "standard")
    yield from (score.axis(scaling) for score in SCORES.values() for scaling in scalings)
    yield "deviations above what is usual here"  # of a search


def parts(text: str) -> set[tuple[str, str]]:
    return {(name, form or "") for _, name, form, _ in string.Formatter().parse(text) if name}


def test_each_word_of_a_picture_has_a_japanese_one_and_none_is_left_over() -> None:
    assert set(said_in_pictures()) == set(JAPANESE.of_english)
    for english, japanese in JAPANESE.of_english.items():
        assert parts(english) == parts(japanese)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "ja-JP"}, "ja"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.eucJP"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_TIME": "en_US"}, "ja"),
    ],
)
def test_the_language_is_that_of_the_locale(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def draw_all(out: Path, channels: int, *, stamped: bool) -> None:
    """Every kind of picture in Japanese; a missing glyph is an error."""
    values, expected, contributions, names, found = example(channels)
    stamps = pl.Series([f"2026-01-01 {row // 60:02}:{row % 60:02}:00" for row in range(len(values))])
    series = Series(values, names, stamps if stamped else None)
    common: dict[str, Any] = {"title": "計測.csv", "words": JAPANESE}
    shaded: dict[str, Any] = {"shaded": [(100, 110)], "shaded_as": JAPANESE("detected event ({events})", events=1)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures.plot_series(
            out / "series.png", series, reconstruction=expected, train_rows=50, **shaded, **common
        )  # fmt: skip
        score = contributions.mean(axis=1)
        pictures.plot_score(
            out / "score.png", series, score, 0.5, ylabel=JAPANESE("squared error (training deviations)"),
            **shaded, **common,
        )  # fmt: skip
        pictures.plot_detection(
            out / "detection.png", series, np.where(score > 2, 1e6, score), 1.0, labelled=[(100, 110)],
            detected=[(98, 111)], train_rows=50, **common,
        )  # fmt: skip
        pictures.plot_latent(
            out / "latent.png", values[:, :1] + [0, 1], values[:50, :1] + [2, 3],
            labels=(JAPANESE("other windows"), JAPANESE("windows with a detected event")), **common,
        )  # fmt: skip
        events.plot_events(
            out / "events.png", series, expected, contributions, found, threshold=0.5, margin=20, **common
        )  # fmt: skip


def texts(figure: Any) -> list[Any]:
    """All that is written in a figure, except for the ticks and what is inside its axes."""
    found = [part._suptitle for part in [figure, *figure.subfigs] if part._suptitle is not None]
    for axis in figure.axes:
        found += [axis._left_title, axis.yaxis.label, axis.xaxis.label]
    found += [text for legend in figure.legends for text in legend.get_texts()]
    return [text for text in found if text.get_text()]


@pytest.mark.parametrize(("channels", "stamped"), [(1, True), (12, False)])
def test_japanese_pictures_have_every_glyph_and_no_overlap(
    channels: int, stamped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, list[tuple[str, Any]], Any]] = []

    def keep(figure: Figure, path: Path, **_: Any) -> None:
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
        made.append((path.name, [(text.get_text(), text.get_window_extent()) for text in texts(figure)], figure.bbox))

    monkeypatch.setattr(Figure, "savefig", keep)
    draw_all(tmp_path, channels, stamped=stamped)
    assert len(made) == 5
    for name, written, whole in made:
        assert any(character > "\u3000" for text, _ in written for character in text), name
        for index, (text, box) in enumerate(written):
            assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, text
            assert whole.y0 <= box.y0 <= box.y1 <= whole.y1, text
            for other, another in written[:index]:
                assert not box.overlaps(another), (name, text, other)


def synthesized(out: Path, *options: str) -> bytes:
    """The picture of a short series."""
    arguments = ["synthesize", "--kind", "spike", "--length", "800", "--train-rows", "200", "--out", str(out)]
    assert cli.main([*arguments, *options]) == 0
    (picture,) = out.glob("*.png")
    return picture.read_bytes()


def test_the_command_takes_the_language_from_its_option_or_from_the_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    english, japanese = synthesized(tmp_path / "a"), synthesized(tmp_path / "b", "--lang", "ja")
    assert english != japanese
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    assert synthesized(tmp_path / "c") == japanese
    assert synthesized(tmp_path / "d", "--lang", "en") == english
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("default")
def test_without_a_font_the_words_are_english_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    english = synthesized(tmp_path / "a", "--lang", "en")
    monkeypatch.setattr(fonts, "wide_fonts", list)
    assert synthesized(tmp_path / "b", "--lang", "ja") == english
    (line,) = capsys.readouterr().err.splitlines()
    assert "no font here draws Japanese" in line
    assert "pip install 'twinvae[ja]'" in line


def test_english_words_are_themselves() -> None:
    assert ENGLISH("time, from {first}", first="{now}") == "time, from {now}"
    assert ENGLISH("{as it is}") == "{as it is}"
