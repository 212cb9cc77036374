"""A checked series -> what the model takes: the checks that need the configuration, and the scaling."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from twinvae.config import Config, Missing
from twinvae.files.out_of_core import first_row, number, pieces
from twinvae.process.notices import warn
from twinvae.series.conversion import are_numbers, channel_names
from twinvae.series.scaling import Scaler, standardise
from twinvae.windowing.geometry import fully_covered


def check_names(series: Any, channels: tuple[str, ...]) -> None:
    """Raises ValueError for a data frame whose columns are not those of the fitted one, in order."""
    names = channel_names(series, len(channels))
    if len(channels) > 1 and names != channels and not (are_numbers(names) or are_numbers(channels)):
        raise ValueError(
            f"the series has the columns {', '.join(names)}, the detector was fitted on {', '.join(channels)}"
        )


def check_length(length: int, window: int) -> None:
    """Raises ValueError if the series is shorter than a window."""
    if length < window:
        raise ValueError(f"the series has {length} time steps, fewer than the window of {window}: lower window")


def warn_of_gaps(series: Float[np.ndarray, "time channel"], names: tuple[str, ...], asked: Missing | None) -> None:
    """Says what is left out, unless that was asked for."""
    row = first_row(np.isnan, series) if asked is None else None
    if row is not None:
        column, missing = int(np.argmax(np.isnan(series[row]))), number(np.isnan, series)
        warn(
            f"{missing} missing values ({missing / series.size:.1%}) are left out, the first at row {row}, column "
            f'{names[column]}: missing="mask" says that this is meant, "error" refuses them',
            stacklevel=5,
        )


def check_values(head: Float[np.ndarray, "time channel"], names: tuple[str, ...]) -> None:
    """Raises ValueError if a channel has no value in the part that is trained on."""
    for channel, name in enumerate(names):
        if first_row(lambda part: ~np.isnan(part), head[:, channel]) is None:
            raise ValueError(f"column {name} has no values in the part that is trained on: leave it out")


def least_scores(series: Float[np.ndarray, "time channel"], config: Config) -> int:
    """How many training scores the kind of score with the fewest has.

    Raises:
        ValueError: if it has none.
    """
    inner = fully_covered(len(series), config.window)
    least = min(number(_observed, series[config.window - 1 :]), number(_observed, series[inner]))
    if not least:
        raise ValueError(
            f"the training series has no values away from its ends, where no window of {config.window} is whole: train "
            "on a longer series"
        )
    return least


def _observed(part: Float[np.ndarray, "step channel"]) -> Bool[np.ndarray, " step"]:
    return np.asarray(~np.isnan(part).all(axis=1))


def check_constant(series: Float[np.ndarray, "time channel"], names: tuple[str, ...]) -> None:
    """Warns of constant channels; raises ValueError if all of them are."""
    constant = np.ones(series.shape[1], bool)
    for rows in pieces(series):
        constant &= (series[rows] == series[0]).all(axis=0)
        if not constant.any():
            return
    if constant.all():
        raise ValueError(f"the training series is constant ({series[0, 0]:g}): there is nothing to learn")
    if constant.any():
        which = ", ".join(name for name, flat in zip(names, constant, strict=True) if flat)
        warn(f"constant in the training series: {which}; any change there counts in raw units", stacklevel=5)


def scaled_series(
    series: Float[np.ndarray, "time channel"], scaler: Scaler, config: Config
) -> Float[np.ndarray, "time channel"]:
    """The series as the model takes it.

    Raises:
        ValueError: if a value is too large for the model's precision.
    """
    with np.errstate(over="ignore"):
        scaled = standardise(series, scaler, config.dtype)
    masked = config.missing == "mask"
    row = first_row(lambda new, old: ~(np.isfinite(new) | np.isnan(old) & masked), scaled, series)
    if row is not None:
        raise ValueError(f'the value at row {row} is too large for {config.dtype}: use scaling="standard" or float64')
    return scaled
