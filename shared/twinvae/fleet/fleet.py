"""VAEFleet: one detector for each of many series. `vae_jax` and `vae_torch` bind it to a backend."""

import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from twinvae.config import Device, Kind, check_kind, plain
from twinvae.detector.arguments import Estimator
from twinvae.detector.detector import VAEDetector
from twinvae.detector.not_fitted import not_fitted
from twinvae.fleet.batches import TOGETHER, Need, cut, need
from twinvae.fleet.local_engine import in_turns, run_local
from twinvae.fleet.training import Member, fit_batch
from twinvae.network.backend import Lane
from twinvae.process.notices import collected, one_line
from twinvae.scoring.events import Event


class VAEFleet(Estimator, Mapping[str, VAEDetector]):
    """One detector for each of many series, trained together on all cores or GPUs.

    Use `vae_jax.VAEFleet` or `vae_torch.VAEFleet`. The arguments are those of `VAEDetector`, and each member is what a
    `VAEDetector` of these arguments, fitted on its series alone, would be: the fleet's seed is every member's. Series
    may have different lengths and channels.

    Series are a mapping of names to series, or an array of shape (series, time) or (series, time, channel), whose names
    are "0", "1", ... What comes back is a dict of names, or for an array an array.

    A series that fails its checks is left out, with one warning for all. After `fit`, `failures_` says why (a dict of
    name to reason), and `warnings_` what was warned of each of the others. A fleet is itself a mapping of names to
    fitted detectors: `fleet["pump 7"]`, `len(fleet)`, `fleet.items()`.

    >>> import numpy as np
    >>> from vae_jax import VAEFleet  # or: from vae_torch import VAEFleet
    >>> noise = np.random.default_rng(0).normal(0, 0.05, (2, 500))
    >>> pumps = {"pump 7": np.sin(np.arange(500) / 6) + noise[0], "pump 8": np.cos(np.arange(500) / 9) + noise[1]}
    >>> fleet = VAEFleet(window=24, epochs=20, seed=0).fit(pumps)
    >>> sorted(fleet), fleet["pump 7"].predict(pumps["pump 7"]).shape
    (['pump 7', 'pump 8'], (500,))
    """

    detector_class: ClassVar[type[VAEDetector]]
    failures_: dict[str, str]
    warnings_: dict[str, tuple[str, ...]]
    arguments_: dict[str, Any]
    _members: dict[str, VAEDetector | Path]  # those that were read from a folder stay there until they are used

    def fit(self, series: Any, y: object = None, *, together: int = TOGETHER, workers: int | None = None) -> Self:
        """Trains a detector for each series. `y` is ignored.

        At most `together` series are trained in one batch: more suit a GPU, fewer take less memory. `workers` is the
        number of threads, by default one for each core or GPU; it changes no result. A mapping is asked for each series
        twice, when the batches are planned and when its batch is trained, so it may read them from files; several
        threads ask at the same time.

        Raises:
            TypeError, ValueError: if an argument is not fit for use, or none of the series is.
        """
        given, detector = _named(series), self.detector_class(**self.get_params())
        lanes = _lanes(detector, workers)
        found = dict(run_local(lambda name: need(detector, given[name]), given, lanes))
        needs = {name: each for name in given if isinstance(each := found[name], Need)}
        failures = {name: _reason(each) for name, each in found.items() if isinstance(each, Exception)}
        members: dict[str, Member] = {}
        raised: dict[str, Exception] = {}
        batches = cut(needs, together)
        for alone in (False, True):  # a batch that raised (for lack of memory, perhaps) is tried again one by one
            tasks = [[name] for name in raised] if alone else batches
            for names, result in run_local(partial(fit_batch, detector, given), tasks, lanes[:1] if alone else lanes):
                if isinstance(result, Exception):
                    raised |= dict.fromkeys(names, result)
                else:
                    members |= {member.name: member for member in result}
        failures |= {name: _reason(error) for name, error in raised.items() if name not in members}
        failures |= {name: member.error for name, member in members.items() if member.error}
        if len(failures) == len(given):
            name = next(iter(given))
            raise ValueError(f"none of {len(given)} series can be fitted; the first, {name}: {failures[name]}")
        self.arguments_ = self.get_params()
        self.failures_ = {name: failures[name] for name in given if name in failures}
        trained = {name: members[name] for name in given if name not in failures}
        self._members = {name: each.detector for name, each in trained.items() if each.detector is not None}
        self.warnings_ = {name: member.warnings for name, member in trained.items() if member.warnings}
        _warn_of(self.failures_, given, "failed: see failures_", 3)
        _warn_of({name: said[0] for name, said in self.warnings_.items()}, given, "have warnings: see warnings_", 3)
        return self

    # Scoring.

    def decision_function(self, series: Any, *, kind: Kind | None = None, workers: int | None = None) -> Any:
        """The scores of each series by its own detector, as `VAEDetector.decision_function`.

        A dict of name to (time,) scores, without the series that have no detector or fail their checks, with a warning;
        for an array (series, time) scores, NaN for those.
        """
        return self._stepwise("decision_function", series, kind, workers, np.nan)

    def predict(self, series: Any, *, kind: Kind | None = None, workers: int | None = None) -> Any:
        """The labels of each series by its own detector, as `VAEDetector.predict`: 1 in the rows of events.

        A dict of name to (time,) labels, without the series that have no detector or fail their checks, with a warning;
        for an array (series, time) labels, 0 for those.
        """
        return self._stepwise("predict", series, kind, workers, 0)

    def events(self, series: Any, *, kind: Kind | None = None, workers: int | None = None) -> dict[str, list[Event]]:
        """The events of each series, as `VAEDetector.events`, without the series that have no detector or fail."""
        return self._of_each("events", _named(series), kind, workers)

    def _stepwise(self, method: str, series: Any, kind: Kind | None, workers: int | None, unknown: float) -> Any:
        given = _named(series)
        result = self._of_each(method, given, kind, workers)
        if isinstance(series, Mapping):
            return result
        rows = [result.get(name) for name in given]
        like = next((row for row in rows if row is not None), np.zeros(np.shape(given["0"])[0], np.float32))
        return np.stack([np.full_like(like, unknown) if row is None else row for row in rows])

    def _of_each(self, method: str, given: Mapping[str, Any], kind: Kind | None, workers: int | None) -> dict[str, Any]:
        able = [name for name in given if name in self]
        if kind is not None:
            check_kind(kind)
        lanes = _lanes(self.detector_class(**self.get_params()), workers)
        said: dict[str, str] = {}

        def run(name: str) -> Any:
            with collected() as warned:
                result = getattr(self[name], method)(given[name], kind=kind)
            if warned:
                said[name] = warned[0]
            return result

        found = dict(run_local(run, able, lanes))
        failures = {name: self.failures_.get(name, "it was not fitted") for name in given if name not in found}
        failures |= {name: _reason(each) for name, each in found.items() if isinstance(each, Exception)}
        _warn_of(failures, given, "have no result")
        _warn_of(said, given, "have warnings")
        return {name: found[name] for name in given if name not in failures}

    # The mapping.

    def __getitem__(self, name: str) -> VAEDetector:
        if name not in self:
            reason = f"it failed: {self.failures_[name]}" if name in self.failures_ else "it was not fitted"
            raise KeyError(f"no detector for {name!r}: {reason}")
        member = self._members[name]
        return self.detector_class.load(member, device=self.device) if isinstance(member, Path) else member

    def __contains__(self, name: object) -> bool:
        return name in self._fitted._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._fitted._members)

    def __len__(self) -> int:
        return len(self._fitted._members)

    def __bool__(self) -> bool:
        return True  # also before `fit`

    __hash__ = Estimator.__hash__
    __eq__ = Estimator.__eq__

    @property
    def _fitted(self) -> Self:
        if "_members" not in vars(self):
            raise not_fitted("this fleet is not fitted: call fit first")
        return self

    # Files.

    def save(self, folder: str | PathLike[str]) -> None:
        """Writes the fleet to a folder: `models/NAME.safetensors` for each member, and a table that names them.

        It is what `twinvae fleet` writes, but for what that has scored. The last file written is `fleet.json`: without
        it the folder is not a whole fleet. A fleet that was there is replaced.

        Raises:
            NotFittedError: before `fit`.
            ValueError: if the folder holds an unfinished run of the command, or what is no fleet's.
            OSError: if a file cannot be written.
        """
        from twinvae.fleet.tables import save_members

        given = plain({n: v for n, v in self._fitted.arguments_.items() if v is not None and n != "device"})
        settings = {"preset": given.pop("preset"), "seed": given.pop("seed"), "hyperparameters": given}
        save_members(Path(folder), settings, self, self.failures_, self.warnings_)

    @classmethod
    def load(cls, folder: str | PathLike[str], *, device: Device | None = None) -> Self:
        """Opens a fleet that either backend or `twinvae fleet` has written. A member is read each time it is asked for.

        Raises:
            ValueError: if the folder does not hold a whole fleet.
            OSError: if it cannot be read.
        """
        from twinvae.fleet.folder import FleetFolder
        from twinvae.fleet.tables import read_tables

        path = Path(folder).resolve()
        tables = read_tables(FleetFolder(path))
        settings = tables.summary["settings"]
        try:
            given = {name: settings[name] for name in ("preset", "seed")} | {"device": device}
            fleet = cls(**settings["hyperparameters"] | given)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: the settings of the fleet are damaged: {error}") from None
        fleet.arguments_ = fleet.get_params()
        rows = tables.fleet.select("name", "error", "warnings", "model").rows()
        fleet._members = {name: path / model for name, _, _, model in rows if model is not None}
        fleet.failures_ = {name: error for name, error, _, model in rows if model is None}
        fleet.warnings_ = {name: tuple(said) for name, _, said, model in rows if model is not None and said}
        return fleet


