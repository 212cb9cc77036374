"""What is measured in the fresh process: a function for each kind of case, which adds metrics to a `Measurement`."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import machine
from benchmarks.speed import arithmetic
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.process.compilation import Watch
from benchmarks.speed.process.fleets import fleet, fleet_size
from benchmarks.speed.process.hardware import roofline, transfer
from benchmarks.speed.process.measurement import Measurement, limit_threads, repeat, seconds_of
from benchmarks.speed.process.streams import stream, watch
from benchmarks.speed.process.subjects import Subject, subject, trainer
from benchmarks.speed.process.workloads import SEED, long_series, sized_run, training_run, tutorial_series
from twinvae.config import Config

BRIEF = 5  # epochs of a detector that is only made to score


def fit(m: Measurement) -> None:
    """Measures the tutorial's job with the training function and with the public class: verified, then timed."""
    detector, watch = _import(m)
    both = tutorial_series()
    if IMPLEMENTATIONS[m.name].difference is None:
        train, config = trainer(m.name, m.device)
        if not _verified(m, train, config, timed=True):
            return
        run, steps = training_run(train, config, both.normal)
        m.add("first_run", "s", seconds_of(run))
        _steps(m, run, steps, arithmetic.training_step(config), budget=m.budget)
    m.add("first_fit", "s", seconds_of(lambda: detector.fit(both.normal)))
    compiled = watch.now()
    m.add("compile", "s", compiled.seconds)
    m.add("programs", "programs", compiled.programs)
    scores = detector.score(both.anomalous)
    m.notes["events"] = [list(event) for event in detector.events(both.anomalous)]
    m.notes["highest_score"] = float(max(scores))
    loss = detector.final_loss()
    if loss is not None:
        m.add("final_loss", "per window", loss)
    least = 1 if m.quick and m.name.startswith("pyod") else 2 if m.name == "tutorial" else 3
    m.add("fit", "s", repeat(lambda: detector.fit(both.normal), budget=m.budget, least=least))


def cold(m: Measurement) -> None:
    """Checks, after the module `cold` has timed the stages, that a warm cache was hit, and verifies the training."""
    if m.job["cache"] == "warm" and (not m.notes["cache"]["hits"] or m.notes["cache"]["misses"]):
        m.refuse(f"the compilation cache was not hit: {m.notes['cache']}")
    elif IMPLEMENTATIONS[m.name].difference is None:
        _verified(m, *trainer(m.name, m.device))


def score(m: Measurement) -> None:
    """Measures the time of a scored point of a long series, and how much the process grows in the first pass."""
    detector, watch = _import(m, epochs=BRIEF)
    detector.fit(tutorial_series().normal)
    if not _scores_verified(m, detector):
        return
    points = m.options.get("fewer", {}).get(m.name, m.options["points"])
    series = long_series(points)
    _growing(m, "first_score", lambda: detector.score(series), points=points)
    compiled = watch.now().programs
    _scores(m, detector, series, budget=m.budget, least=1 if m.quick else 3, points=points)
    m.notes["compiled_again"] = watch.now().programs - compiled


def train_memory(m: Measurement) -> None:
    """Measures the time and the growth of the process in one epoch on a long series, with the public class."""
    warm = subject(m.name, m.device)
    warm.fit(tutorial_series().normal)
    settings = {"batch_size": 1024}
    if not (_verified(m, *trainer(m.name, m.device, **settings)) and _scores_verified(m, warm)):
        return
    points = m.options["points"]
    series = long_series(points)
    detector = subject(m.name, m.device, epochs=1, batch_size=1024)
    _growing(m, "fit", lambda: detector.fit(series), points=points, batch_size=1024)


