"""Detections to show, made of plain values: no model is fitted for a page."""

from typing import Any

import numpy as np
import polars as pl

from twinvae.pages.shown import Level, Shown
from twinvae.scoring.events import Event
from twinvae.series.series import Series

ROWS = 3000
SPANS = [(400, 410), (1200, 1230), (2100, 2101), (2500, 2600)]
PEAKS = [2.0, 40.0, 0.6, 9.0]


def detection(
    rows: int = ROWS, channels: int = 2, stamps: list[str] | None = None, instants: Any = None, **other: Any
) -> Shown:
    """What a page shows of a series of waves with four events, of which the threshold 1 finds three."""
    values = np.sin(np.arange(rows)[:, None] / 20 + np.arange(channels))
    expected = values.copy()
    contributions = np.full((rows, channels), 0.01)
    events = []
    names = tuple(f"sensor {index}" for index in range(channels))
    for number, ((start, end), peak) in enumerate(zip(SPANS, PEAKS, strict=True)):
        channel = number % channels
        values[start:end, channel] += 5.0
        contributions[start:end, channel] = peak * channels
        shares = {names[channel]: 1.0} | {name: 0.0 for name in names if name != names[channel]}
        events.append(
            Event(start, end, start, peak, shares, value=float(values[start, channel]),
                  expected=float(expected[start, channel]))
        )  # fmt: skip
    levels = [
        Level(limit, tuple(place for place, peak in enumerate(PEAKS) if peak > limit), rate, "measured", option)
        for limit, rate, option in ((0.5, 4.0, "--margin 1.5"), (1.0, 0.5, "--margin 3"), (10.0, 0.1, "--margin 30"),
                                    (50.0, 0.1, "--margin 150"))
    ]  # fmt: skip
    index = None if stamps is None else pl.Series("time", stamps)
    known: dict[str, Any] = {
        "title": "pump 3.csv", "series": Series(values, names, index, instants=instants),
        "scores": contributions.mean(axis=1), "expected": expected, "contributions": contributions,
        "latent": np.random.default_rng(0).normal(size=(100, 3)),
        "latent_rows": np.linspace(0, rows - 1, 100).astype(int).tolist(), "absent": [], "kind": "ensemble",
        "unit": "squared error", "window": 50, "train_rows": 300, "basis": "the threshold 1 is a threshold",
        "events": events, "levels": levels, "level": 1,
        "source": {"name": "pump 3.csv", "file": "/data/pump 3.csv", "sha256": "0" * 64, "rows": rows},
    }  # fmt: skip
    return Shown(**(known | other))
