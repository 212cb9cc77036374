"""A fitted detector on an endless stream: one point in, its score out, in plain NumPy and constant memory."""

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from twinvae.config import Missing, chosen_anew
from twinvae.model import file as model_file
from twinvae.model.model import Model
from twinvae.process.notices import shortened
from twinvae.scoring.gap_errors import divisors
from twinvae.scoring.kinds import SCORES
from twinvae.scoring.overflow import highest, limits
from twinvae.scoring.rules import Rules
from twinvae.scoring.statistics import latent_draws
from twinvae.stream import state as state_file
from twinvae.stream.event_tracker import Change, EventTracker
from twinvae.stream.numpy_model import StreamModel, windows_of
from twinvae.stream.points import check_values, values_of
from twinvae.stream.trailing import TrailingAverages, kind_of


class Step(NamedTuple):
    """The answer of a stream to one point.

    >>> Step(at=0, score=0.5, label=0, changes=[]).score
    0.5
    """

    at: int  # the point's index, from 0
    score: float
    label: int  # 1 is an alarm, a score above the threshold; 0 is none
    changes: list[Change]  # events that have opened or closed; mostly none


class Stream:
    """Scores a series point by point, with the scores that `decision_function(series, kind=stream.kind)` gives.

    `kind` is `trailing` if the model was fitted with a score that averages over time, as the default does, else
    `causal`. The first `window - 1` points are warming up: their errors count as the median causal training error, and
    they never alarm. No framework is needed or imported.

    A point is a time step. With `missing="mask"` a missing value (NaN) is left out as the batch does: its channel has
    the last score that is known, and none where there was no value in the last window of points. The score is the mean
    over the channels that have one; NaN, with the label 0, where none has. With `missing="error"` a missing value is
    refused; with "interpolate" it is the last value of its channel: a stream cannot look ahead. Where points were
    missed, by a late restart say, points of nothing but NaN stand for them.

    A point that is refused does not count. A value too large for the scores of its windows, or outside its valid range,
    is left out of them, and an anomaly at its point (`twinvae.scoring.overflow`). Rules say which events are kept
    (`twinvae.scoring.rules`), as far as a stream can know: what was expected is what the window that ends at the peak
    makes of it, and an event is opened once it is one by what is known of it so far.

    `index` is the number of points so far, `score` and `label` are those of the last one (nan and 0 before the first).
    The label says that this score exceeds `threshold`; the rows of a finished event, which knows more, may be others.
    `tracker` follows the events, `channels` are the names. A copy goes on as the original would, apart from it.

    >>> from vae_jax import VAEDetector
    >>> detector = VAEDetector(window=24, epochs=5).fit(np.sin(np.arange(500) / 6))
    >>> stream = detector.stream()
    >>> scores = [stream.update(point) for point in np.sin(np.arange(30) / 6)]
    >>> scores[0] == stream.warm_up, stream.index, stream.label
    (True, 30, 0)
    """

    def __init__(self, model: Model) -> None:
        config = model.config
        self.config, self.channels = config, model.channels
        self.kind = kind_of(model)
        self._rule = model.threshold_of(self.kind)
        self.threshold = float(self._rule.value)
        self._averages = TrailingAverages(model.calibration, config.draws) if self.kind == "trailing" else None
        usual = model.calibration.warm_up.astype(config.dtype)
        self._warm_up = usual if self._averages is None else self._averages.scores()
        self.warm_up = float(self._warm_up.mean())
        smear = SCORES[self.kind].smear(config.window, model.calibration)
        self.tracker, self._rules = EventTracker(model.channels, config, smear), Rules.of(config, model.channels)
        self._ranges = np.array([self._rules.low, self._rules.high]) if self._rules.has_ranges else None
        self._outside: tuple[int, ...] = ()  # channels of the last point whose value is outside its valid range
        self._shift, self._scale = np.asarray(model.scaler.shift), np.asarray(model.scaler.scale)
        self._limits, self._highest = limits(model.calibration, config.dtype), highest(config.dtype)
        one = float(self._shift[0]), float(self._scale[0]), 0.5 * float(self._limits[0])  # beyond, it is looked at
        self._one = one if len(self.channels) == 1 else None
        self._excess, self._digest = model.calibration.excess, state_file.model_digest(model)

        self._buffer = np.zeros((2 * config.window, len(model.channels)), config.dtype)
        self._windows = windows_of(self._buffer)
        noise = latent_draws(config, model.seed) if config.draws else None
        self._model = StreamModel(model.parameters, config, len(model.channels), noise)
        self.reset()

    @classmethod
    def load(cls, path: str | PathLike[str], *, missing: Missing | None = None, **rules: Any) -> Self:
        """The stream of a saved detector. `missing` and the rules of events take the place of what it was fitted with.

        Raises:
            ValueError: if the file is not a whole model of this version.
            OSError: if it cannot be read.
        """
        saved = model_file.read(Path(path))
        return cls(replace(saved, config=replace(saved.config, **chosen_anew(missing=missing, **rules))))

    @property
    def basis(self) -> str:
        """What its events rest on: one sentence."""
        return self._rule.in_words

    def reset(self) -> None:
        """Starts again: no points, no events."""
        self.index, self.score, self.label = 0, math.nan, 0
        self._buffer[:] = 0.0
        self._parts = self._warm_up.copy()  # the score of each channel at the last point
        self._gap = -self.config.window  # the last point that lacks a value
        self._too_large = np.zeros(len(self.channels), bool)  # which of its values were too large
        if self._averages is not None:
            self._averages.clear()
        self.tracker.clear()

    def update(self, point: Any) -> float:
        """The score of the next point: a number for one channel, else one number for each channel.

        Raises:
            TypeError, ValueError: if the point has other channels, or a value is infinite, or missing where that
                is refused.
        """
        return self.step(point).score

    def step(self, point: Any, time: Any = None, *, ignored: bool = False) -> Step:
        """Score, label and events of the next point. `time` goes into the events as it is.

        `ignored` says that the point lies in a span of time that has no event, such as maintenance: an event whose peak
        lies there is none.

        Raises:
            TypeError, ValueError: as `update`.
        """
        row = self.index % self.config.window
        self._write(point, row)
        changes: list[Change] = []
        if self.index < self.config.window - 1:
            score, parts, label = self.warm_up, self._parts, 0
        else:
            score, parts = self._scores(row)
            label = int(score > self.threshold)
        label = label or int(bool(self._outside))
        if label or not self.tracker.idle:
            deviations = self._deviations(row) if label and self._rules.compares_values else ()
            changes = self.tracker.update(
                self.index, label, score, parts, time, deviations=deviations, outside=self._outside, ignored=ignored
            )
        self.index, self.score, self.label = self.index + 1, score, label
        return Step(self.index - 1, score, label, changes)

    def _scores(self, row: int) -> tuple[float, Float[np.ndarray, " channel"]]:
        """The score of the window that ends in this row, and that of each channel, 0 where it is not known."""
        gaps = self.index - self._gap < self.config.window
        before = self._parts.copy() if gaps else None  # the model writes into the array that it gave
        with np.errstate(over="ignore", invalid="ignore"):
            self._parts = parts = self._model.squared_error(self._windows[row], gaps=gaps)
            if gaps and self._excess is not None:
                share = np.mean(~np.isnan(self._windows[row]), keepdims=True)
                parts /= divisors("causal", share, self._excess).astype(parts.dtype)
            if self._averages is not None:
                self._parts = parts = self._averages.add(parts, gap=self.index == self._gap)
            elif parts.ndim > 1:  # of each draw
                self._parts = parts = parts.mean(axis=0)
            if before is not None and self.index == self._gap:
                return self._scores_in_gap(row, before)
            score = float(parts[0] if self._one else parts.sum() / len(parts))
        if not score <= self._highest:  # also where it is not a number
            self._bound(parts)
            score = float(parts.sum() / len(parts))
        return score, parts

    def _deviations(self, row: int) -> list[float]:
        """By how much each value of the point exceeds what was expected, in the units of the series."""
        gaps = self.index - self._gap < self.config.window
        return list((self._model.deviation(self._windows[row], gaps=gaps) * self._scale).tolist())

    def _scores_in_gap(self, row: int, before: np.ndarray) -> tuple[float, Float[np.ndarray, " channel"]]:
        """`_scores` where a value of this point is missing: `contributions`, one step of it."""
        parts, missing = self._parts, np.isnan(self._buffer[row])
        self._bound(parts)
        parts[missing] = before[missing]
        silent = np.isnan(self._windows[row].reshape(-1, len(parts))).all(axis=0)
        known = len(parts) - int(np.count_nonzero(silent & ~self._too_large))
        counted = np.where(self._too_large, self._highest, np.where(silent, 0.0, parts))
        return float(counted.sum()) / known if known else math.nan, counted

    def _write(self, point: Any, row: int) -> None:
        """Checks and scales the point, and puts it into the row of the oldest one, which no window needs any more."""
        scaled: Any = None
        if self._one and isinstance(point, float):
            shift, scale, limit = self._one
            scaled = (point - shift) / scale
        outside: tuple[int, ...] = ()
        if scaled is None or not -limit <= scaled <= limit or self._ranges is not None:
            values = values_of(point, self.index, self.channels)
            with np.errstate(over="ignore"):
                scaled = ((values - self._shift) / self._scale).astype(self.config.dtype)
            if self._ranges is not None:
                outside = tuple(np.flatnonzero((values < self._ranges[0]) | (values > self._ranges[1])).tolist())
            if outside or not (np.abs(scaled) <= self._limits).all():
                scaled = self._unusual(values, scaled, row, outside)
        self._outside = outside
        self._buffer[row] = self._buffer[row + self.config.window] = scaled

    def _unusual(
        self, values: Float[np.ndarray, " channel"], scaled: Float[np.ndarray, " channel"], row: int,
        outside: tuple[int, ...],
    ) -> Float[np.ndarray, " channel"]:  # fmt: skip
        """The scaled values, of which some are missing, too large or not valid, as they go into the buffer; or why they
        do not."""
        check_values(values, self.index, self.channels, self.config.missing)
        too_large = np.abs(scaled) > self._limits
        too_large[list(outside)] = True
        if self.config.missing == "interpolate":
            scaled = np.where(np.isnan(scaled), self._buffer[row - 1], scaled)
        scaled = np.where(too_large, scaled.dtype.type(np.nan), scaled)
        if np.isnan(scaled).any():
            self._gap, self._too_large = self.index, too_large
        return scaled

    def _bound(self, parts: Float[np.ndarray, " channel"]) -> None:
        """Makes what overflows, or is not a number, the highest score, in place."""
        np.copyto(parts, self._highest, where=~(parts <= self._highest))

    __copy__ = deepcopy

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_windows"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self._windows = windows_of(self._buffer)  # a copy of a view is no view of the copy

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs: arrays, numbers, words and lists. Nothing in it is shared."""
        rows = np.arange(self.index, self.index + self.config.window) % self.config.window
        return {
            "model": self._digest,
            "window": self._buffer[rows],  # scaled, oldest first
            "parts": self._parts.copy(),  # the score of each channel at the last point
            "errors": np.empty((0, 0)) if self._averages is None else self._averages.last,
            "index": self.index,
            "score": self.score,
            "label": self.label,
            "tracker": self.tracker.state,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues where a stream of the same model has left its state.

        Raises:
            ValueError: if it is the state of another model or damaged; the stream stays as it was.
        """
        try:
            kept = state_file.checked(state, self.state)
            self.tracker.restore(state["tracker"])
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise ValueError(f"this state cannot be restored: {shortened(reason, 300)}") from None
        rows = np.arange(kept.index, kept.index + self.config.window) % self.config.window
        self._buffer[rows] = self._buffer[rows + self.config.window] = kept.window
        self._parts = kept.parts.copy()
        if self._averages is not None:
            self._averages.restore(kept.errors)
        gaps = np.flatnonzero(np.isnan(kept.window).any(axis=1))  # rows of the window
        self._gap = kept.index - self.config.window + int(gaps[-1]) if len(gaps) else -self.config.window
        self.index, self.score, self.label = kept.index, kept.score, kept.label

    def save_state(self, path: str | PathLike[str], **extra: Any) -> None:
        """Writes the state to a safetensors file, whole or not at all; see `twinvae.stream.state`.

        Raises:
            OSError: if the file cannot be written; an old file of that name stays.
        """
        state_file.write(Path(path), self.state | {"extra": extra})

    def load_state(self, path: str | PathLike[str]) -> dict[str, Any]:
        """Continues where `save_state` has left off; returns what `extra` it was given.

        Raises:
            ValueError: if the file is damaged or belongs to another model; the stream stays as it was.
            OSError: if it cannot be read.
        """
        state = state_file.read(Path(path))
        try:
            self.restore(state)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        return dict(state["extra"])
