"""The page of a detection: the answer, the events, the series, the threshold that moves, and labels to mark."""

from collections.abc import Iterator
from html import escape

from twinvae.pages.clock import Clock, clock_of
from twinvae.pages.document import bokeh, data, document, figures, script
from twinvae.pages.figures import BLUE, GREEN, GREY, ORANGE, Drawing
from twinvae.pages.markup import Html, as_html
from twinvae.pages.shown import Level, Shown
from twinvae.plots.figure import elided
from twinvae.plots.words import ENGLISH, Words
from twinvae.scoring.events import Event

FIRST, MOST_PANELS = 3, 12  # channels that are shown at first, and at once
MOST_ADDED = 60  # channels whose part in the score is drawn
NAMED = 3  # channels of an event in the table
LONGEST_NAME, LONGEST_TITLE = 40, 100


def detection_page(shown: Shown, words: Words = ENGLISH) -> str:
    """Returns the page of a detection: one file of HTML, which needs no other and no network."""
    clock, order = clock_of(shown.series), shown.order
    drawing = Drawing(shown, clock, words)
    details = [drawing.detail(channel) for channel in order]
    channels = [drawing.channel(*one) for one in list(zip(order, details, strict=True))[:MOST_PANELS]]
    for panel in channels[FIRST:]:
        panel.figure.visible = False
    score, overview = drawing.score(), drawing.overview(details[0])
    models = {"overview": overview.figure} | {f"channel-{place}": one.figure for place, one in enumerate(channels)}
    models |= {"score": score.figure, "latent": drawing.latent()}
    if len(order) > 1:
        models["added"] = drawing.added(order[:MOST_ADDED])
    drawing.give_to_script(details, channels, score, overview)
    places, scripts = figures(models)
    stacked = ["overview", *(f"channel-{place}" for place in range(len(channels))), "score"]
    stacked += ["added"] if "added" in models else []
    title = elided(shown.title, LONGEST_TITLE)
    parts = [
        _answer(shown, words),
        f'<h2>{words("Events")}</h2>', _threshold(shown, words), _events(shown, clock, words),
        f'<h2 id="series">{words("The series")}</h2>', _controls(shown, order, words),
        *(f'<div class="plot" role="img" aria-label="{_described(name, words)}">{places[name]}</div>'
          for name in stacked),
        f'<h2>{words("Windows in the latent plane")}</h2>',
        f'<p class="note">{words("Each point is a window of {steps} rows; neighbours in the plane look alike. What is selected here is selected in the score, and the other way round.", steps=shown.window)}</p>',
        f'<div class="plot" role="img" aria-label="{words("windows in the latent plane")}">{places["latent"]}</div>',
        f'<h2>{words("Labels")}</h2>', _labels(shown, words),
        data("facts", _facts(shown, clock, order, words) | {"hatched": [drawing.hatched(channel) for channel in order]}), data("words", _said(words)), scripts, script("page.js"),
    ]  # fmt: skip
    return document(title, parts, language=words.language, head=bokeh(), style=_STYLE)


_STYLE = """
.plot { margin: 0 0 .25rem; }
#events td:first-child { min-width: 9rem; }
#events td:nth-child(2) { min-width: 12rem; }
#channels { max-height: 9rem; overflow: auto; }
#channels label { margin-right: 1rem; white-space: nowrap; }
input[type=number] { width: 8rem; }
"""


def _answer(shown: Shown, words: Words) -> str:
    found, rows = shown.found, len(shown.series)
    if not found:
        said = words("No event in {rows} rows.", rows=f"{rows:,}")
    else:
        said = words("{events} in {rows} rows", events=_count(len(found), words), rows=f"{rows:,}")
        strongest = max(found, key=lambda event: event.score)
        said += words(
            ". The strongest, from {stamp}: {why}", stamp=shown.series.stamp(strongest.start),
            why=_why(strongest, shown, words),
        )  # fmt: skip
    return f'<p class="answer">{escape(said)}</p><p class="note">{escape(shown.basis)}.</p>'


def _count(number: int, words: Words) -> str:
    return words("1 event") if number == 1 else words("{number} events", number=f"{number:,}")


