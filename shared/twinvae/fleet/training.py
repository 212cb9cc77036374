"""The training of one batch of a fleet: each series has the detector that it would have alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

from twinvae.detector.detector import VAEDetector
from twinvae.detector.preparation import Prepared, prepare
from twinvae.fleet.batches import Group, Need, need_of
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
    groups: dict[Group, list[_Begun]] = {}
    names = list(series if names is None else names)
    for name in names:
        if stop():
            raise Cancelled
        own = copy(detector)
        with _member(members, name, own):
            prepared = prepare(own, Series.of(_read(series, name)))
            found = need_of(prepared)
            groups.setdefault(found.group, []).append(_Begun(name, own, prepared, found))
    for group in groups.values():
        for begun, trained in zip(group, _train(group, detector.seed, stop), strict=True):
            if stop():
                raise Cancelled
            with _member(members, begun.name, begun.detector):
                if isinstance(trained, ValueError):
                    raise trained
                check_trained(*trained, begun.need.windows, begun.prepared.config)
                begun.detector.calibrate(begun.prepared, *trained)
    return [members[name] for name in names]


def _read(series: Mapping[str, Any], name: str) -> Any:
    """One of the series. A mapping may read it from anywhere: whatever goes wrong there concerns this one alone."""
    try:
        return series[name]
    except (MemoryError, ValueError, TypeError, OSError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


class _Begun(NamedTuple):
    """A member whose series is prepared and whose training has not begun."""

    name: str
    detector: VAEDetector
    prepared: Prepared
    need: Need


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
    group: Sequence[_Begun], seed: int, stop: Callable[[], bool]
) -> Iterator[tuple[Parameters, History] | ValueError]:
    backend = group[0].detector.backend
    config, net = group[0].prepared.config, group[0].prepared.net
    if not (config.validation_fraction or config.compile):
        epochs = [begun.need.epochs for begun in group]
        yield from train_together(backend, net, [begun.prepared.scaled for begun in group], epochs, config, seed, stop)
        return
    for begun in group:  # each stops early where its own held-out part says so; a compiled program knows one series
        if stop():
            raise Cancelled
        try:
            yield train(backend, net, begun.prepared.scaled, replace(config, epochs=begun.need.epochs), seed, stop)
        except ValueError as problem:
            yield problem
