"""An event as a record that JSON can hold."""

from typing import Any

import numpy as np

from twinvae.scoring.events import Event
from twinvae.series.series import Series

SHARES = 20  # channels of an event whose shares stand in events.json
EXPLAINED = 3  # of them with their contributions over time
MOST_VALUES = 50  # of them; those of a longer event are means over several rows


def event_record(event: Event, series: Series) -> dict[str, Any]:
    """An event as it stands in events.json: rows [start, end), and the time stamps of the first, last and peak row.

    Of many channels, the first 20 have their share. The contributions of the first three are lists of at most 50
    values of three digits, each the mean over `rows_per_value` rows (the last over what is left). `why` is what rules
    say of the event, where some are on.
    """
    shares = list(event.channels.items())[:SHARES]
    record = vars(event) | {
        "channels": {name: _rounded(share, 4) for name, share in shares},
        "start_time": series.stamp(event.start),
        "last_time": series.stamp(event.end - 1),
        "peak_time": series.stamp(event.peak),
    }
    for name in ("value", "expected"):
        record[name] = None if record[name] is None else _rounded(record[name], 7)
    del record["similar"], record["similar_start"]
    if record["why"] is None:
        del record["why"]
    if record["similar_distance"] is not None:
        record["similar_distance"] = _rounded(record["similar_distance"], 4)
    parts = record.pop("contributions")
    if parts is not None:
        size = -(-len(parts) // MOST_VALUES)
        begins = np.arange(0, len(parts), size)
        top = parts[:, :EXPLAINED].astype(np.float64)
        counts = np.add.reduceat(~np.isnan(top), begins, axis=0, dtype=np.int64)
        sums = np.add.reduceat(np.nan_to_num(top), begins, axis=0)
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        record["rows_per_value"] = size
        record["contributions"] = {
            name: [None if np.isnan(value) else _rounded(value, 3) for value in column]
            for (name, _), column in zip(shares, means.T, strict=False)
        }
    return record


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
