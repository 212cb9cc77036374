"""Good and bad series: each kind of array, and what is refused in which words."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.conftest import assert_close, detector_of
from tests.helpers.detectors import CHANNELS, PLAIN, SMALL, SPIKE
from twinvae.config import KINDS
from twinvae.scoring.overflow import highest

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


def test_a_training_series_beyond_the_precision_is_refused(detector_class: Any) -> None:
    with pytest.raises(ValueError, match="row 7 is too large for float32"):
        detector_class(**SMALL).fit(np.where(np.arange(80) == 7, 1e39, PLAIN))


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
def test_a_score_that_overflows_is_the_highest(detector_class: Any, kind: Any) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    series = PLAIN.copy()
    series[40] = 1e30
    scores = detector.decision_function(series, kind=kind)
    assert scores.argmax() == 40
    assert scores[40] == pytest.approx(highest("float32"))
    assert detector.predict(series, kind=kind).tolist() == [int(step == 40) for step in range(80)]


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


def test_a_series_of_one_window_is_enough_but_says_little(detector_class: Any) -> None:
    with pytest.warns(UserWarning, match=r"there is one window in 5 training rows .*: fit on 10 rows or more, or take"):
        detector = detector_class(**SMALL).fit(PLAIN[:5])
    for kind in KINDS:
        assert detector.decision_function(PLAIN[:5], kind=kind).shape == (5,)
    assert detector.latent(PLAIN[:5]).shape == (1, 2)


def test_windows_that_all_share_steps_say_little(detector_class: Any) -> None:
    with pytest.warns(UserWarning, match=r"all 5 windows share steps in 9 .*: fit on 10 .* a window of at most 4 "):
        detector_class(**SMALL).fit(PLAIN[:9])
    detector_class(**SMALL).fit(PLAIN[:10])


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


def test_advice_on_a_fitted_model_is_what_can_be_done_with_it() -> None:
    fitted = detector_of("torch")(window=5, hidden_dim=4, latent_dim=2, epochs=1).fit(PLAIN)
    with pytest.raises(ValueError, match="fewer than the window of 5: score more rows at once"):
        fitted.predict(PLAIN[:4])
    with pytest.raises(ValueError, match="fewer than the window of 5: lower window"):
        detector_of("torch")(window=5, epochs=1).fit(PLAIN[:4])
