"""The file of a fitted model: safetensors, never pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from twinvae.config import HYPERPARAMETERS, Config, plain, resolve
from twinvae.model.model import Model
from twinvae.network import parameters as network_parameters
from twinvae.network.net import Net
from twinvae.scoring.calibration import THRESHOLDS
from twinvae.scoring.kinds import Calibration
from twinvae.series.scaling import Scaler

FORMAT = "twinvae"
VERSION = 2


def as_bytes(model: Model) -> bytes:
    """The file of a model: the same bytes for the same model, in every process. It names no device."""
    from safetensors.numpy import save

    settings = {
        "preset": model.preset,
        "overrides": plain({name: value for name, value in model.overrides.items() if name != "device"}),
        "seed": int(model.seed),
        "config": asdict(replace(model.config, device="auto")),
        "channels": model.channels,
        "thresholds": dict(model.thresholds),
        "warm_up": model.calibration.warm_up,
        "durations": model.calibration.durations,
    }
    tensors = {f"model.{name}": np.ascontiguousarray(array) for name, array in model.parameters.items()}
    tensors |= {
        "scaler.shift": np.asarray(model.scaler.shift, dtype=np.float64),
        "scaler.scale": np.asarray(model.scaler.scale, dtype=np.float64),
        "calibration.largest": np.asarray(model.calibration.largest, dtype=np.float64),
        "calibration.variance": np.asarray(model.calibration.variance, dtype=np.float64),
    }
    metadata = {"format": FORMAT, "version": str(VERSION), "settings": json.dumps(settings)}
    return _with_sorted_header(save(tensors, metadata))


def _with_sorted_header(file: bytes) -> bytes:
    """safetensors writes its metadata in an order that changes from call to call; here they are in alphabetical order.

    The file is the length of the header (8 bytes, little-endian), the header (JSON, padded with spaces to a multiple of
    8 bytes), and the tensors, whose places the header gives from its own end on.
    """
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[end:]


def read(path: Path) -> Model:
    """Reads a model and checks all of it.

    Raises:
        ValueError: if the file is not a whole model of this version.
        OSError: if it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    with path.open("rb"):  # a missing file or a folder is an OSError with its own words
        pass
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a whole safetensors file ({error}): fit and save the model again") from None
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path}: a safetensors file, but not a model of {FORMAT}")
    if (version := metadata.get("version")) != str(VERSION):
        there = f"format version {version}, this release reads version {VERSION}"
        raise ValueError(f"{path}: {there}: fit and save the model again")
    try:
        return _checked(json.loads(metadata["settings"]), tensors)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{path}: damaged model: {reason}") from None


def _checked(settings: Mapping[str, Any], tensors: dict[str, np.ndarray]) -> Model:
    config = Config(**settings["config"])
    channels = tuple(settings["channels"])
    shape = (len(channels),)
    scaler = Scaler(_taken(tensors, "scaler.shift", shape, -np.inf), _taken(tensors, "scaler.scale", shape, 0.0))
    durations = tuple(settings["durations"])
    if not durations or not all(type(duration) is int and duration > 0 for duration in durations):
        raise ValueError(f"the durations {settings['durations']!r} are not whole numbers above 0")
    largest = _taken(tensors, "calibration.largest", (len(durations), *shape), 0.0)
    variance = _taken(tensors, "calibration.variance", shape, 0.0)
    parameters = {name.removeprefix("model."): array for name, array in tensors.items()}
    network_parameters.check(parameters, Net.of(config, len(channels)))
    thresholds = {kind: float(settings["thresholds"][kind]) for kind in THRESHOLDS}
    warm_up = float(settings["warm_up"])
    if not np.isfinite([*thresholds.values(), warm_up]).all():
        raise ValueError("a threshold is not finite")
    preset, overrides, seed = settings["preset"], settings["overrides"], settings["seed"]
    if not isinstance(overrides, dict) or not overrides.keys() <= set(HYPERPARAMETERS):
        raise ValueError("the hyperparameters are not those of a detector")
    if not isinstance(preset, str):
        raise ValueError("the name of the preset is not a word")
    resolve(preset, overrides)  # what they make may change with the preset; the saved configuration decides
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"the seed {seed!r} is not a whole number of at least 0")
    if not isinstance(settings["channels"], list) or not all(isinstance(name, str) for name in channels):
        raise ValueError("the channel names are not a list of words")
    return Model(
        preset, overrides, seed, config, channels, parameters, scaler, thresholds,
        Calibration(warm_up, durations, largest, variance),
    )  # fmt: skip


def _taken(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, ...], above: float) -> np.ndarray:
    array = tensors.pop(name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, not {shape}")
    if not (np.isfinite(array) & (array > above)).all():
        raise ValueError(f"{name} holds values that are not finite{' and above 0' if above == 0.0 else ''}")
    return array
