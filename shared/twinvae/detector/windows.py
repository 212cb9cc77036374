"""Scores of separate windows, by a fitted model whose parameters are converted once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64

from twinvae.detector.preparation import check_names
from twinvae.model.model import Model
from twinvae.network.backend import Backend
from twinvae.network.net import Net
from twinvae.series.arrays import channel_names

Scorer = Callable[[Any], Float64[np.ndarray, " n"]]


def window_scorer(backend: Backend, model: Model) -> Scorer:
    """The function that `VAEDetector.window_scorer` gives."""
    config = model.config
    plain, masked = (Net.of(config, len(model.channels), masked=gaps) for gaps in (False, True))
    score = backend.bind(plain, model.parameters, config.device)
    score_masked = backend.bind(masked, model.parameters, config.device) if masked.masked else None
    shape = (-1, config.window, len(model.channels))
    shift, scale = model.scaler

    def score_windows(windows: Any) -> Float64[np.ndarray, " n"]:
        if not isinstance(windows, np.ndarray):  # an array has no names
            check_names(channel_names(windows, shape[2]), model.channels)
        values = np.asarray(windows)
        one_channel = shape[2] == 1 and values.shape[-1:] == (shape[1],) and values.ndim in (1, 2)
        if values.size == 0 or not (one_channel or (values.shape[-2:] == shape[1:] and values.ndim in (2, 3))):
            raise ValueError(f"windows must have shape (n, {shape[1]}, {shape[2]}), got {values.shape}")
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = ((values.reshape(shape) - shift) / scale).astype(config.dtype)
            scores = score(scaled).astype(np.float64)
        if np.count_nonzero(np.isfinite(scores)) < len(scores):  # `all` takes longer than the rest of the line
            if score_masked is not None and not np.isinf(scaled).any():
                scores = score_masked(scaled).astype(np.float64)
            if score_masked is None or not np.isfinite(scores[~np.isnan(scaled).all(axis=(1, 2))]).all():
                raise ValueError("a window holds values that are missing, infinite or too large")
        return scores

    return score_windows
