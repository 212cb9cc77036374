"""Calibrations of no fit, for tests of what comes after one."""

import numpy as np

from twinvae.config import DType
from twinvae.model.calibration_record import columns
from twinvae.scoring.formulas import AVERAGED, Calibration, durations_of
from twinvae.scoring.neighbours import VIEWS, Memory, bank_of, digest


def made_up(
    channels: int,
    window: int,
    *,
    durations: tuple[int, ...] = (1,),
    warm_up: float = 0.25,
    dtype: DType = "float32",
    seed: int | None = None,
) -> Calibration:
    """Errors are divided by 1, or with a seed by random numbers, and windows are compared with random ones."""
    generator = np.random.default_rng(seed)
    known = np.random.default_rng(5).normal(size=(2 * window + 9, channels)).astype(dtype)

    def units(*shape: int) -> np.ndarray:
        return np.ones(shape) if seed is None else generator.uniform(1, 2, shape)

    return Calibration(
        warm_up=np.full(channels, warm_up),
        durations=durations,
        largest={kind: units(len(durations_of(kind, durations)), columns(kind, channels)) for kind in AVERAGED},
        peak={kind: float(units(1)[0]) for kind in AVERAGED},
        variance=units(channels),
        memory=Memory({view: bank_of(view, known, window) for view in VIEWS}, len(known), digest(known)),
    )
