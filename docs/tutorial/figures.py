"""The pictures of the tutorial, with words in English or in Japanese.

Most are those of `twinvae demo` and `twinvae detect`. A notebook shows what a method returns.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from twinvae.plots import pictures
from twinvae.plots.fonts import drawable
from twinvae.plots.events import plot_events
from twinvae.plots.figure import BLACK, BLUE, ORANGE, RED, draw_line, name_channel, new_axes, shade
from twinvae.plots.words import ENGLISH, JAPANESE, Words
from twinvae.series.series import Series
from twinvae.windowing.intervals import intervals

WIDTH = 8.0  # inches: narrower than those of the commands, for a column of text

# Beside those of the commands' pictures.
MORE = {
    "A noisy sine, and the same with a spike": "雑音入りの正弦波と、異常を加えたもの",
    "normal": "正常",
    "with a spike": "異常あり",
    "Windows, each one step after the other (every tenth is shown)":
        "長さ 50 の窓を 1 ステップずつずらす（図は 10 個ごとに 1 つ）",
    "window": "窓",
    "start of the window": "窓の開始位置",
    "The loss of a window in each epoch": "エポックごとの損失（窓あたり）",
    "epoch": "エポック",
    "loss": "損失",
    "2 × KL": "2 × KL",
    "The latent means in the plane of the first two components": "潜在変数の平均を第 1・第 2 主成分の平面で見る",
    "Both series and their reconstruction": "2 本の時系列とその再構成",
    "Normal series": "正常な時系列",
    "Series with the spike": "異常を加えた時系列",
    "The score of each step": "各ステップの異常度",
    "One window, scored with 1,000 draws of the noise": "同じ窓の異常度を、乱数を変えて 1,000 回計算",
    "mean squared error": "平均二乗誤差",
    "draws": "回数",
    "without noise": "乱数なし",
    "Blood pressure (UCR 135)": "血圧（UCR 135）",
}  # fmt: skip
LANGUAGES = {
    "en": ENGLISH,
    "ja": Words("ja", {**JAPANESE.of_english, **MORE}),
}


class Picture:
    """A picture that can be written in any language, and that a notebook shows in one."""

    def __init__(self, language: str, write: Callable[[Path, Words], None]) -> None:
        self._language, self._write = language, write

    def save(self, path: Path, language: str) -> None:
        """Writes the picture as a PNG."""
        self._write(path, drawable(LANGUAGES[language]))

    def _repr_png_(self) -> bytes:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            self.save(path, self._language)
            return path.read_bytes()


class Figures:
    """Each picture of the tutorial, in a language."""

    def __init__(self, language: str) -> None:
        self._language = language

    def _picture(self, write: Callable[[Path, Words], None]) -> Picture:
        return Picture(self._language, write)

    def series(self, normal: np.ndarray, anomalous: np.ndarray, labels: np.ndarray) -> Picture:
        def write(path: Path, words: Words) -> None:
            with new_axes(path, words("A noisy sine, and the same with a spike"), 1, 3.0, width=WIDTH) as (axis,):
                draw_line(axis, anomalous, color=RED, label=words("with a spike"))
                draw_line(axis, normal, color=BLUE, label=words("normal"))
                shade(axis, intervals(labels), words("injected anomaly"))
                _name_axes(axis, words("time step"), words("value"))

        return self._picture(write)

    def windows(self, series: np.ndarray, window: int) -> Picture:
        def write(path: Path, words: Words) -> None:
            title = words("Windows, each one step after the other (every tenth is shown)")
            with new_axes(path, title, 2, 1.7, width=WIDTH) as (above, below):
                shown = 120
                draw_line(above, series[:shown], color=BLUE, label=words("series"))
                starts = range(0, shown - window + 1, 10)
                spans = [(start - 0.5, window) for start in starts]
                for row, span in enumerate(spans):
                    label = words("window") if row == 0 else None
                    below.broken_barh([span], (row - 0.35, 0.7), color=ORANGE, label=label)
                below.set_yticks(range(len(spans)), [f"{start}" for start in starts])
                below.invert_yaxis()
                above.set_ylabel(words("value"))
                _name_axes(below, words("time step"), words("start of the window"))

        return self._picture(write)

    def training(self, history: dict[str, Any]) -> Picture:
        def write(path: Path, words: Words) -> None:
            with new_axes(path, words("The loss of a window in each epoch"), 1, 3.0, width=WIDTH) as (axis,):
                epochs = 1 + np.arange(len(history["loss"]))
                axis.plot(epochs, history["loss"], color=BLACK, label=words("loss"))
                error = history["reconstruction"]
                axis.plot(epochs, error, color=BLUE, linestyle="--", label=words("squared error"))
                axis.plot(epochs, 2 * np.array(history["kl"]), color=RED, linestyle=":", label=words("2 × KL"))
                axis.set_ylim(bottom=0)
                _name_axes(axis, words("epoch"), words("loss"))

        return self._picture(write)

    def latent(self, normal: np.ndarray, anomalous: np.ndarray) -> Picture:
        def write(path: Path, words: Words) -> None:
            pictures.plot_latent(
                path, normal, anomalous,
                title=words("The latent means in the plane of the first two components"),
                labels=(words("normal windows"), words("windows with the anomaly")), words=words,
            )  # fmt: skip

        return self._picture(write)

    def reconstruction(
        self, normal: np.ndarray, of_normal: np.ndarray, anomalous: np.ndarray, expected: np.ndarray, labels: np.ndarray
    ) -> Picture:
        def write(path: Path, words: Words) -> None:
            with new_axes(path, words("Both series and their reconstruction"), 2, 1.9, width=WIDTH) as axes:
                titles = words("Normal series"), words("Series with the spike")
                for axis, title, values, drawn in zip(
                    axes, titles, (normal, anomalous), (of_normal, expected), strict=True
                ):
                    draw_line(axis, values, color=BLUE, label=words("series"))
                    draw_line(axis, drawn, color=RED, linestyle="--", label=words("reconstruction"))
                    name_channel(axis, title)
                    axis.set_ylabel(words("value"))
                shade(axes[1], intervals(labels), words("injected anomaly"))
                axes[1].set_xlabel(words("time step"))

        return self._picture(write)

    def score(self, score: np.ndarray, threshold: float, labels: np.ndarray) -> Picture:
        def write(path: Path, words: Words) -> None:
            pictures.plot_score(
                path, Series.of(score), score, threshold, title=words("The score of each step"),
                ylabel=words("squared error"), shaded=intervals(labels), shaded_as=words("injected anomaly"),
                width=WIDTH, words=words,
            )  # fmt: skip

        return self._picture(write)

    def draws(self, scores: list[float], without_noise: float) -> Picture:
        def write(path: Path, words: Words) -> None:
            title = words("One window, scored with 1,000 draws of the noise")
            with new_axes(path, title, 1, 3.0, width=WIDTH) as (axis,):
                axis.hist(scores, bins=40, color=BLUE, alpha=0.6)
                axis.axvline(without_noise, color=RED, linestyle="--", label=words("without noise"))
                _name_axes(axis, words("mean squared error"), words("draws"))

        return self._picture(write)

    def detection(self, dataset: Any, found: Any) -> Picture:
        def write(path: Path, words: Words) -> None:
            pictures.plot_detection(
                path, found.series, found.scores, found.threshold, title=words("Blood pressure (UCR 135)"),
                labelled=intervals(dataset.labels), detected=[(event.start, event.end) for event in found.events],
                train_rows=dataset.train_rows, width=WIDTH, words=words,
            )  # fmt: skip

        return self._picture(write)

    def why(self, found: Any) -> Picture:
        def write(path: Path, words: Words) -> None:
            plot_events(
                path, found.series, found.expected, found.contributions, found.events,
                title=words("Blood pressure (UCR 135)"), threshold=found.threshold, margin=40, width=WIDTH,
                words=words,
            )  # fmt: skip

        return self._picture(write)


def _name_axes(axis: Any, x: str, y: str) -> None:
    axis.set_xlabel(x)
    axis.set_ylabel(y)
