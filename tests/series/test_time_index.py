"""A time index in is a time index out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests.conftest import detector_of
from twinvae.series.series import Series

START = 60  # of the spike
HOURS = pd.date_range("2026-03-01", periods=100, freq="h")
VALUES = np.stack([np.sin(np.arange(100) / 3), np.cos(np.arange(100) / 3)], axis=1)
VALUES[START : START + 3, 1] += 9.0
FRAME = pd.DataFrame(VALUES, index=HOURS, columns=["a", "b"])


class TimeSeries:
    """What of darts' class of this name is used: the same names, shapes and index."""

    def __init__(self, samples: np.ndarray, index: Any, columns: Any) -> None:
        self._samples, self._index, self._columns = samples, index, columns

    def all_values(self, copy: bool = True) -> np.ndarray:
        return self._samples.copy() if copy else self._samples  # (time, component, sample)

    @property
    def time_index(self) -> Any:
        return self._index

    @property
    def columns(self) -> Any:
        return self._columns


DARTS = TimeSeries(VALUES[:, :, None], HOURS, FRAME.columns)


@pytest.fixture(scope="module")
def detector() -> Any:
    return detector_of("jax")(window=5, hidden_dim=4, latent_dim=2, epochs=2, missing="error").fit(FRAME[:50])


@pytest.mark.parametrize("series", [FRAME, DARTS], ids=["pandas", "darts"])
def test_what_is_as_long_as_the_series_has_its_index(detector: Any, series: Any) -> None:
    for method, name in (("decision_function", "score"), ("predict", "label")):
        result = getattr(detector, method)(series)
        assert isinstance(result, pd.Series)
        assert result.index.equals(HOURS)
        assert result.name == name
        np.testing.assert_array_equal(result, getattr(detector, method)(VALUES))
    for method in ("contributions", "reconstruct"):
        result = getattr(detector, method)(series)
        assert isinstance(result, pd.DataFrame)
        assert result.index.equals(HOURS)
        assert list(result.columns) == ["a", "b"]
        np.testing.assert_array_equal(result, getattr(detector, method)(VALUES))


@pytest.mark.parametrize("series", [FRAME, DARTS], ids=["pandas", "darts"])
def test_events_have_the_time_stamps_of_their_first_last_and_peak_step(detector: Any, series: Any) -> None:
    events = detector.events(series)
    assert any(event.start <= START < event.end for event in events)
    for event, plain in zip(events, detector.events(VALUES), strict=True):
        assert (event.start, event.end, event.peak) == (plain.start, plain.end, plain.peak)
        assert (plain.start_time, plain.last_time, plain.peak_time) == (None, None, None)
        assert replace(event, start_time=None, last_time=None, peak_time=None) == plain
        assert (event.start_time, event.last_time) == (HOURS[event.start], HOURS[event.end - 1])
        assert event.peak_time == HOURS[event.peak]


def test_a_detection_is_all_answers_at_once(detector: Any) -> None:
    found = detector.detect(FRAME, kind="causal")
    assert found.events == detector.events(FRAME, kind="causal")
    np.testing.assert_array_equal(found.scores, detector.decision_function(FRAME, kind="causal"))
    np.testing.assert_array_equal(found.contributions, detector.contributions(FRAME, kind="causal"))
    np.testing.assert_array_equal(found.labels, detector.predict(FRAME, kind="causal"))
    np.testing.assert_array_equal(found.expected, detector.reconstruct(FRAME))
    np.testing.assert_array_equal(found.latent, detector.latent(FRAME))


def test_a_series_with_gaps_in_its_index_or_numbers_for_it_keeps_it(detector: Any) -> None:
    some = FRAME.drop(FRAME.index[10:20])
    with pytest.warns(UserWarning, match=r'10 rows are absent .* see missing="mask"'):
        assert detector.predict(some).index.equals(some.index)
    numbered = FRAME.set_axis(np.arange(100) * 7, axis=0)
    assert list(detector.predict(numbered).index[:2]) == [0, 7]
    assert detector.decision_function(numbered).index.equals(numbered.index)


def test_the_training_series_is_labelled_on_its_index_and_attributes_are_arrays() -> None:
    column = FRAME["a"]
    fitted = detector_of("jax")(window=5, hidden_dim=4, latent_dim=2, epochs=2)
    labels = fitted.fit_predict(column)
    assert labels.index.equals(HOURS)
    assert fitted.channels_ == ("a",)
    assert isinstance(fitted.labels_, np.ndarray)
    assert isinstance(fitted.decision_scores_, np.ndarray)


