"""A series with holes is scored with its absent rows in place, and all answers are of the rows that there are."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import detector_of
from twinvae.detector.report import write_detection
from twinvae.fleet.training import fit_batch
from twinvae.model import file as model_file
from twinvae.model.model import Model
from twinvae.series.series import Series

ROWS = 400
CUT = np.s_[200:223]  # the sine goes on at another phase after it
SPIKE = 300  # in the whole series
INDEX = pd.date_range("2026-01-05", periods=ROWS, freq="10min")
WHOLE = pd.DataFrame(
    {"a": np.sin(np.arange(ROWS) / 4), "b": np.cos(np.arange(ROWS) / 4)}, index=INDEX
) + np.random.default_rng(0).normal(0, 0.02, (ROWS, 2))
WHOLE.iloc[SPIKE : SPIKE + 3, 1] += 9.0
HOLED = WHOLE.drop(INDEX[CUT])
AS_MISSING = HOLED.reindex(INDEX)
THERE = np.flatnonzero(WHOLE.index.isin(HOLED.index))
SMALL = {"window": 12, "hidden_dim": 8, "latent_dim": 2, "epochs": 4, "least_height": 0.3}


def same_but_for_rows(model: Model) -> bytes:
    """The file of a model that knows nothing of the rows of its training table."""
    calibration = model.calibration
    assert calibration.memory is not None
    memory = calibration.memory._replace(rows=None)
    return model_file.as_bytes(replace(model, calibration=calibration._replace(memory=memory)))


def quietly(call: Any, *args: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args)


@pytest.fixture(scope="module")
def detector() -> Any:
    return quietly(detector_of("torch")(**SMALL).fit, HOLED[:150])


def test_each_answer_is_that_of_missing_values_at_the_rows_that_there_are(detector: Any) -> None:
    for method in ("decision_function", "predict", "contributions", "reconstruct"):
        with pytest.warns(
            UserWarning, match=r"23 rows are absent at 1 place, the first after row 199 \(2026-01-06 09:10"
        ):
            found = getattr(detector, method)(HOLED)
        whole = quietly(getattr(detector, method), AS_MISSING)
        assert found.index.equals(HOLED.index)
        np.testing.assert_array_equal(found, whole.iloc[THERE])


def test_events_are_of_the_rows(detector: Any) -> None:
    (event,) = [e for e in quietly(detector.events, HOLED) if e.start <= SPIKE - 23 < e.end]
    (whole,) = [e for e in quietly(detector.events, AS_MISSING) if e.start <= SPIKE < e.end]
    assert (event.start, event.end, event.peak) == (whole.start - 23, whole.end - 23, whole.peak - 23)
    assert (event.start_time, event.peak_time) == (whole.start_time, whole.peak_time)
    assert (event.score, event.value, event.expected) == (whole.score, whole.value, whole.expected)
    assert event.peak_time == HOLED.index[event.peak]


def test_an_event_across_a_hole_has_the_rows_on_both_sides(detector: Any) -> None:
    changed = HOLED.copy()
    changed.iloc[197:203] += 7.0
    (event,) = [e for e in quietly(detector.events, changed) if e.start <= 199 < e.end]
    assert event.end > 200
    assert len(event.contributions) == event.end - event.start
    assert event.score == quietly(detector.decision_function, changed).iloc[event.peak]


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_the_most_similar_window_is_named_by_its_row_in_the_training_table(missing: str, tmp_path: Path) -> None:
    later = 200  # eight periods
    known = WHOLE.copy()
    known.iloc[SPIKE : SPIKE + 3, 1] -= 9.0
    for start in (150, 150 + later):
        known.iloc[start : start + 4] += np.outer([6.0, -6.0, 6.0, -6.0], [1, 1])
    table = known[:290].drop(INDEX[50:73])
    fitted = quietly(detector_of("torch")(**SMALL, missing=missing).fit, table)
    fitted.save(tmp_path / "m")
    for one in (fitted, detector_of("torch").load(tmp_path / "m")):
        event = quietly(one.detect, known[200:]).most_unusual[0].event
        assert 338 <= 200 + event.similar_start <= 354
        assert event.similar_row == 200 + event.similar_start - later - 23


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_a_fit_is_that_of_missing_values(missing: str) -> None:
    fitted = [detector_of("torch")(**SMALL, missing=missing) for _ in range(2)]
    with pytest.warns(UserWarning, match="rows are absent") as said:
        labels = fitted[0].fit_predict(HOLED)
    assert len(said) == 1
    quietly(fitted[1].search, AS_MISSING)
    assert labels.index.equals(HOLED.index)
    assert same_but_for_rows(fitted[0].model_) == model_file.as_bytes(fitted[1].model_)
    np.testing.assert_array_equal(fitted[0].decision_scores_, fitted[1].decision_scores_[THERE])


def test_where_missing_values_are_refused_rows_are_taken_as_they_stand() -> None:
    fitted = detector_of("torch")(**SMALL, missing="error")
    with pytest.warns(UserWarning, match=r'across as if they were not; see missing="mask"'):
        labels = fitted.fit_predict(HOLED)
    np.testing.assert_array_equal(labels, detector_of("torch")(**SMALL, missing="error").fit_predict(HOLED.to_numpy()))


def test_a_member_of_a_fleet_is_the_detector_alone() -> None:
    (member,) = fit_batch(detector_of("jax")(**SMALL), {"x": HOLED})
    assert any("23 rows are absent" in line for line in member.warnings)
    assert member.detector is not None
    assert member.detector.as_bytes() == quietly(detector_of("jax")(**SMALL).fit, HOLED).as_bytes()


def test_an_infinite_value_is_named_by_its_row(detector: Any) -> None:
    spoilt = HOLED.copy()
    spoilt.iloc[250, 0] = np.inf
    with pytest.raises(ValueError, match="row 250, column a"):
        detector.predict(spoilt)


def test_the_pictures_show_the_hole(detector: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twinvae.plots import pictures

    drawn: dict[str, Any] = {}
    monkeypatch.setattr(pictures, "plot_series", lambda path, series, **how: drawn.update({path.stem: (series, how)}))
    detector.history_ = {"loss": [1.0]}
    summary = quietly(
        lambda: write_detection(tmp_path, Series.of(HOLED), detector, train_rows=150, name="x", scores_suffix=".csv")
    )
    series, how = drawn["reconstruction"]
    assert summary["rows"] == len(HOLED) == (tmp_path / "scores.csv").read_text().count("\n") - 1
    for values in (series.values, how["reconstruction"]):
        assert np.isnan(values[CUT]).all()
        assert np.isfinite(np.delete(values, CUT, axis=0)).all()
    assert any(start <= SPIKE < end for start, end in how["shaded"])
    assert any(event["start"] <= SPIKE - 23 < event["end"] for event in summary["events"])
    assert series.grid.absent == [(200, 223)]
