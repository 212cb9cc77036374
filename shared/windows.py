"""Windows of a series: standardise, slide, fold back.

`slide` and `fold` are written against the array API standard: `xp` is the namespace of the arrays (NumPy,
`jax.numpy`, or `array_api_compat.torch`), so the same lines run under NumPy, in PyTorch and inside `jax.jit`.
"""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from shared.config import Centring, Scaling
from shared.storage import by_rows, kept, pieces, quantiles, zeros_beside

CONSTANT = 1e-12  # a channel that varies less than this, relative to its largest value, counts as constant
QUARTILES_TO_DEVIATION = 1.3489795003921634  # the distance of the quartiles of N(0, 1)
LEAST_ROBUST = 1e-3  # of the standard deviation: below, the quartiles say nothing of how a channel varies


class Scaler(NamedTuple):
    """What to subtract from each channel, and what to divide it by."""

    shift: Float[np.ndarray, " channel"]
    scale: Float[np.ndarray, " channel"]


def fit_scaler(series: Float[np.ndarray, "time channel"], scaling: Scaling) -> Scaler:
    """What `scaling` names, of each channel: 0 and 1, mean and standard deviation, or their robust kin.

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


def standardise(
    series: Float[np.ndarray, "time channel"], scaler: Scaler, dtype: str
) -> Float[np.ndarray, "time channel"]:
    """`(series - shift) / scale` per channel, computed in float64 and rounded once to `dtype`."""
    return by_rows(lambda part: ((part - scaler.shift) / scaler.scale).astype(dtype), series)


def count(length: int, window: int) -> int:
    """Number of windows of stride 1 in a series of `length` steps."""
    return length - window + 1


def power_of_two(number: int) -> int:
    """The smallest power of two that is at least this: sizes rounded up to one share a compiled program."""
    return 1 << (number - 1).bit_length()


def coverage(length: int, window: int, begin: int = 0, end: int | None = None) -> Int[np.ndarray, " time"]:
    """Number of windows that cover each time step, of the steps [begin, end) if not of all."""
    step = np.arange(begin, length if end is None else end)
    return np.minimum(np.minimum(step + 1, length - step), min(window, count(length, window)))


def fully_covered(length: int, window: int) -> slice:
    """The time steps that `window` windows cover, if they are at least half of the series, else all of it.

    Nearer to the ends a score averages over fewer windows and is noisier.
    """
    inner = length - 2 * (window - 1)
    return slice(window - 1, length - window + 1) if inner >= length / 2 else slice(0, length)


def slide(
    series: Float[Any, "time channel"], starts: Int[Any, " n"], window: int, xp: ModuleType
) -> Float[Any, "n window channel"]:
    """The windows that begin at the time steps `starts`."""
    return series[starts[:, None] + xp.arange(window, dtype=starts.dtype)]


def centred(
    x: Float[Any, "n window channel"], centring: Centring, masked: bool, xp: ModuleType
) -> tuple[Float[Any, "n window channel"], Float[Any, "n 1 channel"] | None]:
    """What the model sees of the windows; and the means that were taken off them, or None if none were.

    If `masked`, NaN is a value left out; the mean of none is 0.
    """
    if centring == "none":
        return x, None
    if masked:
        known = ~xp.isnan(x)
        values = xp.sum(xp.astype(known, x.dtype), axis=1, keepdims=True)
        level = xp.sum(xp.where(known, x, 0.0), axis=1, keepdims=True) / xp.maximum(values, xp.ones_like(values))
    else:
        level = xp.mean(x, axis=1, keepdims=True)
    return x - level, level


def fold(values: Float[Any, "n window channel"], xp: ModuleType) -> Float[Any, "time channel"]:
    """Sum, at each of the n + window - 1 time steps, over the windows that cover it.

    Window i begins at step i.
    """
    n, window, channels = values.shape
    edge = xp.zeros((window - 1, window, channels), dtype=values.dtype)
    padded = xp.concat((edge, values, edge), axis=0)
    # XLA fuses this sum of shifted columns into one pass; a gather or reshapes take it twice as long.
    # Columns stay a dimension of one: to trace slices alone takes JAX a third of the time.
    length, last = n + window - 1, window - 1
    columns = [padded[last - i : last - i + length, i : i + 1] for i in range(window)]
    return xp.reshape(sum(columns), (length, channels))


def observed_values(series: Float[np.ndarray, "time channel"], window: int) -> Float[np.ndarray, "n channel"]:
    """How many values each window holds that are not missing (NaN), in the dtype of the series."""
    return moving_sum(by_rows(lambda part: (~np.isnan(part)).astype(part.dtype), series), window)


def moving_sum(values: Float[np.ndarray, "n channel"], width: int) -> Float[np.ndarray, "m channel"]:
    """Sum over each run of `width` consecutive rows, m = n - width + 1.

    Runs of doubled length are added up (no running total), so one huge value leaves no rounding behind it.
    """
    result = zeros_beside(values, (len(values) - width + 1, values.shape[1]), values.dtype)
    for piece in pieces(result):
        rows = result[piece]
        run, length, offset = values[piece.start : piece.stop + width - 1], 1, 0
        while length <= width:
            if width & length:
                rows += run[offset : offset + len(rows)]
                offset += length
            run, length = run[:-length] + run[length:], 2 * length
    return result
