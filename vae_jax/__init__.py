"""Anomaly detection in time series with a variational autoencoder, in JAX, Flax and Optax."""

from typing import ClassVar

from shared import detector
from shared.backend import Backend
from vae_jax import backend

__all__ = ["VAEDetector"]


class VAEDetector(detector.VAEDetector):  # noqa: D101
    __doc__ = detector.VAEDetector.__doc__
    backend: ClassVar[Backend] = backend
