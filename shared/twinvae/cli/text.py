"""What commands print: lines for people, or JSON for machines."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvae.process.notices import one_line, printable

if TYPE_CHECKING:
    from twinvae.fleet.tables import Tables
    from twinvae.scoring.false_alarms import FalseAlarms

MOST_EVENTS = 20  # printed; all are in events.json and in --json
LONGEST_MESSAGE = 800  # characters
MOST_SERIES = 10  # with the most events, and of those that failed; all are in the tables of a fleet


@contextmanager
def any_encoding() -> Iterator[None]:
    """Has stdout and stderr write what their encoding lacks as \\u6e29, so that no name can end a command."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, TextIOWrapper) and not stream.closed]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with suppress(OSError, ValueError):  # of one that is full or closed by now
                stream.reconfigure(errors=errors)


def complain(what: str, message: object) -> None:
    """Prints a line on stderr. The middle of a long one goes: a file may hold names of any length.

    Where stderr is full or closed, the line is lost, and not the work that it is about.
    """
    text = one_line(message)
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 200]} ... {text[-195:]}"
    with suppress(OSError, ValueError):
        print(printable(f"twinvae: {what}: {text}"), file=sys.stderr)


def print_result(options: argparse.Namespace, result: dict[str, Any], text: str) -> None:
    """Prints the result as JSON if that was asked for, else the text."""
    if options.json:
        from twinvae.files.atomic import as_json

        text = as_json(result).rstrip()
    print(printable(text))


def events_text(events: Sequence[dict[str, Any]], threshold: float) -> str:
    """The first events as a table, with the severity of each and what rules say of it, and how many more there are."""
    if not events:
        return "no events\n"
    from twinvae.scoring.severity import severity

    shown, more = events[:MOST_EVENTS], len(events) - MOST_EVENTS
    columns = {"severity": [f"{severity(one['score'], threshold):.0f}" for one in shown]}
    if any("why" in one for one in shown):
        columns["by the rules"] = ["; ".join(one.get("why", ())) for one in shown]
    return _spans(shown, columns) + (f"and {more} more events\n" if more > 0 else "")


def unusual_text(stretches: Sequence[dict[str, Any]]) -> str:
    """Of the most unusual stretches those that are no events, as a table with the severity of each."""
    others = [one for one in stretches if not one["event"]]
    if not others:
        return ""
    severities = {"severity": [f"{one['severity']:.0f}" for one in others]}
    return "below the threshold, the most unusual (severity 50 is the threshold, 100 the most):\n" + _spans(
        others, severities
    )


def _spans(events: Sequence[dict[str, Any]], more: Mapping[str, Sequence[str]]) -> str:
    rows = [("rows", "first", "last", "peak", "score", *more, "channels")]
    for index, event in enumerate(events):
        channels = ", ".join(f"{name} {share:.0%}" for name, share in list(event["channels"].items())[:3])
        span, times = f"[{event['start']}, {event['end']})", (event[f"{at}_time"] for at in ("start", "last", "peak"))
        rows.append((span, *times, f"{event['score']:.4g}", *(column[index] for column in more.values()), channels))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def quality_text(measured: Mapping[str, Any]) -> str:
    """How well the scores agree with the labels; nothing without labels."""
    if "roc_auc" not in measured:
        return ""
    return f"ROC AUC {measured['roc_auc']:.4f}, average precision {measured['average_precision']:.3f}\n"


def false_alarms_text(rate: "FalseAlarms") -> str:
    """How often normal data alarm."""
    asked = "none asked for" if rate.asked is None else f"asked for {rate.asked:.3g}"
    return (
        f"false events in 10,000 steps: {_asked(rate.events_asked)}found {rate.events_found:.3g} "
        f"(95 % interval {_tiny(rate.events_low)} to {_tiny(rate.events_high)}): {rate.events} events\n"
        f"share of steps in alarm: {asked}, found {rate.found:.3g} (95 % interval {_tiny(rate.low)} to "
        f"{_tiny(rate.high)}): {rate.alarms} of {rate.steps} steps away from the ends, in {rate.runs} runs\n"
    )


def _asked(events: float | None) -> str:
    return "" if events is None else f"asked for {events:.3g}, "


def _tiny(rate: float) -> str:
    return "0" if rate < 1e-9 else f"{rate:.2g}"


def fleet_text(tables: "Tables", out: Path) -> str:
    """What a run over many series has found, for people."""
    summary = tables.summary
    lines = [
        f"{summary['ok']} of {summary['series']} series done, {summary['failed']} failed; "
        f"{summary['events']} events in {summary['series_with_events']} series"
    ]
    if not summary["events"] and "highest" in tables.fleet.columns and tables.fleet["highest"].count():
        row = tables.fleet.sort("highest", descending=True, nulls_last=True).row(0, named=True)
        lines.append(f"the highest score of all is that of {row['name']}: {row['highest']:.2g} of its threshold")
    if summary.get("dropped"):
        lines.append(f"rules have left out {summary['dropped']} more events: see dropped in fleet.parquet")
    for row in _top_series(tables):
        many = f"{row['events']} event{'s' if row['events'] > 1 else ''}"
        lines.append(f"  {row['series']}: {many}, the first at {row['start_time']}")
    failures = _failed_series(tables)
    if failures:
        lines.append("failed:")
        lines += [f"  {row['name']}: {row['error']}" for row in failures]
        more = summary["failed"] - len(failures)
        lines += [f"  and {more} more"] if more else []
    lines.append(
        "report.html (a page to look at), fleet.parquet (a row for each series), events.parquet (for each event) and "
        f"models are in {out}"
    )
    return "\n".join(lines)


def fleet_record(tables: "Tables", out: Path) -> dict[str, Any]:
    """What a run over many series has found, for machines."""
    return tables.summary | {"out": str(out), "most_events": _top_series(tables), "failures": _failed_series(tables)}


def _top_series(tables: "Tables") -> list[dict[str, Any]]:
    """The series with the most events: `series`, `events`, and row and time of the first."""
    import polars as pl

    counted = tables.events.group_by("series").agg(
        pl.len().alias("events"), pl.col("start", "start_time").sort_by("start").first()
    )
    return counted.sort("events", "series", descending=[True, False]).head(MOST_SERIES).to_dicts()


def _failed_series(tables: "Tables") -> list[dict[str, Any]]:
    """The first series that failed, with their reasons."""
    bad = tables.fleet.filter(tables.fleet["status"] == "failed")
    return bad.select("name", "error").head(MOST_SERIES).to_dicts()
