"""`report.html` of a fleet: its series in the order in which to look at them, drawn small, to sort and to filter."""

import math
import re
from collections.abc import Container, Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from twinvae.fleet.folder import page_name
from twinvae.fleet.rows import EventRow, Row, foremost
from twinvae.fleet.sketch import DRIFTS, columns_of
from twinvae.fleet.stems import file_stems
from twinvae.pages.document import data, document, script
from twinvae.pages.markup import Html, as_list
from twinvae.plots.words import Words
from twinvae.process.notices import shortened

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 20_000  # in the page; the rest is in fleet.parquet
MOST_WARNINGS = 5  # of a series
LONGEST_REASON = 300  # characters
LONGEST_CHANNEL = 30  # characters
STAMP = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d)(?::00(?:\.0+)?|(?P<more>:\d\d)(?:\.0+)?)?(?P<zone>Z|[+-][\d:]+|)"
)
STATES = ("now", "drift", "failed", "earlier", "quiet")  # in the order of the page
NUMBERS = ("rank", "highest", "events", "drift", "rows")

# The rows are grids, so that a browser need not lay out those out of sight; their roles say that it is a table.
STYLE = """
#fleet, #fleet thead, #fleet tbody { display: block; }
#fleet thead { position: sticky; top: 0; z-index: 1; background: var(--surface); }
#fleet tbody { content-visibility: auto; contain-intrinsic-size: auto 8000px; }
#fleet tr { display: grid; grid-template-columns: 4.8rem 12rem 8.5rem 1fr 5.8rem 4.8rem 4.6rem 4.6rem 7rem;
  border-bottom: 1px solid var(--line); }
#fleet th, #fleet td { position: static; border: 0; overflow-wrap: anywhere; }
#fleet tbody th { background: none; font-weight: normal; }
thead .n { white-space: normal; }
thead button { border: 0; background: none; padding: 0; font-weight: 600; text-align: inherit; color: var(--text); }
[aria-sort] button { color: var(--accent); }
[aria-sort=ascending] button::after { content: " ▲"; }
[aria-sort=descending] button::after { content: " ▼"; }
.series b { font-weight: 600; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; }
.state { display: block; font-size: .85rem; color: var(--muted); }
.state.now { color: var(--bad); font-weight: 600; }
.state.odd { color: var(--text); font-weight: 600; }
.shape svg { display: block; width: 100%; height: 2.6rem; }
.mark { fill: var(--bad); stroke: var(--bad); stroke-width: 2; opacity: .35; }
.band { fill: var(--accent); stroke: var(--accent); }
.score { fill: var(--muted); }
.alarm { fill: var(--bad); }
.limit { stroke: var(--muted); stroke-dasharray: 2 2; }
.series b, .why, .last { unicode-bidi: isolate; }
svg * { vector-effect: non-scaling-stroke; }
[aria-pressed=true] { background: var(--accent); color: var(--background); border-color: var(--accent); }
#find { width: min(22rem, 100%); }
@media (max-width: 50rem) {
  #fleet thead tr { display: flex; flex-wrap: wrap; }
  thead :is(.shape, .why) { display: none; }
  #fleet tbody tr { grid-template-columns: 1.6fr 1fr 1fr; }
  #fleet tbody tr > * { padding-bottom: 0; }
  tbody .series { grid-column: 1 / 3; }
  tbody .why { grid-column: 1 / -1; }
  #fleet tbody :is(.highest, .events, .drift) { text-align: left; white-space: normal; font-size: .85rem;
    color: var(--muted); padding-bottom: .3rem; }
  tbody :is(.highest, .events, .drift)::before { content: attr(data-label) " "; }
  tbody :is(.rank, .rows, .last), thead :is(.rows, .last) { display: none; }
}
"""


