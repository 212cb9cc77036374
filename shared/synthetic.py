"""Seeded series with labelled anomalies: the tutorial's noisy sine, and richer ones with anomalies of several kinds."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float64, Int8

from shared.output import replacing
from shared.signals import SIGNAL_KINDS, Signal, SignalKind, draw_signal

AnomalyKind = Literal["spike", "level-shift", "variance", "frequency", "flatline", "trend", "missing"]
ANOMALY_KINDS: tuple[AnomalyKind, ...] = get_args(AnomalyKind)
MISSING: AnomalyKind = "missing"

MARGIN = 50  # least number of normal rows before, between and after anomalies


class LabelledSeries(NamedTuple):
    """A normal series, an anomalous one, and which steps of the second are anomalies (1) or not (0)."""

    normal: Float64[np.ndarray, " time"]
    anomalous: Float64[np.ndarray, " time"]
    labels: Int8[np.ndarray, " time"]


def noisy_sine(
    seed: int,
    *,
    length: int = 500,
    periods: float = 10.0,
    noise: float = 0.1,
    shift: float = 2.5,
    anomaly: tuple[int, int] = (300, 320),
) -> LabelledSeries:
    """sin(x) plus normal noise, and a copy with `shift` added to the steps [start, end) of `anomaly`.

    The defaults are the tutorial's: 500 points of `linspace(0, 20 * pi, 500)` (ten periods), noise of
    standard deviation 0.1, and 2.5 added to points 300 to 319.
    """
    phase = np.linspace(0.0, 2.0 * np.pi * periods, length)
    normal = np.sin(phase) + np.random.default_rng(seed).normal(0.0, noise, length)
    labels = np.zeros(length, dtype=np.int8)
    labels[slice(*anomaly)] = 1
    return LabelledSeries(normal, normal + shift * labels, labels)


class Injection(NamedTuple):
    """What was changed: the time steps [start, end) of some channels."""

    kind: AnomalyKind
    start: int
    end: int
    channels: Bool[np.ndarray, " channel"]


class SyntheticSeries(NamedTuple):
    """A series whose first `train_rows` rows are normal, what was changed in the rest, and the series before that."""

    name: str
    values: Float64[np.ndarray, "time channel"]  # NaN where missing
    labels: Int8[np.ndarray, " time"]  # 1 where any channel is anomalous; missing values are not an anomaly
    missing: Bool[np.ndarray, "time channel"]
    train_rows: int
    events: tuple[Injection, ...]  # in order of time
    clean: Float64[np.ndarray, "time channel"]


def generate(
    kinds: AnomalyKind | Sequence[AnomalyKind],
    *,
    seed: int,
    signal: SignalKind = "periodic",
    length: int = 5000,
    train: int = 2000,
    channels: int = 1,
    anomalies: int | None = None,
    duration: tuple[int, int] | None = None,
    magnitude: float = 1.0,
) -> SyntheticSeries:
    """A normal series with anomalies after its first `train` rows, at random places, 50 or more rows apart.

    The kinds, in the terms of Chandola et al. 2009 (point, contextual, collective) and, in brackets, of Lai et al. 2021,
    "Revisiting Time Series Outlier Detection" (s is the channel's standard deviation when normal):

    - `spike` (global or contextual point): 1 to 20 rows; 3 to 6 s up or down, then falling back.
    - `level-shift` (collective): 50 to 300 rows; 0.8 to 2 s higher or lower.
    - `variance` (collective; shapelet): 50 to 300 rows; the noise is 2.5 to 4 times, or a quarter to 0.4 times, as large.
    - `frequency` (contextual, collective; seasonal): 50 to 300 rows; cycles are 1.4 to 2 times faster, or slower.
    - `flatline` (contextual, collective; shapelet): 50 to 300 rows; the channel repeats the last value before.
    - `trend` (collective; trend): 100 to 300 rows; a slow drift that ends 1.5 to 3 s away, then a reset.
    - `missing`: 20 to 200 rows without a value (NaN). A gap says nothing of the machine, so a detector that alarms there
      alarms falsely: it is in `missing`, not in `labels`.

    Args:
        kinds: one kind, or several that take turns.
        seed: of everything. The clean series depends on `seed`, `signal`, `length` and `channels` only.
        signal: the normal series: see `draw_signal`.
        length: rows in all.
        train: how many first rows stay as they are.
        channels: how many there are; they are correlated. An anomaly is in one of them, or in several.
        anomalies: how many (gaps count); without it, 2 to 4, and one of each kind at least.
        duration: least and largest number of rows of an anomaly; without it, those above.
        magnitude: times the heights; the exponent of the ratios. A flatline and a gap have none.

    Raises:
        ValueError: if an argument is out of its range, or the anomalies do not fit after the training part.
    """
    turns = _checked_kinds(kinds)
    _check(seed, length, train, channels, anomalies, duration, magnitude)
    normal = draw_signal(signal, length, channels, _stream(seed, 0))
    rng = _stream(seed, 1)
    count = max(len(turns), int(rng.integers(2, 5))) if anomalies is None else anomalies
    given = [turns[index % len(turns)] for index in range(count)]
    clean = normal.values
    values, labels = clean.copy(), np.zeros(length, dtype=np.int8)
    events = []
    for kind, (start, end) in zip(given, _place(given, duration, train, length, rng), strict=True):
        affected = _affected(channels, rng)
        changed = _CHANGES[kind](normal, clean, slice(start, end), magnitude, rng)
        values[start:end, affected] = changed[:, affected]
        labels[start:end] = kind != MISSING
        events.append(Injection(kind, start, end, affected))
    name = f"{signal}-{'-'.join(dict.fromkeys(turns))}-{channels}"
    return SyntheticSeries(name, values, labels, np.isnan(values), train, tuple(events), clean)


# How each kind changes the rows of `span`; all channels, whether the anomaly is in them or not.

Change = Callable[
    [Signal, Float64[np.ndarray, "time channel"], slice, float, np.random.Generator],
    Float64[np.ndarray, "span channel"],
]


def _spike(
    _: Signal, clean: Float64[np.ndarray, "time channel"], span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    fall = np.linspace(1.0, 0.3, span.stop - span.start)
    return clean[span] + _height(3.0, 6.0, magnitude, rng) * clean.std(axis=0) * fall[:, None]


def _level_shift(
    _: Signal, clean: Float64[np.ndarray, "time channel"], span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    return clean[span] + _height(0.8, 2.0, magnitude, rng) * clean.std(axis=0)


def _variance(
    normal: Signal, clean: Float64[np.ndarray, "time channel"], span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    ratio = _ratio((2.5, 4.0), (0.25, 0.4), rng) ** magnitude
    return clean[span] + (ratio - 1.0) * normal.noise[span]


def _frequency(
    normal: Signal, clean: Float64[np.ndarray, "time channel"], span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    """Gains or loses whole cycles, so that the wave joins the rest without a jump."""
    phase = normal.phase[span]
    cycles = phase[-1] - phase[0]
    ratio = _ratio((1.4, 2.0), (0.5, 0.7), rng) ** magnitude
    more = round(cycles * (ratio - 1.0))
    if more == 0 or cycles + more < 0.4 * cycles:  # too short to lose a cycle
        more = 1
    warped = phase[0] + (phase - phase[0]) * (1.0 + more / cycles) if cycles else phase + 0.5
    return clean[span] + normal.gain[span] * (normal.shape(warped) - normal.shape(phase))


def _flatline(
    _: Signal, clean: Float64[np.ndarray, "time channel"], span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    return np.repeat(clean[span.start - 1 : span.start], span.stop - span.start, axis=0)


def _trend(
    _: Signal, clean: Float64[np.ndarray, "time channel"], span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    length = span.stop - span.start
    rise = np.arange(1, length + 1)[:, None] / length
    return clean[span] + _height(1.5, 3.0, magnitude, rng) * clean.std(axis=0) * rise


def _missing(
    _: Signal, clean: Float64[np.ndarray, "time channel"], span: slice, magnitude: float, rng: np.random.Generator
) -> Float64[np.ndarray, "span channel"]:
    return np.full_like(clean[span], np.nan)


_CHANGES: dict[AnomalyKind, Change] = {
    "spike": _spike,
    "level-shift": _level_shift,
    "variance": _variance,
    "frequency": _frequency,
    "flatline": _flatline,
    "trend": _trend,
    "missing": _missing,
}
_DURATIONS: dict[AnomalyKind, tuple[int, int]] = {"spike": (1, 20), "trend": (100, 300), "missing": (20, 200)}
_OTHER_DURATION = 50, 300


def _height(least: float, most: float, magnitude: float, rng: np.random.Generator) -> float:
    """In standard deviations, up or down."""
    return float(rng.choice([-1.0, 1.0]) * rng.uniform(least, most) * magnitude)


def _ratio(above: tuple[float, float], below: tuple[float, float], rng: np.random.Generator) -> float:
    return float(rng.uniform(*(above if rng.uniform() < 0.5 else below)))


# Where, and in which channels.


def _place(
    kinds: Sequence[AnomalyKind], duration: tuple[int, int] | None, train: int, length: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Intervals [start, end), one for each kind, in order of time; short ones are as likely as ones twice as long."""
    ranges = np.array([duration or _DURATIONS.get(kind, _OTHER_DURATION) for kind in kinds], dtype=np.float64)
    lengths = np.exp(rng.uniform(*np.log(ranges + [0.0, 1.0]).T)).astype(int)  # log-uniform
    lengths = np.clip(lengths, *ranges.T.astype(int))
    spare = length - train - lengths.sum() - MARGIN * (len(kinds) + 1)
    if spare < 0:
        raise ValueError(
            f"{len(kinds)} anomalies of {', '.join(map(str, lengths))} rows with {MARGIN} normal rows around each need "
            f"{length - train - spare} rows, and {length - train} follow the training part: raise length, or lower train, "
            "anomalies or duration"
        )
    gaps = np.sort(rng.integers(0, spare + 1, len(kinds)))
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    starts = train + MARGIN * np.arange(1, len(kinds) + 1) + before + gaps
    return [(int(start), int(start + rows)) for start, rows in zip(starts, lengths, strict=True)]


def _affected(channels: int, rng: np.random.Generator) -> Bool[np.ndarray, " channel"]:
    """One channel as often as several."""
    count = 1 if channels == 1 or rng.uniform() < 0.5 else int(rng.integers(2, channels + 1))
    mask = np.zeros(channels, dtype=bool)
    mask[rng.permutation(channels)[:count]] = True
    return mask


def _stream(seed: int, part: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(part,)))


