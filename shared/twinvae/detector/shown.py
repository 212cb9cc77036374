"""What a page shows of a detection: its events at this threshold and at others."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvae.pages.shown import Level, Shown
from twinvae.plots.pictures import windows_with
from twinvae.scoring.events import Event
from twinvae.scoring.expected_rate import ExpectedEvents

if TYPE_CHECKING:
    from twinvae.detector.detection import Detection

E12 = (1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)  # steps of a decade that look alike
LOWEST, HIGHEST = 0.1, 1e4  # of the threshold
MOST_EVENTS = 500  # below a threshold that finds more there is nothing to see
LONG = 2**20  # rows: longer series have fewer thresholds
MOST_ALARMS = 0.2  # of the rows; likewise
MOST_LATENT, MOST_OF_EVENTS = 2000, 500  # windows in the latent plane, and more of those with an event


def shown(found: "Detection", *, title: str, train_rows: int, source: Mapping[str, Any] | None = None) -> Shown:
    """What a page shows of a detection. The series is not scored again."""
    events: dict[tuple[int, int], Event] = {}
    found_at = list(_at_thresholds(found, events))
    place = {span: index for index, span in enumerate(sorted(events))}
    levels = [
        Level(threshold, tuple(place[span] for span in spans), expected.rate, expected.sure, _round(expected.option))
        for threshold, spans, expected in found_at
    ]
    latent, window = found.latent, found.model.config.window
    hit = windows_with(found.labels_of_steps, window)
    of_events = np.flatnonzero(hit)
    starts = np.linspace(0, len(latent) - 1, min(MOST_LATENT, len(latent))).astype(int)
    starts = np.unique([*starts, *of_events[:: max(1, len(of_events) // MOST_OF_EVENTS)]])
    return Shown(
        title=title,
        series=replace(found.series, names=found.model.channels),
        scores=found.scores,
        expected=found.expected,
        contributions=found.contributions,
        latent=np.asarray(latent[starts]),
        latent_rows=found.rows_at(starts + window // 2).tolist(),
        with_event=hit[starts].tolist(),
        absent=found.absent,
        kind=found.name,
        unit=found.axis,
        window=window,
        train_rows=train_rows,
        basis=found.basis,
        events=[events[span] for span in sorted(events)],
        levels=levels,
        level=[threshold for threshold, *_ in found_at].index(found.threshold),
        source=source or {},
    )


def _round(option: str | None) -> str | None:
    """An option without the last digits of a product of margins."""
    name, _, value = (option or "").partition(" ")
    return f"{name} {float(value):.6g}" if name in ("--margin", "--search-margin") else option


def _at_thresholds(
    found: "Detection", events: dict[tuple[int, int], Event]
) -> Iterator[tuple[float, list[tuple[int, int]], ExpectedEvents]]:
    """Thresholds from low to high, the spans of the events at each, and the false ones to expect: as low as there is
    something to see, as high as there is anything. The events are put into `events`; no detection is kept, since each
    has labels as long as the series.

    Where a margin sets the threshold, the others are those of round margins.
    """

    def at(moved: "Detection") -> tuple[float, list[tuple[int, int]], ExpectedEvents]:
        there = {(event.start, event.end): event for event in moved.events}
        events.update((span, event) for span, event in there.items() if span not in events)
        return moved.threshold, list(there), moved.expected_false_events

    used, config = at(found), found.model.config
    if not found.threshold > 0:
        yield used
        return
    option = found.expected_false_events.option or ""
    of_search = config.search_margin if option.startswith("--search-margin") else 1.0
    own = config.margin if option.startswith("--margin") else of_search
    own = own if 1e-6 < own < 1e6 else 1.0
    decade = range(math.floor(math.log10(own * LOWEST)), math.ceil(math.log10(own * HIGHEST)) + 1)
    steps = E12 if len(found.scores) <= LONG else E12[::3]  # each threshold takes a pass over all rows
    times = [round(step * 10.0**power, 9) / own for power in decade for step in steps]
    lower, most = [], max(MOST_ALARMS, 1.5 * float(found.alarms.mean()))
    for factor in sorted((one for one in times if LOWEST <= one < 1 - 1e-9), reverse=True):
        moved = found.at(factor)
        if moved.alarms.mean() > most or len(moved.events) > MOST_EVENTS:
            break
        lower.append(at(moved))
    yield from reversed(lower)
    yield used
    for factor in (one for one in times if 1 + 1e-9 < one <= HIGHEST):
        higher = at(found.at(factor))
        yield higher
        if not higher[1]:
            break
