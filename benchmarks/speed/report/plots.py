"""The pictures of a results file. Colour-blind readers can tell the colours (Okabe and Ito) and the shapes apart."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.speed import arithmetic
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.bars import seconds
from benchmarks.speed.report.summary import cold_stages, step_time
from benchmarks.speed.results import Record, Table
from twinvae.config import Config

COLOURS = {
    "tutorial": "#000000", "pyod": "#CC79A7", "pyod-same-size": "#F0E442", "torch-eager": "#D55E00",
    "torch-loop": "#8C564B", "torch-again": "#BBBBBB", "torch-step": "#B58900", "torch-overhead": "#C7A252",
    "torch-autotune": "#D9BC7A", "torch-whole": "#A07800", "jax-again": "#777777",
    "torch-compiled": "#E69F00", "jax-step": "#56B4E9", "jax-run": "#0072B2",
}  # fmt: skip
MARKERS = {
    "tutorial": "o", "pyod": "v", "pyod-same-size": "P", "torch-eager": "s",
    "torch-loop": "h", "torch-again": "x", "torch-step": "d", "torch-overhead": "<", "torch-autotune": ">",
    "torch-whole": "p", "jax-again": "x", "torch-compiled": "D", "jax-step": "^", "jax-run": "*",
}  # fmt: skip
STAGES = (
    ("import", "start and import", "#56B4E9", ""),
    ("first_use", "compile and other first use", "#E69F00", "//"),
    ("train", "train 1,500 steps", "#0072B2", ""),
    ("score", "score", "#D55E00", "xx"),
)
FLOOR = "#009E73"
LIBRARIES = ("torch-eager", "jax-run")  # whose own sgemm gives a floor of its own
STYLE: dict[Any, Any] = {
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "axes.axisbelow": True, "legend.frameon": False, "hatch.linewidth": 0.6, "svg.hashsalt": "twinvae",
}  # fmt: skip


def pictures(table: Table) -> dict[str, bytes]:
    """Returns the pictures of everything that was measured, as PNG by name."""
    drawn = {}
    for name, draw in _PICTURES.items():
        with mpl.rc_context(STYLE):
            figure = draw(table)
        if figure is not None:
            buffer = BytesIO()
            figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
            drawn[name] = buffer.getvalue()
    return drawn


def ladder(table: Table) -> Figure | None:
    """Draws the time of a training step, the slowest implementation first, with the floor."""
    rows = []
    for name in IMPLEMENTATIONS:
        value = step_time(table, name)
        if value is not None:
            rows.append((value, name))
    if not rows:
        return None
    rows.sort(key=lambda row: (IMPLEMENTATIONS[row[1]].backend == "jax", -row[0]))
    figure, axes = _figure(8.6, 1.5 + 0.45 * len(rows))
    slowest = next((value for value, name in rows if name == "tutorial"), None)
    rates = {name: r for name in LIBRARIES if (r := table.roofline(1, name))}
    rate = max(rates.values(), default=None)
    floor = arithmetic.training_step(Config()) / rate if rate else min(rows)[0]
    for position, (value, name) in enumerate(rows):
        # A line from the floor, not a bar from an arbitrary end of a log axis.
        axes.plot([floor * 1e6, value * 1e6], [position] * 2, color=COLOURS[name], linewidth=5, solid_capstyle="butt")
        _line(axes, name, [value * 1e6], [position])
        label = f"   {seconds(value)}"
        if slowest and name != "tutorial":
            label += f" (tutorial's speed x {slowest / value:.3g})"
        axes.text(value * 1e6, position, label, va="center")
    axes.set_yticks(range(len(rows)), [_framework(name) for _, name in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("log")
    if rate:
        axes.axvline(floor * 1e6, color=FLOOR, linestyle="--")
        transform = axes.get_xaxis_transform()
        axes.text(
            floor * 1e6, 1.01, f"arithmetic floor {seconds(floor)}", color=FLOOR, va="bottom", transform=transform
        )
        for name, one in rates.items():
            axes.axvline(arithmetic.training_step(Config()) / one * 1e6, color=COLOURS[name], linestyle=":")
    axes.set_xlim(floor * 1e6 / 1.3, max(rows)[0] * 1e6 * 80)
    axes.set_xlabel("time of a training step, warm (µs, log scale)")
    axes.grid(axis="y", visible=False)
    return figure


def time_to_result(table: Table) -> Figure | None:
    """Draws the stages from the start of a process to scores in hand."""
    rows: list[tuple[str, dict[str, float]]] = []
    for label, stages in cold_stages(table):
        values = {stage: record.value for stage, record in stages.items() if stage != "total"}
        values["import"] = values.get("import", 0.0) + values.pop("start", 0.0)
        rest = stages["total"].value - sum(values.values())  # the sum of medians is not the median of sums
        values["first_use"] = values.get("first_use", 0.0) + rest
        rows.append((label, values))
    if not rows:
        return None
    totals = sorted(sum(values.values()) for _, values in rows)
    shown = next((t for t in reversed(totals) if t <= 3 * totals[len(totals) // 2]), totals[-1]) * 1.1
    figure, axes = _figure(8.6, 1.9 + 0.42 * len(rows))
    for position, (_, values) in enumerate(rows):
        left = 0.0
        for stage, label, colour, hatch in STAGES:
            width = max(0.0, values.get(stage, 0.0))
            axes.barh(
                position, max(0.0, min(width, shown - left)), left=left, color=colour, hatch=hatch, edgecolor="black",
                linewidth=0.4, height=0.65, label=label if position == 0 else None,
            )  # fmt: skip
            left += width
        text = f" {left:.2f} s" if left <= shown else f" {left:.1f} s, bar cut"
        axes.text(min(left, shown), position, text, va="center")
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, shown * 1.18)
    axes.set_xlabel("seconds from the start of a process to scores in hand, no pictures")
    figure.legend(loc="outside upper center", ncols=4, columnspacing=1.0, handlelength=1.4)
    axes.grid(axis="y", visible=False)
    return figure


def scoring(table: Table) -> Figure | None:
    """Draws the time of a scored point by the length of the series, with the floor."""
    threads = sorted({record.threads for record in table.all("points", "score_point")})
    if not threads:
        return None
    figure, panels = _panels(len(threads), 4.3)
    for axes, count in zip(panels, threads, strict=True):
        chosen = table.all("points", "score_point", threads=count)
        _lines(axes, chosen, "points", 1e9)
        _floor(axes, chosen, "points", table.roofline(count), 1e9)
        axes.set_title(_threads(count))
        axes.set_xlabel("points in the series")
    panels[0].set_ylabel("time of a scored point (ns)")
    _shared_legend(figure, panels)
    return figure


def training(table: Table) -> Figure | None:
    """Draws the time of a training step by each of the sizes, with the floor."""
    axes_of = (
        ("batch", "batch_size", "windows in a batch"), ("hidden", "hidden_dim", "hidden units"),
        ("window-length", "window", "points in a window"), ("channels", "channels", "channels"),
    )  # fmt: skip
    measured = [row for row in axes_of if table.all(row[0], "step")]
    if not measured:
        return None
    figure, panels = _panels(len(measured), 4.3)
    for axes, (case, axis, label) in zip(panels, measured, strict=True):
        chosen = table.all(case, "step", threads=1)
        _lines(axes, chosen, axis, 1e6)
        _floor(axes, chosen, axis, table.roofline(1), 1e6)
        axes.set_xlabel(label)
    for axes in panels[::2]:
        axes.set_ylabel("time of a training step (µs)")
    _shared_legend(figure, panels)
    return figure


def by_threads(table: Table) -> Figure | None:
    """Draws the time of a training step and of a scored point by the number of threads."""
    rows = (("step", "time of a training step (µs)", 1e6), ("score_point", "time of a scored point (ns)", 1e9))
    if not table.all("threads", "step"):
        return None
    figure, panels = _panels(2, 4.0)
    for axes, (metric, label, scale) in zip(panels, rows, strict=True):
        chosen = table.all("threads", metric)
        for name, records in _by_implementation(chosen).items():
            ordered = sorted(records, key=lambda record: record.threads)
            _line(axes, name, [r.threads for r in ordered], [r.value * scale for r in ordered])
        counts = sorted({record.threads for record in chosen})
        floors = [(c, rate) for c in counts if (rate := table.roofline(c)) and chosen[0].operations]
        if floors:
            values = [float(chosen[0].operations or 0) / rate * scale for _, rate in floors]
            axes.plot([c for c, _ in floors], values, color=FLOOR, linestyle="--", label="floor (sgemm rate)")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(counts, [str(c) for c in counts])
        axes.minorticks_off()
        axes.set_xlabel("threads")
        axes.set_ylabel(label)
    _shared_legend(figure, panels)
    return figure


def latency(table: Table) -> Figure | None:
    """Draws the median and the 99th percentile of the time of a single window."""
    records = sorted(table.all("window", "latency"), key=lambda record: -record.value)
    if not records:
        return None
    figure, axes = _figure(8.6, 1.4 + 0.45 * len(records))
    for position, record in enumerate(records):
        end = record.p99 or record.value
        axes.plot([record.value * 1e6, end * 1e6], [position] * 2, color=COLOURS[record.implementation], linewidth=2)
        axes.plot(end * 1e6, position, marker="|", color="black", markersize=12, markeredgewidth=1.5)
        _line(axes, record.implementation, [record.value * 1e6], [position])
        tail = f", 99th percentile {seconds(record.p99)}" if record.p99 is not None else ""
        axes.text(end * 1e6, position, f"   {seconds(record.value)}{tail}", va="center")
    axes.set_yticks(range(len(records)), [IMPLEMENTATIONS[record.implementation].label for record in records])
    axes.set_ylim(len(records) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlim(records[-1].value * 1e6 / 2, max(max(r.value, r.p99 or 0.0) for r in records) * 1e6 * 12)
    axes.set_xlabel("time of one window, NumPy in, score out (µs, log scale; marker: median, bar: 99th percentile)")
    axes.grid(axis="y", visible=False)
    return figure


_PICTURES: dict[str, Callable[[Table], Figure | None]] = {
    "ladder": ladder, "time_to_result": time_to_result, "scoring": scoring, "training": training,
    "threads": by_threads, "latency": latency,
}  # fmt: skip


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _panels(count: int, height: float) -> tuple[Figure, list[Any]]:
    """A figure with at most two panels in a row, so that each panel has room for its labels."""
    rows, columns = (count + 1) // 2, min(count, 2)
    figure = Figure(figsize=(5.2 * columns if columns > 1 else 7.0, height * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for extra in panels[count:]:
        extra.remove()
    return figure, panels[:count]


def _by_implementation(records: Sequence[Record]) -> dict[str, list[Record]]:
    return {name: found for name in IMPLEMENTATIONS if (found := [r for r in records if r.implementation == name])}


def _lines(axes: Any, records: Sequence[Record], axis: str, scale: float) -> None:
    for name, found in _by_implementation(records).items():
        ordered = sorted(found, key=lambda record: record.parameters[axis])
        values = [record.value * scale for record in ordered]
        _line(axes, name, [record.parameters[axis] for record in ordered], values)
        bands = [(r.parameters[axis], r.low * scale, r.high * scale) for r in ordered if r.low and r.high]
        if bands:
            axes.fill_between(*zip(*bands, strict=True), color=COLOURS[name], alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted({record.parameters[axis] for record in records})
    if max(ticks) < 10**5:
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)


def _line(axes: Any, name: str, x: Sequence[float], y: Sequence[float]) -> None:
    size = 10 if MARKERS[name] == "*" else 6
    axes.plot(
        x, y, color=COLOURS[name], marker=MARKERS[name], markersize=size, markeredgecolor="black",
        markeredgewidth=0.4, label=IMPLEMENTATIONS[name].label,
    )  # fmt: skip


def _floor(axes: Any, records: Sequence[Record], axis: str, rate: float | None, scale: float) -> None:
    if rate is None:
        return
    operations = {record.parameters[axis]: record.operations for record in records if record.operations}
    x = sorted(operations)
    axes.plot(
        x,
        [float(operations[p] or 0) / rate * scale for p in x],
        color=FLOOR,
        linestyle="--",
        label="floor (sgemm rate)",
    )


def _shared_legend(figure: Figure, panels: Sequence[Any]) -> None:
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=min(4, len(handles)))


def _framework(name: str) -> str:
    """The label of an implementation with its framework, where the label does not say it."""
    label = IMPLEMENTATIONS[name].label
    framework = {"jax": "JAX", "torch": "PyTorch"}[IMPLEMENTATIONS[name].backend]
    return label if framework in label else f"{label} ({framework})"


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"
