"""The adapters, each against the contract of its own project: PyOD, aeon, scikit-learn."""

import inspect
import io
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyod.utils.persistence
import pytest
import sklearn.base
from pyod.models.base import BaseDetector
from pyod.models.ts_od import TimeSeriesOD
from sklearn.model_selection import GridSearchCV, ParameterGrid, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator as check_sklearn

import twinvae.detector.detector
from tests.conftest import BACKENDS, assert_close, detector_of, unchecked
from twinvae.adapters.aeon import AeonVAE
from twinvae.adapters.pyod import PyODVAE

MODEL: dict[str, Any] = {
    "preset": "tutorial",
    "hidden_dim": 4,
    "latent_dim": 2,
    "epochs": 3,
    "batch_size": 8,
    "dtype": "float64",
}
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(100, 4)) * [1.0, 1.0, 0.1, 0.1]
ROWS[::20] += 5.0
TIME = np.arange(90)
SERIES = np.stack([np.sin(TIME / 3), np.cos(TIME / 5)], axis=1) + 0.1 * RANDOM.normal(size=(90, 2))
SPIKE = SERIES.copy()
SPIKE[60:63] += 9.0


# PyOD: what `BaseDetector` promises.


@pytest.fixture(scope="module", params=BACKENDS)
def rows_detector(request: pytest.FixtureRequest) -> Any:
    """Fitted on the rows. Tests leave it as it is."""
    return PyODVAE(detector_of(request.param)(**MODEL), contamination=0.05).fit(ROWS)


def test_pyod_scores_thresholds_and_labels(rows_detector: Any) -> None:
    assert isinstance(rows_detector, BaseDetector)
    scores = rows_detector.decision_scores_
    assert scores.shape == (100,)
    assert set(np.argsort(scores)[-5:]) == set(range(0, 100, 20)), "the outliers lie highest"
    assert rows_detector.threshold_ == np.percentile(scores, 95)
    assert (rows_detector.labels_ == (scores > rows_detector.threshold_)).all()
    assert rows_detector.labels_.sum() == 5
    assert (rows_detector.decision_function(ROWS) == scores).all()
    assert rows_detector.decision_function(ROWS[7:8]).shape == (1,)


def test_pyod_scores_are_the_mean_squared_errors_of_the_rows(rows_detector: Any) -> None:
    expected = np.mean((ROWS - rows_detector.detector_.reconstruct(ROWS)) ** 2, axis=1)
    assert_close(rows_detector.decision_function(ROWS), expected, 1e-12)


def test_pyod_predictions_and_their_confidence(rows_detector: Any) -> None:
    labels, confidence = rows_detector.predict(ROWS, return_confidence=True)
    assert (labels == rows_detector.labels_).all()
    assert (rows_detector.predict(ROWS) == labels).all()
    assert (confidence == rows_detector.predict_confidence(ROWS)).all()
    assert confidence.shape == (100,)
    assert ((confidence >= 0) & (confidence <= 1)).all()


@pytest.mark.parametrize("method", ["linear", "unify"])
def test_pyod_probabilities(rows_detector: Any, method: str) -> None:
    probabilities, _ = rows_detector.predict_proba(ROWS, method=method, return_confidence=True)
    assert probabilities.shape == (100, 2)
    assert (probabilities.sum(axis=1) == 1).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    order = np.argsort(rows_detector.decision_scores_)
    assert (np.diff(probabilities[order, 1]) >= 0).all(), "a higher score is more probably an outlier"


def test_pyod_rejection(rows_detector: Any) -> None:
    copy = pickle.loads(pickle.dumps(rows_detector))  # the method writes an attribute
    labels, (expected, upper, cost) = copy.predict_with_rejection(ROWS, T=32, c_r=0.05, return_stats=True)
    assert set(labels) <= {-2, 0, 1}
    assert (labels[labels >= 0] == copy.labels_[labels >= 0]).all()
    assert 0 <= expected <= upper
    assert cost >= 0


def test_pyod_fit_returns_itself_and_fit_predict_is_deprecated(detector_class: Any) -> None:
    detector = PyODVAE(detector_class(**MODEL))
    assert detector.fit(ROWS, None) is detector
    with pytest.deprecated_call():
        labels = PyODVAE(detector_class(**MODEL)).fit_predict(ROWS)
    assert (labels == detector.labels_).all()


def test_pyod_parameters_clones_and_repr(detector_class: Any) -> None:
    detector = PyODVAE(detector_class(**MODEL, seed=3), contamination=0.2).fit(ROWS)
    assert not hasattr(detector.detector, "parameters_"), "the prototype stays unfitted"
    copy = sklearn.base.clone(detector)
    assert not hasattr(copy, "detector_")
    assert copy.get_params()["detector__seed"] == 3
    assert copy.set_params(contamination=0.3, detector__epochs=1).get_params()["detector__epochs"] == 1
    assert copy.contamination == 0.3
    assert detector.detector.epochs == 3
    named = {"PyODVAE": PyODVAE, "VAEDetector": detector_class}
    assert eval(repr(detector), named).get_params(deep=False)["contamination"] == 0.2
    assert eval(repr(detector), named).detector.get_params() == detector.detector.get_params()


