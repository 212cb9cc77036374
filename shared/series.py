"""A series from an array, a data frame, a CSV or a Parquet file; all checks of input are here."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    import polars as pl

TIME_NAMES = ("timestamp", "time", "datetime", "date")
MISSING_CELLS = ("", "NaN", "nan", "NA", "N/A", "null", "NULL", "None")


def as_series(values: Any, *, missing: str = "error") -> Float[np.ndarray, "time channel"]:
    """Any array-like or data frame of shape (time,) or (time, channel) as a float array (time, channel).

    float32 stays float32; everything else becomes float64 in native byte order. With `missing="interpolate"`, NaN
    is replaced by linear interpolation in time, and by the nearest value at both ends.

    Raises:
        TypeError: if the values are not real numbers.
        ValueError: if there are no values, more than two dimensions, or values that are not finite.
    """
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
    dtype = np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64
    array = np.ascontiguousarray(array.reshape(len(array), -1), dtype=dtype)
    names = channel_names(values, array.shape[1])
    finite = np.isfinite(array)
    if finite.all():
        return array
    if np.isinf(array).any():
        row, column = np.argwhere(np.isinf(array))[0]
        raise ValueError(f"infinite value at row {row}, column {names[column]}: remove it, or mark it as missing")
    if missing != "interpolate":
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"missing value at row {row}, column {names[column]} ({(~finite).sum()} in all): "
            'fill it, or use missing="interpolate" (--missing interpolate)'
        )
    return _interpolate(array, finite, names)


def _described(array: np.ndarray) -> str:
    return type(array.reshape(-1)[0]).__name__ if array.dtype == object and array.size else str(array.dtype)


def _interpolate(
    array: Float[np.ndarray, "time channel"], finite: Bool[np.ndarray, "time channel"], names: tuple[str, ...]
) -> Float[np.ndarray, "time channel"]:
    filled = array.copy()
    step = np.arange(len(array))
    for channel, known in enumerate(finite.T):
        if not known.any():
            raise ValueError(f"column {names[channel]} has no values at all: leave it out")
        filled[~known, channel] = np.interp(step[~known], step[known], array[known, channel])
    return filled


def channel_names(values: Any, channels: int) -> tuple[str, ...]:
    """The column names of a data frame or the name of its only column; "0", "1", ... for an array."""
    columns = getattr(values, "columns", None)
    if columns is None:
        name = getattr(values, "name", None)
        columns = None if name is None else [name]
    if columns is None or len(columns) != channels:
        columns = range(channels)
    return tuple(str(column) for column in columns)


@dataclass(frozen=True)
class Table:
    """A series read from a file: its values (NaN where a cell is empty), column names and time stamps."""

    values: Float[np.ndarray, "time channel"]
    names: tuple[str, ...]
    time_name: str  # "row" where the file has no time stamps
    times: tuple[str, ...]  # as they stand in the file
    labels: np.ndarray | None = None  # 1 is an anomaly, 0 is not

    def rows(self, rows: slice) -> "Table":
        """Some of the rows."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, values=self.values[rows], times=self.times[rows], labels=labels)


def read_table(
    path: Path, *, columns: tuple[str, ...] | None = None, time: str | None = None, labels: str | None = None
) -> Table:
    """Reads a CSV or a Parquet file.

    `columns` are the channels; without it, every column but the time stamps and the labels. `time` is the column of
    the time stamps; without it, the first of timestamp, time, datetime, date that the file has, in any case. Row
    numbers in messages are those of the data, from 0, without the header.

    Raises:
        ValueError: if the file cannot be read, a column is unknown, twice there or not numeric, or time stamps are
            missing, not in order or twice there.
    """
    frame = _read_frame(path)
    if frame.height == 0:
        raise ValueError(f"{path}: the file has no rows of data")
    time = time or next((c for c in frame.columns if c.lower() in TIME_NAMES and c not in (columns or ())), None)
    for name in (*(columns or ()), *(n for n in (time, labels) if n)):
        if name not in frame.columns:
            raise ValueError(f"{path}: no column {name!r}: the file has {', '.join(frame.columns)}")
    if columns is not None and len(set(columns)) != len(columns):
        raise ValueError(f"{path}: a column is named twice in {', '.join(columns)}")
    names = columns or tuple(c for c in frame.columns if c not in (time, labels))
    if not names:
        raise ValueError(f"{path}: no column of values beside the time stamps and the labels")
    values = np.stack([_numbers(path, frame[name]) for name in names], axis=1)
    return Table(
        values,
        names,
        time or "row",
        _times(path, frame[time]) if time else tuple(map(str, range(frame.height))),
        _labels(path, frame[labels]) if labels else None,
    )


