"""Anomaly detection in time series with a variational autoencoder, in PyTorch."""

from typing import ClassVar

from twinvae.detector import detector
from twinvae.fleet import fleet
from twinvae.network.backend import Backend
from vae_torch import backend

__all__ = ["VAEDetector", "VAEFleet"]


class VAEDetector(detector.VAEDetector):  # noqa: D101
    __doc__ = f"""{detector.VAEDetector.__doc__}
    >>> import numpy as np
    >>> from vae_torch import VAEDetector
    >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
    >>> series = normal + 3.0 * (np.arange(500) // 10 == 30)
    >>> detector = VAEDetector(window=24, epochs=20, seed=0).fit(normal)
    >>> [event] = detector.events(series)
    >>> event.start < 310 and event.end > 300
    True
    """
    backend: ClassVar[Backend] = backend


class VAEFleet(fleet.VAEFleet):  # noqa: D101
    __doc__ = fleet.VAEFleet.__doc__
    detector_class: ClassVar[type[detector.VAEDetector]] = VAEDetector
