"""The scaling of each channel: what is taken off, and what it is divided by."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.config import Scaling
from twinvae.files.out_of_core import TimeByChannel, by_rows, kept, pieces, quantiles

CONSTANT = 1e-12  # a channel that varies less than this, relative to its largest value, counts as constant
QUARTILES_TO_DEVIATION = 1.3489795003921634  # the distance of the quartiles of N(0, 1)
LEAST_ROBUST = 1e-3  # of the standard deviation: below, the quartiles say nothing of how a channel varies


class Scaler(NamedTuple):
    """What to subtract from each channel, and what to divide it by."""

    shift: Float[np.ndarray, " channel"]
    scale: Float[np.ndarray, " channel"]


def fit_scaler(series: TimeByChannel, scaling: Scaling) -> Scaler:
    """The shift and the scale of each channel that `scaling` names: 0 and 1, mean and deviation, or robust estimates.

    Robust are the median and the distance of the quartiles over 1.349, which is the standard deviation of normal data
    and hardly moved by outliers: Rousseeuw and Croux 1993, "Alternatives to the Median Absolute Deviation". Where half
    of a channel's values are (almost) the same that distance is 0, and the standard deviation takes its place.
    A constant channel keeps its unit: its scale is 1. Missing values (NaN) are left out.

    Raises:
        ValueError: if a channel's values are too large for float64.
    """
    channels = series.shape[1]
    if scaling == "none":
        return Scaler(np.zeros(channels), np.ones(channels))
    cuts = list(pieces(series))
    with np.errstate(over="ignore", invalid="ignore"):
        known = sum(np.count_nonzero(~np.isnan(series[rows]), axis=0) for rows in cuts)
        shift = sum(np.nansum(series[rows].astype(np.float64), axis=0) for rows in cuts) / known
        scale = np.sqrt(sum(np.nansum((series[rows] - shift) ** 2, axis=0) for rows in cuts) / known)
        largest = np.fmax.reduce([np.fmax.reduce(np.abs(series[rows])) for rows in cuts])
    if not np.isfinite([shift, scale]).all():
        raise ValueError("the values of the series are too large to take their standard deviation")
    flat = scale <= CONSTANT * largest
    if scaling == "robust":
        low, shift, high = np.transpose([_quartiles(series[:, channel]) for channel in range(channels)])
        robust = (high - low) / QUARTILES_TO_DEVIATION
        scale = np.where(robust < LEAST_ROBUST * scale, scale, robust)
    return Scaler(np.asarray(shift), np.where(flat, 1.0, scale))


def _quartiles(values: Float[np.ndarray, " time"]) -> Float[np.ndarray, "3"]:
    return quantiles(kept(values, by_rows(lambda part: ~np.isnan(part), values)), (0.25, 0.5, 0.75))


def standardise(series: TimeByChannel, scaler: Scaler, dtype: str) -> TimeByChannel:
    """`(series - shift) / scale` per channel, computed in float64 and rounded once to `dtype`."""
    return by_rows(lambda part: ((part - scaler.shift) / scaler.scale).astype(dtype), series)
