"""Which fonts here draw Japanese, Chinese and Korean."""

import importlib.util
from pathlib import Path

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