def _why(event: Event, shown: Shown, words: Words) -> str:
    """What was measured against what was expected, where the score is highest."""
    name = next(iter(event.channels))
    if event.expected is None:
        return words("score {score}", score=_number(event.score))
    text = words(
        "{channel}{value} measured, {expected} expected",
        channel="" if len(shown.series.names) == 1 else f"{elided(name, LONGEST_NAME)} ",
        value=words("no value") if event.value is None else _number(event.value), expected=_number(event.expected),
    )  # fmt: skip
    return f"{text}; {'; '.join(event.why)}" if event.why else text


def _events(shown: Shown, clock: Clock, words: Words) -> str:
    head = "".join(
        f'<th scope="col">{escape(words(name))}</th>'
        for name in ("when", "why", "score", "length", "channels", "mark")
    )
    rows = "".join(_event_row(place, event, shown, clock, words) for place, event in enumerate(shown.events))
    return (
        f'<div class="tall"><table id="events"><caption>{words("A click on the time of an event shows it below.")}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p id="none" hidden>{words("No event at this threshold.")}</p>'
    )


def _event_row(place: int, event: Event, shown: Shown, clock: Clock, words: Words) -> str:
    threshold = shown.levels[shown.level].threshold
    shares = [f"{elided(name, LONGEST_NAME)} {share:.0%}" for name, share in list(event.channels.items())[:NAMED]]
    left_out = len(event.channels) - NAMED
    rows = words("rows [{start}, {end})", start=event.start, end=event.end)
    why = _why(event, shown, words)
    if event.similar_row is not None and event.similar_distance is not None:
        why += words(
            "; most like the window at row {row} of training (distance {distance:.2g})", row=event.similar_row,
            distance=event.similar_distance,
        )  # fmt: skip
    length = words("{rows} rows", rows=f"{event.end - event.start:,}")
    if clock.kind == "time":
        first, last = clock.edges(event.start, event.end)
        length += f" · {_duration((last - first) / 1e3)}"
    stamp = shown.series.stamp(event.start)
    choices = "".join(
        f'<option value="{value}">{escape(words(name))}</option>'
        for value, name in (("", "–"), ("real", "real"), ("expected", "expected_mark"))
    )
    times = words("{times} × the threshold", times=_number(event.score / threshold) if threshold else "–")
    cells = (
        Html(f'<button class="link">{escape(stamp)}</button><br><small>{escape(rows)}</small>'),
        why,
        Html(f'{_number(event.score)}<br><small class="times">{escape(times)}</small>'),
        length,
        ", ".join(shares) + (words(" and {number} more", number=left_out) if left_out > 0 else ""),
        Html(f'<select aria-label="{escape(words("mark the event at {stamp}", stamp=stamp))}">{choices}</select>'),
    )
    hidden = "" if place in shown.levels[shown.level].events else " hidden"
    return f'<tr data-event="{place}"{hidden}>{"".join(f"<td>{as_html(cell)}</td>" for cell in cells)}</tr>'


def _threshold(shown: Shown, words: Words) -> str:
    last = len(shown.levels) - 1
    return (
        f'<div class="controls"><label for="threshold">{words("lower: more events")}</label>'
        f'<input type="range" id="threshold" min="0" max="{last}" value="{shown.level}" step="1">'
        f'<span>{words("higher: fewer")}</span>'
        f'<button id="reset" disabled>{words("back to the threshold that was used")}</button></div>'
        f'<p><output id="found" for="threshold"></output> {_search_note(shown, words)}'
        f'<span id="option-line" hidden>{words("To make it so:")} <code id="option"></code></span></p>'
    )


def _search_note(shown: Shown, words: Words) -> str:
    """What moves the threshold of a search, where no option does."""
    if shown.levels[shown.level].option is not None:
        return ""
    return f'<span class="note">{words("No option sets this threshold: name a normal part (--train-rows), and --margin does.")}</span> '


def _controls(shown: Shown, order: list[int], words: Words) -> str:
    buttons = (
        ("whole", "all of it"), ("back", "◀ earlier"), ("on", "later ▶"), ("in", "closer"), ("out", "farther"),
    )  # fmt: skip
    text = "".join(f'<button id="{name}">{escape(words(label))}</button>' for name, label in buttons)
    parts = [
        f'<div class="controls">{text}<span id="view" role="status"></span></div>',
        f'<p class="note">{words("Drag a figure to move, Ctrl and the wheel to zoom; drag the frame in the uppermost one. Shaded: events; grey: the training part; hatched: no values.")}</p>',
    ]
    if len(order) > FIRST:
        names = [shown.series.names[channel] for channel in order]
        boxes = "".join(
            f'<label><input type="checkbox" value="{escape(name, quote=True)}"{" checked" if place < FIRST else ""}> '
            f"{escape(elided(name, LONGEST_NAME))}</label>"
            for place, name in enumerate(names)
        )
        parts.append(
            f'<details><summary>{words("Choose among {all} channels, at most {most} at once", all=len(names), most=MOST_PANELS)}</summary>'
            f'<div class="controls"><button id="all">{words("the first {number}", number=min(MOST_PANELS, len(names)))}</button>'
            f'<button id="few">{words("the first three")}</button></div><div id="channels">{boxes}</div></details>'
        )
    return "".join(parts)


