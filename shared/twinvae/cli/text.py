"""What commands print: lines for people, or JSON for machines."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinvae.scoring.false_alarms import FalseAlarms

MOST_EVENTS = 20  # printed; all are in events.json and in --json


def complain(what: str, message: object) -> None:
    """Prints a line on stderr."""
    print(f"twinvae: {what}: {' '.join(str(message).split())}", file=sys.stderr)


def print_result(options: argparse.Namespace, result: dict[str, Any], text: str) -> None:
    """Prints the result as JSON if that was asked for, else the text."""
    if options.json:
        from twinvae.files.atomic import as_json

        text = as_json(result).rstrip()
    print(text)


def events_text(events: Sequence[dict[str, Any]]) -> str:
    """The first events as a table, and how many more there are."""
    if not events:
        return "no events\n"
    rows = [("rows", "first", "last", "peak", "score", "channels")]
    for event in events[:MOST_EVENTS]:
        channels = ", ".join(f"{name} {share:.0%}" for name, share in list(event["channels"].items())[:3])
        span, times = f"[{event['start']}, {event['end']})", (event[f"{at}_time"] for at in ("start", "last", "peak"))
        rows.append((span, *times, f"{event['score']:.4g}", channels))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    more = len(events) - MOST_EVENTS
    return "\n".join(lines) + "\n" + (f"and {more} more events\n" if more > 0 else "")


def quality_text(measured: Mapping[str, Any]) -> str:
    """How well the scores agree with the labels; nothing without labels."""
    if "roc_auc" not in measured:
        return ""
    return f"ROC AUC {measured['roc_auc']:.4f}, average precision {measured['average_precision']:.3f}\n"


def false_alarms_text(rate: "FalseAlarms") -> str:
    """How often normal data alarm."""
    asked = "asked for: no rate" if rate.asked is None else f"asked for {rate.asked:.3g} of the steps"
    return (
        f"false alarms: {asked}, found {rate.found:.3g} (95 % interval {_tiny(rate.low)} to {_tiny(rate.high)}): "
        f"{rate.alarms} of {rate.steps} steps in {rate.runs} runs\n"
    )


def _tiny(rate: float) -> str:
    return "0" if rate < 1e-9 else f"{rate:.2g}"
