"""Runs of labelled time steps."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Integer

from twinvae.files.out_of_core import pieces


def intervals(
    labels: Integer[np.ndarray, " time"], *, min_length: int = 1, merge_gap: int = 0
) -> list[tuple[int, int]]:
    """The runs [start, end) of label 1; runs at most `merge_gap` steps apart are one, and runs of less than
    `min_length` steps (after merging) are dropped."""
    merged: list[tuple[int, int]] = []
    for start, end in _runs(labels):
        if merged and start - merged[-1][1] <= merge_gap:
            merged[-1] = merged[-1][0], end
        else:
            merged.append((start, end))
    return [(start, end) for start, end in merged if end - start >= min_length]


def _runs(labels: Integer[np.ndarray, " time"]) -> Iterator[tuple[int, int]]:
    """The runs [start, end) of label 1."""
    begun, before = 0, 0
    for rows in pieces(labels):
        on = labels[rows] != 0
        for edge in (rows.start + np.flatnonzero(np.diff(on, prepend=bool(before)))).tolist():
            if before:
                yield begun, edge
            begun, before = edge, 1 - before
    if before:
        yield begun, len(labels)
