"""A detection at another threshold is that of a detector with that threshold, without another pass of the network."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import detector_of

SMALL: dict[str, Any] = {"window": 8, "hidden_dim": 8, "latent_dim": 2, "epochs": 5, "batch_size": 16, "seed": 0}
NORMAL = np.sin(np.arange(400) / 3.0) + 0.1 * np.random.default_rng(0).normal(size=400)
ANOMALOUS = NORMAL.copy()
ANOMALOUS[[100, 200, 300]] += [1.0, 2.0, 6.0]
HOURS = pd.date_range("2026-01-01", periods=400, freq="h")
WITH_HOLE = pd.Series(ANOMALOUS, HOURS).drop(HOURS[150:170])


@pytest.mark.parametrize("series", [ANOMALOUS, WITH_HOLE], ids=["array", "hole"])
@pytest.mark.parametrize("times", [0.25, 1.0, 4.0])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_has_the_events_of_a_detector_with_that_margin(detector_class: Any, series: Any, times: float) -> None:
    found = detector_class(**SMALL, margin=1.0).fit(NORMAL).detect(series)
    assert found.events
    moved = found.at(times)
    wanted = detector_class(**SMALL, margin=times).fit(NORMAL).detect(series)
    assert moved.events == wanted.events
    assert moved.threshold == pytest.approx(wanted.threshold, rel=1e-12)
    assert moved.basis == wanted.basis
    assert moved.at(1.0 / times).events == found.events


@pytest.mark.parametrize("make", ["detect", "search"])
def test_the_series_is_not_scored_again(detector_class: Any, make: str, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = detector_class(**SMALL)
    found = getattr(detector if make == "search" else detector.fit(NORMAL), make)(ANOMALOUS)
    before = len(found.events), found.labels.sum()
    monkeypatch.setattr(detector.backend, "statistics", None)
    counts = [found.at(times).labels.sum() for times in (0.5, 1.0, 2.0, 1e6)]
    assert (len(found.at(1.0).events), counts[1]) == before
    assert counts[0] >= counts[1] >= counts[2] >= counts[3] == 0
    assert found.at(2.0).threshold == 2.0 * found.threshold


@pytest.mark.filterwarnings("ignore:20 rows are absent")
def test_the_false_events_to_expect_move_with_it_and_the_option_makes_it_so(detector_class: Any) -> None:
    detector = detector_class(**SMALL, kind="ensemble", margin=3.0).fit(NORMAL)
    for series in (ANOMALOUS, WITH_HOLE):
        found = detector.detect(series)
        moved = [found.at(times).expected_false_events for times in (0.5, 1.0, 2.0)]
        rates = [one.rate for one in moved]
        assert rates == sorted(rates, reverse=True)
        assert rates[0] > rates[2]
        assert [one.option for one in moved] == ["--margin 1.5", "--margin 3", "--margin 6"]
        for times, one in zip((0.5, 1.0, 2.0), moved, strict=True):
            assert f"expect {one.words};" in found.at(times).basis


def test_of_a_search_they_are_those_of_its_rows(detector_class: Any) -> None:
    found = detector_class(**SMALL).search(ANOMALOUS)
    assert "expect about 0.04 false alarms" in found.basis
    assert "expect about 1 false alarms" in found.at(0.25).basis
    assert found.at(0.25).expected_false_events.option == "--search-margin 0.25"
    assert "--search-margin 1" in str(found.expected_false_events.option)


def test_a_search_with_a_margin_is_the_search_at_that_threshold(detector_class: Any) -> None:
    found = detector_class(**SMALL).search(ANOMALOUS)
    lower = detector_class(**SMALL, search_margin=0.25).search(ANOMALOUS)
    assert lower.threshold == 0.25 * found.threshold
    assert lower.events == found.at(0.25).events
    assert lower.basis == found.at(0.25).basis
    assert (
        detector_class(**SMALL, search_margin=0.25).fit(NORMAL).threshold_
        == detector_class(**SMALL).fit(NORMAL).threshold_
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_where_a_rate_was_asked_for_the_option_is_the_rate_of_the_threshold(detector_class: Any) -> None:
    settings: dict[str, Any] = {**SMALL, "epochs": 1, "batch_size": 512, "kind": "point", "folds": 0}
    normal = np.sin(np.arange(3000) / 3.0) + 0.1 * np.random.default_rng(1).normal(size=3000)
    found = detector_class(**settings, false_events="30/10000steps").fit(normal).detect(normal)
    assert found.expected_false_events.rate == pytest.approx(30.0)
    assert found.false_alarms.events_asked == pytest.approx(30.0)
    moved = found.at(1.2)
    asked = str(moved.expected_false_events.option).removeprefix("--false-alarms ")
    again = detector_class(**settings, false_events=asked).fit(normal)
    assert again.threshold_ == pytest.approx(moved.threshold, rel=0.01)
    assert asked in moved.basis
    assert moved.false_alarms.events_asked is None


def test_a_rate_of_steps_is_not_claimed_of_a_threshold_that_has_moved(detector_class: Any) -> None:
    found = detector_class(**SMALL, kind="point", threshold="quantile", quantile=0.99).fit(NORMAL).detect(NORMAL)
    assert found.false_alarms.asked == pytest.approx(0.01)
    assert found.at(2.0).false_alarms.asked is None


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("rules", [{"direction": "down"}, {"min_length": 2}, {"min_deviation": 3.0}])
@pytest.mark.parametrize("series", [ANOMALOUS, WITH_HOLE], ids=["array", "hole"])
def test_it_has_the_events_of_a_detector_with_other_rules(series: Any, rules: dict[str, Any], tmp_path: Path) -> None:
    detector = detector_of("torch")(**SMALL, margin=1.0).fit(NORMAL)
    detector.save(tmp_path / "m.safetensors")
    wanted = type(detector).load(tmp_path / "m.safetensors", **rules).detect(series)
    found = detector.detect(series)
    moved = found.at(1.0, **rules)
    assert moved.events == wanted.events != found.events
    assert moved.dropped == wanted.dropped
    assert dict(moved.model.overrides) == dict(wanted.model.overrides)
    for name in ("valid_range", "missing", "window"):
        with pytest.raises(TypeError, match=f"{name} cannot be chosen again"):
            found.at(1.0, **{name: "0:1"})
