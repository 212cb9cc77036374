"""The map of who wins: a cell for each batch and model, its colour and words who is ahead and by how much."""

from collections.abc import Sequence

from bokeh.models import FactorRange
from bokeh.plotting import figure

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.chart_parts import SMALL, add_hover, new_figure
from benchmarks.speed.report.marks import EDGE, MOST, shade
from benchmarks.speed.report.summary import measured
from benchmarks.speed.report.who_wins import Cell
from benchmarks.speed.results import Record
from twinvae.pages.markup import NOT_MEASURED


def map_figure(cells: Sequence[Cell], title: str) -> figure:
    """Returns the map. What was not measured is hatched; what is level within the noise has no colour."""
    batches, models = (
        list(dict.fromkeys(values)) for values in zip(*((f"{c.batch:,}", c.model) for c in cells), strict=True)
    )
    known = {(f"{cell.batch:,}", cell.model): cell for cell in cells if cell.torch and cell.jax}
    plot = new_figure(
        72 * len(models) + 90, x_range=FactorRange(factors=batches),
        y_range=FactorRange(factors=list(map(_two_lines, models))),
        title=title, x_axis_label="windows in a batch",
    )  # fmt: skip
    plot.grid.visible = False
    plot.axis.major_label_text_font_size = plot.axis.axis_label_text_font_size = SMALL
    plot.axis.axis_label_text_font_style = "normal"
    absent = [(batch, _two_lines(model)) for model in models for batch in batches if (batch, model) not in known]
    empty = plot.rect(
        x="batch", y="y", width=1, height=1, fill_color=None, line_color=EDGE,
        hatch_pattern="right_diagonal_line", hatch_color=EDGE, hatch_alpha=0.6, hatch_weight=0.5,
        source={
            "batch": [x for x, _ in absent], "y": [y for _, y in absent], "said": [NOT_MEASURED] * len(absent),
        },
    )  # fmt: skip
    colours = [shade(cell.times.value if cell.times else 1.0) for cell in known.values()]
    full = plot.rect(
        x="batch", y="y", width=1, height=1, fill_color="colour", line_color=EDGE,
        source={
            "batch": [batch for batch, _ in known], "y": [_two_lines(model) for _, model in known],
            "model": [model for _, model in known], "colour": [colour for colour, _ in colours],
            "ink": [ink for _, ink in colours], "text": [c.text.replace(" ", "\n", 1) for c in known.values()],
            "ahead": [c.ahead if c.times else "level, within the noise" for c in known.values()],
            "torch": [_told(c.torch) for c in known.values()], "jax": [_told(c.jax) for c in known.values()],
        },
    )  # fmt: skip
    plot.text(
        x="batch", y="y", text="text", text_color="ink", text_align="center", text_baseline="middle",
        text_font_size="13px", source=full.data_source,
    )  # fmt: skip
    add_hover(plot, [full], {
        "batch": "batch", "model": "model", "PyTorch": "torch", "JAX": "jax", "ahead [95 % interval]": "ahead",
    })  # fmt: skip
    add_hover(plot, [empty], {"": "said"})
    return plot


def map_key() -> str:
    """Returns what the colours of the map mean, as HTML."""
    steps = (1 / MOST, 1 / 4, 1 / 2, 1, 2, 4, MOST)
    swatches = "".join(f'<span style="background:{shade(times)[0]}"></span>' for times in steps)
    return (
        f'<p class="controls"><span class="key">PyTorch {MOST}x or more {swatches} JAX {MOST}x or more</span>'
        '<span class="key"><span class="hatched"></span>not measured</span></p>'
    )


def _two_lines(model: str) -> str:
    return model.replace(", ", ",\n").replace(" hidden", "\nhidden")


def _told(record: Record | None) -> str:
    return f"{measured(record)}, {IMPLEMENTATIONS[record.implementation].label}, {record.counts}" if record else ""
