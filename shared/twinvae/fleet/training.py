"""One detector for each of many series: which are trained together, and the training of one such batch."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from twinvae.detector.detector import VAEDetector
from twinvae.fleet.local_engine import cancelled
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import steps_per_epoch
from twinvae.network.training import Cancelled, History, check_trained, train, train_together
from twinvae.process.notices import collected, one_line
from twinvae.windowing.geometry import count, power_of_two

TOGETHER = 64  # members of a batch at most
BATCHES = 16  # that a large enough group is cut into at least, so that many cores have work
LEAST_TOGETHER = 16  # fewer gain little in PyTorch
BATCH_VALUES = 2**24  # values of the series of a batch at most, unless one series has more


class Need(NamedTuple):
    """What the training of a series takes: this decides which others it is trained with. Numbers only."""

    window: int
    channels: int
    masked: bool  # whether it has missing values that are left out
    batch_size: int  # windows in a step
    windows: int
    epochs: int

    @property
    def group(self) -> tuple[int, int, bool, int]:
        """Series of one group can be trained by one program."""
        return self.window, self.channels, self.masked, self.batch_size

    @property
    def steps(self) -> int:
        """Steps of training in all."""
        return self.epochs * steps_per_epoch(self.windows, self.batch_size)

    @property
    def values(self) -> int:
        """Values that the series takes in a batch, at least."""
        return power_of_two(self.windows + self.window - 1) * self.channels


class Member(NamedTuple):
    """What became of one series."""

    name: str
    detector: VAEDetector | None  # None: it failed
    error: str  # why, in one line; "" if it did not fail
    warnings: tuple[str, ...]


def need(detector: VAEDetector, series: Any) -> Need:
    """What the training of such a detector on this series takes.

    Raises:
        TypeError, ValueError: if an argument or the series is not fit for use, as `VAEDetector.fit`.
    """
    with collected():
        begun = copy(detector)
        return _need(begun, begun.begin_fit(series))


def _need(begun: VAEDetector, scaled: Float[np.ndarray, "time channel"]) -> Need:
    config = begun.config_
    windows = count(len(scaled), config.window)
    batch_size = min(config.batch_size, windows)
    return Need(config.window, scaled.shape[1], begun.net(scaled).masked, batch_size, windows, config.epochs)


def cut(needs: Mapping[str, Need], together: int = TOGETHER) -> list[list[str]]:
    """The batches: names of series that are trained together, at most `together` of them.

    They depend on nothing but the needs and their order. In a group those with most steps come first, so that a batch
    has series of about the same length.

    Raises:
        ValueError: if `together` is not a whole number of at least 1.
    """
    if isinstance(together, bool) or not isinstance(together, int | np.integer) or together < 1:
        raise ValueError(f"together must be a whole number of at least 1, got {together!r}")
    groups: dict[tuple[int, int, bool, int], list[str]] = {}
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
            if len(batch) == size or (batch and (len(batch) + 1) * most > BATCH_VALUES):
                batches.append(batch)
                batch, most = [], needs[name].values
            batch.append(name)
        batches.append(batch)
    return batches


def fit_batch(
    detector: VAEDetector,
    series: Mapping[str, Any],
    names: Sequence[str] | None = None,
    stop: Callable[[], bool] = cancelled,
) -> list[Member]:
    """Fits such a detector on each series, or on those named: each as if alone, trained together where they can be.

    A series that cannot be read or fails its checks, or whose training diverges, is a member without a detector.

    Raises:
        Cancelled: if `stop` says so between two chunks of training.
    """
    members: dict[str, Member] = {}
    groups: dict[tuple[int, int, bool, int], list[_Begun]] = {}
    names = list(series if names is None else names)
    for name in names:
        if stop():
            raise Cancelled
        own = copy(detector)
        with _member(members, name, own):
            scaled = own.begin_fit(_read(series, name))
            found = _need(own, scaled)
            groups.setdefault(found.group, []).append(_Begun(name, own, scaled, found))
    for group in groups.values():
        for begun, trained in zip(group, _train(group, detector.seed, stop), strict=True):
            if stop():
                raise Cancelled
            with _member(members, begun.name, begun.detector):
                if isinstance(trained, ValueError):
                    raise trained
                check_trained(*trained, begun.need.windows)
                begun.detector.end_fit(begun.scaled, *trained)
    return [members[name] for name in names]


def _read(series: Mapping[str, Any], name: str) -> Any:
    """One of the series, which a mapping may read from anywhere: whatever goes wrong there is about this series."""
    try:
        return series[name]
    except (MemoryError, ValueError, TypeError, OSError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


class _Begun(NamedTuple):
    """A member that waits for its training."""

    name: str
    detector: VAEDetector
    scaled: Float[np.ndarray, "time channel"]
    need: Need


@contextmanager
def _member(members: dict[str, Member], name: str, detector: VAEDetector) -> Iterator[None]:
    """Keeps what its body warns of and what it fails with, beside what was known of the member."""
    before = members[name].warnings if name in members else ()
    error = ""
    with collected() as warnings:
        try:
            yield
        except (TypeError, ValueError, OSError) as problem:
            error = one_line(problem)
    members[name] = Member(name, None if error else detector, error, (*before, *warnings))


def _train(
    group: Sequence[_Begun], seed: int, stop: Callable[[], bool]
) -> Iterator[tuple[Parameters, History] | ValueError]:
    backend = group[0].detector.backend
    config, net = group[0].detector.config_, group[0].detector.net(group[0].scaled)
    if not (config.validation_fraction or config.compile):
        epochs = [begun.need.epochs for begun in group]
        yield from train_together(backend, net, [begun.scaled for begun in group], epochs, config, seed, stop)
        return
    for begun in group:  # each stops early where its own held-out part says so; a compiled program knows one series
        if stop():
            raise Cancelled
        try:
            yield train(backend, net, begun.scaled, replace(config, epochs=begun.need.epochs), seed, stop)
        except ValueError as problem:
            yield problem
