"""The pictures and what they are drawn from."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score

from twinvae.metrics.ranking import average_precision, roc_auc
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


def test_windows_with_a_label_are_those_that_cover_it() -> None:
    labels = np.zeros(10, dtype=np.int8)
    labels[4] = 1
    np.testing.assert_array_equal(np.flatnonzero(plots.windows_with(labels, 3)), [2, 3, 4])


def test_a_long_line_keeps_its_extremes() -> None:
    axis = Figure().subplots()
    values = np.zeros(100_000)
    values[77_777], values[12_345] = 5.0, -3.0
    plots._line(axis, values)
    drawn = np.asarray(axis.lines[0].get_ydata())
    assert len(drawn) <= 2 * plots.BINS
    assert (drawn.min(), drawn.max()) == (-3.0, 5.0)


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
