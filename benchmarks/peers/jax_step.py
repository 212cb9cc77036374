"""JAX as most tutorials use it: one compiled step, called from a Python loop.

The model, the loss and the optimiser are those of the product, so the difference is what it costs to return to Python
after every step.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from twinvae.config import Config
from twinvae.network.backend import Trained
from twinvae.network.net import Net
from twinvae.network.objective import loss_terms
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import Chunk
from twinvae.windowing.slide import slide
from vae_jax.model import build, from_state, sample, to_state
from vae_jax.runtime import runtime


def train(
    net: Net, parameters: Parameters, series: np.ndarray, chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """Trains as the `train` of `twinvae.network.backend.Backend` does, but with one call of a program for each step."""
    with runtime(net, config.device):
        state: Any = jax.device_put(to_state(parameters))
        adam: Any = optax.adam(config.learning_rate).init(state)
        values = jax.device_put(series)
        for chunk in chunks:
            terms = []
            steps = jax.device_put((chunk.starts, chunk.weights, chunk.noise))  # once, not in every step
            for i in range(chunk.used):
                state, adam, both = step(
                    state, adam, values, *steps, i, net=net, beta=config.beta, rate=config.learning_rate
                )
                terms.append(both)
            yield Trained(from_state(state), np.stack(jax.device_get(terms)))


@partial(jax.jit, static_argnames=("net", "beta", "rate"), donate_argnames=("state", "adam"))
def step(
    state: Any, adam: Any, values: Any, starts: Any, weights: Any, noise: Any, index: Any, *, net: Net, beta: float,
    rate: float,
) -> tuple[Any, Any, Any]:  # fmt: skip
    starts, weights, noise = starts[index], weights[index].astype(values.dtype), noise[index].astype(values.dtype)
    windows = slide(values, starts, net.window, jnp)

    def loss(state: Any) -> tuple[Any, Any]:
        model = build(net, state)
        x = windows.reshape(len(windows), -1)
        mean, log_variance = model.encode(x)
        x_hat = model.decode(sample(mean, log_variance, noise))
        squared, divergence = loss_terms(x, x_hat, mean, log_variance, weights, jnp)
        return squared + beta * divergence.sum(), jnp.concatenate([squared.reshape(1), divergence])

    slope, both = jax.grad(loss, has_aux=True)(state)
    update, adam = optax.adam(rate).update(slope, adam)
    return optax.apply_updates(state, update), adam, both
