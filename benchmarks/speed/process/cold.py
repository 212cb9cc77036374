"""The stages from the start of a process to scores in hand, with as little code of our own as possible in between.

Everything is done twice. What the first time costs beyond the second is compilation and other work of a first use; this
definition is the same for every implementation.
"""

import time
from typing import Any

from benchmarks.speed.process.measurement import Measurement


def run(m: Measurement, started: float) -> None:
    """Measures the seconds of each stage. `started` is the monotonic time at which this process began to run Python."""
    from benchmarks.speed.implementations import IMPLEMENTATIONS
    from benchmarks.speed.process.subjects import subject

    detector = subject(m.name, m.device)
    normal, anomalous = _series(m.name)
    imported = time.monotonic()
    if m.name != "tutorial":  # which pays for no import of ours
        from benchmarks.speed.process.compilation import Watch

        watch = Watch(IMPLEMENTATIONS[m.name].backend)  # less than a millisecond
    detector.fit(normal)
    fitted = time.monotonic()
    detector.score(anomalous)
    done = time.monotonic()

    if m.name != "tutorial":
        m.notes["cache"] = vars(watch.now())
    again = time.monotonic()
    detector.fit(normal)
    refitted = time.monotonic()
    detector.score(anomalous)
    rescored = time.monotonic()
    train = min(refitted - again, fitted - imported)
    score = min(rescored - refitted, done - fitted)
    stages = {
        "start": started - m.job["spawned"],
        "import": imported - started,
        "first_use": (done - imported) - train - score,
        "train": train,
        "score": score,
        "total": done - m.job["spawned"],
    }
    for stage, seconds in stages.items():
        m.add(stage, "s", seconds, cache=m.job["cache"])
    m.notes["events"] = [list(event) for event in detector.events(anomalous)]
    m.fitted = detector


def _series(implementation: str) -> tuple[Any, Any]:
    """The normal and the anomalous series. The tutorial makes its own, so that it does not pay for our imports."""
    if implementation == "tutorial":
        from benchmarks.peers.tutorial import make_series

        return make_series()
    from twinvae.data.synthetic import noisy_sine

    both = noisy_sine(0)
    return both.normal, both.anomalous
