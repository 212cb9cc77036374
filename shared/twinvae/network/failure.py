"""What says that a training has failed: a loss or parameters that are not finite, or a model that errs too much."""

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel, by_rows, pieces
from twinvae.network.net import Net
from twinvae.network.schedule import steps_per_epoch
from twinvae.windowing.fold import moving_sum, observed_values
from twinvae.windowing.geometry import count, coverage

# Times the error of predicting the mean: a model that errs more has learned nothing. Rounding and a collapsed posterior
# stay at 1; initial weights on a scaled series, whose outputs have a variance of at most 2/3, stay below 2; what has
# diverged without overflowing was seen at 49 and above.
USELESS = 2.0
BEGUN = 0.1  # as far as Adam can have moved a weight, the steps times the learning rate, once training has begun


def check_finite(config: Config, *arrays: np.ndarray) -> None:
    """Raises ValueError if a parameter or a loss is not finite."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"training diverged: {_remedy(config)}")


def check_learned(part: TimeByChannel, squared: Float[np.ndarray, "_ channel"], net: Net, config: Config) -> None:
    """Raises ValueError if a model reconstructs what it was trained on worse than the mean of each channel would.

    `part` is the scaled series that it was trained on, `squared` the mean squared error of each window over its values,
    perhaps of more windows than the part has. What is compared is the sum over the values of the windows; with
    centring, the mean of a channel is that of the window.
    """
    windows = count(len(part), net.window)
    one = np.broadcast_to(np.float64(net.window), (windows, net.channels))
    held = observed_values(part, net.window) if net.masked else one
    error = sum((squared[rows].astype(np.float64) * held[rows]).sum() for rows in pieces(held))

    def weight(rows: slice) -> Float[np.ndarray, "step channel"]:
        return coverage(len(part), net.window, rows.start, rows.stop)[:, None] * (~np.isnan(part[rows])).astype(float)

    def off(values: np.ndarray) -> Float[np.ndarray, "step channel"]:
        return np.nan_to_num(values - mean)

    cuts, mean = list(pieces(part)), np.zeros(net.channels)
    total = sum(weight(rows).sum(axis=0) for rows in cuts)
    mean = sum((weight(rows) * off(part[rows])).sum(axis=0) for rows in cuts) / np.maximum(total, 1.0)
    usual = sum((weight(rows) * off(part[rows]) ** 2).sum() for rows in cuts)
    if net.centred:
        sums = moving_sum(by_rows(off, part), net.window)
        usual -= sum((sums[rows] ** 2 / np.maximum(held[rows], 1)).sum() for rows in pieces(sums))
    begun = config.learning_rate * config.epochs * steps_per_epoch(windows, config.batch_size) >= BEGUN
    if not begun:  # an untrained model gives about 0, which without scaling may be far from the mean
        usual = max(usual, sum((weight(rows) * np.nan_to_num(part[rows]) ** 2).sum() for rows in cuts))
    if usual > 0 and not error <= USELESS * usual:
        raise ValueError(
            f"the training has failed: its model errs {error / usual:.3g} times as much as the mean of the training "
            f"series: {_remedy(config)}, or train for more epochs"
        )


def _remedy(config: Config) -> str:
    lower = f"lower learning_rate (--learning-rate; it was {config.learning_rate:.2g})"
    if config.scaling == "none":
        return f'scale the series (scaling="standard", --scaling standard) or {lower}'
    return lower
