"""`python -m benchmarks decisions` measures what is decided: a clean part, nothing known, a rate that was asked for.

Of each set, the halves are apart: what was chosen on one is judged on the other.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.method import unavailable
from benchmarks.accuracy.sets import HALVES, default_sources, named, opened
from benchmarks.accuracy.tables import Rows, as_lines
from benchmarks.errors import complain
from twinvae.data.datasets import BadFile, Dataset
from twinvae.detector.detector import load_detector
from twinvae.files.atomic import as_json, write_text
from twinvae.metrics.ranking import check_labels
from twinvae.process.notices import one_line
from twinvae.series.series import Series
from twinvae.windowing.intervals import intervals
from twinvae.windowing.period import period

CLEAN, SEARCH = "a clean part", "nothing known"
RATES = (30.0, 10.0, 3.0)  # false events in 10,000 steps that are asked for
FITTED = 0.7  # of the training rows, where a rate is asked for; the rest is normal data that was not fitted on
PEERS = ("sub-pca", "isolation-forest", "pyod-vae")
COLUMNS = ("set", "half", "situation", "method", "series", "events", "found", "precision", "false/10k", "IoU", "delay")
RATE_COLUMNS = ("set", "half", "asked/10k", "found/10k", "95 % interval", "steps", "series", "refused")

Spans = Sequence[tuple[int, int]]


class Judged(NamedTuple):
    """What alarms are worth on a series: counts, which are added up over a set."""

    labelled: int
    found: int  # of the labelled events, those that an alarm touches
    alarms: int
    true: int  # of the alarms, those that touch a label
    normal: int  # steps
    overlaps: tuple[float, ...]  # of each event found, the largest intersection over union with an alarm
    delays: tuple[int, ...]  # of each event found, the steps to its first alarm


def judged(labels: np.ndarray, alarms: Spans) -> Judged:
    """Holds alarms against labels: an event is found if an alarm touches it, without any slack."""
    events, overlaps, delays = intervals(labels), [], []
    for start, end in events:
        hits = [(a, b) for a, b in alarms if a < end and b > start]
        if hits:
            overlaps.append(max((min(end, b) - max(start, a)) / (max(end, b) - min(start, a)) for a, b in hits))
            delays.append(max(0, min(a for a, _ in hits) - start))
    true = sum(bool(labels[a:b].any()) for a, b in alarms)
    normal = int(np.count_nonzero(labels == 0))
    return Judged(len(events), len(overlaps), len(alarms), true, normal, tuple(overlaps), tuple(delays))


def cells(found: Sequence[Judged]) -> list[str]:
    """The columns of a table, from the sums over series."""
    labelled, hit = sum(one.labelled for one in found), sum(one.found for one in found)
    alarms, true = sum(one.alarms for one in found), sum(one.true for one in found)
    normal = sum(one.normal for one in found)
    overlaps = [share for one in found for share in one.overlaps]
    delays = [steps for one in found for steps in one.delays]
    return [
        str(len(found)), str(labelled), f"{hit / labelled:.2f}" if labelled else "-",
        f"{true / alarms:.2f}" if alarms else "-", f"{1e4 * (alarms - true) / normal:.2f}" if normal else "-",
        f"{np.mean(overlaps):.2f}" if overlaps else "-", f"{np.median(delays):.0f}" if delays else "-",
    ]  # fmt: skip


def decisions(sources: Sequence[str], *, data: Path, backend: str, peers: bool, json: Path | None) -> int:
    """Measures and prints the tables; returns the exit code: 0, or 1 if a series failed."""
    there, missing = (list(sources), []) if sources else default_sources(data)
    for line in missing:
        print(line)
    found: dict[tuple[str, str, str, str], list[Judged]] = {}
    rates: dict[tuple[str, str, float], list[Any]] = {}
    failures = 0
    for name, source in named(there).items():
        for case in opened(source):
            try:
                for situation, method, result in _decided(case.series, backend, peers):
                    found.setdefault((name, case.half, situation, method), []).append(result)
                for asked, rate in _rates(case.series, backend):
                    rates.setdefault((name, case.half, asked), []).append(rate)
            except (ValueError, TypeError) as error:
                failures += 1
                complain(f"{case.series.name}: {one_line(error)}")
        print(f"{name} is done", flush=True)
    print(as_lines(COLUMNS, table(found)))
    print()
    print(as_lines(RATE_COLUMNS, rate_table(rates)))
    if json is not None:
        write_text(json, as_json({"decisions": table(found), "rates": rate_table(rates)}))
    return 1 if failures else 0


def table(found: dict[tuple[str, str, str, str], list[Judged]]) -> Rows:
    """A row for each set, half, situation and method, and the sums over all sets."""
    rows = [[*key, *cells(each)] for key, each in found.items()]
    for half in HALVES:
        for situation, method in dict.fromkeys(key[2:] for key in found):
            whole = [one for key, each in found.items() if key[1:] == (half, situation, method) for one in each]
            rows += [["all sets", half, situation, method, *cells(whole)]] if whole else []
    return rows


def rate_table(rates: dict[tuple[str, str, float], list[Any]]) -> Rows:
    """A row for each set, half and rate; a rate that was refused is None."""
    rows = []
    keys = [*rates, *(("all sets", half, asked) for half in HALVES for asked in RATES)]
    for name, half, asked in keys:
        each = [
            rate
            for key, found in rates.items()
            for rate in found
            if key[1:] == (half, asked) and name in (key[0], "all sets")
        ]
        given = [rate for rate in each if rate is not None]
        events, steps = sum(rate.events for rate in given), sum(rate.steps for rate in given)
        if not each:
            continue
        low, high = _garwood(events)
        per = 1e4 / steps if steps else 0.0
        rows.append(
            [
                name, half, f"{asked:g}", f"{events * per:.1f}" if given else "-",
                f"{low * per:.1f} to {high * per:.1f}" if given else "-", str(steps), str(len(given)),
                str(len(each) - len(given)),
            ]
        )  # fmt: skip
    return rows


def _garwood(events: int) -> tuple[float, float]:
    """The 95 % interval of the mean of a Poisson count: Garwood 1936."""
    from scipy.special import gammaincinv

    return float(gammaincinv(events, 0.025)) if events else 0.0, float(gammaincinv(events + 1.0, 0.975))


def _decided(series: Dataset | BadFile, backend: str, peers: bool) -> Iterator[tuple[str, str, Judged]]:
    """What each method decides in the two situations."""
    values, dataset = _checked(series)
    rows, labels = dataset.train_rows, dataset.labels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about constant channels and gaps
        detector = load_detector(backend)
        if not dataset.unlabelled_fit and rows < len(values):
            events = detector().fit(values[:rows]).events(values)
            yield CLEAN, f"vae_{backend}", _after(rows, labels, [(one.start, one.end) for one in events])
        if labels.any():
            events = detector().search(values).events
            yield SEARCH, f"vae_{backend}", judged(labels, [(one.start, one.end) for one in events])
        for name, run in _peers().items() if peers else ():
            known = np.nan_to_num(values)
            if not dataset.unlabelled_fit and rows < len(values):
                yield CLEAN, name, _after(rows, labels, run(known[:rows], known))
            if labels.any():
                yield SEARCH, name, judged(labels, run(known, known))


def _after(rows: int, labels: np.ndarray, alarms: Spans) -> Judged:
    """The judgement of the rows after those that were fitted on."""
    return judged(labels[rows:], [(max(a - rows, 0), b - rows) for a, b in alarms if b > rows])


def _peers() -> dict[str, Callable[[np.ndarray, np.ndarray], Spans]]:
    """The peers that can run here, at their usual thresholds."""

    def of(name: str) -> Callable[[np.ndarray, np.ndarray], Spans]:
        return lambda fitted, values: BASELINES[name].run(fitted, values, period(fitted[:, 0]), 0).alarms

    return {name: of(name) for name in PEERS if unavailable(BASELINES[name]) is None}


def _rates(series: Dataset | BadFile, backend: str) -> Iterator[tuple[float, Any]]:
    """For each rate that is asked for, what is found on normal rows that were not fitted on; None if it is refused."""
    values, dataset = _checked(series)
    if dataset.unlabelled_fit or dataset.labels[: dataset.train_rows].any():
        return
    normal = values[: dataset.train_rows]
    cut = int(FITTED * len(normal))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for asked in RATES:
            detector = load_detector(backend)(false_events=f"{asked:g}/10000steps")
            try:
                yield asked, detector.fit(normal[:cut]).false_alarms(normal[cut:])
            except ValueError:
                yield asked, None


def _checked(series: Dataset | BadFile) -> tuple[np.ndarray, Dataset]:
    if isinstance(series, BadFile):
        raise ValueError(series.message)
    check_labels(series.labels, len(series.values))
    return Series.of(series.values).values, series
