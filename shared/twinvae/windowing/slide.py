"""Windows of a series: standardise, slide, fold back.

`slide` and `fold` are written against the array API standard: `xp` is the namespace of the arrays (NumPy,
`jax.numpy`, or `array_api_compat.torch`), so the same lines run under NumPy, in PyTorch and inside `jax.jit`.
"""

from types import ModuleType
from typing import Any

from jaxtyping import Float, Int


def slide(
    series: Float[Any, "time channel"], starts: Int[Any, " n"], window: int, xp: ModuleType
) -> Float[Any, "n window channel"]:
    """The windows that begin at the time steps `starts`."""
    return series[starts[:, None] + xp.arange(window, dtype=starts.dtype)]


def centred(
    x: Float[Any, "n window channel"], masked: bool, xp: ModuleType
) -> tuple[Float[Any, "n window channel"], Float[Any, "n 1 channel"]]:
    """The windows without the mean of each of their channels, and these means.

    If `masked`, NaN is a missing value, which no mean counts; the mean of none is 0.
    """
    if masked:
        known = ~xp.isnan(x)
        values = xp.sum(xp.astype(known, x.dtype), axis=1, keepdims=True)
        level = xp.sum(xp.where(known, x, 0.0), axis=1, keepdims=True) / xp.maximum(values, xp.ones_like(values))
    else:
        level = xp.mean(x, axis=1, keepdims=True)
    return x - level, level
