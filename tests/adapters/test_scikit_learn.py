"""The detector as a scikit-learn estimator: that project's own checks, and the error before `fit`."""

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn.base
import sklearn.exceptions
from scipy import sparse
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from tests.conftest import detector_of, in_a_fresh_process, unchecked
from twinvae.detector.not_fitted import NotFittedError

SMALL = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 1, "preset": "standard"}
SERIES = np.random.default_rng(0).normal(size=(40, 2))
BY_DESIGN = {
    "check_outliers_fit_predict": "labels are 0 and 1, as in PyOD, and alarms have no wanted share",
    "check_outliers_train": "labels are 0 and 1, as in PyOD",
    "check_methods_sample_order_invariance": "rows are time steps, whose order is the series",
    "check_methods_subset_invariance": "a score depends on the window around its time step",
    "check_n_features_in_after_fitting": "the error says channels, not features, as for a file",
    "check_fit1d": "a series of shape (time,) is one channel",
    "check_fit2d_predict1d": "a series of shape (time,) is one channel: the error counts channels",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what is checked
def test_it_passes_the_checks_of_scikit_learn_but_for_what_is_meant(detector_class: Any) -> None:
    with unchecked():
        results = check_estimator(
            detector_class(**SMALL), expected_failed_checks=BY_DESIGN, on_fail="raise", on_skip=None
        )
    assert len(results) > 40
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(BY_DESIGN)


QUICK = (
    "check_estimators_unfitted", "check_n_features_in", "check_complex_data", "check_dtype_object",
    "check_estimators_empty_data_messages", "check_estimator_sparse_tag", "check_fit2d_1sample",
    "check_estimators_nan_inf",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_it_passes_the_checks_of_names_and_messages() -> None:
    done = set()
    with unchecked():
        for estimator, check in estimator_checks_generator(detector_of("torch")(**SMALL)):
            if (name := check.func.__name__) in QUICK:
                check(estimator)
                done.add(name)
    assert done == set(QUICK)


def test_scikit_learn_recognises_the_error_before_fit(detector_class: Any) -> None:
    with pytest.raises(sklearn.exceptions.NotFittedError, match="call fit first") as raised:
        detector_class().decision_function(SERIES)
    assert isinstance(raised.value, NotFittedError)
    copy = pickle.loads(pickle.dumps(raised.value))
    assert isinstance(copy, sklearn.exceptions.NotFittedError)
    assert copy.args == raised.value.args
    assert not hasattr(detector_class(), "n_features_in_")


def test_without_scikit_learn_the_error_is_ours_alone() -> None:
    in_a_fresh_process(
        """
import pickle, sys
from twinvae import NotFittedError
from twinvae.detector.detector import VAEDetector
try:
    VAEDetector().threshold_
except NotFittedError as error:
    assert type(error) is type(pickle.loads(pickle.dumps(error))) is NotFittedError
else:
    raise AssertionError
assert not any(name.startswith("sklearn") for name in sys.modules)
"""
    )


@pytest.mark.parametrize("matrix", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array, sparse.dok_matrix])
def test_a_sparse_matrix_is_refused_in_words(detector_class: Any, matrix: Any) -> None:
    with pytest.raises(TypeError, match=r"a sparse matrix is not supported: give its toarray\(\)"):
        detector_class(**SMALL).fit(matrix(SERIES))


@pytest.mark.parametrize(("shape", "none"), [((0,), "sample"), ((0, 3), "sample"), ((15, 0), "feature")])
def test_what_an_empty_series_lacks_is_said(detector_class: Any, shape: tuple[int, ...], none: str) -> None:
    with pytest.raises(ValueError, match=f"the series is empty: 0 {none}"), unchecked():
        detector_class(**SMALL).fit(np.empty(shape))
