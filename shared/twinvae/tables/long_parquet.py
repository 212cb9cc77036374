"""A Parquet file that is too long for memory: copied once, part by part, to temporary files that are mapped.

The functions that copy raise OSError where there is no room, and ValueError where a column does not fit its use, with
the file, the row and the column.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Int8

from twinvae.files.out_of_core import temporary_zeros
from twinvae.process.notices import warn
from twinvae.series.holes import find_holes
from twinvae.tables.columns import filled_rows, label_values, numbers, signed_anomaly
from twinvae.tables.file_kinds import bad_bytes, check_kind
from twinvae.tables.times import check_times

if TYPE_CHECKING:
    import polars as pl

LONG = 2**25  # values: 256 MiB as float64
ROWS = 2**19  # read at a time
MOST_ROUNDING = 1e-3  # of a column's standard deviation, that float32 may cost


def is_long(values: int) -> bool:
    """Whether so many values belong on disk."""
    return values > LONG


class LongParquet:
    """A Parquet file that is read part by part; each method raises ValueError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        import polars as pl

        self.path = path
        check_kind(path)
        with reading(path):
            self._scan = pl.scan_parquet(path, glob=False)
            self.columns = self._scan.collect_schema().names()
            self.rows: int = self._scan.select(pl.len()).collect().item()

    def without_empty_end(self) -> int:
        """Takes the empty rows at the end off; returns how many rows are left."""
        filled = 0
        while self.rows and not filled:
            begin = max(0, self.rows - ROWS)
            filled = filled_rows(self._read(begin, self.columns))
            self.rows = begin + filled
        return self.rows

    def _read(self, begin: int, names: Sequence[str]) -> "pl.DataFrame":
        with reading(self.path):
            return self._scan.select(names).slice(begin, min(ROWS, self.rows - begin)).collect()

    def parts(self, name: str) -> Iterator["pl.Series"]:
        """A column, in parts."""
        return (frame[name] for _, frame in self.frames([name]))

    def frames(self, names: Sequence[str]) -> Iterator[tuple[int, "pl.DataFrame"]]:
        """Some columns, in parts, each with its first row."""
        return ((begin, self._read(begin, names)) for begin in range(0, self.rows, ROWS))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """If the body fails to read a file, raises a ValueError that says why in one line."""
    import polars as pl

    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pl.exceptions.NoDataError:
        raise ValueError(f"{path}: the file is empty") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: {bad_bytes(path) or 'it is not UTF-8 text'}") from None
    except pl.exceptions.PanicException:  # no Exception: it would pass every handler of ours
        raise ValueError(f"{path}: cannot be read: the file is damaged") from None
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def spooled_values(file: LongParquet, names: Sequence[str]) -> Float32[np.ndarray, "time channel"]:
    """The columns as float32, NaN where a cell is empty; refuses a column that float32 is too coarse for."""
    values = temporary_zeros((file.rows, len(names)), np.float32)
    origin = None
    sums, squares, known, rounding = np.zeros((4, len(names)))
    for begin, frame in file.frames(names):
        exact = np.stack([numbers(file.path, frame[name], begin) for name in names], axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = exact.astype(np.float32)
            rounding = np.fmax(rounding, np.fmax.reduce(np.abs(rounded - exact)))
            origin = np.nan_to_num(exact[0]) if origin is None else origin
            sums += np.nansum(exact - origin, axis=0)
            squares += np.nansum((exact - origin) ** 2, axis=0)
            known += np.count_nonzero(~np.isnan(exact), axis=0)
        values[begin : begin + len(rounded)] = rounded
    with np.errstate(all="ignore"):
        deviation = np.sqrt(np.maximum(squares / known - (sums / known) ** 2, 0.0))
        coarse = ((rounding > MOST_ROUNDING * deviation) & (deviation > 0)) | np.isinf(rounding)
    if coarse.any():
        worst = int(np.argmax(coarse))
        raise ValueError(
            f"{file.path}: column {names[worst]} varies by {deviation[worst]:.3g}; float32, which so long a file is "
            f"copied to, would round it by {rounding[worst]:.3g}: take its mean off, or write it as float64 .npy"
        )
    return values


def spooled_labels(file: LongParquet, name: str) -> Int8[np.ndarray, " time"]:
    """A column of labels."""
    result = temporary_zeros((file.rows,), np.int8)
    anomaly = signed_anomaly(file.path, name, file.parts(name))
    for begin, frame in file.frames([name]):
        result[begin : begin + frame.height] = label_values(file.path, frame[name], begin, anomaly)
    return result


class Stamps:
    """A column of time stamps on disk: what polars holds it as, without its type."""

    def __init__(self, name: str, dtype: "pl.DataType", stored: np.ndarray) -> None:
        self.name, self.dtype, self._stored = name, dtype, stored

    def __getitem__(self, rows: int | slice) -> Any:
        """The time stamp of a row; or the stamps of some rows, on disk."""
        if isinstance(rows, slice):
            return Stamps(self.name, self.dtype, self._stored[rows])
        return self.series(slice(rows, rows + 1))[0]

    def series(self, rows: slice) -> "pl.Series":
        """Some of the rows, in memory."""
        import polars as pl

        part = np.array(self._stored[rows])
        if part.dtype.kind == "S":
            return pl.Series(self.name, [text.decode() for text in part.tolist()], self.dtype)
        return pl.Series(self.name, part).cast(self.dtype)


def spooled_stamps(file: LongParquet, name: str, *, in_order: bool) -> Stamps:
    """A column of time stamps."""
    import polars as pl

    before: pl.Series | None = None
    longest, absent = 1, 0
    for begin, frame in file.frames([name]):
        column = frame[name]
        with_last = column if before is None else before.append(column)
        instants = check_times(file.path, with_last, begin + len(column) - len(with_last), in_order=in_order)
        holes = None if instants is None else find_holes(instants)
        absent += 0 if holes is None else int(holes.absent.sum())
        before = column[-1:].clone()
        if column.dtype == pl.String:
            longest = max(longest, column.str.len_bytes().max())  # type: ignore[type-var, assignment]
    assert before is not None
    if absent:
        warn(
            f"{file.path}: {absent} rows are absent by the time stamps; in so long a file they are not filled in, and "
            "windows go across: write rows of empty cells for them"
        )
    is_text = before.dtype == pl.String
    kind = np.dtype(f"S{longest}") if is_text else before.to_physical().to_numpy().dtype
    if kind == np.dtype(object):
        raise ValueError(f"{file.path}: column {name} holds {before.dtype}, which cannot be time stamps")
    stored = temporary_zeros((file.rows,), kind)
    for begin, frame in file.frames([name]):
        column = frame[name]
        part = [text.encode() for text in column] if is_text else column.to_physical().to_numpy()
        stored[begin : begin + len(column)] = part
    return Stamps(name, before.dtype, stored)
