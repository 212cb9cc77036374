"""The precision and the device that a call runs with, whatever its caller has set, and without a change to that."""

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import jax

from twinvae.config import Device
from twinvae.network.backend import Lane
from twinvae.network.net import Net
from twinvae.process.cores import usable_cores

# What a caller may have set that would change or refuse our programs: the setting, its context, and what ours run with.
_SETTINGS: tuple[tuple[str, Any, Any], ...] = (
    ("jax_disable_jit", jax.disable_jit, False),
    ("jax_debug_nans", jax.debug_nans, False),  # NaN is a missing value
    ("jax_debug_infs", jax.debug_infs, False),
    ("jax_default_matmul_precision", jax.default_matmul_precision, None),
    ("jax_numpy_dtype_promotion", jax.numpy_dtype_promotion, "standard"),
    ("jax_numpy_rank_promotion", jax.numpy_rank_promotion, "allow"),
    ("jax_transfer_guard_host_to_device", jax.transfer_guard_host_to_device, "allow"),
    ("jax_transfer_guard_device_to_device", jax.transfer_guard_device_to_device, "allow"),
    ("jax_transfer_guard_device_to_host", jax.transfer_guard_device_to_host, "allow"),
)


@contextmanager
def runtime(net: Net, device: Device) -> Iterator[jax.Device | None]:
    """Runs its body on the chosen device and with our settings, with 64-bit types only if the network has them.

    Gives the device, or None where the one that is set already will do.

    Raises:
        ValueError: if JAX does not start, or sees no such device.
        RuntimeError: in a process that was forked from one that had used JAX: it would wait for ever.
    """
    named = None
    with _settings(net), ExitStack() as stack:
        possible = _devices(device)
        if device != "auto" and _current() not in possible:
            named = possible[0]
            stack.enter_context(jax.default_device(named))
        yield named


def _settings(net: Net) -> AbstractContextManager[object]:
    """Runs its body with our settings; those that are so already are left alone, since each takes a microsecond."""
    _check_not_forked()
    wanted = (*_SETTINGS, ("jax_enable_x64", jax.enable_x64, net.dtype == "float64"))
    others = [(context, value) for name, context, value in wanted if getattr(jax.config, name) not in (value, None)]
    if not others:
        return nullcontext()
    stack = ExitStack()
    for context, value in others:
        stack.enter_context(context(value))
    return stack


_FORKED = threading.Event()  # set for good in a process that was forked from one that had used JAX


def _after_fork() -> None:
    try:
        from jax._src.xla_bridge import backends_are_initialized  # what JAX itself asks before it warns of a fork
    except ImportError:  # a private name
        _FORKED.set()
        return
    if backends_are_initialized():
        _FORKED.set()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_after_fork)


def _check_not_forked() -> None:
    if _FORKED.is_set():
        raise RuntimeError(
            "the backend JAX does not survive a fork, and this process was forked from one that had used it: start "
            "workers with multiprocessing's 'spawn' or 'forkserver', or fork before JAX is used"
        )


def _devices(device: Device) -> list[jax.Device]:
    _check_not_forked()
    try:
        every = jax.devices()
    except (RuntimeError, AssertionError) as error:  # that of a platform without its plugin has no words
        platforms = jax.config.jax_platforms  # type: ignore[attr-defined]
        asked = f" with JAX_PLATFORMS={platforms}: unset it, or name what is here, such as cpu" if platforms else ""
        said = f" (JAX says: {error})" if str(error) else ""
        raise ValueError(f"JAX does not start{asked}{said}") from None
    try:
        return every if device == "auto" else jax.devices(device)
    except RuntimeError:
        here = ", ".join(sorted({each.platform for each in every}))
        raise ValueError(f"JAX sees no {device} here, but {here}: use device='auto'") from None


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
