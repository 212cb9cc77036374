"""The tables of a decisions run: one for each situation and half, and one of the rates."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy.decision_records import Decision, Decisions, Judged, Moved, Rated
from benchmarks.accuracy.sets import DEV, HALVES
from benchmarks.accuracy.tables import Rows
from twinvae.scoring.expected_rate import SEARCH as SEARCHED
from twinvae.scoring.expected_rate import TIMES, measured

ALL = "all sets"
CLEAN, SPOILT, SEARCH, QUIET = "a normal part", "anomalies in that part", "nothing known", "nothing there"
STREAM = "a stream"
MOVED = "moved "  # and the score whose threshold moved, or the situation
RATE = "asked for "  # and how many false events in 10,000 steps
TITLES = {
    CLEAN: "A part that is normal",
    SPOILT: "A part that was to be normal and holds anomalies",
    SEARCH: "Nothing known",
    STREAM: "A part that is normal, and the rest judged point by point",
    QUIET: "Nothing known of rows without an anomaly, where every event is a false one",
}
MOVED_TITLES = {
    "ensemble": "A part that is normal, at so many times the threshold of `ensemble`, whose margin is 3",
    "multiscale": "The same of `multiscale`",
    "trailing": "The same of `trailing`, the score of a stream",
    "causal": "The same of `causal`",
    SEARCH: "Nothing known, at so many times the threshold of a search",
    QUIET: "Nothing known of rows without an anomaly, at so many times the threshold of a search",
}
FEW = 3  # false events: with fewer, what was counted is no measure
Table = tuple[list[str], Rows]


def all_tables(run: Decisions) -> list[tuple[str, Table]]:
    """Returns the tables of each situation, each half apart, and those of the rates, each with its title."""
    found = []
    for situation, title in TITLES.items():
        for half in reversed(HALVES):
            some = [one for one in run.records if (one.situation, one.half) == (situation, half)]
            if some:
                found.append((f"{title}, {half} half", _by_set(some)))
    for situation in dict.fromkeys(one.situation for one in run.records if one.situation.startswith(MOVED)):
        some, what = [one for one in run.records if one.situation == situation], situation.removeprefix(MOVED)
        found.append((MOVED_TITLES[what], _moved(what, some)))
    rates = [one for one in run.records if one.situation.startswith(RATE)]
    return [*found, *([("False events in 10,000 normal steps, asked for and found", _rates(rates))] if rates else [])]


def _by_set(records: Sequence[Decision]) -> Table:
    """A row for each set, and one for the sums over all; a column for each method."""
    methods = list(dict.fromkeys(one.method for one in records))
    names = list(dict.fromkeys(one.dataset for one in records))
    table = []
    for name in [*names, *([ALL] if len(names) > 1 else [])]:
        here = [one for one in records if name in (one.dataset, ALL)]
        ours = [one.values for one in here if one.method == methods[0] and isinstance(one.values, Judged)]
        cells = []
        for method in methods:
            judged = [one.values for one in here if one.method == method and isinstance(one.values, Judged)]
            whole = {one.case for one in here if one.method == method} == {one.case for one in here}
            cells.append(worth(judged) if whole else "-")
        table.append([name, str(len(ours)), str(sum(one.labelled for one in ours)), *cells])
    return ["set", "series", "events", *methods], table


def worth(found: Sequence[Judged]) -> str:
    """Found / precision / false events in 10,000 normal steps (mean IoU, median delay), from the sums over series.

    Where there are no labels: the false events alone, with their number."""
    labelled, hit = sum(one.labelled for one in found), sum(one.found for one in found)
    alarms, true = sum(one.alarms for one in found), sum(one.true for one in found)
    normal = sum(one.normal for one in found)
    false = f"{1e4 * (alarms - true) / normal:.2f}" if normal else "-"
    if not labelled:
        return f"{false} ({alarms} in {normal})"
    overlaps = [share for one in found for share in one.overlaps]
    delays = [steps for one in found for steps in one.delays]
    extent = f" ({np.mean(overlaps):.2f}, {np.median(delays):.0f})" if overlaps else ""
    return f"{hit / labelled:.2f} / {f'{true / alarms:.2f}' if alarms else '-'} / {false}{extent}"


def _rates(records: Sequence[Decision]) -> Table:
    """A row for each method and rate: over all sets, on each half, what was found of it, and of how many rows."""
    table = []
    for method, situation in dict.fromkeys((one.method, one.situation) for one in records):
        row = [method, situation.removeprefix(RATE)]
        for half in reversed(HALVES):
            each = [
                one.values
                for one in records
                if (one.method, one.situation, one.half) == (method, situation, half) and isinstance(one.values, Rated)
            ]
            row += [found_rate(each), f"{sum(not one.refused for one in each)} of {len(each)}"]
        table.append(row)
    columns = [f"{what}, {half}" for half in reversed(HALVES) for what in ("found (95 % interval)", "series")]
    return ["method", "asked for", *columns], table


def _moved(what: str, records: Sequence[Decision]) -> Table:
    """A row for each of the times the threshold; for each half what was found, and the false events beside those that
    are said to be expected."""
    counts = {half: _sums(records, half) for half in reversed(HALVES)}
    table = []
    for times in dict.fromkeys(time for each in counts.values() for time in each):
        said = measured(SEARCHED if what in (SEARCH, QUIET) else what, times)
        row = [f"{times:g}", said.words.partition(" in ")[0]]
        for each in counts.values():
            one = each[times]
            false, share = one.alarms - one.true, f"{100 * one.covered / one.normal:.1f} %"
            worth = f"{one.found / one.labelled:.2f} / {one.true / max(one.alarms, 1):.2f}" if one.labelled else "-"
            row += [worth, found_rate([Rated(false, one.normal)], 2), share]
        table.append(row)
    of_half = ("found / precision", "false events (95 % interval)", "normal rows in events")
    return ["times", "said", *(f"{name}, {half}" for half in counts for name in of_half)], table


class Sums(NamedTuple):
    """What alarms at one threshold are worth on many series."""

    found: int
    labelled: int
    alarms: int
    true: int
    covered: int
    normal: int


def _sums(records: Sequence[Decision], half: str) -> dict[float, Sums]:
    """The sums over the series of a half, by the times the threshold."""
    each = [one.values for one in records if one.half == half and isinstance(one.values, Moved)]
    rows: dict[float, list[Sums]] = {}
    for one in each:
        for times, found, alarms, true, covered in zip(
            one.times, one.found, one.alarms, one.true, one.covered, strict=True
        ):
            rows.setdefault(times, []).append(Sums(found, one.labelled, alarms, true, covered, one.normal))
    return {times: Sums._make(map(sum, zip(*some, strict=True))) for times, some in rows.items()}


def reading(records: Sequence[Decision], half: str = DEV) -> tuple[float, ...]:
    """The false events in 10,000 normal steps at each of `TIMES` the threshold, made to fall with it, to two digits.

    It ends where fewer than three events were counted: it is what the product says."""
    from scipy.optimize import isotonic_regression

    sums = _sums(records, half)
    counts = [sums[times] for times in TIMES]
    false = [one.alarms - one.true for one in counts]
    found = [1e4 * events / one.normal for events, one in zip(false, counts, strict=True)]
    few = next((place for place, events in enumerate(false) if events < FEW), len(false))
    return tuple(float(f"{rate:.2g}") for rate in isotonic_regression(found, increasing=False).x[:few])


def found_rate(each: Sequence[Rated], digits: int = 1) -> str:
    """The false events in 10,000 steps of the series that the rate was not refused for, with the interval of Garwood
    (1936) for a Poisson count."""
    from scipy.special import gammaincinv

    events, steps = sum(one.events for one in each), sum(one.steps for one in each)
    if not steps:
        return "-"
    low = float(gammaincinv(events, 0.025)) if events else 0.0
    high = float(gammaincinv(events + 1.0, 0.975))
    found, least, most = (f"{1e4 * count / steps:.{digits}f}" for count in (events, low, high))
    return f"{found} ({least} to {most}; {events} in {steps})"
