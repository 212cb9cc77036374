"""The figures of a detection's page over time: channels and the score. See `maps` for the others.

A source called `detail` holds all that the page knows of a line; `page.js` puts what is in view into `shown`, as many
points as a screen has. Colours of Okabe and Ito, on white and on black: those of axes come from the page's style.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvae.pages.clock import Clock
from twinvae.pages.shown import Shown
from twinvae.plots.figure import elided
from twinvae.plots.pictures import principal_components
from twinvae.plots.words import Words

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource, Range1d
    from bokeh.plotting import figure as Figure  # noqa: N812

BLUE, RED, ORANGE, GREY, GREEN = "#2a7fc0", "#d55e00", "#e69f00", "#8a8f98", "#009e73"
HEIGHT, SCORE_HEIGHT, OVERVIEW_HEIGHT = 150, 250, 80  # pixels
LEFT = 94  # pixels for the labels of the vertical axes, so that all figures align
FLOOR = 1e-5  # of the threshold: what is lower is drawn there
MOST_CLOSE = 10  # rows in view, at least
TOOLTIP_DIGITS = "%0.8g"
LONGEST_NAME = 40


@dataclass
class Panel:
    """A line over time: its figure, all that is known of it, and what of it is in view."""

    figure: "Figure"
    detail: "ColumnDataSource"
    shown: "ColumnDataSource"
    floor: float | None = None
    hatched: "ColumnDataSource | None" = None

    @property
    def record(self) -> dict[str, Any]:
        """What the page's script is given of it."""
        return {
            "figure": self.figure, "detail": self.detail, "shown": self.shown, "floor": self.floor,
            "hatched": self.hatched,
        }  # fmt: skip


