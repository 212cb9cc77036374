"""What a model knows of the rates of thresholds, as a file holds it in JSON."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from twinvae.config import MOST
from twinvae.scoring.calibration import THRESHOLDS
from twinvae.scoring.event_rate import LEAST_PEAKS, EventRate, Tail


def record(known: EventRate) -> dict[str, Any]:
    """The settings of the rates of a model."""
    return {
        "asked": known.asked,
        "tails": {name: [list(map(list, one)) for one in both] for name, both in known.tails.items()},
    }


def of_record(settings: Mapping[str, Any]) -> EventRate:
    """The rates of a record; `check` says whether they can be used."""
    tails = {
        name: tuple(tuple(Tail(*one) for one in each) for each in both) for name, both in settings["tails"].items()
    }
    return EventRate(float(settings["asked"]), tails)


def check(known: EventRate) -> None:
    """Raises ValueError if a part holds what no fit should have made."""
    if not 0 < known.asked < math.inf:
        raise ValueError("the rate of false events is not finite and above 0")
    if not known.tails.keys() <= set(THRESHOLDS):
        raise ValueError("tails are kept of what is no score")
    for name, both in known.tails.items():
        if not both or not all(_is_usable(each) for each in both):
            raise ValueError(f"the tails of {name} are none of scores")


def _is_usable(tails: tuple[Tail, ...]) -> bool:
    """Whether starts fall and peaks rise from tail to tail, and the last has enough of them to name a rate."""
    return (
        bool(tails)
        and all(_is_number(value) for one in tails for value in (one.start, one.excess))
        and all(type(one.peaks) is int and type(one.steps) is int for one in tails)
        and all(0 < one.peaks <= one.steps <= MOST and one.excess > 0 for one in tails)
        and all(b.start < a.start and b.peaks > a.peaks for a, b in pairwise(tails))
        and tails[-1].peaks >= LEAST_PEAKS
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
