"""The product of a linear layer, with a weight gradient that XLA's fast library of products takes."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_LARGE = 2**25  # multiplications; above that, copying a transposed input costs more than it gains


def product(
    x: Float[Array, "*batch inputs"], kernel: Float[Array, "inputs outputs"], *arguments: Any, **keywords: Any
) -> Float[Array, "*batch outputs"]:
    """`x @ kernel` in full precision: what `nnx.Linear` takes as its `dot_general`, the same numbers.

    The gradient of the kernel is `x.T @ gradient`. Written as one product whose transpose is a matter of strides, as
    JAX derives it, XLA compiles it for the CPU apart from the others, to slower code. Here the input is transposed
    first, behind a barrier that keeps XLA from joining the two.
    """
    small = x.ndim == 2 and x.size * kernel.shape[1] <= _LARGE
    return _product(x, kernel) if small else lax.dot_general(x, kernel, *arguments, **keywords)


@jax.custom_vjp
def _product(x: Array, kernel: Array) -> Array:
    return jnp.matmul(x, kernel, precision="highest")


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _product(x, kernel), (x, kernel)


def _backward(kept: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = kept
    of_input = lax.dot_general(gradient, kernel, (((1,), (1,)), ((), ())), precision="highest")
    transposed = lax.optimization_barrier(x.T)  # type: ignore[no-untyped-call]
    return of_input, jnp.matmul(transposed, gradient, precision="highest")


_product.defvjp(_forward, _backward)
