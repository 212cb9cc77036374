"""From alarms to events, the intervals of time steps: with a peak, the channels that made them, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int8, Integer

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel, by_rows, first_row, number, pieces, zeros_beside
from twinvae.scoring.anomalies import Anomalies, Mark
from twinvae.scoring.kinds import mean_over_channels
from twinvae.windowing.intervals import intervals


@dataclass(frozen=True, eq=False, repr=False)
class Event:  # noqa: PLW1641  (it holds a dict: no hash)
    """An anomaly: the time steps [start, end), its highest score and where, each channel's share of it, and why.

    The time stamps are those of the first, last and peak step on the index of the series; None if it had none.
    `value` and `expected` are those of the first of `channels` at the peak, in the units of the series: what was
    measured (None if missing), and the mean of what the model made of it in the windows that cover the peak.
    `similar` is the training window whose shape is nearest to that of the window around the peak, drawn at the level
    and the height of that one, in the units of the series. Its first row in the training table is `similar_row`;
    `similar_distance` is the root of the mean squared difference of the two shapes, each of mean 0 and deviation 1: 0
    is the same, about 1.4 has nothing in common. All of these are None where only scores were known.
    Contributions are NaN where a channel has no value within a window. Events are equal if all their fields are; `repr`
    leaves the arrays out.

    >>> import numpy as np
    >>> from vae_jax import VAEDetector
    >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
    >>> detector = VAEDetector(window=24, epochs=5).fit(normal)
    >>> [event] = detector.events(normal + 5.0 * (np.arange(500) == 250))
    >>> event.peak, event.channels, round(event.value - event.expected) > 2
    (250, {'0': 1.0}, True)
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
    similar_row: int | None = None
    similar_distance: float | None = None
    similar_start: int | None = None  # the time step at which the window around the peak begins
    similar: Float[np.ndarray, "step channel"] | None = None  # columns in the order of the series
    why: tuple[str, ...] | None = None  # what of it the rules have asked for, in words; None if no rule is on

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        mine, theirs = vars(self), vars(other)
        return all(_equal(mine[name], theirs[name]) for name in mine)

    def __repr__(self) -> str:
        arrays = ("contributions", "similar")
        given = {name: value for name, value in vars(self).items() if name not in arrays and value is not None}
        return f"Event({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _equal(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, np.ndarray) or isinstance(theirs, np.ndarray):
        return np.array_equal(mine, theirs, equal_nan=True)
    return bool(mine is theirs or mine == theirs)


class Alarms(NamedTuple):
    """The steps that score above the threshold, and how many steps away from an anomaly the score may be raised."""

    labels: Integer[np.ndarray, " time"]
    scores: Float[np.ndarray, " time"]
    smear: int


def anomalies(
    alarms: Alarms, least_height: float, *, sharp: Alarms | None = None, only_past: bool = False
) -> Integer[np.ndarray, " time"]:
    """1 where an anomaly is, else 0: runs of alarms, parted at their valleys, without their low ends (`Anomalies`).

    `sharp` is a score whose peaks are narrower, where there is one: it then decides where an anomaly ends that it sees
    too, and finds those that the smear of a stronger one hides. What it does not see, near one that it sees, is smear.
    Two that lie in one run of alarms are two only if the sharp score rests between them: if it is low beside the peaks
    of both for as long as its smear, or all the way. Noise about a threshold, or an anomaly that swings, is one.
    Whatever is an alarm is at most `smear` steps away from an anomaly, in both scores.
    """
    if not least_height:
        return alarms.labels
    found = without_low_ends(alarms, least_height, only_past=only_past)
    if sharp is None:
        return found
    cut = zeros_beside(found, found.shape, found.dtype)
    unseen = []
    for start, end in intervals(found):
        if sharp.labels[start:end].any():
            first, last = _high(sharp.scores[start:end], least_height)
            cut[start + first : start + last + 1] = 1
        else:
            unseen.append((start, end))
    far = _far_from(cut, alarms)
    for start, end in unseen:
        if far[start:end].any():
            cut[start:end] = 1
    for missed in (alarms, sharp):
        far = _far_from(cut, missed)
        if far.any():
            rest = without_low_ends(missed._replace(labels=far), least_height)
            cut = by_rows(np.maximum, cut, rest)
    _join(cut, alarms, sharp, least_height)
    return cut


