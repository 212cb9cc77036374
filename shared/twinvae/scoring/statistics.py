"""The statistics of a series that scores are made of (`twinvae.scoring.kinds`), from reconstructions of its windows.

A backend reconstructs the windows of a block of the series and calls `block_statistics` on its device;
`series_statistics` cuts a series into blocks and adds them up. Memory is proportional to the series, never to windows
times window length; for a series on disk it is bounded, and what is as long as the series is on disk too
(`twinvae.files.out_of_core`).
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel, by_rows, zeros_beside
from twinvae.network.backend import Statistic
from twinvae.network.seeds import generator
from twinvae.windowing.fold import covering_sum, divide_by_coverage, observed_values, ratio
from twinvae.windowing.geometry import count

SHORT = 2**18  # values in the windows of a series for which all statistics cost about as much as one
BLOCK_UNITS = 2**19  # hidden units of the windows of a block: with more, a hidden layer leaves the cache

Fold = Callable[[Any], Any]  # `twinvae.windowing.fold.fold`, or what a framework does faster
RunBlock = Callable[[Float[np.ndarray, "length channel"]], Mapping[str, Any] | Future[Mapping[str, Any]]]


def block_statistics(
    x: Float[Any, "n window channel"],
    x_hat: Float[Any, "n window channel"],
    divergence: Float[Any, " n"] | None,
    used: Any | None,
    statistics: Sequence[Statistic],
    xp: ModuleType,
    fold: Fold,
    masked: bool = False,
    level: Float[Any, "n 1 channel"] | None = None,
) -> dict[str, Any]:
    """Computes what a block of windows adds to each statistic.

    Windows from `used` on, if given, are padding and add nothing. `level`, if given, was taken off the windows.

    Over the n + window - 1 steps of the block, per channel: `point`, the sum over the covering windows of the
    squared error; `reconstruction`, that of x_hat. Over its n windows: `window`, the mean squared error per
    channel; `causal`, the squared error of the last step per channel; `divergence`, the KL divergence in nats.

    If `masked`, x may hold NaN, which x_hat does not: `point` and `causal` are NaN there, `window` is the mean over
    the other values, 0 if there are none; `point` and `reconstruction` count each window as often as it has values.
    """
    n = x.shape[0]

    def real(values: Any) -> Any:
        return values if used is None else xp.where(xp.reshape(xp.arange(n) < used, (n, 1, 1)), values, 0.0)

    squared = x - x_hat
    squared *= squared  # in place, where arrays can be changed
    held = xp.astype(~xp.isnan(x), x.dtype) if masked else None

    def weighted(values: Any) -> Any:
        return values if held is None else values * xp.sum(held, axis=(1, 2), keepdims=True)

    result: dict[str, Any] = {}
    for statistic in statistics:
        if statistic == "point":
            result[statistic] = fold(real(weighted(squared)))
        elif statistic == "reconstruction":
            result[statistic] = fold(real(weighted(x_hat if level is None else x_hat + level)))
        elif statistic == "window" and held is not None:
            sums = xp.sum(xp.where(held > 0, squared, 0.0), axis=1)
            result[statistic] = sums / xp.maximum(xp.sum(held, axis=1), xp.ones_like(sums))
        elif statistic == "window":
            result[statistic] = xp.mean(squared, axis=1)
        elif statistic == "causal":
            result[statistic] = squared[:, -1, :]
        elif divergence is not None:
            result[statistic] = xp.reshape(divergence, (n, 1))
    return result


def block_windows(windows: int, features: int, hidden: int, values: int) -> int:
    """The number of windows in a block: a power of two, so that series share a program.

    The windows of a block have about `values` values; fewer where their hidden units are what fills the cache.
    """
    largest = max(64, 2 ** int(np.log2(max(1, min(values // features, BLOCK_UNITS // hidden)))))
    return min(largest, max(64, 2 ** int(np.ceil(np.log2(windows)))))


def series_statistics(
    run_block: RunBlock,
    series: TimeByChannel,
    window: int,
    statistics: Sequence[Statistic],
    block: int,
    ahead: int = 2,
    *,
    masked: bool = False,
) -> dict[str, Float[np.ndarray, "_ _"]]:
    """Computes the statistics of a whole series, block by block, `ahead` of them begun before the first is finished.

    `run_block(values)` gets the steps of one block, of `block` windows or, at the end of the series, fewer; it returns
    `block_statistics` of them, perhaps of more (padded) windows, or a future of these. `point` and `reconstruction`
    come back as means over the covering windows, one row per time step; the others have one row per window. If
    `masked`, the mean weighs a window by the number of its values that are not missing; NaN if none of them has any.
    """
    length, channels = series.shape
    windows = count(length, window)
    folded = [s for s in statistics if s in ("point", "reconstruction")]
    totals: dict[str, np.ndarray] = {}
    for s in statistics:
        shape = length if s in folded else windows, 1 if s == "divergence" else channels
        totals[s] = zeros_beside(series, shape, series.dtype)

    def add(begin: int, block_of: Mapping[str, Any] | Future[Mapping[str, Any]]) -> None:
        parts = block_of.result() if isinstance(block_of, Future) else block_of
        for statistic, total in totals.items():
            rows = total[begin : begin + (block + window - 1 if statistic in folded else block)]
            rows += np.asarray(parts[statistic])[: len(rows)]

    pending: deque[tuple[int, Mapping[str, Any] | Future[Mapping[str, Any]]]] = deque()
    for begin in range(0, windows, block):
        pending.append((begin, run_block(series[begin : begin + block + window - 1])))
        if len(pending) > ahead:  # let a device that works asynchronously run ahead
            add(*pending.popleft())
    while pending:
        add(*pending.popleft())
    if masked:
        values = by_rows(row_sums, observed_values(series, window))
        return totals | {s: by_rows(ratio, totals[s], covering_sum(values, window)) for s in folded}
    for statistic in folded:
        divide_by_coverage(totals[statistic], window)
    return totals


def row_sums(part: Float[np.ndarray, "step channel"]) -> Float[np.ndarray, "step 1"]:
    """The sum over the channels of each row, as a column."""
    return np.asarray(part.sum(axis=1, keepdims=True))


def latent_draws(config: Config, seed: int) -> Float[np.ndarray, "draw latent"]:
    """The standard normal vectors of the latent draws, in the precision of the network.

    One draw serves all windows, so that a score does not depend on where in a series it is.
    """
    draws = generator(seed, "draws").standard_normal((config.draws, config.latent_dim))
    return draws.astype(config.dtype)
