"""Figures that others published for the same series, read from the files `published_METRIC.csv` in a folder of data.

The first column is called file and names the series; each other column is a method, each cell a value of the metric.
"""

import csv
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.accuracy.records import METRICS

ALWAYS = ("AutoEncoder", "Donut")  # the methods nearest to ours; the best one stands beside them


class Published(NamedTuple):
    """One file of published figures. `values` holds the value of each series for each method."""

    metric: str
    source: str
    values: dict[str, dict[str, float]]


class Row(NamedTuple):
    """A row of a table: a published method, its mean over the series that were measured here too, and their number."""

    method: str
    note: str
    metric: str
    mean: float
    cases: int


def read_published(source: Path) -> list[Published]:
    """Reads every file of published figures in a folder, or beside a file; returns nothing if there is no such place.

    Raises:
        ValueError: if a file has another form.
    """
    found = []
    folder = source.parent if source.is_file() else source
    for path in sorted(folder.glob("published_*.csv")) if folder.is_dir() else []:
        metric = path.stem.removeprefix("published_")
        if metric not in METRICS:
            raise ValueError(f"{path}: no metric {metric!r} here: name the file after one of {', '.join(METRICS)}")
        with path.open(newline="", encoding="utf-8-sig") as lines:
            table = csv.DictReader(lines)
            methods = list(table.fieldnames or ())
            if methods[:1] != ["file"]:
                raise ValueError(f"{path}: its first column must be called file, and name the series")
            rows = list(table)
        values = {
            method: {stem(row["file"]): _number(path, method, row[method]) for row in rows} for method in methods[1:]
        }
        found.append(Published(metric, path.name, values))
    return found


def rows(published: Published, cases: Sequence[str]) -> list[Row]:
    """Returns the rows of the published method that is best over the measured series, and of those nearest to ours."""
    means = {}
    for method, values in published.values.items():
        known = [values[stem(case)] for case in cases if not math.isnan(values.get(stem(case), math.nan))]
        if known:
            means[method] = statistics.fmean(known), len(known)
    if not means:
        return []
    most = max(count for _, count in means.values())
    whole = [method for method, (_, count) in means.items() if count == most]
    pick = max if METRICS[published.metric].best == "high" else min
    best = pick(whole, key=lambda method: means[method][0])
    return [
        Row(method, f"best of {len(published.values)}" if method == best else "", published.metric, *means[method])
        for method in dict.fromkeys((best, *ALWAYS))
        if method in means
    ]


def stem(case: str) -> str:
    """Returns the name of a series without its folder and its ending."""
    return case.rsplit("/", 1)[-1].removesuffix(".csv")


def _number(path: Path, method: str, cell: str | None) -> float:
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        raise ValueError(f"{path}: column {method}: {cell!r} is not a number") from None
