"""What a user's names and settings may not do to a picture, and a picture not to the results."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from twinvae.plots import figure, pictures
from twinvae.series.series import Series


def draw(path: Path, *names: str, title: str = "t") -> bytes:
    values = np.random.default_rng(0).normal(size=(50, len(names)))
    pictures.plot_series(path, Series(values, names), title=title, shaded=[(3, 9)], shaded_as="event")
    return path.read_bytes()


def test_dollars_are_text(tmp_path: Path) -> None:
    one = draw(tmp_path / "a.png", "Price ($USD$ _", "a^b_{c", title="sales_$_$.csv")
    assert one.startswith(b"\x89PNG")
    assert one != draw(tmp_path / "b.png", "Price (USD _", "a^b_{c", title="sales__.csv"), "the dollars are drawn"


def test_the_user_s_settings_of_matplotlib_change_nothing_and_stay(tmp_path: Path) -> None:
    import matplotlib

    usual = draw(tmp_path / "a.png", "value")
    with matplotlib.rc_context({"text.usetex": True, "font.size": 30.0, "axes.facecolor": "black"}):
        assert draw(tmp_path / "b.png", "value") == usual
        assert matplotlib.rcParams["font.size"] == 30.0


def test_a_picture_that_fails_is_one_warning(tmp_path: Path) -> None:
    said = pytest.warns(UserWarning, match="a.png: the picture could not be drawn \\(ZeroDivisionError: broken")
    with said, figure.new_axes(tmp_path / "a.png", "t", 1, 3.0):
        raise ZeroDivisionError("broken")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_still_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        draw(tmp_path / "none" / "a.png", "value")


def test_characters_that_no_font_has_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "WIDE_FONTS", ())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        draw(tmp_path / "a.png", "温度", "湿度 (%)")
    assert ["no font here has all characters" in str(warning.message) for warning in said] == [True]
