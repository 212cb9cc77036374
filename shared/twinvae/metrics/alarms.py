"""How good alarms are: labels of 0 and 1 that a detector gave, held against the true ones.

An event is a run of true labels, an alarm a run of the detector's; both count in time steps.
Every function raises ValueError if the labels are of another length than the alarms, or are all the same: then there
is no event, or nothing but one.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Integer

from twinvae.metrics.ranking import check_labels
from twinvae.windowing.intervals import intervals

EXISTENCE = 0.2  # the existence weight alpha of TSB-AD's range recall


class AlarmQuality(NamedTuple):
    """All metrics of this module. `delay` is None where no event was found."""

    range_precision: float
    range_recall: float
    event_recall: float
    delay: float | None
    false_alarms: float
    point_adjusted_f1: float


def alarm_quality(labels: Integer[np.ndarray, " n"], alarms: Integer[np.ndarray, " m"]) -> AlarmQuality:
    """Every metric of this module."""
    return AlarmQuality(
        range_precision(labels, alarms),
        range_recall(labels, alarms),
        event_recall(labels, alarms),
        detection_delay(labels, alarms),
        false_alarm_rate(labels, alarms),
        point_adjusted_f1(labels, alarms),
    )


def range_recall(
    labels: Integer[np.ndarray, " n"], alarms: Integer[np.ndarray, " m"], existence: float = EXISTENCE
) -> float:
    """Mean over the events of `existence * E + (1 - existence) * O / k`: Tatbul et al. 2018, flat bias.

    E is 1 if any step of the event has an alarm; O is the share of its steps that have one; k is the number of alarms
    that it takes: an event found in pieces counts less.
    """
    check_labels(labels, len(alarms))
    return _mean_reward(labels, alarms, existence)


def range_precision(labels: Integer[np.ndarray, " n"], alarms: Integer[np.ndarray, " m"]) -> float:
    """Mean over the alarms of `O / k`, O and k as in `range_recall` with the two exchanged; 0 without an alarm.

    Tatbul et al. 2018: precision has no existence term.
    """
    check_labels(labels, len(alarms))
    return _mean_reward(alarms, labels, 0.0)


def event_recall(labels: Integer[np.ndarray, " n"], alarms: Integer[np.ndarray, " m"]) -> float:
    """Share of the events in which at least one step has an alarm."""
    check_labels(labels, len(alarms))
    return float(np.mean([alarms[start:end].any() for start, end in intervals(labels)]))


def detection_delay(labels: Integer[np.ndarray, " n"], alarms: Integer[np.ndarray, " m"]) -> float | None:
    """Median, over the events found, of the steps from an event's start to its first alarm; None if none is found."""
    check_labels(labels, len(alarms))
    delays = [int(np.argmax(alarms[start:end] != 0)) for start, end in intervals(labels) if alarms[start:end].any()]
    return float(np.median(delays)) if delays else None


def false_alarm_rate(labels: Integer[np.ndarray, " n"], alarms: Integer[np.ndarray, " m"]) -> float:
    """Alarms that touch no event, for every 10,000 steps of the series."""
    check_labels(labels, len(alarms))
    false = sum(not labels[start:end].any() for start, end in intervals(alarms))
    return 10_000 * false / len(labels)


def point_adjusted_f1(labels: Integer[np.ndarray, " n"], alarms: Integer[np.ndarray, " m"]) -> float:
    """F1 of the steps, after every step of an event counts as found once one of them is: an inflated number.

    It is here because papers report it. A random score can beat real detectors by it: Kim et al. 2022, "Towards a
    Rigorous Evaluation of Time-Series Anomaly Detection", AAAI.
    """
    check_labels(labels, len(alarms))
    found = sum(end - start for start, end in intervals(labels) if alarms[start:end].any())
    false = np.count_nonzero((alarms != 0) & (labels == 0))
    missed = np.count_nonzero(labels) - found
    return float(2 * found / (2 * found + false + missed))


def _mean_reward(wanted: Integer[np.ndarray, " n"], given: Integer[np.ndarray, " n"], existence: float) -> float:
    rewards = []
    for start, end in intervals(wanted):
        pieces = len(intervals(given[start:end]))
        overlap = np.count_nonzero(given[start:end]) / (end - start)
        rewards.append(existence * (pieces > 0) + (1 - existence) * overlap / max(pieces, 1))
    return float(np.mean(rewards)) if rewards else 0.0
