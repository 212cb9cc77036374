"""The parts of a fitted model, as attributes of its detector."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from twinvae.config import HYPERPARAMETERS, Config
from twinvae.detector.arguments import Estimator
from twinvae.detector.not_fitted import not_fitted
from twinvae.model.model import Model
from twinvae.network.parameters import Parameters
from twinvae.scoring.formulas import Calibration
from twinvae.series.scaling import Scaler


def _of_model(read: Callable[[Model], Any], doc: str) -> Any:
    return property(lambda detector: read(detector._fitted), doc=doc)


def _part(name: str) -> Any:
    return _of_model(attrgetter(name), f"The {name} of `model_`.")


class Fitted(Estimator):
    """Has what `fit` has made: `model_`, and each part of it."""

    model_: Model

    @property
    def _fitted(self) -> Model:
        if "model_" not in vars(self):
            raise not_fitted("this detector is not fitted: call fit first")
        return self.model_

    thresholds_: dict[str, float] = _part("thresholds")
    parameters_: Parameters = _part("parameters")
    scaler_: Scaler = _part("scaler")
    config_: Config = _part("config")
    channels_: tuple[str, ...] = _part("channels")
    calibration_: Calibration = _part("calibration")
    n_features_in_: int = _of_model(lambda model: len(model.channels), "The number of channels, as scikit-learn asks.")
    threshold_: float = _of_model(lambda model: model.thresholds[model.config.kind], "That of the score that decides.")

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's pipelines and searches want to know; nobody else calls it."""
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type="outlier_detector", target_tags=TargetTags(required=False))

    def _overrides(self) -> dict[str, Any]:
        return {name: value for name in HYPERPARAMETERS if (value := getattr(self, name)) is not None}

    @property
    def arguments_(self) -> dict[str, Any]:
        """The constructor's arguments of the fit."""
        model = self._fitted
        return {"preset": model.preset, "seed": model.seed} | dict.fromkeys(HYPERPARAMETERS) | dict(model.overrides)
