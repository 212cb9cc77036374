"""A series that a fitted model has scored, once: what the network says of it, and the scores."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from twinvae.config import KINDS, Kind
from twinvae.detector.preparation import gap_warnings, hole_warnings
from twinvae.files.out_of_core import TimeByChannel, by_rows, has_missing, number
from twinvae.model.model import Model
from twinvae.network.backend import Backend, Statistic
from twinvae.network.net import Net
from twinvae.scoring.calibration import mean_over_draws
from twinvae.scoring.formulas import Statistics
from twinvae.scoring.kinds import (
    SCORES,
    contributions,
    mean_over_channels,
    statistics_of,
)
from twinvae.scoring.neighbours import own_starts, with_distances
from twinvae.scoring.overflow import bounded, highest, limits, too_large, without
from twinvae.scoring.rules import Rules
from twinvae.scoring.statistics import SHORT, latent_draws
from twinvae.series.scaling import standardise
from twinvae.series.series import Series
from twinvae.windowing.geometry import count


@dataclass(frozen=True, eq=False)
class Scored:
    """One series and what a fitted model makes of it.

    Each part is computed when it is first asked for, and kept. The network runs over the series once for all of them
    (and once more for each latent draw, if the model scores by draws; `latent` is a pass of its own).
    """

    model: Model
    backend: Backend
    series: Series  # checked; with missing="interpolate" its gaps are filled
    kind: Kind  # of the score
    explained: bool  # whether the one pass over the series is to give the expected values too

    @cached_property
    def scaled(self) -> TimeByChannel:
        """The series as the network reads it: values too large for its scores, or not valid, are left out (NaN)."""
        places = self._left_out
        return self._standardised if places is None else without(self._standardised, places)

    @cached_property
    def too_large(self) -> Bool[np.ndarray, "time channel"] | None:
        """Which values are too large for the scores of their windows; None if none is."""
        return too_large(self._standardised, limits(self.model.calibration, self.model.config.dtype))

    @cached_property
    def outside(self) -> Bool[np.ndarray, "time channel"] | None:
        """Which values are outside their valid range; None if none is."""
        return self.rules.outside(self.series.values)

    @cached_property
    def rules(self) -> Rules:
        """The rules that say which events are kept."""
        return Rules.of(self.model.config, self.model.channels)

    @cached_property
    def _left_out(self) -> Bool[np.ndarray, "time channel"] | None:
        """Which values no window holds; None if all do."""
        if self.outside is None or self.too_large is None:
            return self.too_large if self.outside is None else self.outside
        return by_rows(np.logical_or, self.too_large, self.outside)

    @cached_property
    def _standardised(self) -> TimeByChannel:
        with np.errstate(over="ignore"):  # what overflows is too large
            return standardise(self.series.values, self.model.scaler, self.model.config.dtype)

    @cached_property
    def contributions(self) -> TimeByChannel:
        """The score of each channel at each time step; NaN where the channel has no value within a window.

        A score that overflows the precision of the model, and that of a value too large for it or outside its valid
        range, is `highest`.
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
        if self._left_out is None:
            return result
        most = result.dtype.type(highest(config.dtype))
        whole = by_rows(lambda part, place: np.where(place, most, part), result, self._left_out)
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

    @cached_property
    def scores(self) -> Float[np.ndarray, " time"]:
        """The score of each time step: the mean of the contributions over the channels."""
        return mean_over_channels(self.contributions)

    @cached_property
    def _own_starts(self) -> Int[np.ndarray, " n"] | None:
        """The step of the training series at which each window begins, if the series begins with it."""
        memory = self.model.calibration.memory
        return None if memory is None else own_starts(memory, self.scaled, self.model.config.window)

    @property
    def is_all_own(self) -> bool:
        """Whether it was fitted on all of the series."""
        memory = self.model.calibration.memory
        return memory is not None and len(self.scaled) <= memory.length and self._own_starts is not None

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
        if SCORES[self.kind].ends_by_steps:
            kinds.append("multiscale")
        if self.explained or self.rules.compares_values:
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
