"""The volume under the surface: how well scores rank anomalies, an alarm just beside one counting in part."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from twinvae.metrics.ranking import check_ranking
from twinvae.windowing.intervals import intervals

THRESHOLDS = 250  # along each curve, as in TSB-AD: quantiles of the scores


class Vus(NamedTuple):
    """Mean area, over the buffers, under the precision-recall and the receiver operating characteristic curve."""

    pr: float
    roc: float


def vus(
    labels: Integer[np.ndarray, " n"], scores: Float[np.ndarray, " m"], buffer: int, thresholds: int = THRESHOLDS
) -> Vus:
    """VUS-PR and VUS-ROC: Paparrizos et al. 2022, "Volume Under the Surface", VLDB 15(11), as TSB-AD computes them.

    For each buffer `b = 0 .. buffer`, in steps, an anomaly's label goes on for `b // 2` steps on both sides, falling as
    `sqrt(1 - distance / b)`. A curve is drawn over `thresholds` quantiles of the scores, with recall multiplied by
    the share of anomalies that have an alarm, and the areas are averaged over the buffers. TSB-AD takes the series'
    period (`twinvae.windowing.period`) as `buffer`.
    A random score gets roughly the share of anomalous steps as VUS-PR and 0.5 as VUS-ROC, but more where anomalies are
    short beside the buffer: the steps around them then count for most of the recall.

    Raises:
        ValueError: if the labels are of another length or all the same, a score is not finite, the buffer is negative,
            or there are fewer than two thresholds.
    """
    check_ranking(labels, scores)
    if buffer < 0:
        raise ValueError(f"the buffer is {buffer} steps: it must be 0 or more")
    if thresholds < 2:
        raise ValueError(f"a curve needs at least 2 thresholds, got {thresholds}")
    events = np.array(intervals(labels))
    order = np.sort(scores)[::-1]
    levels = order[np.linspace(0, len(scores) - 1, thresholds).astype(int)]
    bins = np.searchsorted(-levels, -scores, "left")  # the first, that is highest, threshold at which a step alarms
    alarms = _cumulative(bins, thresholds)
    hits = _cumulative(bins[labels != 0], thresholds)
    near, step, distance = _neighbours(labels, events, buffer // 2)
    precision_area, roc_area = np.empty((2, buffer + 1))
    found = np.empty(thresholds)
    for width in range(buffer + 1):
        if width % 2 == 0:  # the segments depend on width // 2 alone
            found = _found(bins, events, width // 2, thresholds)
        within = distance <= width // 2
        ramp = np.sqrt(1 - distance[within] / max(width, 1))
        partial = np.minimum(np.bincount(step[within], ramp, len(near)), 1.0)
        beside = _cumulative(bins[near], thresholds, partial)
        true = hits + beside
        positive = np.count_nonzero(labels) + beside / 2
        recall = np.minimum(true / positive, 1.0) * found
        fall_out = (alarms - true) / (len(labels) - positive)
        precision_area[width] = (np.diff(recall, prepend=0.0) * true / alarms).sum()
        roc_area[width] = np.trapezoid(np.concatenate(([0.0], recall, [1.0])), np.concatenate(([0.0], fall_out, [1.0])))
    return Vus(float(precision_area.mean()), float(roc_area.mean()))


def _cumulative(
    bins: Integer[np.ndarray, " k"], thresholds: int, weights: Float[np.ndarray, " k"] | None = None
) -> Float[np.ndarray, " t"]:
    return np.cumsum(np.bincount(bins, weights, thresholds)).astype(float)


def _neighbours(
    labels: Integer[np.ndarray, " n"], events: Integer[np.ndarray, "event 2"], reach: int
) -> tuple[Integer[np.ndarray, " near"], Integer[np.ndarray, " pair"], Integer[np.ndarray, " pair"]]:
    """The normal steps within reach of an event; then, of each pair so near, the step's place and distance."""
    offset = np.arange(1, reach + 1)
    steps = np.concatenate([events[:, :1] - offset, events[:, 1:] - 1 + offset]).ravel()
    distance = np.tile(offset, 2 * len(events))
    inside = (steps >= 0) & (steps < len(labels))
    steps, distance = steps[inside], distance[inside]
    normal = labels[steps] == 0
    near, place = np.unique(steps[normal], return_inverse=True)
    return near, place, distance[normal]


def _found(
    bins: Integer[np.ndarray, " n"], events: Integer[np.ndarray, "event 2"], reach: int, thresholds: int
) -> Float[np.ndarray, " t"]:
    """Share of the events, widened by `reach` on both sides and joined where they touch, that have an alarm."""
    starts, ends = events[:, 0] - reach, events[:, 1] + reach
    apart = ends[:-1] <= starts[1:]
    starts = np.maximum(starts[np.append(True, apart)], 0)
    ends = np.minimum(ends[np.append(apart, True)], len(bins))
    padded = np.append(bins, thresholds)  # so that an end may lie one past the series
    first = np.minimum.reduceat(padded, np.stack([starts, ends], axis=1).ravel())[::2]
    return _cumulative(first, thresholds) / len(starts)
