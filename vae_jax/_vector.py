"""All small parameters as one vector, because Adam updates one array faster than eight; large ones stay as they are."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from twinvae.network.net import Net
from vae_jax.model import State, abstract

LARGE = 2**13  # values; above that, a step takes longer to join gradients to a vector than the vector saves

Vectors = tuple[Float[Array | np.ndarray, " _"], ...]  # each of its own length


def flatten(state: State, net: Net) -> Vectors:
    """The parameters as vectors, on the host: one of all small ones, if any, and each of the large ones.

    XLA's code that joins arrays is slow where several threads share it: 200 ms for the gradients of 3 million
    parameters, more than all products of such a step take.
    """
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(state)]
    return tuple(np.concatenate([leaves[index] for index in group]) for group in _layout(net)[0])


def unflatten(vectors: Vectors, net: Net) -> State:
    """The inverse of `flatten`, for the parameters of this network; on the host or inside a program."""
    groups, leaves, structure = _layout(net)
    parts: dict[int, Any] = {}
    for vector, group in zip(vectors, groups, strict=True):
        ends = np.cumsum([leaves[index].size for index in group])[:-1]
        # The transpose of a split is a concatenation; that of slices is a sum of padded arrays, three times slower.
        split: list[Any] = np.split(vector, ends) if isinstance(vector, np.ndarray) else jnp.split(vector, ends)
        parts |= dict(zip(group, split, strict=True))
    return jax.tree.unflatten(structure, [parts[index].reshape(leaf.shape) for index, leaf in enumerate(leaves)])


@functools.lru_cache(64)
def _layout(net: Net) -> tuple[list[list[int]], list[Any], Any]:
    """Which parameters make up each vector, by their numbers, and the shapes and the structure of all."""
    leaves, structure = jax.tree.flatten(nnx.to_pure_dict(nnx.state(abstract(net))))
    small = [index for index, leaf in enumerate(leaves) if leaf.size <= LARGE]
    large = [[index] for index, leaf in enumerate(leaves) if leaf.size > LARGE]
    return [*([small] if small else []), *large], leaves, structure
