"""What the tests of Ray send to its workers, which import it by its name."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

import numpy as np

from twinvae.detector.detector import load_detector
from twinvae.fleet.training import fit_batch


class Batch(NamedTuple):
    number: int
    backend: str
    series: dict[str, np.ndarray]


def batches() -> list[Batch]:
    """Two of each backend."""
    made = []
    for index, backend in enumerate(("jax", "torch") * 2):
        series = {f"{index}-{k}": _walk(index, k) for k in range(3)}
        made.append(Batch(index, backend, series))
    return made


def _walk(index: int, k: int) -> np.ndarray:
    return np.random.default_rng((index, k)).normal(size=120 + 5 * k).cumsum()


def fitted(batch: Batch) -> dict[str, bytes]:
    """All that training has made of each member, bit for bit."""
    detector = load_detector(batch.backend)(preset="tutorial", window=16, scaling="standard", epochs=3, seed=3)
    return {member.name: _bits(member) for member in fit_batch(detector, batch.series)}


def _bits(member: Any) -> bytes:
    detector = member.detector
    arrays = [*detector.parameters_.values(), detector.decision_scores_, np.array(list(detector.thresholds_.values()))]
    return b"".join(np.asarray(array).tobytes() for array in arrays)


class NoCopyError(Exception):
    """Cannot be pickled: its constructor takes two arguments, its state has one."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(left + right)


def raising(index: int) -> int:
    if index == 1:
        raise ValueError("one is refused")
    if index == 2:
        raise NoCopyError("not ", "copied")
    return 10 * index


def fitted_or_raising(task: Batch | int) -> object:
    return raising(task) if isinstance(task, int) else fitted(task)


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition gives, once that is true."""
    end = monotonic() + seconds
    while not (found := condition()):
        assert monotonic() < end, "waited in vain"
        sleep(0.01)
    return found


def marked_then_fitted(folder: Path, batch: Batch) -> dict[str, bytes]:
    """Says on which node it runs, and goes on when it may."""
    import ray

    (folder / f"{batch.number}-on-{ray.get_runtime_context().get_node_id()}").touch()
    wait_for((folder / "go").exists)
    return fitted(batch)


def dying(folder: Path, index: int) -> int:
    """Task 1 kills its process once, task 2 always."""
    mark = folder / f"died-{index}"
    if index == 2 or (index == 1 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return index


def endless(folder: Path, index: int) -> int:
    (folder / f"runs-{os.getpid()}").touch()
    return int(wait_for(lambda: 0, 600.0))


def endless_but_the_first(folder: Path, index: int) -> int:
    return index if index == 0 else endless(folder, index)