@pytest.mark.parametrize(
    "series", [VALUES, VALUES.tolist(), pl.DataFrame(VALUES, schema=["a", "b"])], ids=["numpy", "list", "polars"]
)
def test_without_an_index_the_answer_is_an_array(detector: Any, series: Any) -> None:
    assert Series.of(series).index is None
    assert type(detector.decision_function(series)) is np.ndarray
    assert type(detector.contributions(series)) is np.ndarray


def test_a_frame_is_checked_as_before(detector: Any) -> None:
    with pytest.raises(ValueError, match="the columns b, a, the detector was fitted on a, b"):
        detector.predict(FRAME[["b", "a"]])
    with pytest.raises(ValueError, match="row 4, column b"):
        detector.predict(FRAME.assign(b=FRAME["b"].where(FRAME.index != HOURS[4])))
    with pytest.raises(ValueError, match="not fitted"):
        detector_of("jax")().predict(FRAME)


def test_a_darts_series_is_its_values_and_component_names() -> None:
    assert (Series.of(DARTS).values == VALUES).all()
    assert Series.of(DARTS).names == ("a", "b")


def test_a_darts_series_of_several_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="7 samples of each value"):
        Series.of(TimeSeries(np.zeros((10, 2, 7)), HOURS[:10], ["a", "b"]))


def test_a_series_is_made_once_and_is_cut_with_its_index() -> None:
    series = Series.of(FRAME)
    assert Series.of(series) is series
    part = series.rows(slice(10, 20))
    assert (part.names, len(part)) == (("a", "b"), 10)
    assert part.index.equals(HOURS[10:20])
    assert part.stamp(0) == "2026-03-01 10:00:00"
    assert part.stamps(slice(0, 2)).to_list() == list(HOURS[10:12])
    np.testing.assert_array_equal(part.values, VALUES[10:20])


# An index is held to what the command asks of a column of time stamps.

PANEL = pd.concat(dict.fromkeys("AB", FRAME), names=["machine", "time"])
BAD_INDEX = {
    "newest first": (FRAME[::-1], r"row 1 has an earlier index than the row before.*sort_index\(\)"),
    "shuffled": (FRAME.sample(frac=1, random_state=0), r"sort_index\(\)"),
    "numbers, newest first": (FRAME.reset_index(drop=True)[::-1], r"sort_index\(\)"),
    "text, newest first": (FRAME.set_axis(HOURS.astype(str))[::-1], r"sort_index\(\)"),
    "periods, newest first": (FRAME.set_axis(HOURS.to_period("h"))[::-1], r"sort_index\(\)"),
    "twice": (FRAME.set_axis(HOURS[:50].append(HOURS[49:99])), r"row 50 has the same time stamp.*2026-03-03 01:00"),
    "no time": (FRAME.set_axis(HOURS[:50].append(pd.DatetimeIndex([None])).append(HOURS[51:])), r"row 50: .*\(NaT\)"),
    "a panel": (PANEL, r"2 levels \(machine, time\).*VAEFleet"),
    "a column of a panel": (PANEL["a"], "VAEFleet"),
}


@pytest.mark.parametrize("name", BAD_INDEX)
def test_an_index_that_is_not_in_the_order_of_time_is_refused_with_the_remedy(name: str) -> None:
    series, message = BAD_INDEX[name]
    with pytest.raises(ValueError, match=rf"^[^\n]*{message}"):
        Series.of(series)


def test_an_index_that_is_no_time_may_be_anything() -> None:
    parts = pd.concat([FRAME.reset_index(drop=True)] * 2)
    words = FRAME.set_axis([f"row {row % 7}" for row in range(100)])
    for frame in (parts, words, FRAME.set_axis(range(100, 200)), FRAME.set_axis(np.arange(100) * 0.5)):
        assert Series.of(frame).instants is None


def test_an_hour_that_comes_twice_is_told_from_a_frame_out_of_order() -> None:
    autumn = pd.date_range("2026-10-24", periods=200, freq="30min", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(ValueError, match=r'tz_localize\(zone, ambiguous="infer"\)'):
        Series.of(pd.Series(np.arange(200.0), index=autumn))


def test_time_stamps_among_the_columns_are_told_to_be_the_index() -> None:
    for stamps in (HOURS, HOURS.astype(str), HOURS.strftime("%d.%m.%Y %H:%M")):
        with pytest.raises(TypeError, match=r"row 0, column time holds .* make them the index \(set_index in pandas\)"):
            Series.of(FRAME.assign(time=stamps))
    with pytest.raises(TypeError, match=r"pandas\.to_numeric"):
        Series.of(FRAME.assign(state=["on", "5"] * 50))
