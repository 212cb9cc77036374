"""Seeded series with labelled anomalies: the tutorial's noisy sine, and richer ones with anomalies of several kinds."""

import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int8

from twinvae.config import MOST, MOST_CHANNELS, check_integer, check_seed
from twinvae.data.injection import (
    ANOMALY_KINDS,
    MARGIN,
    MISSING,
    AnomalyKind,
    Duration,
    draw_channels,
    draw_intervals,
    inject,
)
from twinvae.data.signals import SIGNAL_KINDS, SignalKind, draw_signal
from twinvae.files.atomic import replacing
from twinvae.process.memory import check_room

MOST_SERIES = 10**6  # that are made at a time: each is a file in one folder
ARRAYS = 4  # that a series takes at least: its parts, and what it was before the anomalies


class LabelledSeries(NamedTuple):
    """A normal series, an anomalous one, and which steps of the second are anomalies (1) or not (0).

    >>> series = noisy_sine(0)
    >>> series.normal.shape, int(series.labels.sum())
    ((500,), 20)
    """

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

    >>> from twinvae.data.synthetic import noisy_sine
    >>> series = noisy_sine(seed=0)
    >>> bool((series.anomalous[300:320] - series.normal[300:320] > 2.4).all())
    True
    """
    phase = np.linspace(0.0, 2.0 * np.pi * periods, length)
    normal = np.sin(phase) + np.random.default_rng(seed).normal(0.0, noise, length)
    labels = np.zeros(length, dtype=np.int8)
    labels[slice(*anomaly)] = 1
    return LabelledSeries(normal, normal + shift * labels, labels)


class Injection(NamedTuple):
    """What was changed: the time steps [start, end) of some channels.

    >>> from twinvae.data.synthetic import generate
    >>> event = generate("spike", seed=0, length=1000, train=400).events[0]
    >>> event.kind, event.start, event.end
    ('spike', 643, 645)
    """

    kind: AnomalyKind
    start: int
    end: int
    channels: Bool[np.ndarray, " channel"]


class SyntheticSeries(NamedTuple):
    """A series whose first `train_rows` rows are normal, what was changed in the rest, and the series before that.

    >>> from twinvae.data.synthetic import generate
    >>> series = generate(["flatline", "missing"], seed=0, channels=2)
    >>> series.name, series.values.shape, series.train_rows
    ('periodic-flatline-missing-2', (5000, 2), 2000)
    """

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
    duration: Duration = None,
    magnitude: float = 1.0,
) -> SyntheticSeries:
    """A normal series with anomalies after its first `train` rows, at random places, 50 or more rows apart.

    The kinds, in the terms of Chandola et al. 2009 (point, contextual, collective) and, in brackets, of Lai et al.
    2021, "Revisiting Time Series Outlier Detection"; s is the channel's standard deviation when normal:

    - `spike`: point, global or contextual. 1 to 20 rows; 3.5 to 6 s up or down, then falling to half of that.
    - `level-shift`: collective. 50 to 300 rows; 0.8 to 2 s higher or lower.
    - `variance`: collective (shapelet). 50 to 300 rows; the noise is 2.5 to 4 times as large, or, one time in four,
      0.25 to 0.4 times.
    - `frequency`: collective (seasonal). 50 to 300 rows; 1.4 to 2 times as many cycles, or 0.5 to 0.7 times; whole
      cycles are added or left out, so short ones differ more.
    - `flatline`: collective (shapelet). 50 to 300 rows; the channel repeats the last value before.
    - `trend`: collective (trend). 100 to 300 rows; a slow drift that ends 1.5 to 3 s away, then a reset.
    - `missing`: 20 to 200 rows without a value (NaN). A gap is a fault of the record, not of what was recorded, so a
      detector that alarms there alarms falsely: it is in `missing`, not in `labels`.

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

    Example:
        >>> from twinvae.data.synthetic import generate
        >>> series = generate("spike", seed=0, length=1000, train=400)
        >>> [(event.start, event.end) for event in series.events]
        [(643, 645), (766, 772), (879, 882)]
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
    for kind, (start, end) in zip(given, draw_intervals(given, duration, train, length, rng), strict=True):
        affected = draw_channels(channels, rng)
        changed = inject(kind, normal, slice(start, end), magnitude, rng)
        values[start:end, affected] = changed[:, affected]
        labels[start:end] = kind != MISSING
        events.append(Injection(kind, start, end, affected))
    name = f"{signal}-{'-'.join(dict.fromkeys(turns))}-{channels}"
    return SyntheticSeries(name, values, labels, np.isnan(values), train, tuple(events), clean)


def suite(seed: int) -> Iterator[SyntheticSeries]:
    """Every kind of anomaly in every signal, with 1 and with 4 channels: 4,000 to 6,000 rows, 35 to 40 % for training.

    Series with gaps have level shifts beside them, since a series without an anomaly measures no detector. Each series
    has a seed of its own, made of `seed` and its place in this list, whatever is drawn before it.

    >>> from twinvae.data.synthetic import suite
    >>> first = next(suite(0))
    >>> first.name, first.values.shape
    ('periodic-spike-1', (5593, 1))
    """
    for (first, signal), (second, kind), channels in product(enumerate(SIGNAL_KINDS), enumerate(ANOMALY_KINDS), (1, 4)):
        sequence = np.random.SeedSequence(seed, spawn_key=(first, second, channels))
        rng = np.random.default_rng(sequence)
        own, length = int(sequence.generate_state(1)[0]), int(rng.integers(4000, 6001))
        train = int(length * rng.uniform(0.35, 0.4))
        shifted: tuple[AnomalyKind, ...] = (MISSING, "level-shift", MISSING, "level-shift")
        yield generate(
            shifted if kind == MISSING else kind, seed=own, signal=signal, length=length, train=train, channels=channels
        )


