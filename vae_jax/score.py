"""Scoring: one compiled call for each block of a series."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from twinvae.config import Centring, Config
from twinvae.network.backend import Statistic
from twinvae.network.objective import divergence, refilled
from twinvae.network.parameters import Parameters, draw
from twinvae.scoring.statistics import block_statistics, block_windows, series_statistics
from twinvae.windowing.fold import fold
from twinvae.windowing.geometry import count
from twinvae.windowing.slide import centred, slide
from vae_jax.model import VAE, State, abstract, build, flatten, sample, to_state, unflatten
from vae_jax.runtime import runtime

NOTHING = nullcontext()
BLOCK_VALUES = 2**20  # values in the windows of a block: fewer leave cores idle, more leave the cache


def statistics(
    parameters: Parameters,
    series: Float[np.ndarray, "time channel"],
    statistics: Sequence[Statistic],
    config: Config,
    noise: Float[np.ndarray, " latent"] | None = None,
) -> dict[str, Float[np.ndarray, "_ _"]]:
    """See `twinvae.network.backend.Backend.statistics`."""
    block, masked = _block(series, config), config.missing == "mask"
    with runtime(config):
        state = jax.device_put(to_state(parameters))

        def run_block(values: np.ndarray) -> dict[str, Array]:
            used = count(len(values), config.window)
            padded = _padded(values, block, config.window)
            return _run_block(state, padded, used, noise, config.window, tuple(statistics), masked, config.centring)

        return series_statistics(run_block, series, config.window, statistics, block, masked=masked)


def _block(series: Float[np.ndarray, "time channel"], config: Config) -> int:
    return block_windows(count(len(series), config.window), config.window * series.shape[1], BLOCK_VALUES)


def _padded(values: Float[np.ndarray, "time channel"], block: int, window: int) -> Float[np.ndarray, "length channel"]:
    """The steps of a block, with zeros to make it whole: one shape, one compiled program."""
    missing = block + window - 1 - len(values)
    return np.pad(values, ((0, missing), (0, 0))) if missing else values


def prepare(length: int, channels: int, names: Sequence[Statistic], config: Config) -> Callable[[], None]:
    """See `twinvae.network.backend.Backend.prepare`: compiles the program of a block in another thread."""
    block = block_windows(count(length, config.window), config.window * channels, BLOCK_VALUES)
    steps = min(length, block + config.window - 1)
    thread = threading.Thread(target=_compile_block, args=(steps, channels, tuple(names), config))
    thread.start()
    return thread.join


@cache  # once for each program: a second fit has nothing to compile
def _compile_block(steps: int, channels: int, names: tuple[Statistic, ...], config: Config) -> None:
    with suppress(Exception):  # what is wrong shows where scores are wanted
        statistics(draw(config, channels, seed=0), np.zeros((steps, channels), config.dtype), names, config)


@partial(jax.jit, static_argnames=("window", "statistics", "masked", "centring"))
def _run_block(
    state: State,
    values: Float[Array, "length channel"],
    used: Int[Array, ""],
    noise: Float[Array, " latent"] | None,
    window: int,
    statistics: tuple[Statistic, ...],
    masked: bool,
    centring: Centring,
) -> dict[str, Array]:
    model = build(state)
    x, level = centred(slide(values, jnp.arange(count(len(values), window)), window, jnp), centring, masked, jnp)
    mean, log_variance = model.encode(_inputs(model, x, masked))
    z = mean if noise is None else sample(mean, log_variance, noise)
    x_hat = model.decode(z).reshape(x.shape)
    kl = divergence(mean, log_variance, jnp).sum(axis=1)
    return block_statistics(
        x, x_hat, kl, used, statistics, jnp, partial(fold, xp=jnp), masked, level
    )  # what is not asked for is not computed


def encode(
    parameters: Parameters, series: Float[np.ndarray, "time channel"], config: Config
) -> tuple[Float[np.ndarray, "n latent"], Float[np.ndarray, "n latent"]]:
    """See `twinvae.network.backend.Backend.encode`."""
    windows, block = count(len(series), config.window), _block(series, config)
    with runtime(config):
        state = jax.device_put(to_state(parameters))
        parts = []
        for begin in range(0, windows, block):
            values = _padded(series[begin : begin + block + config.window - 1], block, config.window)
            parts.append(_encode_block(state, values, config.window, config.missing == "mask", config.centring))
        mean, log_variance = (np.concatenate([np.asarray(p) for p in side]) for side in zip(*parts, strict=True))
    return mean[:windows], log_variance[:windows]


@partial(jax.jit, static_argnames=("window", "masked", "centring"))
def _encode_block(
    state: State, values: Float[Array, "length channel"], window: int, masked: bool, centring: Centring
) -> tuple[Array, Array]:
    model = build(state)
    x, _ = centred(slide(values, jnp.arange(count(len(values), window)), window, jnp), centring, masked, jnp)
    return model.encode(_inputs(model, x, masked))


def _inputs(model: VAE, x: Float[Array, "n *window"], masked: bool) -> Float[Array, "n feature"]:
    """The windows as the model takes them."""
    flat = x.reshape(x.shape[0], -1)  # perhaps a symbol, which `len` refuses
    return refilled(flat, lambda values: model.decode(model.encode(values)[0]), jnp) if masked else flat


def bind(
    parameters: Parameters, config: Config
) -> Callable[[Float[np.ndarray, "n window channel"]], Float[np.ndarray, " n"]]:
    """See `twinvae.network.backend.Backend.bind`."""
    state = to_state(parameters)
    features, hidden = state["encoder"]["kernel"].shape
    run = _window_program(features, hidden, config.latent_dim, config.missing == "mask", config.centring)
    with runtime(config) as device:
        vector = jax.device_put(flatten(state), device)
    wide = config.dtype == "float64"

    def score(windows: Float[np.ndarray, "n window channel"]) -> Float[np.ndarray, " n"]:
        # The program runs where its parameters are: no need to name the device again, which takes longer than a window.
        with jax.enable_x64(True) if wide else NOTHING:
            return np.asarray(run(vector, windows))

    return score


@cache
def _window_program(
    features: int, hidden: int, latent: int, masked: bool, centring: Centring
) -> Callable[[Array, np.ndarray], Array]:
    """The program that scores separate windows. One argument for all parameters halves what a call costs."""
    like = nnx.to_pure_dict(nnx.state(abstract(features, hidden, latent)))

    @jax.jit
    def run(vector: Float[Array, " parameter"], windows: Float[Array, "n window channel"]) -> Float[Array, " n"]:
        return window_errors(build(unflatten(vector, like)), windows, masked, centring)

    return run


def window_errors(
    model: VAE, windows: Float[Array, "n window channel"], masked: bool, centring: Centring
) -> Float[Array, " n"]:
    """The mean squared error of each window over its values; if `masked`, of those that are not NaN."""
    x = centred(windows, centring, masked, jnp)[0].reshape(windows.shape[0], -1)
    error = x - model.decode(model.encode(_inputs(model, x, masked))[0])
    return jnp.nanmean(error * error, axis=1) if masked else jnp.mean(error * error, axis=1)
