"""A detection at another threshold is that of a detector with that threshold, without another pass of the network."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

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
