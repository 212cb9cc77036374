"""The file of a stream's state: safetensors, never pickle, with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twinvae.files.atomic import write_bytes
from twinvae.model.model import Model

FORMAT = "twinvae stream"
VERSION = 2  # 1 had no score of each channel


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
    metadata = {"format": FORMAT, "version": str(VERSION), "state": rest, "sum": _hash(rest, arrays).hexdigest()}
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
    if metadata.get("sum") != _hash(rest, arrays).hexdigest():
        raise damaged
    return json.loads(rest) | arrays


def model_digest(model: Model) -> str:
    """The hash that tells a model from others, of its channels, parameters and scaling."""
    digest = _hash("\0".join(model.channels), model.parameters)
    for array in model.scaler:
        digest.update(np.asarray(array, np.float64).tobytes())
    return digest.hexdigest()


def _hash(text: str, arrays: Mapping[str, np.ndarray]) -> "hashlib._Hash":
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest
