"""Missing values of a series: the nearest known steps of each, and linear interpolation between them."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int

from twinvae.files.out_of_core import TimeByChannel, pieces


def neighbours(
    known: Bool[np.ndarray, "time channel"],
) -> Iterator[tuple[slice, Int[np.ndarray, "step channel"], Int[np.ndarray, "step channel"]]]:
    """For each piece of the series, the last known step at or before each step, and the first at or after it.

    -1 and the length of the series stand for none.
    """
    length, channels = known.shape
    cuts, following = list(pieces(known)), []
    after = np.full(channels, length)
    for rows in reversed(cuts):
        following.append(after)
        part = known[rows]
        after = np.where(part.any(axis=0), rows.start + part.argmax(axis=0), after)
    before = np.full(channels, -1)
    for rows, after in zip(cuts, reversed(following), strict=True):
        part, step = known[rows], np.arange(rows.start, rows.stop)[:, None]
        last = np.maximum(np.maximum.accumulate(np.where(part, step, -1), axis=0), before)
        first = np.minimum(np.minimum.accumulate(np.where(part, step, length)[::-1], axis=0)[::-1], after)
        before = last[-1]
        yield rows, last, first


def interpolate(values: TimeByChannel, known: Bool[np.ndarray, "time channel"]) -> None:
    """Fills the unknown values by linear interpolation in time, and with the nearest value at both ends; in place.

    A channel without any known value stays as it is.
    """
    length = len(values)
    for rows, last, first in neighbours(known):
        for channel in range(values.shape[1]):
            before, after = last[:, channel], first[:, channel]
            at = np.flatnonzero(~known[rows, channel] & ((before >= 0) | (after < length)))
            before, after = before[at], after[at]
            left = np.where(before < 0, after, before)
            right = np.where(after == length, left, after)
            low, high = (values[steps, channel].astype(np.float64) for steps in (left, right))
            slope = (high - low) / np.maximum(right - left, 1)
            values[rows.start + at, channel] = slope * (rows.start + at - left) + low