def page_of(
    fleet: "pl.DataFrame", events: "pl.DataFrame", settings: Mapping[str, Any], words: Words, reports: Container[str]
) -> str:
    """Returns the page of the tables of a fleet. It says nothing that the tables do not say.

    `settings` are those of the summary. `reports` are the names of the series that have a page of their own.
    """
    ranked = _ranked(fleet)
    counts = {state: ranked.filter(ranked["state"] == rank).height for rank, state in enumerate(STATES)}
    shown = ranked.head(MOST_ROWS)
    title = _answer(counts, ranked.height, words)
    parts = [
        f"<p class=note>{escape(_of_what(settings, words))}</p>",
        _controls(counts, ranked, words),
        f'<p id="count" role="status"></p>{_table(words)}',
        f'<p><button type="button" id="more" hidden>{escape(words("Show more"))}</button></p>',
        f"<noscript>{escape(words('The rows are made by JavaScript; all are in fleet.parquet too.'))}</noscript>",
        f"<h2>{escape(words('What the columns say'))}</h2>",
        as_list(_explained(ranked.height, words, all_open=all(name in reports for name in _fitted(shown)))),
        data("names", {state: _state(state, words) for state in STATES} | _said(words)),
        data("series", list(_series(shown, events, file_stems(fleet["name"]), words, reports))),
        script("fleet.js"),
    ]
    return document(title, parts, language=words.language, style=STYLE)


def _ranked(fleet: "pl.DataFrame") -> "pl.DataFrame":
    """The rows in the order of the page, with the place of their state among the states."""
    import polars as pl

    state = (
        pl.when(pl.col("status") == "failed").then(STATES.index("failed"))
        .when(pl.col("now").is_not_null()).then(STATES.index("now"))
        .when(pl.col("drift") >= DRIFTS).then(STATES.index("drift"))
        .when(pl.col("events") > 0).then(STATES.index("earlier"))
        .otherwise(STATES.index("quiet"))
    )  # fmt: skip
    most = pl.when(state == STATES.index("drift")).then(pl.col("drift")).otherwise(pl.coalesce("now", "highest"))
    return fleet.with_columns(state=state, most=most).sort(
        "state", "most", "name", descending=[False, True, False], nulls_last=True
    ).drop("most")  # fmt: skip


def _series(
    shown: "pl.DataFrame", events: "pl.DataFrame", stems: Mapping[str, str], words: Words, reports: Container[str]
) -> Iterator[list[Any]]:
    """What the script reads of each series, in the order of its `SERIES`."""
    import polars as pl

    found: dict[str, list[EventRow]] = {}
    for event in events.filter(pl.col("series").is_in(shown["name"].implode())).iter_rows(named=True):
        found.setdefault(event["series"], []).append(EventRow(**event))
    for fields in shown.iter_rows(named=True):
        state = fields.pop("state")
        row, own = Row(**fields), found.get(fields["name"], [])
        warnings = [shortened(said, LONGEST_REASON) for said in row.warnings[:MOST_WARNINGS]]
        spans = [(event.start, event.end) for event in own]
        yield [
            row.name, state, row.sketch or "", columns_of(row.rows, spans) if row.rows and spans else [],
            _why(row, foremost(own, row), words), _finite(row.highest), row.events, _finite(row.drift), row.rows,
            short_stamp(row.last_time or ""), warnings, page_name(stems[row.name]) if row.name in reports else "",
        ]  # fmt: skip


def _why(row: Row, event: EventRow | None, words: Words) -> str:
    """Why a series stands where it does, in one sentence; nothing of one that is quiet."""
    if row.error:
        return shortened(row.error, LONGEST_REASON)
    if event is None:
        if (row.drift or 0) < DRIFTS:
            return ""
        return words("its scores have risen, but no event has come of it: does the model still fit?")
    numbered = event.start_time == str(event.start)
    begin = words("row {row}", row=event.start_time) if numbered else short_stamp(event.start_time)
    rows = event.end - event.start
    text = begin if rows == 1 else words("{begin}, for {rows:,} rows", begin=begin, rows=rows)
    if row.threshold and (times := _finite(event.score / row.threshold)) is not None:
        many = f"{times:,.0f}" if times >= 100 else f"{times:.2g}"
        text += words(", {times} times the threshold", times=many)
    if event.value is None or event.expected is None:
        return text
    return text + words(
        ": {channel} {value}, expected {expected}",
        channel=shortened(event.channels[0], LONGEST_CHANNEL) if (row.channels or 1) > 1 else words("value"),
        value=f"{event.value:.4g}", expected=f"{event.expected:.4g}",
    )  # fmt: skip


def short_stamp(stamp: str) -> str:
    """A time stamp without the seconds, or parts of them, that are none."""
    found = STAMP.fullmatch(stamp)
    return f"{found['date']} {found['time']}{found['more'] or ''}{found['zone']}" if found else stamp


