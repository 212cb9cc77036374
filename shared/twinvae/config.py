"""Sizes and hyperparameters: one frozen dataclass, with named presets."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from twinvae.process.settings import READERS, TEXTS

Kind = Literal[
    "point", "reconstruction", "window", "causal", "trailing", "multiscale", "causal_multiscale", "neighbour",
    "residual", "ensemble", "probability", "divergence",
]  # fmt: skip
Scaling = Literal["none", "standard", "robust"]
Centring = Literal["none", "window"]
Missing = Literal["error", "interpolate", "mask"]
ThresholdMethod = Literal["maximum", "fenced", "quantile", "robust", "pot"]
DType = Literal["float32", "float64"]
Device = Literal["auto", "cpu", "gpu"]
Direction = Literal["both", "up", "down"]

KINDS: tuple[Kind, ...] = get_args(Kind)

# More could never be computed. What a machine has memory for is asked in `network/memory.py`, once channels are known.
MOST = 2**31 - 1  # of what is counted in time steps, windows or epochs: their places are 32-bit integers
MOST_SIZE = 2**24  # of a window or a layer: its bias and weights to a single unit take 128 MiB, and the rest multiplies
MOST_EPOCHS = 10**7  # the history of each stays in memory: gigabytes
MOST_DRAWS = 10**5  # each is a pass over the series; the mean over so many is known to 0.3 % of its spread
MOST_FOLDS = 64  # each is a training
MOST_CHANNELS = 10**5  # each has checks, a name and a scale of its own
MOST_SEED = 2**64 - 1  # 64 bits


def hyperparameter(
    default: Any,
    help: str,  # noqa: A002  (it also stands in the command's --help)
    *,
    least: int | float | None = None,
    most: int | None = None,
    above: int | float | None = None,
    below: int | float = math.inf,
) -> Any:
    """A field of `Config`: its default, its description, and the bounds of its value."""
    return field(default=default, metadata={"help": help, "least": least, "most": most, "above": above, "below": below})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every hyperparameter of a detector. The defaults are the preset "tutorial".

    The preset "auto" chooses `window`, `epochs` and `learning_rate` from the training series
    (`twinvae.detector.suitable`), where they are not given; its values here are the shortest window, the most epochs
    and the largest learning rate that it takes.

    Lengths are in time steps. Each field holds its default, its bounds and its description; construction checks them.

    Raises:
        TypeError: if a value has the wrong type.
        ValueError: if a value is out of its range.

    Example:
        >>> from twinvae import Config
        >>> config = Config(window=30, scaling="standard")
        >>> config.window, config.kind, config.epochs
        (30, 'reconstruction', 100)
    """

    window: int = hyperparameter(50, "time steps in a window", least=1, most=MOST_SIZE)
    hidden_dim: int = hyperparameter(
        32, "units of the encoder's and of the decoder's hidden layer", least=1, most=MOST_SIZE
    )
    latent_dim: int = hyperparameter(10, "dimensions of the latent space", least=1, most=MOST_SIZE)
    beta: float = hyperparameter(2.0, "weight of the KL term in the loss (Higgins et al. 2017)", least=0)
    beta_warm_up: int = hyperparameter(
        0, "epochs over which beta rises from 0; against a posterior collapse", least=0, most=MOST
    )
    learning_rate: float = hyperparameter(1e-3, "of Adam", above=0)
    epochs: int = hyperparameter(100, "passes over the training windows", least=1, most=MOST_EPOCHS)
    batch_size: int = hyperparameter(32, "windows in a training step", least=1, most=MOST)
    validation_fraction: float = hyperparameter(
        0.0, "held-out tail of the training series, for early stopping; 0 is none", least=0, below=1
    )
    patience: int = hyperparameter(
        10, "epochs without a better held-out loss before training stops", least=1, most=MOST
    )
    trim: float = hyperparameter(
        0.0, "share of the training steps, where errors are largest, that calibration leaves out", least=0, below=0.5
    )
    folds: int = hyperparameter(
        0,
        "a series that is searched itself is cut into so many parts, each judged by a model that has not seen it; 0: "
        "one model judges what it has seen",
        least=0,
        most=MOST_FOLDS,
    )
    search_margin: float = hyperparameter(
        1.0, "of a series that is searched itself: times the threshold of a search; lower finds more", above=0
    )
    scaling: Scaling = hyperparameter(
        "none", "standard: each channel to mean 0 and deviation 1 of the training series; robust: by its quartiles"
    )
    centring: Centring = hyperparameter(
        "none", "window: each window loses its mean, so levels and slow trends are ignored"
    )
    missing: Missing = hyperparameter(
        "error", "missing values: refuse them, interpolate in time, or leave them out (mask)"
    )
    kind: Kind = hyperparameter("reconstruction", "which score decides; docs/scores.md says when to use each")
    draws: int = hyperparameter(
        0, "latent draws that a score is averaged over; 0 is the posterior mean", least=0, most=MOST_DRAWS
    )
    threshold: ThresholdMethod = hyperparameter(
        "maximum", "how training scores become a threshold; fenced: the maximum of those that are no outliers"
    )
    margin: float = hyperparameter(6.0, 'of "maximum" and "fenced": times the largest training score', above=0)
    quantile: float = hyperparameter(0.999, 'of "quantile": which quantile of the training scores', above=0, below=1)
    mad_factor: float = hyperparameter(10.0, 'of "robust": this many scaled MADs above the median', above=0)
    false_alarm_rate: float = hyperparameter(
        1e-4, 'of "pot": wanted share of normal steps above the threshold', above=0, below=1
    )
    false_events: str = hyperparameter(
        "", "at most so many false events on normal data, in place of a threshold: 1/week, 10/10000steps"
    )
    min_length: int = hyperparameter(1, "time steps of the shortest event that is kept", least=1, most=MOST)
    merge_gap: int = hyperparameter(20, "events at most this many time steps apart are one", least=0, most=MOST)
    least_height: float = hyperparameter(
        0.0, "ends of an event that score below this share of its peak are cut off", least=0, below=1
    )
    direction: Direction = hyperparameter(
        "both", "only events whose value at the peak is above (up) or below (down) what was expected"
    )
    min_deviation: str = hyperparameter(
        "", "least distance of value and expected at an event's peak, in the channel's units: 0.5 or a=0.5,b=2"
    )
    at_least: str = hyperparameter("", "only events with so many of the last steps above the threshold: 3-of-5")
    valid_range: str = hyperparameter(
        "", "values outside are always an event, and are not learned from: 0:100, :100 or a=0:100,b=-5:5"
    )
    compile: bool = hyperparameter(
        False, "PyTorch: compile the training (20 s once, then several times faster); JAX always does"
    )
    dtype: DType = hyperparameter("float32", "precision of training and scoring")
    device: Device = hyperparameter("auto", "auto: the framework's first accelerator, else the CPU")

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.type is int:
                check_integer(one.name, value, one.metadata["least"], one.metadata["most"])
            elif one.type is float:
                _check_real(one.name, value, **{bound: one.metadata[bound] for bound in ("least", "above", "below")})
            elif one.type is str:
                READERS[one.name](value)
            elif one.type is not bool:
                _check_choice(one.name, value, get_args(one.type))
            elif not isinstance(value, bool | np.bool_):
                raise TypeError(f"{one.name} must be True or False, got {value!r}")
        if self.centring == "window" and self.window == 1:
            raise ValueError('centring="window" leaves nothing of a window of 1 step: take a longer window')


