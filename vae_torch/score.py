"""Scoring: one pass for each block of a series."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from twinvae.config import Config
from twinvae.network.backend import Statistic
from twinvae.network.objective import divergence, refilled
from twinvae.network.parameters import Parameters
from twinvae.scoring.statistics import block_statistics, block_windows, series_statistics
from twinvae.windowing.geometry import count
from twinvae.windowing.slide import centred
from vae_torch.model import VAE, build, sample
from vae_torch.runtime import one_thread_if_small, runtime

BLOCK_VALUES = 2**18  # values in the windows of a block: its intermediates stay in a core's cache


def statistics(
    parameters: Parameters,
    series: Float[np.ndarray, "time channel"],
    statistics: Sequence[Statistic],
    config: Config,
    noise: Float[np.ndarray, " latent"] | None = None,
) -> dict[str, Float[np.ndarray, "_ _"]]:
    """See `twinvae.network.backend.Backend.statistics`."""
    masked = config.missing == "mask"
    with runtime(config) as device, _workers(count(len(series), config.window), series.shape[1], config) as pool:
        with torch.inference_mode():
            model = build(parameters, device)
            draw = None if noise is None else torch.as_tensor(noise, device=device)

        @torch.inference_mode()
        def run_block(values: np.ndarray) -> Mapping[str, Any]:
            windows = every_window(torch.as_tensor(values, device=device), config.window)
            x, level = centred(windows, config.centring, masked, xp)
            mean, log_variance = model.encode(_inputs(model, x, config))
            z = mean if draw is None else sample(mean, log_variance, draw)
            x_hat = model.decode(z).reshape(x.shape)
            kl = divergence(mean, log_variance, xp).sum(dim=1) if "divergence" in statistics else None
            parts = block_statistics(x, x_hat, kl, None, statistics, xp, fold, masked, level)
            return {name: part.numpy(force=True) for name, part in parts.items()}

        block = _block(series, config)
        if pool is None:
            return series_statistics(run_block, series, config.window, statistics, block, masked=masked)

        def submit(values: np.ndarray) -> Future[Mapping[str, Any]]:
            return pool.submit(run_block, values)

        ahead = 2 * torch.get_num_threads()
        return series_statistics(submit, series, config.window, statistics, block, ahead, masked=masked)


@contextmanager
def _workers(windows: int, channels: int, config: Config) -> Iterator[ThreadPoolExecutor | None]:
    """A thread for each block at a time: threads that share each small product wait for each other instead.

    None on a GPU, on one thread, or for a single block of work; PyTorch's threads are as they were afterwards.
    """
    threads = torch.get_num_threads()
    on_gpu = config.device != "cpu" and torch.cuda.is_available()
    if threads == 1 or on_gpu or windows * config.window * channels <= BLOCK_VALUES:
        with one_thread_if_small(windows, channels, config):
            yield None
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def prepare(length: int, channels: int, names: Sequence[Statistic], config: Config) -> Callable[[], None]:
    """See `twinvae.network.backend.Backend.prepare`: an eager framework has nothing to prepare."""
    return lambda: None


def _block(series: Float[np.ndarray, "time channel"], config: Config) -> int:
    return block_windows(count(len(series), config.window), config.window * series.shape[1], BLOCK_VALUES)


def every_window(series: Float[Tensor, "time channel"], window: int) -> Float[Tensor, "n window channel"]:
    """All windows of a series, as a view of it."""
    return series.unfold(0, window, 1).transpose(1, 2)


def fold(values: Float[Tensor, "n window channel"]) -> Float[Tensor, "time channel"]:
    """`twinvae.windowing.fold.fold` as the sum of a view: an anti-diagonal is a line of constant stride."""
    n, window, channels = values.shape
    edge = values.new_zeros((window - 1, window, channels))
    padded = torch.cat((edge, values, edge))
    lines = padded.as_strided(
        (n + window - 1, window, channels),
        (window * channels, (window - 1) * channels, 1),
        (window - 1) * channels,
    )
    return lines.sum(dim=1)


def encode(
    parameters: Parameters, series: Float[np.ndarray, "time channel"], config: Config
) -> tuple[Float[np.ndarray, "n latent"], Float[np.ndarray, "n latent"]]:
    """See `twinvae.network.backend.Backend.encode`."""
    windows, block = count(len(series), config.window), _block(series, config)
    with runtime(config) as device, torch.inference_mode():
        model = build(parameters, device)
        parts = []
        for begin in range(0, windows, block):
            values = series[begin : min(begin + block, windows) + config.window - 1]
            every = every_window(torch.as_tensor(values, device=device), config.window)
            x, _ = centred(every, config.centring, config.missing == "mask", xp)
            parts.append(model.encode(_inputs(model, x, config)))
        mean, log_variance = (np.concatenate([p.numpy(force=True) for p in side]) for side in zip(*parts, strict=True))
    return mean, log_variance


def _inputs(model: VAE, x: Float[Tensor, "n *window"], config: Config) -> Float[Tensor, "n feature"]:
    """The windows as the model takes them."""
    flat = x.reshape(len(x), -1)
    if config.missing != "mask":
        return flat
    return refilled(flat, lambda values: model.decode(model.encode(values)[0]), xp)


def bind(
    parameters: Parameters, config: Config
) -> Callable[[Float[np.ndarray, "n window channel"]], Float[np.ndarray, " n"]]:
    """See `twinvae.network.backend.Backend.bind`."""
    with runtime(config) as device:
        model = build(parameters, device)

    def score(windows: Float[np.ndarray, "n window channel"]) -> Float[np.ndarray, " n"]:
        channels = windows.shape[2]
        with runtime(config), one_thread_if_small(len(windows), channels, config), torch.inference_mode():
            masked = config.missing == "mask"
            x, _ = centred(torch.as_tensor(windows, device=device), config.centring, masked, xp)
            x = x.reshape(len(x), -1)
            error = x - model.decode(model.encode(_inputs(model, x, config))[0])
            squared = error * error
            means = squared.nanmean(dim=1) if masked else squared.mean(dim=1)
            result: np.ndarray = means.numpy(force=True)
            return result

    return score
