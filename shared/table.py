"""A series from a CSV or a Parquet file, with its time stamps."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int8

if TYPE_CHECKING:
    import polars as pl

TIME_NAMES = ("timestamp", "time", "datetime", "date")
LABEL_NAMES = ("label", "labels", "is_anomaly", "anomaly")
NO_TIME = "none"
MISSING_CELLS = ("", "NaN", "nan", "NA", "N/A", "null", "NULL", "None")
SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Table:
    """A series read from a file: its values (NaN where a cell is empty), column names, time stamps and labels."""

    values: Float[np.ndarray, "time channel"]
    names: tuple[str, ...]
    time: "pl.Series | None"  # the column of time stamps as it stands in the file
    labels: Int8[np.ndarray, " time"] | None = None  # 1 is an anomaly, 0 is not

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, rows: slice) -> "Table":
        """Some of the rows."""
        time = None if self.time is None else self.time[rows]
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, values=self.values[rows], time=time, labels=labels)

    def stamp(self, row: int) -> str:
        """The time stamp of a row, or its number."""
        return str(row) if self.time is None else str(self.time[row])

    def frame(self) -> "pl.DataFrame":
        """The values with their names."""
        import polars as pl

        return pl.DataFrame({name: self.values[:, index] for index, name in enumerate(self.names)})


def read_table(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    labels: str | None = None,
    in_order: bool = True,
) -> Table:
    """Reads a CSV or a Parquet file. Rows count from 0, without the header; empty rows at the end do not count.

    `columns` are the channels; without it, all columns but the time stamps and the labels. `time` is the column of the
    time stamps, or "none"; without it, the first column called timestamp, time, datetime or date, in any case.
    `labels` is the column of the labels; without it and `columns`, the column called label, labels, is_anomaly or
    anomaly, if it holds nothing but 0 and 1. A CSV is separated by the one of `, ; tab |` that its header has most of.
    With `in_order=False`, time stamps may come twice or go back, as in some public series.

    Raises:
        ValueError: if the file cannot be read, a column is unknown, twice there or not numeric, or time stamps are
            missing, not in order or twice there.
    """
    frame = read_frame(path)
    chosen = choose_columns(path, frame.columns, frame.get_column, columns=columns, time=time, labels=labels)
    return as_table(path, frame, chosen, in_order=in_order)


class Columns(NamedTuple):
    """What the columns of a file are."""

    names: tuple[str, ...]  # the channels
    time: str | None
    labels: str | None


def choose_columns(
    source: Path,
    available: Sequence[str],
    column: "Callable[[str], pl.Series]",
    *,
    columns: Sequence[str] | None,
    time: str | None,
    labels: str | None,
) -> Columns:
    """What the columns are, as `read_table` says; `column` gives the values of one of the `available`.

    Raises:
        ValueError: if a column is unknown or named twice, or none is left for the values.
    """
    taken = set(columns or ())
    if time is None:
        time = next((c for c in available if c.lower() in TIME_NAMES and c not in taken), None)
    elif time.lower() == NO_TIME and time not in available:
        time = None
    if labels is None and columns is None:
        labels = next((c for c in available if c.lower() in LABEL_NAMES and _is_binary(column(c))), None)
    for name in (*(columns or ()), *(n for n in (time, labels) if n)):
        if name not in available:
            raise ValueError(f"{source}: no column {name!r}: the file has {', '.join(available)}")
    if columns is not None and len(taken) != len(columns):
        raise ValueError(f"{source}: a column is named twice in {', '.join(columns)}")
    names = tuple(columns or (c for c in available if c not in (time, labels) and not (c == "" and _counts(column(c)))))
    if not names:
        raise ValueError(f"{source}: no column of values beside the time stamps and the labels")
    return Columns(names, time, labels)


def as_table(source: Path | str, frame: "pl.DataFrame", columns: Columns, *, in_order: bool = True) -> Table:
    """The series that some columns of a frame are. Messages begin with its `source`.

    Raises:
        ValueError: if a column is not numeric, or time stamps are missing, not in order or twice there.
    """
    names, time, labels = columns
    if time:
        _check_times(source, frame[time], in_order=in_order)
    return Table(
        np.stack([_numbers(source, frame[name]) for name in names], axis=1),
        names,
        frame[time] if time else None,
        _labels(source, frame[labels]) if labels else None,
    )


def read_frame(path: Path) -> "pl.DataFrame":
    """All that a CSV (as text) or a Parquet file holds, without empty rows at the end.

    Raises:
        ValueError: if the file cannot be read or has no rows.
    """
    frame = _without_empty_end(_read_whole(path))
    if frame.height == 0:
        raise ValueError(f"{path}: the file has no rows of data")
    return frame


def _read_whole(path: Path) -> "pl.DataFrame":
    import polars as pl

    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a file")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path}: not a .csv or .parquet file")
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False)
        separator, header = read_header(path)
        if len(set(header)) != len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise ValueError(f"{path}: the column {twice!r} is there twice: rename one of them")
        # Everything as text, so that a message can name the cell that is no number, and stamps stay as they are.
        frame = pl.read_csv(path, infer_schema=False, glob=False, separator=separator)
        return frame.rename({name: name.strip() for name in frame.columns})
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pl.exceptions.NoDataError:
        raise ValueError(f"{path}: the file is empty") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: cannot be read: it is not UTF-8 text") from None
    except pl.exceptions.PolarsError as error:
        raise ValueError(_unreadable(path, str(error))) from None


def read_header(path: Path) -> tuple[str, list[str]]:
    """The separator of a CSV and its column names.

    Raises:
        ValueError: if the names are numbers: a file without a header.
        OSError, UnicodeDecodeError: if the file cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as lines:
        first = lines.readline()
    separator = max(SEPARATORS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    if names and all(_is_number(name) for name in names):
        raise ValueError(f"{path}: the first line is {first.strip()[:40]!r}: it must name the columns")
    return separator, names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unreadable(path: Path, reason: str) -> str:
    """Names the first row whose number of cells is not the header's, else passes the parser's first line on."""
    if path.suffix.lower() == ".csv":
        separator, header = read_header(path)
        with path.open(newline="", encoding="utf-8", errors="replace") as lines:
            for row, cells in enumerate(csv.reader(lines, delimiter=separator), start=-1):
                if len(cells) > len(header):
                    return f"{path}: row {row} has {len(cells)} cells, the header has {len(header)}"
    return f"{path}: cannot be read: {reason.splitlines()[0]}"


def _without_empty_end(frame: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def _is_binary(column: "pl.Series") -> bool:
    import polars as pl

    values = column.cast(pl.Float64, strict=False)
    return values.null_count() == 0 and bool(values.is_in([0.0, 1.0]).all())


def _counts(column: "pl.Series") -> bool:
    """Whether this, if it has no name, is the column of row numbers that data frames write first."""
    import polars as pl

    if len(column) < 2:
        return False
    steps = column.cast(pl.Float64, strict=False).diff().drop_nulls()
    return len(steps) == len(column) - 1 and steps[0] > 0 and bool((steps == steps[0]).all())


def _numbers(source: Path | str, column: "pl.Series") -> Float[np.ndarray, " time"]:
    import polars as pl

    if column.dtype == pl.String:
        text = column.str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        bad = (numbers.is_null() & text.is_not_null() & ~text.is_in(list(MISSING_CELLS))).arg_true()
        if len(bad):
            row = bad[0]
            raise ValueError(
                f"{source}: row {row}, column {column.name}: {text[row]!r} is not a number; choose the numeric columns "
                "with columns (--columns)"
            )
        return numbers.fill_null(np.nan).to_numpy()
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise ValueError(f"{source}: column {column.name} holds {column.dtype}, not numbers")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _labels(source: Path | str, column: "pl.Series") -> Int8[np.ndarray, " time"]:
    values = _numbers(source, column)
    if not np.isin(values, (0.0, 1.0)).all():
        row = np.flatnonzero(~np.isin(values, (0.0, 1.0)))[0]
        raise ValueError(f"{source}: row {row}, column {column.name}: a label must be 0 or 1, got {values[row]:g}")
    return values.astype(np.int8)


def _check_times(source: Path | str, column: "pl.Series", *, in_order: bool) -> None:
    """Refuses time stamps that are missing or unknown and, if they must be in order, twice there or going back."""
    import polars as pl

    if column.null_count():
        raise ValueError(f"{source}: row {column.is_null().arg_true()[0]}: the time stamp is missing")
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
            raise ValueError(
                f"{source}: row {row}, column {column.name}: {column[row]!r} is not a time stamp (a number, or like "
                "2026-01-31 23:59:00); write it so, or say that there are none with time (--time none)"
            )
    if not in_order:
        return
    before, after = order[:-1], order[1:]
    for wrong, what in (
        ((after == before), "the same time stamp as"),
        ((after < before), "an earlier time stamp than"),
    ):
        if wrong.any():
            row = wrong.arg_true()[0] + 1
            raise ValueError(f"{source}: row {row} has {what} the row before: {column[row]}")


def _zoned(column: "pl.Series") -> bool:
    return column[0].strip().endswith("Z") or column[0].strip()[-6:-5] in ("+", "-")
