"""missing="mask": both backends against the oracle, and what a user sees of it."""

import warnings
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import BACKENDS, assert_all_close, assert_close, detector_of, rounding
from tests.helpers.calibrations import made_up
from tests.helpers.gradients import gradient
from tests.oracle import reference
from twinvae.config import KINDS, Config
from twinvae.detector.detector import VAEDetector
from twinvae.network.backend import STATISTICS, load_backend
from twinvae.network.net import Net
from twinvae.network.objective import REFILLS, filled, loss_terms
from twinvae.network.parameters import draw
from twinvae.network.schedule import chunks
from twinvae.scoring.calibration import DURATIONS
from twinvae.scoring.kinds import contributions, mean_over_channels
from twinvae.series.scaling import fit_scaler
from twinvae.windowing.fold import run_errors
from twinvae.windowing.geometry import count

CONFIG = Config(window=5, hidden_dim=4, latent_dim=2, epochs=3, batch_size=8, missing="mask", dtype="float64")
SIZES = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 3, "batch_size": 8}
SMALL = {"preset": "standard", **SIZES, "missing": "mask", "dtype": "float64"}
RANDOM = np.random.default_rng(0)


def with_holes(series: np.ndarray) -> np.ndarray:
    """Some values, a few steps, and a stretch of more than two windows are missing; one channel is silent for long."""
    holes = series.copy()
    holes[np.random.default_rng(3).random(series.shape) < 0.1] = np.nan
    holes[20:23] = np.nan
    holes[40:55] = np.nan
    holes[70:90, -1] = np.nan
    holes[[0, -1]] = np.nan
    return holes


SERIES = np.sin(np.arange(120.0)[:, None] / [3.0, 5.0]) + 0.1 * RANDOM.normal(size=(120, 2))
HOLES = with_holes(SERIES)
NET = Net.of(CONFIG, 2, masked=True)
PLAIN_NET = Net.of(CONFIG, 2)
PARAMETERS = draw(NET, 0)
STARTS = np.array([0, 5, 18, 42, 70, 72, 100])  # one window without a value
BATCH = reference.windows(HOLES, 5)[STARTS]
WEIGHTS = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
NOISE = RANDOM.normal(size=(7, 2))
KNOWN = made_up(2, 5, durations=DURATIONS, dtype="float64", seed=2)


def assert_same(actual: Any, expected: Any, tolerance: float, what: str = "array") -> None:
    """`assert_close`, with NaN at the same places."""
    assert (np.isnan(actual) == np.isnan(expected)).all(), f"{what}: NaN at other places"
    assert_close(np.nan_to_num(actual), np.nan_to_num(expected), tolerance, what)


# The oracle.


def test_the_loss_and_every_gradient_are_the_oracle_s(backend_name: str) -> None:
    flat = BATCH.reshape(7, -1)
    squared, divergence = reference.loss(flat, WEIGHTS, NOISE, PARAMETERS)
    slopes = reference.gradient(flat, WEIGHTS, NOISE, PARAMETERS, 2.0)
    result = gradient(backend_name, NET, PARAMETERS, BATCH, WEIGHTS, NOISE, CONFIG.beta)
    assert_close(result.squared_error, squared, rounding("float64"))
    assert_close(result.divergence, divergence.sum(), rounding("float64"))
    assert_all_close(result.parameters, slopes, rounding("float64"))


def test_the_oracle_s_gradient_is_that_of_finite_differences() -> None:
    flat, step = BATCH.reshape(7, -1), 1e-6
    for name, slope in reference.gradient(flat, WEIGHTS, NOISE, PARAMETERS, 2.0).items():
        ends = []
        for sign in (-1, 1):
            moved = {key: array.copy() for key, array in PARAMETERS.items()}
            moved[name].flat[1] += sign * step
            ends.append(np.dot(np.hstack(reference.loss(flat, WEIGHTS, NOISE, moved)), [1.0, 2.0, 2.0]))
        assert (ends[1] - ends[0]) / (2 * step) == pytest.approx(slope.flat[1], rel=1e-5, abs=1e-6)