def _checked_kinds(kinds: AnomalyKind | Sequence[AnomalyKind]) -> tuple[AnomalyKind, ...]:
    turns: tuple[AnomalyKind, ...] = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if not turns:
        raise ValueError(f"no kind of anomaly: choose some of {', '.join(ANOMALY_KINDS)}")
    for kind in turns:
        if kind not in ANOMALY_KINDS:
            raise ValueError(f"unknown kind of anomaly {kind!r}: choose one of {', '.join(ANOMALY_KINDS)}")
    return turns


def _check(
    seed: int,
    length: int,
    train: int,
    channels: int,
    anomalies: int | None,
    duration: tuple[int, int] | None,
    magnitude: float,
) -> None:
    for name, value, least in (
        ("seed", seed, 0),
        ("length", length, 1),
        ("train", train, 0),
        ("channels", channels, 1),
        ("anomalies", 1 if anomalies is None else anomalies, 1),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if train >= length:
        raise ValueError(f"train is {train} rows, the series has {length}: leave some for the anomalies")
    if duration is not None and not 1 <= duration[0] <= duration[1]:
        raise ValueError(f"duration must be a least and a largest number of rows, at least 1, got {duration}")
    if not 0.0 < magnitude < np.inf:
        raise ValueError(f"magnitude must be a finite number above 0, got {magnitude}")


def suite(seed: int) -> Iterator[SyntheticSeries]:
    """Every kind of anomaly in every signal, with 1 and with 4 channels: 4,000 to 6,000 rows, 35 to 40 % of them normal.

    Series with gaps have level shifts beside them, since a series without an anomaly measures no detector. Each series has
    a seed of its own, made of `seed` and what it is, so it stays the same when others come or go.
    """
    for first, signal in enumerate(SIGNAL_KINDS):
        for second, kind in enumerate(ANOMALY_KINDS):
            for channels in (1, 4):
                sequence = np.random.SeedSequence(seed, spawn_key=(first, second, channels))
                rng = np.random.default_rng(sequence)
                length = int(rng.integers(4000, 6001))
                yield generate(
                    (MISSING, "level-shift", MISSING, "level-shift") if kind == MISSING else kind,
                    seed=int(sequence.generate_state(1)[0]),
                    signal=signal,
                    length=length,
                    train=int(length * rng.uniform(0.35, 0.4)),
                    channels=channels,
                )
