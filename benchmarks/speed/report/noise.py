"""The noise floor: how far two measurements of the very same code lie apart."""

from typing import NamedTuple

import numpy as np

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.results import Record, Table
from benchmarks.speed.stats import Ratio, ratio

METRICS = (("fit", "fit"), ("fit", "step"), ("window", "latency"), ("score", "score_point"))


class Control(NamedTuple):
    """Two records of the same code, their ratio, and the largest ratio between the medians of single processes."""

    record: Record
    again: Record
    times: Ratio
    spread: float

    @property
    def floor(self) -> float:
        """The largest factor that says nothing here."""
        ends = [self.times.value, self.times.low, self.times.high]
        return max(max(end, 1 / end) for end in ends if end)


def controls(table: Table) -> list[Control]:
    """Returns the A/A controls that were measured."""
    found = []
    for name, implementation in IMPLEMENTATIONS.items():
        for case, metric in METRICS if implementation.same_as else ():
            for again in table.all(case, metric, implementation=name):
                same = {"implementation": implementation.same_as, "threads": again.threads} | again.parameters
                for record in table.all(case, metric, **same):
                    medians = [np.median(group) for group in (*record.samples, *again.samples)]
                    spread = float(max(medians) / min(medians))
                    found.append(Control(record, again, ratio(again.samples, record.samples), spread))
    return found


def noise_floor(table: Table) -> float:
    """Returns the largest factor between two measurements of the same code; 1 if there was no control."""
    return max((control.floor for control in controls(table)), default=1.0)
