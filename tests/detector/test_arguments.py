"""What a detector is given: arguments, parameters, copies, and what a failed fit leaves."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.base

from tests.conftest import detector_of, unchecked
from tests.helpers.detectors import PLAIN, SIZES, SMALL, SPIKE
from twinvae.config import HYPERPARAMETERS
from twinvae.detector.not_fitted import NotFittedError


def test_scikit_learn_clones_it(detector_class: Any) -> None:
    detector = detector_class(window=7, preset="standard", seed=3, beta=0.5)
    copy = sklearn.base.clone(detector)
    assert type(copy) is detector_class
    assert copy is not detector
    assert copy.get_params() == detector.get_params()
    assert not hasattr(sklearn.base.clone(detector_class(**SMALL).fit(PLAIN)), "parameters_")


def test_arguments_are_stored_as_given_and_fit_changes_none(detector_class: Any) -> None:
    fields = {**dict.fromkeys(HYPERPARAMETERS), **SMALL, "preset": "standard", "seed": 3}
    detector = detector_class(**fields)
    assert detector.get_params() == fields
    detector.fit(PLAIN)
    assert detector.get_params() == fields
    assert {name: getattr(detector, name) for name in fields} == fields


def test_set_params_sets_and_refuses_unknown_names(detector_class: Any) -> None:
    detector = detector_class()
    assert detector.set_params(window=9, seed=2) is detector
    assert (detector.window, detector.seed, detector.get_params()["window"]) == (9, 2, 9)
    with pytest.raises(ValueError, match="unknown argument 'windw'"):
        detector.set_params(windw=9)


def test_set_params_takes_effect_in_the_next_fit_only(detector_class: Any) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    before = detector.decision_function(SPIKE)
    detector.set_params(window=9, kind="causal")
    assert (detector.decision_function(SPIKE) == before).all()
    assert detector.fit(PLAIN).latent(PLAIN).shape == (72, 2)


def test_a_misspelt_argument_is_a_type_error(detector_class: Any) -> None:
    with pytest.raises(TypeError, match="windw"):
        detector_class(windw=9)
    with pytest.raises(TypeError, match="positional"):
        detector_class("tutorial")


def test_repr_shows_what_was_given(detector_class: Any) -> None:
    assert repr(detector_class()) == "VAEDetector()"
    assert repr(detector_class(window=7, preset="standard")) == "VAEDetector(preset='standard', window=7)"
    assert eval(repr(detector_class(window=7)), {"VAEDetector": detector_class}).window == 7


def test_pickle_keeps_a_fitted_detector(fitted: Any) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    assert type(copy) is type(fitted)
    assert (copy.decision_function(SPIKE) == fitted.decision_function(SPIKE)).all()
    assert copy.events(SPIKE) == fitted.events(SPIKE)
    assert pickle.loads(pickle.dumps(type(fitted)(window=3))).window == 3


@pytest.mark.parametrize(
    "use",
    [
        lambda d: d.decision_function(PLAIN),
        lambda d: d.contributions(PLAIN),
        lambda d: d.predict(PLAIN),
        lambda d: d.events(PLAIN),
        lambda d: d.latent(PLAIN),
        lambda d: d.reconstruct(PLAIN),
        lambda d: d.window_scorer(),
        lambda d: d.detect(PLAIN),
    ],
)
def test_an_unfitted_detector_says_so(detector_class: Any, use: Callable[[Any], Any]) -> None:
    with pytest.raises(NotFittedError, match="call fit first"):
        use(detector_class())


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0", None, 2**200])
def test_a_bad_seed_is_refused(detector_class: Any, seed: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"seed must be (a whole number|at least 0|at most)"):
        detector_class(**SMALL, seed=seed).fit(PLAIN)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("window", 0, ValueError),
        ("window", 5.0, TypeError),
        ("epochs", -1, ValueError),
        ("epochs", 10**12, ValueError),
        ("learning_rate", 0.0, ValueError),
        ("learning_rate", np.nan, ValueError),
        ("beta", "2", TypeError),
        ("batch_size", True, TypeError),
        ("kind", "nonsense", ValueError),
        ("dtype", "float16", ValueError),
        ("dtype", np.float32, TypeError),
        ("device", "tpu", ValueError),
    ],
)
def test_a_bad_hyperparameter_is_refused_by_fit_not_before(
    detector_class: Any, name: str, value: Any, error: type[Exception]
) -> None:
    detector = detector_class(**{name: value})
    with pytest.raises(error, match=f"^{name} must be"):
        detector.fit(PLAIN)
    assert not hasattr(detector, "parameters_")


def test_numpy_numbers_are_hyperparameters(detector_class: Any) -> None:
    expected = detector_class(**SMALL, beta=0.5, seed=3).fit(PLAIN).decision_scores_
    numbers = {name: np.int64(value) for name, value in SIZES.items()}
    with unchecked():
        detector = detector_class(preset="tutorial", **numbers, beta=np.float32(0.5), seed=np.int64(3)).fit(PLAIN)
    assert (detector.decision_scores_ == expected).all()


def test_auto_chooses_the_window_and_an_explicit_one_wins() -> None:
    detector_class = detector_of("torch")  # no backend has a part in it, and JAX would compile for each window
    series = np.sin(2 * np.pi * np.arange(500) / 90)
    chosen = detector_class(epochs=1).fit(series)
    assert (chosen.window, chosen.config_.window, chosen.config_.epochs) == (None, 90, 1)
    assert chosen.config_.kind == "ensemble"
    given = detector_class(window=7, epochs=1).fit(series)
    assert given.config_.window == 7


def test_a_failed_fit_leaves_the_detector_as_it_was(detector_class: Any) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    before = detector.decision_function(PLAIN)
    detector.set_params(threshold="pot")
    with pytest.raises(ValueError, match="pot"):
        detector.fit(PLAIN[:20])
    np.testing.assert_array_equal(detector.decision_function(PLAIN), before)


def test_new_arguments_wait_for_the_next_fit(detector_class: Any, tmp_path: Path) -> None:
    detector = detector_class(**SMALL, draws=2, seed=1).fit(PLAIN)
    before = detector.decision_function(PLAIN)
    detector.set_params(window=3, seed=2)
    np.testing.assert_array_equal(detector.decision_function(PLAIN), before)
    detector.save(tmp_path / "m.safetensors")
    loaded = detector_class.load(tmp_path / "m.safetensors")
    assert (loaded.seed, loaded.window) == (1, SMALL["window"])
    np.testing.assert_array_equal(loaded.decision_function(PLAIN), before)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"hidden_dim": 2**24, "latent_dim": 2**24}, "lower window, hidden_dim or latent_dim"),
        ({"draws": 10**5, "latent_dim": 2**20, "hidden_dim": 1}, "lower draws or latent_dim"),
    ],
)
def test_sizes_that_no_memory_is_there_for_are_refused_before_the_work(
    detector_class: Any, sizes: dict[str, int], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinvae.process.memory.usable_memory", lambda: 2**34)
    with pytest.raises(ValueError, match=f"takes at least .* GiB of memory, and there are 16: {words}"):
        detector_class(**SMALL | sizes).fit(PLAIN)


def test_too_many_channels_are_refused(detector_class: Any) -> None:
    with pytest.raises(ValueError, match="a series has at most 100000 channels, here are 1000000"):
        detector_class(**SMALL).fit(np.ones((8, 10**6), np.float32))