def window(m: Measurement) -> None:
    """Measures the latency of one window: a NumPy array in, a score out, with parameters that are bound once."""
    import numpy as np

    detector, _ = _import(m, epochs=BRIEF)
    both = tutorial_series()
    detector.fit(both.normal)
    if not _scores_verified(m, detector):
        return
    scorer = detector.window_scorer()
    windows = np.lib.stride_tricks.sliding_window_view(both.anomalous, 50)
    m.add("first_call", "s", seconds_of(lambda: scorer(windows[0])))
    samples = []
    for i in range(m.options["samples"]):
        one = windows[i % len(windows)]
        before = time.perf_counter()
        scorer(one)
        samples.append(time.perf_counter() - before)
    m.add("latency", "s", samples[200:])  # the first ones warm the processor's caches


def recompile(m: Measurement) -> None:
    """Counts the programs that a second fit and score compile, with a new detector and other data of the same shape."""
    import numpy as np

    detector, watch = _import(m)
    both = tutorial_series()
    if not _verified(m, *trainer(m.name, m.device)):
        return
    detector.fit(both.normal)
    if not _scores_verified(m, detector):
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


def sweep_points(m: Measurement) -> None:
    """Measures the time of a scored point by the length of the series."""
    detector, _ = _import(m, epochs=BRIEF)
    detector.fit(tutorial_series().normal)
    if not _scores_verified(m, detector):
        return
    largest = m.options.get("largest", {}).get(m.name, max(m.options["values"]))
    for points in m.options["values"]:
        if points > largest:
            continue
        series = long_series(points)
        detector.score(series)
        _scores(m, detector, series, budget=m.budget / 2, least=1 if points >= 10**7 else 3, points=points)


def sweep_training(m: Measurement) -> None:
    """Measures the time of a training step by one of the sizes, each verified before it is timed."""
    axis = m.options["axis"]
    for value in m.options["values"]:
        settings, channels = ({}, value) if axis == "channels" else ({axis: value}, 1)
        if not _sized(m, settings, channels, **{axis: value}):
            return


def sweep_sizes(m: Measurement) -> None:
    """Measures the time of a training step by batch, hidden units and channels together."""
    for batch, hidden, channels in m.options["values"]:
        if not _sized(m, {"batch_size": batch, "hidden_dim": hidden}, channels, size=[batch, hidden, channels]):
            return


def _sized(m: Measurement, settings: dict[str, Any], channels: int, **parameters: Any) -> bool:
    """Verifies and times a training step at these sizes; returns False if it is refused."""
    if IMPLEMENTATIONS[m.name].difference is None:
        train, config = trainer(m.name, m.device, **settings)
        if not _verified(m, train, config, channels=channels):
            return False
    config = Config(**settings)
    run, steps = sized_run(m.name, m.device, config, settings, channels)
    run()
    _steps(m, run, steps, arithmetic.training_step(config, channels), budget=m.budget / 2, **parameters)
    return True


def threads(m: Measurement) -> None:
    """Measures a training step and a scored point with the threads of this process."""
    detector, _ = _import(m, epochs=BRIEF)
    both = tutorial_series()
    config = Config()
    if IMPLEMENTATIONS[m.name].difference is None and not _verified(m, *trainer(m.name, m.device)):
        return
    run, steps = sized_run(m.name, m.device, config, {}, 1)
    run()
    _steps(m, run, steps, arithmetic.training_step(config), budget=m.budget)
    detector.fit(both.normal)
    if not _scores_verified(m, detector):
        return
    points = m.options.get("fewer", {}).get(m.name, m.options["points"])
    series = long_series(points)
    detector.score(series)
    _scores(m, detector, series, budget=m.budget)


MEASURES: dict[str, Callable[[Measurement], None]] = {
    function.__name__: function
    for function in (
        roofline, fit, cold, score, train_memory, window, recompile, sweep_points, sweep_training, sweep_sizes, threads,
        transfer, stream, watch, fleet, fleet_size,
    )
}  # fmt: skip


