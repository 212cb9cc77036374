"""What the pictures of a results file are made of: colours and shapes that colour-blind readers can tell apart.

The colours are those of Okabe and Ito.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.results import LIBRARIES, Record, Table

FLOORS = {"torch-eager": ":", "jax-run": "--"}  # how the floor of a framework's own library is drawn
FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}
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
STYLE: dict[Any, Any] = {
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "axes.axisbelow": True, "legend.frameon": False, "hatch.linewidth": 0.6, "svg.hashsalt": "twinvae",
}  # fmt: skip


def new_figure(width: float, height: float) -> tuple[Figure, Any]:
    """Returns a figure of one panel, in inches, and the panel."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def new_panels(count: int, height: float) -> tuple[Figure, list[Any]]:
    """Returns a figure with at most two panels in a row, so that each has room for its labels."""
    rows, columns = (count + 1) // 2, min(count, 2)
    figure = Figure(figsize=(5.2 * columns if columns > 1 else 7.0, height * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for extra in panels[count:]:
        extra.remove()
    return figure, panels[:count]


def by_implementation(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Returns the records by implementation, in the order of their table."""
    return {name: found for name in IMPLEMENTATIONS if (found := [r for r in records if r.implementation == name])}


def draw_lines(axes: Any, records: Sequence[Record], axis: str, scale: float) -> None:
    """Draws a line for each implementation, with a band where there is an interval."""
    for name, found in by_implementation(records).items():
        ordered = sorted(found, key=lambda record: record.parameters[axis])
        values = [record.value * scale for record in ordered]
        draw_line(axes, name, [record.parameters[axis] for record in ordered], values)
        bands = [(r.parameters[axis], r.low * scale, r.high * scale) for r in ordered if r.low and r.high]
        if bands:
            axes.fill_between(*zip(*bands, strict=True), color=COLOURS[name], alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted({record.parameters[axis] for record in records})
    if max(ticks) < 10**5:
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)


def draw_line(axes: Any, name: str, x: Sequence[float], y: Sequence[float]) -> None:
    """Draws the points of an implementation in its colour and shape."""
    size = 10 if MARKERS[name] == "*" else 6
    axes.plot(
        x, y, color=COLOURS[name], marker=MARKERS[name], markersize=size, markeredgecolor="black",
        markeredgewidth=0.4, label=IMPLEMENTATIONS[name].label,
    )  # fmt: skip


def draw_floors(axes: Any, table: Table, records: Sequence[Record], axis: str, scale: float) -> None:
    """Draws what the arithmetic takes at the rate of matrix products, a line for each framework's own library."""
    for backend, library in LIBRARIES.items():
        floors = {
            record.parameters[axis]: floor
            for record in records
            if record.backend == backend and (floor := table.floor(record))
        }
        x = sorted(floors)
        if x:
            label = f"floor: matrix products of {FRAMEWORKS[backend]}"
            axes.plot(
                x, [floors[at] * scale for at in x], color=COLOURS[library], linestyle=FLOORS[library], label=label
            )


def shared_legend(figure: Figure, panels: Sequence[Any]) -> None:
    """Puts one legend for all panels below them."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3 if len(panels) > 1 else 2)
