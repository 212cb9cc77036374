"""Scoring: one pass for each block of a series."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from twinvae.config import Device
from twinvae.network.backend import Statistic
from twinvae.network.net import Net
from twinvae.network.objective import divergence, refilled, seen
from twinvae.network.parameters import Parameters
from twinvae.scoring.statistics import RunBlock, block_statistics, block_windows, series_statistics
from twinvae.windowing.geometry import count
from vae_torch.model import build, sample, to_state
from vae_torch.runtime import _one_thread_if_small, runtime

BLOCK_VALUES = 2**18  # values in the windows of a block: its intermediates stay in a core's cache
LONG = 256  # steps in a window from which on skewed rows are added up faster than anti-diagonals
TILE = 64  # windows whose rows are skewed together


def statistics(
    net: Net,
    parameters: Parameters,
    series: Float[np.ndarray, "time channel"],
    wanted: Sequence[Statistic],
    device: Device,
    noise: Float[np.ndarray, " latent"] | None = None,
) -> dict[str, Float[np.ndarray, "_ _"]]:
    """See `twinvae.network.backend.Backend.statistics`."""
    windows = count(len(series), net.window)
    block = _block(net, windows)
    with runtime(net, device) as place, _workers(net, windows, device) as pool:
        with torch.inference_mode():
            model = build(net, to_state(parameters))
            draw = None if noise is None else torch.as_tensor(noise, device=place)

        @torch.inference_mode()
        def run_block(values: np.ndarray) -> Mapping[str, Any]:
            x, level = seen(_every_window(net, torch.as_tensor(values, device=place)), net, xp)
            mean, log_variance = model.encode(refilled(net, model, x, xp))
            z = mean if draw is None else sample(mean, log_variance, draw)
            x_hat = model.decode(z).reshape(x.shape)
            kl = divergence(mean, log_variance, xp).sum(dim=1) if "divergence" in wanted else None
            parts = block_statistics(x, x_hat, kl, None, wanted, xp, _fold, net.masked, level)
            return {name: part.numpy(force=True) for name, part in parts.items()}

        run: RunBlock = run_block if pool is None else lambda values: pool.submit(run_block, values)
        ahead = 2 if pool is None else 2 * torch.get_num_threads()
        return series_statistics(run, series, net.window, wanted, block, ahead, masked=net.masked)


@contextmanager
def _workers(net: Net, windows: int, device: Device) -> Iterator[ThreadPoolExecutor | None]:
    """A pool of threads that work on a block each; threads that share each small product would wait for each other.

    Gives None on a GPU, on one thread, or where the work is a single block. PyTorch's number of threads is as before
    afterwards.
    """
    threads = torch.get_num_threads()
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if threads == 1 or on_gpu or windows * net.features <= BLOCK_VALUES:
        with _one_thread_if_small(net, windows):
            yield None
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def _every_window(net: Net, values: Float[Tensor, "length channel"]) -> Float[Tensor, "n window channel"]:
    """All windows of a series, as a view of it."""
    return values.unfold(0, net.window, 1).transpose(1, 2)


def _block(net: Net, windows: int) -> int:
    return block_windows(windows, net.features, net.hidden, BLOCK_VALUES)


def _fold(values: Float[Tensor, "n window channel"]) -> Float[Tensor, "time channel"]:
    """`twinvae.windowing.fold.fold` as the sum of a view: of anti-diagonals or, where that is faster, skewed rows."""
    return _fold_tiles(values) if values.shape[1] >= LONG else _fold_lines(values)


def _fold_lines(values: Float[Tensor, "n window channel"]) -> Float[Tensor, "time channel"]:
    """The sum of a view in which an anti-diagonal is a line of constant stride."""
    n, window, channels = values.shape
    edge = values.new_zeros((window - 1, window, channels))
    padded = torch.cat((edge, values, edge))
    lines = padded.as_strided(
        (n + window - 1, window, channels),
        (window * channels, (window - 1) * channels, 1),
        (window - 1) * channels,
    )
    return lines.sum(dim=1)


def _fold_tiles(values: Float[Tensor, "n window channel"]) -> Float[Tensor, "time channel"]:
    """Sums of few windows at a time, added up where they overlap: less padding than windows of this length would need.

    Rows with zeros behind them, read as if each were a step shorter, lie a step further right than the one above.
    """
    n, window, channels = values.shape
    tiles, steps = -(-n // TILE), window + TILE
    padded = values.new_zeros((tiles * TILE, steps, channels))
    padded[:n, :window] = values
    skewed = padded.view(tiles, -1, channels)[:, : TILE * (steps - 1)].reshape(tiles, TILE, steps - 1, channels)
    sums = values.new_zeros((tiles * TILE + window - 1, channels))
    for tile, part in enumerate(skewed.sum(dim=1)):
        sums[tile * TILE : tile * TILE + steps - 1] += part
    return sums[: n + window - 1]


def encode(
    net: Net, parameters: Parameters, series: Float[np.ndarray, "time channel"], device: Device
) -> tuple[Float[np.ndarray, "n latent"], Float[np.ndarray, "n latent"]]:
    """See `twinvae.network.backend.Backend.encode`."""
    windows = count(len(series), net.window)
    block = _block(net, windows)
    with runtime(net, device) as place, torch.inference_mode():
        model = build(net, to_state(parameters))
        parts = []
        for begin in range(0, windows, block):
            values = series[begin : min(begin + block, windows) + net.window - 1]
            x, _ = seen(_every_window(net, torch.as_tensor(values, device=place)), net, xp)
            parts.append(model.encode(refilled(net, model, x, xp)))
        mean, log_variance = (np.concatenate([p.numpy(force=True) for p in side]) for side in zip(*parts, strict=True))
    return mean, log_variance


def bind(
    net: Net, parameters: Parameters, device: Device
) -> Callable[[Float[np.ndarray, "n window channel"]], Float[np.ndarray, " n"]]:
    """See `twinvae.network.backend.Backend.bind`."""
    with runtime(net, device) as place:
        model = build(net, to_state(parameters))

    def score(windows: Float[np.ndarray, "n window channel"]) -> Float[np.ndarray, " n"]:
        with runtime(net, device), _one_thread_if_small(net, len(windows)), torch.inference_mode():
            x = seen(torch.as_tensor(windows, device=place), net, xp)[0].reshape(len(windows), -1)
            error = x - model.decode(model.encode(refilled(net, model, x, xp))[0])
            squared = error * error
            means = squared.nanmean(dim=1) if net.masked else squared.mean(dim=1)
            result: np.ndarray = means.numpy(force=True)
            return result

    return score
