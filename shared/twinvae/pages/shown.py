"""What a page shows of a detection: plain values, whatever made them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.files.out_of_core import TimeByChannel
from twinvae.scoring.events import Event
from twinvae.series.series import Series


class Level(NamedTuple):
    """What a threshold finds: which of the events, which false ones to expect, and what sets it."""

    threshold: float
    events: tuple[int, ...]  # places in `Shown.events`
    rate: float | None  # of false events in 10,000 normal rows; None: not known
    sure: str  # how sure that is: "measured", "at least", "at most", "unknown", or within which factor
    option: str | None  # of the command


@dataclass(frozen=True, eq=False)
class Shown:
    """A series, what was detected in it, and what would be at other thresholds. Rows are those of the user's table."""

    title: str
    series: Series
    scores: Float[np.ndarray, " row"]
    expected: TimeByChannel
    contributions: TimeByChannel
    latent: Float[np.ndarray, "point latent"]  # of some windows
    latent_rows: Sequence[int]  # in the middle of each of them
    absent: Sequence[int]  # after which rows some are absent
    kind: str
    unit: str  # of the scores
    window: int
    train_rows: int
    basis: str
    events: Sequence[Event]  # at any of the levels
    levels: Sequence[Level]  # the thresholds, from low to high
    level: int  # the one that was used
    source: Mapping[str, Any]  # where the series was read from, for the file of labels

    @property
    def found(self) -> list[Event]:
        """The events at the threshold that was used."""
        return [self.events[place] for place in self.levels[self.level].events]

    @property
    def order(self) -> list[int]:
        """The channels, those first that share most in the events, or in the scores if there are none."""
        names = self.series.names
        totals = [sum(event.channels[name] for event in self.found) for name in names]
        return sorted(range(len(names)), key=lambda channel: -totals[channel])
