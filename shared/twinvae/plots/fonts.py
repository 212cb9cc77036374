"""Which fonts here draw Japanese, Chinese and Korean, and whether words can be drawn."""

import importlib.util
from pathlib import Path

from twinvae.plots.words import ENGLISH, Words
from twinvae.process.notices import warn

WIDE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic",
    "Hiragino Sans", "Yu Gothic", "MS Gothic", "Meiryo", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei",
)  # fmt: skip
PACKAGE, FILE, NAME = "matplotlib_fontja", "fonts/ipaexg.ttf", "IPAexGothic"


def wide_fonts() -> list[str]:
    """The names of those that the system has, or the package matplotlib-fontja carries.

    The package is found, not imported: its import makes its font that of all pictures of the process.
    """
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    package = importlib.util.find_spec(PACKAGE)
    if NAME not in installed and package is not None and package.origin is not None:
        file = Path(package.origin).parent / FILE
        if file.is_file():
            fontManager.addfont(str(file))
            installed.add(NAME)
    return [name for name in WIDE_FONTS if name in installed]


def drawable(words: Words) -> Words:
    """The words; or the English ones, with a warning, where no font here draws those."""
    if words is ENGLISH or wide_fonts():
        return words
    warn("no font here draws Japanese, so the words in the pictures are English: pip install 'twinvae[ja]'")
    return ENGLISH
