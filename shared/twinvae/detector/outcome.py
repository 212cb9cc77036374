"""What a training came to: whether it has learned anything, and whether what follows from it can be kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8

from twinvae.config import KINDS
from twinvae.detector.detection import Detection
from twinvae.detector.labels import labels_of
from twinvae.detector.preparation import Prepared, to_score
from twinvae.detector.rates import rated
from twinvae.detector.search import trained_apart
from twinvae.files.out_of_core import TimeByChannel
from twinvae.model.file import check
from twinvae.model.model import Model
from twinvae.network.backend import Backend
from twinvae.network.failure import check_learned
from twinvae.network.parameters import Parameters
from twinvae.network.training import held_out_steps
from twinvae.scoring.calibration import calibrate
from twinvae.scoring.event_rate import EventRate
from twinvae.scoring.formulas import Calibration, Statistics
from twinvae.scoring.kinds import statistics_of
from twinvae.scoring.statistics import latent_draws


class Outcome(NamedTuple):
    """What a trained network makes of its training series."""

    calibration: Calibration
    thresholds: dict[str, float]
    statistics: Statistics
    scores: Float[np.ndarray, " time"]
    event_rate: EventRate | None  # if a rate of false events was asked for


def calibrated(
    backend: Backend, prepared: Prepared, parameters: Parameters, seed: int, apart: Sequence[Parameters] | None
) -> Outcome:
    """Calibrates the scores, and sets their thresholds.

    `apart` is what `trained_apart` gives; None trains them if a rate of false events was asked for.

    Raises:
        ValueError: if the training series cannot support what was asked for.
    """
    config, net, scaled, wanted = prepared.config, prepared.net, prepared.scaled, statistics_of(*KINDS)

    def run(noise: Float[np.ndarray, " latent"] | None = None, by: Parameters = parameters) -> Statistics:
        return backend.statistics(net, by, scaled, wanted, config.device, noise)

    def beside_gaps(cut: TimeByChannel) -> Statistics:
        return backend.statistics(replace(net, masked=True), parameters, cut, wanted, config.device, None)

    drawn = map(run, latent_draws(config, seed))
    calibration, thresholds, scores = calibrate(scaled, statistics := run(), drawn, config, beside_gaps, prepared.rows)
    event_rate = None
    if prepared.rate is not None:
        apart = trained_apart(backend, prepared, seed) if apart is None else apart
        held_out = [run(by=each) for each in apart]
        thresholds, event_rate = rated(prepared, calibration, thresholds, statistics, held_out)
    return Outcome(calibration, thresholds, statistics, scores, event_rate)


def scores_and_labels(
    backend: Backend,
    model: Model,
    prepared: Prepared,
    statistics: Statistics,
    scores: Float[np.ndarray, " time"],
) -> tuple[Float[np.ndarray, " row"], Int8[np.ndarray, " row"]]:
    """Scores and labels of the training rows, from a model that has learned something and can be read from a file.

    `scores` are those that calibration has found; if it has left wild values out, the series is scored with them.

    Raises:
        ValueError: if the model has learned nothing, or a part of it is not finite.
    """
    scaled, config = prepared.scaled, prepared.config
    part = scaled[: len(scaled) - held_out_steps(len(scaled), config)]
    check_learned(part, statistics["window"], prepared.net, config)
    try:
        check(model)
    except ValueError as error:
        use = 'use scaling="standard" (--scaling standard), float64, or smaller values'
        raise ValueError(f"the fit overflows {config.dtype}: {error}: {use}") from None
    if prepared.whole is None:
        labels = labels_of(model, config.kind, scores, scaled, lambda: statistics)
    else:
        found = Detection(model, backend, to_score(prepared.whole, model), config.kind, False)
        scores, labels = found.scores, found.labels
    return (scores, labels) if prepared.rows is None else (scores[prepared.rows], labels[prepared.rows])