def test_pyod_saves_and_loads(rows_detector: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    joblib.dump(rows_detector, buffer)
    pyod.utils.persistence.save(rows_detector, tmp_path / "rows.joblib")
    for copy in (
        pickle.loads(pickle.dumps(rows_detector)),
        joblib.load(buffer),
        pyod.utils.persistence.load(tmp_path / "rows.joblib", trusted=True, strict=True),
    ):
        assert (copy.decision_function(ROWS) == rows_detector.decision_scores_).all()
        assert (copy.predict(ROWS) == rows_detector.labels_).all()


@pytest.mark.filterwarnings("ignore:posterior collapse")  # three epochs on noise
def test_pyod_the_seed_decides(detector_class: Any) -> None:
    def scores(seed: int) -> np.ndarray:
        fitted: np.ndarray = PyODVAE(detector_class(**MODEL, seed=seed)).fit(ROWS).decision_scores_
        return fitted

    assert (scores(1) == scores(1)).all()
    assert (scores(1) != scores(2)).any()


def test_pyod_refuses_what_makes_no_sense_for_rows(detector_class: Any) -> None:
    with pytest.raises(ValueError, match=r"window=5 has no meaning here.*window_size"):
        PyODVAE(detector_class(**MODEL, window=5)).fit(ROWS)
    gap = np.where(ROWS > 5, np.nan, ROWS)
    with pytest.raises(ValueError, match="NaN"):
        PyODVAE(detector_class(**MODEL, missing="interpolate")).fit(gap)
    with pytest.raises(ValueError, match="expecting 4 features"):
        PyODVAE(detector_class(**MODEL)).fit(ROWS).decision_function(ROWS[:, :3])
    with pytest.raises(ValueError, match="contamination"):
        PyODVAE(detector_class(**MODEL), contamination=0.7)


@pytest.mark.parametrize(
    "wrong", ["jax", None, twinvae.detector.detector.VAEDetector()], ids=["name", "none", "no-backend"]
)
def test_another_detector_is_refused(wrong: Any) -> None:
    with unchecked():
        for adapter in (PyODVAE(wrong), AeonVAE(wrong)):
            with pytest.raises(TypeError, match="must be a VAEDetector of vae_jax or vae_torch"):
                adapter.fit(ROWS)


# The checks of scikit-learn that every PyOD detector fails.
PYOD_S_OWN = {
    "check_do_not_raise_errors_in_init_or_set_params": "PyOD checks contamination in the constructor",
    "check_outliers_fit_predict": "PyOD's labels are 0 and 1",
    "check_outliers_train": "PyOD's labels are 0 and 1",
    "check_classifier_data_not_an_array": "PyOD counts the classes of y with NumPy",
}


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks and PyOD warn of what is checked
@pytest.mark.parametrize("backend_name", ["torch", pytest.param("jax", marks=pytest.mark.slow)])  # compiles 30 shapes
def test_pyod_passes_the_checks_of_scikit_learn(detector_class: Any) -> None:
    small = {"hidden_dim": 4, "latent_dim": 2, "epochs": 2}
    with unchecked():
        results = check_sklearn(PyODVAE(detector_class(**small)), on_fail=None, on_skip=None)
    assert len(results) > 40
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert set(failed) <= set(PYOD_S_OWN), failed


@pytest.mark.parametrize(
    ("name", "series"),
    [("jax", SPIKE), ("torch", SPIKE), ("torch", SPIKE[:, 0])],
    ids=["jax-two channels", "torch-two channels", "torch-one"],
)
def test_in_pyod_s_time_series_detector_it_computes_what_the_detector_computes(name: str, series: np.ndarray) -> None:
    detector_class = detector_of(name)
    own = detector_class(**MODEL, window=6, kind="window").fit(series)
    windows = np.lib.stride_tricks.sliding_window_view(series.reshape(90, -1), 6, axis=0).swapaxes(1, 2)
    single = own.window_scorer()(windows)
    covering = [single[max(0, t - 5) : t + 1] for t in range(90)]
    for how, expected in (("mean", own.decision_scores_), ("max", np.array([np.max(scores) for scores in covering]))):
        detector = TimeSeriesOD(PyODVAE(detector_class(**MODEL)), window_size=6, score_aggregation=how).fit(series)
        assert_close(detector.decision_scores_, expected, 1e-10)
        assert_close(detector.decision_function(series), expected, 1e-10)
        assert detector.predict(series)[60:63].all()


def test_in_pyod_s_time_series_detector_with_gaps_between_windows(detector_class: Any) -> None:
    detector = TimeSeriesOD(PyODVAE(detector_class(**MODEL)), window_size=6, step=7, contamination=0.1).fit(SPIKE)
    assert detector.decision_scores_.shape == (90,)
    assert 56 <= detector.decision_scores_.argmax() < 62, "the window that holds the spike"
    assert (detector.decision_scores_[6::7] == detector.threshold_).all(), "what PyOD gives to steps without a window"


# aeon.


@pytest.fixture
def check_aeon(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """aeon's checks, with the check of annotations off the constructor, whose signature they look at."""
    from aeon.testing.estimator_checking import check_estimator  # seconds to import

    monkeypatch.setattr(AeonVAE, "__init__", inspect.unwrap(AeonVAE.__init__))
    return partial(check_estimator, raise_exceptions=True)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["error", "mask"])
def test_aeon_passes_its_own_checks(check_aeon: Any, detector_class: Any, missing: str) -> None:
    small = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 2}
    results = check_aeon(AeonVAE(detector_class(**small, missing=missing)))
    assert len(results) > 20
    assert set(results.values()) == {"PASSED"}
    assert any("Missing" in name for name in results) == (missing == "mask"), "the tag says what is checked"


