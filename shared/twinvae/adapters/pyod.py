"""The detector as a PyOD detector of rows, which PyOD's own tools take: `TimeSeriesOD` hands it windows as rows."""

from typing import Any, Self

import numpy as np
from jaxtyping import Float
from pyod.models.base import BaseDetector
from sklearn.utils.validation import check_is_fitted, validate_data

from twinvae.adapters.prototype import unfitted
from twinvae.detector.detector import VAEDetector


class PyODVAE(BaseDetector):  # type: ignore[misc]  # PyOD has no types
    """Scores rows of shape (n, feature) by the mean squared error of their reconstruction.

    `detector` is a `vae_jax.VAEDetector` or a `vae_torch.VAEDetector`; it is copied, not fitted. A row is a window of
    its own: to the detector, rows are a series whose windows have one time step, with a channel for each feature. So
    `scaling="standard"` scales each feature, and `window` must be left out. `contamination`, the share of outliers
    or a threshold object of PyOD's, makes the threshold, as everywhere in PyOD. The detector's own thresholds and
    events have no part in it, nor has `kind`: rows have no neighbours.

    After `fit`: `decision_scores_`, `threshold_`, `labels_`, and `detector_`, the fitted copy.

    >>> import numpy as np
    >>> from twinvae.adapters.pyod import PyODVAE
    >>> from vae_jax import VAEDetector
    >>> rows = np.random.default_rng(0).normal(size=(200, 4))
    >>> rows[0] = 9.0
    >>> outliers = PyODVAE(VAEDetector(preset="standard", epochs=5), contamination=0.05).fit(rows)
    >>> int(outliers.decision_scores_.argmax()), int(outliers.labels_.sum())
    (0, 10)
    """

    def __init__(self, detector: VAEDetector, *, contamination: Any = 0.1) -> None:
        super().__init__(contamination=contamination)
        self.detector = detector

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803  (PyOD's name)
        """Trains on the rows, which may hold a share of `contamination` outliers. `y` is ignored.

        Raises:
            TypeError, ValueError: if an argument or the rows are not fit for use.
        """
        copy = unfitted(self.detector)
        if copy.window not in (None, 1):
            raise ValueError(
                f"window={copy.window} has no meaning here, a row is a window: leave it out (TimeSeriesOD cuts "
                "the windows: set its window_size)"
            )
        rows = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        self._set_n_classes(y)
        self.detector_ = copy.set_params(window=1, kind="point").fit(rows)
        self.decision_scores_ = self.detector_.decision_scores_
        self._process_decision_scores()
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, " n"]:  # noqa: N803
        """The score of each row: higher is more anomalous.

        Raises:
            ValueError: if the rows are not fit for use, or have other features than the fitted ones.
        """
        check_is_fitted(self, ("decision_scores_", "threshold_", "labels_"))
        return self.detector_.decision_function(validate_data(self, X, reset=False, dtype=(np.float64, np.float32)))
