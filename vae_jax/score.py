"""Scoring: one compiled call for each block of a series."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from twinvae.config import Config, Device
from twinvae.network.backend import STATISTICS, Statistic
from twinvae.network.net import Net
from twinvae.network.objective import divergence, refilled, seen
from twinvae.network.parameters import Parameters, draw
from twinvae.scoring.gap_errors import length_with_gaps
from twinvae.scoring.statistics import block_statistics, block_windows, series_statistics
from twinvae.windowing.fold import fold
from twinvae.windowing.geometry import count
from twinvae.windowing.slide import slide
from vae_jax._vector import Vectors, flatten, unflatten
from vae_jax.model import State, build, sample, to_state
from vae_jax.runtime import _current, _settings, runtime

# JAX keeps 1 to 8 MB for each compiled program until the function that was compiled is gone, so the least recently used
# are dropped: each stands in a cache of so many, by all that it is made from, its shapes included.
PROGRAMS = 64
BLOCK_VALUES = 2**19  # values in the windows of a block: fewer cost more calls, more leave the cache
LONG = 64  # steps in a window from which on adding up rows is faster than adding up columns


def statistics(
    net: Net,
    parameters: Parameters,
    series: Float[np.ndarray, "time channel"],
    wanted: Sequence[Statistic],
    device: Device,
    noise: Float[np.ndarray, " latent"] | None = None,
) -> dict[str, Float[np.ndarray, "_ _"]]:
    """See `twinvae.network.backend.Backend.statistics`."""
    block = _block(net, count(len(series), net.window))
    with runtime(net, device):
        state, run = jax.device_put(to_state(parameters)), _block_program(net, tuple(wanted), block)

        def run_block(values: np.ndarray) -> dict[str, Array]:
            return run(state, _padded(values, block, net.window), count(len(values), net.window), noise)

        return series_statistics(run_block, series, net.window, wanted, block, masked=net.masked)


def _block(net: Net, windows: int) -> int:
    return block_windows(windows, net.features, net.hidden, BLOCK_VALUES)


def _padded(values: Float[np.ndarray, "time channel"], block: int, window: int) -> Float[np.ndarray, "length channel"]:
    """The steps of a block, with zeros to make it whole: one shape, one compiled program."""
    missing = block + window - 1 - len(values)
    return np.pad(values, ((0, missing), (0, 0))) if missing else values


@contextmanager
def _compiling(net: Net, length: int, config: Config) -> Iterator[None]:
    """While its body runs, compiles in another thread the programs that calibrate on a series of this length.

    Calibration, which follows training, asks for all statistics of the series at once, and of a series with gaps where
    missing values are left out. It then finds their programs ready.
    """
    wanted = [(net, length)]
    if config.missing == "mask":
        wanted.append((replace(net, masked=True), length_with_gaps(length, net.window)))

    def compile_all(chosen: Any) -> None:
        for program, steps in wanted:
            block = _block(program, count(steps, net.window))
            _compile_block(program, min(steps, block + net.window - 1), config.device, chosen)

    thread = threading.Thread(target=compile_all, args=(_current(),))
    thread.start()
    try:
        yield
    finally:
        thread.join()


@lru_cache(PROGRAMS)  # once for each program: a second fit has nothing to compile
def _compile_block(net: Net, steps: int, device: Device, chosen: Any) -> None:
    """Runs the program once on zeros, on the device that the calling thread has chosen."""
    with suppress(Exception), jax.default_device(chosen):  # what is wrong shows where scores are wanted
        statistics(net, draw(net, seed=0), np.zeros((steps, net.channels), net.dtype), STATISTICS, device)


@lru_cache(PROGRAMS)
def _block_program(net: Net, wanted: tuple[Statistic, ...], block: int) -> Callable[..., dict[str, Array]]:
    """The program that computes what a block of so many windows adds to the wanted statistics."""

    @jax.jit
    def run(
        state: State,
        values: Float[Array, "length channel"],
        used: Int[Array, ""],
        noise: Float[Array, " latent"] | None,
    ) -> dict[str, Array]:
        model = build(net, state)
        x, level = seen(_every_window(net, values), net, jnp)
        mean, log_variance = model.encode(refilled(net, model, x, jnp))
        z = mean if noise is None else sample(mean, log_variance, noise)
        x_hat = model.decode(z).reshape(x.shape)
        kl = divergence(mean, log_variance, jnp).sum(axis=1)
        # What is not asked for is not computed.
        return block_statistics(x, x_hat, kl, used, wanted, jnp, _fold, net.masked, level)

    return run


def _fold(values: Float[Array, "n window channel"]) -> Float[Array, "time channel"]:
    """`twinvae.windowing.fold.fold`; for long windows a loop, which adds each window to the steps that it covers."""
    n, window, channels = values.shape
    if window < LONG:
        return fold(values, jnp)
    size, rows = window * channels, values.reshape(n, window * channels)

    def add(index: Any, sums: Array) -> Array:
        begin = index * channels
        return lax.dynamic_update_slice_in_dim(
            sums, lax.dynamic_slice_in_dim(sums, begin, size) + rows[index], begin, axis=0
        )

    sums: Array = lax.fori_loop(0, n, add, jnp.zeros((n + window - 1) * channels, values.dtype))
    return sums.reshape(-1, channels)


def _every_window(net: Net, values: Float[Array, "length channel"]) -> Float[Array, "n window channel"]:
    return slide(values, jnp.arange(count(len(values), net.window)), net.window, jnp)


def encode(
    net: Net, parameters: Parameters, series: Float[np.ndarray, "time channel"], device: Device
) -> tuple[Float[np.ndarray, "n latent"], Float[np.ndarray, "n latent"]]:
    """See `twinvae.network.backend.Backend.encode`."""
    windows = count(len(series), net.window)
    block = _block(net, windows)
    with runtime(net, device):
        state, run = jax.device_put(to_state(parameters)), _encoding_program(net, block)
        parts = []
        for begin in range(0, windows, block):
            values = _padded(series[begin : begin + block + net.window - 1], block, net.window)
            parts.append(run(state, values))
        mean, log_variance = (np.concatenate([np.asarray(p) for p in side]) for side in zip(*parts, strict=True))
    return mean[:windows], log_variance[:windows]


@lru_cache(PROGRAMS)
def _encoding_program(net: Net, block: int) -> Callable[..., tuple[Array, Array]]:
    """The program that encodes a block of so many windows."""

    @jax.jit
    def run(state: State, values: Float[Array, "length channel"]) -> tuple[Array, Array]:
        model = build(net, state)
        return model.encode(refilled(net, model, seen(_every_window(net, values), net, jnp)[0], jnp))

    return run


def bind(
    net: Net, parameters: Parameters, device: Device
) -> Callable[[Float[np.ndarray, "n window channel"]], Float[np.ndarray, " n"]]:
    """See `twinvae.network.backend.Backend.bind`."""
    with runtime(net, device) as named:
        vectors = jax.device_put(flatten(to_state(parameters), net), named)

    def score(windows: Float[np.ndarray, "n window channel"]) -> Float[np.ndarray, " n"]:
        # The program runs where its parameters are: no need to name the device again, which takes longer than a window.
        with _settings(net):
            return np.asarray(_window_program(net, len(windows))(vectors, windows))

    return score


@lru_cache(PROGRAMS)
def _window_program(net: Net, number: int) -> Callable[[Vectors, np.ndarray], Array]:
    """The program that scores so many separate windows. One argument for all parameters halves what a call costs."""

    @jax.jit
    def run(vectors: Vectors, windows: Float[Array, "n window channel"]) -> Float[Array, " n"]:
        model = build(net, unflatten(vectors, net))
        x = seen(windows, net, jnp)[0].reshape(len(windows), -1)
        error = x - model.decode(model.encode(refilled(net, model, x, jnp))[0])
        return jnp.nanmean(error * error, axis=1) if net.masked else jnp.mean(error * error, axis=1)

    return run