def _labels(shown: Shown, words: Words) -> str:
    first, last = words("first row"), words("last row")
    return (
        f'<p>{words("Mark events above as real or as expected. What was missed: select a stretch in the score, or take what is in view, or type its rows.")}</p>'
        f'<div class="controls"><label>{first} <input type="number" id="first" min="0" max="{len(shown.series) - 1}"></label>'
        f'<label>{last} <input type="number" id="last" min="0" max="{len(shown.series) - 1}"></label>'
        f'<span id="stretch" role="status"></span><button id="use">{words("take what is in view")}</button>'
        f'<button id="add">{words("it was missed")}</button></div><ul id="missed"></ul>'
        f'<div class="controls"><button id="save" disabled>{words("save labels.json")}</button>'
        f'<span id="marked" role="status"></span></div>'
        f'<p class="note">{words("Then this moves the threshold so that what is marked is right, and says what that costs:")} '
        "<code>twinvae feedback model.safetensors labels.json</code></p>"
    )


def _facts(shown: Shown, clock: Clock, order: list[int], words: Words) -> dict[str, object]:
    names = [shown.series.names[channel] for channel in order]
    stamp = shown.series.stamp
    return {
        "rows": len(shown.series), "window": shown.window, "first": FIRST, "channels": names,
        "titles": [elided(name, LONGEST_NAME) for name in names], "level": shown.level,
        "clock": clock.record, "absent": list(shown.absent), "source": dict(shown.source),
        "levels": [
            {"threshold": one.threshold, "events": one.events, "option": one.option, "expected": _expected(one, words)}
            for one in shown.levels
        ],
        "spans": [[event.start, event.end] for event in shown.events],
        "stamps": [[stamp(event.start), stamp(event.end - 1)] for event in shown.events],
        "scores": [event.score for event in shown.events],
        "of_event": [list(event.channels)[:FIRST] for event in shown.events],
        "colors": {"event": ORANGE, "real": GREEN, "expected": GREY, "missed": BLUE},
    }  # fmt: skip


def _expected(level: Level, words: Words) -> str:
    if level.rate is None:
        return words("How many false events to expect is not known.")
    text = words(
        {"at least": "Expect at least {rate} false events in 10,000 normal rows",
         "at most": "Expect at most {rate} false events in 10,000 normal rows"}.get(
            level.sure, "Expect about {rate} false events in 10,000 normal rows"),
        rate=f"{float(f'{level.rate:.1g}'):g}",
    )  # fmt: skip
    return f"{text}."


def _said(words: Words) -> dict[str, str]:
    """What the script says, its parts left open."""
    return {
        "view": words("from {first} to {last}"),
        "times": words("{times} × the threshold"),
        "found": words("Threshold {threshold}: events: {events}."),
        "stretch": words("rows [{start}, {end}), from {first} to {last}"),
        "between": words("from {first} to {last}"),
        "wrong": words("no such rows"),
        "remove": words("remove"),
        "marked": words("events marked: {events}, missed: {missed}"),
    }


def _described(name: str, words: Words) -> str:
    kind = name.partition("-")[0]
    text = {
        "overview": words("the whole series"), "score": words("the score and the threshold over time"),
        "added": words("what each channel adds to the score"),
    }.get(kind) or words("a channel over time, measured and expected")  # fmt: skip
    return escape(text, quote=True)


UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def _duration(seconds: float) -> str:
    """A length of time in its two largest units."""

    def parts() -> Iterator[str]:
        left = seconds
        for name, size in UNITS:
            whole = int(left / size + 1e-9)
            left -= whole * size
            if whole:
                yield f"{whole} {name}"

    return " ".join(list(parts())[:2]) or f"{seconds:.3g} s"


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}" if abs(value) < 1e-2 else f"{value:.4g}"
