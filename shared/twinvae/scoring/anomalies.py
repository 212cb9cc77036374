"""Which steps of a run of alarms belong to which anomaly, and which are only its smear."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

SPLIT = 0.5  # a valley below this share of the peaks on both sides parts two anomalies; chosen by measurement
ECHO = 0.35  # of the peak of an anomaly that is still in the window: what scores less begins no other; likewise


class Mark(NamedTuple):
    """A time step in a run of alarms, and what the caller wants to know of it later."""

    at: int
    score: float
    time: Any = None
    totals: Sequence[float] = ()  # of each channel; before the step, or after it where it is the last of an anomaly
    deviations: Sequence[float] = ()  # of each channel from what was expected, if a rule asks for them
    ignored: bool = False  # whether it lies in a span of time that has no event


class Span(NamedTuple):
    """An anomaly without its low ends, or several that are one event."""

    first: Mark
    last: Mark
    peak: Mark


class Anomalies:
    """Takes runs of alarms apart into anomalies, step by step, in a walk from left to right.

    A score that looks at many steps is raised around an anomaly too, and so joins neighbours into one run of alarms.
    A run is therefore parted at each valley that is below `SPLIT` times the peaks on both sides of it. Then each
    anomaly loses its ends, the steps that score below `least_height` times its own peak. What is so low but more than
    `smear` steps away from what is kept cannot come from that peak: it becomes an anomaly of its own.

    `only_past`: the score is raised only after an anomaly, while that is in the window: for `smear` steps. An alarm
    below `ECHO` times its peak begins no other anomaly then.
    """

    def __init__(self, least_height: float, smear: int, *, only_past: bool = False) -> None:
        self._height, self._smear, self._only_past = least_height, smear, only_past
        self._echo = max(ECHO, least_height) if only_past and least_height else 0.0
        self.clear()

    def clear(self) -> None:
        """Forgets all steps."""
        self.before: tuple[int, float] | None = None  # the last step and the peak of the anomaly before this one
        self.rises: deque[Mark] = deque()  # steps that scored more than all before; those that may be the first
        self.start = 0  # where the anomaly begins with its low end
        self.peak = self.last = Mark(0, 0.0)
        self.valley: Mark | None = None  # the lowest step since the peak
        self.last_at_valley = self.last
        self.since: deque[Mark] = deque()  # as `rises`, since the valley

    @property
    def open(self) -> Span:
        """The present anomaly, as far as it is known; there is one while `rises` holds a step."""
        return Span(self.rises[0], self.last, self.peak)

    def add(self, before: Mark, after: Mark) -> Span | None:
        """Takes the next alarm (its mark with what was before it and after it); gives the anomaly that it ends."""
        at, score = before.at, before.score
        if not self.rises:
            if not self._is_echo(at, score):
                self._begin(before, after)
            return None
        if at - self.last.at > self._smear:
            return self._split(before, after)
        if self._parts(score):
            assert self.valley is not None
            closed, start, rises = Span(self.rises[0], self.last_at_valley, self.peak), self.valley.at + 1, self.since
        elif score > self.peak.score:
            closed, start, rises = None, self.start, self.rises
        else:
            self._descend(before, after)
            return None
        least = self._height * score
        first = next((mark for mark in rises if mark.score >= least), before)
        if first.at - start > self._smear:
            return self._split(before, after)
        while rises and rises[0] is not first:
            rises.popleft()
        if self._height or not rises:
            rises.append(before)
        self.start, self.rises, self.peak, self.last = start, rises, before, after
        self._forget_valley()
        return None if closed is None else self._closed(closed)

    def end(self) -> Span | None:
        """Ends the run of alarms; gives the anomaly at its end."""
        if not self.rises:
            return None
        closed = self._closed(self.open)
        self.rises = deque()
        self._forget_valley()
        return closed

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs: numbers, lists and None, and what is in the marks."""
        names = ("before", "start", "peak", "last", "valley", "last_at_valley") if self.rises else ("before",)
        return {"rises": list(self.rises), "since": list(self.since)} | {name: getattr(self, name) for name in names}

    def restore(self, state: Mapping[str, Any], mark: Callable[[Sequence[Any]], Mark]) -> None:
        """Continues where another has left its state; `mark` makes a mark of what it holds of one.

        Raises:
            KeyError, TypeError, ValueError: if that is no state; this one is as it was.
        """
        other = Anomalies(self._height, self._smear, only_past=self._only_past)
        other.rises = deque(mark(values) for values in state["rises"])
        other.since = deque(mark(values) for values in state["since"])
        if state["before"] is not None:
            at, peak = state["before"]
            other.before = int(at), float(peak)
        if other.rises:
            other.start = int(state["start"])
            other.peak, other.last, other.last_at_valley = (
                mark(state[name]) for name in ("peak", "last", "last_at_valley")
            )
            other.valley = None if state["valley"] is None else mark(state["valley"])
        vars(self).update(vars(other))

    def _parts(self, score: float) -> bool:
        """Whether the valley parts this step from the anomaly."""
        valley, peak = self.valley, self.peak.score
        return valley is not None and valley.score < SPLIT * min(peak, score) and score >= self._echo * peak

    def _descend(self, before: Mark, after: Mark) -> None:
        """Takes a step that is no higher than the peak."""
        score = before.score
        if score >= self._height * self.peak.score:
            self.last = after
        if not self._height:
            return
        if self.valley is None or score <= self.valley.score:
            self.valley, self.last_at_valley = before, self.last
            self.since.clear()
        elif not self.since or score > self.since[-1].score:
            self.since.append(before)

    def _is_echo(self, at: int, score: float) -> bool:
        if self.before is None:
            return False
        last, peak = self.before
        return at - last <= self._smear and score < self._echo * peak

    def _split(self, before: Mark, after: Mark) -> Span:
        closed = self._closed(self.open)
        self._begin(before, after)
        return closed

    def _begin(self, before: Mark, after: Mark) -> None:
        self.start, self.rises, self.peak, self.last = before.at, deque([before]), before, after
        self._forget_valley()

    def _forget_valley(self) -> None:
        self.valley, self.last_at_valley, self.since = None, self.last, deque()

    def _closed(self, span: Span) -> Span:
        self.before = span.last.at, span.peak.score
        return span
