"""The number of windows in a series, and the number of them that cover each time step."""

import numpy as np
from jaxtyping import Int


def count(length: int, window: int) -> int:
    """Number of windows of stride 1 in a series of `length` steps."""
    return length - window + 1


def power_of_two(number: int) -> int:
    """The smallest power of two that is at least this: sizes rounded up to one share a compiled program."""
    return 1 << (number - 1).bit_length()


def coverage(length: int, window: int, begin: int = 0, end: int | None = None) -> Int[np.ndarray, " time"]:
    """Number of windows that cover each time step, of the steps [begin, end) if not of all."""
    step = np.arange(begin, length if end is None else end)
    return np.minimum(np.minimum(step + 1, length - step), min(window, count(length, window)))


def fully_covered(length: int, window: int) -> slice:
    """The time steps that `window` windows cover, if they are at least half of the series, else all of it.

    Nearer to the ends a score averages over fewer windows and is noisier.
    """
    inner = length - 2 * (window - 1)
    return slice(window - 1, length - window + 1) if inner >= length / 2 else slice(0, length)
