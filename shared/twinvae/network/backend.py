"""What a backend is, and how to load one by name.

A backend is a module of pure functions, NumPy in and NumPy out. Their results depend on nothing but their arguments:
all randomness is an argument too. Returning NumPy arrays forces the device to finish.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from twinvae.config import Config, Device
from twinvae.files.out_of_core import TimeByChannel
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import Chunk, ChunkTogether

BACKENDS = ("jax", "torch")

Statistic = Literal["point", "reconstruction", "window", "causal", "divergence"]
STATISTICS: tuple[Statistic, ...] = ("point", "reconstruction", "window", "causal", "divergence")


class Trained(NamedTuple):
    """The state after a chunk of training.

    The terms are the squared error and the KL divergence of each latent dimension, summed over the step's windows.
    """

    parameters: Parameters
    terms: Float[np.ndarray, "step term"]  # of each step


Lane = Callable[[], AbstractContextManager[object]]  # entered in a thread, it takes a core or a device for its own


class Backend(Protocol):
    """The functions of `vae_jax.backend` and of `vae_torch.backend`.

    A series is scaled, of shape (time, channel), and has the dtype of the network.
    """

    def train(
        self, net: Net, parameters: Parameters, series: TimeByChannel, chunks: Iterable[Chunk], config: Config
    ) -> Iterator[Trained]:
        """Runs Adam over the chunks and yields the state after each. A consumer that stops early stops the training.

        Of the configuration it reads `beta`, `learning_rate`, `batch_size`, `compile` and `device`.
        """

    def train_together(
        self,
        net: Net,
        parameters: Parameters,
        series: Float[np.ndarray, "member time channel"],
        chunks: Iterable[ChunkTogether],
        config: Config,
    ) -> list[Trained]:
        """Trains one model for each series, all from the same parameters, and returns the state after each one's end.

        The series are padded to one length; a step never reads the padding. The members are in the order of their
        numbers of steps, most first. Each result is that of `train` on its series alone.
        """

    def statistics(
        self,
        net: Net,
        parameters: Parameters,
        series: TimeByChannel,
        wanted: Sequence[Statistic],
        device: Device,
        noise: Float[np.ndarray, " latent"] | None = None,
    ) -> dict[str, Float[np.ndarray, "_ _"]]:
        """The wanted statistics of the series (see `series_statistics`), from the posterior mean of each window.

        With `noise`, a standard normal vector, from that draw of each window's posterior instead.
        """

    def encode(
        self, net: Net, parameters: Parameters, series: TimeByChannel, device: Device
    ) -> tuple[Float[np.ndarray, "n latent"], Float[np.ndarray, "n latent"]]:
        """The mean and the log-variance of the posterior of each window."""

    def bind(
        self, net: Net, parameters: Parameters, device: Device
    ) -> Callable[[Float[np.ndarray, "n window channel"]], Float[np.ndarray, " n"]]:
        """A function that scores separate windows with these parameters, which are converted once.

        A score is the mean squared error of a window, reconstructed from its posterior mean.
        """

    def lanes(self, device: Device) -> list[Lane]:
        """Contexts for threads that work side by side: one for each core that this process may use, or each GPU."""


def installed_backends() -> tuple[str, ...]:
    """The names of the backends whose framework is installed, JAX first. Imports none of them."""
    needs = {"jax": ("jax", "flax", "optax"), "torch": ("torch", "array_api_compat")}
    return tuple(name for name in BACKENDS if all(importlib.util.find_spec(package) for package in needs[name]))


def require_backend(name: str) -> None:
    """Raises ValueError if there is no such backend, or its framework is not installed."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}: choose one of {', '.join(BACKENDS)}")
    if name not in installed_backends():
        raise ValueError(f"the backend {name} is not installed: pip install 'twinvae[{name}]'")


def load_backend(name: str) -> Backend:
    """The module of the backend of this name.

    Raises:
        ValueError: if there is no such backend, or its framework is not installed.
    """
    require_backend(name)
    module: Backend = importlib.import_module(f"vae_{name}.backend")
    return module
