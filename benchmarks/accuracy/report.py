"""The page of an accuracy run: HTML that needs no other file; its pictures also lie beside it."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.accuracy import tables
from benchmarks.accuracy.baselines import MERGED, QUANTILE
from benchmarks.accuracy.method import Answer, Method
from benchmarks.accuracy.published import Published
from benchmarks.accuracy.records import METRICS, Accuracy
from twinvae.data.datasets import Dataset
from twinvae.files.atomic import write_text
from twinvae.pages.document import document
from twinvae.pages.markup import Html, as_figure, as_html, as_list, as_table
from twinvae.plots.pictures import plot_detection
from twinvae.windowing.intervals import intervals

CAPTION = (
    "Above: the series, labelled anomalies shaded, the end of the fitted rows dotted. Middle: the score and its "
    "threshold. Below: what is labelled, and what was detected."
)
METHOD = (
    "Every method is fitted on the first rows of a series, as many as the data set says (on all of them, "
    "without labels, where it says so), and scores the whole series. Labels are used to measure, never to fit.",
    "Missing values are interpolated before any method sees the series.",
    "The tolerance of VUS-PR and VUS-ROC goes from 0 to the period of the (first) channel, from its autocorrelation, "
    "as in TSB-AD; our implementation gives TSB-AD's numbers.",
    "The mean of a set is the mean of its series. With several seeds: the mean, ± the standard deviation over "
    "the seeds of the set's mean. A method without random numbers runs once.",
    f"Thresholds: ours are the detector's own. The baselines have none, and alarm above the {QUANTILE:.0%} quantile of "
    f"their scores of the fitted rows; their alarms at most {MERGED} steps apart are one, as in ours by default. "
    "VUS-PR, VUS-ROC and average precision need no threshold.",
    "Mean rank: the methods measured here are ranked on each series by VUS-PR (the mean over the seeds); 1 is best, "
    "equals share their places. The mean is over the series that every method has.",
    "Published figures were measured by others with their own settings, some tuned; only the files are the same.",
)


def picture_name(dataset: str, case: str) -> str:
    """Returns the file name for the picture of a series."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{dataset}-{case}") + ".png"


def draw(folder: Path, name: str, dataset: Dataset, answer: Answer, method: Method) -> None:
    """Writes the picture of a series with the answer of one method."""
    plot_detection(
        folder / picture_name(name, dataset.name), dataset.table, answer.scores, answer.threshold,
        title=f"{dataset.name}: {method.label}", labelled=intervals(dataset.labels), detected=answer.alarms,
        train_rows=0 if dataset.unlabelled_fit else dataset.train_rows,
    )  # fmt: skip


def write_report(run: Accuracy, methods: Sequence[Method], published: dict[str, list[Published]], folder: Path) -> Path:
    """Writes `accuracy.html` into the folder, where the pictures are; returns its path."""
    page = folder / "accuracy.html"
    title = "twinvae: how well it finds anomalies, measured"
    parts = [
        as_list(_facts(run)),
        "<h2>In plain words</h2>", as_list(tables.sentences(run, methods, published)),
        *(_set(run, dataset, methods, published.get(dataset, [])) for dataset in run.datasets),
        "<h2>What the columns mean</h2>",
        as_list(f"{metric.title}: {metric.words}" for metric in METRICS.values()),
        "<h2>What was compared</h2>", as_list(f"{method.label}: {method.words}." for method in methods),
        "<h2>How it was measured, and how to repeat it</h2>", as_list(METHOD),
        f"<pre>pip install --constraint constraints.txt --editable '.[all,peers]'\n{escape(run.command)}</pre>",
        "<h2>What went wrong</h2>", as_list(run.failures) or "<p>Nothing.</p>",
        f"<h2>Notes</h2>{as_list(run.notes)}" if run.notes else "",
        *(_details(run, dataset, methods, published.get(dataset, []), folder) for dataset in run.datasets),
    ]  # fmt: skip
    write_text(page, document(title, parts))
    return page


def _facts(run: Accuracy) -> list[str]:
    machine = run.machine
    return [
        f"seed{'s' if len(run.seeds) > 1 else ''} {', '.join(map(str, run.seeds))}",
        f"{machine['name']}; {machine.get('system', '')}",
        f"{run.created}; commit {machine.get('commit') or 'unknown'}",
        ", ".join(f"{name} {version}" for name, version in run.versions.items()),
    ]


def _set(run: Accuracy, dataset: str, methods: Sequence[Method], published: Sequence[Published]) -> str:
    columns, rows = tables.by_case(run, dataset, methods)
    return (
        f"<h2>{escape(dataset)}: means over {len(run.cases(dataset))} series</h2>"
        + _summary(tables.summary(run, dataset, methods, published))
        + "<h3>VUS-PR of each series</h3>"
        + _html(columns, [[rows_[0], *_marked(rows_[1:])] for rows_ in rows])
    )


def _details(
    run: Accuracy, dataset: str, methods: Sequence[Method], published: Sequence[Published], folder: Path
) -> str:
    parts = [f"<h2>{escape(dataset)}: every series</h2>"]
    for case in run.cases(dataset):
        one = next(record for record in run.records if (record.dataset, record.case) == (dataset, case)).parameters
        fitted = "all rows, without labels" if one["unlabelled_fit"] else f"the first {one['fitted_rows']:,} rows"
        channels = f"{one['channels']} channel{'s' if one['channels'] > 1 else ''}"
        parts += [
            f"<h3>{escape(case)}</h3><p>{one['steps']:,} steps, {channels}; fitted on {fitted}; tolerance up to "
            f"{escape(str(one['buffer']))} steps.</p>",
            _picture(folder / picture_name(dataset, case), case),
            _summary(tables.summary(run, dataset, methods, published, [case]), counted=False),
        ]
    return "".join(parts)


def _summary(rows: tables.Rows, *, counted: bool = True) -> str:
    columns = ["method", *tables.COLUMNS.values(), tables.RANK, "series"]
    best = {0: _best([row[1] for row in rows if "published" not in row[0]])}
    cells = [
        [row[0], *(_bold(cell) if i in best and cell == best[i] else cell for i, cell in enumerate(row[1:]))]
        for row in rows
    ]
    end = None if counted else -1
    return _html(columns[:end], [row[:end] for row in cells])


def _marked(cells: Sequence[str]) -> list[str]:
    best = _best(cells)
    return [_bold(cell) if cell == best else cell for cell in cells]


def _best(cells: Sequence[str]) -> str | None:
    numbers = [cell for cell in cells if cell[:1].isdigit()]
    return max(numbers, key=lambda cell: float(cell.split()[0].replace(",", "")), default=None)


def _bold(cell: str) -> Html:
    value, *spread = as_html(cell).split(" ± ")
    return Html(" ± ".join([f'<span class="met">{value}</span>', *spread]))


def _html(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in which all columns but the first are set to the right, and spreads stand below the values."""
    table = re.sub(r" ± ([\d.,]+)", r"<br><small>± \1</small>", as_table(columns, rows))
    head, *others = re.split(r"(?=<tr>)", table)
    right = [re.sub(r"<(td|th)>", r'<\1 class="n">', row).replace(' class="n"', "", 1) for row in others]
    return head + "".join(right)


def _picture(path: Path, case: str) -> str:
    if not path.exists():
        return ""
    return as_figure(path.read_bytes(), f"{case}: series, score and events", CAPTION)
