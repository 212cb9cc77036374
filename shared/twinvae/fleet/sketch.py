"""What the page of a fleet draws of each series, and whether its scores have risen."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float, Int, Int8

COLUMNS = 60  # that a series is drawn in
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # a height of a column each, from 0 to 63
UNKNOWN = "."  # a column without any value
HIGH = 0.9  # quantile of the scores that a series begins with: a tenth of them are higher
FEW = 20  # rows: of fewer nothing is said


def sketch(values: Float[np.ndarray, " time"], scores: Float[np.ndarray, " time"], threshold: float) -> str:
    """The least and the largest value of each of 60 columns and its highest score: three words of a letter a column.

    A series of fewer rows has a column for each. Values stand between the least of all and the largest, scores by their
    severity, with the threshold in the middle.
    """
    starts = column_starts(len(values))
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    least, most = np.fmin.reduce(low), np.fmax.reduce(high)
    scale = most / 2 - least / 2  # of halves, which cannot be too large
    bands = [(edge / 2 - least / 2) / scale if scale > 0 else edge * 0 + 0.5 for edge in (low, high)]
    top = np.fmax.reduceat(scores, starts).astype(np.float64)
    with np.errstate(all="ignore"):
        severities = np.where(top > 0, 1 / (1 + threshold / top), top * 0)
    return " ".join("".join(_letters(part)) for part in (*bands, severities))


def _letters(heights: Float[np.ndarray, " column"]) -> Iterator[str]:
    """A letter for each height from 0 to 1."""
    for height in heights:
        yield UNKNOWN if np.isnan(height) else LETTERS[int(height * (len(LETTERS) - 1) + 0.5)]


def column_starts(rows: int) -> Int[np.ndarray, " column"]:
    """The first row of each column."""
    columns = min(rows, COLUMNS)
    return np.arange(columns) * rows // columns


def columns_of(rows: int, spans: Iterable[tuple[int, int]]) -> list[int]:
    """The columns that spans of rows [start, end) touch, as pairs: the first of a run, and the one after its last."""
    starts = column_starts(rows)
    touched = np.zeros(len(starts) + 2, bool)
    for start, end in spans:
        first, last = np.searchsorted(starts, (start, end - 1), side="right")
        touched[first : last + 1] = True
    found: list[int] = np.flatnonzero(touched[1:] != touched[:-1]).tolist()
    return found


def drift(scores: Float[np.ndarray, " time"], labels: Int8[np.ndarray, " time"], first: int) -> float | None:
    """The share of the last tenth of the rows that scores higher than nine in ten of the first rows.

    About a tenth of them where nothing has changed. Rows of events do not count, nor those whose score is not known.
    None where fewer than 20 rows are left of either.

    Args:
        scores: (time,) of each row.
        labels: (time,) 1 in the rows of events.
        first: so many first rows are compared with, but for the last tenth.
    """
    last = len(scores) - len(scores) // 10
    counted = (labels == 0) & ~np.isnan(scores)
    before, after = (scores[part][counted[part]] for part in (slice(min(first, last)), slice(last, None)))
    if min(len(before), len(after)) < FEW:
        return None
    return float((after > np.quantile(before, HIGH, method="higher")).mean())
