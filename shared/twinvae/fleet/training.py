"""The training of one batch of a fleet: each series has the detector that it would have alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

from twinvae.detector.detector import VAEDetector
from twinvae.detector.preparation import Prepared, prepare
from twinvae.fleet.batches import Group, need_of
from twinvae.fleet.local_engine import cancelled
from twinvae.network.parameters import Parameters
from twinvae.network.training import Cancelled, History, check_trained, train, train_together
from twinvae.process.notices import collected, one_line
from twinvae.series.series import Series


class Member(NamedTuple):
    """The outcome of the training on one series: its detector, or why there is none."""

    name: str
    detector: VAEDetector | None  # None: it failed
    error: str  # why, in one line; "" if it did not fail
    warnings: tuple[str, ...]


def fit_batch(
    detector: VAEDetector,
    series: Mapping[str, Any],
    names: Sequence[str] | None = None,
    stop: Callable[[], bool] = cancelled,
) -> list[Member]:
    """Fits a detector on each series, or on those named, as if it were alone; they are trained together where possible.

    A series that cannot be read or fails its checks, or whose training diverges, is a member without a detector.

    Raises:
        Cancelled: if `stop` says so between two chunks of training.
    """
    members: dict[str, Member] = {}
    groups: dict[Group, list[tuple[str, VAEDetector, Prepared]]] = {}
    names = list(series if names is None else names)
    for name in names:
        if stop():
            raise Cancelled
        own = copy(detector)
        with _member(members, name, own):
            prepared = prepare(own, Series.of(_read(series, name)))
            groups.setdefault(need_of(prepared).group, []).append((name, own, prepared))
    for group in groups.values():
        found = _train(detector, [prepared for _, _, prepared in group], stop)
        for (name, own, prepared), trained in zip(group, found, strict=True):
            if stop():
                raise Cancelled
            with _member(members, name, own):
                if isinstance(trained, ValueError):
                    raise trained
                check_trained(*trained, need_of(prepared).windows, prepared.config)
                own.calibrate(prepared, *trained)
    return [members[name] for name in names]


def _read(series: Mapping[str, Any], name: str) -> Any:
    """One of the series. A mapping may read it from anywhere: whatever goes wrong there concerns this one alone."""
    try:
        return series[name]
    except (MemoryError, ValueError, TypeError, OSError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


@contextmanager
def _member(members: dict[str, Member], name: str, detector: VAEDetector) -> Iterator[None]:
    """Records the warnings of its body and the error that ends it, as those of this member."""
    before = members[name].warnings if name in members else ()
    error = ""
    with collected() as warnings:
        try:
            yield
        except (TypeError, ValueError, OSError) as problem:
            error = one_line(problem)
    members[name] = Member(name, None if error else detector, error, (*before, *warnings))


def _train(
    detector: VAEDetector, group: Sequence[Prepared], stop: Callable[[], bool]
) -> Iterator[tuple[Parameters, History] | ValueError]:
    backend, seed, config, net = detector.backend, detector.seed, group[0].config, group[0].net
    series, epochs = [prepared.scaled for prepared in group], [prepared.config.epochs for prepared in group]
    if not (config.validation_fraction or config.compile):
        yield from train_together(backend, net, series, epochs, config, seed, stop)
        return
    # Each stops early where its own held-out part says so; a compiled program knows one series.
    for scaled, own_epochs in zip(series, epochs, strict=True):
        if stop():
            raise Cancelled
        try:
            yield train(backend, net, scaled, replace(config, epochs=own_epochs), seed, stop)
        except ValueError as problem:
            yield problem
