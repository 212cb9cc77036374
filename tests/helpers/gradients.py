"""The gradient of the loss of one batch in each framework, made from the `loss` that training uses."""

import functools
from typing import Any, NamedTuple

import numpy as np

from twinvae.network.net import Net
from twinvae.network.parameters import Parameters


class Gradient(NamedTuple):
    """The two terms of the loss of one batch, summed over its windows, and the gradient of the loss."""

    squared_error: float
    divergence: float
    parameters: Parameters


def gradient(
    name: str,
    net: Net,
    parameters: Parameters,
    windows: np.ndarray,
    weights: np.ndarray,
    noise: np.ndarray,
    beta: float,
) -> Gradient:
    """That of the backend of this name."""
    return {"jax": _jax, "torch": _torch}[name](net, parameters, windows, weights, noise, beta)


def _jax(
    net: Net, parameters: Parameters, windows: np.ndarray, weights: np.ndarray, noise: np.ndarray, beta: float
) -> Gradient:
    from vae_jax.model import from_state, to_state
    from vae_jax.runtime import runtime

    with runtime(net, "auto"):
        found, terms = _slope(net, beta)(to_state(parameters), windows, weights, noise)
        return Gradient(float(terms[0]), float(terms[1:].sum()), from_state(found))


@functools.cache
def _slope(net: Net, beta: float) -> Any:
    """Compiled, as in training."""
    import jax

    from vae_jax.model import build, loss

    return jax.jit(jax.grad(lambda state, x, w, e: loss(net, build(net, state), x, w, e, beta), has_aux=True))


def _torch(
    net: Net, parameters: Parameters, windows: np.ndarray, weights: np.ndarray, noise: np.ndarray, beta: float
) -> Gradient:
    import torch

    from vae_torch.model import build, loss, to_state
    from vae_torch.runtime import runtime

    with runtime(net, "auto"):
        model = build(net, to_state(parameters))
        x, w, e = map(torch.tensor, (windows, weights, noise))
        total, terms = loss(net, model, x, w, e, beta)
        total.backward()  # type: ignore[no-untyped-call]
        found = {name: p.grad.numpy(force=True) for name, p in model.named_parameters() if p.grad is not None}
        return Gradient(float(terms[0]), float(terms[1:].sum()), found)
