"""The tables of the report as HTML. Their cells say so if something was not measured."""

from benchmarks.markup import NOT_MEASURED, Html, as_table, as_text, missing
from benchmarks.speed.cases import CASES
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.bars import interval, seconds, verdicts
from benchmarks.speed.report.summary import STAGES, break_evens, cold_stages, step_time
from benchmarks.speed.results import Record, Results, Table
from benchmarks.speed.stats import ratio


def bars(table: Table) -> str:
    words = {True: Html('<span class="met">yes</span>'), False: Html('<span class="missed">no</span>'), None: missing()}
    rows = [(v.bar, as_text(v.measured), words[v.met] if v.shown else "not shown") for v in verdicts(table)]
    return as_table(("bar", "measured", "met?"), rows)


def ladder(results: Results, table: Table) -> str:
    reference = table.best("fit", "fit", implementation="tutorial")
    rows = []
    for name, implementation in IMPLEMENTATIONS.items():
        fit, step = table.best("fit", "fit", implementation=name), step_time(table, name)
        notes = results.notes_of("fit", name)
        loss = table.best("fit", "final_loss", implementation=name)
        verified = notes.get("verified")
        if implementation.difference:
            claim = f"another computation: {implementation.difference}"
        else:
            claim = f"the oracle's, within {verified['worst']:.1e}" if verified else NOT_MEASURED
        rows.append(
            (
                implementation.label,
                seconds(fit.value) if fit else missing(),
                _quartiles(fit) if fit else missing(),
                fit.counts if fit else missing(),
                seconds(step) if step else missing(),
                _time(table.best("fit", "cpu_step", implementation=name)),
                interval(ratio(reference.samples, fit.samples)) if fit and reference else missing(),
                str(fit.threads) if fit else missing(),
                f"{loss.value:.4f}" if loss else "its own",
                _events(notes.get("events")),
                as_text(claim),
            )
        )
    columns = (
        "implementation", "warm fit", "quartiles", "processes x calls", "step",
        "CPU seconds a step", "times the tutorial's speed", "threads",
        "final loss a window", "events found (true: 300 to 320)", "computation",
    )  # fmt: skip
    return as_table(columns, rows)


def cold(table: Table) -> str:
    rows = [
        (label, *(_time(stages.get(stage)) for stage in STAGES), stages["total"].counts)
        for label, stages in cold_stages(table)
    ]
    columns = (
        "implementation",
        "start",
        "import",
        "compile, first use",
        "train 1,500 steps",
        "score",
        "total",
        "processes x calls",
    )
    return as_table(columns, rows)


def breakeven(table: Table) -> str:
    rows = [(_label(e.first), _label(e.second), e.text) for e in break_evens(table)]
    return "<h3>Break-even, from the start of a cold process</h3>" + as_table(
        ("this", "is done before this", "if it trains"), rows
    )


def compilation(table: Table) -> str:
    rows = []
    for name, implementation in IMPLEMENTATIONS.items():
        if implementation.difference:
            continue
        values = [
            table.best("fit", metric, implementation=name)
            for metric in ("compile", "first_call", "first_run", "first_fit")
        ]
        programs = table.best("fit", "programs", implementation=name)
        again = table.best("recompile", "programs_again", implementation=name)
        rows.append(
            (
                implementation.label,
                *map(_time, values),
                f"{programs.value:.0f}" if programs else missing(),
                f"{again.value:.0f}" if again else missing(),
            )
        )
    columns = (
        "implementation", "trace and compile, in all (no cache)", "first call (ten steps)", "first run after that",
        "first fit after that", "programs compiled", "compiled again by a second fit and score",
    )  # fmt: skip
    return as_table(columns, rows)


def scoring(table: Table) -> str:
    rows = []
    for record in table.all("score", "score_point"):
        rate = table.roofline(record.threads)
        growth = table.best("score", "growth", implementation=record.implementation, threads=record.threads)
        share = f"{(record.operations or 0) / record.value / rate:.0%}" if rate and record.operations else missing()
        different = " *" if record.implementation.startswith("pyod") else ""
        rows.append(
            (
                _label(record.implementation),
                f"{record.parameters['points']:,}", str(record.threads),
                Html(f"{1 / record.value / 1e6:.3g} <small>{_rates(record)}</small>"),
                Html(share + different), f"{growth.value / 1e6:.0f} MB" if growth else missing(), record.counts,
            )
        )  # fmt: skip
    columns = (
        "implementation",
        "points",
        "threads",
        "million points a second",
        "of the sgemm rate",
        "growth of the process",
        "processes x calls",
    )
    return as_table(columns, rows) + "<p><small>* as if it did our arithmetic; its own model differs</small></p>"


def sizes(table: Table) -> str:
    """The time of a training step at every size, and its share of the measured sgemm rate."""
    rate, rows = table.roofline(1), []
    for case in ("batch", "hidden", "window-length", "channels"):
        axis = CASES[case].options["axis"]
        records = table.all(case, "step", threads=1)
        for value in sorted({record.parameters[axis] for record in records}):
            cells = []
            for name in CASES[case].implementations:
                found = table.best(case, "step", implementation=name, threads=1, **{axis: value})
                share = f" ({found.operations / found.value / rate:.0%})" if found and found.operations and rate else ""
                cells.append(f"{seconds(found.value)}{share}" if found else missing())
            rows.append((f"{case} {value}", *cells))
    labels = [IMPLEMENTATIONS[name].label for name in CASES["batch"].implementations]
    note = "<p><small>Time of a step, one thread; in brackets the share of the measured sgemm rate.</small></p>"
    return as_table(("size", *labels), rows) + note


def latency(table: Table) -> str:
    rows = [
        (
            _label(r.implementation), seconds(r.value), _quartiles(r), _p99(r), r.counts,
        )
        for r in table.all("window", "latency")
    ]  # fmt: skip
    return as_table(("implementation", "median", "quartiles", "99%", "processes x calls"), rows)


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
        as_table(("a point", "window", "channels", "median", "quartiles", "99%", "processes x calls"), points)
        + "<h3>twinvae watch, from a pipe to a pipe</h3><p>Its cores also serve who sends and who reads.</p>"
        + as_table(("lines", "cores", "points a second", "a point", "quartiles", "processes x calls"), lines)
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
    return as_table(heads, rows)


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
        (r.case, IMPLEMENTATIONS[r.implementation].label, r.device, f"{r.value / 1e6:.0f} MB")
        for case in ("fit", "cold")
        for metric in ("peak_resident", "peak_device_memory")
        for r in table.all(case, metric, threads=1)
    ]
    heads = "library", "threads", "precision", "GFLOP/s", "processes x calls"
    return (
        "<h3>Large matrix products</h3>" + as_table(heads, rows)
        + "<h3>Transfers to a GPU and back</h3>" + as_table(("implementation", "way", "time", "rate"), transfers)
        + "<h3>Peak memory of a process</h3>" + as_table(("case", "implementation", "device", "peak"), peaks)
    )  # fmt: skip


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
