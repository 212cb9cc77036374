"""The thresholds of a detector that was asked for a rate of false events."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from twinvae.config import KINDS
from twinvae.detector.preparation import Prepared
from twinvae.process.notices import warn
from twinvae.scoring.calibration import SINGLE_WINDOW, window_errors
from twinvae.scoring.cross_fit import blocks, held_out
from twinvae.scoring.event_rate import APART, EventRate, Tail, chosen, how_sure, tails, threshold_of, why_not
from twinvae.scoring.formulas import Calibration, Statistics
from twinvae.scoring.kinds import SCORES, contributions, mean_over_channels, of_stream
from twinvae.scoring.neighbours import VIEWS, own_starts, with_distances


def rated(
    prepared: Prepared,
    calibration: Calibration,
    thresholds: Mapping[str, float],
    seen: Statistics,
    apart: Sequence[Statistics],
) -> tuple[dict[str, float], EventRate]:
    """The thresholds for the rate that `prepared` was asked for, in place of others, and the tails that they are from.

    Each is the larger one of two: from the scores of the training series, and from those that models give which have
    not seen the part that they judge (`apart`; none if the series is too short for that). Where errors are the model's
    own, those of another model say little. A kind of score whose tail says too little keeps its threshold, with a
    warning if it is that of a stream.

    Raises:
        ValueError: if the score that decides has too few separate peaks.
    """
    config, rate = prepared.config, prepared.rate
    assert rate is not None
    found, unit, scaled, memory = dict(thresholds), config.false_events, prepared.scaled, calibration.memory
    assert memory is not None
    both = [seen, held_out(apart, blocks(len(scaled), len(apart)))] if apart else [seen]
    own = own_starts(memory, scaled, config.window)
    both = [with_distances(VIEWS, scaled, each, config.window, memory, own) for each in both]
    kept: dict[str, tuple[tuple[Tail, ...], ...]] = {}
    for name in sorted((*KINDS, SINGLE_WINDOW), key=lambda name: name != config.kind):  # that may be refused first
        known = [tails(_scores(name, prepared, calibration, each), max(APART, config.window)) for each in both]
        best = [chosen(each, rate) for each in known]
        why = next((why for one in best if (why := why_not(one, rate, unit)) is not None), None)
        if why is None:
            found[name], kept[name] = max(threshold_of(one, rate) for one in best), tuple(known)
        elif name == config.kind:
            raise ValueError(f"false_events={unit}: {why}")
        elif name == of_stream(config.kind):
            warn(f"false_events={unit} holds for series, not for streams (score {name}): {why}")
    steps = min(one.steps for one in best)
    if rate * steps < 1:
        warn(f"false_events={unit} is {how_sure(steps, rate)}, since it is rarer than once in {steps} training rows")
    return found, EventRate(rate, kept)


def _scores(name: str, prepared: Prepared, calibration: Calibration, statistics: Statistics) -> Float[np.ndarray, " n"]:
    scaled, window = prepared.scaled, prepared.config.window
    if name == SINGLE_WINDOW:
        return window_errors(scaled, statistics["window"], window)
    kind = next(kind for kind in KINDS if kind == name)
    score = SCORES[kind]
    parts = contributions(kind, scaled, statistics, window, calibration)
    return mean_over_channels(parts)[score.counted(len(scaled), window)]
