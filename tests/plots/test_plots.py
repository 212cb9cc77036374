"""The pictures and what they are drawn from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score

from twinvae.metrics.ranking import average_precision, roc_auc
from twinvae.plots import figure
from twinvae.plots import pictures as plots
from twinvae.series.series import Series


def test_principal_components_are_those_of_scikit_learn() -> None:
    points = np.random.default_rng(0).normal(size=(100, 5)) * [3, 1, 2, 0.1, 0.5]
    plane, share = plots.principal_components(points)
    reference = PCA(2).fit(points)
    np.testing.assert_allclose(np.abs(plane.T), np.abs(reference.components_), atol=1e-10)
    np.testing.assert_allclose(share, reference.explained_variance_ratio_)


def test_principal_components_of_one_dimension_have_an_empty_second() -> None:
    plane, share = plots.principal_components(np.arange(5.0)[:, None])
    np.testing.assert_array_equal(plane, [[1.0, 0.0]])
    np.testing.assert_allclose(share, [1.0, 0.0])


def test_a_share_of_the_variance_is_not_below_0() -> None:
    points = np.random.default_rng(0).normal(size=(300, 1)) + np.array([0.0, 1.0])
    for seed in range(20):
        rotated = points @ np.random.default_rng(seed).normal(size=(2, 4))
        assert not np.signbit(plots.principal_components(rotated)[1]).any()


def test_windows_with_a_label_are_those_that_cover_it() -> None:
    labels = np.zeros(10, dtype=np.int8)
    labels[4] = 1
    np.testing.assert_array_equal(np.flatnonzero(plots.windows_with(labels, 3)), [2, 3, 4])


@pytest.mark.parametrize("length", [4001, 100_000, 200_003])
def test_a_long_line_is_a_band_that_keeps_every_extreme_at_its_row(length: int) -> None:
    axis = Figure().subplots()
    values = np.random.default_rng(0).normal(size=length)
    values[length // 3 : length // 2], values[-1], values[777] = np.nan, 50.0, -30.0
    figure.draw_line(axis, values, color=figure.BLUE, label="series")
    band: Any = axis.patches[0]
    high, edges, low = band.get_data()
    assert len(high) <= figure.BINS
    assert (edges[0], edges[-1]) == (-0.5, length - 0.5)
    assert band.get_facecolor()[3] < 0.5, "what lies under it is seen"
    assert low[np.searchsorted(edges, 777) - 1] == -30.0
    assert high[-1] == 50.0


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-9, 9) | st.just(float("nan"))), st.integers(1, 9))
def test_the_envelope_is_the_extremes_of_each_part_in_order(values: np.ndarray, size: int) -> None:
    low, high = figure.envelope(values, size)
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    for part, least, largest in zip(parts, low, high, strict=True):
        known = part[~np.isnan(part)]
        expected = (known.min(), known.max()) if len(known) else (np.nan, np.nan)
        np.testing.assert_array_equal((least, largest), expected)


def test_a_picture_shows_eight_channels_and_says_how_many_there_are(tmp_path: Path) -> None:
    series = np.random.default_rng(0).normal(size=(50, 12))
    names = tuple(f"sensor {index}" for index in range(12))
    path = tmp_path / "p.png"
    plots.plot_series(path, Series(series, names), title="t", shaded=[(3, 5)], shaded_as="event")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("ties", [False, True])
def test_metrics_are_those_of_scikit_learn(ties: bool) -> None:
    generator = np.random.default_rng(1)
    labels = (generator.random(500) < 0.1).astype(np.int8)
    scores = generator.normal(size=500) + labels
    if ties:
        scores = scores.round()
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("labels", [np.zeros(5, np.int8), np.ones(5, np.int8), np.ones(4, np.int8)])
def test_metrics_refuse_labels_that_rank_nothing(labels: np.ndarray) -> None:
    for metric in (roc_auc, average_precision):
        with pytest.raises(ValueError, match="labels"):
            metric(labels, np.arange(5.0))


@pytest.mark.parametrize("peak", [1.0, 1e6])
def test_a_picture_of_a_detection_takes_many_channels_and_large_peaks(tmp_path: Path, peak: float) -> None:
    scores = np.random.default_rng(0).random(50)
    scores[7] = peak
    path = tmp_path / "p.png"
    series = Series(np.zeros((50, 6)), tuple(f"sensor {index}" for index in range(6)))
    plots.plot_detection(path, series, scores, 0.9, title="t", labelled=[(3, 9)], detected=[], train_rows=5)
    assert path.read_bytes().startswith(b"\x89PNG")
