"""The tables of the report as HTML. Their cells say so if something was not measured."""

from collections.abc import Sequence

from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.bars import verdicts
from benchmarks.speed.report.summary import (
    STAGES,
    break_evens,
    cold_stages,
    compared,
    measured,
    seconds,
    step_record,
    step_scale,
)
from benchmarks.speed.results import Record, Results, Table
from twinvae.pages.markup import NOT_MEASURED, Html, as_list, as_table, as_text, missing

NUMBERS = frozenset({
    "warm fit", "step", "CPU seconds a step", "final loss a window", "start", "import", "compile, first use",
    "train 1,500 steps", "score", "total", "epochs", "time", "CPU-seconds", "points", "threads", "a point",
    "million points a second", "of its own library's sgemm rate", "growth of the process", "median", "99%", "window",
    "channels", "cores", "points a second", "series", "a model", "models a second", "GFLOP/s", "peak", "rate",
})  # fmt: skip


def bars(table: Table, floor: float) -> str:
    words = {True: Html('<span class="met">yes</span>'), False: Html('<span class="missed">no</span>'), None: missing()}
    rows = [
        (v.bar, as_text(v.measured), words[v.met] if v.shown else Html('<span class="none">not shown</span>'))
        for v in verdicts(table, floor)
    ]
    return _table(("bar", "measured", "met?"), rows)


def ladder(results: Results, table: Table, floor: float) -> str:
    """The tutorial's job on every rung, eager PyTorch first; others that compute something else come last."""
    reference = table.one("fit", "step", implementation="torch-eager")
    rows = []
    for name in sorted(IMPLEMENTATIONS, key=lambda name: IMPLEMENTATIONS[name].difference is not None):
        implementation = IMPLEMENTATIONS[name]
        fit, step = table.one("fit", "fit", implementation=name), table.one("fit", "step", implementation=name)
        rung = step_record(table, name)
        notes = results.notes_of("fit", name)
        loss = table.one("fit", "final_loss", implementation=name)
        if implementation.device not in (None, results.device):
            continue
        if implementation.difference:
            claim = "another: below"
        else:
            claim = f"the oracle's, within {notes['verified']['worst']:.1e}" if "verified" in notes else NOT_MEASURED
        against = compared(step, reference, floor) if reference and step and step is not reference else ""
        rows.append(
            (
                implementation.label,
                *((seconds(fit.value), _quartiles(fit)) if fit else [missing()] * 2),
                " and ".join(dict.fromkeys(one.counts for one in (fit, rung) if one)) or missing(),
                measured(rung, step_scale(rung)) if rung else missing(),
                _time(table.one("fit", "cpu_step", implementation=name)),
                against,
                f"{loss.value:.4f}" if loss else "its own",
                _events(notes.get("events")),
                as_text(claim),
            )
        )
    columns = (
        "implementation", "warm fit", "quartiles", "processes x calls", "step", "CPU seconds a step",
        "its step beside vae_torch's", "final loss a window", "events found (true: 300 to 320)", "computation",
    )  # fmt: skip
    others = (f"{one.label}: {one.difference}" for one in IMPLEMENTATIONS.values() if one.difference)
    return _table(columns, rows) + as_list(others)


def cold(table: Table) -> str:
    rows = [
        (
            label, *(seconds(values[stage]) if stage in values else missing() for stage in STAGES[:-1]),
            measured(total), total.counts,
        )
        for label, values, total in cold_stages(table)
    ]  # fmt: skip
    columns = (
        "implementation", "start", "import", "compile, first use", "train 1,500 steps", "score", "total",
        "processes x calls",
    )  # fmt: skip
    return _table(columns, rows)


def breakeven(table: Table, floor: float) -> str:
    programs = {"cold": "none", "warm": "its own"}
    rows = [(_label(e.first), programs[e.cache], _label(e.second), e.text) for e in break_evens(table, floor)]
    return "<h3>Break-even, from the start of a process</h3>" + _table(
        ("this", "programs on disk", "is done before this", "if it trains"), rows
    )