def test_the_comparison_fails_where_the_mask_is_ignored(backend_name: str) -> None:
    squared, _ = reference.loss(BATCH.reshape(7, -1), WEIGHTS, NOISE, PARAMETERS)
    result = gradient(backend_name, PLAIN_NET, PARAMETERS, np.nan_to_num(BATCH), WEIGHTS, NOISE, CONFIG.beta)
    with pytest.raises(AssertionError, match="off by"):
        assert_close(result.squared_error, squared, 1e-3)


@pytest.mark.parametrize("steps", [10, None])
def test_training_is_the_oracle_s(backend: Any, steps: int | None) -> None:
    schedule = list(chunks(count(120, 5), CONFIG, 0, limit=1 if steps else 512))
    some = [chunk._replace(used=1) for chunk in islice(schedule, steps)] if steps else schedule
    expected, terms = reference.train(PARAMETERS, HOLES, schedule, window=5, beta=2.0, learning_rate=1e-3, steps=steps)
    results = list(backend.train(NET, PARAMETERS, HOLES, some, CONFIG))
    assert_all_close(results[-1].parameters, expected, 1e-10)
    assert_close(np.concatenate([result.terms for result in results]), terms, 1e-10)


@cache
def statistics_of(backend_name: str, blocks: bool) -> dict[str, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        if blocks:
            patch.setattr(f"vae_{backend_name}.score.BLOCK_VALUES", 1)  # blocks of 64 windows, the least
        found: dict[str, np.ndarray] = load_backend(backend_name).statistics(NET, PARAMETERS, HOLES, STATISTICS, "auto")
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blocks", [False, True])
def test_scores_are_the_oracle_s(backend_name: str, kind: Any, blocks: bool) -> None:
    scores = contributions(kind, HOLES, statistics_of(backend_name, blocks), 5, KNOWN)
    expected = reference.masked_scores(HOLES, PARAMETERS, 5, kind, KNOWN)
    if kind == "causal":
        expected = hold_the_warm_up(expected)
    assert_same(scores, expected, rounding("float64"), kind)
    plain = reference.scores(np.nan_to_num(HOLES), PARAMETERS, 5, kind, KNOWN)
    known = np.isfinite(HOLES) & np.isfinite(expected) & np.isfinite(plain)
    with pytest.raises(AssertionError, match="off by"):  # zeros are no values
        assert_close(scores[known], plain[known], 1e-3)


def hold_the_warm_up(expected: np.ndarray) -> np.ndarray:
    """The first steps score 0.25, and so do missing steps until the first causal score."""
    expected = expected.copy()
    expected[:4] = 0.25
    for channel in expected.T:
        for t in range(4, 8):
            channel[t] = channel[t - 1] if np.isnan(channel[t]) else channel[t]
    return expected


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_gap_the_oracle_s_two_scores_are_the_same(kind: Any) -> None:
    masked = reference.masked_scores(SERIES, PARAMETERS, 5, kind, KNOWN)
    plain = reference.scores(SERIES, PARAMETERS, 5, kind, KNOWN)
    assert_same(hold_the_warm_up(masked) if kind == "causal" else masked, plain, 1e-12)


def test_a_bound_scorer_averages_over_the_values_of_a_window(backend: Any) -> None:
    scores = backend.bind(NET, PARAMETERS, "auto")(reference.windows(HOLES, 5))
    error = (reference.windows(HOLES, 5) - reference.reconstructions(HOLES, PARAMETERS, 5)[0]) ** 2
    held = np.isfinite(error).sum(axis=(1, 2))
    expected = np.where(held > 0, np.nansum(error, axis=(1, 2)) / np.maximum(held, 1), np.nan)
    assert_same(scores, expected, rounding("float64"))


def test_encode_takes_missing_values_as_the_model_draws_them(backend: Any) -> None:
    every = reference.windows(HOLES, 5)
    x = np.where(np.isnan(every), filled_in(every), every).reshape(len(every), -1)
    for actual, expected in zip(
        backend.encode(NET, PARAMETERS, HOLES, "auto"), reference.encode(x, PARAMETERS), strict=True
    ):
        assert_close(actual, expected, rounding("float64"))


def filled_in(every: np.ndarray) -> np.ndarray:
    """The reconstruction that the last round of filling takes."""
    flat = every.reshape(len(every), -1)
    guess = np.zeros_like(flat)
    for _ in range(REFILLS):
        guess = reference.decode(reference.encode(np.where(np.isnan(flat), guess, flat), PARAMETERS)[0], PARAMETERS)
    return guess.reshape(every.shape)


# The mask itself.


@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_a_value_that_is_left_out_never_counts(seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    x, x_hat = generator.normal(size=(2, 6, 8))
    mean, log_variance, weights = *generator.normal(size=(2, 6, 3)), generator.random(6)
    observed = generator.random((6, 8)) >= share
    one = np.hstack(loss_terms(x, x_hat, mean, log_variance, weights, np, observed))
    other = np.hstack(loss_terms(np.where(observed, x, 1e6), x_hat, mean, log_variance, weights, np, observed))
    assert (one == other).all()
    assert one.min() >= 0
    holes = np.where(observed, x, np.nan)
    assert (filled(holes, np)[1] == observed).all()


def test_leaving_nothing_out_is_no_mask() -> None:
    x, x_hat = RANDOM.normal(size=(2, 6, 8))
    mean, log_variance = RANDOM.normal(size=(2, 6, 3))
    plain = np.hstack(loss_terms(x, x_hat, mean, log_variance, np.ones(6), np))
    everything = np.hstack(loss_terms(x, x_hat, mean, log_variance, np.ones(6), np, np.ones((6, 8), bool)))
    assert (everything == plain).all()


def test_a_complete_series_is_computed_as_without_masks(detector_class: Any) -> None:
    masked, plain = detector_class(**SMALL).fit(SERIES), detector_class(**SMALL | {"missing": "error"}).fit(SERIES)
    assert masked.config_.missing == "mask"
    assert all((masked.parameters_[name] == array).all() for name, array in plain.parameters_.items())
    assert masked.thresholds_ == plain.thresholds_
    assert (masked.decision_function(SERIES) == plain.decision_function(SERIES)).all()


def test_the_masked_program_computes_the_same_for_a_complete_series(backend: Any) -> None:
    names = ("point", "reconstruction", "window", "causal", "divergence")
    expected = backend.statistics(PLAIN_NET, PARAMETERS, SERIES, names, "auto")
    assert_all_close(backend.statistics(NET, PARAMETERS, SERIES, names, "auto"), expected, 1e-12)


def test_run_errors_weigh_a_run_by_what_is_known_of_it() -> None:
    point = np.array([[1.0], [np.nan], [np.nan], [np.nan], [3.0]])
    assert run_errors(point, 1)[:, 0] == pytest.approx([1.0, np.nan, np.nan, np.nan, 3.0], nan_ok=True)
    assert run_errors(point, 2)[:, 0] == pytest.approx([1.0, 1.0, np.nan, 3.0, 3.0], nan_ok=True)


def test_a_scaler_leaves_missing_values_out() -> None:
    series = np.array([[1.0, np.nan], [np.nan, 5.0], [3.0, 5.0]])
    assert fit_scaler(series, "standard").shift.tolist() == [2.0, 5.0]
    assert fit_scaler(series, "standard").scale.tolist() == [1.0, 1.0]


# What a user sees.


@pytest.fixture(scope="module", params=BACKENDS)
def detector(request: pytest.FixtureRequest) -> VAEDetector:
    fitted: VAEDetector = detector_of(str(request.param))(**SMALL).fit(HOLES)
    return fitted


def test_a_fit_with_gaps_is_finite(detector: VAEDetector) -> None:
    assert np.isfinite(detector.history_["loss"]).all()
    assert np.isfinite(list(detector.thresholds_.values())).all()
    assert not detector.labels_.any()


@pytest.mark.parametrize("kind", KINDS)
def test_only_steps_without_a_value_within_a_window_have_no_score(detector: VAEDetector, kind: Any) -> None:
    with pytest.warns(UserWarning, match=r"time steps have no value within a window"):
        scores = detector.decision_function(HOLES, kind=kind)
    unknown = slice(44, 55) if kind in ("causal", "trailing") else slice(44, 51)
    assert np.isnan(scores[unknown]).all()
    assert np.isnan(scores).sum() == unknown.stop - unknown.start
    with pytest.warns(UserWarning, match="no value within"):
        assert not detector.detect(HOLES, kind=kind).alarms[unknown].any()
    with pytest.warns(UserWarning, match="no value within"):
        parts = detector.contributions(HOLES, kind=kind)
    assert np.isnan(parts[80, 1])
    assert scores[80] == parts[80, 0]
    assert (mean_over_channels(parts) == scores)[~np.isnan(scores)].all()


def test_what_a_missing_value_was_is_never_seen(detector: VAEDetector) -> None:
    one, other = SERIES[:40].copy(), SERIES[:40].copy()
    other[10, 1] = 1e9
    one[10, 1] = other[10, 1] = np.nan
    assert (detector.decision_function(one) == detector.decision_function(other)).all()


def test_a_silent_channel_leaves_the_others_to_score(detector: VAEDetector) -> None:
    silent = SERIES.copy()
    silent[:, 1] = np.nan
    silent[60, 0] += 30.0
    scores = detector.decision_function(silent)
    assert np.isfinite(scores).all()
    (event,) = detector.events(silent)
    assert event.start <= 60 < event.end
    assert event.channels["0"] == 1.0


def test_an_event_across_a_gap_has_a_peak(detector: VAEDetector) -> None:
    torn = SERIES.copy()
    torn[60] += 30.0
    torn[61:76] = np.nan
    torn[76] += 30.0
    with pytest.warns(UserWarning, match="no value within"):
        (event,) = detector.events(torn)
    assert np.isfinite(event.score)
    assert event.start <= 60
    assert event.end > 76
    assert sum(event.channels.values()) == pytest.approx(1.0)


def test_the_reconstruction_says_what_is_expected_of_a_missing_value(detector: VAEDetector) -> None:
    holes = SERIES.copy()
    holes[10, 0] = np.nan
    assert np.isfinite(detector.reconstruct(holes)).all()
    assert np.isfinite(detector.latent(holes)).all()


def test_a_window_scorer_takes_missing_values_only_with_masks(detector: VAEDetector) -> None:
    windows = reference.windows(HOLES, 5)[[10, 70, 42]]
    score = detector.window_scorer()
    scores = score(windows)
    assert np.isfinite(scores[:2]).all()
    assert np.isnan(scores[2]), "the window has no values"
    for bad in (np.inf, 1e300):
        worse = windows.copy()
        worse[0, 0, 0] = bad
        with pytest.raises(ValueError, match="infinite or too large"):
            score(worse)


def test_the_held_out_loss_is_that_of_the_observed_values(detector_class: Any) -> None:
    fitted = detector_class(**SMALL, validation_fraction=0.25).fit(HOLES)
    tail = (HOLES[90:] - fitted.scaler_.shift) / fitted.scaler_.scale
    x = reference.windows(tail, 5).reshape(26, -1)
    error = np.nansum((x - reference.reconstructions(tail, fitted.parameters_, 5)[0].reshape(26, -1)) ** 2, axis=1)
    best = int(np.argmin(fitted.history_["validation_loss"]))
    inputs = np.where(np.isnan(x), filled_by(fitted, tail), x)
    mean, log_variance = reference.encode(inputs, fitted.parameters_)
    divergence = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1) * np.isfinite(x).mean(axis=1)
    assert fitted.history_["validation_loss"][best] == pytest.approx((error + 2 * divergence).mean(), rel=1e-9)


def filled_by(fitted: Any, tail: np.ndarray) -> np.ndarray:
    flat = reference.windows(tail, 5).reshape(26, -1)
    guess = np.zeros_like(flat)
    for _ in range(REFILLS):
        inputs = np.where(np.isnan(flat), guess, flat)
        guess = reference.decode(reference.encode(inputs, fitted.parameters_)[0], fitted.parameters_)
    return guess


def test_a_checkpoint_keeps_the_masks_and_both_backends_score_alike(detector: VAEDetector, tmp_path: Any) -> None:
    detector.save(tmp_path / "model.safetensors")
    short = HOLES[:40]
    expected = detector.decision_function(short)
    for name in BACKENDS:
        other = detector_of(name).load(tmp_path / "model.safetensors")
        assert_close(other.decision_function(short), expected, 1e-10)
    with pytest.raises(ValueError, match="missing value at row 0"):
        detector_of("jax").load(tmp_path / "model.safetensors", missing="error").decision_function(short)


def test_a_gap_in_a_pandas_series_is_answered_on_its_index(detector: VAEDetector) -> None:
    frame = pd.DataFrame(HOLES[:40], index=pd.date_range("2026-01-01", periods=40, freq="min"), columns=["0", "1"])
    scores = detector.decision_function(frame)
    assert (scores.index == frame.index).all()
    assert (scores.to_numpy() == detector.decision_function(HOLES[:40])).all()


def test_auto_chooses_the_window_of_a_series_with_gaps() -> None:
    series = np.sin(2 * np.pi * np.arange(800) / 90)
    holes = series.copy()
    holes[np.random.default_rng(0).random(800) < 0.1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert detector_of("torch")(epochs=1, missing="mask").fit(holes).config_.window == 90


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.full(60, np.nan), "no values at all"),
        (np.where(np.arange(120)[:, None] * [1, 0] > -1, [[1.0, np.nan]], 0.0), "column 1 has no values"),
        (np.where(np.arange(60) < 4, np.arange(60.0), np.nan), "no values away from its ends"),
    ],
)
def test_a_series_with_too_few_values_is_refused(detector_class: Any, series: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detector_class(**SMALL).fit(series)


@pytest.mark.filterwarnings("ignore:.*have no value within a window")
def test_with_centring_a_level_has_no_part_in_scores_next_to_gaps() -> None:
    settings = SMALL | {"centring": "window"}
    scores = [detector_of(name)(**settings).fit(HOLES).decision_function(HOLES, kind="point") for name in BACKENDS]
    assert_same(scores[1], scores[0], 1e-9)
    moved = detector_of("jax")(**settings).fit(HOLES).decision_function(HOLES + 50.0, kind="point")
    assert_same(moved, scores[0], 1e-9)


@pytest.mark.filterwarnings("ignore:.*missing values", "ignore:.*no value within")
def test_windows_that_share_no_value_with_the_remembered_ones_do_not_spoil_the_rest(detector_class: Any) -> None:
    """Only each second step of a long window is compared: here just those have no value."""
    time = np.arange(600)[:, None]
    wave = np.sin(time / (5 + np.arange(26))) + 0.05 * np.random.default_rng(0).normal(size=(600, 26))
    detector = detector_class(window=64, hidden_dim=8, latent_dim=3, epochs=2).fit(wave)
    sparse = wave + 1e-3
    sparse[::2] = np.nan
    for kind in ("ensemble", "residual", "neighbour"):
        found = detector.detect(sparse, kind=kind)
        assert np.isfinite(found.scores).all()
        assert not found.labels.any()
