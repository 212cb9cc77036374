"""What a detector has to beat: methods of a few lines, and those of well-known libraries.

All of them see each channel in standard deviations of the fitted rows. Those of windows take windows one period long,
all channels together, and a step has the mean over the windows that cover it.
"""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.accuracy.method import Answer, Method
from twinvae.config import Config
from twinvae.windowing.intervals import intervals

MERGED = Config().merge_gap
QUANTILE = 0.99  # a baseline alarms above this quantile of its scores of the fitted rows
MOST_VALUES = 1000  # values in a window, over all channels: the covariance has the square of it
FLOOR = 1e-3  # the least variance that a principal component counts with, as a share of their mean variance
KEPT = 0.95  # the share of the variance that the components keep which a window is drawn again from
LAGS = 64  # steps that the linear prediction looks back
RIDGE = 1.0  # times the squares of its weights
BLOCK = 1024  # windows at a time


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
    window = _window(fitted, period)
    mean, variances, axes = _components(fitted, window)
    variances = np.maximum(variances, FLOOR * variances.mean() or 1.0)  # 1.0 for a constant series
    return _of_windows(lambda block: ((block - mean) @ axes) ** 2 @ (1 / variances), fitted, values, window)


def _pca_reconstruction(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    """Scores a window by its squared distance from what its first principal components draw of it."""
    del seed
    window = _window(fitted, period)
    mean, variances, axes = _components(fitted, window)
    rest = axes[:, variances.cumsum() <= (1 - KEPT) * variances.sum()]  # the smallest variances come first
    return _of_windows(lambda block: (((block - mean) @ rest) ** 2).sum(axis=1), fitted, values, window)


def _sub_knn(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    """Scores a window by its Euclidean distance from the nearest fitted window (Ramaswamy et al. 2000, k = 1).

    A fitted window has no neighbours among those that overlap it: they are always near (Yeh et al. 2016)."""
    del seed
    window = _window(fitted, period, parts=4)  # so that each has another that does not overlap it
    known = _windows(_standardised(fitted, fitted), window).reshape(-1, window * fitted.shape[1])
    lengths = (known**2).sum(axis=1)
    seen = _windows(_standardised(fitted, values), window)
    places = np.arange(len(known))
    distances = []
    for start, block in zip(range(0, len(seen), BLOCK), _blocks(seen), strict=True):
        squared = (block**2).sum(axis=1)[:, None] + lengths - 2 * block @ known.T
        own = np.arange(start, start + len(block))[:, None]
        squared[(np.abs(own - places) < window) & (own < len(known))] = np.inf
        distances.append(np.sqrt(np.maximum(squared.min(axis=1), 0.0)))
    return _answer(_folded(np.concatenate(distances), window), len(fitted))


def _isolation_forest(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    """scikit-learn's isolation forest (Liu et al. 2008) over windows, with its defaults."""
    from sklearn.ensemble import IsolationForest

    window = _window(fitted, period)
    known = _windows(_standardised(fitted, fitted), window).reshape(-1, window * fitted.shape[1])
    forest = IsolationForest(random_state=seed).fit(known)
    return _of_windows(lambda block: -forest.score_samples(block), fitted, values, window)


def _linear(fitted: np.ndarray, values: np.ndarray, period: int, seed: int) -> Answer:
    """Scores a step by how far a linear prediction from the steps before it misses it.

    The weights are in closed form, those of ridge regression (scikit-learn's `Ridge`) of each channel on the last steps
    of all channels. A squared miss is divided by the mean one of the fitted rows; a step has the mean over the channels
    and the period around it."""
    del seed
    from sklearn.linear_model import Ridge

    lags, channels = _window(fitted, LAGS), fitted.shape[1]
    known, seen = _standardised(fitted, fitted), _standardised(fitted, values)
    model = Ridge(alpha=RIDGE).fit(_windows(known, lags)[:-1].reshape(-1, lags * channels), known[lags:])
    expected = [model.predict(block).reshape(-1, channels) for block in _blocks(_windows(seen, lags)[:-1])]
    misses = (seen[lags:] - np.concatenate(expected)) ** 2
    usual = misses[: len(fitted) - lags].mean(axis=0)
    scores = (misses / np.where(usual > 0, usual, 1.0)).mean(axis=1)
    scores = np.concatenate([np.full(lags, np.median(scores)), scores])
    around = np.ones(_window(fitted, period))
    return _answer(np.convolve(scores, around, "same") / np.convolve(np.ones(len(scores)), around, "same"), len(fitted))


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
            "linear", "linear prediction",
            f"the squared miss of a ridge regression of each channel on the last {LAGS} steps of all channels, over "
            "the mean one of the fitted rows; a step has the mean over the channels and the period around it",
            False, _linear, needs=("sklearn",),
        ),
        Method(
            "sub-pca", "sub-sequence PCA",
            f"windows one period long (all channels together, at most {MOST_VALUES} values); the squared distance from "
            "the mean window along the principal axes of the fitted windows, each over its variance; a step has the "
            "mean over its windows", False, _sub_pca,
        ),
        Method(
            "pca-reconstruction", "PCA reconstruction",
            f"the same windows; the squared distance from what the first components, {KEPT:.0%} of the variance, draw",
            False, _pca_reconstruction,
        ),
        Method(
            "sub-knn", "nearest window",
            "the same windows; the distance from the nearest window of the fitted rows that does not overlap it",
            False, _sub_knn,
        ),
        Method(
            "isolation-forest", "isolation forest", "scikit-learn's, of the same windows, with its defaults",
            True, _isolation_forest, needs=("sklearn",),
        ),
        Method(
            "pyod-vae", "PyOD VAE",
            "PyOD's VAE in its TimeSeriesOD, both with their defaults: windows of 50 steps; a step has the largest "
            "score of its windows", True, _pyod_vae, "torch", needs=("pyod", "torch", "tqdm", "sklearn"),
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


def _window(fitted: np.ndarray, wanted: int, parts: int = 2) -> int:
    """The length of a window: the wanted one, where the fitted rows hold so many and its values are not too many."""
    return max(1, min(wanted, MOST_VALUES // fitted.shape[1], len(fitted) // parts))


def _windows(values: np.ndarray, window: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=0)


def _blocks(windows: np.ndarray) -> Iterator[np.ndarray]:
    return (windows[i : i + BLOCK].reshape(-1, windows[0].size) for i in range(0, len(windows), BLOCK))


def _components(fitted: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean of the fitted windows, and the variances along their principal axes, the smallest first, with these."""
    known = _windows(_standardised(fitted, fitted), window)
    mean = sum(block.sum(axis=0) for block in _blocks(known)) / len(known)
    covariance = sum((block - mean).T @ (block - mean) for block in _blocks(known)) / len(known)
    return mean, *np.linalg.eigh(covariance)


def _of_windows(
    distance: Callable[[np.ndarray], np.ndarray], fitted: np.ndarray, values: np.ndarray, window: int
) -> Answer:
    """The answer of a method that scores windows: a step has the mean over those that cover it."""
    seen = _windows(_standardised(fitted, values), window)
    return _answer(_folded(np.concatenate([distance(block) for block in _blocks(seen)]), window), len(fitted))


def _folded(distances: np.ndarray, window: int) -> np.ndarray:
    covering = np.convolve(np.ones(len(distances)), np.ones(window))
    return np.convolve(distances, np.ones(window)) / covering
