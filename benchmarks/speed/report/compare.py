"""The comparison of two results files: what changed by more than noise."""

import json
from typing import NamedTuple

from benchmarks.speed.results import Record, Results
from benchmarks.speed.stats import Ratio, ratio

LOWER_IS_BETTER = ("s", "byte", "programs")


class Change(NamedTuple):
    """A record that both files have, and the ratio of the new value to the old one."""

    record: Record
    old: float
    times: Ratio

    def is_beyond(self, least: float) -> bool:
        """Returns whether the interval does not contain 1 and the change is at least this share."""
        if self.times.low is None or self.times.high is None:
            return False
        outside = self.times.low > 1.0 or self.times.high < 1.0
        return outside and abs(self.times.value - 1.0) >= least

    @property
    def word(self) -> str:
        if self.record.unit not in (*LOWER_IS_BETTER, "operation/s"):
            return "changed"
        better = (self.times.value < 1.0) == (self.record.unit in LOWER_IS_BETTER)
        return "better" if better else "worse"


def changes(old: Results, new: Results) -> list[Change]:
    """Returns the change of every record that both files have."""
    before = {_key(record): record for record in old.records}
    found = []
    for record in new.records:
        match = before.get(_key(record))
        if match is None:
            continue
        if match.value == 0.0:  # a count of nothing: a ratio says nothing, a difference does
            times = Ratio(1.0, 1.0, 1.0) if record.value == 0.0 else Ratio(float("inf"), float("inf"), float("inf"))
        else:
            times = ratio(record.samples, match.samples)
        found.append(Change(record, match.value, times))
    return found


def compare(old: Results, new: Results, *, least: float) -> str:
    """Returns the comparison as text. Changes smaller than the share `least` are counted, not listed."""
    lines = []
    if old.machine["name"] != new.machine["name"]:
        lines.append(f"different machines: {old.machine['name']}; {new.machine['name']}. Differences say little.")
    if old.quick != new.quick:
        lines.append("one of them is a quick run: its samples are few")
    for package in sorted(old.versions.keys() | new.versions.keys()):
        one, two = old.versions.get(package, "none"), new.versions.get(package, "none")
        if one != two:
            lines.append(f"{package}: {one} -> {two}")
    every = changes(old, new)
    beyond = sorted((c for c in every if c.is_beyond(least)), key=lambda c: (c.word != "worse", c.times.value))
    for change in beyond:
        lines.append(_line(change))
    same = len(every) - len(beyond)
    lines.append(f"{len(beyond)} changed beyond noise, {same} did not (95% interval, at least {least:.0%})")
    missing, added = _only(old, new), _only(new, old)
    if missing:
        lines.append(f"only in the old file: {missing} records")
    if added:
        lines.append(f"only in the new file: {added} records")
    return "\n".join(lines)


def _line(change: Change) -> str:
    record, times = change.record, change.times
    parameters = "".join(f", {name} {value}" for name, value in record.parameters.items())
    where = f"{record.case}, {record.implementation}, {record.threads} threads{parameters}: {record.metric}"
    return (
        f"{change.word}: {where} {change.old:.4g} -> {record.value:.4g} {record.unit} "
        f"({times.value:.3g} times [{times.low:.3g}, {times.high:.3g}])"
    )


def _key(record: Record) -> str:
    parts = (record.case, record.implementation, record.device, record.threads, record.metric, record.parameters)
    return json.dumps(parts, sort_keys=True)


def _only(one: Results, other: Results) -> int:
    return len({_key(record) for record in one.records} - {_key(record) for record in other.records})
