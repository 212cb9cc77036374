"""How unusual a stretch is, whether it is an event or not, and which stretches come nearest to events."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8

from twinvae.files.out_of_core import by_rows, zeros_beside
from twinvae.scoring.events import Event

MOST_UNUSUAL = 5  # stretches that are always named
STEEP = 0.5  # of the peak: a stretch that is no event ends where its score falls below


class Stretch(NamedTuple):
    """A stretch of a series, its severity from 0 to 100, and whether it is an event."""

    event: Event  # the same facts, whether it is one or not
    severity: float
    is_event: bool


def severity(score: float, threshold: float) -> float:
    """100 * score / (score + threshold): 0 for a score of 0, 50 at the threshold, 90 at nine times it, 100 never."""
    return 100.0 * score / (score + threshold) if score > 0 else 0.0


def nearest_to_events(
    scores: Float[np.ndarray, " time"], events: Sequence[tuple[int, int]], number: int, apart: int
) -> Int8[np.ndarray, " time"]:
    """1 in the stretches with the highest scores that are no events, at most so many, at least `apart` steps apart.

    A stretch is the steps around a peak that score at least half of it, at most `apart` of them on each side.
    """
    labels = zeros_beside(scores, scores.shape, np.int8)
    left = by_rows(lambda part: np.nan_to_num(part, nan=0.0), scores)
    for start, end in events:
        left[max(0, start - apart) : end + apart] = 0.0
    for _ in range(number):
        peak = int(np.argmax(left))
        least = STEEP * left[peak]
        if least <= 0:
            break
        before, after = left[max(0, peak - apart) : peak], left[peak : peak + apart + 1]
        start = peak - int(np.argmax(before[::-1] < least)) if (before < least).any() else peak - len(before)
        end = peak + int(np.argmax(after < least)) if (after < least).any() else peak + len(after)
        labels[start:end] = 1
        left[max(0, start - apart) : end + apart] = 0.0
    return labels
