"""The time to a quality: to a fixed loss on the tutorial's job, and to a fixed VUS-PR on a public series.

How many epochs a training needs depends on its random numbers, so each round has another seed, the same for all.
"""

import math
import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.process.measurement import Measurement, begin, repeat
from benchmarks.speed.process.subjects import Subject, subject, trainer
from benchmarks.speed.process.training import fitted_verified, training_verified
from benchmarks.speed.process.workloads import tutorial_series


def quality(m: Measurement) -> None:
    """Measures the seconds of the shortest fits, of those that the options name, that reach the loss and the VUS-PR."""
    begin(m)
    normal = tutorial_series().normal
    if IMPLEMENTATIONS[m.name].difference is None and training_verified(m, *trainer(m.name, m.device)) is None:
        return
    loss = m.options["loss"]
    _reached(m, "loss", loss, {}, normal, lambda detector: (detector.final_loss() or math.inf) <= loss)
    if IMPLEMENTATIONS[m.name].difference is None:
        _on_a_public_series(m)


def _on_a_public_series(m: Measurement) -> None:
    import numpy as np

    from twinvae.data.datasets import load_dataset
    from twinvae.metrics.vus import vus
    from twinvae.windowing.period import period

    try:
        dataset = load_dataset(m.options["series"])
    except (ValueError, OSError) as error:
        m.notes.setdefault("skipped", []).append(f"time to a VUS-PR: {error}")
        return
    series, buffer = dataset.values, period(dataset.values[:, 0])
    training, least = series[: dataset.train_rows], m.options["vus_pr"]
    once: Any = subject(m.name, m.device, preset="auto", epochs=1)
    once.fit(training)
    if not fitted_verified(m, once.model_.config, training):
        return

    def found(detector: Subject) -> float:
        return float(vus(dataset.labels, np.asarray(detector.score(series)), buffer).pr)

    best = _reached(m, "vus_pr", least, {"preset": "auto"}, training, lambda detector: found(detector) >= least)
    if best is not None:
        m.add("vus_pr", "1", found(best))


def _reached(
    m: Measurement, what: str, target: float, settings: dict[str, Any], series: Any, good: Callable[[Subject], bool]
) -> Subject | None:
    """Times the shortest fit that is good enough, when all has been compiled; gives its detector."""
    for epochs in m.options["epochs"]:
        detector = subject(m.name, m.device, epochs=epochs, seed=m.job["round"], **settings)
        detector.fit(series)
        if good(detector):
            break
    else:
        said = f"a {what} of {target:g} was not reached in {m.options['epochs'][-1]} epochs"
        m.notes.setdefault("skipped", []).append(said)
        return None
    cpu, before = sum(os.times()[:4]), time.perf_counter()
    samples = repeat(lambda: detector.fit(series), budget=m.budget / 2, least=2)
    busy = (sum(os.times()[:4]) - cpu) / (time.perf_counter() - before)
    m.add(f"to_{what}", "s", samples, target=target)
    m.add(f"cpu_to_{what}", "s", [busy * seconds for seconds in samples], target=target)
    m.add(f"epochs_to_{what}", "epochs", epochs, target=target)
    return detector
