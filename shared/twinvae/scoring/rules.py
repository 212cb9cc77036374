"""The rules that say which events are worth a call: which of those found are kept, what for, and which are dropped."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Integer

from twinvae.config import Config, Direction
from twinvae.files.out_of_core import TimeByChannel, by_rows, first_row, zeros_beside
from twinvae.process.settings import AtLeast, deviations, named, ranges
from twinvae.scoring.events import Event

Spans = Sequence[tuple[int, int]]  # [start, end)
IGNORED = "ignore"  # the name of the rule that leaves out maintenance windows


class Rules(NamedTuple):
    """What an event must be to be kept. As they are by default, every event is."""

    direction: Direction
    min_deviation: tuple[float, ...]  # of each channel, in its units; 0 is none
    min_length: int  # time steps
    at_least: AtLeast
    low: tuple[float, ...]  # the ends of the valid range of each channel; infinite where there is none
    high: tuple[float, ...]

    @classmethod
    def of(cls, config: Config, names: Sequence[str]) -> "Rules":
        """The rules of a configuration, for channels of these names.

        Raises:
            ValueError: if one names a channel that is not there.
        """
        least = named(deviations(config.min_deviation), names, 0.0, "min_deviation")
        valid = named(ranges(config.valid_range), names, (-np.inf, np.inf), "valid_range")
        low, high = zip(*valid, strict=True)
        return cls(
            config.direction, tuple(least), config.min_length, AtLeast.read(config.at_least), tuple(low), tuple(high)
        )

    @property
    def compares_values(self) -> bool:
        """Whether a rule asks how far a value is from what was expected."""
        return self.direction != "both" or any(self.min_deviation)

    @property
    def has_ranges(self) -> bool:
        """Whether a channel has a valid range."""
        return any(np.isfinite([*self.low, *self.high]))

    @property
    def ask_more_than_length(self) -> bool:
        """Whether more than the length of an event matters."""
        return self.compares_values or self.has_ranges or self.at_least.of > 1

    @property
    def are_on(self) -> bool:
        """Whether there is a rule at all."""
        return self.ask_more_than_length or self.min_length > 1

    def outside(self, values: TimeByChannel) -> Bool[np.ndarray, "time channel"] | None:
        """Which values are outside their valid range; None if none is. A missing value is not."""
        if not self.has_ranges:
            return None
        low, high = (np.array(ends, values.dtype) for ends in (self.low, self.high))
        if first_row(lambda part: (part < low) | (part > high), values) is None:
            return None
        return by_rows(lambda part: (part < low) | (part > high), values)


class Candidate(NamedTuple):
    """What the rules ask of an event."""

    length: int  # time steps
    channel: int  # the first of the event's
    deviation: float  # value - expected of this channel at the peak, in its units; NaN where it is not known
    has_lasted: bool = True  # whether at one of its steps as many of the last ones were alarms as `at_least` names
    outside: tuple[int, ...] = ()  # the channels with a value outside their valid range
    ignored: bool = False  # whether its peak lies in a maintenance window


def dropped_by(rules: Rules, one: Candidate) -> str | None:
    """The rule that drops an event; None if it is kept.

    A value outside its valid range is always an event. A deviation that is not known drops none.
    """
    if one.outside:
        return None
    fails = {
        IGNORED: one.ignored,
        "min_length": one.length < rules.min_length,
        "at_least": not one.has_lasted,
        "direction": (rules.direction == "up" and one.deviation <= 0)
        or (rules.direction == "down" and one.deviation >= 0),
        "min_deviation": abs(one.deviation) < rules.min_deviation[one.channel],
    }
    return next((name for name, is_so in fails.items() if is_so), None)


def reasons(rules: Rules, one: Candidate, names: Sequence[str]) -> tuple[str, ...]:
    """What an event that was kept is by the rules that are on, in words."""
    found = [
        f"{names[channel]} is outside its valid range {_ends(rules.low[channel], rules.high[channel])}"
        for channel in one.outside
    ]
    if found:
        return tuple(found)
    if rules.compares_values:
        name, least = names[one.channel], rules.min_deviation[one.channel]
        asked = ", ".join([*([rules.direction] if rules.direction != "both" else []), *_at_least(least)])
        is_known = not np.isnan(one.deviation)
        side = "above" if one.deviation > 0 else "below"
        what = (
            f"{abs(one.deviation):.4g} {side} what was expected" if is_known else "missing at the peak, so not judged"
        )
        found.append(f"{name} is {what}" + (f" (asked for: {asked})" if asked else ""))
    if rules.min_length > 1:
        found.append(f"{one.length} steps long (asked for: at least {rules.min_length})")
    if rules.at_least.of > 1:
        found.append("at least {} of {} steps above the threshold".format(*rules.at_least))
    return tuple(found)


def _at_least(least: float) -> list[str]:
    return [f"at least {least:g}"] if least else []


def _ends(low: float, high: float) -> str:
    return ":".join("" if np.isinf(end) else f"{end:g}" for end in (low, high))


class Kept(NamedTuple):
    """What the rules have left of the events of a series."""

    labels: Integer[np.ndarray, " time"]  # 1 in the rows of the events
    reasons: Mapping[int, tuple[str, ...]]  # of each event, by its first step
    dropped: Mapping[str, int]  # how many events each rule has dropped


def kept(
    rules: Rules,
    events: Sequence[Event],
    deviations: Sequence[float],
    alarms: Integer[np.ndarray, " time"],
    names: Sequence[str],
    *,
    outside: Bool[np.ndarray, "time channel"] | None = None,
    ignored: Spans = (),
) -> Kept:
    """Judges the events of a series, in order of time.

    `deviations` are those of the first channel of each event at its peak. An event whose peak lies in a maintenance
    window is dropped; another loses what of it lies there, and what is parted from its peak so.
    """
    labels, found, dropped = zeros_beside(alarms, alarms.shape, alarms.dtype), {}, dict[str, int]()
    columns = {name: index for index, name in enumerate(names)}
    for event, deviation in zip(events, deviations, strict=True):
        rule: str | None = IGNORED
        for start, end in _without(event.start, event.end, ignored):
            places = () if outside is None else tuple(np.flatnonzero(outside[start:end].any(axis=0)).tolist())
            if not (places or start <= event.peak < end):
                continue
            has_lasted = most_alarms(alarms, start, end, rules.at_least.of) >= rules.at_least.number
            channel = columns[next(iter(event.channels))]
            one = Candidate(end - start, channel, deviation, has_lasted, places)
            rule = dropped_by(rules, one)
            if rule is None:
                labels[start:end] = 1
                found[start] = reasons(rules, one, names)
        if not labels[event.start : event.end].any():
            assert rule is not None
            dropped[rule] = dropped.get(rule, 0) + 1
    return Kept(labels, found, dropped)


def most_alarms(alarms: Integer[np.ndarray, " time"], start: int, end: int, of: int) -> int:
    """The most alarms among the last so many steps, of all steps of [start, end)."""
    first = max(0, start - of + 1)
    sums = np.concatenate([[0], np.cumsum(alarms[first:end], dtype=np.int64)])
    last = np.arange(start - first + 1, end - first + 1)
    return int((sums[last] - sums[np.maximum(last - of, 0)]).max())


def _without(start: int, end: int, ignored: Spans) -> Spans:
    """The parts of [start, end) that lie in none of the spans."""
    parts = [(start, end)]
    for begin, stop in ignored:
        parts = [
            piece
            for first, last in parts
            for piece in ((first, min(last, begin)), (max(first, stop), last))
            if piece[0] < piece[1]
        ]
    return parts


def in_words(dropped: Mapping[str, int]) -> str:
    """How many events were dropped by which rule: a part of a sentence, empty if none was."""
    if not dropped:
        return ""
    each = ", ".join(f"{number} by {rule}" for rule, number in sorted(dropped.items()))
    number = sum(dropped.values())
    return f"rules have left out {number} more event{'' if number == 1 else 's'} ({each})"
