"""What a page is given of a detection: at each threshold the events that a detection there has, and none is kept."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from tests.conftest import detector_of
from twinvae.detector import shown as module
from twinvae.detector.detection import Detection
from twinvae.detector.shown import shown

SMALL: dict[str, Any] = {"window": 8, "hidden_dim": 8, "latent_dim": 2, "epochs": 5, "batch_size": 16}
NORMAL = np.sin(np.arange(400) / 3.0) + 0.1 * np.random.default_rng(0).normal(size=400)
ANOMALOUS = NORMAL.copy()
ANOMALOUS[[100, 200, 300]] += [1.0, 2.0, 6.0]


@pytest.fixture(scope="module")
def fitted() -> Any:
    return detector_of("torch")(**SMALL).fit(NORMAL)


@pytest.mark.parametrize("make", ["detect", "search"])
def test_each_level_has_the_events_of_a_detection_there(fitted: Any, make: str) -> None:
    found = fitted.detect(ANOMALOUS) if make == "detect" else detector_of("torch")(**SMALL).search(ANOMALOUS)
    page = shown(found, title="x", train_rows=0)
    assert page.levels[page.level].threshold == found.threshold
    assert page.found == found.events
    thresholds = [level.threshold for level in page.levels]
    assert thresholds == sorted(set(thresholds))
    assert not page.levels[-1].events
    for level in page.levels:
        wanted = found.at(level.threshold / found.threshold).events
        assert [(one.start, one.end) for one in (page.events[place] for place in level.events)] == [
            (one.start, one.end) for one in wanted
        ]


def test_no_detection_of_another_threshold_is_kept(fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Detection]] = []
    at = Detection.at

    def counted(self: Detection, times: float, **rules: Any) -> Detection:
        other = at(self, times, **rules)
        made.append(weakref.ref(other))
        return other

    monkeypatch.setattr(Detection, "at", counted)
    page = shown(fitted.detect(ANOMALOUS), title="x", train_rows=0)
    gc.collect()
    assert len(made) >= len(page.levels) - 1 > 5
    assert not any(one() for one in made)


def test_a_long_series_has_fewer_thresholds(fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    many = len(shown(fitted.detect(ANOMALOUS), title="x", train_rows=0).levels)
    monkeypatch.setattr(module, "LONG", 100)
    assert len(shown(fitted.detect(ANOMALOUS), title="x", train_rows=0).levels) < many / 2


@pytest.mark.parametrize("margin", [1e-305, 1e305])
def test_any_margin_has_a_page(margin: float) -> None:
    found = detector_of("torch")(**SMALL, margin=margin).fit(NORMAL).detect(ANOMALOUS)
    assert shown(found, title="x", train_rows=0).levels
