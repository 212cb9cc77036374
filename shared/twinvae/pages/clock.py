"""When each row is, on the axis of a figure and in words."""

import re
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from twinvae.series.series import Series

MOST_KNOTS = 2**20
OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
SAMPLES = 400  # rows at which the offset of a local clock is read; it changes twice a year


class Clock(NamedTuple):
    """The place of each row on an axis: straight lines between knots.

    On an axis of time it is milliseconds, of a clock that stands at the offset of the first row: so it never goes back.
    `offsets` are the rows from which on local clocks have another offset, and what that is called.
    """

    kind: str  # time, number or row
    rows: Int[np.ndarray, " knot"]
    places: Float[np.ndarray, " knot"]
    offsets: list[tuple[int, str]]

    def at(self, rows: Any) -> Float[np.ndarray, "..."]:
        """The places of some rows."""
        return np.interp(rows, self.rows, self.places)

    def rows_at(self, places: Any) -> Float[np.ndarray, "..."]:
        """The rows at some places, with fractions."""
        return np.interp(places, self.places, self.rows)

    def edges(self, start: int, end: int) -> tuple[float, float]:
        """The places half a step before the first and after the last row of [start, end)."""
        before, first, last, after = self.at([start - 1, start, end - 1, end])
        usual = float((self.places[-1] - self.places[0]) / max(self.rows[-1], 1))
        step = min(usual, *(size for size in (first - before, after - last) if size > 0), usual)
        return float(first - step / 2), float(last + step / 2)

    @property
    def record(self) -> dict[str, Any]:
        """What scripts need beside the knots."""
        return {"kind": self.kind, "offsets": self.offsets}


def clock_of(series: Series) -> Clock:
    """The clock of a series; it counts rows where there are no time stamps that are known to rise."""
    length, instants = len(series), series.instants
    by_rows = Clock("row", np.array([0, max(length - 1, 1)]), np.array([0.0, float(max(length - 1, 1))]), [])
    if instants is None or length < 2 or instants.dtype.kind not in "Mf":
        return by_rows
    rows = np.arange(length) if length <= MOST_KNOTS else np.linspace(0, length - 1, MOST_KNOTS).astype(np.int64)
    at = np.asarray(instants[rows])
    offsets = _offsets(series) if at.dtype.kind == "M" else []
    places = at.astype("M8[us]").astype(np.int64) / 1e3 if at.dtype.kind == "M" else at.astype(np.float64)
    steps = np.diff(places)
    if not (steps > 0).all():
        return by_rows
    if offsets:
        places = places + 6e4 * _minutes(offsets[0][1])
    bends = np.flatnonzero(np.abs(np.diff(steps)) > 1e-6 * np.median(steps)) + 1  # not what rounding makes
    knots = np.concatenate([[0], bends, [len(rows) - 1]])
    return Clock("time" if at.dtype.kind == "M" else "number", rows[knots], places[knots], offsets)


def _offsets(series: Series) -> list[tuple[int, str]]:
    """From which rows on the time stamps have which offset, as they say it."""

    def said(row: int) -> str:
        found = OFFSET.search(series.stamp(row))
        return found[0] if found else ""

    rows = np.unique(np.linspace(0, len(series) - 1, SAMPLES).astype(int)).tolist()
    found = [(0, said(0))]
    for before, after in pairwise(rows):
        low, high = before, after
        if said(high) == found[-1][1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if said(middle) == found[-1][1] else (low, middle)
        found.append((high, said(high)))
    return [] if found == [(0, "")] else found


def _minutes(offset: str) -> int:
    digits = offset.replace(":", "")
    return 0 if digits in ("", "Z") else int(digits[0] + "1") * (60 * int(digits[1:3]) + int(digits[3:5]))
