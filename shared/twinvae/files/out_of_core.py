"""Where the arrays of a long series lie: beside the series, in memory or in temporary files.

A series on disk is one that NumPy maps (`np.load(..., mmap_mode="r")`). What is computed from it goes to temporary
files of the same kind, in the folder that `TMPDIR` names (by default /var/tmp, which must be on a disk), so that only
pieces of it are in memory. The work on arrays in memory is cut into the same pieces, so results are the same to the
last bit.
"""

import math
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

VALUES = 2**18  # worked on at a time, to bound what lies between input and result
LEAST_ROWS = 1024

TimeByChannel = Float[np.ndarray, "time channel"]  # the values of a series, or what has as many rows and columns


def pieces(array: np.ndarray) -> Iterator[slice]:
    """The rows of an array in runs of about 2^18 values."""
    length = len(array)
    rows = max(min(LEAST_ROWS, VALUES), VALUES // math.prod(array.shape[1:]))
    for begin in range(0, max(1, length), rows):  # an empty array is one piece
        yield slice(begin, min(begin + rows, length))


def on_disk(array: Any) -> bool:
    """Whether an array is a view of a memory-mapped file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def zeros_beside(array: np.ndarray, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A new array of zeros, which is out of core if the given array is.

    Raises:
        OSError: if there is no room for it.
    """
    return temporary_zeros(shape, dtype) if on_disk(array) and 0 not in shape else np.zeros(shape, dtype)


def temporary_zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array in a temporary file that has no name, so that nothing is left of it after the process.

    Raises:
        OSError: if there is no room for it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    folder = _folder()
    try:
        with tempfile.TemporaryFile(dir=folder, prefix="twinvae-") as file:
            _reserve(file.fileno(), size)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except OSError as error:
        why = error.strerror or error
        raise OSError(error.errno, f"{why}: {size:,} bytes for a temporary file; see TMPDIR", folder) from None


def _folder() -> str:
    """Where temporary files go. On many systems /tmp itself is in memory, and /var/tmp is for what is large."""
    folder = tempfile.gettempdir()
    return "/var/tmp" if folder == "/tmp" and os.access("/var/tmp", os.W_OK | os.X_OK) else folder


def _reserve(file: int, size: int) -> None:
    """Reserves the space now, because writing to a mapped file on a full disk kills the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(2**20)
    for begin in range(0, size, len(zeros)):
        os.write(file, zeros[: size - begin])


def by_rows(function: Callable[..., np.ndarray], array: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Computes `function(array, *others)` some rows at a time; the result is out of core if `array` is.

    The function gives as many rows as it gets, each made from the same rows alone.
    """
    result: np.ndarray | None = None
    for rows in pieces(array):
        part = function(array[rows], *(other[rows] for other in others))
        if result is None:
            if len(part) == len(array) and not on_disk(array):
                return part
            result = zeros_beside(array, (len(array), *part.shape[1:]), part.dtype)
        result[rows] = part
    assert result is not None
    return result


def first_row(condition: Callable[..., np.ndarray], array: np.ndarray, *others: np.ndarray) -> int | None:
    """The first row where the condition holds, anywhere in the row; None if there is none."""
    for rows in pieces(array):
        found = condition(array[rows], *(other[rows] for other in others))
        if found.any():
            return rows.start + int(np.argmax(found if found.ndim == 1 else found.any(axis=1)))
    return None


def has_missing(array: np.ndarray) -> bool:
    """Whether a value is NaN."""
    return first_row(np.isnan, array) is not None


def number(condition: Callable[..., np.ndarray], array: np.ndarray, *others: np.ndarray) -> int:
    """The number of values for which the condition holds."""
    return sum(int(np.count_nonzero(condition(array[r], *(o[r] for o in others)))) for r in pieces(array))


def kept(array: np.ndarray, mask: Bool[np.ndarray, " n"]) -> np.ndarray:
    """The rows where the mask is true; the array itself if it is true everywhere."""
    size = number(np.asarray, mask)
    if size == len(array):
        return array
    result, done = zeros_beside(array, (size, *array.shape[1:]), array.dtype), 0
    for rows in pieces(array):
        part = array[rows][mask[rows]]
        result[done : done + len(part)] = part
        done += len(part)
    return result


def quantiles(values: np.ndarray, probabilities: Any) -> np.ndarray:
    """The quantiles of the values (n,), computed as `np.quantile` does in float64, out of core if the values are."""
    return np.asarray(
        np.quantile(by_rows(lambda part: part.astype(np.float64), values), probabilities, overwrite_input=True)
    )


def median(values: np.ndarray) -> float:
    """The median of the values (n,), computed as `np.median` does, out of core if the values are."""
    return float(np.median(by_rows(np.copy, values), overwrite_input=True))
