"""All figures of the page: what each shows, says in words to who does not see it, and stands beside it as a key."""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from bokeh.plotting import figure

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.chart_lines import by_implementation, lines_figure, times_of
from benchmarks.speed.report.chart_map import map_figure, map_key
from benchmarks.speed.report.chart_parts import size_text
from benchmarks.speed.report.chart_rows import Row, rows_figure, samples_table, stages_figure, stages_key
from benchmarks.speed.report.marks import FLOORS, MARKS, floor_label, full_label
from benchmarks.speed.report.summary import beside_eager, cold_stages, rung_floors, rungs, seconds, step_scale
from benchmarks.speed.report.who_wins import MATCHES, cells
from benchmarks.speed.results import Record, Table

FIGURES = ("map", "ladder", "time_to_result", "scoring", "latency", "points", "training", "threads")
SIZES = {
    "batch": ("batch_size", "windows in a batch"), "hidden": ("hidden_dim", "hidden units"),
    "window-length": ("window", "points in a window"), "channels": ("channels", "channels"),
}  # fmt: skip
SAMPLES = (
    "Each row: the mark is the median, the grey line its 95% interval, and each line of dots below one process. Of "
    "more than 41 calls the dots are quantiles, the least and the largest among them."
)
TO_RESULT = '<p class="note">From the start of a process to scores in hand, no pictures</p>'
CAPTIONS = {
    "ladder": "Why, not only who. From a careful eager loop to vae_torch: the bookkeeping of the optimizer. To "
    "compile=True: no dispatch of single operations, and no return to Python between steps. From a jitted step to "
    "vae_jax: no return either. Beside a time: how many times the speed of vae_torch. Dotted and dashed: what the "
    "arithmetic alone would take at the rate of large matrix products that each framework reaches here. Last come "
    "those that compute something else, the tutorial's beginner's loop among them.",
    "map": "A training step, the fastest rung of each framework at each size. Cells without a colour are level within "
    "the noise; hatched ones were not measured.",
    "time_to_result": "What a user waits for. Compile and first use is what a first fit and score cost beyond a second "
    "one in the same process, by one definition for all. Dots: the total of each process.",
    "latency": "A sensor's next point: one window in, one score out, parameters bound once.",
    "scoring": "Time of a scored point of a long series.",
    "points": "Time of a scored point by length of the series; the floors count 7,680 operations a point.",
    "training": "Time of a training step, one thread, as each size grows alone; bands are bootstrap intervals.",
    "threads": "What more threads give.",
}


class Picture(NamedTuple):
    """Figures that stand side by side, what they say in words, their caption, and HTML above and below them."""

    plots: dict[str, figure]
    words: str
    caption: str
    key: str = ""
    samples: str = ""


def charts(table: Table, floor: float) -> dict[str, Picture]:
    """Returns the figures of what was measured, by name."""
    found = {name: _CHARTS[name](table, floor) for name in FIGURES}
    return {name: picture for name, picture in found.items() if picture is not None}


def _map(table: Table, floor: float) -> Picture | None:
    found = {title: row for title, torch in MATCHES.items() if (row := cells(table, torch, floor))}
    plots = {f"map-{at}": map_figure(row, title) for at, (title, row) in enumerate(found.items(), 1)}
    said = (
        f"{title}: " + ", ".join(f"batch {c.batch:,} and {c.model} {c.text}" for c in row)
        for title, row in found.items()
    )
    return Picture(plots, "; ".join(said), CAPTIONS["map"], map_key()) if plots else None


def _ladder(table: Table, floor: float) -> Picture | None:
    rows = [Row(name, full_label(name), r, step_scale(r), beside_eager(table, r, floor)) for name, r in rungs(table)]
    return _rows("ladder", rows, "Time of a training step, warm, on a log scale", floors=rung_floors(table))


def _latency(table: Table, floor: float) -> Picture | None:
    del floor
    records = sorted(table.all("window", "latency"), key=lambda record: record.value)
    rows = [
        Row(
            r.implementation, IMPLEMENTATIONS[r.implementation].label, r,
            beside="" if r.p99 is None else f"99th percentile {seconds(r.p99)}",
        )
        for r in records
    ]  # fmt: skip
    return _rows("latency", rows, "Time of one window, NumPy in, score out, on a log scale")


def _scoring(table: Table, floor: float) -> Picture | None:
    del floor
    records = [*table.all("score", "score_point"), *table.all("score-long", "score_point")]
    rows = [
        Row(r.implementation, _scored(r), r) for r in sorted(records, key=lambda record: (record.threads, record.value))
    ]
    return _rows("scoring", rows, "Time of a scored point, on a log scale")


