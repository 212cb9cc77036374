"""The work on a batch, where no part of its series is known to be normal."""

import numpy as np
import pytest

from tests.conftest import detector_of
from tests.helpers.waves import spiked_wave
from twinvae.fleet.work import Settings, Task, work
from twinvae.series.series import Series

QUICK = {"window": 16, "hidden_dim": 16, "latent_dim": 4, "epochs": 4}
WAVE = spiked_wave(1200, (500,))


def test_a_series_is_searched_as_it_would_be_alone(backend_name: str) -> None:
    settings = Settings(backend_name, "auto", 0, QUICK, None, False)
    (found,) = work(settings, Task(0, ("a",), (Series.of(WAVE),)))
    alone = detector_of(backend_name)(**QUICK).search(WAVE)
    assert [(event.start, event.end) for event in found.events] == [(one.start, one.end) for one in alone.events]
    assert len(alone.events) == 1
    assert (found.row.kind, found.row.threshold) == ("search", alone.threshold)
    assert found.row.now is None
    assert found.row.last_time == "1199"
    assert found.row.drift is not None
    assert found.row.sketch is not None
    assert len(found.row.sketch) == 3 * 60 + 2
    named = settings._replace(train_rows=400)
    (fitted,) = work(named, Task(0, ("a",), (Series.of(WAVE),)))
    assert fitted.row.kind != "search"


def test_an_event_that_reaches_the_last_window_is_now_and_its_channel_is_drawn(backend_name: str) -> None:
    waves = np.stack([WAVE, spiked_wave(1200, ())], axis=1)
    waves[1195:, 1] += 9.0
    settings = Settings(backend_name, "auto", 0, QUICK, 400, False)
    (found,) = work(settings, Task(0, ("a",), (Series.of(waves),)))
    last = found.events[-1]
    assert last.end > 1200 - 16
    assert found.row.threshold is not None
    assert found.row.now == pytest.approx(last.score / found.row.threshold)
    assert found.row.sketch is not None
    drawn = max((event for event in found.events if event.end > 1200 - 16), key=lambda event: event.score).channels[0]
    assert drawn == "1"
    assert found.row.sketch.split(" ")[1].endswith("/")  # the largest value is in the last column
