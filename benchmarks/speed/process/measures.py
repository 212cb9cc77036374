"""What each kind of case does inside its fresh process: from a `Measurement` to its metrics."""

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
from benchmarks.speed.process.measurement import Measurement, repeat
from benchmarks.speed.process.streams import stream, watch
from benchmarks.speed.process.subjects import Subject, subject, trainer
from benchmarks.speed.process.workloads import SEED, long_series, sized_run, training_run, tutorial_series
from twinvae.config import Config

BRIEF = 5  # epochs of a detector that is made to score


def fit(m: Measurement) -> None:
    """The tutorial's job: verified, then first call, then warm; through the training function and the public class."""
    detector, watch = _import(m)
    both = tutorial_series()
    if IMPLEMENTATIONS[m.name].difference is None:
        train, config = trainer(m.name, m.device)
        if not _verified(m, train, config, timed=True):
            return
        run, steps = training_run(train, config, both.normal)
        before = time.perf_counter()
        run()
        m.add("first_run", "s", time.perf_counter() - before)
        m.add(
            "step",
            "s",
            [s / steps for s in repeat(run, budget=m.budget)],
            operations=arithmetic.training_step(config),
        )
    before = time.perf_counter()
    detector.fit(both.normal)
    m.add("first_fit", "s", time.perf_counter() - before)
    compiled = watch.now()
    m.add("compile", "s", compiled.seconds)
    m.add("programs", "programs", compiled.programs)
    scores = detector.score(both.anomalous)
    m.notes["events"] = [list(event[:5]) for event in detector.events(both.anomalous)]
    m.notes["highest_score"] = float(max(scores))
    loss = detector.final_loss()
    if loss is not None:
        m.add("final_loss", "per window", loss)
    least = 1 if m.quick and m.name.startswith("pyod") else 2 if m.name == "tutorial" else 3
    m.add("fit", "s", repeat(lambda: detector.fit(both.normal), budget=m.budget, least=least))


def cold(m: Measurement) -> None:
    """The stages are taken (`benchmarks.speed.process.cold`); now assert that a warm cache was hit, and verify."""
    if m.job["cache"] == "warm" and (not m.notes["cache"]["hits"] or m.notes["cache"]["misses"]):
        m.refuse(f"the compilation cache was not hit: {m.notes['cache']}")
    elif IMPLEMENTATIONS[m.name].difference is None:
        _verified(m, *trainer(m.name, m.device))


def score(m: Measurement) -> None:
    """Points a second, and how much the process grows by the first time."""
    detector, watch = _import(m, epochs=BRIEF)
    detector.fit(tutorial_series().normal)
    points = m.options.get("fewer", {}).get(m.name, m.options["points"])
    series = long_series(points)
    baseline = machine.resident()
    counting = machine.reset_peak()
    before = time.perf_counter()
    detector.score(series)
    m.add("first_score", "s", time.perf_counter() - before, points=points)
    _growth(m, baseline if counting else None, points)
    compiled = watch.now().programs
    seconds = repeat(lambda: detector.score(series), budget=m.budget, least=1 if m.quick else 3)
    m.notes["compiled_again"] = watch.now().programs - compiled
    m.add("score_point", "s", [s / points for s in seconds], operations=arithmetic.score_point(Config()), points=points)


def train_memory(m: Measurement) -> None:
    """One epoch on a long series through the public class: growth, and seconds a step."""
    warm = subject(m.name, m.device)
    warm.fit(tutorial_series().normal)
    points = m.options["points"]
    series = long_series(points)
    detector = subject(m.name, m.device, epochs=1, batch_size=1024)
    baseline = machine.resident()
    counting = machine.reset_peak()
    before = time.perf_counter()
    detector.fit(series)
    m.add("fit", "s", time.perf_counter() - before, points=points, batch_size=1024)
    _growth(m, baseline if counting else None, points)


def window(m: Measurement) -> None:
    """Latency of one window: NumPy in, score out, parameters bound once."""
    import numpy as np

    detector, _ = _import(m, epochs=BRIEF)
    both = tutorial_series()
    detector.fit(both.normal)
    scorer = detector.window_scorer()
    windows = np.lib.stride_tricks.sliding_window_view(both.anomalous, 50)
    before = time.perf_counter()
    scorer(windows[0])
    m.add("first_call", "s", time.perf_counter() - before)
    samples = []
    for i in range(m.options["samples"]):
        one = windows[i % len(windows)]
        before = time.perf_counter()
        scorer(one)
        samples.append(time.perf_counter() - before)
    m.add("latency", "s", samples[200:])  # the first ones warm the processor's caches


