"""The pictures of how times grow: with the length of a series, the sizes of a model, the number of threads."""

from matplotlib.figure import Figure

from benchmarks.speed.report.drawing import (
    by_implementation,
    draw_floors,
    draw_line,
    draw_lines,
    new_panels,
    shared_legend,
)
from benchmarks.speed.results import Table


def scoring(table: Table) -> Figure | None:
    """Draws the time of a scored point by the length of the series, with the floor."""
    threads = sorted({record.threads for record in table.all("points", "score_point")})
    if not threads:
        return None
    figure, panels = new_panels(len(threads), 4.3)
    for axes, count in zip(panels, threads, strict=True):
        chosen = table.all("points", "score_point", threads=count)
        draw_lines(axes, chosen, "points", 1e9)
        draw_floors(axes, table, chosen, "points", 1e9)
        axes.set_title(_threads(count))
        axes.set_xlabel("points in the series")
    panels[0].set_ylabel("time of a scored point (ns)")
    shared_legend(figure, panels)
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
    figure, panels = new_panels(len(measured), 4.3)
    for axes, (case, axis, label) in zip(panels, measured, strict=True):
        chosen = table.all(case, "step", threads=1)
        draw_lines(axes, chosen, axis, 1e6)
        draw_floors(axes, table, chosen, axis, 1e6)
        axes.set_xlabel(label)
        axes.set_title(f"by {label}")
    for axes in panels:
        axes.set_ylabel("time of a training step (µs)")
    shared_legend(figure, panels)
    return figure


def by_threads(table: Table) -> Figure | None:
    """Draws the time of a training step and of a scored point by the number of threads."""
    rows = (("step", "time of a training step (µs)", 1e6), ("score_point", "time of a scored point (ns)", 1e9))
    if not table.all("threads", "step"):
        return None
    figure, panels = new_panels(2, 4.0)
    for axes, (metric, label, scale) in zip(panels, rows, strict=True):
        chosen = table.all("threads", metric)
        for name, records in by_implementation(chosen).items():
            ordered = sorted(records, key=lambda record: record.threads)
            draw_line(axes, name, [r.threads for r in ordered], [r.value * scale for r in ordered])
        counts = sorted({record.threads for record in chosen})
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(counts, [str(c) for c in counts])
        axes.minorticks_off()
        axes.set_xlabel("threads")
        axes.set_ylabel(label)
    shared_legend(figure, panels)
    return figure


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"
