"""What a backend is, and how to load one by name.

A backend is a module of pure functions, NumPy in and NumPy out. Their results depend on nothing but their arguments:
all randomness comes in as data. Returning NumPy forces the device to finish.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
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


class Gradient(NamedTuple):
    """The two terms of the loss of one batch, summed over its windows, and the gradient of the loss."""

    squared_error: float
    divergence: float
    parameters: Parameters


class Backend(Protocol):
    """The functions of `vae_jax.backend` and of `vae_torch.backend`.

    A series is scaled, of shape (time, channel), and has the dtype of the configuration.
    """

    def train(
        self, parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
    ) -> Iterator[Trained]:
        """Runs Adam over the chunks; yields after each. A consumer that stops early stops the training."""

    def train_together(
        self,
        parameters: Parameters,
        series: Float[np.ndarray, "member time channel"],
        chunks: Iterable[ChunkTogether],
        config: Config,
    ) -> list[Trained]:
        """`train` of each of these series, all from the same parameters; what is true after the last step of each.

        What comes after the end of a shorter series is never read. The members are in the order of their numbers of
        steps, most first. `config.epochs` is not read.
        """

    def lanes(self, config: Config) -> list[Lane]:
        """One for each core that this process may use, or for each GPU: threads that work side by side."""

    def gradient(
        self,
        parameters: Parameters,
        windows: Float[np.ndarray, "batch window channel"],
        weights: Float[np.ndarray, " batch"],
        noise: Float[np.ndarray, "batch latent"],
        config: Config,
    ) -> Gradient:
        """Loss and gradient of one batch, as in a step of training."""

    def statistics(
        self,
        parameters: Parameters,
        series: Float[np.ndarray, "time channel"],
        statistics: Sequence[Statistic],
        config: Config,
        noise: Float[np.ndarray, " latent"] | None = None,
    ) -> dict[str, Float[np.ndarray, "_ _"]]:
        """`series_statistics` of the series, from the posterior mean, or from one latent draw if there is noise."""

    def prepare(self, length: int, channels: int, names: Sequence[Statistic], config: Config) -> Callable[[], None]:
        """Starts to compile what the first `statistics` of such a series needs, to be ready when training is.

        The function that it returns waits for that.
        """

    def encode(
        self, parameters: Parameters, series: Float[np.ndarray, "time channel"], config: Config
    ) -> tuple[Float[np.ndarray, "n latent"], Float[np.ndarray, "n latent"]]:
        """Mean and log-variance of the posterior of each window."""

    def bind(
        self, parameters: Parameters, config: Config
    ) -> Callable[[Float[np.ndarray, "n window channel"]], Float[np.ndarray, " n"]]:
        """A scorer of separate windows (mean squared error, posterior mean) whose parameters are converted once."""


def installed_backends() -> tuple[str, ...]:
    """Names of the backends whose framework is installed, JAX first. Imports none of them."""
    needs = {"jax": ("jax", "flax", "optax"), "torch": ("torch", "array_api_compat")}
    return tuple(name for name in BACKENDS if all(importlib.util.find_spec(package) for package in needs[name]))


def require_backend(name: str) -> None:
    """Raises ValueError if there is no such backend, or its framework is not installed."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}: choose one of {', '.join(BACKENDS)}")
    if name not in installed_backends():
        raise ValueError(f"the backend {name} is not installed: pip install 'twinvae[{name}]'")


def load_backend(name: str) -> Backend:
    """The backend's module, for code that chooses by name.

    Raises:
        ValueError: if there is no such backend, or its framework is not installed.
    """
    require_backend(name)
    module: Backend = importlib.import_module(f"vae_{name}.backend")
    return module
