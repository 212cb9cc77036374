"""The methods whose accuracy is compared: twinvae in each backend, and baselines that any detector has to beat."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.errors import RunError
from twinvae.config import Config
from twinvae.detector.detector import load_detector
from twinvae.network.backend import require_backend
from twinvae.windowing.intervals import intervals

MERGED = Config().merge_gap
QUANTILE = 0.99  # a baseline alarms above this quantile of its scores of the fitted rows
MOST_VALUES = (
    1000  # values in a window of the principal components, over all channels: the covariance has the square of it
)
FLOOR = 1e-3  # the least variance that a principal component counts with, as a share of their mean variance
BLOCK = 4096  # windows at a time


class Answer(NamedTuple):
    """What a method finds in a series: a score for each time step, a threshold, and the alarms as [start, end)."""

    scores: np.ndarray
    threshold: float
    alarms: list[tuple[int, int]]


class Method(NamedTuple):
    """A method that is compared. `run(fitted, values, period, seed)` fits it on `fitted` and makes it score `values`.

    Both have the shape (time, channel). The period is that of the series, in time steps."""

    name: str
    label: str
    words: str  # what it computes
    seeded: bool
    run: Callable[[np.ndarray, np.ndarray, int, int], Answer]
    backend: str = "none"


def products(backend: str, preset: str | None) -> list[Method]:
    """Returns the detectors of this project. `backend` is jax, torch or both.

    Raises:
        RunError: if a backend is not installed.
    """
    names = ("jax", "torch") if backend == "both" else (backend,)
    for name in names:
        try:
            require_backend(name)
        except ValueError as error:
            raise RunError(str(error)) from None
    words = f"preset {preset}" if preset else "default settings"
    return [
        Method(
            f"vae_{name}", f"vae_{name}",
            f"this project's VAEDetector, {words}; its own threshold and events", True,
            partial(_detect, name, preset), name,
        )
        for name in names
    ]  # fmt: skip


def baselines(wanted: Sequence[str] | None = None) -> list[Method]:
    """Returns the baselines of these names, or all of them if no names are given.

    Raises:
        RunError: if a name is unknown.
    """
    for name in wanted or ():
        if name not in BASELINES:
            raise RunError(f"unknown baseline {name!r}: choose from {', '.join(BASELINES)}, or none")
    return [method for name, method in BASELINES.items() if wanted is None or name in wanted]


def unavailable(method: Method) -> str | None:
    """Says why a method cannot run here; None if it can."""
    if method.name != "pyod-vae":
        return None
    missing = [name for name in ("pyod", "torch", "tqdm", "sklearn") if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(missing)} (pip install 'twinvae[torch,peers]')" if missing else None


def _detect(backend: str, preset: str | None, fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    del period  # the detector is as a user has it: it finds its own window
    chosen: dict[str, Any] = {} if preset is None else {"preset": preset}
    detector = load_detector(backend)(seed=seed, **chosen).fit(fitted)
    events = [(event.start, event.end) for event in detector.events(values)]
    return Answer(np.asarray(detector.decision_function(values)), float(detector.threshold_), events)


def _random(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    del period
    return _answer(np.random.default_rng(seed).random(len(values)), len(fitted))


def _z_score(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    del period, seed
    return _answer(np.abs(_standardised(fitted, values)).max(axis=1), len(fitted))


def _sub_pca(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    """Scores a window by its squared distance from the mean window along the principal axes (Shyu et al. 2003).

    The distance along each axis is divided by the variance of the fitted windows along it."""
    del seed
    window = max(1, min(period, MOST_VALUES // fitted.shape[1], len(fitted) // 2))
    known = _windows(_standardised(fitted, fitted), window)
    mean = sum(block.sum(axis=0) for block in _blocks(known)) / len(known)
    covariance = sum((block - mean).T @ (block - mean) for block in _blocks(known)) / len(known)
    variances, axes = np.linalg.eigh(covariance)
    variances = np.maximum(variances, FLOOR * variances.mean() or 1.0)  # 1.0 for a constant series
    seen = _windows(_standardised(fitted, values), window)
    distances = np.concatenate([((block - mean) @ axes) ** 2 @ (1 / variances) for block in _blocks(seen)])
    covering = np.convolve(np.ones(len(distances)), np.ones(window))
    return _answer(np.convolve(distances, np.ones(window)) / covering, len(fitted))


def _pyod_vae(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    del period  # its defaults, as a user has them
    import torch
    from pyod.models.ts_od import TimeSeriesOD
    from pyod.models.vae import VAE

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # its products are tiny: more threads wait for each other
    try:
        detector = TimeSeriesOD(detector=VAE(verbose=0, random_state=seed, device=torch.device("cpu"))).fit(fitted)
        scores = np.asarray(detector.decision_function(values), dtype=np.float64)
    finally:
        torch.set_num_threads(threads)
    return _answer(scores, len(fitted))


BASELINES = {
    method.name: method
    for method in (
        Method("random", "random score", "uniform random numbers: what no detector may fall below", True, _random),
        Method(
            "z-score", "z-score",
            "the distance of a step from the mean of the fitted rows, in their standard deviations; the largest of the "
            "channels", False, _z_score,
        ),
        Method(
            "sub-pca", "sub-sequence PCA",
            f"windows one period long (all channels together, at most {MOST_VALUES} values); the squared distance from "
            "the mean window along the principal axes of the fitted windows, each over its variance; a step has the "
            "mean over its windows", False, _sub_pca,
        ),
        Method(
            "pyod-vae", "PyOD VAE",
            "PyOD's VAE in its TimeSeriesOD, both with their defaults: windows of 50 steps; a step has the largest "
            "score of its windows", True, _pyod_vae, "torch",
        ),
    )
}  # fmt: skip


def _answer(scores: np.ndarray, fitted_rows: int) -> Answer:
    """The answer of a baseline, which has no threshold of its own: one rule for all; alarms merge as in twinvae."""
    threshold = float(np.quantile(scores[:fitted_rows], QUANTILE))
    alarms = intervals((scores > threshold).astype(np.int8), merge_gap=MERGED)
    return Answer(scores, threshold, alarms)


def _standardised(fitted: np.ndarray, values: np.ndarray) -> np.ndarray:
    scale = fitted.std(axis=0)
    return (values - fitted.mean(axis=0)) / np.where(scale > 0, scale, 1.0)


def _windows(values: np.ndarray, window: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=0)


def _blocks(windows: np.ndarray) -> Iterator[np.ndarray]:
    return (windows[i : i + BLOCK].reshape(-1, windows[0].size) for i in range(0, len(windows), BLOCK))
