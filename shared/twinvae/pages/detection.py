"""The page of a detection: the answer, the events, the series, the threshold that moves, and labels to mark."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from twinvae.pages import events
from twinvae.pages.clock import Clock, clock_of
from twinvae.pages.document import bokeh, data, document, figures, script
from twinvae.pages.figures import BLUE, GREEN, GREY, LONGEST_NAME, ORANGE, Drawing, literal
from twinvae.pages.lines import channel_line, hatched, near_in_page, score_line
from twinvae.pages.maps import added, latent
from twinvae.pages.markup import Html
from twinvae.pages.shown import Level, Shown
from twinvae.plots.figure import elided
from twinvae.plots.words import ENGLISH, Words
from twinvae.scoring.events import Event

FIRST, MOST_PANELS = 3, 12  # channels that are shown at first, and at once
MOST_ADDED = 60  # channels whose part in the score is drawn
LONGEST_TITLE = 100
STYLE = """
.plot { margin: 0 0 .25rem; }
#events td:first-child { min-width: 9rem; }
#events button.link { white-space: nowrap; }
@media (max-width: 40rem) {
  #events thead { display: none; }
  #events tr:not([hidden]) { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  #events td { display: block; border: 0; padding: .1rem .5rem; }
}
#events td:nth-child(2) { min-width: 12rem; }
#channels { max-height: 9rem; overflow: auto; }
#channels label { margin-right: 1rem; white-space: nowrap; }
input[type=number] { width: 8rem; }
"""


def detection_page(
    shown: Shown, words: Words = ENGLISH, *, head: Html | None = None, model: str = "model.safetensors", back: str = ""
) -> str:
    """Returns the page of a detection: one file of HTML, which needs no other and no network.

    `head` takes the place of Bokeh's own JavaScript, where that lies beside the pages of many series; `model` is the
    file that `twinvae feedback` changes; `back` is the page that lists the series.
    """
    from bokeh.models import ColumnDataSource

    clock, order = clock_of(shown.series), shown.order
    drawing = Drawing(shown, clock, words)
    near = near_in_page(shown)
    details = [ColumnDataSource(channel_line(shown, channel, near)) for channel in order]
    channels = [drawing.channel(*one) for one in zip(order[:MOST_PANELS], details, strict=False)]
    score, overview = drawing.score(score_line(shown, near)), drawing.overview(details[0])
    drawing.give_to_script(details, channels, score, overview)
    channel, windows = words("a channel over time, measured and expected"), words("Windows in the latent plane")
    drawn = [(words("the whole series"), overview.figure), *((channel, panel.figure) for panel in channels)]
    drawn.append((words("the score and the threshold over time"), score.figure))
    if len(order) > 1:
        drawn.append((words("what each channel adds to the score"), added(drawing, order[:MOST_ADDED])))
    drawn.append((windows, latent(drawing)))
    places, scripts = figures({str(index): figure for index, (_, figure) in enumerate(drawn)})
    *over_time, plane = (
        f'<div role="img" aria-label="{escape(text)}">{place}</div>'
        for (text, _), place in zip(drawn, places.values(), strict=True)
    )
    without = {"hatched": [hatched(shown, clock, channel) for channel in order]}
    parts = [
        f'<p><a href="{escape(back)}">{escape(words("All series"))}</a></p>' if back else "",
        events.answer(shown, words),
        _heading(words("Events")), _threshold(shown, words), events.table(shown, clock, words),
        _heading(words("The series"), "series"), _view(shown, order, words), *over_time,
        _heading(windows), _note(_about_windows(shown, words)), plane,
        _heading(words("Labels")), _labels(shown, model, words),
        data("facts", _facts(shown, clock, order, words) | without), data("words", _said(words)),
        scripts, script("page.js"),
    ]  # fmt: skip
    head = bokeh() if head is None else head
    return document(elided(shown.title, LONGEST_TITLE), parts, language=words.language, head=head, style=STYLE)


def _heading(text: str, name: str = "") -> str:
    return f"<h2{f' id={name}' if name else ''}>{escape(text)}</h2>"


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _button(name: str, text: str, *, disabled: bool = False) -> str:
    return f'<button id="{name}"{" disabled" if disabled else ""}>{escape(text)}</button>'


def _threshold(shown: Shown, words: Words) -> str:
    """The slider, and what it finds; where no option sets the threshold, as in a search, it says so."""
    note = ""
    if shown.levels[shown.level].option is None:
        text = words("No option sets this threshold; with --threshold fenced, --margin does.")
        note = f'<span class="note">{escape(text)}</span>'
    return (
        f'<div class="controls"><label for="threshold">{escape(words("lower: more events"))}</label>'
        f'<input type="range" id="threshold" min="0" max="{len(shown.levels) - 1}" value="{shown.level}" step="1">'
        f"<span>{escape(words('higher: fewer'))}</span>"
        f"{_button('reset', words('back to the threshold that was used'), disabled=True)}</div>"
        f'<p><output id="found" for="threshold"></output> {note} <span id="option-line" hidden>'
        f'{escape(words("To make it so:"))} <code id="option"></code></span></p>'
    )


def _view(shown: Shown, order: Sequence[int], words: Words) -> str:
    """The buttons that move what is in view, and the choice of channels."""
    buttons = (
        ("whole", words("all of it")), ("back", words("◀ earlier")), ("on", words("later ▶")),
        ("in", words("closer")), ("out", words("farther")),
    )  # fmt: skip
    how = words(
        "Drag a figure to move, Ctrl and the wheel to zoom; drag the frame in the uppermost one. Shaded: events; grey: "
        "the training part; hatched: no values. The score is raised for a window on both sides of an anomaly; shaded "
        "is where the values themselves depart."
    )
    moved = "".join(_button(*one) for one in buttons)
    view = f'<div class="controls">{moved}<span id="view" role="status"></span></div>{_note(how)}'
    if len(order) <= FIRST:
        return view
    names = [shown.series.names[channel] for channel in order]
    boxes = "".join(
        f'<label><input type="checkbox" value="{place}"> {escape(elided(name, LONGEST_NAME))}</label>'
        for place, name in enumerate(names)
    )
    most = min(MOST_PANELS, len(names))
    choice = words("Choose among {all} channels, at most {most} at once", all=len(names), most=most)
    quick = _button("all", words("the first {number}", number=most)) + _button("few", words("the first three"))
    return (
        f"{view}<details><summary>{escape(choice)}</summary>"
        f'<div class="controls">{quick}</div><div id="channels">{boxes}</div></details>'
    )


def _about_windows(shown: Shown, words: Words) -> str:
    return words(
        "Each point is a window of {steps} rows; neighbours in the plane look alike. What is selected here is selected "
        "in the score, and the other way round.",
        steps=shown.window,
    )


def _labels(shown: Shown, model: str, words: Words) -> str:
    """The form of labels; the marks of events are in their table."""
    how = words(
        "Mark events above as real or as expected. What was missed: select a stretch in the score, or take what is in "
        "view, or type its rows."
    )
    then = words("Then this moves the threshold so that what is marked is right, and says what that costs:")
    where = "" if shown.source.get("file") else " --series FILE"
    rows = "".join(
        f'<label>{escape(text)} <input type="number" id="{name}" min="0" max="{len(shown.series) - 1}"></label>'
        for name, text in (("first", words("first row")), ("last", words("last row")))
    )
    return (
        f'<p>{escape(how)}</p><div class="controls">{rows}<span id="stretch" role="status"></span>'
        f"{_button('use', words('take what is in view'))}{_button('add', words('it was missed'))}</div>"
        f'<ul id="marks"></ul><div class="controls">{_button("save", words("save labels.json"), disabled=True)}'
        f'<span id="marked" role="status"></span></div>'
        f'<p class="note">{escape(then)} <code>twinvae feedback {escape(model)} labels.json{where}</code></p>'
    )


def _facts(shown: Shown, clock: Clock, order: Sequence[int], words: Words) -> dict[str, Any]:
    """What `page.js` knows of the detection, beside the sources of the figures."""
    names, stamp = [shown.series.names[channel] for channel in order], shown.series.stamp
    return {
        "rows": len(shown.series), "window": shown.window, "level": shown.level, "first": FIRST,
        "titles": [literal(elided(name, LONGEST_NAME)) for name in names],
        "clock": clock.record, "absent": list(shown.absent), "source": dict(shown.source),
        "levels": [
            {"threshold": one.threshold, "events": one.events, "option": one.option, "expected": _expected(one, words)}
            for one in shown.levels
        ],
        "spans": [[event.start, event.end] for event in shown.events],
        "stamps": [[stamp(event.start), stamp(event.end - 1)] for event in shown.events],
        "scores": [event.score if np.isfinite(event.score) else None for event in shown.events],
        "of_event": [_channels(event, names) for event in shown.events],
        "colors": {"event": ORANGE, "real": GREEN, "expected": GREY, "missed": BLUE},
    }  # fmt: skip


def _channels(event: Event, names: Sequence[str]) -> list[int]:
    """The places of the channels that made an event: at most three, and no more than matter."""
    told = [name for name, share in event.channels.items() if share >= events.LEAST_SHARE]
    return [names.index(name) for name in (told or list(event.channels))[:FIRST]]


def _expected(level: Level, words: Words) -> str:
    """How many false events to expect, as far as that is known."""
    if level.rate is None:
        return words("How many false events to expect is not known.")
    rate = events.number(float(f"{level.rate:.1g}"))
    if level.sure.startswith("at least"):
        return words("Expect at least {rate} false events in 10,000 normal rows.", rate=rate)
    if level.sure.startswith("at most"):
        return words("Expect at most {rate} false events in 10,000 normal rows.", rate=rate)
    return words("Expect about {rate} false events in 10,000 normal rows.", rate=rate)


def _said(words: Words) -> Mapping[str, str]:
    """What the script says, its parts left open."""
    return {
        "view": words("from {first} to {last}"),
        "times": words("{times} × the threshold"),
        "found": words("Threshold {threshold}: events: {events}."),
        "stretch": words("rows [{start}, {end}), from {first} to {last}"),
        "between": words("from {first} to {last}"),
        "wrong": words("rows from 0 to {last}, the first not after the last"),
        "real": words("real"),
        "expected": words("expected, no event"),
        "missed": words("missed"),
        "remove": words("remove"),
        "marked": words("{marks} marks"),
    }
