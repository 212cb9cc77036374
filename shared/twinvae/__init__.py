"""Anomaly detection in time series with a variational autoencoder, twice: `vae_jax` and `vae_torch` are its backends.

Public are the names listed here, `twinvae.adapters`, `twinvae.data` and `twinvae.stream`. Everything else is internal.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinvae.config import Config
    from twinvae.detector.detection import Detection
    from twinvae.detector.detector import load_detector
    from twinvae.detector.not_fitted import NotFittedError
    from twinvae.model.model import Model
    from twinvae.scoring.events import Event
    from twinvae.series.series import Series
    from twinvae.stream.stream import Stream

__all__ = ["Config", "Detection", "Event", "Model", "NotFittedError", "Series", "Stream", "load_detector"]

_HOME = {
    "Config": "config",
    "Detection": "detector.detection",
    "Event": "scoring.events",
    "Model": "model.model",
    "NotFittedError": "detector.not_fitted",
    "Series": "series.series",
    "Stream": "stream.stream",
    "load_detector": "detector.detector",
}


def __getattr__(name: str) -> Any:  # imported when first used, so that `import twinvae` takes no time
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"twinvae.{_HOME[name]}"), name)
