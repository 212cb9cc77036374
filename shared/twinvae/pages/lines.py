"""What a page holds of the lines that it draws: all their values, or of a long series those that matter."""

import numpy as np
from jaxtyping import Float

from twinvae.files.out_of_core import by_rows
from twinvae.pages.clock import Clock
from twinvae.pages.shown import Shown
from twinvae.pages.thinning import kept_rows
from twinvae.windowing.intervals import intervals

MOST_VALUES = 2**20  # of all channels together; above it a page holds extremes, and rows near events
LEAST_VALUES = 4000  # of a channel, however many there are
MOST_NEAR = 0.5  # of the rows that are kept: those near events
MOST_HATCHED = 400  # stretches without values, the widest of them
Spans = list[tuple[int, int]]  # rows [start, end)
UNSEEN = 1e-4  # of the middle half of the values: what nobody could see in a figure


def channel_line(shown: Shown, channel: int, near: Spans) -> dict[str, np.ndarray]:
    """A channel, what was expected of it and, unless all rows are kept, the score and the number of each row."""
    both = np.stack([shown.series.values[:, channel], shown.expected[:, channel]], axis=1)
    rows = kept_rows(both, _most(shown), near)
    line = {"value": plain(both[rows, 0]), "expected": plain(both[rows, 1])}
    if len(rows) < len(both):
        line |= {"row": rows.astype(np.int32), "score": np.asarray(shown.scores[rows], np.float32)}
    return line


def score_line(shown: Shown, near: Spans) -> dict[str, np.ndarray]:
    """The score and, unless all rows are kept, the number of each row."""
    rows = kept_rows(shown.scores[:, None], _most(shown), near)
    line = {"value": np.asarray(shown.scores[rows], np.float32)}
    return line if len(rows) == len(shown.scores) else line | {"row": rows.astype(np.int32)}


def near_in_page(shown: Shown) -> Spans:
    """The stretches near events that all lines keep; none where they keep all rows."""
    most = _most(shown)
    return near_events(shown, int(MOST_NEAR * most)) if len(shown.scores) > most else []


def _most(shown: Shown) -> int:
    return max(LEAST_VALUES, MOST_VALUES // max(1, shown.series.values.shape[1]))


def near_events(shown: Shown, most: int) -> Spans:
    """The stretches around the strongest events, at most so many rows in all: of a long event both of its ends."""
    taken = np.zeros(len(shown.series), bool)
    left, margin = most, 2 * shown.window
    found = {(event.start, event.end) for event in shown.found}
    for event in sorted(shown.events, key=lambda one: ((one.start, one.end) not in found, -one.score)):
        inner = min(event.end - event.start, margin)
        for start, end in (
            (event.peak - margin, event.peak + margin),
            (event.start - margin, event.start + inner),
            (event.end - inner, event.end + margin),
        ):
            part = taken[max(0, start) : max(0, end)]
            if (new := len(part) - int(part.sum())) <= left:
                left -= new
                part[:] = True
    return intervals(taken.astype(np.int8))


def hatched(shown: Shown, clock: Clock, channel: int) -> list[tuple[float, float]]:
    """The places where a channel has no values, or rows are absent: the widest of them."""
    unknown = intervals(by_rows(np.isnan, shown.series.values[:, channel]).astype(np.int8))
    sides = [clock.edges(start, end) for start, end in unknown]
    between = clock.at(np.array(shown.absent, np.int64)[:, None] + [0, 1])
    sides += [(float(left), float(right)) for left, right in between]
    return sorted(sides, key=lambda side: side[0] - side[1])[:MOST_HATCHED]


def plain(values: Float[np.ndarray, " row"]) -> np.ndarray:
    """The values in single precision where nobody could see the difference in a figure, however near it is."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
        error = np.abs(values - single)
    known = values[~np.isnan(values)]
    if not len(known):
        return single
    spread = float(np.subtract(*np.quantile(known, [0.75, 0.25])))
    seen = np.nanmax(error) > UNSEEN * spread if spread > 0 else bool((error > 0).any())
    return values.astype(np.float64) if seen or not np.isfinite(single[~np.isnan(values)]).all() else single