@pytest.mark.filterwarnings("ignore:.* missing values")  # the default leaves them out, and says so
def test_aeon_s_class_passes_its_own_checks(check_aeon: Any) -> None:
    assert set(check_aeon(AeonVAE).values()) == {"PASSED"}


def test_aeon_gives_the_detector_s_scores_along_either_axis(detector_class: Any) -> None:
    own = detector_class(**MODEL, window=6).fit(SERIES)
    adapter = AeonVAE(detector_class(**MODEL, window=6))
    expected = own.decision_function(SPIKE)
    assert (adapter.fit(SERIES, axis=0).predict(SPIKE, axis=0) == expected).all()
    assert (adapter.fit(SERIES.T, axis=1).predict(SPIKE.T, axis=1) == expected).all()
    assert (adapter.fit(pd.DataFrame(SERIES), axis=0).predict(pd.DataFrame(SPIKE), axis=0) == expected).all()
    assert (adapter.fit_predict(SERIES, axis=0) == own.decision_scores_).all()
    assert adapter.detector_.events(SPIKE) == own.events(SPIKE)
    assert not hasattr(adapter.detector, "parameters_")


def test_aeon_missing_values_follow_the_detector(detector_class: Any) -> None:
    gap = np.where(TIME == 9, np.nan, SERIES[:, 0])
    adapter = AeonVAE(detector_class(**MODEL, window=6, missing="error"))
    with pytest.raises(ValueError, match="Missing values not supported"):
        adapter.fit(gap)
    for missing in ("interpolate", "mask"):
        adapter.set_params(detector__missing=missing)
        assert np.isfinite(adapter.fit(gap).predict(gap)).all()
    assert AeonVAE(detector_class()).get_tag("capability:missing_values"), "the default leaves them out"


# scikit-learn. That `clone` works is tested with the detector.


def pipeline_of(detector_class: Any) -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("vae", detector_class(**MODEL, window=6))])


def test_scikit_learn_s_pipeline(detector_class: Any) -> None:
    pipeline = pipeline_of(detector_class).fit(SERIES)
    own = detector_class(**MODEL, window=6, scaling="standard").fit(SERIES)
    assert_close(pipeline.decision_function(SPIKE), own.decision_function(SPIKE), 1e-10)
    assert (pipeline.predict(SPIKE) == own.predict(SPIKE)).all()
    assert set(pipeline.predict(SPIKE)) == {0, 1}, "ours are PyOD's labels, not scikit-learn's -1 and 1"
    assert (pipeline_of(detector_class).fit_predict(SERIES) == own.labels_).all()
    assert (pickle.loads(pickle.dumps(pipeline)).predict(SPIKE) == pipeline.predict(SPIKE)).all()
    assert "VAEDetector" in pipeline._repr_html_()


def test_scikit_learn_knows_an_outlier_detector(detector_class: Any) -> None:
    assert sklearn.base.is_outlier_detector(detector_class())
    assert sklearn.base.is_outlier_detector(pipeline_of(detector_class))
    assert not sklearn.utils.get_tags(detector_class()).target_tags.required


def test_scikit_learn_s_grid_of_parameters(detector_class: Any) -> None:
    seen = []
    for arguments in ParameterGrid({"vae__merge_gap": [3, 5], "vae__margin": [2.0]}):  # neither needs a new program
        pipeline = sklearn.base.clone(pipeline_of(detector_class)).set_params(**arguments).fit(SERIES)
        seen.append((pipeline["vae"].config_.merge_gap, pipeline["vae"].config_.margin))
    assert seen == [(3, 2.0), (5, 2.0)]


def test_scikit_learn_s_grid_search_over_parts_of_a_labelled_series() -> None:
    series = np.concatenate([SERIES, SPIKE, SPIKE])
    labels = np.concatenate([np.zeros(90), *2 * [(TIME >= 60) & (TIME < 63)]])
    grid = {"vae__window": [4, 8]}
    pipeline = pipeline_of(detector_of("torch"))  # JAX would compile for each length
    search = GridSearchCV(pipeline, grid, scoring="roc_auc", cv=TimeSeriesSplit(2)).fit(series, labels)
    assert search.best_score_ > 0.9, "a higher score is more anomalous, as the metric has it"
    assert sklearn.base.clone(search.best_estimator_)["vae"].window == search.best_params_["vae__window"]
