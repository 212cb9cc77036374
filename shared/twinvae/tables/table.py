"""A series from a CSV, Parquet or .npy file, with its time stamps.

Every function raises ValueError, with the name of the file, where it cannot be read, or does not hold what is needed.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twinvae.files.out_of_core import by_rows
from twinvae.series.series import Series
from twinvae.tables.columns import check_times, counts, filled_rows, is_binary, label_values, numbers
from twinvae.tables.dialect import LABEL_NAMES, NO_TIME, cells_of, is_header, separator_of, time_column
from twinvae.tables.long_parquet import LongParquet, is_long, reading, spooled_labels, spooled_stamps, spooled_values

if TYPE_CHECKING:
    import polars as pl


def read_table(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    labels: str | None = None,
    in_order: bool = True,
) -> Series:
    """Reads a CSV, Parquet or .npy file. Rows count from 0, without the header; empty rows at the end do not count.

    `columns` are the channels; without it, all columns but the time stamps and the labels. `time` is the column of the
    time stamps, or "none"; without it, the first column called timestamp, time, datetime or date, in any case.
    `labels` is the column of the labels; without it and `columns`, the column called label, labels, is_anomaly or
    anomaly, if it holds nothing but 0 and 1. A CSV is separated by the one of `, ; tab |` that its header has most of.
    With `in_order=False`, time stamps may come twice or go back, as in some public series.

    A Parquet file of more than 2^25 values is copied to temporary files, as float32, once; a .npy file of so many is
    mapped. The channels of a .npy file are called 0, 1, ...; it has no time stamps and no labels.

    Raises:
        ValueError: if the file cannot be read, a column is unknown, twice there or not numeric, or time stamps are
            missing, not in order or twice there.
    """
    if path.suffix.lower() == ".npy":
        return _read_npy(path, columns, time, labels)
    if path.suffix.lower() == ".parquet" and path.is_file():
        long = LongParquet(path)
        if is_long(long.rows * len(long.columns)):
            return _read_long(long, columns, time, labels, in_order=in_order)
    frame = read_frame(path)
    chosen = choose_columns(path, frame.columns, lambda name: iter([frame[name]]), columns, time, labels)
    return as_table(path, frame, chosen, in_order=in_order)


class Columns(NamedTuple):
    """What the columns of a file are."""

    names: tuple[str, ...]  # the channels
    time: str | None
    labels: str | None


def choose_columns(
    source: Path,
    available: Sequence[str],
    parts: "Callable[[str], Iterator[pl.Series]]",
    columns: Sequence[str] | None,
    time: str | None,
    labels: str | None,
) -> Columns:
    """What the columns are, as `read_table` says; `parts` gives the values of one of the `available`, in parts."""
    taken = set(columns or ())
    time = time_column(available, time, taken)
    if labels is None and columns is None:
        labels = next((c for c in available if c.lower() in LABEL_NAMES and is_binary(parts(c))), None)
    for name in (*(columns or ()), *(n for n in (time, labels) if n)):
        if name not in available:
            raise ValueError(f"{source}: no column {name!r}: the file has {', '.join(available)}")
    if columns is not None and len(taken) != len(columns):
        raise ValueError(f"{source}: a column is named twice in {', '.join(columns)}")
    values = (c for c in available if c not in (time, labels) and not (c == "" and counts(next(parts(c)))))
    names = tuple(columns or values)
    if not names:
        raise ValueError(f"{source}: no column of values beside the time stamps and the labels")
    return Columns(names, time, labels)


def as_table(source: Path | str, frame: "pl.DataFrame", columns: Columns, *, in_order: bool = True) -> Series:
    """The series that some columns of a frame are. Messages begin with its `source`."""
    names, time, labels = columns
    if time:
        check_times(source, frame[time], in_order=in_order)
    return Series(
        np.stack([numbers(source, frame[name]) for name in names], axis=1),
        names,
        frame[time] if time else None,
        label_values(source, frame[labels]) if labels else None,
    )


def _read_long(
    file: LongParquet, columns: Sequence[str] | None, time: str | None, labels: str | None, *, in_order: bool
) -> Series:
    if not file.without_empty_end():
        raise ValueError(f"{file.path}: the file has no rows of data")
    names, time, labels = choose_columns(file.path, file.columns, file.parts, columns, time, labels)
    values = spooled_values(file, names)
    stamps = spooled_stamps(file, time, in_order=in_order) if time else None
    return Series(values, names, stamps, spooled_labels(file, labels) if labels else None)


def _read_npy(path: Path, columns: Sequence[str] | None, time: str | None, labels: str | None) -> Series:
    """A file of `np.save`, of shape (time,) or (time, channel), mapped into memory; channels are called 0, 1, ..."""
    if labels is not None or (time is not None and time.lower() != NO_TIME):
        raise ValueError(f"{path}: a .npy file has neither time stamps nor labels")
    with reading(path):
        try:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, SyntaxError):
            raise ValueError(f"{path}: not a .npy file of numbers that can be mapped") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub" or values.ndim not in (1, 2):
        raise ValueError(f"{path}: must hold numbers of shape (time,) or (time, channel)")
    if values.size == 0:
        raise ValueError(f"{path}: the file has no rows of data")
    values = values.reshape(len(values), -1)
    names = tuple(map(str, range(values.shape[1])))
    if columns is not None:
        if unknown := [name for name in columns if name not in names]:
            raise ValueError(f"{path}: no column {unknown[0]!r}: the file has {', '.join(names)}")
        chosen = [int(name) for name in columns]
        names, values = tuple(columns), by_rows(lambda part: part[:, chosen], values)
    values = np.asarray(values) if is_long(values.size) else np.array(values)
    return replace(Series.of(values), names=names)


def read_frame(path: Path) -> "pl.DataFrame":
    """All that a CSV (as text) or a Parquet file holds, without empty rows at the end."""
    frame = _read_whole(path)
    frame = frame.head(filled_rows(frame))
    if frame.height == 0:
        raise ValueError(f"{path}: the file has no rows of data")
    return frame


def _read_whole(path: Path) -> "pl.DataFrame":
    import polars as pl

    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a file")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path}: not a .csv, .parquet or .npy file")
    with reading(path):
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False)
        separator, header = read_header(path)
        if len(set(header)) != len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise ValueError(f"{path}: the column {twice!r} is there twice: rename one of them")
        try:  # everything as text, so that a message can name the cell that is no number, and stamps stay as they are
            frame = pl.read_csv(path, infer_schema=False, glob=False, separator=separator)
        except pl.exceptions.ComputeError as error:
            raise ValueError(_unreadable(path, separator, header, str(error))) from None
        frame.columns = header
        quoted = [name for name in header if frame[name].str.contains('"', literal=True).any()]  # after a space
        return frame.with_columns(pl.col(quoted).str.replace(r'^\s*"(.*)"\s*$', "${1}"))


def read_header(path: Path) -> tuple[str, list[str]]:
    """The separator of a CSV and the names of its columns; no names if the file is empty.

    Raises:
        ValueError: if the first line is a row of numbers: a file without a header.
        OSError, UnicodeDecodeError: if the file cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as lines:
        first = next((text for line in lines if (text := line.strip("\r\n"))), "")
    separator = separator_of(first)
    try:
        names = cells_of(first, separator) if first else []
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if names and not is_header(names):
        raise ValueError(f"{path}: the first line is {first.strip()[:40]!r}: it must name the columns")
    return separator, names


def _unreadable(path: Path, separator: str, header: list[str], reason: str) -> str:
    """Names the first row whose number of cells is not the header's, else passes the parser's first line on."""
    with path.open(newline="", encoding="utf-8", errors="replace") as lines:
        for row, cells in enumerate(csv.reader(lines, delimiter=separator), start=-1):
            if len(cells) > len(header):
                return f"{path}: row {row} has {len(cells)} cells, the header has {len(header)}"
    return f"{path}: cannot be read: {reason.splitlines()[0]}"
