"""A series that a fitted model has scored, once: scores, labels, events, and what the model expected."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from twinvae.config import KINDS, Kind
from twinvae.detector.asked import asked_events
from twinvae.detector.preparation import gap_warnings, hole_warnings
from twinvae.files.out_of_core import TimeByChannel, by_rows, first_row, has_missing, kept, number
from twinvae.model.model import Model
from twinvae.network.backend import Backend, Statistic
from twinvae.network.net import Net
from twinvae.scoring.calibration import mean_over_draws
from twinvae.scoring.events import Alarms, Event, event_labels, find_events, with_expectation
from twinvae.scoring.false_alarms import FalseAlarms, asked_rate, false_alarms
from twinvae.scoring.formulas import Statistics
from twinvae.scoring.kinds import (
    SCORES,
    contributions,
    mean_over_channels,
    statistics_of,
    unaveraged,
)
from twinvae.scoring.neighbours import most_similar, own_starts, with_distances
from twinvae.scoring.overflow import bounded, highest, limits, too_large, without
from twinvae.scoring.severity import MOST_UNUSUAL, Stretch, nearest_to_events, severity
from twinvae.scoring.statistics import SHORT, latent_draws
from twinvae.scoring.threshold import in_words
from twinvae.series.scaling import standardise
from twinvae.series.series import Series
from twinvae.windowing.geometry import count
from twinvae.windowing.intervals import intervals


@dataclass(frozen=True, eq=False)
class Detection:
    """One series and what a fitted model says of it.

    Each part is computed when it is first asked for, and kept. The network runs over the series once for all of them
    (and once more for each latent draw, if the model scores by draws; `latent` is a pass of its own).

    >>> import numpy as np
    >>> from vae_jax import VAEDetector
    >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
    >>> found = VAEDetector(window=24, epochs=5).fit(normal).detect(normal + 5.0 * (np.arange(500) == 250))
    >>> found.scores.shape, found.expected.shape, bool(found.labels[250])
    ((500,), (500, 1), True)
    """

    model: Model
    backend: Backend
    series: Series  # checked; with missing="interpolate" its gaps are filled
    kind: Kind  # of the score
    explained: bool  # whether the one pass over the series is to give the expected values too

    @cached_property
    def scaled(self) -> TimeByChannel:
        """The series as the network reads it: values too large for its scores are left out (NaN)."""
        places = self.too_large
        return self._standardised if places is None else without(self._standardised, places)

    @cached_property
    def too_large(self) -> Bool[np.ndarray, "time channel"] | None:
        """Which values are too large for the scores of their windows; None if none is."""
        return too_large(self._standardised, limits(self.model.calibration, self.model.config.dtype))

    @cached_property
    def _standardised(self) -> TimeByChannel:
        with np.errstate(over="ignore"):  # what overflows is too large
            return standardise(self.series.values, self.model.scaler, self.model.config.dtype)

    @cached_property
    def contributions(self) -> TimeByChannel:
        """The score of each channel at each time step; NaN where the channel has no value within a window.

        A score that overflows the precision of the model, and that of a value too large for it, is `highest`.
        """
        model, config = self.model, self.model.config

        def part(statistics: Statistics) -> Iterator[tuple[Kind, np.ndarray]]:
            yield self.kind, self._scored(statistics)

        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is bounded
            wanted = self._wanted(self.kind)
            drawn = (self._run(wanted, noise) for noise in latent_draws(config, model.seed))
            mean = {} if config.draws else self._statistics
            ((_, result),) = mean_over_draws(part, mean, drawn, config.draws)
        result = bounded(result, self.scaled, config.dtype)
        if self.too_large is None:
            return result
        most = result.dtype.type(highest(config.dtype))
        whole = by_rows(lambda part, place: np.where(place, most, part), result, self.too_large)
        if SCORES[self.kind].only_past:  # no window ends at the first steps
            whole[: config.window - 1] = result[: config.window - 1]
        return whole

    def _scored(self, statistics: Statistics) -> TimeByChannel:
        """The contributions, of a series whose values are all small enough."""
        window, calibration = self.model.config.window, self.model.calibration
        statistics = {**statistics, **self._distances_of_shapes}
        return contributions(self.kind, self.scaled, statistics, window, calibration)

    @cached_property
    def _distances_of_shapes(self) -> Statistics:
        """How far the shapes of the windows are from those of training, if that matters: no latent draw changes it."""
        window, memory = self.model.config.window, self.model.calibration.memory
        if memory is None or "shape" not in SCORES[self.kind].views:
            return {}
        return with_distances(["shape"], self.scaled, {}, window, memory, self._own_starts)

    @property
    def threshold(self) -> float:
        """What a score must exceed to be an alarm."""
        return self.model.thresholds[self.kind]

    @property
    def name(self) -> str:
        """What the score is called."""
        return self.kind

    @property
    def axis(self) -> str:
        """What the axis of a picture says: the unit of the score."""
        return SCORES[self.kind].axis(self.model.config.scaling)

    @property
    def smear(self) -> int:
        """How many steps away from an anomaly the score may still be raised."""
        return SCORES[self.kind].smear(self.model.config.window, self.model.calibration)

    @property
    def basis(self) -> str:
        """What the events rest on, how many false alarms to expect, and what would change it: one sentence."""
        return in_words(self.model.config, self.threshold)

    @cached_property
    def scores(self) -> Float[np.ndarray, " time"]:
        """The score of each time step: the mean of the contributions over the channels."""
        return mean_over_channels(self.contributions)

    @cached_property
    def alarms(self) -> Int8[np.ndarray, " time"]:
        """1 where the score is strictly above the threshold of its kind, else 0."""
        return self.model.alarms(self.scores, self.kind)

    @cached_property
    def labels(self) -> Int8[np.ndarray, " time"]:
        """1 where an event covers the time step, else 0."""
        return labels_of(self.model, self.kind, self.scores, self.scaled, lambda: self._statistics, self.too_large)

    @cached_property
    def events(self) -> list[Event]:
        """The anomalies as intervals of time steps, with their peaks, each channel's share, and why."""
        return self._events(self.labels)

    @cached_property
    def most_unusual(self) -> list[Stretch]:
        """The five most unusual stretches, the highest first: events, or what comes nearest to one.

        Fewer in a short series: what an anomaly may have raised around it is no stretch of its own.
        """
        spans = [(event.start, event.end) for event in self.events]
        nearest = nearest_to_events(self.scores, spans, MOST_UNUSUAL - len(spans), self.smear)
        others = self._events(nearest)
        stretches = [
            Stretch(event, severity(event.score, self.threshold), index < len(spans))
            for index, event in enumerate([*self.events, *others])
        ]
        return sorted(stretches, key=lambda stretch: -stretch.event.score)[:MOST_UNUSUAL]

    def _events(self, labels: Int8[np.ndarray, " time"]) -> list[Event]:
        """What is known of the stretches with these labels."""
        names = self.model.channels
        found = find_events(labels, self.contributions, names)
        if found and self.explained:
            found = with_expectation(found, names, self.series.values, self.expected)
            found = [self._with_similar(event) for event in found]
        if not self.series.on_pandas:
            return found
        stamp = self.series.index
        return [
            replace(e, start_time=stamp[e.start], last_time=stamp[e.end - 1], peak_time=stamp[e.peak]) for e in found
        ]

    @cached_property
    def _own_starts(self) -> Int[np.ndarray, " n"] | None:
        """The step of the training series at which each window begins, if the series begins with it."""
        memory = self.model.calibration.memory
        return None if memory is None else own_starts(memory, self.scaled, self.model.config.window)

    def _with_similar(self, event: Event) -> Event:
        """The event with the training window that is most like the window around its peak."""
        window, memory = self.model.config.window, self.model.calibration.memory
        if memory is None:  # a model of an earlier release
            return event
        start = min(max(event.peak - window // 2, 0), len(self.scaled) - window)
        row, distance, drawing = most_similar(self.scaled, start, window, memory, own=self._own_starts is not None)
        if np.isnan(distance):
            return event
        shift, scale = self.model.scaler
        return replace(
            event, similar_row=row, similar_distance=distance, similar_start=start, similar=drawing * scale + shift
        )

    @cached_property
    def false_alarms(self) -> FalseAlarms:
        """How many alarms and events there are if the series is normal, beside the rate that was asked for.

        As in calibration, the first and the last window are left out where that leaves half of the series.
        """
        judged = SCORES[self.kind].counted(len(self.scores), self.model.config.window)
        known = by_rows(lambda part: ~np.isnan(part), self.scores[judged])
        alarms, config = kept(self.alarms[judged], known) == 1, self.model.config
        events, asked = len(intervals(self.labels[judged])), asked_events(config, self.series)
        scores = kept(self.scores[judged], known)
        return false_alarms(scores, alarms, asked_rate(config), events, None if asked is None else 1e4 * asked)

    @cached_property
    def expected(self) -> TimeByChannel:
        """What the model expects: the mean over the covering windows of their reconstructions, in the series' units."""
        shift, scale = (values.astype(self.scaled.dtype) for values in self.model.scaler)
        return by_rows(lambda part: part * scale + shift, self._statistics["reconstruction"])

    @cached_property
    def latent(self) -> Float[np.ndarray, "n latent"]:
        """The posterior mean of each window of the series, n = time - window + 1."""
        return self.backend.encode(self._net, self.model.parameters, self.scaled, self.model.config.device)[0]

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the series and of its scores."""
        unknown, steps = number(np.isnan, self.scores), len(self.scores)
        nowhere = f"{unknown} of {steps} time steps have no value within a window: they have no score, so no alarm"
        return (*self.gap_warnings, nowhere) if unknown else self.gap_warnings

    @cached_property
    def gap_warnings(self) -> tuple[str, ...]:
        """What the user should know of the series alone."""
        model = self.model
        return (
            *gap_warnings(self.series, model.overrides.get("missing")),
            *hole_warnings(self.series, model.config.missing),
        )

    @cached_property
    def _statistics(self) -> Statistics:
        """The statistics of the one pass over the series, from the posterior mean of each window."""
        kinds: list[Kind] = [self.kind]
        if SCORES[self.kind].averaged:  # its events end where the error of each step does
            kinds.append("multiscale")
        if self.explained:
            kinds.append("reconstruction")
        return self._run(self._wanted(*kinds))

    def _run(self, wanted: tuple[Statistic, ...], noise: Float[np.ndarray, " latent"] | None = None) -> Statistics:
        model = self.model
        return self.backend.statistics(self._net, model.parameters, self.scaled, wanted, model.config.device, noise)

    @cached_property
    def _net(self) -> Net:
        """The network, with masks only where the series has gaps: they cost time."""
        net = Net.of(self.model.config, len(self.model.channels))
        return replace(net, masked=has_missing(self.scaled))

    def _wanted(self, *kinds: Kind) -> tuple[Statistic, ...]:
        """The statistics to compute for these kinds: all of them for a short series, where they cost about as much as
        one and need no other program than calibration has compiled."""
        windows = count(len(self.scaled), self.model.config.window)
        short = windows * self.model.config.window * len(self.model.channels) <= SHORT
        return statistics_of(*KINDS) if short else statistics_of(*kinds)


def labels_of(
    model: Model,
    kind: Kind,
    scores: Float[np.ndarray, " time"],
    scaled: TimeByChannel,
    statistics: Callable[[], Statistics],
    too_large: Bool[np.ndarray, "time channel"] | None = None,
) -> Int8[np.ndarray, " time"]:
    """1 where an event covers a step of a series with these scores, else 0.

    `statistics`, of the scaled series from the posterior mean, are asked for only where the error of each step alone
    matters: if the score averages it over time, and alarms.
    """
    config, score = model.config, SCORES[kind]
    alarms = Alarms(model.alarms(scores, kind), scores, score.smear(config.window, model.calibration))
    sharp = None
    if score.averaged and config.least_height and first_row(np.asarray, alarms.labels) is not None:
        with np.errstate(over="ignore"):
            narrow = unaveraged(scaled, statistics(), config.window, model.calibration)
        if too_large is not None:
            most = narrow.dtype.type(highest(config.dtype))
            narrow = by_rows(lambda part, place: np.where(place.any(axis=1), most, part), narrow, too_large)
        both = by_rows(
            np.minimum, alarms.labels, model.alarms(narrow, "multiscale")
        )  # no event without an alarm of the score
        sharp = Alarms(both, narrow, config.window)
    return event_labels(alarms, config, only_past=score.only_past, sharp=sharp)
