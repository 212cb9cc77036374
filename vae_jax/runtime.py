"""The precision and the device that a call runs with, without a change to any global setting."""

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import jax

from twinvae.config import Device
from twinvae.network.backend import Lane
from twinvae.network.net import Net
from twinvae.process.cores import usable_cores


@contextmanager
def runtime(net: Net, device: Device) -> Iterator[jax.Device | None]:
    """Runs its body on the chosen device, with 64-bit types if the network has them.

    Gives the device, or None where the one that is set already will do.

    Raises:
        ValueError: if a GPU is asked for and JAX sees none.
    """
    named = None
    with ExitStack() as stack:
        if net.dtype == "float64":
            stack.enter_context(jax.enable_x64(True))
        if device != "auto" and _current() not in _devices(device):
            named = _devices(device)[0]
            stack.enter_context(jax.default_device(named))
        yield named


def _devices(device: Device) -> list[jax.Device]:
    try:
        return jax.devices(None if device == "auto" else device)
    except RuntimeError:
        raise ValueError(f"JAX sees no {device} here: use device='auto' or 'cpu'") from None


def _current() -> Any:
    """What the surrounding code, such as a lane, has chosen: a device, the name of a platform, or None."""
    return jax.config.jax_default_device  # type: ignore[attr-defined]


def _on_cpu() -> bool:
    """Whether a program that starts now runs on a CPU."""
    device = _current() or jax.devices()[0]
    return bool(getattr(device, "platform", device) == "cpu")


def lanes(device: Device) -> list[Lane]:
    """See `twinvae.network.backend.Backend.lanes`. A CPU runs several programs at a time, each in its thread."""
    devices = _devices(device)
    threads = max(usable_cores(), len(devices)) if devices[0].platform == "cpu" else len(devices)
    return [functools.partial(jax.default_device, devices[index % len(devices)]) for index in range(threads)]
