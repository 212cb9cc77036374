"""The events in words: a sentence for the strongest, and a row of the table for each."""

from collections.abc import Iterator
from html import escape

from twinvae.pages.clock import Clock
from twinvae.pages.markup import Html, as_html
from twinvae.pages.shown import Shown
from twinvae.plots.figure import elided
from twinvae.plots.words import Words
from twinvae.scoring.events import Event

NAMED, LEAST_SHARE = 3, 0.01  # channels of an event in the table, and what they must add
LONGEST_NAME = 40
UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def answer(shown: Shown, words: Words) -> str:
    """Returns how many events there are, which is the strongest and why, and what they rest on."""
    found, rows = shown.found, f"{len(shown.series):,}"
    if not found:
        said = words("No event in {rows} rows.", rows=rows)
    else:
        events = words("1 event") if len(found) == 1 else words("{number} events", number=f"{len(found):,}")
        said = words("{events} in {rows} rows", events=events, rows=rows)
        strongest = max(found, key=lambda event: event.score)
        stamp = shown.series.stamp(strongest.start)
        text = words(", from {stamp}: {why}") if len(found) == 1 else words(". The strongest, from {stamp}: {why}")
        said += text.format(stamp=stamp, why=_why(strongest, shown, words))
    return f'<p class="answer">{escape(said)}</p><p class="note">{escape(shown.basis)}.</p>'


def table(shown: Shown, clock: Clock, words: Words) -> str:
    """Returns the table of the events at any threshold; those of the one that was used are not hidden."""
    names = words("when"), words("why"), words("score"), words("length"), words("channels"), words("mark")
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    here = set(shown.levels[shown.level].events)
    rows = []
    for place, event in enumerate(shown.events):
        cells = "".join(f"<td>{as_html(cell)}</td>" for cell in _cells(event, shown, clock, words))
        rows.append(f'<tr data-event="{place}"{"" if place in here else " hidden"}>{cells}</tr>')
    caption = escape(words("A click on the time of an event shows it below."))
    return (
        f'<div class="tall" tabindex="0"><table id="events"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p id="none" hidden>{escape(words("No event at this threshold."))}</p>'
    )


def _cells(event: Event, shown: Shown, clock: Clock, words: Words) -> Iterator[str]:
    threshold = shown.levels[shown.level].threshold
    stamp = shown.series.stamp(event.start)
    where = words("rows [{start}, {end})", start=event.start, end=event.end)
    yield Html(f'<button class="link">{escape(stamp)}</button><br><small>{escape(where)}</small>')
    similar = ""
    if event.similar_row is not None and event.similar_distance is not None:
        similar = words(
            "; most like the window at row {row} of training (distance {distance:.2g})",
            row=event.similar_row, distance=event.similar_distance,
        )  # fmt: skip
    yield _why(event, shown, words) + similar
    times = words("{times} × the threshold", times=number(event.score / threshold) if threshold else "–")
    yield Html(f'{number(event.score)}<br><small class="times">{escape(times)}</small>')
    rows = event.end - event.start
    length = words("1 row") if rows == 1 else words("{rows} rows", rows=f"{rows:,}")
    if clock.kind == "time":
        first, last = clock.edges(event.start, event.end)
        length += f" · {duration((last - first) / 1e3)}"
    yield length
    told = [(name, share) for name, share in event.channels.items() if share >= LEAST_SHARE]
    shares = [f"{elided(name, LONGEST_NAME)} {share:.0%}" for name, share in told[:NAMED]]
    left_out = len(told) - NAMED
    yield ", ".join(shares) + (words(" and {number} more", number=left_out) if left_out > 0 else "")
    choices = ("", "–"), ("real", words("real")), ("expected", words("expected, no event"))
    options = "".join(f'<option value="{value}">{escape(name)}</option>' for value, name in choices)
    label = escape(words("mark the event at {stamp}", stamp=stamp))
    yield Html(f'<select aria-label="{label}">{options}</select>')


def _why(event: Event, shown: Shown, words: Words) -> str:
    """What was measured against what was expected, where the score is highest."""
    if event.expected is None:
        return words("score {score}", score=number(event.score))
    name = next(iter(event.channels))
    text = words(
        "{channel}{value} measured, {expected} expected",
        channel="" if len(shown.series.names) == 1 else f"{elided(name, LONGEST_NAME)} ",
        value=words("no value") if event.value is None else number(event.value), expected=number(event.expected),
    )  # fmt: skip
    return f"{text}; {'; '.join(event.why)}" if event.why else text


def duration(seconds: float) -> str:
    """Returns a length of time in its two largest units.

    >>> duration(90061), duration(0.25)
    ('1 d 1 h', '0.25 s')
    """

    def parts() -> Iterator[str]:
        left = seconds
        for name, size in UNITS:
            whole = int(left / size + 1e-9)
            left -= whole * size
            if whole:
                yield f"{whole} {name}"

    return " ".join(list(parts())[:2]) or f"{seconds:.3g} s"


def number(value: float) -> str:
    """Returns a number in the digits that a reader wants."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
