"""Damage to safetensors files: to their bytes, to their header, and to content under a right checksum."""

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from tests.fuzz.damage import ODD_VALUES, damaged_data, deep

TYPES = ("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "F4")
ODD_NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e-320, 1e-38, 3e38, -3e38, 1e308, 1e-300)
Tensors = dict[str, np.ndarray]
Sum = Callable[[dict[str, str], Tensors], str]


def damaged_header(whole: bytes, chance: random.Random) -> bytes:
    """The file with another header: other shapes, types, places, keys, or nesting; the tensors are as they were."""
    end = 8 + int.from_bytes(whole[:8], "little")
    header, rest = json.loads(whole[8:end]), whole[end:]
    kind = chance.randrange(5)
    if kind == 0:
        header[chance.choice([name for name in header if name != "__metadata__"])]["dtype"] = chance.choice(TYPES)
    elif kind == 1:
        header["__metadata__"] = damaged_data(header["__metadata__"], chance)
    elif kind == 2:
        header[chance.choice(("extra", "__metadata__", ""))] = chance.choice(ODD_VALUES)
    else:
        header = damaged_data(header, chance)
    text = json.dumps(header, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")
    if chance.random() < 0.05:
        text = text.replace(b"{}", deep(chance.choice((100, 5000))).encode(), 1)
    length = len(text) if chance.random() < 0.9 else chance.choice((0, 1, len(text) + 8, 2**32, 2**63, 2**64 - 1))
    return length.to_bytes(8, "little") + text + rest


def opened(path: Any) -> tuple[Tensors, dict[str, str]]:
    """The tensors and the metadata of a file."""
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name).copy() for name in file.keys()}, dict(file.metadata())  # noqa: SIM118


def damaged_content(tensors: Tensors, metadata: dict[str, str], key: str, sum_of: Sum, chance: random.Random) -> bytes:
    """A whole file with the right sum and other content; `key` is the entry of the metadata that holds JSON."""
    tensors, metadata = dict(tensors), dict(metadata)
    if chance.random() < 0.45:
        name = chance.choice(list(tensors))
        damaged = _damaged_array(tensors.pop(name), chance)
        if damaged is not None:
            tensors[chance.choice((name, name, name, name, "extra"))] = damaged
    else:
        text = json.dumps(damaged_data(json.loads(metadata[key]), chance))
        metadata[key] = chance.choice((text, text, text, text, text, text, text[:-1], deep(5000), ""))
    metadata = {name: text for name, text in metadata.items() if name != "sum"}
    return save(tensors, metadata | {"sum": sum_of(metadata, tensors)})


def _damaged_array(array: np.ndarray, chance: random.Random) -> np.ndarray | None:
    kind = chance.randrange(7)
    if kind == 0:
        return None
    if kind == 1:
        return array.astype(chance.choice((np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_)))
    if kind == 2:
        return array.reshape(chance.choice(((-1,), (1, *array.shape), (*array.shape, 1), array.shape[::-1])))
    if kind == 3:
        return array[:-1].copy() if array.ndim else array
    array = array.copy()
    if array.size:
        with np.errstate(over="ignore"):
            places = [chance.randrange(array.size) for _ in range(chance.choice((1, 1, array.size)))]
            array.flat[places] = np.asarray(chance.choice(ODD_NUMBERS)).astype(array.dtype)
    return array
