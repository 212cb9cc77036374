"""The work on a batch, where no part of its series is known to be normal."""

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
    named = settings._replace(train_rows=400)
    (fitted,) = work(named, Task(0, ("a",), (Series.of(WAVE),)))
    assert fitted.row.kind != "search"