def recompile(m: Measurement) -> None:
    """Programs compiled by a second fit and score, with a new detector and other data of the same shape."""
    import numpy as np

    detector, watch = _import(m)
    both = tutorial_series()
    detector.fit(both.normal)
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
    """Seconds a point, by the length of the series."""
    detector, _ = _import(m, epochs=BRIEF)
    detector.fit(tutorial_series().normal)
    largest = m.options.get("largest", {}).get(m.name, max(m.options["values"]))
    for points in m.options["values"]:
        if points > largest:
            continue
        series = long_series(points)
        detector.score(series)
        seconds = repeat(lambda: detector.score(series), budget=m.budget / 2, least=1 if points >= 10**7 else 3)  # noqa: B023
        m.add(
            "score_point",
            "s",
            [s / points for s in seconds],
            operations=arithmetic.score_point(Config()),
            points=points,
        )


def sweep_training(m: Measurement) -> None:
    """Seconds a training step, by one of the sizes."""
    if IMPLEMENTATIONS[m.name].difference is None and not _verified(m, *trainer(m.name, m.device)):
        return
    axis = m.options["axis"]
    for value in m.options["values"]:
        settings, channels = ({}, value) if axis == "channels" else ({axis: value}, 1)
        config = Config(**settings)
        run, steps = sized_run(m.name, m.device, config, settings, channels)
        run()
        seconds = repeat(run, budget=m.budget / 2, least=3)
        operations = arithmetic.training_step(config, channels)
        m.add("step", "s", [s / steps for s in seconds], operations=operations, **{axis: value})


def threads(m: Measurement) -> None:
    """A training step and a scored point, with the threads of this process."""
    detector, _ = _import(m, epochs=BRIEF)
    both = tutorial_series()
    config = Config()
    run, steps = sized_run(m.name, m.device, config, {}, 1)
    run()
    operations = arithmetic.training_step(config)
    m.add("step", "s", [s / steps for s in repeat(run, budget=m.budget)], operations=operations)
    detector.fit(both.normal)
    points = m.options.get("fewer", {}).get(m.name, m.options["points"])
    series = long_series(points)
    detector.score(series)
    seconds = repeat(lambda: detector.score(series), budget=m.budget)
    m.add("score_point", "s", [s / points for s in seconds], operations=arithmetic.score_point(Config()))


MEASURES: dict[str, Callable[[Measurement], None]] = {
    function.__name__: function
    for function in (
        roofline, fit, cold, score, train_memory, window, recompile, sweep_points, sweep_training, threads, transfer,
        stream, watch, fleet, fleet_size,
    )
}  # fmt: skip


def finish(m: Measurement) -> None:
    """Memory, and the facts of this process that a sceptic asks for."""
    peak = machine.peak_resident()
    if m.metrics and peak is not None and m.job["measure"] not in ("score", "train_memory"):  # they reset it
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
    """A fresh subject and a watch on what compiles."""
    before = time.perf_counter()
    detector = subject(m.name, m.device, **settings)
    m.add("import", "s", time.perf_counter() - before)
    watch = Watch(IMPLEMENTATIONS[m.name].backend)
    if IMPLEMENTATIONS[m.name].backend == "torch":
        import torch

        torch.set_num_threads(m.job["threads"])
    return detector, watch


def _verified(m: Measurement, train: Any, config: Any, *, timed: bool = False) -> bool:
    """Ten steps against the oracle, timed as the first call; without a match there is no time at all."""
    from benchmarks.speed.process.verify import TOLERANCE, verify

    begin = time.perf_counter()
    result = verify(train, config, seed=SEED)
    seconds = time.perf_counter() - begin
    m.notes["verified"] = {"worst": result.worst, "where": result.where, "tolerance": TOLERANCE}
    if not result.passed:
        m.refuse(f"differs from the oracle by {result.worst:.2g} of the largest magnitude in {result.where}")
        return False
    if timed:
        m.add("first_call", "s", seconds)  # ten steps, the oracle's (about 10 ms) among them
    return True


def _growth(m: Measurement, baseline: int | None, points: int) -> None:
    peak = machine.peak_resident()
    if baseline is not None and peak is not None:
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
