"""What was marked in a series moves the threshold, and a rule of events if it must, until all of it is right."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from twinvae.config import Kind
from twinvae.detector.detection import Detection
from twinvae.detector.marked_rules import JUDGES, Change, with_rule
from twinvae.detector.marked_threshold import Trials, heights, threshold_for
from twinvae.detector.marks import MarkedSpan, check_within, marked_spans
from twinvae.detector.rows import DetectionOfRows
from twinvae.model.model import Model
from twinvae.stream.trailing import kind_of
from twinvae.windowing.intervals import intervals

TAKE_BACK = (
    "take one of the two marks back; or leave rows like those expected out where you score (--ignore FILE), fit with "
    "such rows in the training part, or choose other columns"
)

Spans = tuple[tuple[int, int], ...]  # rows [start, end)


@dataclass(frozen=True, eq=False)
class Feedback:
    """What marks in a series have changed: so many times the threshold, rules of events that were set, and what it
    costs.

    `before` and `after` are the detections of the series; what differs are their thresholds and rules. Thresholds of
    all scores move by the same factor, that of streams too.

    >>> import numpy as np
    >>> from vae_jax import VAEDetector
    >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
    >>> today = normal + 5.0 * (np.arange(500) == 250) + 1.0 * (np.arange(500) == 400)
    >>> detector = VAEDetector(window=24, epochs=5).fit(normal)
    >>> changed = detector.feedback(today, [("real", 245, 255), ("expected", 390, 410)])
    >>> changed.times >= 1, bool(detector.predict(today)[250]), bool(detector.predict(today)[390:410].any())
    (True, True, False)
    """

    before: Detection
    after: Detection
    marks: tuple[MarkedSpan, ...]
    change: Change
    why: str  # what decided, in words

    @property
    def times(self) -> float:
        """So many times the threshold before."""
        return self.change.times

    @property
    def rules(self) -> Mapping[str, Any]:
        """The rules that were set, by name."""
        return self.change.rules

    @property
    def model(self) -> Model:
        """The model with the thresholds and rules of `after`."""
        return self.after.model

    @property
    def is_change(self) -> bool:
        """Whether anything was changed; else all marks were right before."""
        return self.times != 1 or bool(self.rules)

    @property
    def is_all_own(self) -> bool:
        """Whether the model was fitted on all of the series."""
        found = self.before
        return (found.whole if isinstance(found, DetectionOfRows) else found).is_all_own

    @cached_property
    def gone(self) -> Spans:
        """The events before of which nothing is left, and that nobody has marked."""
        return self._unmarked(event_rows(self.before), event_rows(self.after))

    @cached_property
    def new(self) -> Spans:
        """The events after of which nothing was there before, and that nobody has marked."""
        return self._unmarked(event_rows(self.after), event_rows(self.before))

    def _unmarked(self, spans: Spans, others: Spans) -> Spans:
        known = np.zeros(len(self.before.series), bool)
        for start, end in (*others, *((one.start, one.end) for one in self.marks)):
            known[start:end] = True
        return tuple((start, end) for start, end in spans if not known[start:end].any())

    @property
    def stream_kind(self) -> Kind:
        """The score that a stream of the model has."""
        return kind_of(self.after.model)

    @cached_property
    def wrong_in_stream(self) -> tuple[MarkedSpan, ...]:
        """The marks that are not right in a stream of this series, whose score knows no future. This scores it anew."""
        found = self.after
        if isinstance(found, DetectionOfRows):
            found = replace(found, whole=replace(found.whole, kind=self.stream_kind), kind=self.stream_kind)
        else:
            found = replace(found, kind=self.stream_kind)
        return tuple(one for one in self.marks if not one.is_right(found))

    def record(self) -> dict[str, Any]:
        """What has changed and what it costs, as JSON can hold it."""
        old = self.before.model.config
        return {
            "marks": len(self.marks),
            "times": self.times,
            "threshold": {"before": self.before.threshold, "after": self.after.threshold},
            "rules": {name: {"before": getattr(old, name), "after": value} for name, value in self.rules.items()},
            "why": self.why,
            "events": {"before": len(event_rows(self.before)), "after": len(event_rows(self.after))},
            "gone": [span_record(self.before, *span) for span in self.gone],
            "new": [span_record(self.after, *span) for span in self.new],
            "stream_kind": self.stream_kind,
            "wrong_in_stream": [
                {"mark": one.mark} | span_record(self.after, one.start, one.end) for one in self.wrong_in_stream
            ],
            "expected": {
                when: found.expected_false_events._asdict()
                for when, found in (("before", self.before), ("after", self.after))
            },
            "basis": self.after.basis,
        }


def fed_back(found: Detection, marks: Iterable[Sequence[Any]]) -> Feedback:
    """The least change of the threshold, and of one rule if it must be, at which all marks in a detection are right.

    `marks` are (mark, start, end): see `MarkedSpan`. A threshold alone comes first, unless it is farther than ten times
    away and a rule beside a nearer one does it too; of the rules that which parts the marks by the widest margin, or,
    where none is to have an event, that which costs the fewest events.

    Raises:
        ValueError: if the marks are not of this series or contradict each other, or nothing makes them right.
    """
    spans = marked_spans(marks)
    check_within(spans, found.series)
    trials = Trials(found, spans)
    changed = [_feedback(found, spans, change) for change in _changes(found, spans, trials)]
    if not changed:
        raise ValueError(_contradiction(found, spans, trials))
    parts = any(one.wants_event for one in spans)
    return min(changed, key=lambda one: (*one.change.rank(parts=parts), len(one.gone) + len(one.new)))


def _changes(found: Detection, marks: tuple[MarkedSpan, ...], trials: Trials) -> list[Change]:
    """Changes that make all marks right: the threshold alone, or what may be better."""
    if trials.is_right(1.0):
        return [Change(1.0)]
    if not found.threshold > 0:
        return []
    shares = heights(found, marks)
    times = threshold_for(trials, shares)
    alone = [] if times is None else [Change(times)]
    if alone and not alone[0].is_far:
        return alone
    return [*alone, *(change for rule in JUDGES if (change := with_rule(rule, found, marks, shares)) is not None)]


def _feedback(found: Detection, marks: tuple[MarkedSpan, ...], change: Change) -> Feedback:
    after = found.at(change.times, **change.rules) if change.times != 1 or change.rules else found
    return Feedback(found, after, marks, change, _why(found, after, marks, change))


def event_rows(found: Detection) -> Spans:
    """The rows [start, end) of each event of a detection."""
    if not isinstance(found, DetectionOfRows):
        return tuple(intervals(found.labels))
    rows = ((found.grid.row(start), found.grid.row(end)) for start, end in intervals(found.whole.labels))
    return tuple((start, end) for start, end in rows if start < end)


def span_record(found: Detection, start: int, end: int) -> dict[str, Any]:
    """Rows as events.json has them, and their highest score; None if it is not known."""
    score = _highest(found, start, end)
    return {
        "start": start,
        "end": end,
        "start_time": found.series.stamp(start),
        "last_time": found.series.stamp(end - 1),
        "score": None if math.isnan(score) else score,
    }


def _highest(found: Detection, start: int, end: int) -> float:
    """The highest score of some rows; NaN if none is known."""
    part = found.scores[start:end]
    return math.nan if np.isnan(part).all() else float(np.nanmax(part))


# In words.


class _Ends(NamedTuple):
    """The marks that a threshold must be between."""

    below: MarkedSpan | None  # the highest of those that want no event
    above: MarkedSpan | None  # the lowest of those that want one

    @classmethod
    def of(cls, found: Detection, marks: Sequence[MarkedSpan]) -> "_Ends":
        height = {one: np.nan_to_num(_highest(found, one.start, one.end), nan=0.0) for one in marks}
        return cls(
            max((one for one in marks if not one.wants_event), key=height.__getitem__, default=None),
            min((one for one in marks if one.wants_event), key=height.__getitem__, default=None),
        )


def _scored(found: Detection, one: MarkedSpan) -> str:
    score = _highest(found, one.start, one.end)
    known = "no score is known" if math.isnan(score) else f"highest score {score:.4g}"
    return f"{one.words(found.series)} ({known})"


def _why(found: Detection, after: Detection, marks: Sequence[MarkedSpan], change: Change) -> str:
    if change.times == 1 and not change.rules:
        return "all marks are right already: nothing has to change"
    parts = []
    if change.times != 1:
        said = f"the threshold {found.threshold:.4g} becomes {after.threshold:.4g}, {change.times:.3g} times itself"
        below, above = _Ends.of(found, marks)
        ends = [
            f"{side} {_scored(found, one)}"
            for side, one in (("above", below), ("below", above))
            if one is not None and (_highest(found, one.start, one.end) > after.threshold) == one.wants_event
        ]
        parts.append(": ".join([said, *([" and ".join(ends)] if ends else [])]))
    for name, value in change.rules.items():
        before = getattr(found.model.config, name)
        parts.append(f"{name} becomes {_shown(value)}, it was {_shown(before)}: {change.why}")
    return "; ".join(parts)


def _shown(value: Any) -> str:
    return str(value) if value != "" else "none"


def _contradiction(found: Detection, marks: tuple[MarkedSpan, ...], trials: Trials) -> str:
    """Why no threshold and no rule makes all marks right, and what may help."""
    if not found.threshold > 0:
        return "the threshold of this model is 0, and no factor moves it: fit it again, on rows that are not all alike"
    if (
        alone := next((one for one in marks if all(one in wrong for wrong in trials.tried.values())), None)
    ) is not None:
        return f"{_scored(found, alone)} {_why_never(found, alone)}"
    ends = _Ends.of(found, marks)
    pairs = [(ends.below, ends.above), *((one, other) for one in marks for other in marks if one < other)]
    never = (pair for pair in pairs if None not in pair and all({*pair} & wrong for wrong in trials.tried.values()))
    pair = next(never, None)
    if pair is None:  # three or more are never right at once
        least = min(trials.tried.values(), key=len)
        first = min(least)
        pair = (first, next(one for one in marks if one != first))
    both = " and ".join(_scored(found, one) for one in pair if one is not None)
    return (
        f"no threshold and no rule of events makes all marks right (the threshold is {found.threshold:.4g}): {both}: "
        f"{TAKE_BACK}"
    )


def _why_never(found: Detection, one: MarkedSpan) -> str:
    """Why a mark is wrong at every threshold."""
    if one.wants_event:
        if not _highest(found, one.start, one.end) > 0:
            return "can be no event: take the mark back, or give these rows values"
        return (
            "is no event at any threshold, with any rule of events: it may lie in the smear of a stronger one, or be "
            "too weak: take the mark back, or mark the rows of its peak"
        )
    if found.outside is not None and found.outside[one.start : one.end].any():
        return (
            "holds a value outside its valid range, which is always an event: take the mark back, or choose another "
            "valid_range when you fit"
        )
    return "is an event at any threshold, with any rule of events: leave it out where you score (--ignore FILE)"
