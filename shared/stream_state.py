"""The file of a stream's state: safetensors, never pickle, with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared.output import replacing

FORMAT = "twinvae stream"
VERSION = 2  # 1 had no score of each channel


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a `Stream.state`, whole or not at all: its arrays as tensors, the rest as JSON.

    Raises:
        OSError: if the file cannot be written.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(value) for name, value in state.items() if isinstance(value, np.ndarray)}
    rest = json.dumps({name: value for name, value in state.items() if name not in arrays})
    metadata = {"format": FORMAT, "version": str(VERSION), "state": rest, "sum": _sum(arrays, rest)}
    with replacing(path) as temporary:
        temporary.write_bytes(save(arrays, metadata))


def read(path: Path) -> dict[str, Any]:
    """Reads a state, and checks that it is whole; `Stream.restore` checks what is in it.

    Raises:
        ValueError: if the file is not a whole state of this version.
        OSError: if it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    with path.open("rb"):  # a missing file or a folder is an OSError with its own words
        pass
    advice = "remove it to start anew"
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a whole state of a stream ({error}): {advice}") from None
    if metadata.get("format") != FORMAT or metadata.get("version") != str(VERSION):
        raise ValueError(f"{path}: not a state of a stream that this release reads: {advice}")
    rest = metadata.get("state", "")
    if metadata.get("sum") != _sum(arrays, rest):
        raise ValueError(f"{path}: damaged state of a stream: {advice}")
    return json.loads(rest) | arrays


def _sum(arrays: Mapping[str, np.ndarray], rest: str) -> str:
    digest = hashlib.sha256(rest.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
