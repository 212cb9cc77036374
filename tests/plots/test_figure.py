"""What a user's names and settings may not do to a picture, and a picture not to the results."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from twinvae.plots import figure, pictures
from twinvae.series.series import Series


def draw(path: Path, *names: str, title: str = "t") -> bytes:
    values = np.random.default_rng(0).normal(size=(50, len(names)))
    pictures.plot_series(path, Series(values, names), title=title, shaded=[(3, 9)], shaded_as="event")
    return path.read_bytes()


def kept_figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where each figure is put once it is drawn, in place of its file."""
    made: list[Any] = []

    def keep(picture: Figure, *_: Any, **__: Any) -> None:
        FigureCanvasAgg(picture).draw()  # type: ignore[no-untyped-call]
        made.append(picture)

    monkeypatch.setattr(Figure, "savefig", keep)
    return made


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
    monkeypatch.setattr(figure, "wide_fonts", lambda: [])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        draw(tmp_path / "a.png", "温度", "湿度 (%)")
    assert ["no font here has all characters" in str(warning.message) for warning in said] == [True]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("channels", [1, 3, 12, 60])
@pytest.mark.parametrize("name", ["discharge pressure reading [bar] " * 2, "吐出圧力" * 20], ids=["latin", "wide"])
def test_long_names_do_not_overlap(channels: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept_figures(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [f"{name * 2}{index}" for index in range(channels)]
        draw(tmp_path / "a.png", *names, title=name * 3)
    (picture,) = made
    boxes = [picture._suptitle.get_window_extent()]
    for axis in picture.axes:
        boxes += [text.get_window_extent() for text in (axis._left_title, axis.yaxis.label) if text.get_text()]
    assert all(box.x1 <= picture.bbox.x1 for box in boxes)
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])
    assert picture.axes[0]._left_title.get_text()[-1] == "0", "the end of a name tells it from others"


def test_a_value_far_from_zero_is_written_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept_figures(monkeypatch)
    series = Series(1e6 + np.arange(50.0)[:, None] / 10, ("a",))
    pictures.plot_series(tmp_path / "a.png", series, title="t")
    axis = made[0].axes[0]
    assert axis.yaxis.get_offset_text().get_text() == ""
    assert all(float(label.get_text()) > 9e5 for label in axis.get_yticklabels())


@pytest.mark.parametrize(("lowest", "highest"), [(1e-5, 5.0), (2e-6, 3e-6), (0.01, 9.0), (3.0, 2e6)])
def test_the_labels_of_a_score_are_all_decimals_or_all_powers_of_ten(
    lowest: float, highest: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kept_figures(monkeypatch)
    scores = np.geomspace(lowest, highest, 50)
    pictures.plot_score(
        tmp_path / "a.png", Series.of(scores), scores, highest / 2, title="t", ylabel="y", shaded=[], shaded_as="",
    )  # fmt: skip
    axis = made[0].axes[0]
    written = [label.get_text() for kind in ("major", "minor") for label in axis.get_yticklabels(which=kind)]
    assert any(written)
    assert len({"10^" in label for label in written if label}) == 1
    assert not any("e" in label for label in written if "10^" not in label)


def test_both_axes_of_the_latent_space_have_one_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept_figures(monkeypatch)
    points = np.random.default_rng(0).normal(size=(50, 2)) * [1, 9]
    pictures.plot_latent(tmp_path / "a.png", points, points[:5], title="t", labels=("a", "b"))
    axis = made[0].axes[0]
    x, y = axis.transData.transform([(0, 0), (1, 1)]).T
    assert x[1] - x[0] == pytest.approx(y[1] - y[0])


def test_a_picture_that_fails_while_it_is_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(picture: Figure, path: Path, **_: Any) -> None:
        path.write_bytes(b"\x89PNG half")
        raise ValueError("broken")

    monkeypatch.setattr(Figure, "savefig", fail)
    with (
        pytest.warns(UserWarning, match="the picture could not be drawn"),
        figure.new_axes(tmp_path / "a", "t", 1, 3.0),
    ):
        pass
    assert not list(tmp_path.iterdir())