def check_integer(name: str, value: object, least: int, most: int) -> None:
    """Raises TypeError if the value is not a whole number, ValueError if it is out of its bounds."""
    # An index-like test admits NumPy integers and refuses bool and 50.0.
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    number = value.__index__()
    got = f"{value!r}" if number.bit_length() <= 64 else f"a number of {number.bit_length()} bits"
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {got}")
    if number > most:
        raise ValueError(f"{name} must be at most {most}, got {got}")


def check_seed(seed: object) -> None:
    """Raises TypeError if a seed is not a whole number, ValueError if it is negative or has more than 64 bits."""
    check_integer("seed", seed, 0, MOST_SEED)


def check_channels(number: int) -> None:
    """Raises ValueError if there are more channels than can be worked on."""
    if number > MOST_CHANNELS:
        raise ValueError(f"a series has at most {MOST_CHANNELS} channels, here are {number}: choose some (--columns)")


def _check_real(name: str, value: object, least: Any, above: Any, below: Any) -> None:
    if isinstance(value, bool | np.bool_ | str) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not ((least is None or number >= least) and (above is None or number > above) and number < below):
        bounds = f"at least {least:g}" if above is None else f"above {above:g}"
        if math.isfinite(below):
            bounds += f" and below {below:g}"
        raise ValueError(f"{name} must be {bounds}, got {value!r}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        wrong = ValueError if isinstance(value, str) else TypeError
        raise wrong(f"{name} must be one of {', '.join(choices)}, got {value!r}")


PRESETS: Mapping[str, Config] = {
    "tutorial": Config(),
    "standard": Config(scaling="standard", kind="window", margin=1.5),
    "auto": Config(
        window=64,
        hidden_dim=64,
        latent_dim=16,
        folds=3,
        scaling="standard",
        missing="mask",
        kind="ensemble",
        threshold="fenced",
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
    """The values with Python's numbers in place of NumPy's scalars, which compare, hash and print like the literals.

    What may be given as numbers of channels is the text that says the same.
    """
    python = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    return {
        name: TEXTS[name](value) if name in TEXTS and value is not None else value for name, value in python.items()
    }


RULES = ("direction", "min_deviation", "min_length", "at_least", "valid_range")  # which alarms are events worth a call


def chosen_anew(**settings: Any) -> dict[str, Any]:
    """Settings of a fitted model that are chosen again when it is loaded, without those that are None.

    Raises:
        TypeError, ValueError: if one cannot be chosen again, or is not fit for use.
    """
    for name in settings:
        if name not in (*RULES, "missing"):
            raise TypeError(f"{name} cannot be chosen when a model is loaded: only missing, {', '.join(RULES)}")
    return plain({name: value for name, value in settings.items() if value is not None})


def recorded(config: Config) -> dict[str, Any]:
    """The configuration as a file keeps it: without what is off, and earlier releases did not know."""
    off = Config()
    return {
        name: value
        for name, value in asdict(config).items()
        if name not in (*RULES, "search_margin") or name == "min_length" or value != getattr(off, name)
    }


HYPERPARAMETERS: tuple[str, ...] = tuple(field.name for field in fields(Config))


def check_kind(kind: str) -> None:
    """Raises ValueError if `kind` is not the name of a score."""
    _check_choice("kind", kind, KINDS)