@dataclass
class Drawing:
    """The figures of a page, which share an axis of time, the events, and a selection of windows."""

    shown: Shown
    clock: Clock
    words: Words
    x: "Range1d" = field(init=False)
    events: "ColumnDataSource" = field(init=False)
    windows: "ColumnDataSource" = field(init=False)
    threshold: "ColumnDataSource" = field(init=False)
    middle: "ColumnDataSource" = field(init=False)

    def __post_init__(self) -> None:
        from bokeh.models import ColumnDataSource, Range1d

        first, last = self.clock.edges(0, len(self.shown.series))
        closest = (last - first) * min(1.0, MOST_CLOSE / len(self.shown.series))
        self.x = Range1d(first, last, bounds=(first, last), min_interval=closest)
        self.events = ColumnDataSource({"left": [], "right": [], "event": [], "color": [], "dash": []})
        plane, share = principal_components(self.shown.latent)
        places = (self.shown.latent - self.shown.latent.mean(axis=0)) @ plane
        rows = np.minimum(self.shown.latent_rows, len(self.shown.series) - 1)
        scores = np.maximum(np.nan_to_num(self.shown.scores[rows]), self.floor)
        self.share = share
        hit = np.array(self.shown.with_event)
        self.windows = ColumnDataSource({
            "x": self.clock.at(rows), "row": rows, "score": scores, "first": places[:, 0], "second": places[:, 1],
            "color": np.where(hit, RED, BLUE), "marker": np.where(hit, "triangle", "circle"),
        })  # fmt: skip

    @cached_property
    def floor(self) -> float:
        """The lowest score that is drawn."""
        known = self.shown.scores[~np.isnan(self.shown.scores)]
        threshold = self.shown.levels[self.shown.level].threshold
        lowest = float(known[known > 0].min()) if (known > 0).any() else 1.0
        return max(lowest, threshold * FLOOR, 1e-30)

    def channel(self, channel: int, detail: "ColumnDataSource") -> Panel:
        """A channel, what was expected of it, and the events. The script may put another one in its place."""
        from bokeh.models import ColumnDataSource

        panel = self._panel(detail, literal(elided(self.shown.series.names[channel], LONGEST_NAME)), HEIGHT)
        panel.figure.xaxis.visible = False
        panel.hatched = ColumnDataSource({"left": [], "right": []})
        panel.figure.vstrip(
            source=panel.hatched, x0="left", x1="right", fill_alpha=0.0, line_alpha=0.0, hatch_pattern="/",
            hatch_color=GREY, hatch_alpha=0.6, hatch_scale=8,
        )  # fmt: skip
        line = {"source": panel.shown, "x": "x"}
        panel.figure.line(
            **line, y="expected", color=RED, line_dash=[6, 3], line_width=1.5, legend_label=self.words("expected")
        )
        measured = panel.figure.line(**line, y="value", color=BLUE, line_width=1.3, legend_label=self.words("measured"))
        self._finish(
            panel,
            measured,
            [
                (self.words("measured"), "@value"),
                (self.words("expected"), "@expected"),
                (self.words("score"), "@score"),
            ],
        )
        return panel

    def score(self, line: Mapping[str, np.ndarray]) -> Panel:
        """The score, the threshold, and windows that can be selected here and in the latent plane."""
        from bokeh.models import BoxSelectTool, ColumnDataSource

        title = self.words("score ({kind}): {unit}", kind=self.shown.kind, unit=self.words(self.shown.unit))
        panel = self._panel(ColumnDataSource(dict(line)), title, SCORE_HEIGHT, y_axis_type="log")
        panel.floor = self.floor
        threshold = self.shown.levels[self.shown.level].threshold
        windows = panel.figure.scatter(
            source=self.windows, x="x", y="score", size=5, color="color", marker="marker", alpha=0.0,
            selection_alpha=1.0, nonselection_alpha=0.0, hover_alpha=0.0,
        )  # fmt: skip
        drawn = panel.figure.line(
            source=panel.shown, x="x", y="drawn", color=BLUE, line_width=1.3, legend_label=self.words("score"),
        )  # fmt: skip
        ends = [self.x.start, self.x.end]  # a line, not a span: the axis leaves room for it
        self.threshold = ColumnDataSource({"x": ends, "y": [threshold, threshold]})
        panel.figure.line(
            source=self.threshold, x="x", y="y", color=RED, line_dash="dashed", line_width=2,
            legend_label=self.words("threshold"),
        )  # fmt: skip
        panel.figure.add_tools(
            BoxSelectTool(dimensions="width", renderers=[windows], description=self.words("select a stretch"))
        )
        panel.figure.toolbar_location, panel.figure.toolbar.logo = "below", None
        self._finish(panel, drawn, [(self.words("score"), "@value")])
        return panel

    def overview(self, detail: "ColumnDataSource") -> Panel:
        """All of one channel, with a frame around what is in view that can be dragged."""
        from bokeh.models import ColumnDataSource, RangeTool

        panel = self._panel(detail, "", OVERVIEW_HEIGHT, alone=True)
        panel.figure.line(source=panel.shown, x="x", y="value", color=BLUE)
        tool = RangeTool(x_range=self.x)
        tool.overlay.fill_color, tool.overlay.fill_alpha, tool.overlay.line_color = GREY, 0.25, GREY
        panel.figure.add_tools(tool)
        self.middle = ColumnDataSource({"x": [self.x.start]})  # seen where the frame is too narrow
        panel.figure.vspan(source=self.middle, x="x", line_color=GREY, line_width=3)
        panel.figure.yaxis.visible = False
        panel.figure.ygrid.visible = False
        return panel

    def give_to_script(self, details: Sequence[Any], channels: Sequence[Panel], score: Panel, overview: Panel) -> None:
        """Hands all that `page.js` works with to it, under the name `page`."""
        from bokeh.models import ColumnDataSource, CustomJS

        clock = ColumnDataSource({"row": self.clock.rows.astype(np.float64), "place": self.clock.places})
        given = {
            "x": self.x, "clock": clock, "panels": [panel.record for panel in channels], "score": score.record,
            "overview": overview.record, "details": list(details), "events": self.events, "windows": self.windows,
            "threshold": self.threshold, "middle": self.middle,
        }  # fmt: skip
        self.x.js_on_change("start", CustomJS(args=given, code="", name="page"))

    # What figures over time share.

    def figure(self, title: str, height: int, *, alone: bool = False, **options: Any) -> "Figure":
        """An empty figure whose horizontal axis is the one of all; `alone` leaves it at the whole series."""
        from bokeh.models import PanTool, Range1d, ResetTool, WheelZoomTool
        from bokeh.plotting import figure

        x = Range1d(self.x.start, self.x.end) if alone else self.x
        plot = figure(
            height=height, sizing_mode="stretch_width", x_range=x, tools="", min_border_left=LEFT, min_border_right=12,
            x_axis_type="datetime" if self.clock.kind == "time" else "linear", toolbar_location=None,
            title=title or None, **options,
        )  # fmt: skip
        if plot.title is not None:
            plot.title.text_font_size = "0.85rem"
        plot.xaxis[0].ticker.desired_num_ticks = 5
        plot.yaxis[0].ticker.desired_num_ticks = 4
        if self.clock.offsets and not alone:
            plot.xaxis[0].axis_label = self.words("time ({zone})", zone=self.clock.offsets[0][1])
        if self.clock.kind != "time":
            plot.xaxis[0].formatter.use_scientific = False
        if not alone:
            drag = PanTool(dimensions="width")
            plot.add_tools(drag, WheelZoomTool(dimensions="width", modifiers={"ctrl": True}), ResetTool())
            plot.toolbar.active_drag = drag
            plot.toolbar.active_scroll = "auto"
        return plot

    def _panel(
        self, detail: "ColumnDataSource", title: str, height: int, *, alone: bool = False, **options: Any
    ) -> Panel:
        from bokeh.models import BoxAnnotation, ColumnDataSource, TapTool

        ends = np.array([0, len(self.shown.series) - 1])  # until the script has put in what is in view
        values = np.asarray(detail.data["value"])
        known = values[~np.isnan(values)]
        least_and_most = [float(known.min()), float(known.max())] if len(known) else [0.0, 1.0]
        columns: dict[str, Any] = {"x": self.clock.at(ends), "row": ends, "stamp": ["", ""], "score": [0.0, 0.0]}
        columns |= {"value": least_and_most, "drawn": least_and_most}
        columns |= {"expected": least_and_most} if "expected" in detail.data else {}
        plot = self.figure(title, height, alone=alone, **options)
        panel = Panel(plot, detail, ColumnDataSource(columns))
        strips = plot.vstrip(
            source=self.events, x0="left", x1="right", fill_color="color", fill_alpha=0.28, line_color="color",
            line_alpha=0.9, line_dash="dash", nonselection_fill_alpha=0.2, selection_fill_alpha=0.5,
        )  # fmt: skip
        if not alone:
            plot.add_tools(TapTool(renderers=[strips], description=self.words("show an event")))
        if self.shown.train_rows:
            first, last = self.clock.edges(0, self.shown.train_rows)
            plot.add_layout(
                BoxAnnotation(left=first, right=last, fill_color=GREY, fill_alpha=0.1, line_color=GREY,
                              line_dash="dotted", level="underlay")
            )  # fmt: skip
        return panel

    def _finish(self, panel: Panel, line: Any, tips: Sequence[tuple[str, str]]) -> None:
        from bokeh.models import CrosshairTool, HoverTool

        shown = [(name, f"{column}{{{TOOLTIP_DIGITS}}}") for name, column in tips]
        stamp = (self.words("row"), "@row{0}") if self.clock.kind == "row" else (self.words("time"), "@stamp")
        panel.figure.add_tools(
            HoverTool(
                renderers=[line], mode="vline", line_policy="nearest", point_policy="snap_to_data",
                tooltips=[stamp, *shown], formatters={column: "printf" for _, column in tips},
            ),
            CrosshairTool(dimensions="height", line_color=GREY),
        )  # fmt: skip
        light_legend(panel.figure)


def literal(name: str) -> str:
    """The name as a title that Bokeh does not take for TeX: between the signs that open it stands what nobody sees."""
    return re.sub(r"\$(?=\$)|\\(?=[(\[])", "\\g<0>\u200b", name)


def light_legend(plot: "Figure") -> None:
    """Puts the legend above the figure, in one line, without a frame."""
    plot.legend.orientation = "horizontal"
    plot.legend.background_fill_alpha = 0.0
    plot.legend.border_line_alpha = 0.0
    plot.legend.padding = plot.legend.margin = 0
    plot.legend.label_text_font_size = "0.8rem"
    plot.legend.label_text_color = GREY
    plot.add_layout(plot.legend[0], "above")
