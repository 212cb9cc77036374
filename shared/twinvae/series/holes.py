"""Rows that are absent: time stamps of an even step that jump, and the grid on which the missing rows have a place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

EVEN, MOSTLY = 0.01, 0.75  # steps are even if this share of them differs by at most this share of the usual one
FEWEST_STEPS = 8
MOST_ABSENT = 2  # steps of the grid without a row, for each row: a hole of years would fill the memory
FAR = 10  # times the longest usual steps: then a hole is worth a word, even where steps vary
DAY, HOUR, FRIDAY = np.timedelta64(1, "D"), np.timedelta64(1, "h"), 4
SPRING_AND_AUTUMN = (3, 4, 9, 10)


class Holes(NamedTuple):
    """Where rows are absent: after these rows, so many. `fill` says whether the others stand on an even grid."""

    after: Int[np.ndarray, " hole"]
    absent: Int[np.ndarray, " hole"]
    fill: bool
    longest: str  # how long the longest is, for people
    times: float  # that in usual steps


@dataclass(frozen=True, eq=False)
class Grid:
    """Which step of a grid each row of a series is. A grid has at most three times as many steps as rows."""

    place: Int[np.ndarray, " row"]
    length: int
    index: Any  # of the rows
    instants: np.ndarray  # of the rows

    @classmethod
    def of(cls, holes: Holes, index: Any, instants: np.ndarray) -> "Grid":
        """The grid of a series with these holes; of long holes only a part is kept."""
        rows = len(instants)
        ahead = np.zeros(rows, np.int64)
        ahead[holes.after + 1] = kept(holes, rows)
        place = np.arange(rows) + np.cumsum(ahead)
        return cls(place, int(place[-1]) + 1, index, instants)

    def spread(self, values: Float[np.ndarray, "row *channel"]) -> Float[np.ndarray, "step *channel"]:
        """Values of the rows on the grid, NaN between them."""
        result = np.full((self.length, *values.shape[1:]), np.nan, values.dtype)
        result[self.place] = values
        return result

    def step(self, row: int) -> int:
        """The step of the grid that a row stands at."""
        return int(self.place[row])

    def row(self, step: int) -> int:
        """The row that stands at a step of the grid, or the next after it."""
        return int(np.searchsorted(self.place, step))

    @property
    def absent(self) -> list[tuple[int, int]]:
        """The intervals [start, end) of steps without a row."""
        before = np.flatnonzero(np.diff(self.place) > 1)
        return [(int(self.place[row]) + 1, int(self.place[row + 1])) for row in before]

    def stamp(self, step: int) -> str:
        """The time stamp of a step: that of its row, or where there is none what it would be, if that is known."""
        row = self.row(step)
        if self.place[row] == step:
            return str(self.index[row])
        share = (step - self.place[row - 1]) / (self.place[row] - self.place[row - 1])
        since = (self.instants[row] - self.instants[row - 1]) * share
        before = str(self.index[row - 1])
        try:
            if self.instants.dtype.kind == "M":
                return str(datetime.fromisoformat(before) + timedelta(microseconds=int(since.astype(np.int64))))
            return f"{float(before) + float(since):.15g}"
        except ValueError:
            return before


def kept(holes: Holes, rows: int) -> Int[np.ndarray, " hole"]:
    """How many steps of each hole have a place on the grid."""
    most = MOST_ABSENT * rows
    if holes.absent.sum(dtype=np.float64) <= most:
        return holes.absent
    return np.minimum(holes.absent, most // len(holes.absent))


def find_holes(instants: np.ndarray) -> Holes | None:
    """The holes of a series with time stamps at these instants (datetime64 or numbers); None if there are none.

    Steps are even if three quarters of them are the same. What a calendar or a timetable leaves out is no hole: nights,
    weekends, an hour when clocks are set forward. Where steps are not even, only a step that is far longer than all
    others counts, and is not to be filled.
    """
    steps = np.diff(instants)
    if len(steps) < FEWEST_STEPS or not (steps > steps.dtype.type(0)).all():
        return None
    usual = np.sort(steps)[len(steps) // 2]
    counts = steps / usual
    even = np.abs(counts - 1) <= EVEN
    absent = np.rint(np.minimum(counts, 2.0**62)).astype(np.int64) - 1
    if even.mean() >= MOSTLY:
        after = np.flatnonzero(absent)
        timetable = _is_timetable(after, len(steps))
        if instants.dtype.kind == "M" and not timetable:
            absent[_of_the_calendar(instants, steps, usual)] = 0
            after = np.flatnonzero(absent)
        if len(after) == 0:
            return None
        if not timetable:
            return Holes(after, absent[after], True, _long(steps.max()), float(counts.max()))
        most = float(np.quantile(counts[after], 0.95))
    else:
        most = float(np.quantile(counts, 0.99))
    after = np.flatnonzero(counts > FAR * max(most, 1.0))
    if len(after) == 0:
        return None
    return Holes(after, absent[after], False, _long(steps.max()), float(counts.max()))


def _of_the_calendar(instants: np.ndarray, steps: np.ndarray, usual: Any) -> Bool[np.ndarray, " step"]:
    """Which steps pass over a weekend of daily rows, or the hour when clocks are set forward on a Sunday."""
    before, after = instants[:-1], instants[1:]
    weekend = (usual == DAY) & (steps == 3 * DAY) & (_weekday(before) == FRIDAY)
    month = after.astype("M8[M]").astype(np.int64) % 12 + 1
    night = after - after.astype("M8[D]") <= 4 * HOUR
    forward = (steps - usual == HOUR) & (_weekday(after) == 6) & night & np.isin(month, SPRING_AND_AUTUMN)
    return np.asarray(weekend | forward)


def _weekday(instants: np.ndarray) -> np.ndarray:
    return np.asarray((instants.astype("M8[D]").astype(np.int64) + 3) % 7)  # Monday is 0, as 1970-01-01 is a Thursday


def _is_timetable(after: Int[np.ndarray, " hole"], steps: int) -> bool:
    """Whether holes come after equally many rows all over the series: nights, weekends, stamps that are rounded."""
    between = np.diff(after)
    if len(between) < 2:
        return False
    usual = np.median(between)
    return bool((np.abs(between - usual) <= 1).mean() >= MOSTLY and max(after[0], steps - 1 - after[-1]) <= usual + 1)


def _long(step: Any) -> str:
    """How long a step is, for people."""
    if not isinstance(step, np.timedelta64):
        return f"{step:g}"
    return str(timedelta(microseconds=int(step.astype("m8[us]").astype(np.int64))))
