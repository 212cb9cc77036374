"""Cross-fitting: a series in contiguous blocks, each of them scored by a model that has not learned from it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from twinvae.files.out_of_core import zeros_beside
from twinvae.windowing.geometry import count

LEAST_WINDOWS = 4  # lengths of a window in a block: with less, too little is left to learn from, and to judge


def blocks(length: int, number: int) -> list[slice]:
    """The time steps of a series in so many contiguous blocks of about the same length."""
    edges = [round(length * index / number) for index in range(number + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]


def least_length(window: int, number: int) -> int:
    """The number of time steps that a series needs to be cut into so many blocks."""
    return LEAST_WINDOWS * window * number


def elsewhere(length: int, window: int, block: slice) -> Int[np.ndarray, " n"]:
    """The first steps of the windows that share no step with a block: what its model learns from."""
    starts = np.arange(count(length, window))
    return starts[(starts + window <= block.start) | (starts >= block.stop)]


def held_out(statistics: Sequence[Mapping[str, np.ndarray]], parts: Sequence[slice]) -> dict[str, np.ndarray]:
    """The statistics of a series, each row from a model that has not learned from it.

    `statistics` are those of the whole series from each model, in the order of the blocks. A row is a time step, or the
    window that begins there: the model of a block has learned from no window that touches it.
    """
    result = {}
    for name, first in statistics[0].items():
        rows = zeros_beside(first, first.shape, first.dtype)
        for found, part in zip(statistics, parts, strict=True):
            rows[part] = found[name][part]
        result[name] = rows
    return result