def _join(found: Integer[np.ndarray, " time"], alarms: Alarms, sharp: Alarms, least_height: float) -> None:
    """Joins neighbours in one run of alarms between which the sharp score does not rest, in place."""
    before, height = 0, 0.0
    for start, end in intervals(found):
        peak = float(sharp.scores[start:end].max())
        between = slice(before, start)
        if before and number(np.logical_not, alarms.labels[between]) == 0:
            least = least_height * min(height, peak)
            low = by_rows(lambda part, least=least: (part < least).astype(np.int8), sharp.scores[between])
            if not intervals(low, min_length=min(sharp.smear, len(low))):
                found[between] = 1
                peak = max(peak, height)
        before, height = end, peak


def without_low_ends(alarms: Alarms, least_height: float, *, only_past: bool = False) -> Integer[np.ndarray, " time"]:
    """The labels without the low ends of each anomaly: see `Anomalies`."""
    labels, scores, smear = alarms
    kept = zeros_beside(labels, labels.shape, labels.dtype)
    walk = Anomalies(least_height, smear, only_past=only_past)
    for start, end in intervals(labels):
        if not only_past and scores[start:end].min() >= least_height * scores[start:end].max():
            kept[start:end] = 1  # nothing of it is low
            continue
        for rows in pieces(scores[start:end]):
            first = start + rows.start
            for at, score in enumerate(scores[first : start + rows.stop].tolist(), first):
                here = Mark(at, score)
                if (ended := walk.add(here, here)) is not None:
                    kept[ended.first.at : ended.last.at + 1] = 1
        if (ended := walk.end()) is not None:
            kept[ended.first.at : ended.last.at + 1] = 1
    return kept


def _high(scores: Float[np.ndarray, " step"], least_height: float) -> tuple[int, int]:
    """The first and the last step that is not low beside the highest."""
    least = least_height * scores.max()
    first, from_the_end = (first_row(lambda part: part >= least, way) for way in (scores, scores[::-1]))
    assert first is not None  # the highest is not low
    assert from_the_end is not None
    return first, len(scores) - 1 - from_the_end


def _far_from(found: Integer[np.ndarray, " time"], alarms: Alarms) -> Integer[np.ndarray, " time"]:
    """The labels of alarms that are too far from what was found to be its smear."""
    far = by_rows(np.copy, alarms.labels)
    for start, end in intervals(found):
        far[max(0, start - alarms.smear) : end + alarms.smear] = 0
    return far


def event_labels(
    alarms: Alarms,
    config: Config,
    *,
    only_past: bool = False,
    sharp: Alarms | None = None,
) -> Int8[np.ndarray, " time"]:
    """1 where an event covers a time step, else 0: `anomalies`, joined over `merge_gap` steps, if `min_length` long.

    `only_past`: the score is raised only after an anomaly; `sharp`: see `anomalies`.
    """
    found = anomalies(alarms, config.least_height, sharp=sharp, only_past=only_past)
    labels = zeros_beside(found, found.shape, np.int8)
    for start, end in intervals(found, min_length=config.min_length, merge_gap=config.merge_gap):
        labels[start:end] = 1
    return labels


def find_events(
    labels: Integer[np.ndarray, " time"], contributions: TimeByChannel, names: Sequence[str]
) -> list[Event]:
    """The events whose rows are labelled with 1, in order of time."""
    contributions = np.asarray(contributions)  # an event holds no subclass
    scores = mean_over_channels(contributions)
    events = []
    for start, end in intervals(labels):
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
