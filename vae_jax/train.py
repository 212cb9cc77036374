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

from shared.backend import Gradient, Trained
from shared.config import Centring, Config
from shared.parameters import Parameters
from shared.schedule import Chunk, placed
from vae_jax.model import Loss, State, abstract, flatten, from_state, loss, to_state, unflatten
from vae_jax.runtime import runtime


class Progress(NamedTuple):
    """What a step hands to the next."""

    vector: Float[Array | np.ndarray, " parameter"]
    adam: optax.OptState


def train(
    parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """See `shared.backend.Backend.train`.

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


def _to_host(vector: Array, terms: Array, used: int, like: State) -> Trained:
    return Trained(from_state(unflatten(np.asarray(vector), like)), np.asarray(terms)[:used])


@functools.cache
def _start(size: int, dtype: str) -> optax.OptState:
    """Adam starts from zeros; made on the host, they need no programs of their own."""
    shapes = jax.eval_shape(optax.adam(0.0).init, np.zeros(size, dtype))
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


@functools.cache
def _compiled(
    features: int,
    hidden: int,
    latent: int,
    window: int,
    beta: float,
    learning_rate: float,
    masked: bool,
    centring: Centring,
) -> Callable[..., tuple[Progress, Float[Array, "step term"]]]:
    """The program that runs a chunk, compiled once for each combination of what it is made from.

    It is a scan whose length is data, so that a chunk that is not full runs the same program.
    """
    like = nnx.to_pure_dict(nnx.state(abstract(features, hidden, latent)))
    optimizer = optax.adam(learning_rate)

    def flat_loss(vector: Array, windows: Array, weights: Array, noise: Array, beta: float | Array) -> Loss:
        return loss(unflatten(vector, like), windows, weights, noise, beta, masked, centring)

    @jax.jit
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
            # The same as `shared.windows.slide`, which gathers single values where this copies windows.
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


def gradient(
    parameters: Parameters,
    windows: Float[np.ndarray, "batch window channel"],
    weights: Float[np.ndarray, " batch"],
    noise: Float[np.ndarray, "batch latent"],
    config: Config,
) -> Gradient:
    """See `shared.backend.Backend.gradient`."""
    with runtime(config):
        masked = config.missing == "mask"
        result, terms = _gradient(to_state(parameters), windows, weights, noise, config.beta, masked, config.centring)
        return Gradient(float(terms[0]), float(terms[1:].sum()), from_state(result))


_gradient = jax.jit(jax.grad(loss, has_aux=True), static_argnums=(4, 5, 6))
