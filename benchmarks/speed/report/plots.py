"""The pictures of a results file: the ladder, the time to a result, the map of who wins, the latency of a window."""

from collections.abc import Callable
from io import BytesIO

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogFormatter

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.drawing import COLOURS, FLOORS, FRAMEWORKS, STYLE, draw_line, new_figure, new_panels
from benchmarks.speed.report.summary import cold_stages, number, seconds, step_record, step_time
from benchmarks.speed.report.sweeps import by_threads, scoring, training
from benchmarks.speed.report.who_wins import MATCHES, cells
from benchmarks.speed.results import LIBRARIES, Table
from benchmarks.speed.stats import ratio

STAGES = (
    ("import", "start and import", "#56B4E9", ""),
    ("first_use", "compile and other first use", "#E69F00", "//"),
    ("train", "train 1,500 steps", "#0072B2", ""),
    ("score", "score", "#D55E00", "xx"),
)
MOST = 8  # the factor at which the colours of the map end


def pictures(table: Table, floor: float) -> dict[str, bytes]:
    """Returns the pictures of everything that was measured, as PNG by name. `floor` is the factor that is noise."""
    drawn = {}
    for name, draw in _PICTURES.items():
        with mpl.rc_context(STYLE):
            figure = draw(table, floor)
        if figure is not None:
            buffer = BytesIO()
            figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
            drawn[name] = buffer.getvalue()
    return drawn


