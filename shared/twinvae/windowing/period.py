"""The dominant period of a series."""

import numpy as np
from jaxtyping import Float

FALLBACK = 125  # TSB-AD's answer where the autocorrelation has no peak in range
LONGEST_SERIES = 20_000
LONGEST_LAG = 400
SHORTEST_LAG = 3


def period(series: Float[np.ndarray, " time"]) -> int:
    """The lag in steps of the highest peak of the autocorrelation, 6 to 303: TSB-AD's `find_length_rank(series, 1)`.

    The first 20,000 steps are used. A series without such a peak (a constant, a straight line, white noise in a short
    series) gives 125.

    Raises:
        ValueError: if the series is empty or a value is not finite.
    """
    if len(series) == 0 or not np.isfinite(series).all():
        raise ValueError(
            "the period of an empty series, or of one with missing values, is not defined: fill the gaps first"
        )
    correlation = autocorrelation(series[:LONGEST_SERIES], LONGEST_LAG)[SHORTEST_LAG:]
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:])) + 1
    if len(peaks) == 0:
        return FALLBACK
    highest = int(peaks[np.argmax(correlation[peaks])])
    return highest + SHORTEST_LAG if 3 <= highest <= 300 else FALLBACK


def autocorrelation(series: Float[np.ndarray, " time"], lags: int) -> Float[np.ndarray, " lag"]:
    """`sum_t (x[t] - mean) * (x[t + k] - mean)` over its value at lag 0, for k from 0 to `lags`, or to the last step.

    The sum is not divided by its number of terms. A constant series gives 0 at every lag.
    """
    centred = series - series.mean()
    size = 1 << (2 * len(series) - 1).bit_length()  # zeros enough that the ends do not meet
    spectrum = np.fft.rfft(centred, size)
    covariance = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[: min(lags + 1, len(series))]
    return covariance / covariance[0] if covariance[0] > 0 else np.zeros_like(covariance)
