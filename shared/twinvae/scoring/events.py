"""Events, the intervals that labels of time steps form: with a peak, the channels that made them, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from twinvae.files.out_of_core import TimeByChannel, zeros_beside
from twinvae.scoring.kinds import mean_over_channels
from twinvae.windowing.intervals import intervals


@dataclass(frozen=True, eq=False, repr=False)
class Event:  # noqa: PLW1641  (it holds a dict: no hash)
    """An anomaly: the time steps [start, end), its highest score and where, each channel's share of it, and why.

    The time stamps are those of the first, last and peak step on the index of the series; None if it had none.
    `value` and `expected` are those of the first of `channels` at the peak, in the units of the series: what was
    measured (None if missing), and the mean of what the model made of it in the windows that cover the peak. Both are
    None where only scores were known. Contributions are NaN where a channel has no value within a window. Events are
    equal if all their fields are; `repr` leaves the contributions out.
    """

    start: int
    end: int
    peak: int  # the time step of the highest score
    score: float  # the score there
    channels: dict[str, float]  # share of the event's score, largest first; the shares add up to 1
    start_time: Any = None
    last_time: Any = None
    peak_time: Any = None
    contributions: Float[np.ndarray, "step channel"] | None = None  # to the score; columns in the order of `channels`
    value: float | None = None
    expected: float | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        mine, theirs = vars(self), vars(other)
        return all(_equal(mine[name], theirs[name]) for name in mine)

    def __repr__(self) -> str:
        given = {name: value for name, value in vars(self).items() if name != "contributions" and value is not None}
        return f"Event({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _equal(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, np.ndarray) or isinstance(theirs, np.ndarray):
        return np.array_equal(mine, theirs, equal_nan=True)
    return bool(mine is theirs or mine == theirs)


def without_low_ends(
    labels: Integer[np.ndarray, " time"], scores: Float[np.ndarray, " time"], least_height: float
) -> Integer[np.ndarray, " time"]:
    """The labels without the ends of each run of 1 that score below `least_height` of the run's highest score.

    A score that averages over time is raised for some way before and after a strong anomaly.
    """
    kept = zeros_beside(labels, labels.shape, labels.dtype)
    for start, end in intervals(labels):
        high = start + np.flatnonzero(scores[start:end] >= least_height * scores[start:end].max())
        kept[high[0] : high[-1] + 1] = 1
    return kept


def find_events(
    labels: Integer[np.ndarray, " time"],
    contributions: TimeByChannel,
    names: Sequence[str],
    *,
    min_length: int,
    merge_gap: int,
    least_height: float,
) -> list[Event]:
    """The events of a labelled series, in order of time."""
    contributions = np.asarray(contributions)  # an event holds no subclass
    scores = mean_over_channels(contributions)
    events = []
    labels = without_low_ends(labels, scores, least_height)
    for start, end in intervals(labels, min_length=min_length, merge_gap=merge_gap):
        peak = start + int(np.nanargmax(scores[start:end]))
        parts = np.nansum(contributions[start:end], axis=0, dtype=np.float64)
        shares = parts / parts.sum()
        order = np.argsort(-shares, kind="stable")
        events.append(
            Event(
                start, end, peak, float(scores[peak]), {names[i]: float(shares[i]) for i in order},
                contributions=contributions[start:end, order],
            )
        )  # fmt: skip
    return events


def with_expectation(
    events: Sequence[Event], names: Sequence[str], series: TimeByChannel, reconstruction: TimeByChannel
) -> list[Event]:
    """The events with `value` and `expected` from a series and its reconstruction, both in the series' units."""
    columns = {name: index for index, name in enumerate(names)}
    found = []
    for event in events:
        place = event.peak, columns[next(iter(event.channels))]
        value = None if np.isnan(series[place]) else float(series[place])
        found.append(replace(event, value=value, expected=float(reconstruction[place])))
    return found
