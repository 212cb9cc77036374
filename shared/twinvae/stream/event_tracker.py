"""The events of a stream, found as its alarms come, in constant memory: what `event_labels` is for a series."""

from collections import deque
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.process.notices import shortened
from twinvae.scoring.anomalies import Anomalies, Mark, Span
from twinvae.scoring.events import Event

RECORDS = 1024  # beginnings of an anomaly that are remembered; see `EventTracker`


class Change(NamedTuple):
    """A change in an event of a stream.

    `open`: it has just become long enough; `event` is what is known of it so far. `close`: nothing can be added any
    more. `withdrawn`: an event that was opened has lost its low ends and is too short now.
    """

    what: Literal["open", "close", "withdrawn"]
    number: int  # of the event, from 0, in the order of opening
    event: Event


class EventTracker:
    """Follows the events of a stream. They are those of `event_labels` of the whole series.

    An event closes when no later alarm can be part of it: `merge_gap` steps after its last step, or once the start of
    the next run is sure to be farther away.

    The start of an anomaly depends on its peak (`least_height`), so the steps at which its score rose are remembered
    while they may become its start. Of a rise in more than 1,024 steps every second is forgotten, again and again; the
    start is then the next one that is remembered.

    The totals of a mark are, of each channel, the sum of its scores since the tracker was last idle.
    """

    def __init__(self, names: Sequence[str], config: Config) -> None:
        self._names = tuple(names)
        self._least_length, self._gap = config.min_length, config.merge_gap
        self._run = Anomalies(config.least_height, config.window, only_past=True)
        self.clear()

    def clear(self) -> None:
        """Forgets everything, also how many events there were."""
        self.opened = 0
        self._pending: Span | None = None  # what has ended, but another anomaly may still be added
        self._number: int | None = None  # of the open event
        self._run.clear()
        self._totals = np.zeros(len(self._names))

    @property
    def idle(self) -> bool:
        """Whether a step without an alarm changes nothing."""
        return self._pending is None and not self._run.rises

    @property
    def is_open(self) -> bool:
        """Whether an event was opened and not closed."""
        return self._number is not None

    def update(
        self, index: int, label: int, score: float, parts: Float[np.ndarray, " channel"], time: Any = None
    ) -> list[Change]:
        """Takes the next time step: its label, its score, the score of each channel, its time stamp if it has one."""
        if not label and self.idle:
            return []
        ended = self._alarm(index, score, parts, time) if label else self._run.end()
        if not label:
            self._totals += parts
        self._keep(ended)
        changes: list[Change] = []
        next_start = self._run.rises[0].at if self._run.rises else index + 1
        if self._pending is not None and next_start - self._pending.last.at - 1 > self._gap:
            changes += self._close()
        if self._run.rises:
            span = self._with_pending(self._run.open)
            if self._number is None and span.last.at + 1 - span.first.at >= self._least_length:
                self._number, self.opened = self.opened, self.opened + 1
                changes.append(Change("open", self._number, self._event(span)))
        return changes

    def finish(self) -> list[Change]:
        """Closes what is open, as the end of a series does."""
        self._keep(self._run.end())
        return self._close()

    def _alarm(self, index: int, score: float, parts: Float[np.ndarray, " channel"], time: Any) -> Span | None:
        if self.idle:
            self._totals[:] = 0.0
        before = Mark(index, score, time, self._totals.tolist())
        self._totals += parts
        ended = self._run.add(before, before._replace(totals=self._totals.tolist()))
        self._run.rises, self._run.since = _fewer(self._run.rises), _fewer(self._run.since)
        return ended

    def _with_pending(self, span: Span) -> Span:
        """An anomaly, with what is pending before it."""
        before = self._pending or span
        return Span(before.first, span.last, span.peak if span.peak.score > before.peak.score else before.peak)

    def _keep(self, ended: Span | None) -> None:
        if ended is not None:
            self._pending = self._with_pending(ended)

    def _close(self) -> list[Change]:
        span, number, self._pending, self._number = self._pending, self._number, None, None
        if span is None or number is None:
            return []
        long_enough = span.last.at + 1 - span.first.at >= self._least_length
        return [Change("close" if long_enough else "withdrawn", number, self._event(span))]

    def _event(self, span: Span) -> Event:
        parts = np.maximum(np.subtract(span.last.totals, span.first.totals), 0.0)
        shares = parts / parts.sum() if parts.any() else np.full_like(parts, 1 / len(parts))
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
            "run": self._run.state,
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
        opened, number = state["opened"], state["number"]
        if not _is_count(opened) or not (number is None or (_is_count(number) and number < opened)):
            raise ValueError(f"the open event has the number {shortened(number)}, of {shortened(opened)}")
        self._run.restore(state["run"], lambda values: _mark(values, channels))
        self.opened, self._number, self._totals, self._pending = opened, number, totals, pending


def _fewer(rises: deque[Mark]) -> deque[Mark]:
    return rises if len(rises) <= RECORDS else deque(list(rises)[::2])


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _mark(values: Sequence[Any], channels: int) -> Mark:
    at, score, time, totals = values
    totals = [float(total) for total in totals]
    if not _is_count(at) or not np.isfinite([float(score), *totals]).all():
        raise ValueError(f"a mark of the open event holds {shortened(at)}, {shortened(score)} or totals that are none")
    if isinstance(time, float) and not np.isfinite(time):
        raise ValueError(f"a mark of the open event has the time stamp {time}")
    if len(totals) != channels:
        raise ValueError(f"a mark of the open event has {len(totals)} totals, not {channels}")
    return Mark(at, float(score), time, totals)
