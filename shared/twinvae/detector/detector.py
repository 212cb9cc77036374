"""VAEDetector: the parts in order. `vae_jax` and `vae_torch` bind it to a backend."""

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float, Int8

from twinvae.config import Device, Kind, Missing, check_kind, chosen_anew
from twinvae.detector.detection import Detection
from twinvae.detector.feedback import Feedback, fed_back
from twinvae.detector.fitted import Fitted
from twinvae.detector.outcome import calibrated, scores_and_labels
from twinvae.detector.preparation import Prepared, prepare
from twinvae.detector.rows import Ignore, detected
from twinvae.detector.search import is_asked_for, searched
from twinvae.detector.windows import Scorer, window_scorer
from twinvae.files.atomic import write_bytes
from twinvae.model import file as model_file
from twinvae.model.export_check import Checked
from twinvae.model.model import Model
from twinvae.network.backend import Backend, require_backend
from twinvae.network.parameters import Parameters
from twinvae.network.training import History, train
from twinvae.process.notices import collected, warn
from twinvae.scoring.events import Event
from twinvae.scoring.false_alarms import FalseAlarms
from twinvae.series.series import Series
from twinvae.series.spans import rows_within
from twinvae.stream.stream import Stream


class VAEDetector(Fitted):
    """Finds anomalies in a time series with a variational autoencoder of its windows.

    Use `vae_jax.VAEDetector` or `vae_torch.VAEDetector`. A series has shape (time,) or (time, channel). Every argument
    but `preset` and `seed` is a hyperparameter of `twinvae.Config`, described there; None takes it from the preset. The
    same seed gives the same initial weights, shuffles and noise in both backends.

    What comes back for a pandas object or a darts series has its index: a Series, a DataFrame, or events with time
    stamps. For anything else it is a NumPy array. Where the time stamps have an even step and rows are absent, missing
    values stand for them, so that no window goes across such a hole as if it was not there; a warning says so, and
    results are of the rows that there are.

    After `fit`: `model_`, and parts of it as `threshold_`, `thresholds_` (of each score and of a single window),
    `parameters_`, `scaler_`, `config_`, `channels_` (names), `calibration_`; `decision_scores_` and `labels_` of the
    training series; and `history_` (loss, reconstruction, kl and kl_per_dimension of each epoch, means over the
    windows).
    """

    backend: ClassVar[Backend]
    history_: History
    decision_scores_: Float[np.ndarray, " time"]
    labels_: Int8[np.ndarray, " time"]

    # Training.

    def fit(self, series: Any, y: object = None) -> Self:
        """Trains on a normal series and calibrates the thresholds on it. `y` is ignored.

        With `trim` the series may hold a few anomalies: calibration leaves out that share of it.

        A series on disk, `np.load(..., mmap_mode="r")`, may be larger than memory. What is as long as it, such as
        `decision_scores_`, then lies in temporary files (`twinvae.files.out_of_core`).

        Ctrl-C ends the training early: the parameters of the last finished epoch are kept, with a warning.

        Raises:
            TypeError, ValueError: if an argument or the series is not fit for use; see `Config` and `Series`. The
                detector is then as it was.
        """
        said: list[str] = []
        try:
            with collected() as said:
                prepared = prepare(self, Series.of(series))
                trained = train(self.backend, prepared.net, prepared.scaled, prepared.config, self.seed)
                self.calibrate(prepared, *trained)
        finally:
            for message in said:
                warn(message, stacklevel=2)
        return self

    def search(self, series: Any, *, ignore: Ignore = ()) -> Detection:
        """Searches a series of which no part is known to be normal, and answers with all that was found in it.

        It fits on the whole series, and trains a model more for each of `folds` parts of it, which has not seen that
        part and judges it. What counts is how far errors are above what is usual in the same series: see
        `twinvae.scoring.search`. `decision_scores_` and `labels_` are those of the search. `ignore`: see `detect`.

        Raises:
            TypeError, ValueError: as `fit`, or if `ignore` does not fit the series.
        """
        given = Series.of(series)
        said: list[str] = []
        try:
            with collected() as said:
                rows_within(given, ignore := tuple(ignore))  # that it fits is known before the training
                prepared = prepare(self, given)
                trained = train(self.backend, prepared.net, prepared.scaled, prepared.config, self.seed)
                self.calibrate(prepared, *trained)
                found = searched(self, self.model_, self.backend, given, prepared, ignore)
                said.extend(message for message in found.warnings if message not in said)
                self.decision_scores_, self.labels_ = found.scores, found.labels
        finally:
            for message in said:
                warn(message, stacklevel=2)
        return found

    def calibrate(
        self, prepared: Prepared, parameters: Parameters, history: History, apart: Sequence[Parameters] | None = None
    ) -> None:
        """Keeps what was learned from a prepared series, and the thresholds that follow from it. `fit` calls it.

        `apart`: see `calibrated`.
        """
        found = calibrated(self.backend, prepared, parameters, self.seed, apart)
        model = Model(
            self.preset, self._overrides(), self.seed, prepared.config, prepared.channels, parameters, prepared.scaler,
            found.thresholds, found.calibration, event_rate=found.event_rate,
        )  # fmt: skip
        scores, labels = scores_and_labels(self.backend, model, prepared, found.statistics, found.scores)
        self.model_, self.history_, self.decision_scores_, self.labels_ = model, history, scores, labels

    def feedback(self, series: Any, marks: Iterable[Sequence[Any]], *, ignore: Ignore = ()) -> Feedback:
        """Moves the thresholds, and one rule of events if it must, until what was marked in a series is right.

        `marks` are (mark, start, end) of rows [start, end): "real" and "missed" ask for an event, "expected" for none.

        Raises:
            TypeError, ValueError: as `detect`, or if nothing makes all of them right. The detector is then as it was.
        """
        changed = fed_back(self._detection(series, explained=True, ignore=ignore), marks)
        vars(self).update(model_=changed.model, **changed.rules)
        return changed

    # Scoring.

    def detect(self, series: Any, *, kind: Kind | None = None, ignore: Ignore = ()) -> Detection:
        """Scores a series once and answers with all of it: scores, labels, events, expected values, latent means.

        `kind` chooses another score than the fitted one. `ignore` are spans (start, end) that have no event, such as
        maintenance windows: of time stamps if the series has them, else of row numbers; both ends belong to a span.

        Raises:
            TypeError, ValueError: as `decision_function`, or if `ignore` does not fit the series.
        """
        return self._detection(series, kind, explained=True, ignore=ignore)

    def decision_function(self, series: Any, *, kind: Kind | None = None) -> Any:
        """The score of each time step: higher is more anomalous. `kind` chooses another score than the fitted one.

        Scores are squared errors, in squared deviations of the training series or, with `scaling="none"`, its squared
        units. But ensemble, multiscale, causal_multiscale, neighbour and residual have no unit; probability and
        divergence are in nats. See `twinvae.scoring.kinds`.

        With `missing="mask"`, a missing step has a score from its neighbours. Where there is no value within a window,
        the score is NaN, which is no alarm; a warning says so. The scores of a series on disk lie in a temporary file.

        Raises:
            TypeError, ValueError: if the series is not fit for use, shorter than a window, or has other channels.
        """
        found = self._detection(series, kind)
        return found.series.on_index(found.scores, "score", self.channels_)

    def contributions(self, series: Any, *, kind: Kind | None = None) -> Any:
        """The score of each channel at each time step; their mean over the channels is the decision function.

        With `missing="mask"`, NaN where there is no value of the channel within a window; the mean leaves it out.
        """
        found = self._detection(series, kind)
        return found.series.on_index(found.contributions, "score", self.channels_)

    def predict(self, series: Any, *, kind: Kind | None = None) -> Any:
        """1 where an event covers the time step, else 0: the rows of `events`.

        A score above the threshold is an alarm, and events are made of alarms (`twinvae.scoring.events`). Their low
        ends have the label 0, and steps between alarms that are one event (`merge_gap`) the label 1.
        """
        found = self._detection(series, kind)
        return found.series.on_index(found.labels, "label", self.channels_)

    def fit_predict(self, series: Any, y: object = None) -> Any:
        """Labels a series of which no part is known to be normal: `search`.

        Where a score or a threshold was named, or the preset has no `folds`: those of `fit` on the series itself.
        """
        given = Series.of(series)
        labels = self.search(given).labels if is_asked_for(self) else self.fit(given).labels_
        return given.on_index(labels, "label", self.channels_)

    def events(self, series: Any, *, kind: Kind | None = None) -> list[Event]:
        """The anomalies as intervals [start, end), with their peaks, each channel's share, and why: see `Event`."""
        return self._detection(series, kind, explained=True).events

    def false_alarms(self, normal: Any, *, kind: Kind | None = None) -> FalseAlarms:
        """The rate of alarms on a normal series that was not fitted on, beside the rate that was asked for.

        Raises:
            TypeError, ValueError: as `decision_function`.
        """
        return self._detection(normal, kind).false_alarms

    def latent(self, series: Any) -> Float[np.ndarray, "n latent"]:
        """The posterior mean of each window of the series, n = time - window + 1, where absent rows count as time."""
        return self._detection(series, scored=False).latent

    def reconstruct(self, series: Any) -> Any:
        """The mean over the covering windows of their reconstructions, in the units of the series.

        With `missing="mask"` it says what the model expects at missing steps.
        """
        found = self._detection(series, "reconstruction", explained=True, scored=False)
        return found.series.on_index(found.expected, "value", self.channels_)

    def window_scorer(self) -> Scorer:
        """A function that scores separate windows, with the parameters converted once: for a sensor's next point.

        It takes windows of shape (n, window, channel), one of shape (window, channel), or (window,) where there is one
        channel, and returns (n,) mean squared errors, to be held against `thresholds_["single_window"]`. With
        `missing="mask"` the mean is over the values of a window that are not missing, NaN if there are none.
        """
        return window_scorer(self.backend, self._fitted)

    def stream(self) -> Stream:
        """Scores an endless stream point by point, as a kind that knows no future does a series: see `Stream`."""
        return Stream(self._fitted)

    def _detection(
        self, series: Any, kind: Kind | None = None, *, explained: bool = False, scored: bool = True,
        ignore: Ignore = (),
    ) -> Detection:  # fmt: skip
        """The detection of a series; it warns of what the user should know, of the scores only if they are wanted."""
        model = self._fitted
        chosen = model.config.kind if kind is None else kind
        check_kind(chosen)
        if chosen not in model.thresholds:
            raise ValueError(f"an earlier release has fitted this model, without the score {chosen}: fit it again")
        found = detected(model, self.backend, Series.of(series), chosen, explained=explained, ignore=ignore)
        for message in found.warnings if scored else found.gap_warnings:
            warn(message, stacklevel=3)  # of the public method's caller
        return found

    # Files.

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the fitted detector to a safetensors file, whole or not at all.

        Raises:
            NotFittedError: before `fit`.
            OSError: if the file cannot be written; an old file of that name stays.
        """
        write_bytes(Path(path), self.as_bytes())

    def export_onnx(self, path: str | PathLike[str]) -> Checked:
        """Writes the window scorer, scaling and threshold included, as an ONNX file."""
        from twinvae.model.onnx_export import export_onnx

        return export_onnx(Path(path), self._fitted, self.window_scorer())

    def as_bytes(self) -> bytes:
        """What `save` writes: the same bytes for the same fit, in every process."""
        return model_file.as_bytes(self._fitted)

    @classmethod
    def load(
        cls, path: str | PathLike[str], *, device: Device | None = None, missing: Missing | None = None, **rules: Any
    ) -> Self:
        """Reads a detector that either backend has saved. What belongs to its training series is not in the file.

        `device`, `missing` and the rules of events (`direction`, `min_deviation`, `min_length`, `at_least`,
        `valid_range`) take the place of what it was fitted with.

        Raises:
            ValueError: if the file is not a whole model of this version.
            OSError: if it cannot be read.
        """
        saved = model_file.read(Path(path))
        chosen = chosen_anew(missing=missing, **rules)
        detector = cls(preset=saved.preset, seed=saved.seed, **{**saved.overrides, **chosen, "device": device})
        config = replace(saved.config, device=device or "auto", **chosen)
        detector.model_ = replace(saved, config=config, overrides=detector._overrides())
        return detector


def load_detector(name: str) -> type[VAEDetector]:
    """The detector class of a backend, for code that chooses by name.

    Raises:
        ValueError: if there is no such backend, or its framework is not installed.

    >>> load_detector("jax").__module__
    'vae_jax'
    """
    require_backend(name)
    chosen: type[VAEDetector] = importlib.import_module(f"vae_{name}").VAEDetector
    return chosen
