"""What a training came to: whether it has learned anything, and whether what follows from it can be kept."""

import numpy as np
from jaxtyping import Float, Int8

from twinvae.detector.detection import Detection, labels_of
from twinvae.detector.preparation import Prepared, to_score
from twinvae.model.file import check
from twinvae.model.model import Model
from twinvae.network.backend import Backend
from twinvae.network.failure import check_learned
from twinvae.network.training import held_out_steps
from twinvae.scoring.formulas import Statistics


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
