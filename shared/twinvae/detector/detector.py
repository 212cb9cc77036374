"""VAEDetector: the parts in order. `vae_jax` and `vae_torch` bind it to a backend."""

import importlib
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float, Float64, Int8

from twinvae.config import KINDS, Device, Kind, Missing, check_kind
from twinvae.detector.arguments import Estimator
from twinvae.detector.on_index import keeps_index
from twinvae.detector.preparation import (
    check_constant,
    check_length,
    check_names,
    check_values,
    least_scores,
    scaled_series,
    warn_of_gaps,
)
from twinvae.detector.suitable import suitable
from twinvae.files.out_of_core import by_rows, first_row, has_missing, kept, number
from twinvae.model import checkpoint
from twinvae.model.export_check import Checked
from twinvae.network.backend import Backend, Statistic, require_backend
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters
from twinvae.network.seeds import generator
from twinvae.network.training import History, held_out_steps, train
from twinvae.process.notices import warn
from twinvae.scoring.events import Event, find_events, with_expectation
from twinvae.scoring.false_alarms import FalseAlarms, asked_rate, false_alarms
from twinvae.scoring.statistics import (
    SHORT,
    STATISTIC_OF,
    calibrate,
    contributions,
    known_only,
    largest_share,
    mean_over_channels,
    trimmed,
    window_errors,
    without,
)
from twinvae.scoring.threshold import check_enough, threshold
from twinvae.series.conversion import as_series, channel_names, interpolated
from twinvae.series.scaling import fit_scaler
from twinvae.stream.stream import Stream
from twinvae.windowing.geometry import count, fully_covered


class NotFittedError(ValueError, AttributeError):
    """The detector must be fitted first."""


