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
from twinvae.scoring.overflow import highest
from twinvae.scoring.rules import Candidate, Rules, dropped_by, reasons

RECORDS = 1024  # beginnings of an anomaly that are remembered; see `EventTracker`


class Change(NamedTuple):
    """A change in an event of a stream.

    `open`: it has just become what the rules ask for; `event` is what is known of it so far. `close`: nothing can be
    added any more. `withdrawn`: an event that was opened is none by the rules now: it has lost its low ends and is too
    short, say, or its peak came later and lies on the other side of what was expected.
    """

    what: Literal["open", "close", "withdrawn"]
    number: int  # of the event, from 0, in the order of opening
    event: Event


class EventTracker:
    """Follows the events of a stream. They are those of `event_labels` of the whole series that the rules keep.

    An event closes when no later alarm can be part of it: `merge_gap` steps after its last step, or once the start of
    the next run is sure to be farther away.

    The start of an anomaly depends on its peak (`least_height`), so the steps at which its score rose are remembered
    while they may become its start. Of a rise in more than 1,024 steps every second is forgotten, again and again; the
    start is then the next one that is remembered.

    The totals of a mark are, of each channel, the sum of its scores since the tracker was last idle; with rules that
    ask for it then the number of steps at which `at_least` was met, and of values of each channel that were not valid.
    """

    def __init__(self, names: Sequence[str], config: Config, smear: int | None = None) -> None:
        """`smear` is how many steps after an anomaly its score may still be raised; a window if it is not given."""
        self._names = tuple(names)
        self._gap, self._rules = config.merge_gap, Rules.of(config, names)
        self._counts_more = self._rules.at_least.of > 1 or self._rules.has_ranges
        self._width = len(self._names) * (1 + self._counts_more) + self._counts_more
        self._highest = highest(config.dtype)  # the score of a value outside its range
        self._run = Anomalies(config.least_height, config.window if smear is None else smear, only_past=True)
        self.clear()

    def clear(self) -> None:
        """Forgets everything, also how many events there were."""
        self.opened = 0
        self._pending: Span | None = None  # what has ended, but another anomaly may still be added
        self._number: int | None = None  # of the open event
        self._run.clear()
        self._totals = np.zeros(self._width)
        self._recent: deque[int] = deque()  # alarms among the last steps that `at_least` looks at
        self.dropped: dict[str, int] = {}  # how many events each rule has dropped

    @property
    def idle(self) -> bool:
        """Whether a step without an alarm changes nothing."""
        return self._pending is None and not self._run.rises

    @property
    def is_open(self) -> bool:
        """Whether an event was opened and not closed."""
        return self._number is not None

    def update(
        self,
        index: int,
        label: int,
        score: float,
        parts: Float[np.ndarray, " channel"],
        time: Any = None,
        *,
        deviations: Sequence[float] = (),
        outside: Sequence[int] = (),
        ignored: bool = False,
    ) -> list[Change]:
        """Takes the next time step: its label, its score, the score of each channel, its time stamp if it has one.

        `deviations` are those of each channel from what was expected, in their units, NaN where not known; `outside`
        the channels whose value is outside its valid range; `ignored` says that the step lies in a span of time that
        has no event.
        """
        if not label and self.idle:
            return []
        if self._counts_more:
            parts = self._with_counts(index, label, parts, outside, ignored)
        if label and self.idle:
            self._totals[:] = 0.0
        known = deviations if self._rules.compares_values else ()  # a state holds no more than the rules need
        before = Mark(index, score, time, self._totals.tolist() if label else (), known, ignored)
        self._totals += parts
        after = before._replace(totals=self._totals.tolist()) if label else before
        self._keep(self._run.end() if outside or not label else self._alarm(before, after))
        changes: list[Change] = []
        next_start = index if outside else self._run.rises[0].at if self._run.rises else index + 1
        if self._pending is not None and next_start - self._pending.last.at - 1 > self._gap:
            changes += self._close()
        if outside:
            self._keep(Span(before, after, before))
        span = self._with_pending(self._run.open) if self._run.rises else self._pending
        if span is not None and self._number is None and self._verdict(span)[0] is None:
            self._number, self.opened = self.opened, self.opened + 1
            changes.append(Change("open", self._number, self._event(span)))
        return changes

    def finish(self) -> list[Change]:
        """Closes what is open, as the end of a series does."""
        self._keep(self._run.end())
        return self._close()

    def _alarm(self, before: Mark, after: Mark) -> Span | None:
        ended = self._run.add(before, after)
        self._run.rises, self._run.since = _fewer(self._run.rises), _fewer(self._run.since)
        return ended

    def _with_counts(
        self, index: int, label: int, parts: Float[np.ndarray, " channel"], outside: Sequence[int], ignored: bool
    ) -> Float[np.ndarray, " total"]:
        """What is added to the totals: a value outside its range is counted, since its score would swallow the rest."""
        if label:
            self._recent.append(index)
        while self._recent and self._recent[0] <= index - self._rules.at_least.of:
            self._recent.popleft()
        counts = np.zeros(1 + len(self._names))
        counts[0] = len(self._recent) >= self._rules.at_least.number
        valid = np.array(parts, np.float64)
        valid[list(outside)] = 0.0
        counts[[1 + channel for channel in outside]] = float(not ignored)
        return np.concatenate([valid, counts])

    def _with_pending(self, span: Span) -> Span:
        """An anomaly, with what is pending before it."""
        before = self._pending or span
        return Span(before.first, span.last, span.peak if span.peak.score > before.peak.score else before.peak)

    def _keep(self, ended: Span | None) -> None:
        if ended is not None:
            self._pending = self._with_pending(ended)

    def _close(self) -> list[Change]:
        span, number, self._pending, self._number = self._pending, self._number, None, None
        if span is None:
            return []
        rule, _ = self._verdict(span)
        if rule is not None:
            self.dropped[rule] = self.dropped.get(rule, 0) + 1
        return [] if number is None else [Change("close" if rule is None else "withdrawn", number, self._event(span))]

    def _verdict(self, span: Span) -> tuple[str | None, Candidate]:
        """The rule that drops an anomaly, if one does, and what they look at."""
        length, count = span.last.at + 1 - span.first.at, len(self._names)
        if not (self._rules.ask_more_than_length or span.peak.ignored):
            one = Candidate(length, 0, np.nan)
        else:
            totals = np.subtract(span.last.totals, span.first.totals)
            channel = int(np.argmax(self._parts(span)))
            deviation = span.peak.deviations[channel] if span.peak.deviations else np.nan
            outside = tuple(np.flatnonzero(totals[count + 1 :] > 0).tolist())
            has_lasted = not self._counts_more or bool(totals[count] > 0)
            one = Candidate(length, channel, deviation, has_lasted, outside, span.peak.ignored)
        return dropped_by(self._rules, one), one

    def _parts(self, span: Span) -> Float[np.ndarray, " channel"]:
        """What each channel has added to the score of an anomaly."""
        totals, count = np.subtract(span.last.totals, span.first.totals), len(self._names)
        parts = np.maximum(totals[:count], 0.0)
        return parts + self._highest * totals[count + 1 :] if self._counts_more else parts

    def _event(self, span: Span) -> Event:
        parts = self._parts(span)
        shares = parts / parts.sum() if parts.any() else np.full_like(parts, 1 / len(parts))
        channels = {self._names[i]: float(shares[i]) for i in np.argsort(-shares, kind="stable")}
        first, last, peak = span
        rule, one = self._verdict(span)
        why = (reasons(self._rules, one, self._names) if rule is None else ()) or None
        return Event(first.at, last.at + 1, peak.at, peak.score, channels, first.time, last.time, peak.time, why=why)

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
            "recent": list(self._recent),
            "dropped": self.dropped,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues where another tracker, of the same channels and settings, has left its state.

        Raises:
            KeyError, TypeError, ValueError: if that is no state of such a tracker; this one is as it was.
        """
        width, channels = self._width, len(self._names) if self._rules.compares_values else 0
        totals = np.array(state["totals"], np.float64)
        if totals.shape != (width,) or not np.isfinite(totals).all():
            raise ValueError(f"the totals of the open event are not {width} finite numbers")

        def mark(values: Sequence[Any]) -> Mark:
            return _mark(values, width, channels)

        pending = None if state["pending"] is None else Span(*map(mark, state["pending"]))
        opened, number = state["opened"], state["number"]
        if not _is_count(opened) or not (number is None or (_is_count(number) and number < opened)):
            raise ValueError(f"the open event has the number {shortened(number)}, of {shortened(opened)}")
        recent, dropped = list(state.get("recent", ())), dict(state.get("dropped", {}))  # earlier releases had none
        if not all(map(_is_count, (*recent, *dropped.values()))):
            raise ValueError("the last alarms, or the number of events that rules have dropped, are no whole numbers")
        self._run.restore(state["run"], mark)
        self.opened, self._number, self._totals, self._pending = opened, number, totals, pending
        self._recent, self.dropped = deque(recent), dropped


def _fewer(rises: deque[Mark]) -> deque[Mark]:
    return rises if len(rises) <= RECORDS else deque(list(rises)[::2])


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _mark(values: Sequence[Any], width: int, channels: int) -> Mark:
    at, score, time, totals, *rest = values  # earlier releases had no more
    deviations, ignored = rest or ((), False)
    totals, deviations = [float(total) for total in totals], [float(one) for one in deviations]
    if not _is_count(at) or not np.isfinite([float(score), *totals]).all() or type(ignored) is not bool:
        raise ValueError(f"a mark of the open event holds {shortened(at)}, {shortened(score)} or totals that are none")
    if isinstance(time, float) and not np.isfinite(time):
        raise ValueError(f"a mark of the open event has the time stamp {time}")
    if len(totals) != width or len(deviations) not in (0, channels):
        raise ValueError(f"a mark of the open event has {len(totals)} totals, not {width}")
    return Mark(at, float(score), time, totals, deviations, ignored)
