"""Settings that are written as text: a rate of events, so many of so many steps, numbers and ranges of channels."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

EVERY = ""  # in place of the name of a channel: all of them
MOST_STEPS = 10_000  # that an alarm is asked to last for

Value = TypeVar("Value")


class Rate(NamedTuple):
    """How many events are borne, in so many seconds or steps."""

    events: float
    per: float
    seconds: bool  # whether `per` counts seconds, not steps

    @classmethod
    def of(cls, text: object) -> "Rate | None":
        """Reads a rate such as 1/week, 3/2days or 10/10000steps; None of an empty text.

        Raises:
            TypeError, ValueError: if it is none.
        """
        if not isinstance(text, str):
            raise TypeError(f"false_events must be a text such as 1/week or 10/10000steps, got {text!r}")
        if not text:
            return None
        found = re.fullmatch(r"([0-9.]{1,20})/([0-9.]{0,20})([a-z]{1,9}?)s?", re.sub(r"\s", "", text).lower())
        try:
            if found is None or found[3] not in UNITS:
                raise ValueError
            events, per = float(found[1]), float(found[2] or 1)
            if not (0 < events < math.inf and 0 < per < math.inf):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"false_events must be a number of events in a time or in steps, such as 1/week, 3/2days or "
                f"10/10000steps, got {text[:60]!r}"
            ) from None
        return cls(events, per * (UNITS[found[3]] or 1.0), UNITS[found[3]] is not None)

    def a_step(self, seconds: float | None) -> float | None:
        """The events a step, if steps are so many seconds apart; None if that is not known and the rate is of time."""
        if not self.seconds:
            return self.events / self.per
        return None if seconds is None else self.events * seconds / self.per

    @staticmethod
    def scaled(text: str, times: float) -> str:
        """The text of so many times a rate: 0.5/week for half of 1/week, to three digits."""
        events, slash, per = text.partition("/")
        return f"{Decimal(f'{times * float(events):.3g}'):f}{slash}{per}"


UNITS: Mapping[str, float | None] = {
    "step": None, "row": None, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 2629746.0,
    "year": 31556952.0,
}  # fmt: skip


class AtLeast(NamedTuple):
    """So many of so many steps."""

    number: int
    of: int

    @classmethod
    def read(cls, text: object) -> "AtLeast":
        """Reads 3-of-5; 1-of-1 of an empty text.

        Raises:
            TypeError, ValueError: if it is none, or asks for more steps than there are.
        """
        if not isinstance(text, str):
            raise TypeError(f"at_least must be a text such as 3-of-5, got {text!r}")
        if not text:
            return cls(1, 1)
        found = re.fullmatch(r"\s*(\d{1,9})\s*-?\s*of\s*-?\s*(\d{1,9})\s*", text, re.ASCII | re.IGNORECASE)
        if found is None or not 1 <= int(found[2]) <= MOST_STEPS or int(found[1]) < 1:
            raise ValueError(f"at_least must be like 3-of-5, of at most {MOST_STEPS} steps, got {text[:60]!r}")
        number, of = int(found[1]), int(found[2])
        if number > of:
            raise ValueError(f"at_least asks for {number} of {of} steps, which are not so many: turn them round?")
        return cls(number, of)


Range = tuple[float, float]


def deviations(text: object) -> dict[str, float]:
    """Reads a number, or one for each channel such as a=0.5,b=2: by the name of the channel, or `EVERY`.

    Raises:
        TypeError, ValueError: if it is none, or one is not above 0.
    """
    return _by_channel("min_deviation", text, _deviation, "0.5 or a=0.5,b=2, above 0, each channel once")


def ranges(text: object) -> dict[str, Range]:
    """Reads a range such as 0:100, :100 or 0:, or one for each channel such as a=0:100,b=-5:5: by the name of the
    channel, or `EVERY`. An end that is not given is infinite.

    Raises:
        TypeError, ValueError: if it is none, or there is nothing in it.
    """
    return _by_channel("valid_range", text, _range, "0:100, :100 or a=0:100,b=-5:5, low end first, each channel once")


def _deviation(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def _range(text: str) -> Range:
    low, colon, high = text.partition(":")
    found = float(low) if low.strip() else -math.inf, float(high) if high.strip() else math.inf
    if not colon or not found[0] < found[1] or found == (-math.inf, math.inf):
        raise ValueError
    return found


def _by_channel(name: str, text: object, read: Callable[[str], Value], example: str) -> dict[str, Value]:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a text such as {example.split(',', maxsplit=1)[0]}, got {text!r}")
    result: dict[str, Value] = {}
    # A name may hold a comma: what has no = of its own belongs to the name after it.
    for part in re.findall(r"[^=]*=[^,]*(?:,|$)|[^=]+$", text):
        channel, equals, value = part.rstrip(",").rpartition("=")
        key = channel.strip() if equals else EVERY
        try:
            if key in result or (equals and not key):
                raise ValueError
            result[key] = read(value)
        except ValueError:
            raise ValueError(f"{name} must be like {example}, got {text[:60]!r}") from None
    if EVERY in result and len(result) > 1:
        raise ValueError(f"{name} is one for all channels or one for each that is named, got {text[:60]!r}")
    return result


# What Python may give in place of the text.


def deviations_text(value: Any) -> str:
    """The text of a number, or of numbers by the names of channels.

    Raises:
        TypeError, ValueError: as `deviations`.
    """
    return _text("min_deviation", value, deviations, lambda one: repr(float(one)))


def ranges_text(value: Any) -> str:
    """The text of a pair (low, high), or of pairs by the names of channels; None is an open end.

    Raises:
        TypeError, ValueError: as `ranges`.
    """
    return _text("valid_range", value, ranges, _range_text)


def _range_text(value: Any) -> str:
    low, high = value
    return ":".join("" if end is None else repr(float(end)) for end in (low, high))


def _text(name: str, value: Any, read: Callable[[object], Mapping[str, Any]], one: Callable[[Any], str]) -> str:
    if isinstance(value, str):
        return value
    try:
        if isinstance(value, bool):
            raise TypeError
        given = value if isinstance(value, Mapping) else {EVERY: value}
        text = ",".join(one(each) if channel == EVERY else f"{channel}={one(each)}" for channel, each in given.items())
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, by the names of channels or for all, got {value!r}") from None
    if read(text).keys() != given.keys():
        raise ValueError(f"{name}: a channel whose name holds = and , together cannot be named here: rename it")
    return text


TEXTS: Mapping[str, Callable[[Any], str]] = {"min_deviation": deviations_text, "valid_range": ranges_text}
READERS: Mapping[str, Callable[[object], Any]] = {
    "false_events": Rate.of, "at_least": AtLeast.read, "min_deviation": deviations, "valid_range": ranges,
}  # fmt: skip


def named(chosen: Mapping[str, Value], names: Sequence[str], otherwise: Value, setting: str) -> list[Value]:
    """The value of each channel, from values by name.

    Raises:
        ValueError: if a name is that of no channel.
    """
    unknown = [name for name in chosen if name != EVERY and name not in names]
    if unknown:
        there = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise ValueError(f"{setting} names the channel {unknown[0]}, the series has {there}")
    return [chosen.get(name, chosen.get(EVERY, otherwise)) for name in names]