class VAEDetector(Estimator):
    """Finds anomalies in a time series with a variational autoencoder of its windows.

    Use `vae_jax.VAEDetector` or `vae_torch.VAEDetector`. A series has shape (time,) or (time, channel). Every argument
    but `preset` and `seed` is a hyperparameter of `twinvae.config.Config`, described there; None takes it
    from the preset. The same seed gives the same initial weights, shuffles and noise in both backends.

    What comes back for a pandas object or a darts series has its index: a Series, a DataFrame, or events with time
    stamps. For anything else it is a NumPy array.

    After `fit`: `threshold_`, `decision_scores_` and `labels_` of the training series, `thresholds_` (of each
    score and of a single window), `history_` (loss, reconstruction, kl and kl_per_dimension of each epoch, means over
    the windows), `parameters_`, `scaler_`, `config_`, `channels_` (names).
    """

    backend: ClassVar[Backend]

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's pipelines and searches want to know; nobody else calls it."""
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type="outlier_detector", target_tags=TargetTags(required=False))

    # Training.

    def fit(self, series: Any, y: object = None) -> Self:
        """Trains on a normal series and calibrates the thresholds on it. `y` is ignored.

        With `trim` the series may hold a few anomalies: calibration leaves out that share of it.

        A series on disk, `np.load(..., mmap_mode="r")`, may be larger than memory. What is as long as it, such as
        `decision_scores_`, then lies in temporary files (`twinvae.files.out_of_core`).

        Ctrl-C ends the training early: the parameters of the last finished epoch are kept, with a warning.

        Raises:
            TypeError, ValueError: if an argument or the series is not fit for use; see `Config` and `as_series`.
        """
        fitted = copy(self)  # a fit that fails leaves the detector as it was
        fitted._fit(series)
        vars(self).update(vars(fitted))
        return self

    def _fit(self, series: Any) -> None:
        scaled = self.begin_fit(series)
        self.end_fit(scaled, *train(self.backend, self.net(scaled), scaled, self.config_, self.seed))

    def begin_fit(self, series: Any) -> Float[np.ndarray, "time channel"]:
        """The part of `fit` before the training, in place: checks the series, decides what suits it, scales it."""
        config = self.resolved()
        raw = as_series(series, missing=config.missing)
        self.channels_ = channel_names(series, raw.shape[1])
        warn_of_gaps(raw, self.channels_, self.missing)
        whole = interpolated(raw, self.channels_) if np.isnan(raw).any() else raw
        if self.preset == "auto":
            config = suitable(config, whole, window=self.window is None, epochs=self.epochs is None)
        check_length(len(raw), config.window)
        check_constant(whole, self.channels_)
        check_enough(int((1 - config.trim) * least_scores(raw, config)), config)
        head = raw[: len(raw) - held_out_steps(len(raw), config)]
        self.config_, self.arguments_ = config, self.get_params()
        check_values(head, self.channels_)
        self.scaler_ = fit_scaler(head, config.scaling)
        return scaled_series(raw, self.scaler_, config)

    def end_fit(self, scaled: Float[np.ndarray, "time channel"], parameters: Parameters, history: History) -> None:
        """The part of `fit` after the training, in place: keeps what was learned, calibrates the thresholds on it."""
        self.parameters_, self.history_ = parameters, history
        self._calibrate(scaled)

    def _calibrate(self, scaled: Float[np.ndarray, "time channel"]) -> None:
        config = self.config_
        inner = fully_covered(len(scaled), config.window)
        counted = by_rows(lambda part: ~np.isnan(part).all(axis=1), scaled)
        statistics = self.backend.statistics(
            self.net(scaled), self.parameters_, scaled, _statistics_of(KINDS), config.device
        )
        errors, left_out = window_errors(scaled, statistics["window"], config.window), None
        if config.trim:
            errors = by_rows(np.nan_to_num, errors)  # a window without values
            left_out = trimmed(errors, len(scaled), config.window, config.trim)
            errors = kept(errors, by_rows(np.logical_not, largest_share(errors, config.trim)))
            statistics["point"] = without(statistics["point"], left_out)
            counted = by_rows(lambda known, out: known & ~out, counted, left_out)
        single_window = threshold(known_only(errors), config)
        del errors  # a series may be long
        self.calibration_ = calibrate(statistics["point"], statistics["causal"], config.window)
        thresholds: dict[str, float] = {}
        kinds = tuple(
            sorted(KINDS, key=lambda kind: STATISTIC_OF[kind] == "point")
        )  # needed longest: let go of the rest
        once = not config.draws and not config.trim
        parts = self._parts(scaled, statistics, kinds) if once else self._contributions(scaled, KINDS, KINDS, left_out)
        for kind, part in parts:  # one at a time
            scores = mean_over_channels(part)
            used = slice(config.window - 1, None) if kind == "causal" else inner
            usual = kept(scores[used], counted[used])
            thresholds[kind] = threshold(usual, config)
            if kind == config.kind:
                self.decision_scores_ = scores
            del part, scores, usual
        if left_out is not None:
            ((_, part),) = self._contributions(scaled, (config.kind,), KINDS)
            self.decision_scores_ = mean_over_channels(part)
        thresholds[checkpoint.SINGLE_WINDOW] = single_window
        self.thresholds_ = {name: thresholds[name] for name in checkpoint.THRESHOLDS}
        self.threshold_ = thresholds[config.kind]
        self.labels_ = self.labels_of(self.decision_scores_)

    # Scoring.

    @keeps_index("score")
    def decision_function(self, series: Any, *, kind: Kind | None = None) -> Float[np.ndarray, " time"]:
        """The score of each time step: higher is more anomalous. `kind` chooses another score than the fitted one.

        Scores are squared errors of the scaled series: in squared standard deviations of the training series with
        `scaling="standard"` or "robust", in squared units of the series with `scaling="none"`. But multiscale has no
        unit; probability and divergence are in nats. See `twinvae.scoring.statistics.contributions`.

        With `missing="mask"`, a missing step has a score from its neighbours. Where there is no value within a window,
        the score is NaN and the label 0; a warning says so.

        The scores of a series on disk, `np.load(..., mmap_mode="r")`, lie in a temporary file.

        Raises:
            TypeError, ValueError: if the series is not fit for use, shorter than a window, or has other channels.
        """
        return mean_over_channels(self.contributions(series, kind=kind))

    @keeps_index("score")
    def contributions(self, series: Any, *, kind: Kind | None = None) -> Float[np.ndarray, "time channel"]:
        """The score of each channel at each time step; their mean over the channels is the decision function.

        With `missing="mask"`, NaN where there is no value of the channel within a window; the mean leaves it out.
        """
        chosen = self._kind(kind)
        scaled = self._prepared(series)
        with np.errstate(over="ignore", invalid="ignore"):  # said in words below
            ((_, result),) = self._contributions(scaled, (chosen,), self._company(chosen, len(scaled)))
        if first_row(lambda part: ~np.isfinite(part), result) is not None:
            row = first_row(lambda part, x: np.isinf(part) | (np.isnan(part) & ~np.isnan(x)), result, scaled)
            if row is not None:
                raise ValueError(
                    f"the score at row {row} overflows {self.config_.dtype}: remove the outlier or fit in float64"
                )
            unknown = number(lambda part: np.isnan(part).all(axis=1), result)
            if unknown:
                warn(
                    f"{unknown} of {len(result)} time steps have no value within a window: their score is NaN, "
                    "their label 0",
                    stacklevel=2,
                )
        return result

    @keeps_index("label")
    def predict(self, series: Any, *, kind: Kind | None = None) -> Int8[np.ndarray, " time"]:
        """1 where the score is strictly above the threshold of its kind, else 0."""
        return self.labels_of(self.decision_function(series, kind=kind), kind=kind)

    @keeps_index("label")
    def labels_of(self, scores: Float[np.ndarray, " time"], *, kind: Kind | None = None) -> Int8[np.ndarray, " time"]:
        """`predict` of a whole series whose scores are known."""
        chosen = self._kind(kind)
        labels = by_rows(lambda part: (part > self.thresholds_[chosen]).astype(np.int8), scores)
        if chosen == "causal":
            labels[: self.config_.window - 1] = 0
        return labels

    @keeps_index("label")
    def fit_predict(self, series: Any, y: object = None) -> Int8[np.ndarray, " time"]:
        """Fits, and labels the training series itself."""
        return self.fit(series).labels_

    @keeps_index("event")
    def events(self, series: Any, *, kind: Kind | None = None) -> list[Event]:
        """The anomalies as intervals [start, end), with their peaks, each channel's share, and why: see `Event`."""
        found: list[Event] = self.events_of(self.contributions(series, kind=kind), kind=kind, series=series)
        return found

    @keeps_index("event")
    def events_of(
        self, contributions: Float[np.ndarray, "time channel"], *, kind: Kind | None = None, series: Any = None
    ) -> list[Event]:
        """`events` of a series whose contributions are known; without the series they have no `value` or `expected`."""
        labels = self.labels_of(mean_over_channels(contributions), kind=kind)
        config = self.config_
        found = find_events(
            labels,
            contributions,
            self.channels_,
            min_length=config.min_length,
            merge_gap=config.merge_gap,
            least_height=config.least_height,
        )
        if series is None or not found:
            return found
        raw = as_series(series, missing=config.missing)
        return with_expectation(found, self.channels_, raw, self._expected(scaled_series(raw, self.scaler_, config)))

    def false_alarms(self, normal: Any, *, kind: Kind | None = None) -> FalseAlarms:
        """The rate of alarms on a normal series that was not fitted on, beside the rate that was asked for.

        As in calibration, the first and the last window are left out where that leaves half of the series.

        Raises:
            TypeError, ValueError: as `decision_function`.
        """
        scores = np.asarray(self.decision_function(normal, kind=kind))
        if self._kind(kind) == "causal":
            judged = slice(self.config_.window - 1, len(scores))
        else:
            judged = fully_covered(len(scores), self.config_.window)
        known = by_rows(lambda part: ~np.isnan(part), scores[judged])
        labels = kept(self.labels_of(scores, kind=kind)[judged], known)
        return false_alarms(kept(scores[judged], known), labels == 1, asked_rate(self.config_))

    def latent(self, series: Any) -> Float[np.ndarray, "n latent"]:
        """The posterior mean of each window of the series, n = time - window + 1."""
        scaled = self._prepared(series)
        return self.backend.encode(self.net(scaled), self.parameters_, scaled, self.config_.device)[0]

    @keeps_index("value")
    def reconstruct(self, series: Any) -> Float[np.ndarray, "time channel"]:
        """The mean over the covering windows of their reconstructions, in the units of the series.

        With `missing="mask"` it says what the model expects at missing steps.
        """
        return self._expected(self._prepared(series))

    def _expected(self, scaled: Float[np.ndarray, "time channel"]) -> Float[np.ndarray, "time channel"]:
        """`reconstruct` of a scaled series."""
        shift, scale = (values.astype(scaled.dtype) for values in self.scaler_)
        return by_rows(lambda part: part * scale + shift, self._statistics(scaled, "reconstruction"))

    def window_scorer(self) -> Callable[[Any], Float64[np.ndarray, " n"]]:
        """A function that scores separate windows, with the parameters converted once: for a sensor's next point.

        It takes windows of shape (n, window, channel), one of shape (window, channel), or (window,) where there is one
        channel, and returns (n,) mean squared errors, to be held against `thresholds_["single_window"]`. With
        `missing="mask"` the mean is over the values of a window that are not missing, NaN if there are none.
        """
        self._check_fitted()
        config = self.config_
        plain, masked = (Net.of(config, len(self.channels_), masked=gaps) for gaps in (False, True))
        score = self.backend.bind(plain, self.parameters_, config.device)
        score_masked = self.backend.bind(masked, self.parameters_, config.device) if masked.masked else None
        shape = (-1, config.window, len(self.channels_))
        shift, scale = self.scaler_

        def score_windows(windows: Any) -> Float64[np.ndarray, " n"]:
            if not isinstance(windows, np.ndarray):  # an array has no names
                check_names(windows, self.channels_)
            values = np.asarray(windows)
            one_channel = shape[2] == 1 and values.shape[-1:] == (shape[1],) and values.ndim in (1, 2)
            if values.size == 0 or not (one_channel or (values.shape[-2:] == shape[1:] and values.ndim in (2, 3))):
                raise ValueError(f"windows must have shape (n, {shape[1]}, {shape[2]}), got {values.shape}")
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = ((values.reshape(shape) - shift) / scale).astype(config.dtype)
                scores = score(scaled).astype(np.float64)
            if np.count_nonzero(np.isfinite(scores)) < len(scores):  # `all` takes longer than the rest of the line
                if score_masked is not None and not np.isinf(scaled).any():
                    scores = score_masked(scaled).astype(np.float64)
                if score_masked is None or not np.isfinite(scores[~np.isnan(scaled).all(axis=(1, 2))]).all():
                    raise ValueError("a window holds values that are missing, infinite or too large")
            return scores

        return score_windows

    def stream(self) -> Stream:
        """Scores an endless stream point by point, as `kind="causal"` does a series: no framework, constant memory."""
        return Stream(self._checkpoint())

    # Files.

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the fitted detector to a safetensors file, whole or not at all.

        Raises:
            NotFittedError: before `fit`.
            OSError: if the file cannot be written; an old file of that name stays.
        """
        checkpoint.write(Path(path), self._checkpoint())

    def export_onnx(self, path: str | PathLike[str]) -> Checked:
        """Writes the window scorer, scaling and threshold included, as an ONNX file."""
        from twinvae.model.onnx_export import export_onnx

        return export_onnx(Path(path), self._checkpoint(), self.window_scorer())

    def as_bytes(self) -> bytes:
        """What `save` writes: the same bytes for the same fit, in every process."""
        return checkpoint.as_bytes(self._checkpoint())

    def _checkpoint(self) -> checkpoint.Checkpoint:
        self._check_fitted()
        given = {name: value for name, value in self.arguments_.items() if value is not None and name != "device"}
        preset, seed = given.pop("preset"), given.pop("seed")
        return checkpoint.Checkpoint(
            preset, given, seed, replace(self.config_, device="auto"), self.channels_,
            self.parameters_, self.scaler_, self.thresholds_, self.calibration_,
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | PathLike[str], *, device: Device | None = None, missing: Missing | None = None) -> Self:
        """Reads a detector that either backend has saved. What belongs to its training series is not in the file.

        `device` and `missing` take the place of what it was fitted with.

        Raises:
            ValueError: if the file is not a whole model of this version.
            OSError: if it cannot be read.
        """
        saved = checkpoint.read(Path(path))
        given = {**saved.overrides, "device": device} | ({} if missing is None else {"missing": missing})
        detector = cls(preset=saved.preset, seed=saved.seed, **given)
        detector.config_ = replace(saved.config, device=device or "auto", missing=missing or saved.config.missing)
        detector.arguments_ = detector.get_params()
        detector.channels_, detector.scaler_, detector.parameters_ = saved.channels, saved.scaler, saved.parameters
        detector.thresholds_, detector.calibration_ = dict(saved.thresholds), saved.calibration
        detector.threshold_ = saved.thresholds[saved.config.kind]
        return detector

    # Shared steps.

    def _check_fitted(self) -> None:
        if not hasattr(self, "thresholds_"):
            raise NotFittedError("this detector is not fitted: call fit first")

    def net(self, scaled: Float[np.ndarray, "time channel"]) -> Net:
        """The network for a scaled series: with masks only where it has gaps."""
        return Net.of(self.config_, scaled.shape[1], masked=has_missing(scaled))

    def _kind(self, kind: Kind | None) -> Kind:
        self._check_fitted()
        chosen = self.config_.kind if kind is None else kind
        check_kind(chosen)
        return chosen

    def _prepared(self, series: Any) -> Float[np.ndarray, "time channel"]:
        """The checked and scaled series."""
        self._check_fitted()
        raw = as_series(series, missing=self.config_.missing)
        if raw.shape[1] != len(self.channels_):
            raise ValueError(
                f"the series has {raw.shape[1]} channels, the detector was fitted on {len(self.channels_)}"
            )
        check_names(series, self.channels_)
        check_length(len(raw), self.config_.window)
        warn_of_gaps(raw, self.channels_, self.arguments_["missing"])
        return scaled_series(raw, self.scaler_, self.config_)

    def _company(self, kind: Kind, length: int) -> tuple[Kind, ...]:
        """The kinds to compute where one is wanted: all of them for a short series, where they cost about as much as
        one and need no other program than calibration has compiled."""
        short = count(length, self.config_.window) * self.config_.window * len(self.channels_) <= SHORT
        return KINDS if short else (kind,)

    def _statistics(self, scaled: Float[np.ndarray, "time channel"], kind: Kind) -> Float[np.ndarray, "length channel"]:
        """The statistic of a kind of score, from the posterior mean."""
        wanted, device = _statistics_of(self._company(kind, len(scaled))), self.config_.device
        return self.backend.statistics(self.net(scaled), self.parameters_, scaled, wanted, device)[STATISTIC_OF[kind]]

    def _contributions(
        self,
        scaled: Float[np.ndarray, "time channel"],
        kinds: tuple[Kind, ...],
        company: tuple[Kind, ...],
        left_out: Bool[np.ndarray, " time"] | None = None,
    ) -> Iterator[tuple[Kind, Float[np.ndarray, "time channel"]]]:
        """The contributions of `kinds`, from the statistics of their `company`."""
        config, net, wanted = self.config_, self.net(scaled), _statistics_of(company)
        if not config.draws:
            statistics = self.backend.statistics(net, self.parameters_, scaled, wanted, config.device)
            yield from self._parts(scaled, statistics, kinds, left_out)
            return
        # One draw serves all windows, so that a score does not depend on where in a series it is.
        draws = generator(self.arguments_["seed"], "draws").standard_normal((config.draws, config.latent_dim))
        totals: dict[Kind, np.ndarray] = {}
        for noise in draws.astype(config.dtype):
            statistics = self.backend.statistics(net, self.parameters_, scaled, wanted, config.device, noise)
            for kind, part in self._parts(scaled, statistics, kinds, left_out):
                share = by_rows(lambda one: one / config.draws, part)
                totals[kind] = by_rows(np.add, totals[kind], share) if kind in totals else share
        yield from totals.items()

    def _parts(
        self,
        scaled: Float[np.ndarray, "time channel"],
        statistics: dict[str, np.ndarray],
        kinds: tuple[Kind, ...],
        left_out: Bool[np.ndarray, " time"] | None = None,
    ) -> Iterator[tuple[Kind, Float[np.ndarray, "time channel"]]]:
        """The contributions of each kind in turn; uses the statistics up, to hold less of a long series.

        The multiscale score, which averages far, is then that of a series that errs at the steps left out as elsewhere.
        """
        wanted = [STATISTIC_OF[kind] for kind in kinds]
        for kind in kinds:
            name = wanted.pop(0)
            statistic = statistics[name] if name in wanted else statistics.pop(name)
            if left_out is not None and kind == "multiscale":
                statistic = without(statistic, left_out)
            yield kind, contributions(kind, scaled, statistic, self.config_.window, self.calibration_)


def load_detector(name: str) -> type[VAEDetector]:
    """The detector class of a backend, for code that chooses by name.

    Raises:
        ValueError: if there is no such backend, or its framework is not installed.
    """
    require_backend(name)
    chosen: type[VAEDetector] = importlib.import_module(f"vae_{name}").VAEDetector
    return chosen


def _statistics_of(kinds: tuple[Kind, ...]) -> tuple[Statistic, ...]:
    """The statistics that scores of these kinds are made of, each once."""
    return tuple(dict.fromkeys(STATISTIC_OF[kind] for kind in kinds))
