"""The scaling of each channel: what is taken off, and what it is divided by."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from twinvae.config import Scaling
from twinvae.files.out_of_core import TimeByChannel, by_rows, kept, number, pieces, quantiles

CONSTANT = 64 * 2.0**-52  # a channel that varies by less, relative to its largest value, holds only rounding errors
INEXACT = 1e-12  # of its largest value: a channel that varies by less needs a mean of its differences, not of itself
TINY = 2.0**-400  # squares of deviations below this lose digits, and soon vanish

QUARTILES_TO_DEVIATION = 1.3489795003921634  # the distance of the quartiles of N(0, 1)
LEAST_ROBUST = 1e-3  # of the standard deviation: below, the quartiles say nothing of how a channel varies

# A few values rule the standard deviation of a channel if they are this many robust deviations off, at most this share
# of its values, and the deviation without them is smaller by this factor. Its squared errors are then as much smaller
# as the factor's square, less than beta weighs against them, and training learns little but those values.
WILD, FEW, RULED = 50.0, 1 / 64, 3.0


# Numbers that programs write where there is no value.
_STAND_INS = {float(sign * n) for n in (99, 100, 200, 888, 999) for sign in (1, -1)} | {
    *(-(10.0**n) + 1 for n in range(4, 13)), *(10.0**n - 1 for n in range(4, 13)), -8888.0, 8888.0,
    32767.0, -32768.0, 65535.0, 2.0**31 - 1, -(2.0**31), 2.0**32 - 1, 1e20, -1e20, 1e30, -1e30,
}  # fmt: skip
FAR_FROM_ALL = 2.0  # times the range of the others: so far off is a number that stands for no value
# Such numbers may be values, too: they are named if they are few. 85 is a DS18B20's before it has measured.
_FEW_STAND_INS = _STAND_INS | {0.0, -1.0, 85.0, -127.0, 127.0, -128.0, 255.0, 1023.0, 4095.0, -273.15}
APART = 0.5  # times the range of the others, between which and them there is none


class Scaler(NamedTuple):
    """What to subtract from each channel, and what to divide it by."""

    shift: Float[np.ndarray, " channel"]
    scale: Float[np.ndarray, " channel"]


class Spread(NamedTuple):
    """How each channel varies about its mean."""

    mean: Float[np.ndarray, " channel"]
    deviation: Float[np.ndarray, " channel"]  # the standard deviation
    furthest: Float[np.ndarray, " channel"]  # the largest distance of a value from the mean
    largest: Float[np.ndarray, " channel"]  # the largest absolute value

    @property
    def flat(self) -> Bool[np.ndarray, " channel"]:
        """Whether what a channel varies by is no more than rounding errors of float64 at its size."""
        return np.asarray(self.deviation <= CONSTANT * self.largest)


class Wild(NamedTuple):
    """The few values that are so far from the rest of a channel that they decide its standard deviation."""

    row: Bool[np.ndarray, " time"]
    deviation: float  # of the rest


def fit_scaler(series: TimeByChannel, scaling: Scaling, spread: Spread | None = None) -> Scaler:
    """The shift and the scale of each channel that `scaling` names: 0 and 1, mean and deviation, or robust estimates.

    Robust are the median and the distance of the quartiles over 1.349, which is the standard deviation of normal data
    and hardly moved by outliers: Rousseeuw and Croux 1993, "Alternatives to the Median Absolute Deviation". Where half
    of a channel's values are (almost) the same that distance is 0, and the standard deviation takes its place.
    A channel that varies by rounding errors alone keeps its unit: its scale is 1. Missing values (NaN) are left out.
    `spread` is that of the series, if it is known.

    Raises:
        ValueError: if a channel's values are too large for float64.
    """
    channels = series.shape[1]
    if scaling == "none":
        return Scaler(np.zeros(channels), np.ones(channels))
    found = measure(series) if spread is None else spread
    shift, scale = found.mean, found.deviation
    if not np.isfinite([shift, scale]).all():
        raise ValueError("the values of the series are too large to take their standard deviation")
    if scaling == "robust":
        low, shift, high = np.transpose([_quartiles(series[:, channel]) for channel in range(channels)])
        robust = (high - low) / QUARTILES_TO_DEVIATION
        rest = [
            scale[c] if (wild := wild_values(series, c, found)) is None else wild.deviation for c in range(channels)
        ]
        scale = np.where(robust < LEAST_ROBUST * np.array(rest), scale, robust)
    return Scaler(np.asarray(shift), np.where(found.flat, 1.0, scale))


def measure(series: TimeByChannel) -> Spread:
    """How each channel varies, in float64; not finite where that overflows. Missing values (NaN) are left out.

    Where a channel varies by next to nothing beside its size, the sum of its values has lost what it varies by: there
    the mean is corrected by that of the differences from it. Where the squares of the differences would vanish, they
    are taken in units of a power of two, which rounds nothing.
    """
    cuts = list(pieces(series))

    def about(mean: np.ndarray) -> Spread:
        off = np.fmax.reduce([np.fmax.reduce(np.abs(series[rows] - mean)) for rows in cuts])
        unit = np.where((off > 0) & (off < TINY), np.exp2(np.floor(np.log2(np.where(off > 0, off, 1.0)))), 1.0)
        squares = sum(np.nansum(((series[rows] - mean) / unit) ** 2, axis=0) for rows in cuts)
        return Spread(mean, unit * np.sqrt(squares / known), off, largest)

    with np.errstate(over="ignore", invalid="ignore"):
        known = sum(np.count_nonzero(~np.isnan(series[rows]), axis=0) for rows in cuts)
        largest = np.fmax.reduce([np.fmax.reduce(np.abs(series[rows])) for rows in cuts])
        found = about(np.asarray(sum(np.nansum(series[rows].astype(np.float64), axis=0) for rows in cuts) / known))
        inexact = found.deviation <= INEXACT * largest
        if inexact.any():
            differences = sum(np.nansum(series[rows] - found.mean, axis=0) for rows in cuts) / known
            found = about(found.mean + np.where(inexact, differences, 0.0))
    return found


def wild_values(series: TimeByChannel, channel: int, spread: Spread) -> Wild | None:
    """The few values of a channel that decide its standard deviation, such as a sensor's -999; None if there are none.

    A channel whose other values are (almost) all the same has none: nothing says that those are the usual ones.
    """
    # If there are any, one of them is at least this far off; so most channels need no quartiles.
    if not spread.furthest[channel] >= np.sqrt((1 - FEW - RULED**-2) / FEW) * spread.deviation[channel]:
        return None
    values = series[:, channel]
    known = number(lambda part: ~np.isnan(part), values)
    low, middle, high = _quartiles(values)
    robust = (high - low) / QUARTILES_TO_DEVIATION
    if robust <= CONSTANT * abs(middle):
        return None
    row = by_rows(lambda part: np.abs(part - middle) > WILD * robust, values)
    if not 0 < number(np.asarray, row) <= FEW * known:
        return None
    deviation = float(measure(kept(values, by_rows(np.logical_not, row))[:, None]).deviation[0])
    return Wild(row, deviation) if RULED * deviation < spread.deviation[channel] else None


def stand_in(values: Float[np.ndarray, " time"]) -> tuple[float, int] | None:
    """A number that stands for missing values by its looks, such as -999, and how often; None if there is none.

    It is one that programs write for no value, comes more than once, and lies far below or above all others; or it is
    such a one, or 0, in few rows (at most `FEW` of them), and apart from all others.
    """
    known = [(np.fmin.reduce(part), np.fmax.reduce(part)) for part in (values[rows] for rows in pieces(values))]
    for extreme in (float(np.fmin.reduce([low for low, _ in known])), float(np.fmax.reduce([top for _, top in known]))):
        count = number(lambda part, at=extreme: part == at, values) if extreme in _FEW_STAND_INS else 0
        if count < 2:
            continue
        rest = kept(values, by_rows(lambda part, at=extreme: ~np.isnan(part) & (part != at), values))
        if count > len(rest):
            continue
        low, high = float(np.min(rest)), float(np.max(rest))
        gap = min(abs(extreme - low), abs(extreme - high))
        far = extreme in _STAND_INS and gap > FAR_FROM_ALL * (high - low)
        few = count <= FEW * (count + len(rest)) and gap > APART * (high - low)
        if high > low and (far or few):
            return extreme, count
    return None


def written(value: float | np.floating) -> str:
    """A number in the fewest digits that read as it, so that what is said of it finds it again: -999, 1e+30, 0.1."""
    shortest = f"{value:g}"
    return shortest if float(shortest) == value else repr(float(value)).removesuffix(".0")


def _quartiles(values: Float[np.ndarray, " time"]) -> Float[np.ndarray, "3"]:
    return quantiles(kept(values, by_rows(lambda part: ~np.isnan(part), values)), (0.25, 0.5, 0.75))


def standardise(series: TimeByChannel, scaler: Scaler, dtype: str) -> TimeByChannel:
    """`(series - shift) / scale` per channel, computed in float64 and rounded once to `dtype`."""
    return by_rows(lambda part: ((part - scaler.shift) / scaler.scale).astype(dtype), series)
