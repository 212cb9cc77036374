"""What is measured of training: the tutorial's job, a step at other sizes, an epoch on a long series."""

import os
from collections.abc import Callable
from typing import Any

from benchmarks.speed import arithmetic
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.process.measurement import Measurement, begin, growing, repeat, seconds_of
from benchmarks.speed.process.scoring import scores_verified
from benchmarks.speed.process.subjects import subject, trainer
from benchmarks.speed.process.workloads import long_series, peer_run, sized_series, training_run, tutorial_series
from twinvae.config import Config

CHOSEN = ("window", "hidden_dim", "latent_dim", "batch_size", "beta", "learning_rate")  # what a step depends on


def fit(m: Measurement) -> None:
    """Measures the tutorial's job with the training function and with the public class: verified, then timed."""
    detector, watch = begin(m)
    both = tutorial_series()
    first_use = 0.0
    if IMPLEMENTATIONS[m.name].difference is None:
        train, config = trainer(m.name, m.device)
        first = training_verified(m, train, config)
        if first is None:
            return
        first_use += first - (training_verified(m, train, config) or 0.0)
        run, steps = training_run(train, config, both.normal)
        run()
        time_steps(m, run, steps, arithmetic.training_step(config), budget=m.budget)
    first_fit = seconds_of(lambda: detector.fit(both.normal))
    scores = detector.score(both.anomalous)
    m.notes["events"] = [list(event) for event in detector.events(both.anomalous)]
    m.notes["highest_score"] = float(max(scores))
    loss = detector.final_loss()
    if loss is not None:
        m.add("final_loss", "per window", loss)
    slow = m.name.startswith("pyod")
    fits = repeat(lambda: detector.fit(both.normal), budget=m.budget, least=1 if slow else 2, most=1 if slow else 30)
    m.add("fit", "s", fits)
    m.add("first_use", "s", max(0.0, first_use + first_fit - min(fits)), cache=m.job["cache"])
    m.add("programs", "programs", watch.now().programs, cache=m.job["cache"])


def train_memory(m: Measurement) -> None:
    """Measures the time and the growth of the process in one epoch on a long series, with the public class."""
    warm = subject(m.name, m.device)
    warm.fit(tutorial_series().normal)
    if training_verified(m, *trainer(m.name, m.device, batch_size=1024)) is None or not scores_verified(m, warm):
        return
    points = m.options["points"]
    series = long_series(points)
    detector = subject(m.name, m.device, epochs=1, batch_size=1024)
    growing(m, "fit", lambda: detector.fit(series), points=points, batch_size=1024)


def sweep_training(m: Measurement) -> None:
    """Measures the time of a training step by one of the sizes, each verified before it is timed."""
    axis = m.options["axis"]
    for value in m.options["values"]:
        settings, channels = ({}, value) if axis == "channels" else ({axis: value}, 1)
        if not time_at_size(m, settings, channels, budget=m.budget / 2, **{axis: value}):
            return


def sweep_sizes(m: Measurement) -> None:
    """Measures the time of a training step by batch, hidden units and channels together, each verified before."""
    for batch, hidden, channels in m.options["values"]:
        settings = {"batch_size": batch, "hidden_dim": hidden}
        if not time_at_size(m, settings, channels, budget=m.budget / 10, size=[batch, hidden, channels]):
            return


def time_at_size(m: Measurement, settings: dict[str, Any], channels: int, *, budget: float, **parameters: Any) -> bool:
    """Verifies and times a training step at these sizes; returns False if it is refused."""
    config = Config(**settings, epochs=1)
    operations = arithmetic.training_step(config, channels)
    series = sized_series(config, channels)
    if IMPLEMENTATIONS[m.name].difference is None:
        train, config = trainer(m.name, m.device, **settings, epochs=1)
        if training_verified(m, train, config, series) is None:
            return False
        run, steps = training_run(train, config, series)
    else:
        run, steps = peer_run(m.device, config, series)
    run()
    time_steps(m, run, steps, operations, budget=budget, least=2, **parameters)
    return True


def time_steps(
    m: Measurement,
    run: Callable[[], Any],
    steps: int,
    operations: int,
    *,
    budget: float,
    least: int = 3,
    **parameters: Any,
) -> None:
    """Times a run of so many training steps again and again; a sample is a run's time over its steps."""
    before = sum(os.times()[:4])  # of all threads and children
    samples = [seconds / steps for seconds in repeat(run, budget=budget, least=least)]
    m.add("cpu_step", "s", (sum(os.times()[:4]) - before) / steps / len(samples), **parameters)
    m.add("step", "s", samples, operations=operations, **parameters)


def training_verified(m: Measurement, train: Any, config: Any, series: Any = None) -> float | None:
    """Compares the first training steps on a series with the oracle's; the seconds they took, None if they differ.

    The series is that of the tutorial's job by default. A measurement whose steps differ is refused.
    """
    from benchmarks.speed.process.verify import TOLERANCE, verify

    values = tutorial_series().normal if series is None else series
    result, seconds = verify(train, config, values)
    known = m.notes.get("verified", {"worst": -1.0})
    if not result.worst <= known["worst"]:  # NaN too
        m.notes["verified"] = {"worst": result.worst, "where": result.where, "tolerance": TOLERANCE}
    if result.passed:
        return seconds
    size = f"batch {config.batch_size}, hidden {config.hidden_dim}, {values.size // len(values)} channels"
    m.refuse(f"differs from the oracle by {result.worst:.2g} of the magnitude of {result.where} ({size})")
    return None


def fitted_verified(m: Measurement, config: Any, series: Any) -> bool:
    """As `training_verified`, at the sizes and on the series (scaled) that a detector was fitted with."""
    chosen = {name: getattr(config, name) for name in CHOSEN}
    scaled = (series - series.mean(axis=0)) / series.std(axis=0)
    return training_verified(m, *trainer(m.name, m.device, **chosen), scaled) is not None
