"""The rate of false events that was asked for, in the steps of a series."""

import numpy as np

from twinvae.config import Config
from twinvae.process.settings import Rate
from twinvae.scoring.event_rate import too_rare
from twinvae.series.series import Series
from twinvae.windowing.period import LONGEST_SERIES


def event_rate(config: Config, series: Series, rows: int) -> float | None:
    """The false events a step that were asked for; None if none were.

    Raises:
        ValueError: if the series has no time stamps to tell them by, or so many rows can say nothing of them.
    """
    if not config.false_events:
        return None
    if config.draws:
        raise ValueError("false_events takes the mean of the posterior: leave draws out")
    rate = asked_events(config, series)
    if rate is None:
        raise ValueError(
            f"false_events={config.false_events} needs time stamps, to tell how long a row is: name their column, or "
            "ask for events in rows, such as 10/10000steps"
        )
    if (why := too_rare(rows, rate, config.false_events)) is not None:
        raise ValueError(f"false_events={config.false_events}: {why}")
    return rate


def asked_events(config: Config, series: Series) -> float | None:
    """The events a step that were asked for; None if none were, or in a time that the series does not tell."""
    asked = Rate.of(config.false_events)
    return None if asked is None else asked.a_step(seconds_between(series))


def seconds_between(series: Series) -> float | None:
    """The usual time from a row to the next, in seconds; None if the series has no time stamps."""
    instants = series.instants
    if instants is None or len(instants) < 2 or instants.dtype.kind != "M":
        return None
    steps = np.diff(instants[:LONGEST_SERIES].astype("datetime64[ns]").astype(np.int64))
    return float(np.median(steps)) / 1e9 or None
