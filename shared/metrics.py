"""How well scores rank labelled anomalies."""

import numpy as np
from jaxtyping import Float, Integer


def roc_auc(labels: Integer[np.ndarray, " n"], scores: Float[np.ndarray, " m"]) -> float:
    """Probability that an anomalous step scores higher than a normal one, ties counting half: Fawcett 2006.

    Raises:
        ValueError: if the labels are of another length, or all the same.
    """
    anomalous, normal = _split(labels, scores)
    order = np.sort(normal)
    below = np.searchsorted(order, anomalous, "left")
    not_above = np.searchsorted(order, anomalous, "right")
    return float((below + not_above).mean() / 2 / len(normal))


def average_precision(labels: Integer[np.ndarray, " n"], scores: Float[np.ndarray, " m"]) -> float:
    """Precision at each distinct score, weighted by the recall gained there: `sum (R_n - R_{n-1}) * P_n`.

    Raises:
        ValueError: if the labels are of another length, or all the same.
    """
    anomalous, _ = _split(labels, scores)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each group of equal scores
    hits = np.cumsum(labels[order] != 0)[last]
    gained = np.diff(hits, prepend=0)
    return float((gained * hits / (last + 1)).sum() / len(anomalous))


def _split(
    labels: Integer[np.ndarray, " n"], scores: Float[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]]:
    if len(labels) != len(scores):
        raise ValueError(f"there are {len(labels)} labels and {len(scores)} scores: both must be as long as the series")
    anomalous, normal = scores[labels != 0], scores[labels == 0]
    if len(anomalous) == 0 or len(normal) == 0:
        raise ValueError("the labels are all the same: there is nothing to rank")
    return anomalous, normal
