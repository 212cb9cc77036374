"""The lines that `twinvae watch` writes."""

import json
import math
from typing import Any

from twinvae.stream.event_tracker import Change
from twinvae.stream.stream import Step


def result_line(step: Step, time: Any) -> str:
    """The line of a point: its index, time stamp, score, label, and events that have opened or closed."""
    stamp = "" if time is None else f', "time": {json.dumps(time)}'
    events = f', "events": {events_json(step.changes)}' if step.changes else ""
    score = "null" if math.isnan(step.score) else repr(step.score)  # JSON has no NaN
    return f'{{"index": {step.at}{stamp}, "score": {score}, "label": {step.label}{events}}}\n'


def events_json(changes: list[Change]) -> str:
    """Changes in events, as JSON."""
    records = []
    for change in changes:
        event = {name: value for name, value in vars(change.event).items() if value is not None}
        records.append({"change": change.what, "number": change.number} | event)
    return json.dumps(records)
