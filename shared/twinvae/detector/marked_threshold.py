"""The threshold at which marks in a series are right: between the scores of what is expected and of what is real."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twinvae.detector.detection import Detection
from twinvae.detector.marks import MarkedSpan

SAFETY = 1.1  # a limit stands at most so many times away from what it has to part
FARTHEST = 1e6  # a threshold moved by more is none
GRID = 24  # thresholds that are tried where that between the scores of the marks is not right
HALVINGS = 24


def between(now: float, below: float, above: float) -> float:
    """The limit nearest to what it is now that has `below` under it and `above` over it; 0 and infinity are none.

    It keeps a distance of `SAFETY` from the side that binds, but not more than half of the way to the other.
    """
    if (below == 0 or now > below) and now < above:
        return now
    middle = math.sqrt(below) * math.sqrt(above)
    return min(SAFETY * below, middle) if now <= below else max(above / SAFETY, middle)


@dataclass(frozen=True)
class Trials:
    """Which marks are wrong at so many times the threshold, by the events of the detection there. It remembers them."""

    found: Detection
    marks: tuple[MarkedSpan, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)
    tried: dict[float, frozenset[MarkedSpan]] = field(default_factory=dict)

    def wrong(self, times: float) -> frozenset[MarkedSpan]:
        """The marks that are wrong there."""
        if times not in self.tried:
            unmoved = times == 1 and not self.rules  # which keeps what all others share
            at = self.found if unmoved else self.found.at(times, **self.rules)
            self.tried[times] = frozenset(one for one in self.marks if not one.is_right(at))
        return self.tried[times]

    def is_right(self, times: float) -> bool:
        """Whether none is."""
        return not self.wrong(times)

    def is_low(self, times: float) -> bool:
        """Whether the threshold is too low there, and not too high."""
        wrong = self.wrong(times)
        return bool(wrong) and not any(one.wants_event for one in wrong)

    def is_high(self, times: float) -> bool:
        """Whether it is too high, and not too low."""
        wrong = self.wrong(times)
        return bool(wrong) and all(one.wants_event for one in wrong)


def heights(found: Detection, marks: Sequence[MarkedSpan]) -> dict[MarkedSpan, float]:
    """The highest score of each mark as a share of the threshold; 0 where no score is known."""
    parts = {one: found.scores[one.start : one.end] for one in marks}
    return {
        one: 0.0 if np.isnan(part).all() else float(np.nanmax(part)) / found.threshold for one, part in parts.items()
    }


def threshold_for(trials: Trials, shares: Mapping[MarkedSpan, float]) -> float | None:
    """So many times the threshold, the nearest to once at which all marks are right; None if none was found."""
    below = max((share for one, share in shares.items() if not one.wants_event), default=0.0)
    above = min((share for one, share in shares.items() if one.wants_event), default=math.inf)
    if below < above and is_near(first := between(1.0, below, above)) and trials.is_right(first):
        return _shortened(trials, first)
    # Neighbours, merged events and rules have a part in it: the events themselves say where the ends are.
    known = [min(max(share, 1 / FARTHEST), FARTHEST) for share in shares.values()]
    low, high = max(min(*known, 1.0) / 2, 1 / FARTHEST), min(max(*known, 1.0) * 2, FARTHEST)
    grid = sorted(np.geomspace(low, high, GRID).tolist(), key=lambda place: abs(math.log(place)))
    if (right := next(filter(trials.is_right, grid), None)) is not None:
        return _apart(trials, right)
    for place, following in itertools.pairwise(sorted(trials.tried)):
        if trials.is_low(place) and trials.is_high(following) and (right := _part(trials, place, following)):
            return _apart(trials, right)
    return None


def is_near(times: float) -> bool:
    """Whether a threshold that was moved so far still says something."""
    return 1 / FARTHEST <= times <= FARTHEST


def _part(trials: Trials, low: float, high: float) -> float | None:
    """A place that is right, between one that is too low and one that is too high; None if none was found."""
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        if trials.is_low(middle):
            low = middle
        elif trials.is_high(middle):
            high = middle
        else:
            return middle if trials.is_right(middle) else None
    return None


def _apart(trials: Trials, times: float) -> float:
    """A place like this one, away from where it would be wrong."""
    wrong = [place for place in trials.tried if not trials.is_right(place)]
    below = _end(trials, times, max((place for place in wrong if place < times), default=0.0))
    above = _end(trials, times, min((place for place in wrong if place > times), default=math.inf))
    moved = between(1.0, below, above)
    return _shortened(trials, moved if trials.is_right(moved) else times)


def _shortened(trials: Trials, times: float) -> float:
    """The place with few digits, if that is right too."""
    short = float(f"{times:.4g}")
    return short if trials.is_right(short) else times


def _end(trials: Trials, right: float, wrong: float) -> float:
    """Where it becomes wrong, between a place that is right and one that is not."""
    for _ in range(HALVINGS // 2 if 0 < wrong < math.inf else 0):
        middle = math.sqrt(right * wrong)
        right, wrong = (middle, wrong) if trials.is_right(middle) else (right, middle)
    return wrong
