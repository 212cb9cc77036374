"""The tables over all sets: the mean VUS-PR of each method on each half of each set, and what a series takes."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.accuracy.method import Method
from benchmarks.accuracy.methods import methods_of
from benchmarks.accuracy.records import Accuracy, shown, summarise
from benchmarks.accuracy.sets import DEV, REPORT
from benchmarks.accuracy.tables import Rows

Table = tuple[list[str], Rows]
MEAN = "mean of all sets"
BACKENDS = "torch - jax"
CONTROL = "random"  # no peer: what nothing may fall below
TITLES = {
    REPORT: "VUS-PR on the report half, which nothing was chosen on",
    DEV: "VUS-PR on the development half",
}


class Row(NamedTuple):
    """A set, the number of its series in a half, and the mean and text of each method that has all of them."""

    name: str
    cases: int
    means: dict[str, float]
    texts: dict[str, str]


def all_tables(run: Accuracy) -> list[tuple[str, Table]]:
    """Returns the tables of both halves and that of the times, each with its title."""
    return [*((TITLES[half], by_set(run, half)) for half in (REPORT, DEV)), ("CPU seconds a series", times(run))]


def rows(run: Accuracy, half: str) -> list[Row]:
    """Returns a row for each set that has series in this half, then the means of the sets."""
    found = []
    for name in run.datasets:
        cases = run.cases(name, half)
        means, texts = {}, {}
        for method in run.implementations:
            summary = run.summary(name, method, "vus_pr", cases)
            if cases and summary is not None and summary.cases == len(cases):
                means[method], texts[method] = summary.mean, shown(summary, "vus_pr")
        if means:
            found.append(Row(name, len(cases), means, texts))
    return [*found, _mean(run, half, found)] if len(found) > 1 else found


def by_set(run: Accuracy, half: str) -> Table:
    """Returns the columns, and a row for each set: the methods, the best peer, and how far our default is ahead."""
    methods = methods_of(run.implementations)
    both = {"vae_jax", "vae_torch"} <= set(run.implementations)
    columns = ["set", "series", *(method.label for method in methods), *([BACKENDS] if both else [])]
    table = []
    for row in rows(run, half):
        cells = [row.name, str(row.cases), *(row.texts.get(method.name, "-") for method in methods)]
        if both:
            cells.append(_difference(row))
        table.append([*cells, *gap(row, methods)])
    return [*columns, "best peer", "ahead of it"], table


def gap(row: Row, methods: Sequence[Method]) -> tuple[str, str]:
    """Returns the best peer of a set, and by how much our default is ahead of it."""
    ours = next((row.means[method.name] for method in methods if method.ours and method.name in row.means), None)
    peers = [method for method in methods if not method.ours and method.name != CONTROL and method.name in row.means]
    if ours is None or not peers:
        return "-", "-"
    best = max(peers, key=lambda method: row.means[method.name])
    return f"{best.label} {row.means[best.name]:.3f}", f"{ours - row.means[best.name]:+.3f}"


def times(run: Accuracy) -> Table:
    """Returns the columns, and a row for each set: the CPU seconds of fit and score, the mean over its series."""
    methods = [method for method in methods_of(run.implementations) if method.name != CONTROL]
    found = [
        [
            name, str(len(run.cases(name))),
            *(shown(run.summary(name, method.name, "cpu_seconds"), "cpu_seconds", spread=False) for method in methods),
        ]
        for name in run.datasets
    ]  # fmt: skip
    return ["set", "series", *(method.label for method in methods)], found


def _mean(run: Accuracy, half: str, found: Sequence[Row]) -> Row:
    """The mean of the sets for each method that has all of them, with the spread of that mean over the seeds."""
    names = [name for name in run.implementations if all(name in row.means for row in found)]
    means = {name: statistics.fmean(row.means[name] for row in found) for name in names}
    texts = {}
    for name in names:
        of_seeds = [
            statistics.fmean(values)
            for values in zip(*(_of_seeds(run, row.name, half, name) for row in found), strict=False)
        ]
        spread = f" ± {statistics.stdev(of_seeds):.3f}" if len(of_seeds) > 1 else ""
        texts[name] = f"{means[name]:.3f}{spread}"
    return Row(MEAN, sum(row.cases for row in found), means, texts)


def _of_seeds(run: Accuracy, dataset: str, half: str, implementation: str) -> list[float]:
    """The mean of a set for each seed, in order."""
    records = [
        one for one in run.records if (one.dataset, one.half, one.implementation) == (dataset, half, implementation)
    ]
    seeds = sorted({one.seed for one in records if one.seed is not None})
    found = (summarise((one for one in records if one.seed == seed), "vus_pr") for seed in seeds)
    return [summary.mean for summary in found if summary is not None]


def _difference(row: Row) -> str:
    here = {"vae_jax", "vae_torch"} <= row.means.keys()
    return f"{row.means['vae_torch'] - row.means['vae_jax']:+.3f}" if here else "-"
