"""Training: a compiled loop over the steps of a chunk, Optax's Adam inside."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int

from twinvae.config import Centring, Config
from twinvae.network.backend import Gradient, Trained
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import Chunk, ChunkTogether, placed
from twinvae.windowing.geometry import power_of_two
from vae_jax.model import Loss, State, abstract, flatten, from_state, loss, to_state, unflatten
from vae_jax.runtime import on_cpu, runtime


class Progress(NamedTuple):
    """What a step hands to the next."""

    vector: Float[Array | np.ndarray, " parameter"]
    adam: optax.OptState


def train(
    parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """See `twinvae.network.backend.Backend.train`.

    A chunk is dispatched before the result of the one before it is read, so that drawing noise on the host and
    training on the device overlap.
    """
    with runtime(config):
        like = to_state(parameters)
        features, hidden = like["encoder"]["kernel"].shape
        sizes = features, hidden, config.latent_dim, config.window
        run = _compiled(*sizes, config.beta, config.learning_rate, config.missing == "mask", config.centring)
        vector = flatten(like)
        progress = Progress(vector, _start(len(vector), config.dtype))

    def place(steps: np.ndarray) -> Array:
        with runtime(config):
            return jax.device_put(steps)

    previous: tuple[Any, Any, int] | None = None
    for chunk, values in placed(chunks, series, place):
        with runtime(config):
            progress, terms = run(progress, values, *chunk[:-1])
        if previous is not None:
            yield _to_host(*previous, like)
        previous = progress.vector, terms, chunk.used
    if previous is not None:
        yield _to_host(*previous, like)


def train_together(
    parameters: Parameters,
    series: Float[np.ndarray, "member time channel"],
    chunks: Iterable[ChunkTogether],
    config: Config,
) -> list[Trained]:
    """See `twinvae.network.backend.Backend.train_together`: one program, mapped over the members.

    On a CPU it takes them one by one, whose parameters then stay in its cache, and the numbers are those of `train`. A
    GPU takes all in one step.
    """
    like = to_state(parameters)
    features, hidden = like["encoder"]["kernel"].shape
    vector = flatten(like)
    members = power_of_two(len(series))  # few sizes, so few programs; those that pad have no steps
    with runtime(config):
        run = _compiled_together(
            features, hidden, config.latent_dim, config.window, config.beta, config.learning_rate,
            config.missing == "mask", config.centring, 1 if on_cpu() else members,
        )  # fmt: skip
        device_series = jax.device_put(_with_rows(series, members))
        start = Progress(vector, _start(len(vector), config.dtype))
        progress = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (members, *np.shape(leaf))), start)
    terms: list[list[np.ndarray]] = [[] for _ in series]
    previous: tuple[Array, np.ndarray] | None = None
    for chunk in chunks:
        with runtime(config):
            progress, now = run(progress, device_series, *_padded(chunk, members))
        if previous is not None:  # the next chunk is drawn while the device works on this one
            _append(terms, *previous)
        previous = now, chunk.used
    if previous is not None:
        _append(terms, *previous)
    vectors = np.asarray(progress.vector)
    return [Trained(from_state(unflatten(v, like)), np.concatenate(t)) for v, t in zip(vectors, terms, strict=False)]


def _append(
    terms: list[list[np.ndarray]], now: Float[Array, "padded step term"], used: Int[np.ndarray, " member"]
) -> None:
    for known, part, steps in zip(terms, np.asarray(now), used, strict=False):
        known.append(part[:steps].copy())


def _with_rows(array: np.ndarray, rows: int) -> np.ndarray:
    """The array with rows of zeros at its end."""
    return np.pad(array, ((0, rows - len(array)), *((0, 0),) * (array.ndim - 1)))


def _padded(chunk: ChunkTogether, members: int) -> ChunkTogether:
    """The chunk with members that have no steps, up to this number."""
    starts, weights, used = (_with_rows(array, members) for array in (chunk.starts, chunk.weights, chunk.used))
    scale = None if chunk.beta_scale is None else _with_rows(chunk.beta_scale, members)
    return ChunkTogether(starts, weights, chunk.noise, used, scale)


def _to_host(vector: Array, terms: Array, used: int, like: State) -> Trained:
    return Trained(from_state(unflatten(np.asarray(vector), like)), np.asarray(terms)[:used])


@functools.cache
def _start(size: int, dtype: str) -> optax.OptState:
    """Adam starts from zeros; made on the host, they need no programs of their own."""
    shapes = jax.eval_shape(optax.adam(0.0).init, np.zeros(size, dtype))
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def _chunk_program(
    features: int,
    hidden: int,
    latent: int,
    window: int,
    beta: float,
    learning_rate: float,
    masked: bool,
    centring: Centring,
) -> Callable[..., tuple[Progress, Float[Array, "step term"]]]:
    """The function that runs a chunk.

    It is a scan whose length is data, so that a chunk that is not full runs the same program.
    """
    like = nnx.to_pure_dict(nnx.state(abstract(features, hidden, latent)))
    optimizer = optax.adam(learning_rate)

    def flat_loss(vector: Array, windows: Array, weights: Array, noise: Array, beta: float | Array) -> Loss:
        return loss(unflatten(vector, like), windows, weights, noise, beta, masked, centring)

    def run(
        progress: Progress,
        series: Float[Array, "time channel"],
        starts: Int[Array, "step batch"],
        weights: Float[Array, "step batch"],
        noise: Float[Array, "step batch latent"],
        used: Int[Array, ""],
        beta_scale: Float[Array, " step"] | None,
    ) -> tuple[Progress, Float[Array, "step term"]]:
        dtype = series.dtype

        def step(index: Any, carry: tuple[Progress, Array]) -> tuple[Progress, Array]:
            (vector, adam), terms = carry
            # The same as `twinvae.windowing.slide.slide`, which gathers single values where this copies windows.
            windows = jax.vmap(lambda start: jax.lax.dynamic_slice_in_dim(series, start, window))(starts[index])
            now = beta if beta_scale is None else beta * beta_scale[index].astype(dtype)
            gradient, parts = jax.grad(flat_loss, has_aux=True)(
                vector, windows, weights[index].astype(dtype), noise[index].astype(dtype), now
            )
            update, adam = optimizer.update(gradient, adam, vector)
            vector = vector + update
            return Progress(vector, adam), terms.at[index].set(parts)

        return jax.lax.fori_loop(0, used, step, (progress, jnp.zeros((len(starts), 1 + latent), dtype)))

    return run


@functools.cache
def _compiled(*made_from: Any) -> Callable[..., tuple[Progress, Float[Array, "step term"]]]:
    """The program that runs a chunk, compiled once for each combination of what it is made from."""
    return jax.jit(_chunk_program(*made_from))


@functools.cache
def _compiled_together(*made_from: Any) -> Callable[..., tuple[Progress, Float[Array, "member step term"]]]:
    """The same for a chunk of several members, `at_once` (the last argument) of them in one step."""
    *sizes, at_once = made_from
    run = _chunk_program(*sizes)

    @jax.jit
    def run_together(
        progress: Progress,
        series: Float[Array, "member time channel"],
        starts: Int[Array, "member step batch"],
        weights: Float[Array, "member step batch"],
        noise: Float[Array, "step batch latent"],
        used: Int[Array, " member"],
        beta_scale: Float[Array, "member step"] | None,
    ) -> tuple[Progress, Float[Array, "member step term"]]:
        def run_one(member: tuple[Any, ...]) -> tuple[Progress, Array]:
            progress, series, starts, weights, used, scale = member
            return run(progress, series, starts, weights, noise, used, scale)

        members = progress, series, starts, weights, used, beta_scale
        return jax.lax.map(run_one, members, batch_size=None if at_once == 1 else at_once)

    return run_together


def gradient(
    parameters: Parameters,
    windows: Float[np.ndarray, "batch window channel"],
    weights: Float[np.ndarray, " batch"],
    noise: Float[np.ndarray, "batch latent"],
    config: Config,
) -> Gradient:
    """See `twinvae.network.backend.Backend.gradient`."""
    with runtime(config):
        masked = config.missing == "mask"
        result, terms = _gradient(to_state(parameters), windows, weights, noise, config.beta, masked, config.centring)
        return Gradient(float(terms[0]), float(terms[1:].sum()), from_state(result))


_gradient = jax.jit(jax.grad(loss, has_aux=True), static_argnums=(4, 5, 6))
