"""What somebody has marked in a series: which events are right, which are none, and what should be one."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, get_args

from twinvae.config import MOST
from twinvae.detector.detection import Detection
from twinvae.process.notices import shortened
from twinvae.series.series import Series

Verdict = Literal["real", "expected", "missed"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class MarkedSpan(NamedTuple):
    """Rows [start, end) of a series, and what they are.

    real: the event there is right; missed: an event must be there; expected: nothing to be called for, so no event.
    """

    mark: Verdict
    start: int
    end: int

    @property
    def wants_event(self) -> bool:
        """Whether an event must touch the span; else none may."""
        return self.mark != "expected"

    def is_right(self, found: Detection) -> bool:
        """Whether the events of a detection are as the mark says."""
        return bool(found.labels[self.start : self.end].any()) == self.wants_event

    def words(self, series: Series) -> str:
        """What the mark is and where, for people."""
        times = f" from {series.stamp(self.start)} to {series.stamp(self.end - 1)}" if series.has_stamps else ""
        return f"{self.mark} rows [{self.start}, {self.end}){times}"


def marked_spans(marks: Iterable[Sequence[Any]]) -> tuple[MarkedSpan, ...]:
    """Marks (mark, start, end), in order of time, each once.

    Raises:
        ValueError: if one is none, or the same rows are to have an event and to have none. It names the mark by its
            place, from 0.
    """
    found = {}
    for number, mark in enumerate(marks):
        try:
            verdict, start, end = mark
        except (TypeError, ValueError):
            raise ValueError(f"mark {number} is not (mark, start, end): {shortened(mark)}") from None
        if verdict not in VERDICTS:
            raise ValueError(f"mark {number} is {shortened(repr(verdict))}: choose from {', '.join(VERDICTS)}")
        rows = tuple(end.__index__() if _is_whole(end) else None for end in (start, end))
        if None in rows or not 0 <= rows[0] < rows[1] <= MOST:
            raise ValueError(
                f"mark {number} ({verdict}) is of rows [{shortened(start)}, {shortened(end)}): these must be whole "
                "numbers from 0, the end above the start"
            )
        found[MarkedSpan(verdict, *rows)] = number
    if not found:
        raise ValueError("nothing is marked: mark an event as real or expected, or a stretch as missed")
    _check_agreed(found)
    return tuple(sorted(found, key=lambda one: (one.start, one.end, one.mark)))


def _is_whole(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _check_agreed(numbers: dict[MarkedSpan, int]) -> None:
    """Raises ValueError if rows are to have an event and to have none."""
    last: dict[bool, MarkedSpan] = {}  # of each kind the one that reaches farthest
    for one in sorted(numbers, key=lambda each: each.start):
        other = last.get(not one.wants_event)
        if other is not None and other.end > one.start:
            pair = sorted((numbers[each], each) for each in (one, other))
            (first, a), (second, b) = pair
            raise ValueError(
                f"marks {first} and {second} contradict each other: rows [{max(a.start, b.start)}, "
                f"{min(a.end, b.end)}) are {a.mark} and {b.mark}: take one of them back"
            )
        same = last.get(one.wants_event)
        if same is None or one.end > same.end:
            last[one.wants_event] = one


def check_within(marks: Iterable[MarkedSpan], series: Series) -> None:
    """Raises ValueError if a mark is not of rows of the series."""
    for one in marks:
        if one.end > len(series):
            raise ValueError(
                f"the mark {one.mark} of rows [{one.start}, {one.end}) lies outside the series, which has "
                f"{len(series)} rows: is it another series?"
            )
