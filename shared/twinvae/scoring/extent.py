"""Where an event ends that only averages of the error see: they are raised far around it."""

import numpy as np
from jaxtyping import Float, Int8, Integer

from twinvae.files.out_of_core import TimeByChannel, by_rows, median, quantiles
from twinvae.scoring.kinds import known_only, mean_over_channels
from twinvae.windowing.intervals import intervals

USUAL = 0.9  # the quantile of the errors of steps that counts as usual
LEVEL = 0.5  # times the usual error: a step that errs more belongs to the event, and one that errs less does not
LEAST_MEDIAN = 1e-3  # of the mean over the channels: the least that a channel's error is divided by


def excess(point: TimeByChannel) -> Float[np.ndarray, " time"]:
    """By how much of it the error of each step exceeds the level: `q / kappa - 1`, and -1 where it is not known.

    q is the mean over the channels of the point error, each over its median; kappa is half of its 90 % quantile.
    """
    middle = np.array([median(known_only(channel)) if np.isfinite(channel).any() else 0.0 for channel in point.T])
    middle = np.maximum(middle, max(LEAST_MEDIAN * float(middle.mean()), float(np.finfo(np.float32).tiny)))
    errors = mean_over_channels(by_rows(lambda part: part / middle, point))
    kappa = LEVEL * float(quantiles(known_only(errors), USUAL))
    return by_rows(lambda part: np.nan_to_num(part / kappa, nan=0.0) - 1.0, errors)


def within(
    labels: Int8[np.ndarray, " time"],
    seen: Integer[np.ndarray, " time"],
    above: Float[np.ndarray, " time"],
    alarms: Integer[np.ndarray, " time"],
) -> Int8[np.ndarray, " time"]:
    """The labels of events, where each is cut to the stretch with the largest sum of `above` (Kadane's).

    An event that `seen` has an alarm in keeps its ends: there each step alone says where it ends. So does one that no
    alarm would be left of.
    """
    result = by_rows(np.copy, labels)
    for start, end in intervals(labels):
        if seen[start:end].any():
            continue
        sums = np.concatenate([[0.0], np.cumsum(above[start:end], dtype=np.float64)])
        last = int(np.argmax(sums[1:] - np.minimum.accumulate(sums)[:-1])) + 1
        first = int(np.argmin(sums[:last]))
        if alarms[start + first : start + last].any():
            result[start : start + first] = result[start + last : end] = 0
    return result
