"""Medians, quartiles and bootstrap intervals of samples that come in groups, one group from each process."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

Groups = Sequence[Sequence[float]]  # the samples of each process

LEAST_FOR_P99 = 1000
RESAMPLES = 1000
DRAWN = 200  # samples drawn from a process; more would only make a narrow interval narrower
LEVEL = 0.95
LEAST_PROCESSES = 5  # of fewer, no resampling can make an interval of 95%


class Summary(NamedTuple):
    """What a record says about its samples. `low` and `high` bound the median, None below five processes.

    `p99` is None below 1,000 samples; `processes` and `n` count processes and all samples."""

    median: float
    quartile1: float
    quartile3: float
    p99: float | None
    low: float | None
    high: float | None
    n: int
    processes: int


class Ratio(NamedTuple):
    """A ratio of two medians and its bootstrap interval, None where either has fewer than five processes."""

    value: float
    low: float | None
    high: float | None

    @property
    def inverse(self) -> "Ratio":
        """The ratio the other way round."""
        return Ratio(1 / self.value, 1 / self.high if self.high else None, 1 / self.low if self.low else None)

    def is_beyond(self, floor: float, bar: float = 1.0) -> bool:
        """Returns whether it is shown to be above or below the bar.

        Its interval leaves the bar out, and it is further from it than the factor that is noise.
        """
        if self.low is not None and self.high is not None and self.low <= bar <= self.high:
            return False
        return not bar / floor <= self.value <= bar * floor


def summarise(groups: Groups) -> Summary:
    """Returns the summary of all samples together.

    Raises:
        ValueError: if there are none.
    """
    return _summary(_frozen(groups))


def ratio(numerator: Groups, denominator: Groups) -> Ratio:
    """Returns the median of the first over that of the second; the two are resampled independently."""
    top, bottom = _frozen(numerator), _frozen(denominator)
    value = float(np.median(np.concatenate(top)) / np.median(np.concatenate(bottom)))
    if min(len(top), len(bottom)) < LEAST_PROCESSES:
        return Ratio(value, None, None)
    low, high = _bounds(resampled_medians(top, seed=1) / resampled_medians(bottom, seed=2))
    return Ratio(value, min(low, value), max(high, value))


@cache  # a results file is summed up again after every process
def _summary(groups: tuple[tuple[float, ...], ...]) -> Summary:
    values = np.concatenate(groups)
    quartile1, median, quartile3 = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    p99 = float(np.quantile(values, 0.99)) if len(values) >= LEAST_FOR_P99 else None
    if len(groups) < LEAST_PROCESSES:
        return Summary(median, quartile1, quartile3, p99, None, None, len(values), len(groups))
    low, high = _bounds(resampled_medians(groups))
    return Summary(median, quartile1, quartile3, p99, min(low, median), max(high, median), len(values), len(groups))


def resampled_medians(groups: Groups, *, seed: int = 0) -> np.ndarray[Any, Any]:
    """Returns the medians of bootstrap samples: processes are drawn with replacement, then samples within each.

    Two runs of a program differ by more than two calls within a run (where its memory lies, what else the machine
    did), so an interval from calls alone would be too narrow. Every process counts alike.
    """
    generator = np.random.default_rng(seed)
    sizes = np.array([len(group) for group in groups])
    drawn = min(int(sizes.max()), DRAWN)
    padded = np.zeros((len(groups), sizes.max()))
    for row, group in zip(padded, groups, strict=True):
        row[: len(group)] = group
    chosen = generator.integers(len(groups), size=(RESAMPLES, len(groups), 1))
    within = (generator.random((RESAMPLES, len(groups), drawn)) * sizes[chosen]).astype(np.intp)
    return np.median(padded[chosen, within].reshape(RESAMPLES, -1), axis=1)


def _frozen(groups: Groups) -> tuple[tuple[float, ...], ...]:
    frozen = tuple(tuple(group) for group in groups if len(group))
    if not frozen:
        raise ValueError("no samples")
    return frozen


def _bounds(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high
