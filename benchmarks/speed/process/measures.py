"""The table of what is measured in the fresh process: a function for each kind of case, which adds metrics."""

import sys
from collections.abc import Callable

from benchmarks import machine
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.process.fleets import fleet, fleet_size
from benchmarks.speed.process.hardware import device_memory, roofline, transfer
from benchmarks.speed.process.measurement import Measurement, begin
from benchmarks.speed.process.quality import quality
from benchmarks.speed.process.scoring import BRIEF, score, scores_verified, sweep_points, time_scores, window
from benchmarks.speed.process.streams import stream, watch
from benchmarks.speed.process.subjects import subject, trainer
from benchmarks.speed.process.training import (
    fit,
    sweep_sizes,
    sweep_training,
    time_at_size,
    train_memory,
    training_verified,
)
from benchmarks.speed.process.workloads import SEED, long_series, tutorial_series


def cold(m: Measurement) -> None:
    """Checks, after the module `cold` has timed the stages, that a warm cache was hit, and what was computed."""
    if m.job["cache"] == "warm" and (not m.notes["cache"]["hits"] or m.notes["cache"]["misses"]):
        m.refuse(f"the compilation cache was not hit: {m.notes['cache']}")
    elif IMPLEMENTATIONS[m.name].difference is None and training_verified(m, *trainer(m.name, m.device)) is not None:
        scores_verified(m, m.fitted)


def recompile(m: Measurement) -> None:
    """Counts the programs that a second fit and score compile, with a new detector and other data of the same shape."""
    import numpy as np

    detector, watch = begin(m)
    both = tutorial_series()
    if training_verified(m, *trainer(m.name, m.device)) is None:
        return
    detector.fit(both.normal)
    if not scores_verified(m, detector):
        return
    detector.score(both.anomalous)
    detector.window_scorer()(both.normal[:50])
    first = watch.now()
    other = np.random.default_rng(SEED + 1).normal(size=len(both.normal))
    again = subject(m.name, m.device)
    again.fit(other)
    again.score(other[::-1].copy())
    again.window_scorer()(other[:50])
    m.add("programs", "programs", first.programs)
    m.add("programs_again", "programs", watch.now().since(first).programs)


def threads(m: Measurement) -> None:
    """Measures a training step and a scored point with the threads of this process."""
    detector, _ = begin(m, epochs=BRIEF)
    if not time_at_size(m, {}, 1, budget=m.budget):
        return
    detector.fit(tutorial_series().normal)
    if not scores_verified(m, detector):
        return
    series = long_series(m.options.get("fewer", {}).get(m.name, m.options["points"]))
    detector.score(series)
    time_scores(m, detector, series, budget=m.budget)


MEASURES: dict[str, Callable[[Measurement], None]] = {
    function.__name__: function
    for function in (
        roofline, fit, cold, score, train_memory, window, recompile, sweep_points, sweep_training, sweep_sizes, threads,
        transfer, stream, watch, fleet, fleet_size, quality,
    )
}  # fmt: skip


def finish(m: Measurement) -> None:
    """Adds the peak memory, and notes the cores, flags, frameworks and threads that this process had."""
    peak = machine.peak_resident()
    if m.metrics and peak is not None and m.job["measure"] not in ("score", "train_memory"):  # those two reset the peak
        m.add("peak_resident", "byte", peak)
    if m.metrics and m.device == "gpu":
        device = device_memory(m)
        if device is not None:
            m.add("peak_device_memory", "byte", device)
    m.notes["cores"] = machine.cores()
    m.notes["flags"] = machine.flags()
    m.notes["frameworks"] = [name for name in ("jax", "torch") if name in sys.modules]
    if "torch" in sys.modules:
        import torch

        m.notes["torch_threads"] = torch.get_num_threads()
        m.notes["matmul_precision"] = torch.get_float32_matmul_precision()
