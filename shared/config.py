"""Sizes and hyperparameters: one frozen dataclass, with named presets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

Kind = Literal["point", "reconstruction", "window", "causal"]
Scaling = Literal["none", "standard"]
Missing = Literal["error", "interpolate"]
ThresholdMethod = Literal["maximum", "quantile", "robust", "pot"]
DType = Literal["float32", "float64"]
Device = Literal["auto", "cpu", "gpu"]

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every hyperparameter of a detector. The defaults are the preset "tutorial".

    Lengths are in time steps. Construction checks each value.

    Raises:
        TypeError: if a value has the wrong type.
        ValueError: if a value is out of its range.
    """

    window: int = 50  # time steps in a window
    hidden_dim: int = 32  # units of the encoder's and of the decoder's hidden layer
    latent_dim: int = 10  # dimensions of the latent space
    beta: float = 2.0  # weight of the KL term, beta-VAE (Higgins et al. 2017)
    learning_rate: float = 1e-3  # of Adam
    epochs: int = 100
    batch_size: int = 32  # windows in a step
    validation_fraction: float = 0.0  # held-out tail of the training series; 0 is no early stopping
    patience: int = 10  # epochs without a better held-out loss before training stops
    scaling: Scaling = "none"
    missing: Missing = "error"  # what to do with NaN in a series
    kind: Kind = "reconstruction"  # which score decides
    draws: int = 0  # latent draws that a score is averaged over; 0 is the posterior mean
    threshold: ThresholdMethod = "maximum"
    margin: float = 6.0  # "maximum": times the largest training score
    quantile: float = 0.999  # "quantile": of the training scores
    mad_factor: float = 10.0  # "robust": median + this many scaled MADs
    false_alarm_rate: float = 1e-4  # "pot": wanted share of normal steps above the threshold
    min_length: int = 1  # shortest event that is kept
    merge_gap: int = 20  # events at most this far apart are one
    dtype: DType = "float32"
    device: Device = "auto"  # auto is the framework's first accelerator, else the CPU

    def __post_init__(self) -> None:
        for name in ("window", "hidden_dim", "latent_dim", "epochs", "batch_size", "patience", "min_length"):
            _check_integer(name, getattr(self, name), least=1)
        for name in ("draws", "merge_gap"):
            _check_integer(name, getattr(self, name), least=0)
        _check_real("beta", self.beta, 0.0, math.inf)
        for name in ("learning_rate", "margin", "mad_factor"):
            _check_real(name, getattr(self, name), 0.0, math.inf, open_low=True)
        for name in ("quantile", "false_alarm_rate"):
            _check_real(name, getattr(self, name), 0.0, 1.0, open_low=True, open_high=True)
        _check_real("validation_fraction", self.validation_fraction, 0.0, 1.0, open_high=True)
        _check_choice("scaling", self.scaling, get_args(Scaling))
        _check_choice("missing", self.missing, get_args(Missing))
        _check_choice("kind", self.kind, KINDS)
        _check_choice("threshold", self.threshold, get_args(ThresholdMethod))
        _check_choice("dtype", self.dtype, get_args(DType))
        _check_choice("device", self.device, get_args(Device))


def _check_integer(name: str, value: object, least: int) -> None:
    # An index-like test admits NumPy integers and refuses bool and 50.0.
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value.__index__() < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")


def _check_real(
    name: str, value: object, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> None:
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    above = number > low if open_low else number >= low
    below = number < high if open_high or math.isinf(high) else number <= high
    if not (above and below):
        bounds = f"{'above' if open_low else 'at least'} {low:g}"
        if math.isfinite(high):
            bounds += f" and {'below' if open_high else 'at most'} {high:g}"
        raise ValueError(f"{name} must be {bounds}, got {value!r}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


PRESETS: Mapping[str, Config] = {
    "tutorial": Config(),
    "standard": Config(scaling="standard"),
}


def resolve(preset: str, overrides: Mapping[str, Any]) -> Config:
    """The configuration of a preset, with every override that is not None put in its place.

    Raises:
        TypeError, ValueError: as `Config`, or if the preset is unknown.
    """
    _check_choice("preset", preset, tuple(PRESETS))
    return replace(PRESETS[preset], **{k: v for k, v in overrides.items() if v is not None})


HYPERPARAMETERS: tuple[str, ...] = tuple(field.name for field in fields(Config))


def check_kind(kind: str) -> None:
    """Raises ValueError if `kind` is not the name of a score."""
    _check_choice("kind", kind, KINDS)
