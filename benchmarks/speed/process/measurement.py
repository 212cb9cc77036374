"""A measurement while it grows in its process: the job, the metrics so far, and whether they may be used."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.speed.implementations import IMPLEMENTATIONS

if TYPE_CHECKING:
    from benchmarks.speed.process.compilation import Watch
    from benchmarks.speed.process.subjects import Subject

ANSWER = "BENCHMARK-ANSWER "  # begins the line of the answer
OK, UNVERIFIED, UNAVAILABLE = "ok", "unverified", "unavailable"


class Measurement:
    """What the job asks for, and the answer to it so far."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.name: str = job["implementation"]
        self.device: str = job["device"]
        self.quick: bool = job["quick"]
        self.options: dict[str, Any] = job["options"]
        self.budget = 0.7 if self.quick else 1.0  # seconds to spend on the samples of one metric
        self.metrics: list[dict[str, Any]] = []
        self.notes: dict[str, Any] = {}
        self.status = OK
        self.reason: str | None = None
        self.fitted: Any = None  # the detector of the case `cold`, which is verified once its stages have been timed

    def add(self, metric: str, unit: str, samples: Any, *, operations: float | None = None, **parameters: Any) -> None:
        """Adds the samples of a metric. `operations` counts the useful floating-point operations of one sample."""
        values = [float(value) for value in (samples if isinstance(samples, list) else [samples])]
        self.metrics.append(
            {"metric": metric, "unit": unit, "samples": values, "operations": operations, "parameters": parameters}
        )

    def refuse(self, reason: str, status: str = UNVERIFIED) -> None:
        """Drops all metrics: the implementation does not compute what it claims, or has found no cache."""
        self.status, self.reason, self.metrics = status, reason, []

    def answer(self) -> dict[str, Any]:
        """Returns the answer, as `run` reads it."""
        return {"status": self.status, "reason": self.reason, "metrics": self.metrics, "notes": self.notes}


def seconds_of(function: Callable[[], Any]) -> float:
    """Returns the seconds that one call takes."""
    before = time.perf_counter()
    function()
    return time.perf_counter() - before


def repeat(function: Callable[[], Any], *, budget: float, least: int = 3, most: int = 30) -> list[float]:
    """Calls the function until the budget of seconds is spent, and returns the seconds of each call."""
    samples: list[float] = []
    begin = time.perf_counter()
    while len(samples) < least or (len(samples) < most and time.perf_counter() - begin < budget):
        samples.append(seconds_of(function))
    return samples


def begin(m: Measurement, **settings: Any) -> "tuple[Subject, Watch]":
    """Times the import; gives a new detector and a watch that counts what is compiled."""
    before = time.perf_counter()
    from benchmarks.speed.process.subjects import subject

    detector = subject(m.name, m.device, **settings)
    m.add("import", "s", time.perf_counter() - before)
    from benchmarks.speed.process.compilation import Watch

    watch = Watch(IMPLEMENTATIONS[m.name].backend)
    if IMPLEMENTATIONS[m.name].backend == "torch":
        limit_threads(m)
    return detector, watch


def growing(m: Measurement, metric: str, function: Callable[[], Any], *, points: int, **parameters: Any) -> None:
    """Times one call, and notes by how many bytes the process grows in it, where the system can tell."""
    baseline = machine.resident()
    counting = machine.reset_peak()
    m.add(metric, "s", seconds_of(function), points=points, **parameters)
    peak = machine.peak_resident()
    if counting and baseline is not None and peak is not None:
        m.add("growth", "byte", peak - baseline, points=points)


def limit_threads(m: Measurement) -> None:
    """Gives PyTorch as many threads as the job asks for; JAX takes them from its environment.

    Only for an implementation that runs on PyTorch, so that no framework is imported that is not measured.
    """
    import torch

    torch.set_num_threads(m.job["threads"])