def _time_to_result(table: Table, floor: float) -> Picture | None:
    del floor
    rows = cold_stages(table)
    if not rows:
        return None
    plot = stages_figure([(total.implementation, label, values, total) for label, values, total in rows])
    words = "; ".join(f"{label} {seconds(total.value)}" for label, _, total in rows)
    samples = samples_table([Row(total.implementation, label, total) for label, _, total in rows])
    return Picture({"time_to_result": plot}, words, CAPTIONS["time_to_result"], TO_RESULT + stages_key(), samples)


def _points(table: Table, floor: float) -> Picture | None:
    del floor
    records = table.all("points", "score_point")
    times = times_of(records, table)
    plots = {
        f"points-{count}": lines_figure(
            table, [r for r in records if r.threads == count], _parameter("points"),
            x="points in the series", y="time of a scored point", title=f"{count} thread{'s' if count > 1 else ''}",
            times=times,
        )
        for count in sorted({record.threads for record in records})
    }  # fmt: skip
    return _lines("points", plots, records)


def _training(table: Table, floor: float) -> Picture | None:
    del floor
    chosen = {case: table.all(case, "step", threads=1) for case in SIZES}
    records = [record for case in chosen.values() for record in case]
    times = times_of(records, table)
    plots = {
        f"training-{case}": lines_figure(
            table, found, _parameter(SIZES[case][0]), x=SIZES[case][1],
            y="time of a training step", title=f"by {SIZES[case][1]}", times=times,
        )
        for case, found in chosen.items() if found
    }  # fmt: skip
    return _lines("training", plots, records)


def _threads(table: Table, floor: float) -> Picture | None:
    del floor
    chosen = {
        what: table.all("threads", metric)
        for metric, what in (("step", "a training step"), ("score_point", "a scored point"))
    }
    plots = {
        f"threads-{at}": lines_figure(
            table, found, lambda record: record.threads, x="threads", y=f"time of {what}", title=what,
            times=times_of(found, table), floors=False,
        )
        for at, (what, found) in enumerate(chosen.items(), 1) if found
    }  # fmt: skip
    return _lines("threads", plots, [record for found in chosen.values() for record in found])


_CHARTS: dict[str, Callable[[Table, float], Picture | None]] = {
    "map": _map, "ladder": _ladder, "time_to_result": _time_to_result, "scoring": _scoring, "latency": _latency,
    "points": _points, "training": _training, "threads": _threads,
}  # fmt: skip


def _rows(name: str, rows: Sequence[Row], title: str, floors: dict[str, float] | None = None) -> Picture | None:
    if not rows:
        return None
    plot = rows_figure(rows, floors=floors or {})
    key = f'<p class="note">{title}</p>{_floors_key() if floors else ""}'
    return Picture(
        {name: plot}, "; ".join(row.text for row in rows), f"{CAPTIONS[name]} {SAMPLES}", key, samples_table(rows)
    )


def _lines(name: str, plots: dict[str, figure], records: Sequence[Record]) -> Picture | None:
    if not plots:
        return None
    names = by_implementation(records, lambda record: 0)
    ends = {one: (min(r.value for r in line), max(r.value for r in line)) for one, line in names.items()}
    words = "; ".join(
        f"{IMPLEMENTATIONS[one].label} from {seconds(low)} to {seconds(high)}" for one, (low, high) in ends.items()
    )
    floors = "" if name == "threads" else _floors_key()
    return Picture(plots, words, CAPTIONS[name], _legend(list(names)) + floors)


def _parameter(name: str) -> Callable[[Record], float]:
    return lambda record: record.parameters[name]


def _legend(names: Sequence[str]) -> str:
    """Returns a button for each implementation, which dims it in every figure of the page."""
    buttons = "".join(
        f'<button type="button" aria-pressed="true" data-implementation="{name}">'
        f'<span style="color:{MARKS[name].colour}" aria-hidden="true">{MARKS[name].character}</span> '
        f"{escape(IMPLEMENTATIONS[name].label)}</button>"
        for name in names
    )
    return f'<p class="controls" role="group" aria-label="Shown in every figure">{buttons}</p>'


def _floors_key() -> str:
    keys = (
        f'<span class="key"><span style="border-top:2px {line} {MARKS[library].colour};height:0"></span>'
        f"{floor_label(library)}</span>"
        for library, line in FLOORS.items()
    )
    return f'<p class="controls">{"".join(keys)}</p>'


def _scored(record: Record) -> str:
    threads = f", {record.threads} threads" if record.threads > 1 else ""
    return f"{IMPLEMENTATIONS[record.implementation].label}, {size_text(record.parameters['points'])} points{threads}"