def finish(m: Measurement) -> None:
    """Adds the peak memory, and notes the cores, flags, frameworks and threads that this process had."""
    peak = machine.peak_resident()
    if m.metrics and peak is not None and m.job["measure"] not in ("score", "train_memory"):  # those two reset the peak
        m.add("peak_resident", "byte", peak)
    if m.metrics and m.device == "gpu":
        device = _device_memory(m)
        if device is not None:
            m.add("peak_device_memory", "byte", device)
    m.notes["cores"] = machine.cores()
    m.notes["flags"] = machine.flags()
    m.notes["frameworks"] = [name for name in ("jax", "torch") if name in sys.modules]
    if "torch" in sys.modules:
        import torch

        m.notes["torch_threads"] = torch.get_num_threads()
        m.notes["matmul_precision"] = torch.get_float32_matmul_precision()


# Shared steps.


def _import(m: Measurement, **settings: Any) -> tuple[Subject, Watch]:
    """Times the import; gives a new detector and a watch that counts what is compiled."""
    before = time.perf_counter()
    detector = subject(m.name, m.device, **settings)
    m.add("import", "s", time.perf_counter() - before)
    watch = Watch(IMPLEMENTATIONS[m.name].backend)
    if IMPLEMENTATIONS[m.name].backend == "torch":
        limit_threads(m)
    return detector, watch


def _steps(
    m: Measurement, run: Callable[[], Any], steps: int, operations: int, *, budget: float, **parameters: Any
) -> None:
    """Times a run of so many training steps again and again; a sample is a run's time over its steps."""
    before = sum(os.times()[:4])  # of all threads and children
    samples = [seconds / steps for seconds in repeat(run, budget=budget)]
    m.add("cpu_step", "s", (sum(os.times()[:4]) - before) / steps / len(samples), **parameters)
    m.add("step", "s", samples, operations=operations, **parameters)


def _scores(
    m: Measurement, detector: Subject, series: Any, *, budget: float, least: int = 3, **parameters: Any
) -> None:
    """Times the scoring of a series again and again; a sample is the time of one pass over its points."""
    samples = [s / len(series) for s in repeat(lambda: detector.score(series), budget=budget, least=least)]
    m.add("score_point", "s", samples, operations=arithmetic.score_point(Config()), **parameters)


def _scores_verified(m: Measurement, detector: Subject) -> bool:
    """Compares 1,000 scores with the oracle's, where the implementation claims parity."""
    if IMPLEMENTATIONS[m.name].difference is not None:
        return True
    from benchmarks.speed.process.verify import verify_scores

    result = verify_scores(detector)
    m.notes["verified_scores"] = result.worst
    if not result.passed:
        m.refuse(f"1,000 scores differ from the oracle's by {result.worst:.2g} of the largest")
    return result.passed


def _verified(m: Measurement, train: Any, config: Any, *, timed: bool = False, channels: int = 1) -> bool:
    """Compares ten training steps with the oracle's, and refuses the measurement if they differ."""
    from benchmarks.speed.process.verify import TOLERANCE, verify

    begin = time.perf_counter()
    result = verify(train, config, seed=SEED, channels=channels)
    seconds = time.perf_counter() - begin
    m.notes["verified"] = {"worst": result.worst, "where": result.where, "tolerance": TOLERANCE}
    if not result.passed:
        m.refuse(f"differs from the oracle by {result.worst:.2g} of the largest magnitude in {result.where}")
        return False
    if timed:
        m.add("first_call", "s", seconds)  # ten steps, and those of the oracle (about 10 ms)
    return True


def _growing(m: Measurement, metric: str, function: Callable[[], Any], *, points: int, **parameters: Any) -> None:
    """Times one call, and notes by how many bytes the process grows in it, where the system can tell."""
    baseline = machine.resident()
    counting = machine.reset_peak()
    m.add(metric, "s", seconds_of(function), points=points, **parameters)
    peak = machine.peak_resident()
    if counting and baseline is not None and peak is not None:
        m.add("growth", "byte", peak - baseline, points=points)


def _device_memory(m: Measurement) -> int | None:
    if m.name.startswith("jax"):
        import jax

        statistics = jax.devices()[0].memory_stats() or {}
        return statistics.get("peak_bytes_in_use")
    if "torch" not in sys.modules:
        return None
    import torch

    return int(torch.cuda.max_memory_allocated())
