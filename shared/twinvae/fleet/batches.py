"""Which series of a fleet are trained together: what the training of each takes, and the batches that follow."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from twinvae.detector.detector import VAEDetector
from twinvae.detector.preparation import Prepared, prepare
from twinvae.network.schedule import steps_per_epoch
from twinvae.process.notices import collected
from twinvae.series.series import Series
from twinvae.windowing.geometry import count, power_of_two

TOGETHER = 64  # members of a batch at most
BATCHES = 16  # that a large enough group is cut into at least, so that many cores have work
LEAST_TOGETHER = 16  # fewer gain little in PyTorch
BATCH_VALUES = 2**24  # values of the series of a batch at most, unless one series has more

Group = tuple[int, int, bool, int]


class Need(NamedTuple):
    """What the training of one series takes, in numbers: it decides which other series can be in its batch."""

    window: int
    channels: int
    masked: bool  # whether it has missing values that are left out
    batch_size: int  # windows in a step
    windows: int
    epochs: int

    @property
    def group(self) -> Group:
        """The sizes that one compiled program is made for: only series that share them can be trained together."""
        return self.window, self.channels, self.masked, self.batch_size

    @property
    def steps(self) -> int:
        """The number of training steps over all epochs."""
        return self.epochs * steps_per_epoch(self.windows, self.batch_size)

    @property
    def values(self) -> int:
        """The number of values that the series takes in a batch, padded to a power of two."""
        return power_of_two(self.windows + self.window - 1) * self.channels


def need(detector: VAEDetector, series: Any) -> Need:
    """What it takes to train a detector with these arguments on this series.

    Raises:
        TypeError, ValueError: if an argument or the series is not fit for use, as `VAEDetector.fit`.
    """
    with collected():
        return need_of(prepare(detector, Series.of(series)))


def need_of(prepared: Prepared) -> Need:
    """What it takes to train a detector on a series that is prepared."""
    config, net = prepared.config, prepared.net
    windows = count(len(prepared.scaled), net.window)
    batch_size = min(config.batch_size, windows)
    return Need(net.window, net.channels, net.masked, batch_size, windows, config.epochs)


def cut(needs: Mapping[str, Need], together: int = TOGETHER) -> list[list[str]]:
    """Cuts the series into batches that are trained together, of at most `together` series each.

    The batches depend on nothing but the needs and their order. In a group the series with most steps come first, so
    that a batch has series of about the same length.

    Raises:
        ValueError: if `together` is not a whole number of at least 1.
    """
    if isinstance(together, bool) or not isinstance(together, int | np.integer) or together < 1:
        raise ValueError(f"together must be a whole number of at least 1, got {together!r}")
    groups: dict[Group, list[str]] = {}
    for name, found in needs.items():
        groups.setdefault(found.group, []).append(name)
    batches = []
    for _, names in sorted(groups.items()):
        names.sort(key=lambda name: -needs[name].steps)
        size = min(int(together), max(LEAST_TOGETHER, math.ceil(len(names) / BATCHES)))
        batch: list[str] = []
        most = 0  # values that a series of the batch takes
        for name in names:
            most = max(most, needs[name].values)
            if not batch or len(batch) == size or (len(batch) + 1) * most > BATCH_VALUES:
                batch, most = [], needs[name].values
                batches.append(batch)
            batch.append(name)
    return batches
