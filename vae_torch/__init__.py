"""Anomaly detection in time series with a variational autoencoder, in PyTorch."""

from typing import ClassVar

from twinvae.detector import detector
from twinvae.fleet import fleet
from twinvae.network.backend import Backend
from vae_torch import backend

__all__ = ["VAEDetector", "VAEFleet"]


class VAEDetector(detector.VAEDetector):  # noqa: D101
    __doc__ = detector.VAEDetector.__doc__
    backend: ClassVar[Backend] = backend


class VAEFleet(fleet.VAEFleet):  # noqa: D101
    __doc__ = fleet.VAEFleet.__doc__
    detector_class: ClassVar[type[detector.VAEDetector]] = VAEDetector