def _named(series: Any) -> Mapping[str, Any]:
    """The series by name.

    Raises:
        ValueError: if there are none, or an array has another shape.
    """
    if hasattr(series, "columns"):
        raise TypeError("a data frame is one series: give a mapping, such as {name: frame[[name]] for name in frame}")
    if not isinstance(series, Mapping):
        array = np.asarray(series)
        if array.ndim not in (2, 3):
            wanted = "a mapping of names to series or an array of shape (series, time) or (series, time, channel)"
            raise ValueError(f"the series must be {wanted}, got {array.ndim} dimensions")
        return _named({str(index): values for index, values in enumerate(array)})
    if not all(isinstance(name, str) for name in series):
        raise TypeError("the names of the series must be text")
    if not series:
        raise ValueError("there are no series")
    return series


def _lanes(detector: VAEDetector, workers: int | None) -> list[Lane]:
    """The threads to work in."""
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(f"workers must be a whole number of at least 1, got {workers!r}")
    return in_turns(detector.backend.lanes(detector.resolved().device), workers)


def _reason(error: Exception) -> str:
    """What went wrong, in one line; an error that is not of the checks is named by its type."""
    said = one_line(error)
    return said if isinstance(error, (TypeError, ValueError)) else f"{type(error).__name__}: {said}"


def _warn_of(found: Mapping[str, str], given: Mapping[str, Any], what: str, stacklevel: int = 5) -> None:
    """Warns once of all the series that something was found of."""
    if found:
        name, reason = next((name, found[name]) for name in given if name in found)
        warnings.warn(f"{len(found)} of {len(given)} series {what}; {name}: {reason}", stacklevel=stacklevel)
