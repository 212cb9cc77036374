"""The detector's contract, in both backends."""

import contextlib
import pickle
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.base

from tests.conftest import BACKENDS, assert_close, assert_close_in_range, detector_of, rounding, unchecked
from tests.oracle import reference
from twinvae.config import HYPERPARAMETERS, KINDS, Config
from twinvae.detector.detector import NotFittedError
from twinvae.scoring.threshold import threshold
from twinvae.windowing.geometry import fully_covered

SIZES = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 3, "batch_size": 8}
SMALL = {"preset": "tutorial", **SIZES}
RANDOM = np.random.default_rng(0)
PLAIN = np.sin(np.arange(80) / 3.0) + 0.1 * RANDOM.normal(size=80)
CHANNELS = np.stack([PLAIN, RANDOM.normal(size=80), np.cos(np.arange(80) / 5.0)], axis=1)
SPIKE = PLAIN.copy()
SPIKE[40] += 20.0


def fitted_of(name: str) -> tuple[Any, Any]:
    return (
        detector_of(name)(**SMALL, dtype="float64").fit(PLAIN),
        detector_of(name)(**SMALL, dtype="float64", scaling="standard").fit(CHANNELS),
    )


@pytest.fixture(scope="module", params=BACKENDS)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A detector fitted on one channel, and one fitted on three with scaling. Tests leave them as they are."""
    return fitted_of(str(request.param))


@pytest.fixture
def fitted(pair: tuple[Any, Any]) -> Any:
    return pair[0]


@pytest.fixture
def many(pair: tuple[Any, Any]) -> Any:
    return pair[1]


# Constructor, parameters, copies.


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


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0", None])
def test_a_bad_seed_is_refused(detector_class: Any, seed: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="seed must be a whole number"):
        detector_class(**SMALL, seed=seed).fit(PLAIN)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("window", 0, ValueError),
        ("window", 5.0, TypeError),
        ("epochs", -1, ValueError),
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


def test_auto_chooses_the_window_and_an_explicit_one_wins(detector_class: Any) -> None:
    series = np.sin(2 * np.pi * np.arange(500) / 90)
    chosen = detector_class(epochs=1).fit(series)
    assert (chosen.window, chosen.config_.window, chosen.config_.epochs) == (None, 90, 1)
    assert chosen.config_.kind == "multiscale"
    given = detector_class(window=7, epochs=1).fit(series)
    assert given.config_.window == 7


# Training.


def test_the_same_seed_gives_the_same_detector_and_another_seed_another(detector_class: Any) -> None:
    one, same, other = (detector_class(**SMALL, seed=seed).fit(PLAIN) for seed in (0, 0, 1))
    assert (one.decision_scores_ == same.decision_scores_).all()
    assert one.history_ == same.history_
    assert (one.decision_scores_ != other.decision_scores_).any()


def test_fit_leaves_the_global_random_state_alone(detector_class: Any) -> None:
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    detector_class(**SMALL).fit(PLAIN)
    assert np.random.random() == expected  # noqa: NPY002


def test_history_is_each_epoch_s_mean_over_the_windows_of_the_oracle(fitted: Any) -> None:
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks

    config = Config(**SIZES, dtype="float64")  # type: ignore[arg-type]
    _, terms = reference.train(
        draw(Net.of(config, 1), 0), PLAIN[:, None], chunks(76, config, 0), window=5, beta=2.0, learning_rate=1e-3
    )
    epochs = terms.reshape(3, 10, 3).sum(axis=1) / 76
    kl = epochs[:, 1:].sum(axis=1)
    assert set(fitted.history_) == {"loss", "reconstruction", "kl", "kl_per_dimension"}
    assert_close(fitted.history_["reconstruction"], epochs[:, 0], 1e-10)
    assert_close(fitted.history_["kl"], kl, 1e-10)
    assert_close(fitted.history_["kl_per_dimension"], epochs[:, 1:], 1e-10)
    assert_close(fitted.history_["loss"], epochs[:, 0] + 2.0 * kl, 1e-10)


def test_the_loss_in_the_history_is_that_of_the_beta_of_each_step(detector_class: Any) -> None:
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks

    config = Config(**SIZES, beta_warm_up=2, dtype="float64")  # type: ignore[arg-type]
    _, terms = reference.train(
        draw(Net.of(config, 1), 0), PLAIN[:, None], chunks(76, config, 0), window=5, beta=2.0, learning_rate=1e-3
    )
    betas = 2.0 * np.minimum(1.0, np.arange(30) / 20)
    losses = (terms[:, 0] + betas * terms[:, 1:].sum(axis=1)).reshape(3, 10).sum(axis=1) / 76
    detector = detector_class(**SMALL, beta_warm_up=2, dtype="float64").fit(PLAIN)
    assert_close(detector.history_["loss"], losses, 1e-7)  # the factors of beta are float32


def test_a_warm_up_keeps_alive_what_a_strong_beta_kills_at_once(detector_class: Any) -> None:
    settings = SMALL | {"epochs": 40, "learning_rate": 0.01, "beta": 10.0}
    with pytest.warns(UserWarning, match="posterior collapse: .* lower beta or set beta_warm_up"):
        dead = detector_class(**settings).fit(PLAIN)
    assert max(dead.history_["kl_per_dimension"][-1]) < 0.01
    for name, value in (("beta", 0.1), ("beta_warm_up", 400)):
        alive = detector_class(**settings | {name: value}).fit(PLAIN)  # a warning is an error
        assert max(alive.history_["kl_per_dimension"][-1]) > 0.1


def test_white_noise_collapses_and_one_lively_dimension_is_no_collapse(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SMALL | {"epochs": 100, "learning_rate": 0.01}
    noise = np.random.default_rng(0).normal(size=400)
    with pytest.warns(UserWarning, match="posterior collapse"):
        detector = detector_class(**settings).fit(noise)
    low, high = sorted(detector.history_["kl_per_dimension"][-1])
    assert low < high
    monkeypatch.setattr("twinvae.network.training.COLLAPSED", (low + high) / 2)
    detector_class(**settings).fit(noise)


def test_the_warm_up_does_not_count_towards_patience(detector_class: Any) -> None:
    losses = detector_class(**STOPPING, beta_warm_up=20).fit(PLAIN).history_["validation_loss"]
    assert len(losses) >= 20 + 3


def test_history_does_not_depend_on_where_chunks_end(detector_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = detector_class(**SMALL).fit(PLAIN)
    for steps in (1, 3, 10, 25):
        monkeypatch.setattr("twinvae.network.training.CHUNK_STEPS", steps)
        detector = detector_class(**SMALL).fit(PLAIN)
        assert detector.history_ == expected.history_
        assert (detector.decision_scores_ == expected.decision_scores_).all()


STOPPING = SMALL | {"epochs": 60, "validation_fraction": 0.25, "patience": 3, "learning_rate": 0.3}


def test_early_stopping_stops_and_keeps_the_best_epoch(detector_class: Any) -> None:
    detector = detector_class(**STOPPING, dtype="float64").fit(PLAIN)
    losses = detector.history_["validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == len(detector.history_["loss"]) == best + 1 + 3 < 60

    expected = []
    x = reference.windows(PLAIN[60:, None], 5).reshape(16, 5)

    def held_out_loss(parameters: Any) -> float:
        squared, divergence = reference.loss(x, np.ones(16), np.zeros((16, 2)), parameters)
        return float(squared + 2.0 * divergence.sum()) / 16

    assert held_out_loss(detector.parameters_) == pytest.approx(min(losses), rel=1e-10)
    for epochs in (best + 1, len(losses)):
        shorter = detector_class(**STOPPING | {"epochs": epochs, "patience": 60}, dtype="float64").fit(PLAIN)
        expected.append(shorter.history_["validation_loss"])
    assert expected == [losses[: best + 1], losses]


def test_early_stopping_is_deterministic(detector_class: Any) -> None:
    one, other = (detector_class(**STOPPING).fit(PLAIN) for _ in range(2))
    assert one.history_ == other.history_
    assert (one.decision_scores_ == other.decision_scores_).all()


def test_early_stopping_works_with_several_channels(detector_class: Any) -> None:
    detector = detector_class(**STOPPING | {"epochs": 2}).fit(CHANNELS)
    assert len(detector.history_["validation_loss"]) == 2


def test_early_stopping_is_off_unless_asked_for(fitted: Any) -> None:
    assert "validation_loss" not in fitted.history_
    assert len(fitted.history_["loss"]) == 3


def test_scaling_is_that_of_the_training_part(detector_class: Any) -> None:
    series = PLAIN.copy()
    series[60:] += 100.0
    detector = detector_class(**STOPPING | {"epochs": 1}, scaling="standard").fit(series)
    assert detector.scaler_.shift[0] == pytest.approx(series[:60].mean())


@pytest.mark.parametrize("fraction", [0.01, 0.97])
def test_a_held_out_part_without_a_window_is_refused(detector_class: Any, fraction: float) -> None:
    with pytest.raises(ValueError, match="each part needs at least one window of 5"):
        detector_class(**SMALL, validation_fraction=fraction).fit(PLAIN)


def interrupted(monkeypatch: pytest.MonkeyPatch, detector_class: Any, chunks: int) -> None:
    """Makes Ctrl-C come after so many chunks."""
    train = detector_class.backend.train

    def wrapper(*arguments: Any) -> Iterator[Any]:
        states = train(*arguments)
        for _ in range(chunks):
            yield next(states)
        raise KeyboardInterrupt

    monkeypatch.setattr(detector_class.backend, "train", wrapper)


@pytest.mark.parametrize(("steps", "chunks", "epochs"), [(10, 2, 2), (10, 1, 1), (5, 5, 2), (5, 2, 1), (20, 1, 2)])
def test_ctrl_c_keeps_the_last_finished_epoch(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch, steps: int, chunks: int, epochs: int
) -> None:
    monkeypatch.setattr("twinvae.network.training.CHUNK_STEPS", steps)  # an epoch has ten steps
    expected = detector_class(**SMALL | {"epochs": epochs}).fit(PLAIN)
    interrupted(monkeypatch, detector_class, chunks)
    with pytest.warns(UserWarning, match=f"training interrupted: kept the parameters of epoch {epochs} of 3"):
        detector = detector_class(**SMALL).fit(PLAIN)
    assert all((detector.parameters_[name] == array).all() for name, array in expected.parameters_.items())
    assert detector.history_ == expected.history_
    assert (detector.decision_function(SPIKE) == expected.decision_function(SPIKE)).all()
    assert detector.thresholds_ == expected.thresholds_


@pytest.mark.parametrize("chunks", [0, 1])
def test_ctrl_c_before_an_epoch_is_over_is_raised(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    monkeypatch.setattr("twinvae.network.training.CHUNK_STEPS", 5)
    interrupted(monkeypatch, detector_class, chunks)
    detector = detector_class(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(PLAIN)
    assert not hasattr(detector, "parameters_")


def test_ctrl_c_in_the_first_held_out_loss_does_not_pass_off_untrained_weights(
    detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr("twinvae.network.training._loss", stop)
    with pytest.raises(KeyboardInterrupt):
        detector_class(**STOPPING).fit(PLAIN)


@pytest.mark.parametrize("scale", [1e10, 1e20, 1e30])
def test_a_training_that_overflows_says_so(detector_class: Any, scale: float) -> None:
    with pytest.raises(ValueError, match=r"training diverged|too large|overflows"):
        detector_class(**SMALL, learning_rate=1e30).fit(scale * PLAIN)


@pytest.mark.parametrize("scale", [1e20, 1e30])
def test_a_series_whose_squares_overflow_float32_is_refused_or_fitted_in_earnest(
    detector_class: Any, scale: float
) -> None:
    try:
        detector = detector_class(**SMALL).fit(scale * PLAIN)
    except ValueError:
        return
    assert np.isfinite(detector.history_["loss"]).all()
    assert np.isfinite(list(detector.thresholds_.values())).all()
    assert np.isfinite(detector.decision_scores_).all()


def test_a_series_whose_deviation_overflows_float64_is_refused(detector_class: Any) -> None:
    with pytest.raises(ValueError, match="too large"):
        detector_class(**SMALL, scaling="standard", dtype="float64").fit(1e200 * PLAIN)


# Scores.


def test_fit_returns_the_detector_and_describes_the_training_series(pair: tuple[Any, Any]) -> None:
    for detector, series in zip(pair, (PLAIN, CHANNELS), strict=True):
        assert detector.fit_predict.__self__ is detector
        assert_close(detector.decision_scores_, detector.decision_function(series), rounding("float64"))
        assert (detector.labels_ == detector.predict(series)).all()
        assert detector.threshold_ == detector.thresholds_["reconstruction"]
        assert set(detector.thresholds_) == {*KINDS, "single_window"}
    assert pair[0].channels_ == ("0",)


def test_fit_predict_fits_and_labels(detector_class: Any) -> None:
    detector = detector_class(**SMALL, margin=0.5)
    labels = detector.fit_predict(PLAIN)
    assert labels.dtype == np.int8
    assert 0 < labels.sum() < len(PLAIN)
    assert (labels == detector.predict(PLAIN)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_score_is_the_oracle_s(pair: tuple[Any, Any], kind: Any) -> None:
    for detector, series in zip(pair, (SPIKE[:, None], CHANNELS), strict=True):
        scaled = (series - detector.scaler_.shift) / detector.scaler_.scale
        expected = reference.scores(scaled, detector.parameters_, 5, kind, *detector.calibration_[1:])
        expected = np.where(np.isnan(expected), detector.calibration_.warm_up, expected)
        assert_close(detector.contributions(series, kind=kind), expected, 10 * rounding("float64"))
        assert_close(detector.decision_function(series, kind=kind), expected.mean(axis=1), 10 * rounding("float64"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("time", [10, 40, 70])
def test_a_spike_at_t_peaks_at_t(fitted: Any, kind: Any, time: int) -> None:
    series = PLAIN.copy()
    series[time] += 20.0
    scores = fitted.decision_function(series, kind=kind)
    assert scores.shape == (80,)
    assert scores.argmax() == time or (kind == "window" and scores[time] == pytest.approx(scores.max()))
    assert [event for event in fitted.events(series, kind=kind) if event.start <= time < event.end]


@pytest.mark.parametrize("kind", KINDS)
def test_the_constructor_s_kind_decides(detector_class: Any, kind: Any) -> None:
    detector = detector_class(**SMALL, kind=kind, dtype="float64").fit(PLAIN)
    assert_close(detector.decision_function(SPIKE), detector.decision_function(SPIKE, kind=kind), rounding("float64"))
    assert (detector.predict(SPIKE) == detector.predict(SPIKE, kind=kind)).all()
    assert detector.threshold_ == detector.thresholds_[kind]
    assert detector.decision_scores_.tolist() == pytest.approx(detector.decision_function(PLAIN).tolist())


@pytest.mark.parametrize("method", ["decision_function", "contributions", "predict", "events"])
def test_an_unknown_kind_is_refused(fitted: Any, method: str) -> None:
    with unchecked(), pytest.raises(ValueError, match="kind must be one of"):
        getattr(fitted, method)(PLAIN, kind="nonsense")


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_is_a_score_strictly_above_the_threshold(fitted: Any, kind: Any) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    scores = copy.decision_function(SPIKE, kind=kind)
    middle = sorted(set(scores.tolist()))[len(set(scores.tolist())) // 2]
    copy.thresholds_[kind] = middle
    labels = copy.predict(SPIKE, kind=kind)
    start = 4 if kind == "causal" else 0
    assert labels[start:].tolist() == (scores > middle)[start:].astype(int).tolist()
    assert labels[start:][scores[start:] == middle].tolist() == [0]


def test_the_first_steps_of_causal_are_warming_up(fitted: Any) -> None:
    causal = reference.scores(PLAIN[:, None], fitted.parameters_, 5, "causal")[4:, 0]
    assert fitted.calibration_.warm_up == pytest.approx(np.median(causal))
    assert fitted.thresholds_["causal"] == pytest.approx(6.0 * causal.max())
    assert (fitted.decision_function(SPIKE, kind="causal")[:4] == fitted.calibration_.warm_up).all()
    copy = pickle.loads(pickle.dumps(fitted))
    copy.thresholds_["causal"] = 0.0
    assert copy.predict(SPIKE, kind="causal").tolist() == [0] * 4 + [1] * 76
    assert copy.events(SPIKE, kind="causal")[0].start == 4


def test_a_causal_fit_has_warm_up_scores_and_labels(detector_class: Any) -> None:
    detector = detector_class(**SMALL, kind="causal", margin=1e-9).fit(PLAIN)
    assert detector.decision_scores_[:4] == pytest.approx([detector.calibration_.warm_up] * 4)
    assert detector.labels_.tolist() == [0] * 4 + [1] * 76


def test_causal_uses_no_future(fitted: Any) -> None:
    changed = PLAIN.copy()
    changed[50:] = RANDOM.normal(100.0, 10.0, 30)
    before, after = (fitted.decision_function(series, kind="causal") for series in (PLAIN, changed))
    assert (before[:50] == after[:50]).all()
    assert (before[50:] != after[50:]).all()
    for kind in ("point", "reconstruction", "window"):
        before, after = (fitted.decision_function(series, kind=kind) for series in (PLAIN, changed))
        assert (before[46:50] != after[46:50]).all(), "the others do use it"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "multiscale"])  # that looks further
def test_scores_of_a_part_are_those_of_the_whole_away_from_its_ends(fitted: Any, kind: Any) -> None:
    whole, part = (fitted.decision_function(series, kind=kind) for series in (SPIKE, SPIKE[20:60]))
    assert_close(part[8:-8], whole[28:52], 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_average_to_the_score_and_change_with_their_channel(many: Any, kind: Any) -> None:
    parts = many.contributions(CHANNELS, kind=kind)
    assert parts.shape == (80, 3)
    assert_close(many.decision_function(CHANNELS, kind=kind), parts.mean(axis=1), rounding("float64"))
    changed = CHANNELS.copy()
    changed[40, 1] += 30.0
    event = next(e for e in many.events(changed, kind=kind) if e.start <= 40 < e.end)
    assert next(iter(event.channels)) == ("0" if kind == "divergence" else "1"), "the KL belongs to no channel"
    assert sum(event.channels.values()) == pytest.approx(1.0)


def test_draws_average_seeded_latent_draws(detector_class: Any) -> None:
    detector = detector_class(**SMALL, draws=3, seed=5, dtype="float64").fit(PLAIN)
    x = reference.windows(SPIKE[:, None], 5)[:, :, 0]
    mean, log_variance = reference.encode(x, detector.parameters_)
    noises = np.random.default_rng([5, 3]).standard_normal((3, 2))
    expected = np.zeros(80)
    for noise in noises:
        x_hat = reference.decode(mean + np.exp(log_variance / 2) * noise, detector.parameters_)
        covering = [[(w, t - w) for w in range(76) if w <= t < w + 5] for t in range(80)]
        average = np.array([np.mean([x_hat[pair] for pair in pairs]) for pairs in covering])
        expected += (SPIKE - average) ** 2 / 3
    assert_close(detector.decision_function(SPIKE), expected, 1e-12)
    assert (detector.decision_function(SPIKE) == detector.decision_function(SPIKE)).all()
    assert_close(detector.decision_scores_, detector.decision_function(PLAIN), 1e-12)
    none = detector_class(**SMALL, seed=5, dtype="float64").fit(PLAIN)
    assert (none.parameters_["output.bias"] == detector.parameters_["output.bias"]).all()
    assert np.abs(none.decision_function(SPIKE) - detector.decision_function(SPIKE)).max() > 1e-6


def test_draws_are_alike_in_both_backends() -> None:
    one, other = (detector_of(name)(**SMALL, draws=2, dtype="float64").fit(CHANNELS) for name in BACKENDS)
    for kind in KINDS:
        scores = one.decision_function(CHANNELS, kind=kind)
        assert_close_in_range(other.decision_function(CHANNELS, kind=kind), scores, 1e-10)
        assert other.thresholds_[kind] == pytest.approx(one.thresholds_[kind], rel=1e-9)


@pytest.mark.parametrize("method", ["maximum", "quantile", "robust"])
def test_each_kind_s_threshold_is_that_of_its_training_scores_away_from_the_ends(
    detector_class: Any, method: str
) -> None:
    detector = detector_class(**SMALL, threshold=method, dtype="float64").fit(CHANNELS)
    for kind in KINDS:
        scores = detector.decision_function(CHANNELS, kind=kind)
        scores = scores[4:] if kind == "causal" else scores[fully_covered(80, 5)]
        assert detector.thresholds_[kind] == pytest.approx(threshold(scores, detector.config_), rel=1e-12)
    windows = reference.windows(CHANNELS, 5).reshape(76, 15)
    x_hat = reference.decode(reference.encode(windows, detector.parameters_)[0], detector.parameters_)
    single = threshold(((windows - x_hat) ** 2).mean(axis=1), detector.config_)
    assert detector.thresholds_["single_window"] == pytest.approx(single, rel=1e-12)


def test_pot_needs_a_long_series_and_works_on_one(detector_class: Any) -> None:
    with pytest.raises(ValueError, match="train on a longer series"):
        detector_class(**SMALL, threshold="pot").fit(PLAIN)
    series = np.random.default_rng(0).normal(size=2000)
    detector = detector_class(**SMALL, threshold="pot", false_alarm_rate=1e-3).fit(series)
    assert (detector.decision_function(np.random.default_rng(1).normal(size=5000)) > detector.threshold_).mean() < 5e-3


def test_min_length_and_merge_gap_shape_the_events(detector_class: Any) -> None:
    series = PLAIN.copy()
    series[[20, 30]] += 20.0
    for settings, expected in (
        ({"merge_gap": 0}, 2),
        ({"merge_gap": 40}, 1),
        ({"merge_gap": 0, "min_length": 60}, 0),
    ):
        detector = detector_class(**SMALL, **settings).fit(PLAIN)
        labels = detector.predict(series)
        events = detector.events(series)
        assert len(events) == expected, (settings, labels)


# Latent points, reconstructions, single windows.


def test_latent_points_are_the_oracle_s_means(many: Any) -> None:
    scaled = (CHANNELS - many.scaler_.shift) / many.scaler_.scale
    expected = reference.encode(reference.windows(scaled, 5).reshape(76, 15), many.parameters_)[0]
    assert_close(many.latent(CHANNELS), expected, rounding("float64"))


def test_a_reconstruction_has_the_units_of_the_series(many: Any) -> None:
    scaled = (CHANNELS - many.scaler_.shift) / many.scaler_.scale
    expected = many.reconstruct(CHANNELS)
    assert expected.shape == (80, 3)
    error = ((CHANNELS - expected) / many.scaler_.scale) ** 2
    assert_close(many.contributions(CHANNELS, kind="reconstruction"), error, 1e-12)
    every = reference.windows(scaled, 5)
    x_hat = reference.decode(reference.encode(every.reshape(76, 15), many.parameters_)[0], many.parameters_)
    middle = np.mean([x_hat.reshape(every.shape)[w, 40 - w] for w in range(36, 41)], axis=0)
    assert_close(expected[40], middle * many.scaler_.scale + many.scaler_.shift, 1e-12)


def test_scores_and_reconstructions_follow_a_change_of_units(detector_class: Any) -> None:
    one = detector_class(**SMALL, scaling="standard", dtype="float64").fit(CHANNELS)
    factor, offset = np.array([1e3, 1e-3, 7.0]), np.array([5.0, -3.0, 0.0])
    other = detector_class(**SMALL, scaling="standard", dtype="float64").fit(CHANNELS * factor + offset)
    assert_close(other.decision_scores_, one.decision_scores_, 1e-8)
    assert_close((other.reconstruct(CHANNELS * factor + offset) - offset) / factor, one.reconstruct(CHANNELS), 1e-8)


def test_a_window_scorer_is_the_window_statistic(pair: tuple[Any, Any]) -> None:
    for detector, series in zip(pair, (PLAIN[:, None], CHANNELS), strict=True):
        score = detector.window_scorer()
        every = reference.windows(series, 5)
        scaled = (every - detector.scaler_.shift) / detector.scaler_.scale
        flat = scaled.reshape(len(every), -1)
        x_hat = reference.decode(reference.encode(flat, detector.parameters_)[0], detector.parameters_)
        expected = ((flat - x_hat) ** 2).mean(axis=1)
        assert_close(score(every), expected, rounding("float64"))
        assert_close(score(every[7]), expected[7:8], rounding("float64"))
        assert detector.thresholds_["single_window"] == pytest.approx(6.0 * expected.max())
    assert pair[0].window_scorer()(PLAIN[:5]).shape == (1,)


@pytest.mark.parametrize("windows", [np.zeros(4), np.zeros((2, 7)), np.zeros(0), np.zeros((0, 5, 1))])
def test_a_window_scorer_refuses_other_shapes(fitted: Any, windows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"windows must have shape \(n, 5, 1\)"):
        fitted.window_scorer()(windows)


def test_a_window_scorer_refuses_shapes_that_only_have_the_right_size(many: Any) -> None:
    with pytest.raises(ValueError, match=r"windows must have shape \(n, 5, 3\)"):
        many.window_scorer()(np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"windows must have shape \(n, 5, 3\)"):
        many.window_scorer()(np.zeros((5, 5, 3)).transpose(0, 2, 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_window_scorer_refuses_values_that_are_not_finite(fitted: Any, bad: float) -> None:
    with pytest.raises(ValueError, match="missing, infinite or too large"):
        fitted.window_scorer()(np.array([0.0, bad, 0.0, 0.0, 0.0]))


# Good and bad series.

SAME: dict[str, Callable[[np.ndarray], Any]] = {
    "list": lambda x: x.tolist(),
    "big-endian": lambda x: x.astype(">f8"),
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "Fortran order": np.asfortranarray,
    "pandas": lambda x: pd.DataFrame(x, columns=["0", "1", "2"]),
    "polars": lambda x: pl.DataFrame(x, schema=["0", "1", "2"], orient="row"),
    "objects": lambda x: x.astype(object),
}


@pytest.mark.parametrize("kind", SAME)
def test_each_kind_of_array_scores_alike(many: Any, kind: str) -> None:
    expected = many.decision_function(CHANNELS)
    assert (many.decision_function(SAME[kind](CHANNELS)) == expected).all()


@pytest.mark.parametrize("kind", SAME)
def test_each_kind_of_array_fits_alike(kind: str) -> None:
    expected = detector_of("jax")(**SMALL).fit(CHANNELS).decision_scores_
    assert (detector_of("jax")(**SMALL).fit(SAME[kind](CHANNELS)).decision_scores_ == expected).all()


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float32, ">f4", np.float16])
@pytest.mark.parametrize("series", [pd.Series, pl.Series, np.asarray])
def test_integers_and_short_floats_score_alike(fitted: Any, dtype: Any, series: Any) -> None:
    whole = np.round(10 * PLAIN)
    expected = fitted.decision_function(whole)
    values = whole.astype(dtype)
    if series is not np.asarray:  # data frames have the native byte order
        values = values.astype(values.dtype.newbyteorder("="))
        values = values.astype(np.float32) if values.dtype == np.float16 else values
    assert (fitted.decision_function(series(values)) == expected).all()


def test_fit_and_scoring_leave_the_series_alone(detector_class: Any) -> None:
    series = CHANNELS.copy()
    series.flags.writeable = False
    detector = detector_class(**SMALL).fit(series)
    for kind in KINDS:
        detector.decision_function(series, kind=kind)
    assert (series == CHANNELS).all()


BAD_SERIES: dict[str, tuple[Any, type[Exception], str]] = {
    "NaN": (np.where(np.arange(80) == 7, np.nan, PLAIN), ValueError, "missing value at row 7, column 0"),
    "infinity": (np.where(np.arange(80) == 7, np.inf, PLAIN), ValueError, "infinite value at row 7, column 0"),
    "short": (PLAIN[:4], ValueError, "4 time steps, fewer than the window of 5"),
    "empty": ([], ValueError, "empty"),
    "3-D": (np.zeros((80, 2, 2)), ValueError, "3 dimensions"),
    "ragged": ([[1.0], [1.0, 2.0]], ValueError, "ragged"),
    "words": (["a"] * 80, TypeError, "real numbers"),
    "too large for float32": (np.where(np.arange(80) == 7, 1e39, PLAIN), ValueError, "row 7 is too large for float32"),
}


@pytest.mark.parametrize("name", BAD_SERIES)
def test_a_bad_series_is_refused_by_fit_and_by_scoring(detector_class: Any, name: str) -> None:
    series, error, message = BAD_SERIES[name]
    detector = detector_class(**SMALL)
    with pytest.raises(error, match=message):
        detector.fit(series)
    detector.fit(PLAIN)
    with pytest.raises(error, match=message):
        detector.decision_function(series)


@pytest.mark.parametrize("series", [np.zeros(80), np.full(80, 3.7), np.full((80, 2), [1.0, 2.0])])
def test_a_constant_series_cannot_be_learnt(detector_class: Any, series: np.ndarray) -> None:
    with pytest.raises(ValueError, match="constant"):
        detector_class(**SMALL).fit(series)


def test_a_constant_channel_is_named_in_a_warning(detector_class: Any) -> None:
    frame = pd.DataFrame({"a": PLAIN, "flat": np.full(80, 3.7)})
    with pytest.warns(UserWarning, match="constant in the training series: flat"):
        detector = detector_class(**SMALL, scaling="standard").fit(frame)
    assert detector.scaler_.scale[1] == 1.0
    assert np.isfinite(detector.decision_scores_).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_that_overflows_is_refused_in_words(detector_class: Any, kind: Any) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    series = PLAIN.copy()
    series[40] = 1e30
    with pytest.raises(ValueError, match="overflows float32: remove the outlier or fit in float64"):
        detector.decision_function(series, kind=kind)


def test_a_large_outlier_scores_in_float64(fitted: Any) -> None:
    series = PLAIN.copy()
    series[40] = 1e30
    scores = fitted.decision_function(series)
    assert np.isfinite(scores).all()
    assert scores.argmax() == 40
    assert_close(scores[:30], fitted.decision_function(PLAIN)[:30], 1e-12)


def test_missing_values_are_interpolated_where_asked_for(detector_class: Any) -> None:
    holes = PLAIN.copy()
    holes[[10, 11, 50]] = np.nan
    filled = holes.copy()
    known = np.isfinite(holes)
    filled[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), holes[known])
    detector = detector_class(**SMALL, missing="interpolate").fit(holes)
    assert (detector.decision_scores_ == detector_class(**SMALL).fit(filled).decision_scores_).all()
    assert (detector.decision_function(holes) == detector.decision_function(filled)).all()


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_another_number_of_channels_is_refused(many: Any, channels: int) -> None:
    for method in (many.decision_function, many.latent, many.reconstruct, many.events):
        with pytest.raises(ValueError, match=f"has {channels} channels, the detector was fitted on 3"):
            method(np.zeros((80, channels)))


def test_columns_in_another_order_or_of_other_names_are_refused(detector_class: Any) -> None:
    frame = pd.DataFrame(CHANNELS, columns=["a", "b", "c"])
    detector = detector_class(**SMALL).fit(frame)
    assert detector.channels_ == ("a", "b", "c")
    expected = detector.decision_function(frame)
    assert (detector.decision_function(CHANNELS) == expected).all(), "an array has no names"
    assert (detector.decision_function(pl.from_pandas(frame)) == expected).all()
    for wrong in (frame[["b", "a", "c"]], frame.rename(columns={"c": "d"}), pl.from_pandas(frame[["c", "b", "a"]])):
        with pytest.raises(ValueError, match="the detector was fitted on a, b, c"):
            detector.decision_function(wrong)


def test_a_series_of_one_window_is_enough(detector_class: Any) -> None:
    detector = detector_class(**SMALL).fit(PLAIN[:5])
    for kind in KINDS:
        assert detector.decision_function(PLAIN[:5], kind=kind).shape == (5,)
    assert detector.latent(PLAIN[:5]).shape == (1, 2)


def test_a_window_of_one_has_no_warm_up(detector_class: Any) -> None:
    detector = detector_class(**SMALL | {"window": 1}, kind="causal", margin=1e-9).fit(PLAIN)
    assert detector.labels_.all()
    assert_close(
        detector.decision_function(SPIKE, kind="causal"), detector.decision_function(SPIKE, kind="point"), 1e-6
    )


def test_a_good_fit_and_score_warn_of_nothing(detector_class: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector_class(**SMALL, scaling="standard", validation_fraction=0.2).fit(CHANNELS).events(CHANNELS)


# The product's path runs the module and the optimiser that it names.


@pytest.fixture
def fresh_programs() -> Iterator[None]:
    """Nothing compiled before the test or in it is used in the other."""
    import jax

    from vae_jax import train

    def clear() -> None:
        jax.clear_caches()  # type: ignore[no-untyped-call]
        train._compiled.cache_clear()

    clear()
    yield
    clear()


@pytest.mark.usefixtures("fresh_programs")
def test_a_change_of_the_module_changes_scores_and_training(
    backend_name: str, detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    detector = detector_class(**SMALL).fit(PLAIN)
    before = {kind: detector.decision_function(PLAIN, kind=kind) for kind in KINDS}
    single, latent = detector.window_scorer()(PLAIN[:5]), detector.latent(PLAIN)

    module = importlib.import_module(f"vae_{backend_name}.model")
    decode = module.VAE.decode
    monkeypatch.setattr(module.VAE, "decode", lambda self, z: decode(self, z) + 1.0)
    if backend_name == "jax":
        import jax

        from vae_jax import train

        jax.clear_caches()  # type: ignore[no-untyped-call]
        train._compiled.cache_clear()
    for kind in KINDS:
        changed = detector.decision_function(PLAIN, kind=kind)[4:] != before[kind][4:]
        assert not changed.any() if kind == "divergence" else changed.all(), "the decoder has no part in the KL"
    assert detector.window_scorer()(PLAIN[:5]) != single
    assert (detector.latent(PLAIN) == latent).all()
    again = detector_class(**SMALL).fit(PLAIN)
    assert (again.parameters_["output.bias"] != detector.parameters_["output.bias"]).any()

    encode = module.VAE.encode
    monkeypatch.setattr(module.VAE, "encode", lambda self, x: tuple(part + 1.0 for part in encode(self, x)))
    if backend_name == "jax":
        jax.clear_caches()  # type: ignore[no-untyped-call]
    assert (detector.latent(PLAIN) != latent).all()


@pytest.mark.usefixtures("fresh_programs")
@pytest.mark.filterwarnings("ignore:posterior collapse")
def test_the_optimiser_is_the_framework_s_adam(
    backend_name: str, detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optax
    import torch

    before = detector_class(**SMALL, learning_rate=0.01).fit(PLAIN)
    if backend_name == "jax":
        from vae_jax import train

        adam: Any = optax.adam
        monkeypatch.setattr(optax, "adam", lambda rate: adam(10 * rate))
        train._compiled.cache_clear()
    else:
        adam = torch.optim.Adam
        monkeypatch.setattr(torch.optim, "Adam", lambda p, lr, **options: adam(p, lr=10 * lr, **options))
    patched = detector_class(**SMALL, learning_rate=0.01).fit(PLAIN)
    monkeypatch.undo()
    if backend_name == "jax":
        train._compiled.cache_clear()
    expected = detector_class(**SMALL, learning_rate=0.1).fit(PLAIN)
    for name, array in patched.parameters_.items():
        assert_close(array, expected.parameters_[name], 1e-5, name)
        assert np.abs(array - before.parameters_[name]).max() > 1e-3


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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_real_ctrl_c_keeps_a_model(name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a\n" + "\n".join(str(np.sin(t / 5)) for t in range(2000)))
    model = tmp_path / "m.safetensors"
    command = [sys.executable, "-m", "twinvae", "fit", str(path), "--model", str(model), "--epochs", "1000000"]
    with subprocess.Popen([*command, "--backend", name], stderr=subprocess.PIPE, text=True) as process:
        for _ in range(600):  # until the training has begun: the process has used some seconds of the processor
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            used = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            if int(used[11]) > 800:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "training interrupted: kept the parameters of epoch" in errors
    assert detector_of(name).load(model).config_.epochs == 1000000
