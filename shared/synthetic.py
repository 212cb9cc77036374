"""The tutorial's series: a noisy sine, and its copy with a labelled anomaly."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int8


class LabelledSeries(NamedTuple):
    """A normal series, an anomalous one, and which steps of the second are anomalies (1) or not (0)."""

    normal: Float64[np.ndarray, " time"]
    anomalous: Float64[np.ndarray, " time"]
    labels: Int8[np.ndarray, " time"]


def noisy_sine(
    seed: int,
    *,
    length: int = 500,
    periods: float = 10.0,
    noise: float = 0.1,
    shift: float = 2.5,
    anomaly: tuple[int, int] = (300, 320),
) -> LabelledSeries:
    """sin(x) plus normal noise, and a copy with `shift` added to the steps [start, end) of `anomaly`.

    The defaults are the tutorial's: 500 points of `linspace(0, 20 * pi, 500)` (ten periods), noise of
    standard deviation 0.1, and 2.5 added to points 300 to 319.
    """
    phase = np.linspace(0.0, 2.0 * np.pi * periods, length)
    normal = np.sin(phase) + np.random.default_rng(seed).normal(0.0, noise, length)
    labels = np.zeros(length, dtype=np.int8)
    labels[slice(*anomaly)] = 1
    return LabelledSeries(normal, normal + shift * labels, labels)
