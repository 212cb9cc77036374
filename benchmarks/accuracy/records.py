"""The numbers of an accuracy run: a record for each series, method, seed and metric, and the means over them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import machine as host
from benchmarks.accuracy.record_files import read_run, write_run

FORMAT = "twinvae accuracy"
SCHEMA = 2


class Metric(NamedTuple):
    """A metric, which is a column of the tables. `best` says whether high or low values are good."""

    name: str
    title: str
    unit: str
    digits: int
    best: str  # high or low
    words: str


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "vus_pr", "VUS-PR", "1", 3, "high",
            "how well the scores rank anomalous steps before normal ones, a step close to an anomaly counting in part: "
            "the area under the precision-recall curve, averaged over tolerances from 0 to the series' period "
            "(Paparrizos et al. 2022). 1 is perfect; a random score gets about the share of anomalous steps, "
            "and more where anomalies are short beside the period. The number to compare detectors by.",
        ),
        Metric(
            "vus_roc", "VUS-ROC", "1", 3, "high",
            "the same with the area under the receiver operating characteristic. A random score gets about 0.5, and "
            "more where anomalies are short beside the period; where they are rare it looks good too easily.",
        ),
        Metric(
            "average_precision", "average precision", "1", 3, "high",
            "the area under the precision-recall curve, step by step, without tolerance.",
        ),
        Metric(
            "range_precision", "range precision", "1", 3, "high",
            "of the alarms, the share of their length that lies in anomalies; an alarm over k anomalies counts 1/k "
            "(Tatbul et al. 2018, flat bias). 0 where there is no alarm.",
        ),
        Metric(
            "range_recall", "range recall", "1", 3, "high",
            "of the anomalies, 0.2 for being found at all and 0.8 for the share of their length that is covered, "
            "over the number of alarms it took (Tatbul et al. 2018, flat bias, existence weight 0.2).",
        ),
        Metric("event_recall", "events found", "1", 3, "high", "the share of the anomalies with at least one alarm."),
        Metric(
            "delay", "delay (steps)", "steps", 0, "low",
            "steps from the start of an anomaly to the first alarm in it, median over those found. The score may look "
            "ahead by up to a window, so this is where an alarm lies, not when a live system would have had it.",
        ),
        Metric(
            "false_alarms", "false alarms per 10,000 steps", "per 10,000 steps", 2, "low",
            "alarms that touch no anomaly, for every 10,000 steps. Alarms at most 20 steps apart are one.",
        ),
        Metric(
            "point_adjusted_f1", "point-adjusted F1 (inflated)", "1", 3, "high",
            "F1 of the steps after a whole anomaly counts as found once one of its steps is. INFLATED: a random score "
            "can beat real detectors by it (Kim et al. 2022). It stands here only because papers report it.",
        ),
        Metric(
            "seconds", "fit and score (s)", "s", 1, "low",
            "wall time of fit and score in this process, compilation included: a hint, no measurement of speed.",
        ),
        Metric(
            "cpu_seconds", "fit and score (CPU s)", "s", 1, "low",
            "processor time of fit and score, of all threads together: busy neighbours change it less.",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """What one method came to on one series. A value is None where the metric is not defined: no delay, nothing found.

    `half` is that of the set which the series belongs to. The digest is one of the values and labels, and the code of
    what the method was, so that a record of another series or another detector is known from this one."""

    dataset: str
    case: str  # the series
    implementation: str
    backend: str
    seed: int | None  # None: the method uses no random numbers
    values: dict[str, float | None]  # by metric
    half: str = ""
    digest: str = ""
    code: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, int | None]:
        """What another record of the same measurement has as well."""
        return self.dataset, self.case, self.implementation, self.seed


class Summary(NamedTuple):
    """A mean over series, and the standard deviation of that mean over the seeds, which is None for a single seed."""

    mean: float
    spread: float | None
    cases: int
    seeds: int


@dataclass
class Accuracy:
    """An accuracy run: what was measured, on which machine, and what went wrong."""

    command: str
    seeds: tuple[int, ...]
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: dict[str, Any] = field(default_factory=host.facts)
    versions: dict[str, str] = field(default_factory=host.versions)
    records: list[Record] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(record.dataset for record in self.records))

    def cases(self, dataset: str, half: str | None = None) -> list[str]:
        chosen = (one for one in self.records if one.dataset == dataset and half in (None, one.half))
        return list(dict.fromkeys(record.case for record in chosen))

    @property
    def implementations(self) -> list[str]:
        return list(dict.fromkeys(record.implementation for record in self.records))

    def summary(
        self, dataset: str, implementation: str, metric: str, cases: Sequence[str] | None = None
    ) -> Summary | None:
        """Returns the mean over the series of a data set, or over some of them; None if nothing was measured."""
        return summarise(
            (
                record
                for record in self.records
                if (record.dataset, record.implementation) == (dataset, implementation)
                and (cases is None or record.case in cases)
            ),
            metric,
        )

    def mean_ranks(self, dataset: str, cases: Sequence[str] | None = None, metric: str = "vus_pr") -> dict[str, float]:
        """Returns the mean rank of each method: 1 is best, and methods with equal values share the mean of their ranks.

        Methods are ranked on each series by their means over the seeds. A series counts only if every method that
        measured any series has a value for it.
        """
        values: dict[str, dict[str, list[float]]] = {}
        for record in self.records:
            value = record.values.get(metric)
            if record.dataset == dataset and value is not None and (cases is None or record.case in cases):
                values.setdefault(record.case, {}).setdefault(record.implementation, []).append(value)
        names = list(dict.fromkeys(name for found in values.values() for name in found))
        whole = [[statistics.fmean(one[name]) for name in names] for one in values.values() if len(one) == len(names)]
        sign = 1 if METRICS[metric].best == "high" else -1
        ranked = [[_rank(sign * value, [sign * other for other in row]) for value in row] for row in whole]
        return {name: statistics.fmean(ranks) for name, ranks in zip(names, zip(*ranked, strict=True), strict=False)}


def _rank(value: float, values: Sequence[float]) -> float:
    """The rank of a value: 1 for the highest; equal values share the mean of their places."""
    return 1 + sum(other > value for other in values) + (sum(other == value for other in values) - 1) / 2


def summarise(records: Iterable[Record], metric: str) -> Summary | None:
    """Takes the mean over the series for each seed, then the mean and standard deviation of these over the seeds."""
    seeds: dict[int | None, dict[str, float]] = {}
    for record in records:
        if (value := record.values.get(metric)) is not None:
            seeds.setdefault(record.seed, {})[record.case] = value
    if not seeds:
        return None
    means = [statistics.fmean(values.values()) for values in seeds.values()]
    spread = statistics.stdev(means) if len(means) > 1 else None
    return Summary(statistics.fmean(means), spread, len({case for one in seeds.values() for case in one}), len(means))


def shown(summary: Summary | None, metric: str, *, spread: bool = True) -> str:
    """Returns a mean as it stands in a table, with its spread over the seeds if there is one."""
    if summary is None:
        return "-"
    digits = METRICS[metric].digits
    text = f"{summary.mean:,.{digits}f}"
    return text if summary.spread is None or not spread else f"{text} ± {summary.spread:,.{digits}f}"


def write(path: Path, run: Accuracy) -> None:
    """Writes the results file, a record on each line. It is there as a whole or not at all."""
    units = {name: metric.unit for name, metric in METRICS.items()}
    mean_ranks = {dataset: run.mean_ranks(dataset) for dataset in run.datasets}  # by VUS-PR
    write_run(path, FORMAT, SCHEMA, run, units=units, mean_ranks=mean_ranks)


def read(path: Path) -> Accuracy:
    """Reads a results file.

    Raises:
        RunError: if it is none of this form.
        OSError: if it cannot be read.
    """

    def make(content: dict[str, Any]) -> Accuracy:
        facts = {name: content[name] for name in ("command", "created", "machine", "versions", "failures", "notes")}
        records = [Record(**record) for record in content["records"]]
        return Accuracy(seeds=tuple(content["seeds"]), records=records, **facts)

    return read_run(path, FORMAT, SCHEMA, make)
