"""The values of whatever the user has, as an array of float32 or float64, and what its channels are called."""

import decimal
import re
import sys
from datetime import datetime
from numbers import Real
from typing import Any

import numpy as np

from twinvae.files.out_of_core import TimeByChannel, by_rows
from twinvae.process.notices import shortened

_TIME = re.compile(r"\d[/.:-]\d{1,2}[/.:-]\d")  # 2026-01-31, 31.01.2026, 12:30:00


def channel_names(series: Any, channels: int) -> tuple[str, ...]:
    """The column names of a data frame or the name of its only column; "0", "1", ... for an array."""
    columns = getattr(series, "columns", None)
    if columns is None:
        name = getattr(series, "name", None)
        columns = None if name is None else [name]
    if columns is None or len(columns) != channels:
        columns = range(channels)
    return tuple(str(column) for column in columns)


def array_of(values: Any) -> TimeByChannel:
    """The values of any array-like, data frame or darts series, (time, channel); NaN where one is missing.

    float32 stays float32; everything else becomes float64.

    Raises:
        TypeError: if the values are not numbers, or a sparse matrix.
        ValueError: if there are no values, they are complex, or they have more than two dimensions.
    """
    _check_columns(values)
    if hasattr(type(values), "toarray"):  # of scipy.sparse
        raise TypeError("a sparse matrix is not supported: give its toarray()")
    given = values
    if hasattr(type(values), "all_values"):  # a darts series
        samples = values.all_values()  # (time, component, sample)
        if samples.shape[2] != 1:
            raise ValueError(f"the series holds {samples.shape[2]} samples of each value: it must be deterministic")
        values = samples[:, :, 0]
    try:
        if isinstance(values, np.ma.MaskedArray):
            values = np.ma.filled(values.astype(np.float64), np.nan)
        array = _of_nullable(values) if _is_nullable(values) else np.asarray(values)
    except ValueError as error:
        raise ValueError("the series is ragged: every time step must have the same number of channels") from error
    if array.dtype != object and array.dtype.kind in "mMSUV":
        raise TypeError(f"the series must hold real numbers, got values of type {array.dtype}")
    if array.dtype.kind == "c":  # scikit-learn's words and type of error
        raise ValueError("Complex data not supported: give the real and the imaginary part as a channel each")
    if array.ndim == 0 and array.dtype == object and array.item() is not None:
        raise TypeError(f"the series must hold real numbers, got {type(array.item()).__name__}")
    if array.ndim not in (1, 2):
        raise ValueError(f"the series must have shape (time,) or (time, channel), got {array.ndim} dimensions")
    if array.size == 0:
        none = "feature" if len(array) else "sample"
        raise ValueError(
            f"the series is empty: 0 {none}(s) (shape={array.shape}) while a minimum of 1 is required: check what was "
            "selected from it"
        )
    array = array.reshape(len(array), -1)
    if array.dtype == object:
        array = _of_objects(array, channel_names(given, array.shape[1]))
    dtype = np.dtype(np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64)
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    return by_rows(lambda part: np.ascontiguousarray(part, dtype=dtype), array)


def _is_nullable(values: Any) -> bool:
    """Whether this is a pandas object of numbers that has a type with missing values, such as Int64."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(values, (pandas.DataFrame, pandas.Series)):
        return False
    types = [values.dtype] if isinstance(values, pandas.Series) else list(values.dtypes)
    numeric, extension = pandas.api.types.is_numeric_dtype, pandas.api.types.is_extension_array_dtype
    return all(map(numeric, types)) and any(map(extension, types))


def _of_nullable(values: Any) -> np.ndarray:
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _of_objects(array: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Numbers of Python, whatever their types, as float64; NaN for None, NaT, NA."""
    result = np.empty(array.shape)
    for column, name in enumerate(names):
        for row, value in enumerate(array[:, column].tolist()):
            if type(value) is float:
                result[row, column] = value
            elif value is None or type(value).__name__ in ("NAType", "NaTType"):
                result[row, column] = np.nan
            elif isinstance(value, (Real, decimal.Decimal)) and not isinstance(value, np.timedelta64):
                result[row, column] = _as_float(value, row, name)
            else:
                raise TypeError(
                    f"the series must hold real numbers: row {row}, column {name} holds {shortened(repr(value))} of "
                    f"type {type(value).__name__}: {_advice(value)}"
                )
    return result


def _advice(value: Any) -> str:
    """What to do about a value that is no number."""
    if isinstance(value, (datetime, np.datetime64)) or (isinstance(value, str) and _TIME.search(value)):
        return "if these are the time stamps, make them the index (set_index in pandas), else leave the column out"
    if isinstance(value, str):
        return 'leave the column out, or make numbers of it (pandas.to_numeric with errors="coerce")'
    return "leave the column out, or convert it: the argument must be free of strings and objects, all numbers"


def _as_float(value: Any, row: int, name: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"row {row}, column {name}: the number is too large for float64") from None
    except ValueError:  # a signalling NaN
        return float("nan")


def _check_columns(values: Any) -> None:
    """Refuses a polars frame with a column of dates, which would silently become numbers."""
    schema: Any = getattr(values, "schema", None)
    for name, dtype in schema.items() if hasattr(schema, "items") else ():
        if getattr(dtype, "is_temporal", bool)():
            raise TypeError(f"the series must hold real numbers, column {name} holds {dtype}: leave it out (drop)")
