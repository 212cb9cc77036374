"""Windows back onto time steps: sums over the windows that cover a step, and over runs of steps."""

from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from twinvae.files.out_of_core import by_rows, pieces, zeros_beside


def fold(values: Float[Any, "n window channel"], xp: ModuleType) -> Float[Any, "time channel"]:
    """Sum, at each of the n + window - 1 time steps, over the windows that cover it.

    Window i begins at step i.
    """
    n, window, channels = values.shape
    edge = xp.zeros((window - 1, window, channels), dtype=values.dtype)
    padded = xp.concat((edge, values, edge), axis=0)
    # XLA fuses this sum of shifted columns into one pass; a gather or reshapes take it twice as long.
    # Columns stay a dimension of one: to trace slices alone takes JAX a third of the time.
    length, last = n + window - 1, window - 1
    columns = [padded[last - i : last - i + length, i : i + 1] for i in range(window)]
    return xp.reshape(sum(columns), (length, channels))


def observed_values(series: Float[np.ndarray, "time channel"], window: int) -> Float[np.ndarray, "n channel"]:
    """How many values each window holds that are not missing (NaN), in the dtype of the series."""
    return moving_sum(by_rows(lambda part: (~np.isnan(part)).astype(part.dtype), series), window)


def moving_sum(values: Float[np.ndarray, "n channel"], width: int) -> Float[np.ndarray, "m channel"]:
    """Sum over each run of `width` consecutive rows, m = n - width + 1.

    Runs of doubled length are added up (no running total), so one huge value leaves no rounding behind it.
    """
    result = zeros_beside(values, (len(values) - width + 1, values.shape[1]), values.dtype)
    for piece in pieces(result):
        rows = result[piece]
        run, length, offset = values[piece.start : piece.stop + width - 1], 1, 0
        while length <= width:
            if width & length:
                rows += run[offset : offset + len(rows)]
                offset += length
            run, length = run[:-length] + run[length:], 2 * length
    return result
