"""The file of a stream's state: safetensors, never pickle, with a checksum."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twinvae.config import recorded
from twinvae.files.atomic import write_bytes
from twinvae.files.checksum import checksum
from twinvae.model import calibration_record
from twinvae.model.model import Model
from twinvae.process.notices import shortened

FORMAT = "twinvae stream"
MOST_POINTS = 2**53  # an index from there on is none
VERSION = 3  # 1 had no score of each channel; 2 no valleys between anomalies, nor the thresholds in the model's hash


class DamagedStateError(ValueError):
    """The file looks like a state of a stream that is no longer whole, or is empty."""


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a `Stream.state`, whole or not at all: its arrays as tensors, the rest as JSON.

    Raises:
        OSError: if the file cannot be written.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(value) for name, value in state.items() if isinstance(value, np.ndarray)}
    rest = json.dumps({name: value for name, value in state.items() if name not in arrays})
    metadata = {"format": FORMAT, "version": str(VERSION), "state": rest, "sum": checksum(rest, arrays)}
    write_bytes(path, save(arrays, metadata))


def read(path: Path) -> dict[str, Any]:
    """Reads a state, and checks that it is whole; `Stream.restore` checks what is in it.

    Raises:
        DamagedStateError: if it looks like one, but is not whole.
        ValueError: if the file is anything else, or the state of another version.
        OSError: if it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    content = path.read_bytes()
    advice, damaged = "remove it to start anew", DamagedStateError(f"{path}: damaged state of a stream")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except SafetensorError as error:
        if not content or content[8:].startswith(b'{"__metadata__"'):  # as a state begins, whole or not
            raise damaged from None
        raise ValueError(f"{path}: not a state of a stream ({error}): {advice}") from None
    if metadata.get("format") != FORMAT or metadata.get("version") != str(VERSION):
        raise ValueError(f"{path}: not a state of a stream that this release reads: {advice}")
    rest = metadata.get("state", "")
    if metadata.get("sum") != checksum(rest, arrays):
        raise damaged
    try:
        state = json.loads(rest)
    except (ValueError, RecursionError):
        state = None
    if not isinstance(state, dict) or not isinstance(state.get("extra"), dict):
        raise ValueError(f"{path}: not a state of a stream: {advice}")
    return state | arrays


@dataclass(frozen=True)
class Kept:
    """What a state says of the points so far."""

    window: np.ndarray  # scaled, oldest first
    parts: np.ndarray  # the score of each channel at the last point
    errors: np.ndarray  # the last ones that are averaged, oldest first; none (0, 0) where none are
    index: int
    label: int
    score: float


def checked(state: Mapping[str, Any], mine: Mapping[str, Any]) -> Kept:
    """What a state says of the points so far, if it is one of the same model as my own, with arrays like mine.

    Raises:
        KeyError, OverflowError, TypeError, ValueError: if it is not.
    """
    if state["model"] != mine["model"]:
        raise ValueError("it belongs to another model or other rules: take those, or start without a state")
    errors = state["errors"] if mine["errors"].size else mine["errors"]  # earlier releases averaged none
    arrays = {"window": np.asarray(state["window"]), "parts": np.asarray(state["parts"]), "errors": np.asarray(errors)}
    for name, array in arrays.items():
        like = mine[name]
        if array.shape != like.shape or array.dtype != like.dtype:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, not {like.dtype} of {like.shape}")
    kept = Kept(**arrays, index=state["index"], label=state["label"], score=float(state["score"]))
    if np.isinf(kept.window).any() or not np.isfinite(kept.parts).all() or (kept.errors < 0).any():
        raise ValueError("it holds values that are not finite, or errors below 0")
    if type(kept.index) is not int or not 0 <= kept.index < MOST_POINTS or kept.label not in (0, 1):
        raise ValueError(f"the index {shortened(kept.index)} or the label {shortened(kept.label)} is none")
    return kept


def model_digest(model: Model) -> str:
    """A hash of all that decides what a stream makes of its points, to tell the state of one model from another's.

    How missing values are treated may change from run to run, and the device is of one machine.
    """
    calibrated, arrays = calibration_record.record(model.calibration)
    settings = {
        "config": {name: value for name, value in recorded(model.config).items() if name not in ("missing", "device")},
        "channels": model.channels,
        "seed": int(model.seed),
        "thresholds": dict(model.thresholds),
        "calibration": calibrated,
    }
    parameters = {f"model.{name}": array for name, array in model.parameters.items()}
    return checksum(json.dumps(settings, sort_keys=True, default=float), model.scaler._asdict() | arrays | parameters)
