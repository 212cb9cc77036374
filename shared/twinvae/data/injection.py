"""Anomalies put into a normal series: what each kind does, how long, where, and in which channels."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float64

from twinvae.data.signals import Signal

AnomalyKind = Literal["spike", "level-shift", "variance", "frequency", "flatline", "trend", "missing"]
ANOMALY_KINDS: tuple[AnomalyKind, ...] = get_args(AnomalyKind)
MISSING: AnomalyKind = "missing"
Duration = tuple[int, int] | None  # least and largest number of rows of an anomaly

MARGIN = 50  # least number of rows before, between and after anomalies
DURATIONS: dict[AnomalyKind, tuple[int, int]] = {  # least and largest number of rows
    "spike": (1, 20),
    "level-shift": (50, 300),
    "variance": (50, 300),
    "frequency": (50, 300),
    "flatline": (50, 300),
    "trend": (100, 300),
    "missing": (20, 200),
}


def inject(  # noqa: PLR0911  (one for each kind)
    kind: AnomalyKind, normal: Signal, span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    """Gives the rows of `span` of a normal series with an anomaly in all channels.

    `twinvae.data.synthetic.generate` says what each kind is and what `magnitude` means.
    """
    clean, length = normal.values, span.stop - span.start
    rows = clean[span]
    match kind:
        case "spike":
            fall = np.linspace(1.0, 0.5, length)
            return rows + _height(3.5, 6.0, magnitude, rng) * clean.std(axis=0) * fall[:, None]
        case "level-shift":
            return rows + _height(0.8, 2.0, magnitude, rng) * clean.std(axis=0)
        case "variance":
            ratio = _ratio((2.5, 4.0), (0.25, 0.4), 0.75, rng) ** magnitude
            return rows + (ratio - 1.0) * normal.noise[span]
        case "frequency":
            ratio = _ratio((1.4, 2.0), (0.5, 0.7), 0.5, rng) ** magnitude
            return rows + _other_cycles(normal, span, ratio)
        case "flatline":
            return np.repeat(clean[span.start - 1 : span.start], length, axis=0)
        case "trend":
            rise = np.arange(1, length + 1)[:, None] / length
            return rows + _height(1.5, 3.0, magnitude, rng) * clean.std(axis=0) * rise
        case "missing":
            return np.full_like(rows, np.nan)


def draw_intervals(
    kinds: Sequence[AnomalyKind], duration: Duration, train: int, length: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Intervals [start, end), one for each kind, in order of time; short ones are as likely as long ones.

    A ValueError says if they do not fit after the training part.
    """
    ranges = np.array([duration or DURATIONS[kind] for kind in kinds], dtype=np.float64)
    least, most = ranges.T
    lengths = np.exp(rng.uniform(np.log(least), np.log(most + 1.0))).astype(int)  # uniform in the logarithm
    lengths = np.clip(lengths, least.astype(int), most.astype(int))  # against rounding
    spare = length - train - lengths.sum() - MARGIN * (len(kinds) + 1)
    if spare < 0:
        raise ValueError(
            f"{len(kinds)} anomalies of {', '.join(map(str, lengths))} rows, {MARGIN} rows apart, need "
            f"{length - train - spare} rows after the training part, and there are {length - train}: raise length, or "
            "lower train, anomalies or duration"
        )
    gaps = np.sort(rng.integers(0, spare + 1, len(kinds)))
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    starts = train + MARGIN * np.arange(1, len(kinds) + 1) + before + gaps
    return [(int(start), int(start + rows)) for start, rows in zip(starts, lengths, strict=True)]


def draw_channels(channels: int, rng: np.random.Generator) -> Bool[np.ndarray, " channel"]:
    """Which channels an anomaly is in: one channel as often as several."""
    count = 1 if channels == 1 or rng.uniform() < 0.5 else int(rng.integers(2, channels + 1))
    mask = np.zeros(channels, dtype=bool)
    mask[rng.permutation(channels)[:count]] = True
    return mask


def _other_cycles(normal: Signal, span: slice, ratio: float) -> Float64[np.ndarray, "span channel"]:
    """What turns the cycles of `span` into about `ratio` times as many.

    Whole cycles are gained or lost, so that the wave joins the rest without a jump.
    """
    phase, before, after = normal.phase[span], normal.phase[span.start - 1], normal.phase[span.stop]
    cycles = after - before
    more = round(cycles * (ratio - 1.0))
    if more == 0 or cycles + more < 0.4 * cycles:  # too short to lose a cycle
        more = 1
    warped = before + (phase - before) * (1.0 + more / cycles)
    return normal.gain[span] * (normal.shape(warped) - normal.shape(phase))


def _height(least: float, most: float, magnitude: float, rng: np.random.Generator) -> float:
    """A random height in standard deviations, up or down."""
    return float(rng.choice([-1.0, 1.0]) * rng.uniform(least, most) * magnitude)


def _ratio(
    above: tuple[float, float], below: tuple[float, float], share_above: float, rng: np.random.Generator
) -> float:
    return float(rng.uniform(*(above if rng.uniform() < share_above else below)))
