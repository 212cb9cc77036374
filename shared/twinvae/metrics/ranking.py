"""How well scores rank labelled anomalies.

Every function raises ValueError if the labels are of another length than the scores or all the same, or a score is not
finite.
"""

import numpy as np
from jaxtyping import Float, Integer


def roc_auc(labels: Integer[np.ndarray, " n"], scores: Float[np.ndarray, " m"]) -> float:
    """Probability that an anomalous step scores higher than a normal one, ties counting half: Fawcett 2006."""
    check_ranking(labels, scores)
    anomalous, normal = scores[labels != 0], scores[labels == 0]
    order = np.sort(normal)
    below = np.searchsorted(order, anomalous, "left")
    not_above = np.searchsorted(order, anomalous, "right")
    return float((below + not_above).mean() / 2 / len(normal))


def average_precision(labels: Integer[np.ndarray, " n"], scores: Float[np.ndarray, " m"]) -> float:
    """Precision at each distinct score, weighted by the recall gained there: `sum (R_n - R_{n-1}) * P_n`."""
    check_ranking(labels, scores)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each group of equal scores
    hits = np.cumsum(labels[order] != 0)[last]
    gained = np.diff(hits, prepend=0)
    return float((gained * hits / (last + 1)).sum() / np.count_nonzero(labels))


def check_ranking(labels: Integer[np.ndarray, " n"], scores: Float[np.ndarray, " m"]) -> None:
    """Refuses labels and scores that no ranking metric is defined for."""
    check_labels(labels, len(scores))
    if not np.isfinite(scores).all():
        step = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(f"the score at step {step} is {scores[step]}: every score must be a finite number")


def check_labels(labels: Integer[np.ndarray, " n"], steps: int) -> None:
    """Refuses labels that no metric is defined for: those that are not `steps` long, or all the same."""
    if len(labels) != steps:
        raise ValueError(f"there are {len(labels)} labels and {steps} scores: both must be as long as the series")
    anomalous = np.count_nonzero(labels)
    if anomalous in (0, steps):
        raise ValueError(
            f"the labels mark {'no' if anomalous == 0 else 'every'} step as an anomaly: there is nothing to rank"
        )
