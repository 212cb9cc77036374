"""A threshold that lets normal data begin so many events, and what a training series can say of such a rate."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.scoring.threshold import FENCE, MAD_TO_DEVIATION
from twinvae.windowing.intervals import intervals

STARTS = (0.98, 0.95, 0.9, 0.8, 0.7, 0.5)  # quantiles of the logarithms where a tail may begin
LEAST_PEAKS = 20  # that are apart: with fewer no rate can be named
FACTOR, FARTHEST = 10.0, 0.1  # a rate is named down to a tenth of an event in the series, within this factor
APART = 20  # steps: nearer peaks are one, as events are that are merged


class Tail(NamedTuple):
    """The highest scores of normal data: their peaks that lie apart, above a start, in logarithms."""

    start: float
    peaks: int
    excess: float  # the sum of what the peaks exceed the start by
    steps: int  # of how many steps


def tail(scores: Float[np.ndarray, " n"], apart: int, rate: float = 0.0) -> Tail:
    """The tail of some scores: the highest start that leaves 20 peaks at least `apart` steps from each other, and as
    many as such a rate of events a step asks for, else the one that leaves most. NaN parts its neighbours as any low
    score does.

    Stretches of `apart` steps whose highest score lies beyond the fence of the logarithms (`fenced_maximum`) are left
    out: they may hold anomalies.
    """
    logarithms = np.log(np.maximum(np.nan_to_num(scores.astype(np.float64), nan=0.0), np.finfo(np.float64).tiny))
    kept = _unspoilt(logarithms, apart)
    best = Tail(float(kept.max()) if len(kept) else 0.0, 0, 0.0, len(kept))
    for start in np.quantile(kept, STARTS) if len(kept) else ():
        runs = intervals((kept > start).astype(np.int8), merge_gap=apart)
        if len(runs) > best.peaks:
            excess = sum(float(kept[begin:end].max()) - float(start) for begin, end in runs)
            best = Tail(float(start), len(runs), excess, len(kept))
        if best.peaks >= max(LEAST_PEAKS, rate * len(kept)):
            break
    return best


def _unspoilt(logarithms: Float[np.ndarray, " n"], apart: int) -> Float[np.ndarray, " m"]:
    known = logarithms[logarithms > logarithms.min()]  # not those of scores that are 0 or unknown
    if len(known) == 0:
        return logarithms
    middle = float(np.median(known))
    fence = middle + FENCE * MAD_TO_DEVIATION * float(np.median(np.abs(known - middle)))
    stretches = np.array_split(logarithms, max(1, len(logarithms) // apart))
    whole = [part for part in stretches if len(part) and part.max() <= fence]
    return np.concatenate(whole) if whole else logarithms[:0]


def threshold_of(known: Tail, rate: float) -> float:
    """The score that begins so many events a step in data like these: exp(start + S (m^(-1/k) - 1)).

    k peaks exceed the start by S in all, and m = rate * steps / k of them are borne. It is the predictive quantile of
    exponential excesses: the mean rate over training series is the one asked for, whatever k is, where `-S / k log m`
    lets too many pass. (P(new > c S) = (1 + c)^-k: a Pareto law, since S is a sum of k exponentials.)
    """
    share = rate * known.steps / max(known.peaks, 1)
    if share >= 1 or not known.peaks:
        return math.exp(known.start)
    return math.exp(min(known.start + known.excess * (share ** (-1 / known.peaks) - 1), 700.0))


def why_not(known: Tail, rate: float, unit: str) -> str | None:
    """Why no such rate can be named from this tail, and what to do; None if it can. `unit` is what was asked for."""
    if known.peaks < LEAST_PEAKS:
        more = math.ceil(known.steps * LEAST_PEAKS / max(known.peaks, 1) / 100) * 100
        return (
            f"{known.steps} training scores have {known.peaks} separate peaks, and no rate can be named with less than "
            f"{LEAST_PEAKS}: train on about {more} rows, or leave false_events out"
        )
    return too_rare(known.steps, rate, unit)


def too_rare(steps: int, rate: float, unit: str) -> str | None:
    """Why so many steps support no such rate, whatever their scores are; None if they do."""
    if rate * steps >= FARTHEST:
        return None
    return (
        f"{steps} training rows support at most one false alarm in {math.ceil(steps / FARTHEST)} rows, and {unit} is "
        f"one in {round(1 / rate)}: train on at least {math.ceil(FARTHEST / rate)} rows, or ask for more"
    )


def how_sure(steps: int, rate: float) -> str:
    """How near the rate comes to the one asked for, in words."""
    return "within a factor of 3" if rate * steps >= 1 else f"extrapolated: within a factor of {FACTOR:g}"
