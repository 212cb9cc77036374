"""What is left out of a training series: values outside their valid range, and wild ones that would rule its scale."""

from dataclasses import replace

import numpy as np

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel, by_rows
from twinvae.process.notices import warn
from twinvae.scoring.overflow import without
from twinvae.scoring.rules import Rules
from twinvae.series.scaling import Spread, stand_in, wild_values, written
from twinvae.series.series import Series


def only_valid(series: Series, config: Config, rules: Rules) -> Series:
    """A training series without the values outside their valid range. Warns of them.

    Raises:
        ValueError: if nothing is left of a channel.
    """
    outside = rules.outside(series.values)
    if outside is None:
        return series
    for channel, name in enumerate(series.names):
        left, number_out = series.values[:, channel][~outside[:, channel]], int(np.count_nonzero(outside[:, channel]))
        if not np.isfinite(left).any():
            low, high = np.nanmin(series.values[:, channel]), np.nanmax(series.values[:, channel])
            raise ValueError(
                f"valid_range leaves no training value of column {name}, which has {low:g} to {high:g}: widen the "
                "range, or leave the column out"
            )
        if number_out:
            warn(f"{number_out} values of column {name} are outside its valid range: left out of training, and events")
    values = without(series.values, outside)
    return replace(series, values=values).checked("mask" if config.missing == "mask" else "interpolate")


def without_wild(series: Series, head: TimeByChannel, spread: Spread, config: Config) -> Series:
    """The series without the few values that rule the scale of a channel, where the scaling is robust. Warns of them.

    Such a value would also be the largest training error, and the threshold a multiple of it.
    """
    values, names = series.values, series.names
    for channel, name in enumerate(names):
        wild = None if config.scaling == "none" else wild_values(head, channel, spread)
        if wild is None:
            if (guess := stand_in(head[:, channel])) is not None:
                value, count = guess
                warn(
                    f"{count} of {len(head)} values of column {name} are {written(value)}, far from all others: "
                    "if that stands for a missing value, mark it as one (NaN; "
                    f"--missing-values={written(value)})"
                )
            continue
        found, counts = np.unique(np.asarray(head[:, channel][wild.row]), return_counts=True)
        most = [written(found[index]) for index in np.argsort(-counts, kind="stable")[:3]]
        listed = ", ".join(most) + (", ..." if len(found) > len(most) else "")
        which = f"{counts.sum()} of {len(head)} values of column {name} ({listed})"
        if config.scaling == "standard":
            warn(
                f"{which} rule its scale, {spread.deviation[channel] / wild.deviation:.2g} times that of the others, "
                f"so that little else is learnt: mark them as missing (NaN; --missing-values={','.join(most)}) or use "
                'scaling="robust" (--scaling robust)'
            )
            continue
        if values is series.values:
            values = by_rows(np.copy, values)
        values[: len(head), channel][wild.row] = np.nan
        warn(f"{which} are far from the others: left out of training, and scored like any other value")
    if values is series.values:
        return series
    return replace(series, values=values).checked("mask" if config.missing == "mask" else "interpolate")
