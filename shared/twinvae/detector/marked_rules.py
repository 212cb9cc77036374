"""The rule of events beside the threshold that parts what is marked as real from what is marked as expected."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from twinvae.config import Config
from twinvae.detector.detection import Detection
from twinvae.detector.marked_threshold import SAFETY, Trials, between, is_near
from twinvae.detector.marks import MarkedSpan
from twinvae.detector.rows import DetectionOfRows
from twinvae.process.settings import deviations_text
from twinvae.scoring.events import Event, find_events, with_expectation
from twinvae.scoring.rules import Rules
from twinvae.windowing.intervals import intervals

FAR = 10.0  # a threshold moved by more is worse than another rule
SAMPLE = 100_000  # rows that say how far values usually are from what is expected
LOWER = (1.0, 0.5, 0.25, 0.1)  # shares of the highest threshold that leaves what is real, for what rules are tried at
NO_RULES: Mapping[str, Any] = {}


class Change(NamedTuple):
    """A change of the limits at which every mark is right."""

    times: float  # so many times the threshold
    rules: Mapping[str, Any] = NO_RULES  # those that are set
    margin: float = math.inf  # how many times farther from the rule what is to stay is than what is to go
    why: str = ""  # what the rule parts, in words

    @property
    def is_far(self) -> bool:
        """Whether the threshold is another one altogether."""
        return abs(math.log(self.times)) > math.log(FAR)

    def rank(self, *, parts: bool) -> tuple[bool, bool, float]:
        """The lowest is the best; `parts` says that some marks are to have an event: else no margin is known."""
        return self.is_far, bool(self.rules), -self.margin if parts else 0.0


class Touching(NamedTuple):
    """The events that touch each mark, with every rule on but one."""

    wanted: list[list[Event]]  # of each span that must have an event
    unwanted: list[Event]
    found: Detection

    @classmethod
    def of(cls, found: Detection, marks: Sequence[MarkedSpan]) -> "Touching":
        """The events of a detection that touch marks, on the grid of the series if rows are absent there."""
        whole, spans = found, [(one.start, one.end) for one in marks]
        if isinstance(found, DetectionOfRows):
            step, whole = found.grid.step, found.whole
            spans = [(step(start), step(end - 1) + 1) for start, end in spans]
        labels = np.zeros(len(whole.labels), np.int8)
        for start, end in intervals(whole.labels):
            touches = any(start < stop and begin < end for begin, stop in spans)
            if touches and not np.isnan(whole.scores[start:end]).all():
                labels[start:end] = 1
        names = whole.model.channels
        events = with_expectation(
            find_events(labels, whole.contributions, names), names, whole.series.values, whole.expected
        )
        each = [[event for event in events if event.start < stop and begin < event.end] for begin, stop in spans]
        wanted = [some for one, some in zip(marks, each, strict=True) if one.wants_event]
        unwanted = [event for one, some in zip(marks, each, strict=True) if not one.wants_event for event in some]
        return cls(wanted, unwanted, whole)


def deviation(event: Event) -> float:
    """Value - expected of the first channel of an event at its peak; NaN where it is not known."""
    return math.nan if event.value is None or event.expected is None else event.value - event.expected


Setting = tuple[Any, float, str]  # of a rule, its margin and what it parts
Judge = Callable[[Touching, Config], list[Setting]]


def with_rule(
    rule: str, found: Detection, marks: tuple[MarkedSpan, ...], shares: Mapping[MarkedSpan, float]
) -> Change | None:
    """The change of one rule beside a threshold at which all marks are right; None if there is none."""
    off, config = getattr(Config(), rule), found.model.config
    lowest = min((share for one, share in shares.items() if one.wants_event), default=1.0)
    places = {1.0, *(lowest / SAFETY * part for part in LOWER)}
    for times in sorted((place for place in places if is_near(place)), key=lambda place: abs(math.log(place))):
        events = Touching.of(found.at(times, **{rule: off}), marks)
        if not all(events.wanted):
            continue
        for value, margin, why in JUDGES[rule](events, config):
            if value != getattr(config, rule) and Trials(found, marks, {rule: value}).is_right(times):
                return Change(times, {rule: value}, margin, why)
    return None


def _lengths(events: Touching, config: Config) -> list[Setting]:
    below = max((one.end - one.start for one in events.unwanted), default=0)
    above = min((max(one.end - one.start for one in some) for some in events.wanted), default=math.inf)
    if not below < above:
        return []
    least = int(min(max(math.ceil(between(float(config.min_length), float(below), float(above))), below + 1), above))
    expected = f"what is expected is at most {below} steps long" if below else ""
    return [(least, _ratio(above, below), _parted(expected, f"what is real is at least {above} steps long", above))]


def _deviations(events: Touching, config: Config) -> list[Setting]:
    """A limit of each channel that is the first of events that are expected, or of real ones that its rule drops."""
    names = events.found.model.channels
    before = dict(zip(names, Rules.of(config, names).min_deviation, strict=True))
    below: dict[str, float] = {}
    for one in events.unwanted:
        size = abs(deviation(one))
        if math.isnan(size):  # which no limit drops
            return []
        below[_first(one)] = max(below.get(_first(one), 0.0), size)
    above: dict[str, float] = {}
    for some in events.wanted:
        sizes = [(_size(one), one) for one in some]
        free = [size for size, one in sizes if _first(one) not in below and size >= before.get(_first(one), 0.0)]
        if free:
            continue
        size, one = max(sizes, key=lambda pair: pair[0])
        above[_first(one)] = min(above.get(_first(one), math.inf), size)
    chosen, margin, words = dict(before), math.inf, []
    for name in sorted(below.keys() | above.keys()):
        low, high = below.get(name, 0.0), above.get(name, math.inf)
        if not low < high:
            return []
        chosen[name] = _rounded(between(before[name], low, high), low, high)
        margin = min(margin, _ratio(high, low))
        expected = f"what is expected is at most {low:.4g} away in {name}" if low else ""
        words.append(_parted(expected, f"what is real is at least {high:.4g} away in {name}", high))
    try:
        text = deviations_text({name: value for name, value in chosen.items() if value}) if any(chosen.values()) else ""
    except ValueError:  # a channel that cannot be named in it
        return []
    return [(text, margin, "; ".join(words))]


def _directions(events: Touching, config: Config) -> list[Setting]:
    wanted = [max(some, key=_size) for some in events.wanted]
    found: list[Setting] = [("both", math.inf, "what is real lies on the other side of what was expected")]
    marked = [*wanted, *events.unwanted]
    if events.unwanted and not any(math.isnan(deviation(one)) for one in marked):
        margin = min(abs(deviation(one)) / max(_usual(events.found, _first(one)), 1e-12) for one in marked)
        for side, other, value in (("above", "below", "up"), ("below", "above", "down")):
            why = f"what is real lies {side} what was expected, what is expected {other} it"
            found.append((value, margin, why if wanted else f"what is expected lies {other} it"))
    return found


def _at_least(events: Touching, config: Config) -> list[Setting]:
    return [("", math.inf, "what is real does not last so long")]


def _ratio(above: float | int, below: float | int) -> float:
    return above / below if below else math.inf


def _parted(expected: str, real: str, above: float | int) -> str:
    return ", ".join(part for part in (expected, real if above < math.inf else "") if part)


def _first(event: Event) -> str:
    return next(iter(event.channels))


def _size(event: Event) -> float:
    """How far the value is from what was expected; infinite where it is not known, since no rule drops it then."""
    size = abs(deviation(event))
    return math.inf if math.isnan(size) else size


def _rounded(value: float, below: float, above: float) -> float:
    """The value with few digits, if it is between the two so."""
    short = float(f"{value:.4g}")
    return short if below < short < above else value


def _usual(found: Detection, name: str) -> float:
    """How far the values of a channel usually are from what is expected: the median over at most 100,000 rows."""
    rows, channel = slice(None, None, 1 + len(found.series) // SAMPLE), found.model.channels.index(name)
    apart = np.abs(found.series.values[rows, channel] - found.expected[rows, channel])
    return 0.0 if np.isnan(apart).all() else float(np.nanmedian(apart))


# The rules that may be set beside a threshold. A valid range changes the scores themselves, and what is valid is known
# to people, not to marks.
JUDGES: Mapping[str, Judge] = {
    "min_length": _lengths,
    "min_deviation": _deviations,
    "direction": _directions,
    "at_least": _at_least,
}
