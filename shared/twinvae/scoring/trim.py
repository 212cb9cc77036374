"""Which steps and windows of a training series calibration leaves out, because they may hold anomalies."""

import numpy as np
from jaxtyping import Bool, Float

from twinvae.files.out_of_core import by_rows, number, pieces, zeros_beside
from twinvae.windowing.fold import covering_mean, moving_sum
from twinvae.windowing.geometry import fully_covered


def largest_share(values: Float[np.ndarray, " n"], share: float) -> Bool[np.ndarray, " n"]:
    """Marks the largest values: this share of them, rounded down; of equal values the first."""
    chosen = zeros_beside(values, (len(values),), bool)
    wanted = int(share * len(values))
    if not wanted:
        return chosen
    ordered = by_rows(np.copy, values)
    ordered.partition(len(values) - wanted)
    least = ordered[len(values) - wanted]
    spare = wanted - number(lambda part: part > least, values)  # of the values that equal the least
    for rows in pieces(values):
        equal = values[rows] == least
        chosen[rows] = (values[rows] > least) | (equal & (np.cumsum(equal) <= spare))
        spare -= min(spare, int(np.count_nonzero(equal)))
    return chosen


def trimmed(errors: Float[np.ndarray, " n"], length: int, window: int, share: float) -> Bool[np.ndarray, " time"]:
    """Marks the steps of a training series that calibration leaves out: this share of those that it counts.

    They are the steps whose covering windows err most on average, given the error of each window: whole stretches, so
    that what is left has its largest errors still.
    """
    scores = covering_mean(errors[:, None], window)
    inner = fully_covered(length, window)
    steps = zeros_beside(errors, (length,), bool)
    steps[inner] = largest_share(scores[inner, 0], share)
    return steps


def touched(steps: Bool[np.ndarray, " time"], window: int) -> Bool[np.ndarray, " n"]:
    """Marks the windows in which a marked step lies."""
    marked = moving_sum(by_rows(lambda part: part.astype(np.float32)[:, None], steps), window)
    return by_rows(lambda part: part[:, 0] > 0, marked)


def without(statistic: Float[np.ndarray, "n _"], rows: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "n _"]:
    """The statistic, with the mean of its other rows in the place of these."""
    total, values = np.zeros(statistic.shape[1]), np.zeros(statistic.shape[1])
    for part in pieces(statistic):
        usual = statistic[part][~rows[part]]
        total += np.nansum(usual, axis=0, dtype=np.float64)
        values += np.count_nonzero(~np.isnan(usual), axis=0)
    mean = np.divide(total, values, out=np.full_like(total, np.nan), where=values > 0).astype(statistic.dtype)
    return by_rows(lambda part, out: np.where(out[:, None], mean, part), statistic, rows)
