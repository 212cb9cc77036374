"""A series is scored once: one pass of the network, one warning for one fault."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.conftest import in_a_fresh_process
from twinvae.config import KINDS
from twinvae.detector import scored
from twinvae.detector.report import write_detection
from twinvae.detector.score_files import scores_frame
from twinvae.scoring.events import Event
from twinvae.series.series import Series

SMALL: dict[str, Any] = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 3, "batch_size": 8}
PLAIN = np.sin(np.arange(120) / 3.0) + 0.1 * np.random.default_rng(0).normal(size=120)
SPIKE = PLAIN.copy()
SPIKE[60] += 9.0
GAPS = SPIKE.copy()
GAPS[20:30] = np.nan
Count = Callable[[Any], list[tuple[str, ...]]]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Makes a list of the statistics that each pass of a detector's network is asked for."""

    def count(detector: Any) -> list[tuple[str, ...]]:
        calls: list[tuple[str, ...]] = []
        run = detector.backend.statistics

        def statistics(*args: Any) -> Any:
            calls.append(tuple(args[3]))
            return run(*args)

        monkeypatch.setattr(detector.backend, "statistics", statistics)
        return calls

    return count


@pytest.mark.parametrize("short", [True, False], ids=["short", "long"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_events_of_a_series_take_one_pass_of_the_network(
    detector_class: Any, kind: Any, short: bool, counted: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = detector_class(**SMALL, margin=1.0).fit(PLAIN)
    expected = [detector.contributions(SPIKE, kind=kind), detector.reconstruct(SPIKE)]
    monkeypatch.setattr(scored, "SHORT", 2**18 if short else 0)
    calls = counted(detector)
    events = detector.events(SPIKE, kind=kind)
    assert events
    assert all(event.expected is not None for event in events)
    assert len(calls) == 1
    found = detector.detect(SPIKE, kind=kind)
    assert found.events == events
    for array, before in zip((found.contributions, found.expected), expected, strict=True):
        np.testing.assert_array_equal(array, before)
    found.false_alarms  # noqa: B018
    assert len(calls) == 2


def test_a_long_series_is_asked_for_no_more_than_is_wanted(
    detector_class: Any, counted: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    monkeypatch.setattr(scored, "SHORT", 0)
    calls = counted(detector)
    detector.decision_function(SPIKE, kind="causal")
    detector.reconstruct(SPIKE)
    detector.events(SPIKE, kind="window")
    detector.latent(SPIKE)
    assert calls == [("causal",), ("reconstruction",), ("window", "reconstruction")]


def test_each_latent_draw_is_one_pass_and_the_expected_values_are_one_more(detector_class: Any, counted: Count) -> None:
    detector = detector_class(**SMALL, draws=2, margin=1.0).fit(PLAIN)
    calls = counted(detector)
    detector.decision_function(SPIKE)
    assert len(calls) == 2
    assert detector.events(SPIKE)
    assert len(calls) == 5


@pytest.mark.parametrize(
    "settings",
    [{}, {"merge_gap": 0}, {"min_length": 4}, {"least_height": 0.0}, {"draws": 2}, {"preset": "tutorial"}],
    ids=str,
)
def test_labels_are_the_rows_of_events(detector_class: Any, settings: dict[str, Any]) -> None:
    detector = detector_class(**{**SMALL, "margin": 0.3, "missing": "mask"} | settings).fit(SPIKE)
    assert (detector.labels_ == rows_of(detector.events(SPIKE))).all()
    assert detector.labels_.any() == (detector.config_.min_length == 1)
    for kind in KINDS:
        for series in (SPIKE, GAPS):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # steps without a value near
                found = detector.detect(series, kind=kind)
            assert (found.labels == rows_of(found.events)).all()
            assert (scores_frame(found)["label"].to_numpy() == found.labels).all()
            assert all(event.score > detector.thresholds_[kind] for event in found.events)
            if detector.config_.min_length == 1:
                assert found.labels.any() == found.alarms.any()


def rows_of(events: list[Event]) -> np.ndarray:
    """1 where one of the events covers the time step."""
    rows = np.zeros(len(PLAIN), dtype=np.int8)
    for event in events:
        rows[event.start : event.end] = 1
    return rows


@pytest.mark.parametrize("method", ["decision_function", "contributions", "predict", "events", "detect", "latent"])
def test_a_gap_is_one_warning(detector_class: Any, method: str) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        getattr(detector, method)(GAPS)
    assert sum("missing values" in str(each.message) for each in said) == 1


def test_a_warning_names_the_line_that_called_the_public_method() -> None:
    program = """
import warnings
import numpy as np
from vae_torch import VAEDetector

values = np.sin(np.arange(120) / 3.0)
values[20:23] = np.nan
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    detector = VAEDetector(window=5, epochs=1).fit(values)
    detector.events(values)
    detector.reconstruct(values)
print([(each.filename, each.lineno) for each in said])
"""
    assert in_a_fresh_process(program).strip() == "[('<string>', 10), ('<string>', 11), ('<string>', 12)]"


def test_writing_a_detection_says_a_gap_once_and_runs_the_network_once(
    detector_class: Any, counted: Count, tmp_path: Any
) -> None:
    detector = detector_class(**SMALL).fit(PLAIN)
    calls = counted(detector)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        write_detection(tmp_path, Series.of(GAPS), detector, train_rows=0, name="it", scores_suffix=".csv")
    assert len([each for each in said if "missing values" in str(each.message)]) == 1
    assert len(calls) == 1
