"""A series from an array or a data frame, and the checks of its values."""

from typing import Any

import numpy as np
from jaxtyping import Float

from twinvae.files.out_of_core import by_rows, first_row, number
from twinvae.series.gaps import interpolate


def as_series(values: Any, *, missing: str = "error") -> Float[np.ndarray, "time channel"]:
    """Any array-like, data frame or darts series of shape (time,) or (time, channel) as a float array (time, channel).

    float32 stays float32; everything else becomes float64 in native byte order. With `missing="interpolate"`, NaN
    is replaced by linear interpolation in time, and by the nearest value at both ends; with `missing="mask"` it stays.
    What is made of a series on disk (`twinvae.files.out_of_core`) is on disk too.

    Raises:
        TypeError: if the values are not real numbers.
        ValueError: if there are no values, more than two dimensions, or values that are not finite.
    """
    _check_columns(values)
    values, given = as_array(values), values
    try:
        if isinstance(values, np.ma.MaskedArray):
            values = np.ma.filled(values.astype(np.float64), np.nan)
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError("the series is ragged: every time step must have the same number of channels") from error
    if array.dtype == object or array.dtype.kind in "mMSUVc":
        try:
            if array.dtype != object:
                raise TypeError
            array = array.astype(np.float64)  # data frames with None or decimals
        except (TypeError, ValueError):
            raise TypeError(f"the series must hold real numbers, got values of type {_described(array)}") from None
    if array.ndim not in (1, 2):
        raise ValueError(f"the series must have shape (time,) or (time, channel), got {array.ndim} dimensions")
    if array.size == 0:
        raise ValueError("the series is empty")
    array = _floats(array.reshape(len(array), -1))
    names = channel_names(given, array.shape[1])
    first = first_row(lambda part: ~np.isfinite(part), array)
    if first is None:
        return array
    infinite = first_row(np.isinf, array)
    if infinite is not None:
        column = int(np.argmax(np.isinf(array[infinite])))
        raise ValueError(f"infinite value at row {infinite}, column {names[column]}: remove it, or mark it as missing")
    if missing == "mask":
        if not number(np.isfinite, array):
            raise ValueError("the series has no values at all: every one is missing")
        return array
    if missing != "interpolate":
        column = int(np.argmax(np.isnan(array[first])))
        raise ValueError(
            f"missing value at row {first}, column {names[column]} ({number(np.isnan, array)} in all): "
            'leave them out with missing="mask" (--missing mask), or use missing="interpolate" (--missing interpolate)'
        )
    return interpolated(array, names)


def _floats(array: np.ndarray) -> Float[np.ndarray, "time channel"]:
    dtype = np.dtype(np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64)
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    return by_rows(lambda part: np.ascontiguousarray(part, dtype=dtype), array)


def as_array(values: Any) -> Any:
    """The values of a darts series, (time, component); anything else as it is.

    Raises:
        ValueError: if the darts series holds several samples of each value.
    """
    if not hasattr(type(values), "all_values"):
        return values
    samples = values.all_values()  # (time, component, sample)
    if samples.shape[2] != 1:
        raise ValueError(f"the series holds {samples.shape[2]} samples of each value: it must be deterministic")
    return samples[:, :, 0]


def _check_columns(values: Any) -> None:
    """Refuses a polars frame with a column of dates, which would silently become numbers."""
    schema: Any = getattr(values, "schema", None)
    for name, dtype in schema.items() if hasattr(schema, "items") else ():
        if getattr(dtype, "is_temporal", bool)():
            raise TypeError(f"the series must hold real numbers, column {name} holds {dtype}")


def _described(array: np.ndarray) -> str:
    return type(array.reshape(-1)[0]).__name__ if array.dtype == object and array.size else str(array.dtype)


def interpolated(array: Float[np.ndarray, "time channel"], names: tuple[str, ...]) -> Float[np.ndarray, "time channel"]:
    """A copy with linear interpolation in time in place of NaN, and the nearest value at both ends.

    Raises:
        ValueError: if a channel has no values.
    """
    filled, known = by_rows(np.copy, array), by_rows(np.isfinite, array)
    interpolate(filled, known)
    unknown = first_row(np.isnan, filled)
    if unknown is not None:
        column = int(np.argmax(np.isnan(filled[unknown])))
        raise ValueError(f"column {names[column]} has no values at all: leave it out")
    return filled


def are_numbers(names: tuple[str, ...]) -> bool:
    """Whether these are the names that `channel_names` gives the channels of an array."""
    return names == tuple(map(str, range(len(names))))


def channel_names(values: Any, channels: int) -> tuple[str, ...]:
    """The column names of a data frame or the name of its only column; "0", "1", ... for an array."""
    columns = getattr(values, "columns", None)
    if columns is None:
        name = getattr(values, "name", None)
        columns = None if name is None else [name]
    if columns is None or len(columns) != channels:
        columns = range(channels)
    return tuple(str(column) for column in columns)
