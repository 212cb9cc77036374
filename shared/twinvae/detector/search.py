"""The search of a series of which nothing is known: models that have not seen a part of it judge that part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int8

from twinvae.config import Config
from twinvae.detector.arguments import Estimator
from twinvae.detector.detection import Detection
from twinvae.detector.preparation import Prepared, prepare, to_score
from twinvae.detector.rows import Ignore, of_rows
from twinvae.files.out_of_core import TimeByChannel, by_rows, on_disk
from twinvae.model.model import Model
from twinvae.network.backend import Backend
from twinvae.network.failure import check_finite
from twinvae.network.parameters import Parameters
from twinvae.network.training import train_together
from twinvae.scoring.cross_fit import blocks, elsewhere, held_out, least_length
from twinvae.scoring.events import Alarms, event_labels
from twinvae.scoring.expected_rate import SEARCH, ExpectedEvents, measured
from twinvae.scoring.extent import excess, within
from twinvae.scoring.formulas import Statistics
from twinvae.scoring.kinds import Score, contributions_of, mean_over_channels
from twinvae.scoring.overflow import highest
from twinvae.scoring.search import FEW, HELD_OUT, SEEN, Usual, score_of, unusual, usual
from twinvae.series.series import Series

# What names another rule than that of a search.
RULES = ("kind", "draws", "threshold", "margin", "quantile", "mad_factor", "false_alarm_rate", "false_events", "trim")
SHARE_OF_EPOCHS = 0.5  # that a model of a part is trained for: events found are the same as with all of them


@dataclass(frozen=True, eq=False)
class Searched(Detection):
    """A series that was searched itself: a score says how far its error is above what is usual in the same series.

    `held_out` are models that each have not learned from one block of the series, in the order of the blocks, and judge
    that block. If there are none, the model that has learned from all of it judges all of it.
    """

    held_out: tuple[Model, ...] = ()
    together: str = ""  # why there are none
    times: float = 1.0  # the usual threshold of a search

    def _at(self, times: float, rules: Mapping[str, Any]) -> Self:
        return replace(super()._at(times, rules), times=self.times * times)

    @property
    def _rests_on(self) -> str:
        rows, number, known = len(self.scaled), len(self.held_out), self.usual
        how = f"by {number} models, each of a part that it has not learned from"
        if not number:
            how = f"by one model that has learned from all of them, since {self.together}: what it knows scores less"
        how += "" if self.times == 1 else f", at {self.times:.3g} times the usual threshold"
        few = f" {known.stretches} stretches are few to say what is usual: trust the order more than the events;"
        return (
            f"{rows} rows were searched {how};{few if known.stretches < FEW else ''} expect "
            f"{self.expected_false_events.among(rows)}; a part known to be normal (train_rows, --train-rows) would "
            "make it surer"
        )

    @property
    def expected_false_events(self) -> ExpectedEvents:
        """How many false events to expect of the threshold of the search, and the option that makes it so."""
        return measured(SEARCH, self.times)._replace(option=f"--search-margin {self.times:g}")

    @property
    def threshold(self) -> float:
        """What a score must exceed to be an alarm; it does not depend on the series."""
        return self.times * score_of(HELD_OUT if self.held_out else SEEN)

    @property
    def name(self) -> str:
        """What the score is called."""
        return "search"

    @property
    def axis(self) -> str:
        """What the axis of a picture says."""
        return "deviations above what is usual here"

    @property
    def smear(self) -> int:
        """How many steps away from an anomaly the score may still be raised."""
        return self.model.config.window + max(self.usual.durations)

    @cached_property
    def usual(self) -> Usual:
        """The largest errors that stretches of this series usually have."""
        return usual(self._statistics["point"], self.model.config.window)

    def _found(self, config: Config) -> Int8[np.ndarray, " time"]:
        scores = self._inside(self.scores)
        over = self._above(scores)
        narrow = mean_over_channels(self._contributions(self._statistics, durations=1))
        narrow = by_rows(lambda part: np.nan_to_num(part, nan=0.0), narrow)
        if self.too_large is not None:
            most = narrow.dtype.type(highest(config.dtype))
            narrow = by_rows(lambda part, place: np.where(place.any(axis=1), most, part), narrow, self.too_large)
        narrow = self._inside(narrow)
        alarms = Alarms(over, by_rows(_height, scores), self.smear)
        both = by_rows(np.minimum, over, self._above(narrow))
        labels = event_labels(alarms, config, sharp=Alarms(both, by_rows(_height, narrow), config.window))
        return within(labels, both, excess(self._statistics["point"]), over)

    def _above(self, scores: Float[np.ndarray, " time"]) -> Int8[np.ndarray, " time"]:
        return by_rows(lambda part: (part > self.threshold).astype(np.int8), scores)

    def _scored(self, statistics: Statistics) -> TimeByChannel:
        return self._contributions(statistics)

    def _contributions(self, statistics: Statistics, durations: int | None = None) -> TimeByChannel:
        def of(statistics: Statistics, *_: object) -> TimeByChannel:
            return unusual(statistics["point"], self.usual, durations=durations)

        score = Score("point", ("point",), of, "", "")
        return contributions_of(score, self.scaled, statistics, self.model.config.window, self.model.calibration)

    @cached_property
    def _statistics(self) -> Statistics:
        """The point error and the expected value of each step, from the model that has not learned from its block."""
        wanted = self._wanted("point", "reconstruction")
        models = self.held_out or (self.model,)
        found = [replace(self, model=model, held_out=())._run(wanted) for model in models]
        return held_out(found, blocks(len(self.scaled), len(models)))


def is_asked_for(arguments: Estimator) -> bool:
    """Whether these arguments leave it to a search how a series is judged of which no part is known to be normal."""
    named = (getattr(arguments, name) for name in RULES)
    return arguments.resolved().folds > 0 and all(value is None for value in named)


def trained_apart(backend: Backend, prepared: Prepared, seed: int) -> list[Parameters]:
    """For each block of a prepared series, the parameters of a model that has learned from the rest of it.

    They are trained together, in one program, and for half of the epochs. There are none if `why_together` says so.

    Raises:
        ValueError: if the parameters or the loss of one do not stay finite.
    """
    if why_together(prepared) is not None:
        return []
    config, scaled, number = prepared.config, prepared.scaled, prepared.config.folds
    epochs = max(1, round(SHARE_OF_EPOCHS * config.epochs))
    learned = [elsewhere(len(scaled), config.window, block) for block in blocks(len(scaled), number)]
    trained = train_together(backend, prepared.net, [scaled] * number, [epochs] * number, config, seed, bool, learned)
    for parameters, history in trained:
        check_finite(config, *parameters.values(), np.array(history["loss"]))
    return [parameters for parameters, _ in trained]


def why_together(prepared: Prepared) -> str | None:
    """Why one model learns from all of a searched series and judges all of it; None if that need not be."""
    config, rows = prepared.config, len(prepared.scaled)
    if config.folds < 2:
        return "folds=0 asks for one model"
    least = least_length(config.window, config.folds)
    if rows < least:
        return f"{rows} rows are too few to hold parts back ({least} are needed for windows of {config.window})"
    if on_disk(prepared.scaled):
        return "the series stays on disk"
    return None


def searched(
    arguments: Estimator,
    model: Model,
    backend: Backend,
    series: Series,
    prepared: Prepared | None = None,
    ignore: Ignore = (),
) -> Detection:
    """The search of the series that a model was fitted on with these arguments.

    The models of its parts are trained here. Latent draws have no part in it. `prepared` is the series as it was for
    the fit, if that is at hand.

    Raises:
        TypeError, ValueError: if the series is not fit for use, or the training of a part diverges.
    """
    prepared = prepare(arguments, series) if prepared is None else prepared
    apart = trained_apart(backend, prepared, model.seed)
    model = replace(model, config=replace(model.config, draws=0))
    models = tuple(replace(model, parameters=parameters) for parameters in apart)
    used, together = to_score(series, model), why_together(prepared) or ""
    margin = model.config.search_margin
    return of_rows(Searched(model, backend, used, model.config.kind, True, models, together, margin), series, ignore)


def _height(scores: Float[np.ndarray, " step"]) -> Float[np.ndarray, " step"]:
    """The size of an error that has this score, in square roots of its deviations: events are parted by it."""
    return np.nan_to_num(np.sqrt(np.expm1(np.minimum(scores.astype(np.float64), 500.0))), nan=0.0)
