"""From values of windows to values of time steps: sums and means over the windows that cover a step."""

from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from twinvae.files.out_of_core import TimeByChannel, by_rows, has_missing, pieces, zeros_beside
from twinvae.windowing.geometry import coverage


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


def observed_values(series: TimeByChannel, window: int) -> Float[np.ndarray, "n channel"]:
    """The number of values in each window that are not missing (NaN), in the dtype of the series."""
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


def covering_sum(values: Float[np.ndarray, "n channel"], width: int) -> TimeByChannel:
    """The sum, at each time step, of the values of the windows of `width` steps that cover it."""
    result = zeros_beside(values, (len(values) + width - 1, values.shape[1]), values.dtype)
    for rows in pieces(result):
        known = values[max(0, rows.start - width + 1) : rows.stop]
        before, after = max(0, width - 1 - rows.start), max(0, rows.stop - len(values))
        result[rows] = moving_sum(np.pad(known, ((before, after), (0, 0))), width)
    return result


def covering_mean(values: Float[np.ndarray, "n channel"], width: int) -> TimeByChannel:
    """The mean, at each time step, of the values of the windows of `width` steps that cover it."""
    result = covering_sum(values, width)
    divide_by_coverage(result, width)
    return result


def divide_by_coverage(sums: Float[np.ndarray, "time _"], width: int) -> None:
    """Turns sums over the windows of `width` steps that cover a step into means over these windows, in place."""
    for rows in pieces(sums):
        sums[rows] /= coverage(len(sums), width, rows.start, rows.stop).astype(sums.dtype)[:, None]


def run_errors(point: TimeByChannel, duration: int) -> TimeByChannel:
    """At each time step, the mean over the runs of `duration` consecutive steps that cover it of the run's mean.

    A series shorter than that is one run. A run counts by its share of known errors (not NaN); where there are none
    the result is NaN.
    """
    duration = min(duration, len(point))
    if has_missing(point):
        sums = _sum_of_runs(by_rows(lambda part: np.where(np.isnan(part), part.dtype.type(0), part), point), duration)
        known = by_rows(lambda part: (~np.isnan(part)).astype(part.dtype), point)
        return by_rows(ratio, sums, _sum_of_runs(known, duration))
    result = _sum_of_runs(point, duration)
    divide_by_coverage(result, duration)
    for rows in pieces(result):
        result[rows] /= duration
    return result


def trailing_errors(errors: TimeByChannel, duration: int, before: Float[np.ndarray, " channel"]) -> TimeByChannel:
    """At each time step, the mean of the known errors (not NaN) of the last `duration` steps, itself included.

    Steps before the first have the errors `before`. Where no error is known the result is NaN.
    """
    padded = zeros_beside(errors, (duration - 1 + len(errors), errors.shape[1]), errors.dtype)
    padded[: duration - 1] = before
    padded[duration - 1 :] = errors
    if not has_missing(errors):
        sums = moving_sum(padded, duration)
        return by_rows(lambda part: part / part.dtype.type(duration), sums)
    known = by_rows(lambda part: (~np.isnan(part)).astype(part.dtype), padded)
    padded = by_rows(lambda part: np.where(np.isnan(part), part.dtype.type(0), part), padded)
    return by_rows(ratio, moving_sum(padded, duration), moving_sum(known, duration))


def _sum_of_runs(point: TimeByChannel, duration: int) -> TimeByChannel:
    """At each time step, the sum over the runs of `duration` steps that cover it of the run's sum."""
    result = zeros_beside(point, point.shape, point.dtype)
    for rows in pieces(point):
        first = max(0, rows.start - duration + 1)
        runs = moving_sum(np.array(point[first : rows.stop + duration - 1]), duration)
        result[rows] = covering_sum(runs, duration)[rows.start - first : rows.stop - first]
    return result


def ratio(sums: Float[np.ndarray, "*shape"], values: Float[np.ndarray, "*_"]) -> Float[np.ndarray, "*shape"]:
    """`sums / values`, NaN where there are no values."""
    return np.divide(sums, values, out=np.full_like(sums, np.nan), where=values > 0)
