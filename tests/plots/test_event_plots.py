"""The picture and the record of why an event is one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinvae.files.atomic import as_json
from twinvae.model.record import event_record
from twinvae.plots import events as event_plots
from twinvae.scoring.events import Event, find_events, with_expectation
from twinvae.series.series import Series


def example(channels: int, *, length: int = 300, event: tuple[int, int] = (100, 110)) -> tuple[Any, ...]:
    """Series, reconstruction, contributions, names and events."""
    series = np.random.default_rng(0).normal(size=(length, channels))
    parts = series**2
    names = tuple(f"sensor {index} with a long name" for index in range(channels))
    labels = np.zeros(length, dtype=np.int8)
    labels[slice(*event)] = 1
    labels[-3:] = 1
    found = find_events(labels, parts, names)
    return series, 0.5 * series, parts, names, with_expectation(found, names, series, 0.5 * series)


@pytest.mark.parametrize(("channels", "stamped"), [(1, False), (2, True), (12, True)])
def test_events_are_drawn_with_any_number_of_channels(channels: int, stamped: bool, tmp_path: Path) -> None:
    stamps = pl.Series([f"2026-01-01 {row // 60:02}:{row % 60:02}:00" for row in range(300)]) if stamped else None
    path = tmp_path / "events.png"
    series, reconstruction, parts, names, events = example(channels)
    known = Series(series, names, stamps)
    event_plots.plot_events(path, known, reconstruction, parts, events, title="t", threshold=1.0, margin=20)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("length", [400, 5000])
def test_an_event_in_a_gap_is_drawn_and_written(length: int, tmp_path: Path) -> None:
    series, reconstruction, parts, names, _ = example(2, length=length, event=(100, length - 100))
    series[100:220], parts[100:220] = np.nan, np.nan
    parts[230], parts[:, 1] = [9e9, 0.0], 0.0
    labels = np.zeros(length, dtype=np.int8)
    labels[100 : length - 100] = 1
    found = find_events(labels, parts, names)
    (event,) = with_expectation(found, names, np.full_like(series, np.nan), reconstruction)
    assert (event.peak, event.value) == (230, None)
    assert event == replace(event, contributions=np.array(event.contributions))
    path = tmp_path / "events.png"
    known = Series(series, names)
    event_plots.plot_events(path, known, reconstruction, parts, [event], title="t", threshold=1.0, margin=50)
    assert path.read_bytes().startswith(b"\x89PNG")
    record = json.loads(as_json(event_record(event, Series(series, names, None, None))))
    values = record["contributions"][names[0]]
    assert values[0] is None
    size = record["rows_per_value"]
    place = (230 - 100) // size
    block = parts[100 + place * size : 100 + (place + 1) * size, 0]
    assert values[place] == pytest.approx(np.nanmean(block), rel=5e-3)


def drawn(monkeypatch: pytest.MonkeyPatch, path: Path, events: list[Event], data: tuple[Any, ...]) -> list[str]:
    """The headlines of the events that are drawn."""
    lines: list[str] = []
    headline = event_plots._headline

    def kept(*arguments: Any) -> str:
        lines.append(headline(*arguments))
        return lines[-1]

    monkeypatch.setattr(event_plots, "_headline", kept)
    series, reconstruction, parts, names = data
    known = Series(series, names)
    event_plots.plot_events(path, known, reconstruction, parts, events, title="t", threshold=2.0, margin=5)
    return lines


def test_the_highest_events_are_drawn_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    *data, _ = example(1)
    events = [Event(10 * i, 10 * i + 2, 10 * i, float(i % 8), {data[3][0]: 1.0}) for i in range(1, 9)]
    lines = drawn(monkeypatch, tmp_path / "p.png", events, tuple(data))
    assert [line.split(":")[0] for line in lines] == [f"rows [{10 * i}, {10 * i + 2})" for i in range(2, 8)]
    assert lines[0].endswith("score 2, 1 times the threshold")


def test_a_long_event_is_drawn_by_its_extremes_and_says_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    *data, events = example(2, length=20_000, event=(100, 15_000))
    first, _ = drawn(monkeypatch, tmp_path / "p.png", events, tuple(data))
    assert f"{events[0].value:.4g}, expected {events[0].value / 2:.4g}" in first


# events.json.


def test_a_record_has_a_value_for_each_row_of_a_short_event() -> None:
    series, _, parts, names, (event, _) = example(5)
    table = Series(series, names, pl.Series("time", [str(row) for row in range(300)]), None)
    record = event_record(event, table)
    order = [names.index(name) for name in event.channels]
    assert record["rows_per_value"] == 1
    assert list(record["contributions"]) == list(event.channels)[:3]
    found = np.array(list(record["contributions"].values())).T
    np.testing.assert_allclose(found, parts[100:110, order[:3]], rtol=5e-3)
    assert record["value"] == pytest.approx(2 * record["expected"])
    assert record["start_time"] == "100"


def test_a_record_of_a_long_event_of_many_channels_is_small_and_holds_means() -> None:
    series, _, parts, names, (event, _) = example(40, length=3000, event=(100, 2101))
    record = event_record(event, Series(series, names, None, None))
    assert record["rows_per_value"] == 41
    assert len(record["channels"]) == 20
    top = record["contributions"][next(iter(event.channels))]
    assert len(top) == 49
    column = parts[100:2101, names.index(next(iter(event.channels)))]
    np.testing.assert_allclose(top[0], column[:41].mean(), rtol=5e-3)
    np.testing.assert_allclose(top[-1], column[48 * 41 :].mean(), rtol=5e-3)
    assert len(as_json(record)) < 4000


def test_json_keeps_lists_of_numbers_on_a_line_and_every_text_as_it_is() -> None:
    content = {
        "a": [1.5, -2e-7, 3],
        "b": [],
        "c": [["x", "[\n 1,\n 2]"]],
        "d": [[1, 2], [3]],
        "g": [None, 2],
        "e": {"f": [None]},
    }
    text = as_json(content)
    assert json.loads(text) == content
    assert '"a": [ 1.5, -2e-07, 3 ]' in text
