"""What a line comes to: the values of one time step, with its time stamp; counters become differences."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from twinvae.config import Missing
from twinvae.process.notices import shortened
from twinvae.tables.dialect import counter_of, difference_of

LineFormat = Literal["auto", "jsonl", "csv"]
LINE_FORMATS: tuple[LineFormat, ...] = get_args(LineFormat)


class Point(NamedTuple):
    """One line: a number, or one for each channel in the order of the model; NaN is missing."""

    values: float | list[float]
    time: Any  # the time stamp as it stands in the line; None if there is none


class UnsuitedHeaderError(ValueError):
    """The first line names other columns than the model's: no line can be read."""


def one_or_all(values: list[float]) -> float | list[float]:
    """The values as a point has them."""
    return values[0] if len(values) == 1 else values


def values_of(point: Any, index: int, channels: Sequence[str]) -> Float[np.ndarray, " channel"]:
    """A point as one float64 for each channel.

    Raises:
        TypeError, ValueError: if it holds no numbers, or other channels; the message names its index.
    """
    try:
        array = np.asarray(point)
        if array.dtype.kind not in "fiubO":
            raise TypeError
        values = array.astype(np.float64).reshape(-1)
    except OverflowError:
        raise ValueError(f"point {index} holds a number that is too large") from None
    except (TypeError, ValueError):
        raise TypeError(f"point {index} must hold real numbers, got {shortened(point)}") from None
    if len(values) != len(channels) or array.ndim > 1:
        got = f"{array.size} values" if array.ndim <= 1 else f"shape {array.shape}"
        fitted = f"{len(channels)} ({shortened(', '.join(channels))})"
        raise ValueError(f"point {index} has {got}, the detector was fitted on {fitted}")
    return values


def check_values(values: Float[np.ndarray, " channel"], index: int, channels: Sequence[str], missing: Missing) -> None:
    """Raises ValueError if a value is infinite, or missing (NaN) where that is refused."""
    infinite, unknown = np.isinf(values), np.isnan(values)
    where = f"point {index}, channel {channels[int(np.argmax(infinite if infinite.any() else unknown))]}"
    if infinite.any():
        raise ValueError(f"infinite value at {where}: remove it, or mark it as missing")
    if unknown.any() and missing == "error":
        raise ValueError(
            f'missing value at {where}: fill it, or use missing="mask" (--missing mask), which leaves it out, or '
            '"interpolate", which holds the last value'
        )
    if unknown.any() and missing == "interpolate" and not index:
        raise ValueError(f"missing value at {where}: there is no earlier value to hold")


class Counters:
    """Takes the differences of the channels that are called difference(NAME): by how much NAME has risen."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = len(channels)
        self._places = [at for at, name in enumerate(channels) if counter_of(name) is not None]
        self._before: list[float] | None = None  # the values of the line before
        self._most = [math.nan] * self._channels  # the largest so far

    def differences(self, point: Point) -> Point:
        """The point with differences in place of counters."""
        values = list(point.values) if isinstance(point.values, list) else [point.values]
        if not self._places or len(values) != self._channels:  # the stream refuses any other number
            return point
        before, self._before = self._before or [math.nan] * len(values), list(values)
        for at in self._places:
            self._most[at] = max(before[at], self._most[at]) if self._most[at] == self._most[at] else before[at]
            values[at] = difference_of(values[at], before[at], self._most[at])
        return point._replace(values=one_or_all(values))

    @property
    def state(self) -> list[float | None]:
        """The values of the line before, then the largest so far; None for a missing one; nothing without counters."""
        known = [*self._before, *self._most] if self._places and self._before else ()
        return [x if math.isfinite(x) else None for x in known]

    def restore(self, before: Sequence[float | None] | None) -> None:
        """Takes over a state: the values of the line before and, but for states of old, the largest so far."""
        if before:
            known = [math.nan if count is None else float(count) for count in before]
            self._before, self._most = known[: self._channels], known[-self._channels :]
