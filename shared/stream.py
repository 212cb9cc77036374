"""A fitted detector on an endless stream: one point in, its causal score out, in plain NumPy and constant memory."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from shared import checkpoint
from shared.checkpoint import Checkpoint
from shared.config import Missing
from shared.event_tracker import Change, EventTracker

HIGHEST = 1e38  # what a score counts as that overflows


class Step(NamedTuple):
    """What the stream says of one point."""

    at: int  # the point's index, from 0
    score: float
    label: int  # 1 is an anomaly, 0 is not
    changes: list[Change]  # events that have opened or closed; mostly none


class Stream:
    """Scores point after point what `decision_function(series, kind="causal")` scores at once.

    The first `window - 1` points are warming up: they get the median causal training score and never alarm. No
    framework is needed or imported.

    A missing value (NaN) is refused, or with `missing="interpolate"` is the last value of its channel: a
    stream cannot look ahead. A point that is refused does not count: the stream is as if it had not come. A huge value
    is an anomaly like others; a score that overflows counts as 1e38.

    `index` is the number of points so far, `score` and `label` are those of the last one (nan and 0 before the first),
    `threshold` is what a score must exceed, `tracker` follows the events, `channels` are the names.
    """

    def __init__(self, model: Checkpoint) -> None:
        config, parameters = model.config, model.parameters
        self.config, self.channels = config, model.channels
        self.threshold, self.warm_up = float(model.thresholds["causal"]), float(model.calibration.warm_up)
        self.tracker = EventTracker(model.channels, config)
        self._shift, self._scale = np.asarray(model.scaler.shift), np.asarray(model.scaler.scale)
        self._one = (float(self._shift[0]), float(self._scale[0])) if len(self.channels) == 1 else None
        self._largest = float(np.finfo(config.dtype).max)
        self._digest = _digest(model)

        # Each point is written twice, W rows apart, so that every window is a slice of the buffer.
        window, channels, dtype = config.window, len(model.channels), np.dtype(config.dtype)
        self._buffer = np.zeros((2 * window, channels), dtype)
        flat = self._buffer.reshape(-1)
        self._windows = [flat[(row + 1) * channels : (row + 1 + window) * channels] for row in range(window)]
        self._held = np.full(channels, np.nan)

        means = 2 * config.latent_dim if config.draws else config.latent_dim  # scores need no variance without draws
        self._encoder = parameters["encoder.weight"], parameters["encoder.bias"]
        self._posterior = _first(parameters["posterior.weight"], means), _first(parameters["posterior.bias"], means)
        self._decoder = parameters["decoder.weight"], parameters["decoder.bias"]
        self._output = _last(parameters["output.weight"], channels), _last(parameters["output.bias"], channels)
        self._hidden, self._latent = np.empty(config.hidden_dim, dtype), np.empty(means, dtype)
        self._back, self._error = np.empty(config.hidden_dim, dtype), np.empty(channels, dtype)
        self._zeros = np.zeros(config.hidden_dim, dtype)  # a scalar in its place takes twice as long
        self._noise = None
        if config.draws:  # those of `VAEDetector._contributions`
            draws = np.random.default_rng([model.seed, 3]).standard_normal((config.draws, config.latent_dim))
            self._noise = draws.astype(dtype)
        self.reset()

    @classmethod
    def load(cls, path: str | PathLike[str], *, missing: Missing | None = None) -> Self:
        """The stream of a saved detector. `missing` takes the place of what it was fitted with.

        Raises:
            ValueError: if the file is not a whole model of this version.
            OSError: if it cannot be read.
        """
        saved = checkpoint.read(Path(path))
        return cls(replace(saved, config=replace(saved.config, missing=missing or saved.config.missing)))

    def reset(self) -> None:
        """Starts again: no points, no events."""
        self.index, self.score, self.label = 0, math.nan, 0
        self._buffer[:] = 0.0
        self._held[:] = np.nan
        self.tracker.clear()

    def update(self, point: Any) -> float:
        """The score of the next point: a number for one channel, else one number for each channel.

        Raises:
            TypeError, ValueError: if the point has other channels, or a value is missing, infinite or too large.
        """
        return self.step(point).score

    def step(self, point: Any, time: Any = None) -> Step:
        """Score, label and events of the next point. `time` goes into the events as it is.

        Raises:
            TypeError, ValueError: as `update`.
        """
        row = self.index % self.config.window
        self._write(point, row)
        label, changes = 0, []
        if self.index < self.config.window - 1:
            score = self.warm_up
        else:
            parts = self._squared_error(row)
            score = float(parts[0] if self._one else parts.sum() / len(parts))
            if not score <= HIGHEST:  # also where it is not a number
                parts = np.nan_to_num(parts.astype(np.float64), nan=HIGHEST, posinf=HIGHEST).clip(max=HIGHEST)
                score = HIGHEST
            if score > self.threshold:
                label = 1
            if label or not self.tracker.idle:
                changes = self.tracker.update(self.index, label, score, parts, time)
        index, self.score, self.label = self.index, score, label
        self.index += 1
        return Step(index, score, label, changes)

    def _write(self, point: Any, row: int) -> None:
        """Checks and scales the point, and puts it into the row of the oldest one, which no window needs any more."""
        if self._one and isinstance(point, float) and math.isfinite(point):
            shift, scale = self._one
            scaled: Any = (point - shift) / scale
            if not -self._largest <= scaled <= self._largest:
                raise ValueError(self._too_large(0, point))
            self._held[0] = point
        else:
            values = self._values(point)
            with np.errstate(over="ignore"):
                scaled = ((values - self._shift) / self._scale).astype(self.config.dtype)
            if not np.isfinite(scaled).all():
                channel = int(np.argmin(np.isfinite(scaled)))
                raise ValueError(self._too_large(channel, values[channel]))
            self._held[:] = values
        self._buffer[row] = scaled
        self._buffer[row + self.config.window] = scaled

    def _values(self, point: Any) -> Float[np.ndarray, " channel"]:
        """The point as one finite float64 for each channel."""
        try:
            array = np.asarray(point)
            if array.dtype.kind not in "fiubO":
                raise TypeError
            values = array.astype(np.float64).reshape(-1)
        except OverflowError:
            raise ValueError(f"point {self.index} holds a number that is too large") from None
        except (TypeError, ValueError):
            raise TypeError(f"point {self.index} must hold real numbers, got {_short(point)}") from None
        if len(values) != len(self.channels) or array.ndim > 1:
            raise ValueError(
                f"point {self.index} has {_shape(array)}, the detector was fitted on {len(self.channels)} "
                f"({_short(', '.join(self.channels))})"
            )
        finite = np.isfinite(values)
        if finite.all():
            return values
        if np.isinf(values).any():
            where = self._place(int(np.argmax(np.isinf(values))))
            raise ValueError(f"infinite value at {where}: remove it, or mark it as missing")
        where = self._place(int(np.argmin(finite)))
        if self.config.missing != "interpolate":
            raise ValueError(
                f'missing value at {where}: fill it, or use missing="interpolate" (--missing interpolate), which holds '
                "the last value"
            )
        values = np.where(finite, values, self._held)
        if np.isnan(values).any():
            where = self._place(int(np.argmax(np.isnan(values))))
            raise ValueError(f"missing value at {where}: there is no earlier value to hold")
        return values

    def _place(self, channel: int) -> str:
        return f"point {self.index}, channel {self.channels[channel]}"

    def _too_large(self, channel: int, value: float) -> str:
        where, dtype = self._place(channel), self.config.dtype
        return f'the value {value:g} at {where} is too large for {dtype}: use scaling="standard" or float64'

    def _squared_error(self, row: int) -> Float[np.ndarray, " channel"]:
        """The squared error of the last step of the window that ends in this row; the array is used again."""
        window, hidden, latent = self._windows[row], self._hidden, self._latent
        with np.errstate(over="ignore", invalid="ignore"):
            _dense(self._encoder, window, hidden)
            np.maximum(hidden, self._zeros, hidden)
            _dense(self._posterior, hidden, latent)
            if self._noise is None:
                return self._decoded_error(latent, row)
            half = self.config.latent_dim
            deviation = np.exp(0.5 * latent[half:])
            errors = [self._decoded_error(latent[:half] + deviation * noise, row).copy() for noise in self._noise]
            return np.mean(errors, axis=0)

    def _decoded_error(self, latent: Float[np.ndarray, " latent"], row: int) -> Float[np.ndarray, " channel"]:
        back, error = self._back, self._error
        _dense(self._decoder, latent, back)
        np.maximum(back, self._zeros, back)
        _dense(self._output, back, error)
        np.subtract(error, self._buffer[row], error)
        np.multiply(error, error, error)
        return error

    # Restarts.

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs: two arrays, besides numbers, words and lists. Nothing in it is shared."""
        rows = np.arange(self.index, self.index + self.config.window) % self.config.window
        return {
            "model": self._digest,
            "window": self._buffer[rows],  # scaled, oldest first
            "held": self._held.copy(),  # the last value of each channel
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
            if state["model"] != self._digest:
                raise ValueError("it belongs to another model: take that model, or start without a state")
            window, held = np.asarray(state["window"]), np.asarray(state["held"])
            _check_array("window", window, self._buffer[: self.config.window])
            _check_array("held", held, self._held)
            if not np.isfinite(window).all() or np.isinf(held).any():
                raise ValueError("it holds values that are not finite")
            index, label, score = state["index"], state["label"], float(state["score"])
            if type(index) is not int or index < 0 or label not in (0, 1):
                raise ValueError(f"the index {index!r} or the label {label!r} is none")
            self.tracker.restore(state["tracker"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise ValueError(f"this state cannot be restored: {reason}") from None
        rows = np.arange(index, index + self.config.window) % self.config.window
        self._buffer[rows] = self._buffer[rows + self.config.window] = window
        self._held[:] = held
        self.index, self.score, self.label = index, score, label

    def save_state(self, path: str | PathLike[str], **extra: Any) -> None:
        """Writes the state to a safetensors file, whole or not at all; see `shared.stream_state`.

        Raises:
            OSError: if the file cannot be written; an old file of that name stays.
        """
        from shared import stream_state

        stream_state.write(Path(path), self.state | {"extra": extra})

    def load_state(self, path: str | PathLike[str]) -> dict[str, Any]:
        """Continues where `save_state` has left off; returns what `extra` it was given.

        Raises:
            ValueError: if the file is damaged or belongs to another model; the stream stays as it was.
            OSError: if it cannot be read.
        """
        from shared import stream_state

        state = stream_state.read(Path(path))
        try:
            self.restore(state)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        extra: dict[str, Any] = state["extra"]
        return extra


def _dense(layer: tuple[np.ndarray, np.ndarray], inputs: np.ndarray, out: np.ndarray) -> None:
    np.dot(layer[0], inputs, out)  # `matmul` takes longer for so little
    np.add(out, layer[1], out)


def _first(array: np.ndarray, rows: int) -> np.ndarray:
    return np.ascontiguousarray(array[:rows])


def _last(array: np.ndarray, rows: int) -> np.ndarray:
    return np.ascontiguousarray(array[-rows:])


def _digest(model: Checkpoint) -> str:
    """What tells a model from others: SHA-256 of its parameters, scaling and channels."""
    digest = hashlib.sha256("\0".join(model.channels).encode())
    for name in sorted(model.parameters):
        digest.update(f"{name} {model.parameters[name].shape} {model.parameters[name].dtype}".encode())
        digest.update(np.ascontiguousarray(model.parameters[name]).tobytes())
    for array in model.scaler:
        digest.update(np.asarray(array, np.float64).tobytes())
    return digest.hexdigest()


def _check_array(name: str, array: np.ndarray, like: np.ndarray) -> None:
    if array.shape != like.shape or array.dtype != like.dtype:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, not {like.dtype} of {like.shape}")


def _shape(array: np.ndarray) -> str:
    return f"{array.size} values" if array.ndim <= 1 else f"shape {array.shape}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
