"""Sizes and hyperparameters: one frozen dataclass, with named presets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np

Kind = Literal["point", "reconstruction", "window", "causal", "multiscale", "probability", "divergence"]
Scaling = Literal["none", "standard", "robust"]
Centring = Literal["none", "window"]
Missing = Literal["error", "interpolate", "mask"]
ThresholdMethod = Literal["maximum", "quantile", "robust", "pot"]
DType = Literal["float32", "float64"]
Device = Literal["auto", "cpu", "gpu"]

KINDS: tuple[Kind, ...] = get_args(Kind)


def described(default: Any, help: str) -> Any:  # noqa: A002
    """A field whose description also stands in the command's --help."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every hyperparameter of a detector. The defaults are the preset "tutorial".

    The preset "auto" chooses `window` and `epochs` from the training series (`twinvae.detector.suitable`), where they
    are not given; its values here are the shortest window and the most epochs that it takes.

    Lengths are in time steps. Construction checks each value.

    Raises:
        TypeError: if a value has the wrong type.
        ValueError: if a value is out of its range.
    """

    window: int = described(50, "time steps in a window")
    hidden_dim: int = described(32, "units of the encoder's and of the decoder's hidden layer")
    latent_dim: int = described(10, "dimensions of the latent space")
    beta: float = described(2.0, "weight of the KL term in the loss (Higgins et al. 2017)")
    beta_warm_up: int = described(0, "epochs over which beta rises from 0; against a posterior collapse")
    learning_rate: float = described(1e-3, "of Adam")
    epochs: int = described(100, "passes over the training windows")
    batch_size: int = described(32, "windows in a training step")
    validation_fraction: float = described(0.0, "held-out tail of the training series, for early stopping; 0 is none")
    patience: int = described(10, "epochs without a better held-out loss before training stops")
    trim: float = described(0.0, "share of the training steps, where errors are largest, that calibration leaves out")
    scaling: Scaling = described(
        "none", "standard: each channel to mean 0 and deviation 1 of the training series; robust: by its quartiles"
    )
    centring: Centring = described("none", "window: each window loses its mean, so levels and slow trends are ignored")
    missing: Missing = described("error", "missing values: refuse them, interpolate in time, or leave them out (mask)")
    kind: Kind = described("reconstruction", "which score decides; README.md says when to use each")
    draws: int = described(0, "latent draws that a score is averaged over; 0 is the posterior mean")
    threshold: ThresholdMethod = described("maximum", "how training scores become a threshold")
    margin: float = described(6.0, 'of "maximum": times the largest training score')
    quantile: float = described(0.999, 'of "quantile": which quantile of the training scores')
    mad_factor: float = described(10.0, 'of "robust": this many scaled MADs above the median')
    false_alarm_rate: float = described(1e-4, 'of "pot": wanted share of normal steps above the threshold')
    min_length: int = described(1, "time steps of the shortest event that is kept")
    merge_gap: int = described(20, "events at most this many time steps apart are one")
    least_height: float = described(0.0, "ends of an event that score below this share of its peak are cut off")
    compile: bool = described(
        False, "PyTorch: compile the training (20 s once, then several times faster); JAX always does"
    )
    dtype: DType = described("float32", "precision of training and scoring")
    device: Device = described("auto", "auto: the framework's first accelerator, else the CPU")

    def __post_init__(self) -> None:
        for name in ("window", "hidden_dim", "latent_dim", "epochs", "batch_size", "patience", "min_length"):
            _check_integer(name, getattr(self, name), least=1)
        for name in ("beta_warm_up", "draws", "merge_gap"):
            _check_integer(name, getattr(self, name), least=0)
        _check_real("beta", self.beta, 0.0, math.inf)
        for name in ("learning_rate", "margin", "mad_factor"):
            _check_real(name, getattr(self, name), 0.0, math.inf, open_low=True)
        for name in ("quantile", "false_alarm_rate"):
            _check_real(name, getattr(self, name), 0.0, 1.0, open_low=True, open_high=True)
        for name in ("validation_fraction", "least_height"):
            _check_real(name, getattr(self, name), 0.0, 1.0, open_high=True)
        _check_real("trim", self.trim, 0.0, 0.5, open_high=True)
        if not isinstance(self.compile, bool | np.bool_):
            raise TypeError(f"compile must be True or False, got {self.compile!r}")
        _check_choice("scaling", self.scaling, get_args(Scaling))
        _check_choice("centring", self.centring, get_args(Centring))
        if self.centring == "window" and self.window == 1:
            raise ValueError('centring="window" leaves nothing of a window of 1 step: take a longer window')
        _check_choice("missing", self.missing, get_args(Missing))
        _check_choice("kind", self.kind, KINDS)
        _check_choice("threshold", self.threshold, get_args(ThresholdMethod))
        _check_choice("dtype", self.dtype, get_args(DType))
        _check_choice("device", self.device, get_args(Device))


def _check_integer(name: str, value: object, least: int) -> None:
    # An index-like test admits NumPy integers and refuses bool and 50.0.
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value.__index__() < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")


def _check_real(
    name: str, value: object, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> None:
    if isinstance(value, bool | np.bool_ | str) or not hasattr(value, "__float__"):
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
    "standard": Config(scaling="standard", kind="window", margin=1.5),
    "auto": Config(
        window=64,
        hidden_dim=64,
        latent_dim=16,
        scaling="standard",
        missing="mask",
        kind="multiscale",
        margin=3.0,
        least_height=0.1,
    ),
}
DEFAULT_PRESET = "auto"


def resolve(preset: str, overrides: Mapping[str, Any]) -> Config:
    """The configuration of a preset, with every override that is not None put in its place.

    Raises:
        TypeError, ValueError: as `Config`, or if the preset is unknown.
    """
    _check_choice("preset", preset, tuple(PRESETS))
    given = {name: value for name, value in overrides.items() if value is not None}
    return replace(PRESETS[preset], **plain(given))


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with Python's numbers in place of NumPy's scalars: they compare, hash and print like the literals."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


HYPERPARAMETERS: tuple[str, ...] = tuple(field.name for field in fields(Config))


def check_kind(kind: str) -> None:
    """Raises ValueError if `kind` is not the name of a score."""
    _check_choice("kind", kind, KINDS)
