"""`python -m benchmarks thresholds` measures how often each threshold alarms on normal data that was held out.

Of each series only the training part is used. The detector is fitted on the first 70 % of it; the rest is held out.
"""

import statistics
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.accuracy.tables import Rows, as_lines
from benchmarks.errors import complain
from twinvae.config import Kind
from twinvae.data.datasets import BadFile, Dataset, read_datasets
from twinvae.detector.detector import VAEDetector, load_detector
from twinvae.files.atomic import as_json, write_text
from twinvae.process.notices import one_line
from twinvae.scoring.false_alarms import asked_rate, false_alarms
from twinvae.scoring.threshold import threshold
from twinvae.series.series import Series
from twinvae.windowing.geometry import fully_covered

FITTED = 0.7
KINDS: tuple[Kind, ...] = ("multiscale", "window", "point")
SETTINGS: tuple[dict[str, Any], ...] = (
    {"threshold": "maximum", "margin": 1.0},
    {"threshold": "maximum", "margin": 3.0},
    {"threshold": "quantile", "quantile": 0.99},
    {"threshold": "quantile", "quantile": 0.999},
    {"threshold": "robust"},
    {"threshold": "pot", "false_alarm_rate": 1e-2},
    {"threshold": "pot", "false_alarm_rate": 1e-3},
)
COLUMNS = (
    "score", "threshold", "asked", "found", "median", "no alarm", "too low", "too high", "runs/10k", "series"
)  # fmt: skip


class Found(NamedTuple):
    """What one threshold did on the held-out part of one series: the rate of false alarms asked for, and that found."""

    kind: str
    setting: str
    asked: float | None
    found: float
    low: float
    high: float
    runs: int
    steps: int


def found_rates(detector: VAEDetector, fitted: np.ndarray, held_out: np.ndarray) -> Iterator[Found]:
    """Yields the rate of false alarms of each threshold on the held-out rows.

    One fit serves all thresholds, because the scores do not depend on the threshold."""
    for kind in KINDS:
        known, fresh = (
            np.asarray(detector.decision_function(rows, kind=kind))[fully_covered(len(rows), detector.config_.window)]
            for rows in (fitted, held_out)
        )
        for setting in SETTINGS:
            config = replace(detector.config_, **setting)
            try:
                limit = threshold(known, config)
            except ValueError:  # too few scores for this threshold
                continue
            rate = false_alarms(fresh, fresh > limit, asked_rate(config))
            name = " ".join(str(value) for value in setting.values())
            yield Found(kind, name, rate.asked, rate.found, rate.low, rate.high, rate.runs, rate.steps)


def table(found: Sequence[Found]) -> Rows:
    """Returns a row for each kind of score and threshold: means over series, and how many intervals miss the rate."""
    rows = []
    for key in dict.fromkeys((one.kind, one.setting) for one in found):
        some = [one for one in found if (one.kind, one.setting) == key]
        asked, rates, count = some[0].asked, [one.found for one in some], len(some)
        too_low, too_high = (
            "-" if asked is None else f"{sum(missed) / count:.0%}"
            for missed in (
                [one.high < one.asked for one in some if one.asked is not None],
                [one.low > one.asked for one in some if one.asked is not None],
            )
        )
        runs = 1e4 * sum(one.runs for one in some) / sum(one.steps for one in some)
        rows.append(
            [
                *key, "-" if asked is None else f"{asked:.2%}", f"{statistics.fmean(rates):.2%}",
                f"{statistics.median(rates):.2%}", f"{sum(rate == 0 for rate in rates) / count:.0%}", too_low, too_high,
                f"{runs:.1f}", str(count),
            ]
        )  # fmt: skip
    return rows


def thresholds(sources: Sequence[str], backend: str, json: Path | None) -> int:
    """Measures and prints a table for each data set; returns the exit code: 0, or 1 if a series failed."""
    failures, content = 0, {}
    for source in sources:
        found: list[Found] = []
        for dataset in read_datasets(source):
            try:
                found += _measure(dataset, backend)
            except (ValueError, TypeError) as error:
                failures += 1
                complain(f"{dataset.name}: {one_line(error)}")
        print(f"\n{source}: fitted on the first {FITTED:.0%} of the training rows, found on the rest")
        print(as_lines(COLUMNS, table(found)))
        content[source] = [one._asdict() for one in found]
    if json is not None:
        write_text(json, as_json(content))
    return 1 if failures else 0


def _measure(dataset: Dataset | BadFile, backend: str) -> list[Found]:
    if isinstance(dataset, BadFile):
        raise ValueError(dataset.message)
    if dataset.unlabelled_fit:
        raise ValueError("no part of it is known to be normal")
    normal = Series.of(dataset.values).checked("interpolate").values[: dataset.train_rows]
    cut = int(FITTED * len(normal))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about constant channels
        detector = load_detector(backend)().fit(normal[:cut])
    return list(found_rates(detector, normal[:cut], normal[cut:]))
