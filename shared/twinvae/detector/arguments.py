"""The hyperparameters of a detector or a fleet, as scikit-learn's tools want them."""

import inspect
from collections.abc import Mapping
from typing import Any, Self

from twinvae.config import (
    DEFAULT_PRESET,
    HYPERPARAMETERS,
    Centring,
    Config,
    Device,
    Direction,
    DType,
    Kind,
    Missing,
    Scaling,
    ThresholdMethod,
    check_seed,
    resolve,
)

Limits = tuple[float | None, float | None]  # the low and the high end of a range; None is an open one


class Estimator:
    """Holds the arguments as they were given; they are checked when they are used.

    Every argument but `preset` and `seed` is a hyperparameter of `twinvae.Config`, described there; None takes it
    from the preset.
    """

    preset: str
    seed: int
    window: int | None
    epochs: int | None
    learning_rate: float | None
    missing: Missing | None
    device: Device | None

    def __init__(
        self,
        *,
        preset: str = DEFAULT_PRESET,
        seed: int = 0,
        window: int | None = None,
        hidden_dim: int | None = None,
        latent_dim: int | None = None,
        beta: float | None = None,
        beta_warm_up: int | None = None,
        learning_rate: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_fraction: float | None = None,
        patience: int | None = None,
        trim: float | None = None,
        folds: int | None = None,
        search_margin: float | None = None,
        scaling: Scaling | None = None,
        centring: Centring | None = None,
        missing: Missing | None = None,
        kind: Kind | None = None,
        draws: int | None = None,
        threshold: ThresholdMethod | None = None,
        margin: float | None = None,
        quantile: float | None = None,
        mad_factor: float | None = None,
        false_alarm_rate: float | None = None,
        false_events: str | None = None,
        min_length: int | None = None,
        merge_gap: int | None = None,
        least_height: float | None = None,
        direction: Direction | None = None,
        min_deviation: float | str | Mapping[str, float] | None = None,
        at_least: str | None = None,
        valid_range: Limits | str | Mapping[str, Limits] | None = None,
        compile: bool | None = None,  # noqa: A002  (PyTorch's word)
        dtype: DType | None = None,
        device: Device | None = None,
    ) -> None:
        vars(self).update((name, value) for name, value in locals().items() if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, as they were given."""
        return {name: getattr(self, name) for name in _ARGUMENTS}

    def set_params(self, **arguments: Any) -> Self:
        """Sets constructor arguments; they take effect in the next `fit`.

        Raises:
            ValueError: if there is no such argument.
        """
        for name, value in arguments.items():
            if name not in _ARGUMENTS:
                raise ValueError(f"unknown argument {name!r}: choose from {', '.join(_ARGUMENTS)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = {name: value for name, value in self.get_params().items() if value != _ARGUMENTS[name]}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def resolved(self) -> Config:
        """The configuration that the arguments mean.

        Raises:
            TypeError, ValueError: if one of them is not fit for use.
        """
        config = resolve(self.preset, {name: getattr(self, name) for name in HYPERPARAMETERS})
        check_seed(self.seed)
        return config


_ARGUMENTS: dict[str, Any] = {
    name: argument.default
    for name, argument in inspect.signature(Estimator.__init__).parameters.items()
    if name != "self"
}
