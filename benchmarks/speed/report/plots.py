"""The two pictures of a results file that pages of text show, as PNG: the map of who wins, and the ladder."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.speed.report.marks import FLOORS, MARKS, MOST, floor_label, full_label, shade
from benchmarks.speed.report.summary import beside_eager, rung_floors, rungs, seconds, step_time
from benchmarks.speed.report.who_wins import MATCHES, cells
from benchmarks.speed.results import Table

STYLE: dict[Any, Any] = {
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "axes.axisbelow": True, "legend.frameon": False, "hatch.linewidth": 0.6, "svg.hashsalt": "twinvae",
}  # fmt: skip


def pictures(table: Table, floor: float) -> dict[str, bytes]:
    """Returns the pictures of what was measured, as PNG by name. `floor` is the factor that is noise."""
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
    rows = rungs(table)
    if not rows:
        return None
    values = [(step_time(table, name) or 0.0) * 1e6 for name, _ in rows]
    floors = {library: least * 1e6 for library, least in rung_floors(table).items()}
    left = min([*floors.values(), *values])
    figure = Figure(figsize=(9.6, 1.6 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for position, ((name, record), value) in enumerate(zip(rows, values, strict=True)):
        mark = MARKS[name]
        # A line from the floor, not a bar from an arbitrary end of a log axis.
        axes.plot([left, value], [position] * 2, color=mark.colour, linewidth=5, solid_capstyle="butt")
        axes.plot(
            value, position, color=mark.colour, marker=mark.shape, markersize=10 if mark.shape == "*" else 6,
            markeredgecolor="black", markeredgewidth=0.4,
        )  # fmt: skip
        beside = beside_eager(table, record, floor)
        words = {"": "", "level": " (level: vae_torch)"}.get(beside, f" ({beside} vae_torch's speed)")
        axes.text(value, position, f"   {seconds(value * 1e-6)}{words}", va="center")
    axes.set_yticks(range(len(rows)), [full_label(name) for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.9)
    axes.set_xscale("log")
    drawn = [
        axes.axvline(least, color=MARKS[library].colour, linestyle=FLOORS[library], label=floor_label(library))
        for library, least in floors.items()
    ]
    axes.set_xlim(left / 1.3, max(values) * 40)
    axes.xaxis.set_major_formatter(lambda value, _: seconds(value * 1e-6))
    axes.set_xlabel("time of a training step, warm (log scale)")
    axes.grid(axis="y", visible=False)
    if floors:
        figure.legend(handles=drawn, loc="outside upper center", ncols=2)
    return figure


def map_of_winners(table: Table, floor: float) -> Figure | None:
    """Draws who is ahead at each batch and model, and by how much: a panel for eager PyTorch, one for the best."""
    found = {title: row for title, torch in MATCHES.items() if (row := cells(table, torch, floor))}
    if not found:
        return None
    figure = Figure(figsize=(10.4 if len(found) > 1 else 7.0, 4.6), layout="constrained")
    panels = list(figure.subplots(1, len(found), squeeze=False).flat)
    for axes, (title, row) in zip(panels, found.items(), strict=True):
        batches, models = (
            list(dict.fromkeys(values)) for values in zip(*((c.batch, c.model) for c in row), strict=True)
        )
        axes.add_patch(Rectangle((0, 0), len(batches), len(models), facecolor="white", edgecolor="#999999", hatch="//"))
        for cell in row:
            at = batches.index(cell.batch), models.index(cell.model)
            if not (cell.torch and cell.jax):
                continue
            colour, ink = shade(cell.times.value if cell.times else 1.0)
            axes.add_patch(Rectangle(at, 1, 1, facecolor=colour, edgecolor="white"))
            axes.text(
                at[0] + 0.5, at[1] + 0.5, cell.text.replace(" ", "\n", 1), ha="center", va="center",
                color=ink,
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
        ScalarMappable(TwoSlopeNorm(0.0, -np.log(MOST), np.log(MOST)), "PuOr"), ax=panels, location="bottom",
        ticks=np.log([1 / MOST, 1 / 2, 1, 2, MOST]), shrink=0.7, aspect=40, label="PyTorch's time over JAX's",
    )  # fmt: skip
    bar.ax.set_xticklabels([f"PyTorch {MOST}x or more", "2x", "level", "2x", f"JAX {MOST}x or more"])
    return figure


_PICTURES: dict[str, Callable[[Table, float], Figure | None]] = {"ladder": ladder, "map": map_of_winners}
