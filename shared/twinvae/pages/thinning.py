"""Which rows of a long series a page holds: the extremes of each part of it, and every row near an event."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from twinvae.files.out_of_core import TimeByChannel

AT_ONCE = 2**20  # rows in memory at a time


def kept_rows(values: TimeByChannel, most: int, near: Sequence[tuple[int, int]] = ()) -> Int[np.ndarray, " kept"]:
    """The rows to keep, in order: all if they are at most so many, else the least and the largest value of each column
    in each of some parts of equal length, both ends, and the stretches [start, end) that are named.

    >>> import numpy as np
    >>> spike = (np.arange(1000) == 333).astype(float)[:, None]
    >>> rows = kept_rows(spike, 100)
    >>> len(rows) <= 100, 333 in rows
    (True, True)
    """
    length, columns = values.shape
    if length <= most:
        return np.arange(length)
    named = np.unique(np.concatenate([[0, length - 1], *(np.arange(max(0, a), min(b, length)) for a, b in near)]))
    parts = max(1, (most - len(named)) // (2 * columns))
    size = -(-length // parts)
    found = [rows for column in range(columns) for rows in _extremes(values, column, size)]
    return np.unique(np.concatenate([named, *found])).astype(np.int64)


def _extremes(values: TimeByChannel, column: int, size: int) -> Iterator[Int[np.ndarray, " row"]]:
    """The rows of the least and of the largest value of each part of a column; parts without values have none."""
    step = max(1, AT_ONCE // size) * size
    for begin in range(0, len(values), step):
        part = np.asarray(values[begin : begin + step, column], np.float64)
        padded = np.full(-(-len(part) // size) * size, np.nan)
        padded[: len(part)] = part
        table = padded.reshape(-1, size)
        known = ~np.isnan(table).all(axis=1)
        starts = begin + np.arange(len(table))[known] * size
        yield starts + np.nanargmin(table[known], axis=1)
        yield starts + np.nanargmax(table[known], axis=1)


def bins(
    values: Float[np.ndarray, "time channel"], edges: Int[np.ndarray, " edge"]
) -> Float[np.ndarray, "channel bin"]:
    """The largest value of each column between neighbouring edges, which are rows; NaN where there is none."""
    result = np.full((values.shape[1], len(edges) - 1), np.nan, np.float32)
    filled = np.flatnonzero(np.diff(edges))
    for begin in range(0, len(filled), 64):
        group = filled[begin : begin + 64]
        part = np.asarray(values[edges[group[0]] : edges[group[-1] + 1]])
        result[:, group] = np.fmax.reduceat(part, edges[group] - edges[group[0]], axis=0).T
    return result
