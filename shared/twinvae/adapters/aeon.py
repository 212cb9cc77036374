"""The detector as an aeon anomaly detector of series."""

from typing import Any, ClassVar, Self

import numpy as np
from aeon.anomaly_detection.series.base import BaseSeriesAnomalyDetector
from jaxtyping import Float

from twinvae.adapters.prototype import unfitted
from twinvae.config import PRESETS
from twinvae.detector.detector import VAEDetector, load_detector
from twinvae.network.backend import installed_backends


class AeonVAE(BaseSeriesAnomalyDetector):  # type: ignore[misc]  # aeon has no types
    """Scores each time point of a series, of any number of channels; `predict` gives the scores, as aeon has it.

    `detector` is a `vae_jax.VAEDetector` or a `vae_torch.VAEDetector`; it is copied, not fitted. Fit on a normal
    series (semi-supervised), or call `fit_predict` on the series itself, where it may hold few anomalies
    (unsupervised). Labels given to `fit` are ignored. Missing values are allowed where the detector has
    `missing="mask"` (the preset "auto" has it) or `missing="interpolate"`.

    After `fit`: `detector_`, the fitted copy, with its thresholds, labels and events.

    >>> import numpy as np
    >>> from twinvae.adapters.aeon import AeonVAE
    >>> from vae_jax import VAEDetector
    >>> normal = np.sin(np.arange(500) / 6) + np.random.default_rng(0).normal(0, 0.05, 500)
    >>> series = normal + 5.0 * (np.arange(500) == 250)
    >>> scores = AeonVAE(VAEDetector(window=24, epochs=5)).fit(normal).predict(series)
    >>> int(scores.argmax())
    250
    """

    _tags: ClassVar[dict[str, Any]] = {
        "capability:univariate": True,
        "capability:multivariate": True,
        "capability:missing_values": False,
        "fit_is_empty": False,
        "anomaly_output_type": "anomaly_scores",
        "learning_type:unsupervised": True,
        "learning_type:semi_supervised": True,
    }

    def __init__(self, detector: VAEDetector) -> None:
        self.detector = detector
        super().__init__(axis=0)
        # aeon calls this again at the start of each fit, so the tag follows set_params.
        self.set_tags(**{"capability:missing_values": _takes_gaps(detector)})

    def _fit(self, X: Float[np.ndarray, "time channel"], y: Any = None) -> Self:  # noqa: N803  (aeon's name)
        self.detector_ = unfitted(self.detector).fit(X)
        return self

    def _predict(self, X: Float[np.ndarray, "time channel"]) -> Float[np.ndarray, " time"]:  # noqa: N803
        return self.detector_.decision_function(X)

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> dict[str, Any]:
        """What aeon's checks construct it with: their series have 20 time points."""
        detector_class = load_detector(installed_backends()[0])
        return {"detector": detector_class(window=5, hidden_dim=4, latent_dim=2, epochs=2)}


def _takes_gaps(detector: Any) -> bool:
    missing, preset = getattr(detector, "missing", None), PRESETS.get(getattr(detector, "preset", ""))
    return (missing or (preset.missing if preset else "error")) != "error"