def quality(table: Table, floor: float) -> str:
    """The time to a loss and to a VUS-PR: the fit alone, in a process that has compiled, and the CPU-seconds of it."""
    rows = []
    for what, job in (("loss", "the tutorial's job, mean loss"), ("vus_pr", "ucr-135, the default preset, VUS-PR")):
        reference = table.one("quality", f"to_{what}", implementation="torch-eager")
        for name in CASES["quality"].implementations:
            time, cpu, epochs = (
                table.one("quality", f"{part}to_{what}", implementation=name) for part in ("", "cpu_", "epochs_")
            )
            if time is None or cpu is None or epochs is None:
                continue
            beside = compared(time, reference, floor) if reference and time is not reference else ""
            goal = f"{job} {'at most' if what == 'loss' else 'at least'} {time.parameters['target']:g}"
            rows.append(
                (
                    goal, _label(name), f"{epochs.value:.0f}", seconds(time.value), _quartiles(time),
                    seconds(cpu.value), beside, time.counts,
                )
            )  # fmt: skip
    heads = (
        "goal", "implementation", "epochs", "time", "quartiles", "CPU-seconds", "beside vae_torch", "processes x calls",
    )  # fmt: skip
    note = (
        "<p><small>The fit alone, warm. Each process has a seed of its own, the same for all implementations; epochs "
        "are the median of the shortest fits, of those tried, that got there.</small></p>"
    )
    return _table(heads, rows) + (note if rows else "")


def compilation(table: Table) -> str:
    rows = []
    for name, implementation in IMPLEMENTATIONS.items():
        first = {cache: table.one("fit", "first_use", implementation=name, cache=cache) for cache in ("cold", "warm")}
        if implementation.difference or implementation.same_as or not first["cold"]:
            continue
        programs = table.one("fit", "programs", implementation=name, cache="cold")
        again = table.one("recompile", "programs_again", implementation=name)
        rows.append(
            (
                implementation.label, _time(first["cold"]), _time(first["warm"]) if first["warm"] else "",
                *(f"{record.value:.0f}" if record else missing() for record in (programs, again)),
                " and ".join(record.counts for record in first.values() if record),
            )
        )  # fmt: skip
    columns = (
        "implementation", "compile and first use, nothing on disk", "the same, programs on disk", "programs compiled",
        "compiled again by a second fit and score", "processes x calls",
    )  # fmt: skip
    note = "<p><small>What the first training call and fit take beyond the second: one definition for all.</small></p>"
    return _table(columns, rows) + note


def scoring(table: Table) -> str:
    rows = []
    for record in (*table.all("score", "score_point"), *table.all("score-long", "score_point")):
        growth = table.one(record.case, "growth", implementation=record.implementation, threads=record.threads)
        floor = table.floor(record)
        different = " *" if record.implementation.startswith("pyod") else ""
        rows.append(
            (
                _label(record.implementation),
                f"{record.parameters['points']:,}", str(record.threads), measured(record),
                Html(f"{1 / record.value / 1e6:.3g} <small>{_rates(record)}</small>"),
                Html((f"{floor / record.value:.0%}" if floor else missing()) + different),
                f"{growth.value / 1e6:.0f} MB" if growth else missing(), record.counts,
            )
        )  # fmt: skip
    columns = (
        "implementation", "points", "threads", "a point", "million points a second", "of its own library's sgemm rate",
        "growth of the process", "processes x calls",
    )  # fmt: skip
    return _table(columns, rows) + "<p><small>* as if it did our arithmetic; its own model differs</small></p>"


def latency(table: Table) -> str:
    rows = [
        (
            _label(r.implementation), measured(r), _quartiles(r), _p99(r), r.counts,
        )
        for r in table.all("window", "latency")
    ]  # fmt: skip
    return _table(("implementation", "median", "quartiles", "99%", "processes x calls"), rows)


