"""Whether this JAX is fit for use."""

import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.runtime import _devices


def diagnose() -> tuple[dict[str, str], list[str]]:
    """Devices and checks by name, and a list of what is wrong."""
    try:
        devices = ", ".join(map(str, _devices("auto")))
    except ValueError as error:
        return {}, [str(error)]
    right = sums_of_squares_are_right()
    findings = {
        "devices": devices,
        "64-bit types": "on" if jnp.zeros(0).dtype == "float64" else "off (switched on where a model is float64)",
        "sum of squares": "right" if right else "wrong",
    }
    fault = "this jaxlib computes wrong sums of squares of matrix products, as 0.10.2 does: install another version"
    return findings, [] if right else [fault]


def sums_of_squares_are_right() -> bool:
    """Whether the compiled sum of squares of X @ M is exact for a tall X: a reconstruction error has this form.

    jaxlib 0.10.2 gave 262152 in place of 16777728 for X of shape (32769, 8), and inf for (40000, 50).
    """
    for rows, columns in ((32_769, 8), (40_000, 50)):
        ones, square = np.ones((rows, columns), np.float32), np.ones((columns, columns), np.float32)
        total = jax.jit(lambda x, m: jnp.sum((x @ m) ** 2))(ones, square)
        exact = rows * columns**3
        if not abs(float(total) - exact) <= 1e-4 * exact:
            return False
    return True
