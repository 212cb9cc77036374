"""Values so far from the training series that scores overflow: left out of all windows, and anomalies at their steps.

In a window such a value would spoil the scores of all other steps.
"""

import numpy as np
from jaxtyping import Bool, Float

from twinvae.config import DType
from twinvae.files.out_of_core import TimeByChannel, by_rows, first_row
from twinvae.scoring.formulas import Calibration


def highest(dtype: DType) -> float:
    """What a score counts as that is higher: sums and means over channels and steps do not overflow."""
    return 1e-8 * float(np.finfo(dtype).max)


def limits(calibration: Calibration, dtype: DType) -> Float[np.ndarray, " channel"]:
    """The largest scaled value of each channel that is put into a window.

    Larger by this factor than the largest training error, it would have the highest score as the fourth power, as in
    `multiscale`. Its square, summed over a window, must not overflow either.
    """
    error = np.sqrt(np.asarray(calibration.largest["multiscale"][0], np.float64))
    return np.minimum(highest(dtype) ** 0.25 * error, 1e-2 * float(np.finfo(dtype).max) ** 0.5)


def too_large(scaled: TimeByChannel, limit: Float[np.ndarray, " channel"]) -> Bool[np.ndarray, "time channel"] | None:
    """Where a value is above its limit; None if it is nowhere."""
    if first_row(lambda part: np.abs(part) > limit, scaled) is None:
        return None
    return by_rows(lambda part: np.abs(part) > limit, scaled)


def without(scaled: TimeByChannel, places: Bool[np.ndarray, "time channel"]) -> TimeByChannel:
    """The series with NaN in these places."""
    return by_rows(lambda part, out: np.where(out, part.dtype.type(np.nan), part), scaled, places)


def bounded(scores: TimeByChannel, known: TimeByChannel, dtype: DType) -> TimeByChannel:
    """The scores with the highest in the place of what has overflowed: higher ones, and NaN where a value is known."""
    most = highest(dtype)

    def over(part: np.ndarray, value: np.ndarray) -> np.ndarray:
        return np.asarray((part > most) | (np.isnan(part) & ~np.isnan(value)))

    if first_row(over, scores, known) is None:
        return scores
    return by_rows(lambda part, value: np.where(over(part, value), part.dtype.type(most), part), scores, known)
