"""A value whose scores overflow is an event at its row, and the rest of the series scores as without it."""

from typing import Any

import numpy as np
import pytest

from tests.conftest import BACKENDS, detector_of
from twinvae.config import KINDS
from twinvae.scoring.overflow import highest

SIZES = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 2, "batch_size": 8}
HUGE = (2.0**64 - 1, 1e300, -1e38, 3e38)
ROW = 70


def waves(length: int, channels: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.sin(np.arange(length) / 3)[:, None] + generator.normal(0, 0.1, (length, channels))


@pytest.fixture(
    scope="module",
    params=[
        (name, channels, dtype, missing)
        for name in BACKENDS
        for channels, dtype, missing in (
            (2, "float32", "mask"),
            (1, "float32", "error"),
            (1, "float64", "interpolate"),
        )
    ],
    ids=str,
)
def fitted(request: pytest.FixtureRequest) -> Any:
    name, channels, dtype, missing = request.param
    return detector_of(name)(**SIZES, dtype=dtype, missing=missing).fit(waves(120, channels))


@pytest.mark.filterwarnings("ignore:.*missing values", "ignore:.*no value within")
@pytest.mark.parametrize(("huge", "rows"), [*((huge, 1) for huge in HUGE), (HUGE[0], 9)])
def test_a_huge_value_is_an_event_at_its_row_in_batch_and_stream(fitted: Any, huge: float, rows: int) -> None:
    series = waves(140, len(fitted.channels_))
    series[ROW : ROW + rows, 0] = huge
    (event,) = fitted.events(series)
    assert (event.start, event.end) == (ROW, ROW + rows)
    assert event.value == huge
    assert next(iter(event.channels)) == fitted.channels_[0]
    stream = fitted.stream()
    for kind in ("multiscale", "causal", stream.kind):
        found = fitted.detect(series, kind=kind)
        assert np.isfinite(found.contributions[:, -1]).all()
        assert found.labels[ROW : ROW + rows].all()
    steps = [stream.step(point) for point in series]
    scores = np.array([step.score for step in steps])
    known = ~np.isnan(scores)
    assert (np.isnan(found.scores) == ~known).all()
    np.testing.assert_allclose(scores[known], found.scores[known], rtol=1e-4)
    assert [step.label for step in steps] == found.alarms.tolist()
    closed = [c.event for step in steps for c in step.changes if c.what == "close"]
    closed += [c.event for c in stream.tracker.finish() if c.what == "close"]
    assert [(e.start, e.end) for e in closed] == [(e.start, e.end) for e in found.events]


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*missing values", "ignore:.*no value within")
def test_the_rest_of_the_series_scores_as_without_the_value(name: str, kind: Any) -> None:
    detector = detector_of(name)(**SIZES).fit(waves(120, 2))
    series = waves(140, 2)
    series[[20, 60, 61], [0, 1, 1]] = 1e38, -3e38, 2.0**64
    without = series.copy()
    without[[20, 60, 61], [0, 1, 1]] = np.nan
    one, other = (detector.contributions(each, kind=kind) for each in (series, without))
    np.testing.assert_array_equal(np.delete(one, [20, 60, 61], axis=0), np.delete(other, [20, 60, 61], axis=0))
    assert (one[[20, 60, 61], [0, 1, 1]] == np.float32(highest("float32"))).all()
    assert (one[[20, 60, 61], [1, 0, 0]] == other[[20, 60, 61], [1, 0, 0]]).all()
    expected = detector.reconstruct(series)
    assert np.isfinite(expected).all()
    assert np.abs(expected).max() < 10


def test_a_stream_goes_on_from_a_state_whose_window_holds_a_huge_value(tmp_path: Any) -> None:
    detector = detector_of("torch")(**SIZES, missing="error").fit(waves(120, 1))
    series = waves(60, 1)[:, 0]
    series[30] = 1e38
    whole, first, second = detector.stream(), detector.stream(), detector.stream()
    expected = [whole.update(value) for value in series]
    for value in series[:33]:
        first.update(value)
    first.save_state(tmp_path / "s")
    second.load_state(tmp_path / "s")
    assert [second.update(value) for value in series[33:]] == expected[33:]
