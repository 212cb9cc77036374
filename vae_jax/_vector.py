"""All parameters as one vector: Adam then updates one array rather than eight."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from twinvae.network.net import Net
from vae_jax.model import State, abstract


def flatten(state: State) -> Float[np.ndarray, " parameter"]:
    """The parameters as one vector, on the host, where `jax.flatten_util.ravel_pytree` compiles programs for 0.3 s."""
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(state)])


def unflatten(vector: Float[Array | np.ndarray, " parameter"], net: Net) -> State:
    """The inverse of `flatten`, for the parameters of this network; on the host or inside a program."""
    leaves, structure = _shapes(net)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    # The transpose of a split is a concatenation; that of slices is a sum of padded arrays, three times slower.
    parts: list[Any] = np.split(vector, ends) if isinstance(vector, np.ndarray) else jnp.split(vector, ends)
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])


@functools.lru_cache(64)
def _shapes(net: Net) -> tuple[list[Any], Any]:
    return jax.tree.flatten(nnx.to_pure_dict(nnx.state(abstract(net))))
