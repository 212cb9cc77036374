"""A threshold that lets normal data begin so many events, and what a training series can say of such a rate."""

import math
from collections.abc import Mapping, Sequence
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


def tails(scores: Float[np.ndarray, " n"], apart: int) -> tuple[Tail, ...]:
    """The tails of some scores by their starts, the highest first, each with more peaks than those before it; peaks lie
    at least `apart` steps from each other. NaN parts its neighbours as any low score does. One tail without peaks says
    that there is none.

    Stretches of `apart` steps whose highest score lies beyond the fence of the logarithms (`fenced_maximum`) are left
    out: they may hold anomalies.
    """
    logarithms = np.log(np.maximum(np.nan_to_num(scores.astype(np.float64), nan=0.0), np.finfo(np.float64).tiny))
    kept = _unspoilt(logarithms, apart)
    found: list[Tail] = []
    for start in np.quantile(kept, STARTS) if len(kept) else ():
        runs = intervals((kept > start).astype(np.int8), merge_gap=apart)
        if len(runs) > (found[-1].peaks if found else 0):
            excess = sum(float(kept[begin:end].max()) - float(start) for begin, end in runs)
            found.append(Tail(float(start), len(runs), excess, len(kept)))
    return tuple(found) or (Tail(float(kept.max()) if len(kept) else 0.0, 0, 0.0, len(kept)),)


def chosen(known: Sequence[Tail], rate: float) -> Tail:
    """The tail that says most of such a rate of events a step: the first with 20 peaks, and as many as are asked for,
    else the last."""
    return next((one for one in known if one.peaks >= max(LEAST_PEAKS, rate * one.steps)), known[-1])


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


def rate_of(known: Sequence[Tail], value: float) -> float:
    """The least rate of events a step for which `threshold_of` the tail that is chosen is at most this score.

    It inverts `threshold_of`: (1 + (log value - start) / S)^-k peaks of k. Below the start of every tail it is the rate
    of all peaks of the last one, and at least so many events are borne there.
    """
    height, rate = math.log(value) if value > 0 else -math.inf, 0.0
    for one in known:
        if one.peaks < LEAST_PEAKS:  # which no rate chooses
            continue
        if height >= one.start:
            share = (1.0 + (height - one.start) / one.excess) ** -one.peaks
            return max(share * one.peaks / one.steps, rate)
        rate = one.peaks / one.steps
    return rate


class EventRate(NamedTuple):
    """What a model that was asked for a rate of false events knows of the rates of thresholds."""

    asked: float  # events a step
    tails: Mapping[str, tuple[tuple[Tail, ...], ...]]  # of each score that keeps it: in training, and held out

    def threshold(self, kind: str, rate: float) -> float:
        """The threshold of a score that lets so many events a step begin: the largest of those of its tails."""
        return max(threshold_of(chosen(each, rate), rate) for each in self.tails[kind])

    def rate(self, kind: str, value: float) -> float:
        """The events a step that a threshold of a score lets begin: the inverse of `threshold`."""
        return max(rate_of(each, value) for each in self.tails[kind])

    def is_below(self, kind: str, value: float) -> bool:
        """Whether a threshold is so low that no tail says how many events it lets begin, but that they are more."""
        return any(value < math.exp(each[-1].start) for each in self.tails[kind])

    def steps(self, kind: str) -> int:
        """The training steps that the tails of a score are read from."""
        return min(one.steps for each in self.tails[kind] for one in each)


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
