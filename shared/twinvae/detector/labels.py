"""Which steps of a scored series an event covers, before the rules that say which events are kept."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int8

from twinvae.config import Kind
from twinvae.files.out_of_core import TimeByChannel, by_rows, first_row
from twinvae.model.model import Model
from twinvae.scoring.events import Alarms, event_labels
from twinvae.scoring.formulas import Statistics
from twinvae.scoring.kinds import SCORES, unaveraged
from twinvae.scoring.overflow import highest


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
    if score.ends_by_steps and config.least_height and first_row(np.asarray, alarms.labels) is not None:
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
