"""How each implementation is drawn everywhere: colours and shapes that colour-blind readers can tell apart.

The colours are those of Okabe and Ito and shades of them, but grey in place of black, which a dark page would hide. A
control has the colour of the code that it runs.
"""

import math
from typing import NamedTuple

from benchmarks.speed.implementations import IMPLEMENTATIONS

EDGE = "#6b7280"  # around every shape: seen on white and on black, whatever fills the shape
MOST = 8  # the factor at which the colours of the map end
FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}


class Mark(NamedTuple):
    """A colour, and a shape by its name in Matplotlib, by that in Bokeh and as a character."""

    colour: str
    shape: str
    marker: str
    character: str


MARKS = {
    "tutorial": Mark("#808080", "o", "circle", "●"),
    "pyod": Mark("#CC79A7", "v", "inverted_triangle", "▼"),
    "pyod-same-size": Mark("#F0E442", "P", "plus", "✚"),
    "torch-loop": Mark("#9C6455", "h", "hex", "⬢"),
    "torch-eager": Mark("#D55E00", "s", "square", "■"),
    "torch-again": Mark("#D55E00", "x", "x", "✕"),
    "torch-step": Mark("#B58900", "d", "circle_cross", "⊕"),
    "torch-overhead": Mark("#C7A252", "<", "circle_x", "⊗"),
    "torch-autotune": Mark("#D9BC7A", ">", "square_cross", "⊞"),
    "torch-whole": Mark("#A07800", "p", "square_x", "⊠"),
    "torch-compiled": Mark("#E69F00", "D", "diamond", "◆"),
    "jax-step": Mark("#56B4E9", "^", "triangle", "▲"),
    "jax-run": Mark("#2a7fc0", "*", "star", "★"),
    "jax-again": Mark("#2a7fc0", "x", "x", "✕"),
}
FLOORS = {"torch-eager": "dotted", "jax-run": "dashed"}  # how the floor of a framework's own library is drawn


def floor_label(library: str) -> str:
    """Returns what the line of this library's floor means."""
    framework = FRAMEWORKS[IMPLEMENTATIONS[library].backend]
    return f"floor: the arithmetic at the rate of {framework}'s products"


def full_label(name: str) -> str:
    """Returns the label of an implementation with its framework, where the label does not say it."""
    label, framework = IMPLEMENTATIONS[name].label, FRAMEWORKS[IMPLEMENTATIONS[name].backend]
    return label if framework in label else f"{label} ({framework})"


def shade(times: float) -> tuple[str, str]:
    """Returns the colour of a cell of the map by PyTorch's time over JAX's, and that of the words on it."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    share = math.log(min(max(times, 1 / MOST), MOST)) / math.log(MOST)
    red, green, blue, _ = colour = mpl.colormaps["PuOr"]((share + 1) / 2)
    return to_hex(colour), "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "#000000"
