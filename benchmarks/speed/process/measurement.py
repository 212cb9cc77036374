"""A measurement while it grows in its process: the job, the metrics so far, and whether they may be used."""

import time
from collections.abc import Callable
from typing import Any

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
        self.budget = 0.7 if self.quick else 1.5  # seconds to spend on the samples of one metric
        self.metrics: list[dict[str, Any]] = []
        self.notes: dict[str, Any] = {}
        self.status = OK
        self.reason: str | None = None

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


def limit_threads(m: Measurement) -> None:
    """Gives PyTorch as many threads as the job asks for; JAX takes them from its environment.

    Only for an implementation that runs on PyTorch, so that no framework is imported that is not measured.
    """
    import torch

    torch.set_num_threads(m.job["threads"])