def ladder(table: Table, floor: float) -> Figure | None:
    """Draws the time of a training step: PyTorch, then JAX, then those that compute something else."""
    rows = [(name, record) for name in IMPLEMENTATIONS if (record := step_record(table, name)) is not None]
    rows = [row for row in rows if not IMPLEMENTATIONS[row[0]].same_as]
    if not rows:
        return None
    rows.sort(
        key=lambda row: (IMPLEMENTATIONS[row[0]].difference is not None, IMPLEMENTATIONS[row[0]].backend == "jax")
    )
    values = [(step_time(table, name) or 0.0) * 1e6 for name, _ in rows]
    reference = table.one("fit", "step", implementation="torch-eager")
    floors = {
        name: least * 1e6
        for name, record in rows
        if name in LIBRARIES.values() and record.metric == "step" and (least := table.floor(record))
    }
    left = min([*floors.values(), *values])
    figure, axes = new_figure(9.6, 1.6 + 0.45 * len(rows))
    for position, ((name, record), value) in enumerate(zip(rows, values, strict=True)):
        # A line from the floor, not a bar from an arbitrary end of a log axis.
        axes.plot([left, value], [position] * 2, color=COLOURS[name], linewidth=5, solid_capstyle="butt")
        draw_line(axes, name, [value], [position])
        label = f"   {seconds(value * 1e-6)}"
        if reference and record is not reference and record.metric == reference.metric:
            times = ratio(reference.samples, record.samples)
            label += (
                f" ({number(times.value)} x vae_torch's speed)" if times.is_beyond(floor) else " (level: vae_torch)"
            )
        axes.text(value, position, label, va="center")
    axes.set_yticks(range(len(rows)), [_framework(name) for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.9)
    axes.set_xscale("log")
    drawn = [
        axes.axvline(
            least, color=COLOURS[library], linestyle=FLOORS[library],
            label=f"floor: the arithmetic at the rate of {FRAMEWORKS[IMPLEMENTATIONS[library].backend]}'s products",
        )
        for library, least in floors.items()
    ]  # fmt: skip
    axes.set_xlim(left / 1.3, max(values) * 40)
    axes.set_xlabel("time of a training step, warm (µs, log scale)")
    axes.grid(axis="y", visible=False)
    if floors:
        figure.legend(handles=drawn, loc="outside upper center", ncols=2)
    return figure


def time_to_result(table: Table, floor: float) -> Figure | None:
    """Draws the stages from the start of a process to scores in hand."""
    del floor
    rows = cold_stages(table)
    if not rows:
        return None
    totals = sorted(total.value for _, _, total in rows)
    shown = next((t for t in reversed(totals) if t <= 3 * totals[len(totals) // 2]), totals[-1]) * 1.1
    figure, axes = new_figure(9.6, 1.9 + 0.42 * len(rows))
    for position, (_, values, total) in enumerate(rows):
        end = 0.0
        widths = values | {"import": values.get("start", 0.0) + values.get("import", 0.0)}
        for stage, label, colour, hatch in STAGES:
            width = max(0.0, widths.get(stage, 0.0))
            axes.barh(
                position, max(0.0, min(width, shown - end)), left=end, color=colour, hatch=hatch, edgecolor="black",
                linewidth=0.4, height=0.65, label=label if position == 0 else None,
            )  # fmt: skip
            end += width
        text = f" {seconds(total.value)}" + (", bar cut" if total.value > shown else "")
        axes.text(min(total.value, shown), position, text, va="center")
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, shown * 1.18)
    axes.set_xlabel("seconds from the start of a process to scores in hand, no pictures")
    figure.legend(loc="outside upper center", ncols=4, columnspacing=1.0, handlelength=1.4)
    axes.grid(axis="y", visible=False)
    return figure


def map_of_winners(table: Table, floor: float) -> Figure | None:
    """Draws who is ahead at each batch and model, and by how much: a panel for eager PyTorch, one for the best."""
    found = {title: row for title, torch in MATCHES.items() if (row := cells(table, torch, floor))}
    if not found:
        return None
    figure, panels = new_panels(len(found), 4.6)
    shade = TwoSlopeNorm(0.0, -np.log(MOST), np.log(MOST))
    colours = mpl.colormaps["PuOr"]
    for axes, (title, row) in zip(panels, found.items(), strict=True):
        batches, models = (
            list(dict.fromkeys(values)) for values in zip(*((c.batch, c.model) for c in row), strict=True)
        )
        axes.add_patch(Rectangle((0, 0), len(batches), len(models), facecolor="white", edgecolor="#999999", hatch="//"))
        for cell in row:
            at = batches.index(cell.batch), models.index(cell.model)
            times = 1.0 if cell.times is None else min(max(cell.times, 1 / MOST), MOST)
            if not (cell.torch and cell.jax):
                continue
            red, green, blue, _ = colour = colours(float(shade(np.log(times))))
            axes.add_patch(Rectangle(at, 1, 1, facecolor=colour, edgecolor="white"))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            axes.text(
                at[0] + 0.5, at[1] + 0.5, cell.text.replace(" ", "\n", 1), ha="center", va="center",
                color="white" if dark else "black",
            )  # fmt: skip
        axes.set_xlim(0, len(batches))
        axes.set_ylim(0, len(models))
        axes.set_xticks(np.arange(len(batches)) + 0.5, [f"{batch:,}" for batch in batches])
        axes.set_yticks(np.arange(len(models)) + 0.5, [model.replace(", ", ",\n") for model in models])
        axes.set_xlabel("windows in a batch")
        axes.set_title(title)
        axes.grid(visible=False)
    panels[0].set_ylabel("size of the model: units of a hidden layer")
    bar = figure.colorbar(
        ScalarMappable(shade, colours), ax=panels, ticks=np.log([1 / MOST, 1 / 2, 1, 2, MOST]), location="bottom",
        shrink=0.7, aspect=40, label="PyTorch's time over JAX's",
    )  # fmt: skip
    bar.ax.set_xticklabels([f"PyTorch {MOST}x or more", "2x", "level", "2x", f"JAX {MOST}x or more"])
    return figure


def latency(table: Table, floor: float) -> Figure | None:
    """Draws the median and the 99th percentile of the time of a single window."""
    del floor
    records = sorted(table.all("window", "latency"), key=lambda record: -record.value)
    if not records:
        return None
    figure, axes = new_figure(8.6, 1.4 + 0.45 * len(records))
    for position, record in enumerate(records):
        end = record.p99 or record.value
        axes.plot([record.value * 1e6, end * 1e6], [position] * 2, color=COLOURS[record.implementation], linewidth=2)
        axes.plot(end * 1e6, position, marker="|", color="black", markersize=12, markeredgewidth=1.5)
        draw_line(axes, record.implementation, [record.value * 1e6], [position])
        tail = f", 99th percentile {seconds(record.p99)}" if record.p99 is not None else ""
        axes.text(end * 1e6, position, f"   {seconds(record.value)}{tail}", va="center")
    axes.set_yticks(range(len(records)), [IMPLEMENTATIONS[record.implementation].label for record in records])
    axes.set_ylim(len(records) - 0.5, -0.5)
    axes.set_xscale("log")
    left, right = records[-1].value * 1e6 / 2, max(max(r.value, r.p99 or 0.0) for r in records) * 1e6
    axes.set_xlim(left, right * max(12.0, right / left))  # half of a log axis is for the words
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1, 0.4)))
    axes.set_xlabel("time of one window, NumPy in, score out (µs, log scale; marker: median, bar: 99th percentile)")
    axes.grid(axis="y", visible=False)
    return figure


_PICTURES: dict[str, Callable[[Table, float], Figure | None]] = {
    "ladder": ladder, "time_to_result": time_to_result, "map": map_of_winners, "latency": latency,
    "scoring": lambda table, _: scoring(table), "training": lambda table, _: training(table),
    "threads": lambda table, _: by_threads(table),
}  # fmt: skip


def _framework(name: str) -> str:
    """The label of an implementation with its framework, where the label does not say it."""
    label = IMPLEMENTATIONS[name].label
    framework = {"jax": "JAX", "torch": "PyTorch"}[IMPLEMENTATIONS[name].backend]
    return label if framework in label else f"{label} ({framework})"