def streams(table: Table) -> str:
    points = [
        (
            "detector.stream(), NumPy"
            if r.implementation == "numpy"
            else f"{_label(r.implementation)}, its window_scorer()",
            str(r.parameters["window"]), str(r.parameters["channels"]), seconds(r.value),
            _quartiles(r), _p99(r), r.counts,
        )
        for r in table.all("stream", "point")
    ]  # fmt: skip
    lines = [
        (
            r.parameters["lines"], str(r.threads), f"{1 / r.value:,.0f}", seconds(r.value),
            _quartiles(r), r.counts,
        )
        for r in table.all("watch", "point")
    ]  # fmt: skip
    return (
        _table(("a point", "window", "channels", "median", "quartiles", "99%", "processes x calls"), points)
        + "<h3>twinvae watch, from a pipe to a pipe</h3><p>Its cores also serve who sends and who reads.</p>"
        + _table(("lines", "cores", "points a second", "a point", "quartiles", "processes x calls"), lines)
    )


def fleets(table: Table) -> str:
    rows = [
        (
            _label(r.implementation), what, str(r.parameters.get("preset", "tutorial")),
            f"{r.parameters.get('series', 1):,}", str(r.threads), seconds(r.value),
            _quartiles(r), f"{1 / r.value:,.1f}", r.counts,
        )
        for case in ("fleet", "fleet-size")
        for metric, what in (("single_model", "single fit"), ("fleet_model", "fleet"))
        for r in table.all(case, metric)
    ]  # fmt: skip
    heads = (
        "implementation",
        "what",
        "preset",
        "series",
        "cores",
        "a model",
        "quartiles",
        "models a second",
        "processes x calls",
    )
    return _table(heads, rows)


def machine(table: Table) -> str:
    rows = [
        (
            r.implementation if r.implementation == "numpy" else IMPLEMENTATIONS[r.implementation].backend,
            str(r.threads), str(r.parameters.get("precision")), f"{r.value / 1e9:.1f}", r.counts,
        )
        for r in table.all("roofline", "matmul")
    ]  # fmt: skip
    transfers = [
        (
            r.implementation,
            r.metric.replace("_", " "),
            seconds(r.value),
            f"{4e-9 * r.parameters['points'] / r.value:.1f} GB/s",
        )
        for metric in ("to_device", "to_host")
        for r in table.all("transfer", metric)
    ]
    peaks = [
        (case, _label(name), record.device, f"{record.value / 1e6:.0f} MB")
        for case in ("fit", "cold")
        for metric in ("peak_resident", "peak_device_memory")
        for name in IMPLEMENTATIONS
        if (record := table.one(case, metric, implementation=name))
    ]
    ways = "implementation", "way", "time", "rate"
    heads = "library", "threads", "precision", "GFLOP/s", "processes x calls"
    return (
        "<h3>Large matrix products</h3>" + _table(heads, rows)
        + ("<h3>Transfers to a GPU and back</h3>" + _table(ways, transfers) if transfers else "")
        + "<h3>Peak memory of a process</h3>" + _table(("case", "implementation", "device", "peak"), peaks)
    )  # fmt: skip


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return as_table(columns, rows, numbers=NUMBERS)


def _time(record: Record | None) -> str:
    return seconds(record.value) if record else missing()


def _rates(record: Record) -> str:
    return "" if not record.low or not record.high else f"[{1e-6 / record.high:.3g}, {1e-6 / record.low:.3g}]"


def _quartiles(record: Record) -> str:
    return f"{seconds(record.quartile1)} to {seconds(record.quartile3)}"


def _p99(record: Record) -> str:
    return "needs 1,000 samples" if record.p99 is None else seconds(record.p99)


def _label(name: str) -> str:
    return IMPLEMENTATIONS[name].label


def _events(events: list[list[int]] | None) -> str:
    if events is None:
        return missing()
    return ", ".join(f"{start} to {end}" for start, end in events) or "none"
