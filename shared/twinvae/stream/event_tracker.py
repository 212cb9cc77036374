"""The events of a stream, found as its labels come, in constant memory: what `find_events` is for a series."""

from collections import deque
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.scoring.events import Event

RECORDS = 1024  # beginnings of a run of alarms that are remembered; see `EventTracker`


class Change(NamedTuple):
    """A change in an event of a stream.

    `open`: it has just become long enough; `event` is what is known of it so far. `close`: nothing can be added any
    more. `withdrawn`: an event that was opened has lost its low ends and is too short now.
    """

    what: Literal["open", "close", "withdrawn"]
    number: int  # of the event, from 0, in the order of opening
    event: Event


class Mark(NamedTuple):
    """A time step in a run of alarms, and the totals before it (or after it, where it is the last of an event).

    The totals are the sum of the scores of each channel since the tracker was last idle.
    """

    at: int
    time: Any
    score: float
    totals: list[float]


class Span(NamedTuple):
    """A run of alarms without its low ends, or several that are one event."""

    first: Mark
    last: Mark
    peak: Mark


class EventTracker:
    """Follows the events of a stream. They are those of `find_events` of the whole series.

    An event closes when no later alarm can be part of it: `merge_gap` steps after its last step, or once the start of
    the next run is sure to be farther away.

    The start of a run depends on its peak (`least_height`), so the steps at which the score of a run rose are
    remembered while they may become its start. Of a rise in more than 1,024 steps every second is forgotten, again
    and again; the start is then the next one that is remembered.
    """

    def __init__(self, names: Sequence[str], config: Config) -> None:
        self._names = tuple(names)
        self._least_length, self._gap, self._height = config.min_length, config.merge_gap, config.least_height
        self.clear()

    def clear(self) -> None:
        """Forgets everything, also how many events there were."""
        self.opened = 0
        self._pending: Span | None = None  # no run of alarms, but one may still be added
        self._number: int | None = None  # of the open event
        self._rises: deque[Mark] = deque()  # of the run of alarms; empty where there is none
        self._peak = self._last = Mark(0, None, 0.0, [])
        self._totals = np.zeros(len(self._names))

    @property
    def idle(self) -> bool:
        """Whether a step without an alarm changes nothing."""
        return self._pending is None and not self._rises

    @property
    def is_open(self) -> bool:
        """Whether an event was opened and not closed."""
        return self._number is not None

    def update(
        self, index: int, label: int, score: float, parts: Float[np.ndarray, " channel"], time: Any = None
    ) -> list[Change]:
        """Takes the next time step: its label, its score, the score of each channel, its time stamp if it has one."""
        changes: list[Change] = []
        if label:
            self._alarm(index, score, parts, time)
            if self._pending is not None and self._rises[0].at - self._pending.last.at - 1 > self._gap:
                changes += self._close()
            span = self._run()
            if self._number is None and span.last.at + 1 - span.first.at >= self._least_length:
                self._number, self.opened = self.opened, self.opened + 1
                changes.append(Change("open", self._number, self._event(span)))
        elif not self.idle:
            self._totals += parts
            self._end_run()
            if self._pending is not None and index - self._pending.last.at > self._gap:
                changes += self._close()
        return changes

    def finish(self) -> list[Change]:
        """Closes what is open, as the end of a series does."""
        self._end_run()
        return self._close()

    def _alarm(self, index: int, score: float, parts: Float[np.ndarray, " channel"], time: Any) -> None:
        first = not self._rises
        if self.idle:
            self._totals[:] = 0.0
        here = Mark(index, time, score, self._totals.tolist())
        self._totals += parts
        if first or score > self._peak.score:
            self._peak = here
            if first or self._height > 0.0:
                self._rises.append(here)
                while self._rises[0].score < self._height * score:
                    self._rises.popleft()
                if len(self._rises) > RECORDS:
                    self._rises = deque(list(self._rises)[::2])
        if score >= self._height * self._peak.score:
            self._last = Mark(index, time, score, self._totals.tolist())

    def _run(self) -> Span:
        """The present run of alarms, with what is pending before it."""
        before = self._pending or Span(self._rises[0], self._last, self._peak)
        peak = self._peak if self._peak.score > before.peak.score else before.peak
        return Span(before.first, self._last, peak)

    def _end_run(self) -> None:
        if self._rises:
            self._pending = self._run()
            self._rises.clear()

    def _close(self) -> list[Change]:
        span, number, self._pending, self._number = self._pending, self._number, None, None
        if span is None or number is None:
            return []
        long_enough = span.last.at + 1 - span.first.at >= self._least_length
        return [Change("close" if long_enough else "withdrawn", number, self._event(span))]

    def _event(self, span: Span) -> Event:
        parts = np.maximum(np.subtract(span.last.totals, span.first.totals), 0.0)
        shares = parts / parts.sum()
        channels = {self._names[i]: float(shares[i]) for i in np.argsort(-shares, kind="stable")}
        first, last, peak = span
        return Event(first.at, last.at + 1, peak.at, peak.score, channels, first.time, last.time, peak.time)

    # Copies, and what a restart needs, as JSON can hold it.

    __copy__ = deepcopy

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs: numbers, words, lists and None, besides time stamps as they were given."""
        return {
            "opened": self.opened,
            "number": self._number,
            "pending": self._pending,
            "rises": list(self._rises),
            "peak": self._peak,
            "last": self._last,
            "totals": self._totals.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues where another tracker, of the same channels and settings, has left its state.

        Raises:
            KeyError, TypeError, ValueError: if that is no state of such a tracker; this one is as it was.
        """
        channels = len(self._names)
        totals = np.array(state["totals"], np.float64)
        if totals.shape != (channels,) or not np.isfinite(totals).all():
            raise ValueError(f"the totals of the open event are not {channels} finite numbers")
        pending = None if state["pending"] is None else Span(*(_mark(mark, channels) for mark in state["pending"]))
        rises = deque(_mark(mark, channels) for mark in state["rises"])
        idle = pending is None and not rises
        peak, last = (_mark(state[name], 0 if idle else channels) for name in ("peak", "last"))
        opened, number = int(state["opened"]), state["number"]
        if number is not None and not 0 <= int(number) < opened:
            raise ValueError(f"the open event has the number {number}, of {opened}")
        self.opened, self._number, self._totals = opened, number, totals
        self._pending, self._rises, self._peak, self._last = pending, rises, peak, last


def _mark(values: Sequence[Any], channels: int) -> Mark:
    index, time, score, totals = values
    totals = [float(total) for total in totals]
    if channels and len(totals) != channels:
        raise ValueError(f"a mark of the open event has {len(totals)} totals, not {channels}")
    return Mark(int(index), time, float(score), totals)
