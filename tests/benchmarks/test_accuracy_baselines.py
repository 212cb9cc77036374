"""The baselines of the accuracy run: what each computes, and that none fails on a series that is short or constant."""

from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.method import Answer

STEPS, FITTED, START, END = 400, 200, 300, 320


def sine() -> np.ndarray:
    """A noisy sine whose second half holds an anomaly."""
    values = np.sin(np.arange(STEPS) / 4) + np.random.default_rng(0).normal(0, 0.05, STEPS)
    values[START:END] += 2.0
    return values


def answers(
    values: np.ndarray, *, fitted: int = FITTED, seed: int = 0, period: int = 25
) -> Iterator[tuple[str, Answer]]:
    for method in (method for name, method in BASELINES.items() if name != "pyod-vae"):
        yield method.name, method.run(values[:fitted], values, period, seed)


def test_baselines_score_every_step_and_alarm_by_their_threshold() -> None:
    values = sine()
    two = np.stack([values, np.full(STEPS, 3.0)], axis=1)  # one channel stands still
    for name, answer in answers(two):
        assert answer.scores.shape == (STEPS,), name
        assert np.isfinite(answer.scores).all(), name
        assert (answer.scores[:FITTED] > answer.threshold).mean() <= 0.01, name
        alarms = np.concatenate([np.arange(start, end) for start, end in answer.alarms])
        assert set(np.flatnonzero(answer.scores > answer.threshold)) <= set(alarms), name
        if name != "random":
            assert START - 25 <= answer.scores.argmax() < END + 25, name


def test_the_random_score_follows_its_seed() -> None:
    values = sine()
    run = BASELINES["random"].run
    first, again, other = (run(values[:FITTED, None], values[:, None], 25, seed).scores for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_sub_sequence_pca_is_the_mahalanobis_distance_of_windows() -> None:
    values = np.random.default_rng(0).normal(size=(STEPS, 2)) * [1.0, 10.0]
    window = 3
    answer = dict(answers(values, period=window))["sub-pca"]
    scaled = (values - values[:FITTED].mean(axis=0)) / values[:FITTED].std(axis=0)
    windows = np.stack([scaled[i : i + window].T.ravel() for i in range(STEPS - window + 1)])
    known = windows[: FITTED - window + 1]
    inverse = np.linalg.inv(np.cov(known.T, ddof=0))
    distances = [float((w - known.mean(axis=0)) @ inverse @ (w - known.mean(axis=0))) for w in windows]
    expected = [np.mean(distances[max(0, t - window + 1) : t + 1]) for t in range(STEPS)]
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-9)


def test_pca_reconstruction_is_the_distance_from_the_first_components() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(STEPS, 1)) @ [[1.0, 1.0]] + rng.normal(0, 0.1, (STEPS, 2))  # one component has 0.99
    scaled = (values - values[:FITTED].mean(axis=0)) / values[:FITTED].std(axis=0)
    answer = BASELINES["pca-reconstruction"].run(values[:FITTED], values, 1, 0)
    np.testing.assert_allclose(answer.scores, (scaled @ [1, -1]) ** 2 / 2, rtol=1e-9)


def test_the_nearest_window_does_not_overlap() -> None:
    values, window = np.random.default_rng(0).normal(size=(60, 2)), 3
    answer = BASELINES["sub-knn"].run(values[:40], values, window, 0)
    scaled = (values - values[:40].mean(axis=0)) / values[:40].std(axis=0)
    windows = np.stack([scaled[i : i + window].ravel() for i in range(60 - window + 1)])
    known = 40 - window + 1
    nearest = [
        min(np.linalg.norm(w - windows[j]) for j in range(known) if i >= known or abs(i - j) >= window)
        for i, w in enumerate(windows)
    ]
    expected = [np.mean(nearest[max(0, t - window + 1) : t + 1]) for t in range(60)]
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-6)


def test_a_linear_prediction_does_not_miss_what_is_linear() -> None:
    values = np.stack([np.sin(np.arange(STEPS) / 4), np.cos(np.arange(STEPS) / 7)], axis=1)
    values[START] += 1.0
    scores = BASELINES["linear"].run(values[:FITTED], values, 5, 0).scores
    assert START - 5 <= scores.argmax() <= START + 64 + 5
    assert scores[START] > 10 * scores[:FITTED].max()


@pytest.mark.parametrize("name", [name for name in BASELINES if name not in ("pyod-vae", "random")])
def test_very_short_and_constant_series_have_finite_scores(name: str) -> None:
    for fitted in (np.zeros((2, 1)), np.zeros((5, 1)), np.zeros((50, 3))):
        scores = BASELINES[name].run(fitted, np.concatenate([fitted, fitted + 1]), 125, 0).scores
        assert np.isfinite(scores).all()
