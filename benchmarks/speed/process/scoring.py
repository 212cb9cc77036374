"""What is measured of scoring: a point of a long series, one window, and how both depend on the length."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.speed import arithmetic
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.process.measurement import Measurement, begin, growing, repeat, seconds_of
from benchmarks.speed.process.subjects import Subject
from benchmarks.speed.process.workloads import long_series, tutorial_series
from twinvae.config import Config

BRIEF = 5  # epochs of a detector that is only made to score


def score(m: Measurement) -> None:
    """Measures the time of a scored point of a long series, and how much the process grows in the first pass."""
    detector, watch = begin(m, epochs=BRIEF)
    detector.fit(tutorial_series().normal)
    if not scores_verified(m, detector):
        return
    points = m.options.get("fewer", {}).get(m.name, m.options["points"])
    series = long_series(points)
    growing(m, "first_score", lambda: detector.score(series), points=points)
    compiled = watch.now().programs
    time_scores(m, detector, series, budget=m.budget / 2, least=1, points=points)
    m.notes["compiled_again"] = watch.now().programs - compiled


def window(m: Measurement) -> None:
    """Measures the latency of one window: a NumPy array in, a score out, with parameters that are bound once."""
    import numpy as np

    detector, _ = begin(m, epochs=BRIEF)
    both = tutorial_series()
    detector.fit(both.normal)
    scorer = detector.window_scorer()
    windows = np.lib.stride_tricks.sliding_window_view(both.anomalous, 50)
    m.add("first_call", "s", seconds_of(lambda: scorer(windows[0])))
    if not (scores_verified(m, detector) and windows_verified(m, detector, scorer, windows)):
        return
    samples = []
    for i in range(m.options.get("fewer", {}).get(m.name, m.options["samples"])):
        one = windows[i % len(windows)]
        before = time.perf_counter()
        scorer(one)
        samples.append(time.perf_counter() - before)
    m.add("latency", "s", samples[200:])  # the first ones warm the processor's caches


def sweep_points(m: Measurement) -> None:
    """Measures the time of a scored point by the length of the series."""
    detector, _ = begin(m, epochs=BRIEF)
    detector.fit(tutorial_series().normal)
    if not scores_verified(m, detector):
        return
    largest = m.options.get("largest", {}).get(m.name, max(m.options["values"]))
    for points in m.options["values"]:
        if points > largest:
            continue
        series = long_series(points)
        detector.score(series)
        time_scores(m, detector, series, budget=m.budget / 2, least=1 if points >= 10**7 else 3, points=points)


def time_scores(
    m: Measurement, detector: Subject, series: Any, *, budget: float, least: int = 3, **parameters: Any
) -> None:
    """Times the scoring of a series again and again; a sample is the time of one pass over its points."""
    samples = [s / len(series) for s in repeat(lambda: detector.score(series), budget=budget, least=least)]
    m.add("score_point", "s", samples, operations=arithmetic.score_point(Config()), **parameters)


def scores_verified(m: Measurement, detector: Subject) -> bool:
    """Compares 1,000 scores with the oracle's, where the implementation claims parity; refuses what differs."""
    if IMPLEMENTATIONS[m.name].difference is not None:
        return True
    from benchmarks.speed.process.verify import verify_scores

    return _agreed(m, verify_scores(detector), "1,000 scores")


def windows_verified(m: Measurement, detector: Any, scorer: Callable[[Any], Any], windows: Any) -> bool:
    """Compares the scores of windows, given one by one, with the oracle's, as `scores_verified` those of a series."""
    if IMPLEMENTATIONS[m.name].difference is not None:
        return True
    from benchmarks.speed.process.verify import verify_windows

    return _agreed(m, verify_windows(detector.model_.parameters, scorer, windows), "scores of windows")


def _agreed(m: Measurement, result: Any, what: str) -> bool:
    m.notes["verified_scores"] = max(result.worst, m.notes.get("verified_scores", 0.0))
    if not result.passed:
        m.refuse(f"{what} differ from the oracle's by {result.worst:.2g} of the largest")
    return bool(result.passed)
