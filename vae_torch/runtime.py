"""The precision and the device that a call runs with, whatever its caller has set, and without a change to that."""

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch

from twinvae.config import Device
from twinvae.network.backend import Lane
from twinvae.network.net import Net

_SMALL = 2**23  # multiplications in a layer; with fewer, a second thread costs more time than it saves


def _one_thread_if_small(net: Net, windows: int) -> AbstractContextManager[None]:
    """Runs its body on one CPU thread if this many windows are too little work for several.

    On a busy machine, threads that wait for each other after each tiny product make a small model ten times slower.
    """
    before = torch.get_num_threads()
    small = windows * net.features * net.hidden < _SMALL
    return _one_thread(before) if small and before > 1 else nullcontext()


@contextmanager
def runtime(net: Net, device: Device) -> Iterator[torch.device]:
    """Runs its body with our settings, and with new tensors on the chosen device, which it gives.

    Products have full precision, gradients can be taken, nothing is cast on the way; no tensor has the default dtype.

    PyTorch needs no setting for the dtype of the network, as JAX does.

    Raises:
        ValueError: if a GPU is asked for and PyTorch sees none.
    """
    if device == "gpu" and not torch.cuda.is_available():
        raise ValueError("PyTorch sees no gpu here: use device='auto' or 'cpu'")
    cuda = device != "cpu" and torch.cuda.is_available()
    place = torch.device("cuda" if cuda else "cpu")
    with _FULL_PRECISION, ExitStack() as stack:
        for context in _settings(place):
            stack.enter_context(context)
        if _FORKED.is_set():  # it would wait for ever for the threads of its parent, which it has not
            stack.enter_context(_one_thread(torch.get_num_threads()))
        yield place


def _settings(place: torch.device) -> Iterator[AbstractContextManager[object]]:
    """What must be entered: only where the caller has set something else, since each slows every call down."""
    if torch.is_inference_mode_enabled():
        yield torch.inference_mode(False)
    if not torch.is_grad_enabled():
        yield torch.enable_grad()
    if torch.is_autocast_enabled(place.type):
        yield torch.autocast(place.type, enabled=False)
    if place.type != "cpu" or torch.get_default_device().type != "cpu":
        yield place


class _FullPrecision:
    """A context of full precision as long as any thread is inside: the setting belongs to the whole process."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, "highest"

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.get_float32_matmul_precision()
                if self._before != "highest":
                    torch.set_float32_matmul_precision("highest")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._before != "highest":
                torch.set_float32_matmul_precision(self._before)

    def after_fork(self) -> None:
        """A thread that is not in this process may have held the lock."""
        self._lock = threading.Lock()


_FULL_PRECISION = _FullPrecision()


_FORKED = threading.Event()  # set for good in a process that was forked


def _after_fork() -> None:
    _FULL_PRECISION.after_fork()
    _FORKED.set()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_after_fork)


def lanes(device: Device) -> list[Lane]:
    """See `twinvae.network.backend.Backend.lanes`. On the CPU, as many as PyTorch has threads, of one thread each."""
    if device != "cpu" and torch.cuda.is_available():
        return [functools.partial(torch.cuda.device, index) for index in range(torch.cuda.device_count())]
    threads = torch.get_num_threads()
    return [functools.partial(_one_thread, threads)] * threads


@contextmanager
def _one_thread(before: int) -> Iterator[None]:
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
