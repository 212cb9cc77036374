"""What a page shows of a detection: its events at this threshold and at others."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvae.pages.shown import Level, Shown
from twinvae.plots.pictures import windows_with
from twinvae.scoring.events import Event

if TYPE_CHECKING:
    from twinvae.detector.detection import Detection

E12 = (1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)  # steps of a decade that look alike
LOWEST, HIGHEST = 0.1, 1e4  # of the threshold
MOST_EVENTS = 500  # below a threshold that finds more there is nothing to see
MOST_ALARMS = 0.2  # of the rows; likewise
MOST_LATENT, MOST_OF_EVENTS = 2000, 500  # windows in the latent plane, and more of those with an event


def shown(found: "Detection", *, title: str, train_rows: int, source: Mapping[str, Any] | None = None) -> Shown:
    """What a page shows of a detection. The series is not scored again."""
    events: dict[tuple[int, int], Event] = {}
    order: list[tuple["Detection", list[tuple[int, int]]]] = []
    for moved in _moved(found):
        at_this = {(event.start, event.end): event for event in moved.events}
        events |= {span: event for span, event in at_this.items() if span not in events}
        order.append((moved, list(at_this)))
    spans = sorted(events)
    place = {span: index for index, span in enumerate(spans)}
    levels = [
        Level(
            moved.threshold, tuple(place[span] for span in there), (expected := moved.expected_false_events).rate,
            expected.sure, _round(expected.option),
        )
        for moved, there in order
    ]  # fmt: skip
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
        events=[events[span] for span in spans],
        levels=levels,
        level=next(index for index, (moved, _) in enumerate(order) if moved is found),
        source=source or {},
    )


def _round(option: str | None) -> str | None:
    """An option without the last digits of a product of margins."""
    name, _, value = (option or "").partition(" ")
    return f"{name} {float(value):.6g}" if name in ("--margin", "--search-margin") else option


def _moved(found: "Detection") -> Iterator["Detection"]:
    """The detection at thresholds from low to high: as low as there is something to see, as high as there is anything.

    Where a margin sets the threshold, the others are those of round margins.
    """
    config = found.model.config
    option = found.expected_false_events.option or ""
    of_search = found.model.config.search_margin if option.startswith("--search-margin") else 1.0
    own = config.margin if option.startswith("--margin") else of_search
    own = own if 1e-6 < own < 1e6 else 1.0
    decade = range(math.floor(math.log10(own * LOWEST)), math.ceil(math.log10(own * HIGHEST)) + 1)
    times = [round(step * 10.0**power, 9) / own for power in decade for step in E12]
    if not found.threshold > 0:
        yield found
        return
    lower, most = [], max(MOST_ALARMS, 1.5 * float(found.alarms.mean()))
    for factor in sorted((one for one in times if LOWEST <= one < 1 - 1e-9), reverse=True):
        moved = found.at(factor)
        if moved.alarms.mean() > most or len(moved.events) > MOST_EVENTS:
            break
        lower.append(moved)
    yield from reversed(lower)
    yield found
    for factor in (one for one in times if 1 + 1e-9 < one <= HIGHEST):
        moved = found.at(factor)
        yield moved
        if not moved.events:
            break
