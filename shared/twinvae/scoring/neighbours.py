"""How far a window is from the most similar window of the training series, its nearest neighbour.

Distance to the nearest training window is the oldest measure of anomaly there is (Knorr and Ng 1998, "Algorithms for
mining distance-based outliers in large datasets") and still the best on many series of heart beats (Liu and Paparrizos
2024, "The elephant in the room", TSB-AD). Two views of a window are compared: its shape, and what the network has left
of it, the residual. At most 500 training windows are kept, evenly spread: a bank.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from twinvae.files.out_of_core import TimeByChannel, by_rows, pieces, zeros_beside
from twinvae.windowing.fold import ratio
from twinvae.windowing.geometry import count

View = Literal["shape", "residual"]
VIEWS: tuple[View, ...] = get_args(View)
MOST_WINDOWS = 500  # of a bank: 2,000 find no more, 250 a little less
MOST_VALUES = 800  # of a window that are compared, evenly spread
LEAST_DEVIATION = 0.05  # of the training series' deviation: a window that varies less is not blown up to one that does
BLOCK_VALUES = 2**20  # values of the windows, and distances, that are in memory at once


class Bank(NamedTuple):
    """Windows of the training series, each as the values that are compared; NaN where one is missing."""

    values: Float[np.ndarray, "window value"]
    starts: Int[np.ndarray, " window"]  # the time step of the training series at which each begins


class Memory(NamedTuple):
    """What is kept of the training series: a bank for each view, and by what the series is known again."""

    banks: dict[View, Bank]
    length: int  # time steps of the training series
    digest: str  # SHA-256 of its scaled values

    def begins(self, series: TimeByChannel) -> bool:
        """Whether a scaled series begins with the training series, whose windows must not be their own neighbours."""
        return len(series) >= self.length and digest(series[: self.length]) == self.digest


def digest(series: TimeByChannel) -> str:
    """The SHA-256 of the values of a series, the same for each kind of NaN."""
    found = hashlib.sha256()
    for rows in pieces(series):
        part = np.ascontiguousarray(series[rows])
        found.update(np.where(np.isnan(part), part.dtype.type(np.nan), part).tobytes())
    return found.hexdigest()


def windows_of(series: TimeByChannel, window: int) -> Float[np.ndarray, "n thinned step"]:
    """A view of the windows of a series: of those with more than 800 values, each so many-th step (and channel)."""
    thinned = series[:, :: -(-series.shape[1] // MOST_VALUES)]
    every = sliding_window_view(np.asarray(thinned), window, axis=0)
    return every[:, :, :: max(1, window * thinned.shape[1] // MOST_VALUES)]


def compared(view: View, windows: Float[np.ndarray, "n thinned step"]) -> Float[np.ndarray, "n value"]:
    """The values of windows that are compared: `shape` takes the mean of each channel off, over its deviation."""
    if view == "shape":
        steps = np.count_nonzero(~np.isnan(windows), axis=2, keepdims=True)
        divisor = np.maximum(steps, 1).astype(windows.dtype)
        windows = windows - np.nansum(windows, axis=2, keepdims=True) / divisor
        deviation = np.sqrt(np.nansum(windows * windows, axis=2, keepdims=True) / divisor)
        windows = windows / np.maximum(deviation, windows.dtype.type(LEAST_DEVIATION))
    return np.ascontiguousarray(windows.reshape(len(windows), -1))


def bank_of(view: View, series: TimeByChannel, window: int, left_out: Bool[np.ndarray, " n"] | None = None) -> Bank:
    """Keeps windows of the training series (for `residual`: of its residuals), evenly spread, at most 500.

    `left_out` marks windows that may be anomalous: none of these is kept while there are others.
    """
    windows = np.arange(count(len(series), window))
    if left_out is not None and not left_out.all():
        windows = windows[~left_out]
    starts = np.ascontiguousarray(windows[:: -(-len(windows) // MOST_WINDOWS)])
    return Bank(compared(view, windows_of(series, window)[starts]), starts)


def distances(
    view: View, series: TimeByChannel, window: int, bank: Bank, origin: Int[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, "n 1"]:
    """The distance of each window from the most similar one of the bank; NaN for a window without values.

    It is the root of the mean squared difference of the values that both have. `origin` is the step of the training
    series at which a window begins, if it is one of its own: windows of the bank that overlap it are then left out, as
    far as others remain.
    """
    result = zeros_beside(series, (count(len(series), window), 1), series.dtype)
    for rows, _, squared in _nearest(view, series, window, bank, origin):
        result[rows, 0] = np.sqrt(squared)
    return result


def nearest(
    view: View, series: TimeByChannel, window: int, bank: Bank, origin: Int[np.ndarray, " n"] | None = None
) -> Int[np.ndarray, " n"]:
    """The place in the bank of the most similar window, for each window of a series."""
    found = [place for _, place, _ in _nearest(view, series, window, bank, origin)]
    return np.concatenate(found)


def _nearest(
    view: View, series: TimeByChannel, window: int, bank: Bank, origin: Int[np.ndarray, " n"] | None
) -> Iterator[tuple[slice, Int[np.ndarray, " part"], Float[np.ndarray, " part"]]]:
    """For some windows at a time, the place of the nearest in the bank and the mean squared difference from it."""
    there = ~np.isnan(bank.values)
    values, whole = np.where(there, bank.values, 0), bool(there.all())
    squares, present = values * values, there.astype(values.dtype)
    apart = min(window, -(-int(bank.starts[-1] - bank.starts[0]) // 2))
    windows = count(len(series), window)
    step = max(1, BLOCK_VALUES // max(bank.values.shape))
    for begin in range(0, windows, step):
        rows = slice(begin, min(begin + step, windows))
        mine = compared(view, windows_of(series[begin : rows.stop + window - 1], window))
        gaps = np.isnan(mine)
        here, known = mine, (~gaps).astype(mine.dtype)
        if gaps.any():
            here = np.where(gaps, 0, mine)
            far = known @ squares.T
        else:
            far = np.tile(squares.sum(axis=1), (len(mine), 1))
        far -= 2 * here @ values.T  # but for the square of the window itself, which is the same for all of the bank
        if not whole:  # unless not all have the same values
            both = known @ present.T
            far += (here * here) @ present.T
            far = np.divide(far, both, out=np.full_like(far, np.inf), where=both > 0)
        if origin is not None:
            far[np.abs(origin[rows, None] - bank.starts) < apart] = np.inf
        place = far.argmin(axis=1)
        difference = mine - bank.values[place]  # exact, which a difference of products is not
        shared = (~np.isnan(difference)).sum(axis=1)
        total = np.nansum(difference * difference, axis=1)
        yield rows, place, ratio(total, shared.astype(total.dtype))


def own_starts(memory: Memory, series: TimeByChannel, window: int) -> Int[np.ndarray, " n"] | None:
    """The step of the training series at which each window begins, if the series begins with it; else None."""
    return np.arange(count(len(series), window)) if memory.begins(series) else None


def viewed(view: View, series: TimeByChannel, statistics: Mapping[str, np.ndarray]) -> TimeByChannel:
    """The series of which windows are compared: itself, or what the network leaves of it."""
    return series if view == "shape" else by_rows(np.subtract, series, statistics["reconstruction"])


def with_distances(
    views: Sequence[View],
    series: TimeByChannel,
    statistics: Mapping[str, np.ndarray],
    window: int,
    memory: Memory,
    origin: Int[np.ndarray, " n"] | None,
) -> dict[str, np.ndarray]:
    """The statistics with the distances of these views beside them. `origin`: see `distances`."""
    found: dict[str, np.ndarray] = {
        view: distances(view, viewed(view, series, statistics), window, memory.banks[view], origin) for view in views
    }
    return {**statistics, **found}


def most_similar(
    series: TimeByChannel, start: int, window: int, memory: Memory, *, own: bool
) -> tuple[int, float, Float[np.ndarray, "step channel"]]:
    """The training window whose shape is nearest to that of the window at `start`: its place, distance and drawing.

    The drawing has the level and the height of the window at `start`. Between the steps that are compared it is a
    straight line; a channel that is not compared is NaN. The distance is NaN if the two share no value. `own` says that
    the series begins with the training series.
    """
    bank, rows = memory.banks["shape"], np.asarray(series[start : start + window])
    origin = np.array([start]) if own else None
    (_, (place,), (squared,)), *_ = _nearest("shape", rows, window, bank, origin)
    thinned = windows_of(rows, window)[0]
    known = np.maximum(np.count_nonzero(~np.isnan(thinned), axis=1), 1)
    level = np.nansum(thinned, axis=1) / known
    deviation = np.sqrt(np.nansum((thinned - level[:, None]) ** 2, axis=1) / known)
    height = np.maximum(deviation, LEAST_DEVIATION)
    shape = bank.values[place].reshape(thinned.shape) * height[:, None] + level[:, None]
    drawing = np.full(rows.shape, np.nan)
    steps = np.linspace(0, window - 1, window)[:: -(-window // thinned.shape[1])]
    for line, channel in zip(shape, range(0, rows.shape[1], -(-rows.shape[1] // MOST_VALUES)), strict=True):
        drawing[:, channel] = np.interp(np.arange(window), steps[: len(line)], line)
    return int(bank.starts[place]), float(np.sqrt(squared)), drawing
