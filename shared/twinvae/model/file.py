"""The file of a fitted model: safetensors, never pickle, with a checksum."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from twinvae.config import HYPERPARAMETERS, Config, check_channels, check_seed, plain, recorded, resolve
from twinvae.files.checksum import checksum
from twinvae.model import calibration_record, rate_record
from twinvae.model.model import Model
from twinvae.network import parameters as network_parameters
from twinvae.network.memory import check_draws
from twinvae.network.net import Net
from twinvae.process.notices import shortened, warn
from twinvae.scoring.calibration import SINGLE_WINDOW
from twinvae.scoring.kinds import known_kinds
from twinvae.scoring.rules import Rules
from twinvae.series.scaling import Scaler

FORMAT = "twinvae"
VERSION = 3
EARLIER = 2  # which knew fewer scores: such a model can be used, but not saved again
LONGEST_REASON = 300  # characters of what is said of a damaged file, which may hold anything
WITHOUT_SUM = "this model has no checksum, as an earlier release saved it: fit and save it again to notice damage"


def as_bytes(model: Model) -> bytes:
    """The file of a model: the same bytes for the same model, in every process. It names no device.

    Raises:
        ValueError: if `read` would refuse the file.
    """
    from safetensors.numpy import save

    try:
        check(model)
        if model.calibration.memory is None:
            raise ValueError("an earlier release has fitted it, which compared no windows")
    except ValueError as error:
        raise ValueError(f"this model cannot be saved: {error}: fit it again") from None
    calibrated, arrays = calibration_record.record(model.calibration)
    settings = {
        "preset": model.preset,
        "overrides": plain({name: value for name, value in model.overrides.items() if name != "device"}),
        "seed": int(model.seed),
        "config": recorded(replace(model.config, device="auto")),
        "channels": model.channels,
        "thresholds": dict(model.thresholds),
        "calibration": calibrated,
    }
    if model.event_rate is not None:
        settings["event_rate"] = rate_record.record(model.event_rate)
    if model.times != 1.0:
        settings["times"] = model.times
    tensors = {f"model.{name}": np.ascontiguousarray(array) for name, array in model.parameters.items()}
    tensors |= {
        "scaler.shift": np.asarray(model.scaler.shift, dtype=np.float64),
        "scaler.scale": np.asarray(model.scaler.scale, dtype=np.float64),
    }
    tensors |= arrays
    metadata = {"format": FORMAT, "version": str(VERSION), "settings": json.dumps(settings)}
    return _with_sorted_header(save(tensors, metadata | {"sum": content_sum(metadata, tensors)}))


def content_sum(metadata: Mapping[str, str], tensors: Mapping[str, np.ndarray]) -> str:
    """The checksum of all that a file holds beside it."""
    return checksum(json.dumps({name: text for name, text in sorted(metadata.items()) if name != "sum"}), tensors)


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
    """Reads a model and checks all of it. Warns if it has no checksum, as those of earlier releases.

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
        reason = shortened(error, LONGEST_REASON)
        raise ValueError(f"{path}: not a whole safetensors file ({reason}): fit and save the model again") from None
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path}: a safetensors file, but not a model of {FORMAT}")
    if (version := metadata.get("version")) not in (str(EARLIER), str(VERSION)):
        there = f"format version {shortened(version)}, this release reads version {VERSION}"
        raise ValueError(f"{path}: {there}: fit and save the model again")
    if "sum" not in metadata and metadata.keys() <= {"format", "version", "settings"}:  # of an earlier release
        warn(WITHOUT_SUM)
    elif metadata.get("sum") != content_sum(metadata, tensors):
        raise ValueError(f"{path}: damaged model: not the checksum that it was saved with: fit and save it again")
    try:
        return _checked(json.loads(metadata["settings"]), tensors, earlier=version == str(EARLIER))
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}: damaged model: {shortened(reason, LONGEST_REASON)}") from None


def _checked(settings: Mapping[str, Any], tensors: dict[str, np.ndarray], *, earlier: bool) -> Model:
    channels = settings["channels"]
    if not isinstance(channels, list):
        raise ValueError("the channel names are not a list of words")
    scaler = Scaler(tensors.pop("scaler.shift"), tensors.pop("scaler.scale"))
    known = {name: tensors.pop(name) for name in list(tensors) if name.startswith(calibration_record.NAME)}
    if earlier:
        calibration, kinds = calibration_record.of_earlier(settings, known), tuple(settings["thresholds"])
    else:
        calibration = calibration_record.of_record(settings["calibration"], known)
        kinds = (*known_kinds(calibration), SINGLE_WINDOW)
    parameters = {name.removeprefix("model."): array for name, array in tensors.items()}
    model = Model(
        settings["preset"], settings["overrides"], settings["seed"], Config(**settings["config"]), tuple(channels),
        parameters, scaler, {kind: float(settings["thresholds"][kind]) for kind in kinds}, calibration,
        times=float(settings.get("times", 1.0)),
        event_rate=rate_record.of_record(settings["event_rate"]) if "event_rate" in settings else None,
    )  # fmt: skip
    check(model)
    return model


def check(model: Model) -> None:
    """Checks all of a model that a file must hold: `fit` before it keeps one, `write` before a file, `read` after.

    Raises:
        TypeError, ValueError: if a part is not of the right shape, or holds values that no fit should have made.
    """
    channels, scaler, calibration = model.channels, model.scaler, model.calibration
    shape = (len(channels),)
    check_channels(len(channels))
    calibration_record.check_array("scaler.shift", scaler.shift, shape, -np.inf)
    calibration_record.check_array("scaler.scale", scaler.scale, shape, 0.0)
    calibration_record.check(calibration, model.config.window, len(channels), model.config.dtype)
    network_parameters.check(model.parameters, Net.of(model.config, len(channels)))
    known = known_kinds(calibration) if calibration.memory is not None else (model.config.kind, "causal")
    for kind in (*known, SINGLE_WINDOW, *model.thresholds):
        if not 0 <= model.thresholds[kind] < np.inf:
            raise ValueError(f"the threshold of {kind} is not finite and at least 0")
    if not 0 < model.times < np.inf:
        raise ValueError("the times of the thresholds are not finite and above 0")
    if model.event_rate is not None:
        rate_record.check(model.event_rate)
        if not model.config.false_events:
            raise ValueError("it keeps what is known of a rate that was not asked for")
    if not channels:
        raise ValueError("it has no channels")
    if not isinstance(model.overrides, Mapping) or not model.overrides.keys() <= set(HYPERPARAMETERS):
        raise ValueError("the hyperparameters are not those of a detector")
    if not isinstance(model.preset, str):
        raise ValueError("the name of the preset is not a word")
    resolve(model.preset, model.overrides)  # what they make may change with the preset; the saved config decides
    check_seed(model.seed)
    check_draws(model.config)
    if not all(isinstance(name, str) for name in channels):
        raise ValueError("the channel names are not a list of words")
    Rules.of(model.config, channels)
