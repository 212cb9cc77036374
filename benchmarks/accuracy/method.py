"""What a method that is compared is: a function that fits, scores and alarms, and the words about it."""

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """What a method finds in a series: a score for each time step, a threshold, and the alarms as [start, end)."""

    scores: np.ndarray
    threshold: float
    alarms: list[tuple[int, int]]


class Method(NamedTuple):
    """A method that is compared. `run(fitted, values, period, seed)` fits it on `fitted` and makes it score `values`.

    Both have the shape (time, channel). The period is that of the series, in time steps. A result of another `code`
    than this is not taken from a file: it is measured anew."""

    name: str
    label: str
    words: str  # what it computes
    seeded: bool
    run: Callable[[np.ndarray, np.ndarray, int, int], Answer]
    backend: str = "none"
    code: str = "1"
    needs: tuple[str, ...] = ()  # packages

    @property
    def ours(self) -> bool:
        return self.name.startswith("vae_")


def unavailable(method: Method) -> str | None:
    """Says why a method cannot run here; None if it can."""
    missing = [name for name in method.needs if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(missing)} (pip install 'twinvae[torch,peers]')" if missing else None