def _read_frame(path: Path) -> "pl.DataFrame":
    import polars as pl

    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a file")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path}: not a .csv or .parquet file")
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False)
        # Everything as text, so that a message can name the cell that is no number, and stamps stay as they are.
        frame = pl.read_csv(path, infer_schema=False, glob=False)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pl.exceptions.NoDataError:
        raise ValueError(f"{path}: the file is empty") from None
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise ValueError(_unreadable(path, str(error))) from None
    header = _header(path)
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"{path}: the column {twice!r} is there twice: rename one of them")
    return frame


def _header(path: Path) -> list[str]:
    import csv

    with path.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        return next(csv.reader(lines), [])


def _unreadable(path: Path, reason: str) -> str:
    """Names the first row whose number of cells is not the header's, else passes the parser's first line on."""
    if path.suffix.lower() == ".csv":
        import csv

        with path.open(newline="", encoding="utf-8", errors="replace") as lines:
            reader = csv.reader(lines)
            width = len(next(reader, []))
            for row, cells in enumerate(reader):
                if len(cells) > width:
                    return f"{path}: row {row} has {len(cells)} cells, the header has {width}"
    return f"{path}: cannot be read: {reason.splitlines()[0]}"


def _numbers(path: Path, column: "pl.Series") -> Float[np.ndarray, " time"]:
    import polars as pl

    if column.dtype == pl.String:
        text = column.str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        bad = (numbers.is_null() & text.is_not_null() & ~text.is_in(list(MISSING_CELLS))).arg_true()
        if len(bad):
            row = bad[0]
            raise ValueError(
                f"{path}: row {row}, column {column.name}: {text[row]!r} is not a number; choose the numeric columns "
                "with columns (--columns)"
            )
        return numbers.fill_null(np.nan).to_numpy()
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise ValueError(f"{path}: column {column.name} holds {column.dtype}, not numbers")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _labels(path: Path, column: "pl.Series") -> np.ndarray:
    values = _numbers(path, column)
    if not np.isin(values, (0.0, 1.0)).all():
        row = np.flatnonzero(~np.isin(values, (0.0, 1.0)))[0]
        raise ValueError(f"{path}: row {row}, column {column.name}: a label must be 0 or 1, got {values[row]:g}")
    return values.astype(np.int8)


def _times(path: Path, column: "pl.Series") -> tuple[str, ...]:
    import polars as pl

    if column.null_count():
        raise ValueError(f"{path}: row {column.is_null().arg_true()[0]}: the time stamp is missing")
    order = column
    if column.dtype == pl.String:
        order = column.str.strip_chars().cast(pl.Float64, strict=False)
        if order.null_count():
            try:
                order = column.str.to_datetime(strict=False, time_zone="UTC" if _zoned(column) else None)
            except pl.exceptions.ComputeError:  # no format fits the first rows
                order = pl.Series([None] * len(column))
        if order.null_count():
            row = order.is_null().arg_true()[0]
            raise ValueError(f"{path}: row {row}, column {column.name}: {column[row]!r} is not a time stamp")
    before, after = order[:-1], order[1:]
    for wrong, what in (
        ((after == before), "the same time stamp as"),
        ((after < before), "an earlier time stamp than"),
    ):
        if wrong.any():
            row = wrong.arg_true()[0] + 1
            raise ValueError(f"{path}: row {row} has {what} the row before: {column[row]}")
    return tuple(column.cast(pl.String).to_list())


def _zoned(column: "pl.Series") -> bool:
    return column[0].strip().endswith("Z") or column[0].strip()[-6:-5] in ("+", "-")