def _finite(value: float | None) -> float | None:
    """A number that JSON has, of four digits."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


# What the page says of itself.


def _state(state: str, words: Words) -> str:
    return {
        "now": words("event now"), "drift": words("drift"), "failed": words("failed"),
        "earlier": words("earlier events"), "quiet": words("quiet"),
    }[state]  # fmt: skip


def _said(words: Words) -> dict[str, str]:
    """What the script says; it fills in the numbers."""
    return {
        "count": words("%1 of %2 series"), "shown": words("%1 of %2 series, the first %3 shown"),
        "warnings": words("warnings: %1"), "none": words("no series is like that"),
    }  # fmt: skip


def _answer(counts: Mapping[str, int], series: int, words: Words) -> str:
    return words(
        "Of {series:,} series {now:,} have an event now, {drift:,} drift, {failed:,} failed",
        series=series, now=counts["now"], drift=counts["drift"], failed=counts["failed"],
    )  # fmt: skip


def _of_what(settings: Mapping[str, Any], words: Words) -> str:
    """What the detectors know, and the order of the rows."""
    rows = settings.get("train_rows")
    fitted = (
        words("Each series was searched by a model of its own: no part of it is known to be normal.")
        if rows is None
        else words("Each series has a model of its own, fitted on its first {rows:,} rows.", rows=rows)
    )
    order = words(
        "First come series with an event now, then those that drift, those that failed, those with earlier events, "
        "and the quiet ones; among these the highest score, or drift, first."
    )
    return f"{fitted} {order}"


def _controls(counts: Mapping[str, int], ranked: "pl.DataFrame", words: Words) -> str:
    """The search and a button for each state."""
    warned = ranked.filter(ranked["warnings"].list.len() > 0).height
    buttons = [("", words("all"), ranked.height)]
    buttons += [(str(STATES.index(state)), _state(state, words), count) for state, count in counts.items()]
    buttons += [("warned", words("with warnings"), warned)]
    chosen = "".join(
        f'<button type="button" data-only="{only}" aria-pressed="{"false" if only else "true"}">'
        f"{escape(text)} {count:,}</button>"
        for only, text, count in buttons
        if count or not only
    )
    find = escape(words("Find in names and reasons"))
    return (
        f'<div class="controls"><label>{find} <input type="search" id="find"></label></div>'
        f'<div class="controls" role="group" aria-label="{escape(words("which series"))}">{chosen}</div>'
    )


def _table(words: Words) -> Html:
    """The table without its rows. Each column that can be sorted by has a button."""
    heads = [
        ("rank", words("rank")), ("series", words("series")), ("shape", words("values and score")),
        ("why", words("why")), ("highest", words("highest score")), ("events", words("events")),
        ("drift", words("drift")), ("rows", words("rows")), ("last", words("last row")),
    ]  # fmt: skip
    cells = "".join(
        f'<th scope="col" role="columnheader" class="{name}{" n" if name in NUMBERS else ""}"'
        + (f">{escape(text)}" if name in ("shape", "why") else f'><button type="button">{escape(text)}</button>')
        + "</th>"
        for name, text in heads
    )
    head = f'<thead role="rowgroup"><tr role="row">{cells}</tr></thead>'
    return Html(f'<table id="fleet" role="table">{head}</table>')


def _fitted(shown: "pl.DataFrame") -> list[str]:
    """The names of the series that could have a page of their own."""
    names: list[str] = shown.filter(shown["status"] == "ok")["name"].to_list()
    return names


def _explained(series: int, words: Words, *, all_open: bool) -> list[str]:
    said = [
        words("event now: an event reaches into the last window of the series."),
        words(
            "drift: the share of the last tenth of the rows that scores higher than nine in ten rows of the training "
            "part, or of the first half where there is none; events do not count. 10 % is no drift, from {share} on "
            "it is called one.",
            share=f"{100 * DRIFTS:.0f} %",
        ),
        words("highest score: as a share of the threshold; an event has more than 1."),
        words(
            "values and score: the band is the channel that the event is about, from its least to its largest value; "
            "events are shaded. The bars below are the highest scores, the line is the threshold."
        ),
        words("why: the highest event that lasts until now, or else the highest; and the value at its highest score."),
    ]
    if not all_open:
        said.append(words("A name that is a link opens the page of the series; --reports all makes one for each."))
    if series > MOST_ROWS:
        said.append(words("{more:,} more series are in fleet.parquet.", more=series - MOST_ROWS))
    return said