def series_names(series: SyntheticSeries) -> tuple[str, ...]:
    """The channels' names: value, or channel_0, channel_1, ...

    >>> from twinvae.data.synthetic import generate, series_names
    >>> series_names(generate("spike", seed=0, channels=2))
    ('channel_0', 'channel_1')
    """
    channels = series.values.shape[1]
    return ("value",) if channels == 1 else tuple(f"channel_{channel}" for channel in range(channels))


def many(number: int, *, seed: int, **arguments: Any) -> Iterator[SyntheticSeries]:
    """So many series as `generate` makes them with these arguments, each from a seed of its own, named by their place.

    The first ones are the same whatever the number is, but for the zeros in their names.

    >>> from twinvae.data.synthetic import many
    >>> [series.name for series in many(3, seed=0, kinds="spike", length=600, train=300)]
    ['series-0', 'series-1', 'series-2']
    """
    for index, name in enumerate(names_of_many(number)):
        own = int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1)[0])
        yield generate(seed=own, **arguments)._replace(name=name)


def names_of_many(number: int) -> tuple[str, ...]:
    """The names of so many series. A ValueError says if they are more than fit into a folder.

    >>> from twinvae.data.synthetic import names_of_many
    >>> names_of_many(12)[:2]
    ('series-00', 'series-01')
    """
    check_integer("series", number, 1, MOST_SERIES)
    digits = len(str(number - 1))
    return tuple(f"series-{index:0{digits}}" for index in range(number))


def series_file(folder: Path, series: SyntheticSeries) -> Path:
    """The CSV of a series that stands alone, named as TSB-AD's files are.

    `_tr_N` in the name are the training rows, `_1st_M` the first anomalous row (left out if there is none).

    >>> from pathlib import Path
    >>> from twinvae.data.synthetic import generate, series_file
    >>> series_file(Path("data"), generate("spike", seed=0, length=1000, train=400)).name
    'periodic-spike-1_tr_400_1st_643.csv'
    """
    first = f"_1st_{series.labels.argmax()}" if series.labels.any() else ""
    return folder / f"{series.name}_tr_{series.train_rows}{first}.csv"


def write_series(path: Path, series: SyntheticSeries) -> None:
    """Writes a CSV of the columns time (row numbers), the channels and Label. A missing value is an empty cell.

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from twinvae.data.synthetic import generate, write_series
        >>> write_series(Path("spike.csv"), generate("spike", seed=0, length=1000, train=400))
        >>> Path("spike.csv").read_text().splitlines()[0]
        'time,value,Label'
    """
    import polars as pl

    columns = dict(zip(series_names(series), series.values.T, strict=True))
    frame = pl.DataFrame({"time": np.arange(len(series.values)), **columns, "Label": series.labels}).fill_nan(None)
    with replacing(path) as temporary:
        frame.write_csv(temporary)


def _stream(seed: int, part: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(part,)))


def _checked_kinds(kinds: AnomalyKind | Sequence[AnomalyKind]) -> tuple[AnomalyKind, ...]:
    turns: tuple[AnomalyKind, ...] = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if not turns:
        raise ValueError(f"no kind of anomaly: choose some of {', '.join(ANOMALY_KINDS)}")
    if unknown := [kind for kind in turns if kind not in ANOMALY_KINDS]:
        raise ValueError(f"unknown kind of anomaly {unknown[0]!r}: choose one of {', '.join(ANOMALY_KINDS)}")
    return turns


def _check(
    seed: int, length: int, train: int, channels: int, anomalies: int | None, duration: Duration, magnitude: float
) -> None:
    check_seed(seed)
    for name, value, least, most in (
        ("length", length, 1, MOST), ("train", train, 0, MOST), ("channels", channels, 1, MOST_CHANNELS),
        ("anomalies", 1 if anomalies is None else anomalies, 1, sys.maxsize),
    ):  # fmt: skip
        check_integer(name, value, least, most)
    check_room(
        8 * ARRAYS * length * channels, f"a series of {length} rows and {channels} channels",
        "lower length or channels",
    )  # fmt: skip
    if train >= length:
        raise ValueError(f"train is {train} rows, the series has {length}: leave some for the anomalies")
    if anomalies is not None and anomalies > (most := (length - train) // MARGIN):
        raise ValueError(
            f"anomalies must be at most {most}, {MARGIN} rows apart after the training part, got {anomalies}"
        )
    if duration is not None and not 1 <= duration[0] <= duration[1]:
        raise ValueError(f"duration must be a least and a largest number of rows, at least 1, got {duration}")
    if not 0.0 < magnitude < np.inf:
        raise ValueError(f"magnitude must be a finite number above 0, got {magnitude}")
