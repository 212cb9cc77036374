"""The detection of a series with holes: scored with missing values in them, it answers for the rows that there are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int, Int8

from twinvae.config import Kind
from twinvae.detector.detection import Detection
from twinvae.detector.preparation import to_score
from twinvae.files.out_of_core import TimeByChannel
from twinvae.model.model import Model
from twinvae.network.backend import Backend
from twinvae.scoring.events import Event
from twinvae.scoring.expected_rate import ExpectedEvents
from twinvae.series.holes import Grid
from twinvae.series.series import Series
from twinvae.series.spans import rows_within

Ignore = Iterable[Sequence[Any]]  # spans of time from start to end, or of rows by their numbers


@dataclass(frozen=True, eq=False)
class DetectionOfRows(Detection):
    """What a detection on a grid says of the rows that the series has; `latent` has all windows of the grid."""

    whole: Detection  # on the grid
    grid: Grid

    def _at(self, times: float, rules: Mapping[str, Any]) -> Self:
        whole = self.whole.at(times, **rules)
        return replace(self, model=whole.model, whole=whole)

    @property
    def absent(self) -> list[int]:
        """After which rows the time stamps say that some are absent."""
        return [int(row) for row in np.flatnonzero(np.diff(self.grid.place) > 1)]

    def rows_at(self, steps: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The rows at some steps of the windows, which go on where rows are absent; or the next rows after them."""
        return np.searchsorted(self.grid.place, steps)

    @property
    def threshold(self) -> float:
        """What a score must exceed to be an alarm."""
        return self.whole.threshold

    @property
    def name(self) -> str:
        """What the score is called."""
        return self.whole.name

    @property
    def axis(self) -> str:
        """What the axis of a picture says."""
        return self.whole.axis

    @property
    def smear(self) -> int:
        """How many steps away from an anomaly the score may still be raised."""
        return self.whole.smear

    @property
    def basis(self) -> str:
        """What the events rest on, how many false alarms to expect, and what would change it: one sentence."""
        return self.whole.basis

    @property
    def expected_false_events(self) -> ExpectedEvents:
        """How many false events to expect of the threshold, how sure that is, and the option that makes it so."""
        return self.whole.expected_false_events

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many events each rule has dropped."""
        return self.whole.dropped

    @cached_property
    def contributions(self) -> TimeByChannel:
        """The score of each channel at each row."""
        return self.whole.contributions[self.grid.place]

    @cached_property
    def scores(self) -> Float[np.ndarray, " time"]:
        """The score of each row."""
        return self.whole.scores[self.grid.place]

    @cached_property
    def alarms(self) -> Int8[np.ndarray, " time"]:
        """1 where the score of the row is strictly above the threshold, else 0."""
        return self.whole.alarms[self.grid.place]

    @cached_property
    def labels(self) -> Int8[np.ndarray, " time"]:
        """1 where an event covers the row, else 0."""
        return self.whole.labels[self.grid.place]

    @cached_property
    def expected(self) -> TimeByChannel:
        """What the model expects at each row."""
        return self.whole.expected[self.grid.place]

    @cached_property
    def latent(self) -> Float[np.ndarray, "n latent"]:
        """The posterior mean of each window of the grid."""
        return self.whole.latent

    @cached_property
    def events(self) -> list[Event]:
        """The anomalies as intervals of rows; one that lies in a hole is none."""
        return list(self._events_of_rows())

    def _events_of_rows(self) -> Iterator[Event]:
        stamp = self.series.index if self.series.on_pandas else None
        for event in self.whole.events:
            start, end = self.grid.row(event.start), self.grid.row(event.end)
            scores = self.scores[start:end]
            if start == end or np.isnan(scores).all():
                continue
            peak = start + int(np.nanargmax(scores))
            assert event.contributions is not None
            found = replace(
                event, start=start, end=end, peak=peak, score=float(self.scores[peak]),
                contributions=event.contributions[self.grid.place[start:end] - event.start],
            )  # fmt: skip
            if event.expected is not None:
                channel = self.model.channels.index(next(iter(event.channels)))
                value = float(self.series.values[peak, channel])
                expected = float(self.expected[peak, channel])
                found = replace(found, value=None if np.isnan(value) else value, expected=expected)
            if event.similar_start is not None:
                first = self.grid.row(event.similar_start)
                there = first < len(self.series) and self.grid.step(first) == event.similar_start
                found = replace(found, similar_start=first, similar=event.similar if there else None)
            if stamp is not None:
                found = replace(found, start_time=stamp[start], last_time=stamp[end - 1], peak_time=stamp[peak])
            yield found


def detected(
    model: Model, backend: Backend, series: Series, kind: Kind, *, explained: bool, ignore: Ignore = ()
) -> Detection:
    """The detection of a series; of one with holes, where missing values stand for the rows that are absent.

    Raises:
        ValueError: if the series is not fit for use, shorter than a window, or has other channels than the fitted one;
            or if the spans that are to have no event do not fit it.
    """
    return of_rows(Detection(model, backend, to_score(series, model), kind, explained), series, ignore)


def of_rows(whole: Detection, series: Series, ignore: Ignore = ()) -> Detection:
    """The same detection, or what it says of the rows of a series with holes, where the whole is on a grid.

    `ignore` are spans of time that have no event.
    """
    grid, spans = whole.series.grid, rows_within(series, ignore)
    if grid is None:
        return replace(whole, ignored=spans) if spans else whole
    whole = replace(whole, ignored=tuple((grid.step(start), grid.step(end - 1) + 1) for start, end in spans))
    rows = replace(series, values=whole.series.values[grid.place])
    return DetectionOfRows(
        whole.model, whole.backend, rows, whole.kind, whole.explained, whole, grid, ignored=spans
    )  # fmt: skip
