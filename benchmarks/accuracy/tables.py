"""The tables of an accuracy run as rows of text, which are the same in the terminal and on the page."""

from collections.abc import Sequence

from benchmarks.accuracy.method import Method
from benchmarks.accuracy.published import Published, rows
from benchmarks.accuracy.records import METRICS, Accuracy, shown

Rows = list[list[str]]
RANK = "mean rank"  # by VUS-PR
COLUMNS = {name: metric.title for name, metric in METRICS.items()}
SHORT = COLUMNS | {
    "average_precision": "AP", "range_precision": "range P", "range_recall": "range R", "event_recall": "found",
    "delay": "delay", "false_alarms": "false/10k", "point_adjusted_f1": "PA-F1*", "seconds": "time/s",
    "cpu_seconds": "CPU/s",
}  # fmt: skip


def summary(
    run: Accuracy, dataset: str, methods: Sequence[Method], published: Sequence[Published], cases: Sequence[str] = (),
    *, spreads: Sequence[str] = tuple(METRICS),
) -> Rows:  # fmt: skip
    """Returns a row for each method: its name, every metric, its mean rank by VUS-PR, and the number of series.

    Our detectors come first, published figures last. `cases` restricts the table to some series; `spreads` names the
    metrics that are shown with their spread over the seeds.
    """
    chosen = list(cases) or run.cases(dataset)
    ranks = run.mean_ranks(dataset, chosen)
    table = []
    for method in methods:
        if method.name not in run.implementations:
            continue
        found = {name: run.summary(dataset, method.name, name, chosen) for name in METRICS}
        count = found["vus_pr"].cases if found["vus_pr"] else 0
        if count:
            cells = (shown(found[name], name, spread=name in spreads) for name in METRICS)
            rank = f"{ranks[method.name]:.2f}" if method.name in ranks else "-"
            table.append([method.label, *cells, rank, str(count)])
    for figures in published:
        for row in rows(figures, chosen):
            note = f"published, {row.note}" if row.note else "published"
            values = [f"{row.mean:.{METRICS[name].digits}f}" if name == row.metric else "" for name in METRICS]
            table.append([f"{row.method} ({note})", *values, "", str(row.cases)])
    return table


def by_case(run: Accuracy, dataset: str, methods: Sequence[Method], metric: str = "vus_pr") -> tuple[list[str], Rows]:
    """Returns the column names, and a row for each series with the metric of every method."""
    here = [method for method in methods if method.name in run.implementations]
    table = [
        [case, *(shown(run.summary(dataset, method.name, metric, [case]), metric) for method in here)]
        for case in run.cases(dataset)
    ]
    return ["series", *(method.label for method in here)], table


def sentences(run: Accuracy, methods: Sequence[Method], published: dict[str, list[Published]]) -> list[str]:
    """Returns a sentence for each data set that says what came out."""
    lines = []
    for dataset in run.datasets:
        cases = run.cases(dataset)
        means = {
            method.label: (method, found)
            for method in methods
            if (found := run.summary(dataset, method.name, "vus_pr")) is not None
        }
        ours = [f"{label} {found.mean:.3f}" for label, (method, found) in means.items() if method.ours]
        others = {label: found.mean for label, (method, found) in means.items() if not method.ours}
        text = f"{dataset}, {len(cases)} series: mean VUS-PR of {', '.join(ours) or 'our detector: none'}"
        named = {label: mean for label, mean in others.items() if label != "random score"}
        if named:
            best = max(named, key=lambda label: named[label])
            text += f"; of the best baseline, {best}, {named[best]:.3f}"
        if "random score" in others:
            text += f"; of a random score {others['random score']:.3f}"
        for figures in published.get(dataset, []):
            if figures.metric == "vus_pr" and (best_rows := rows(figures, cases)):
                row = best_rows[0]
                text += f"; of the best published of {len(figures.values)} methods, {row.method}, {row.mean:.3f}"
        lines.append(text + ".")
    return lines


def as_lines(columns: Sequence[str], table: Rows) -> str:
    """Returns a table for the terminal: its first column is set to the left, the others to the right."""
    widths = [max(len(row[index]) for row in (list(columns), *table)) for index in range(len(columns))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in (list(columns), *table)
    )
