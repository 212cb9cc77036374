"""The precision and the device that a call runs with, without a change to any global setting."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import jax

from shared.config import Config


@contextmanager
def runtime(config: Config) -> Iterator[jax.Device | None]:
    """Runs its body on the configured device, with 64-bit types if the model has them. Gives the device that is named.

    Raises:
        ValueError: if the configuration asks for a GPU and JAX sees none.
    """
    device = None
    with ExitStack() as stack:
        if config.dtype == "float64":
            stack.enter_context(jax.enable_x64(True))
        if config.device != "auto":
            try:
                device = jax.devices(config.device)[0]
            except RuntimeError:
                raise ValueError(f"JAX sees no {config.device} here: use device='auto' or 'cpu'") from None
            stack.enter_context(jax.default_device(device))
        yield device
