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
MOST_VALUES = 800  # of a window that are compared
LEAST_STEPS = 8  # of a channel that are compared: a shape of fewer says little
LEAST_DEVIATION = 0.05  # of the training series' deviation: a window that varies less is not blown up to one that does
BLOCK_VALUES = 2**18  # values of the windows, and distances, that are in memory at once: a processor's cache holds them

MOST_OF_ONE_THREAD = 2**18  # multiplications of a product for which OpenBLAS starts no threads


class Bank(NamedTuple):
    """Windows of the training series, each as the values that are compared; NaN where one is missing."""

    values: Float[np.ndarray, "window value"]
    starts: Int[np.ndarray, " window"]  # the time step of the training series at which each begins


class Memory(NamedTuple):
    """What is kept of the training series: a bank for each view, and by what the series is known again."""

    banks: dict[View, Bank]
    length: int  # time steps of the training series
    digest: str  # SHA-256 of its scaled values
    rows: Int[np.ndarray, " window"] | None = None  # of the training table, where the shapes begin; None: their steps

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


def places(view: View, window: int, channels: int) -> tuple[Int[np.ndarray, " channel"], Int[np.ndarray, " step"]]:
    """The channels and the steps of a window whose values are compared: all, or evenly spread, at most 800 values.

    A shape has at least eight steps of a channel (all, if a window has fewer), so of more than 100 channels some have
    no part in it; of residuals no channel is left out before the 801st. What is unusual in one of so many alone is far
    too little of a distance to be seen; `multiscale` and `causal_multiscale` see it.
    """
    least = min(window, LEAST_STEPS) if view == "shape" else 1
    kept = min(channels, MOST_VALUES // least)
    steps = min(window, MOST_VALUES // kept)
    return _evenly(channels, kept), _evenly(window, steps)


def _evenly(length: int, number: int) -> Int[np.ndarray, " number"]:
    """So many places from the first to the last of this length."""
    return np.arange(number) * (length - 1) // max(number - 1, 1)


def compared(
    view: View, series: TimeByChannel, window: int, starts: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n value"]:
    """The values of the windows that begin at these steps that are compared (`places`): of their `shape`, or as they
    are. They are taken some windows at a time."""
    at_once = _windows_at_once(view, window, series.shape[1])
    parts = [_compared(view, series, window, starts[i : i + at_once]) for i in range(0, len(starts), at_once)]
    return np.concatenate(parts)


def _windows_at_once(view: View, window: int, channels: int) -> int:
    kept, steps = map(len, places(view, window, channels))
    return max(1, BLOCK_VALUES // max(MOST_WINDOWS, kept * (window if view == "shape" else steps)))


def _compared(
    view: View, series: TimeByChannel, window: int, starts: Int[np.ndarray, " n"] | slice
) -> Float[np.ndarray, "n value"]:
    channels, steps = places(view, window, series.shape[1])
    read = np.arange(window) if view == "shape" else steps
    every = sliding_window_view(np.asarray(series), window, axis=0)
    if len(channels) == series.shape[1] and len(read) == window:
        windows = np.ascontiguousarray(every[starts])  # so that sums are the same to the bit, wherever a window lies
    else:
        windows = every[np.arange(len(every))[starts][:, None, None], channels[:, None], read]
    if view == "shape":
        windows = shape_of(windows)[0]
        windows = windows if len(steps) == window else windows[:, :, steps]
    return windows.reshape(len(windows), -1)


def shape_of(
    windows: Float[np.ndarray, "n channel step"],
) -> tuple[Float[np.ndarray, "n channel step"], Float[np.ndarray, "n channel 1"], Float[np.ndarray, "n channel 1"]]:
    """Each channel of a window without its mean, over its deviation; with its level and its height, which are these.

    The height is at least 0.05. The mean is taken twice: the first, of a high level, is rounded.
    """
    missing = np.isnan(windows)
    total, steps = np.sum, windows.dtype.type(windows.shape[2])
    if missing.any():
        total, steps = np.nansum, np.maximum(np.count_nonzero(~missing, axis=2, keepdims=True), 1).astype(windows.dtype)
    level = total(windows, axis=2, keepdims=True) / steps
    shape = windows - level
    rest = total(shape, axis=2, keepdims=True) / steps
    shape -= rest
    deviation = np.sqrt(total(shape * shape, axis=2, keepdims=True) / steps)
    height = np.maximum(deviation, windows.dtype.type(LEAST_DEVIATION))
    shape /= height
    return shape, level + rest, height


def bank_of(view: View, series: TimeByChannel, window: int, left_out: Bool[np.ndarray, " n"] | None = None) -> Bank:
    """Keeps windows of the training series (for `residual`: of its residuals), evenly spread, at most 500.

    `left_out` marks windows that may be anomalous: none of these is kept while there are others.
    """
    windows = np.arange(count(len(series), window))
    if left_out is not None and not left_out.all():
        windows = windows[~left_out]
    starts = np.ascontiguousarray(windows[:: -(-len(windows) // MOST_WINDOWS)])
    return Bank(compared(view, series, window, starts), starts)


def distances(
    view: View, series: TimeByChannel, window: int, bank: Bank, origin: Int[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, "n 1"]:
    """The distance of each window from the most similar one of the bank; NaN for a window without values.

    It is the root of the mean squared difference of the values that both have. `origin` is the step of the training
    series at which a window begins, if it is one of its own: windows of the bank that overlap it are then left out, as
    far as others remain.
    """
    result = zeros_beside(series, (count(len(series), window), 1), series.dtype)
    for rows, _, squared in nearest(view, series, window, bank, origin):
        result[rows, 0] = np.sqrt(squared)
    return result


def nearest(
    view: View, series: TimeByChannel, window: int, bank: Bank, origin: Int[np.ndarray, " n"] | None = None
) -> Iterator[tuple[slice, Int[np.ndarray, " part"], Float[np.ndarray, " part"]]]:
    """For some windows at a time, the place of the nearest in the bank and the mean squared difference from it.

    Which one is nearest follows from products, |f - b|^2 = |f|^2 - 2 f b + |b|^2, in which a level far above the spread
    would leave nothing but rounding errors: so the mean of the bank is taken off both. The difference is then exact.
    """
    there = ~np.isnan(bank.values)
    centre = np.nansum(bank.values, axis=0) / np.maximum(np.count_nonzero(there, axis=0), 1).astype(bank.values.dtype)
    values, whole = np.where(there, bank.values - centre, 0), bool(there.all())
    squares, present = values * values, there.astype(values.dtype)
    weights = np.concatenate([-2 * values, squares.sum(axis=1, keepdims=True)], axis=1).T
    apart = min(window, -(-int(bank.starts[-1] - bank.starts[0]) // 2))
    windows, step = count(len(series), window), _windows_at_once(view, window, series.shape[1])
    for begin in range(0, windows, step):
        rows = slice(begin, min(begin + step, windows))
        mine = _compared(view, series[begin : rows.stop + window - 1], window, slice(None))
        here = np.ones((len(mine), len(weights)), mine.dtype)
        np.subtract(mine, centre, out=here[:, :-1])
        gaps = np.isnan(mine)
        complete = whole and not gaps.any()
        if complete:  # far: but for the square of the window itself, which is the same for all of the bank
            far = _product(here, weights)
        else:
            known = (~gaps).astype(mine.dtype)
            here = np.where(gaps, 0, here[:, :-1])
            both = _product(known, present.T)
            far = _product(known, squares.T) - 2 * _product(here, values.T) + _product(here * here, present.T)
            far = np.divide(far, both, out=np.full_like(far, np.inf), where=both > 0)
        if origin is not None:
            far[np.abs(origin[rows, None] - bank.starts) < apart] = np.inf
        place = far.argmin(axis=1)
        difference = mine - bank.values[place]
        difference *= difference
        if complete:
            yield rows, place, difference.mean(axis=1)
        else:
            shared = np.count_nonzero(~np.isnan(difference), axis=1).astype(difference.dtype)
            yield rows, place, ratio(np.nansum(difference, axis=1), shared)


def _product(left: Float[np.ndarray, "n value"], right: Float[np.ndarray, "value m"]) -> Float[np.ndarray, "n m"]:
    """The matrix product, in tiles for which NumPy's library starts no threads; sizes are multiples of 16, as its own.

    On a busy machine its threads spend up to twenty times as long waiting for each other as the product takes in one.
    """
    height = 64 if left.shape[1] <= MOST_OF_ONE_THREAD // (64 * 16) else 16
    width = 16 * max(1, MOST_OF_ONE_THREAD // (height * left.shape[1]) // 16)
    result = np.empty((len(left), right.shape[1]), left.dtype)
    for row in range(0, len(left), height):
        for column in range(0, right.shape[1], width):
            rows, columns = slice(row, row + height), slice(column, column + width)
            np.matmul(left[rows], right[:, columns], out=result[rows, columns])
    return result


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
    """The statistics with the distances of these views, where they are not there yet. `origin`: see `distances`."""
    found: dict[str, np.ndarray] = {
        view: distances(view, viewed(view, series, statistics), window, memory.banks[view], origin)
        for view in views
        if view not in statistics
    }
    return {**statistics, **found}


def most_similar(
    series: TimeByChannel, start: int, window: int, memory: Memory, *, own: bool
) -> tuple[int, float, Float[np.ndarray, "step channel"]]:
    """The training window whose shape is nearest to that of the window at `start`: its row, distance and drawing.

    The row is the first one of it in the training table. The drawing has the level and the height of the window at
    `start`. Between the steps that are compared it is a straight line; a channel that is not compared is NaN. The
    distance is NaN if the two share no value. `own` says that the series begins with the training series.
    """
    bank, rows = memory.banks["shape"], np.asarray(series[start : start + window])
    origin = np.array([start]) if own else None
    (_, (place,), (squared,)), *_ = nearest("shape", rows, window, bank, origin)
    channels, steps = places("shape", window, rows.shape[1])
    _, (level,), (height,) = shape_of(rows[:, channels].T[None])
    drawing = np.full(rows.shape, np.nan)
    for line, channel in zip(bank.values[place].reshape(len(channels), -1) * height + level, channels, strict=True):
        drawing[:, channel] = np.interp(np.arange(window), steps, line)
    begin = bank.starts[place] if memory.rows is None else memory.rows[place]
    return int(begin), float(np.sqrt(squared)), drawing
