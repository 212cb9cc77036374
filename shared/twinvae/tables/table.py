"""A series from a CSV, Parquet or .npy file, with its time stamps.

Every function raises ValueError, with the name of the file, where it cannot be read, or does not hold what is needed.
"""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twinvae.process.notices import warn
from twinvae.series.series import Series
from twinvae.tables.columns import differences, filled_rows, label_values, numbers, plain, signed_anomaly
from twinvae.tables.dialect import (
    FOUND_OUT,
    LINES_AHEAD,
    Decimal,
    Dialect,
    Header,
    counter_of,
    header_of,
    is_header,
    is_number,
    is_number_or_missing,
)
from twinvae.tables.edges import without_footer, without_rows_on_top
from twinvae.tables.file_kinds import TEXTS, bad_bytes, check_kind, is_text
from twinvae.tables.long_parquet import LongParquet, is_long, reading, spooled_labels, spooled_stamps, spooled_values
from twinvae.tables.npy import read_npy
from twinvae.tables.roles import Columns, choose_columns, time_names, with_joined_time
from twinvae.tables.times import check_times, with_offsets

if TYPE_CHECKING:
    import polars as pl


def read_table(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    labels: str | None = None,
    in_order: bool = True,
    missing_values: Sequence[str] = (),
    decimal: Decimal | None = None,
    skip_rows: int | None = None,
    time_format: str | None = None,
    time_zone: str | None = None,
    difference: Sequence[str] = (),
    separator: str | None = None,
    header: Sequence[str] = (),
) -> Series:
    """Reads a CSV (.csv, .tsv, .txt, .dat, .asc, .lvm), Parquet or .npy file.

    Rows count from 0, without the header; empty rows at the end do not count.

    `columns` are the channels; without it, all columns but the time stamps, the labels, and what is plainly no channel
    (texts, numbers of rows, parts of a calendar): a warning names these. `time` is the column of the time stamps, or
    "none"; without it, the first column called timestamp, time, datetime or date, in any case, else one with another
    usual name that holds time stamps; a day and a clock, or year, month and day, in columns of their own are joined.
    `labels` is the column of the labels; without it and `columns`, a column called label, anomaly, attack or alike, if
    it holds nothing but 0 and 1, or 1 and -1, the rarer of which is the anomaly. A CSV is separated by the one of
    `, ; tab |` that its header has most of; rows of totals and of text at its end are left out. With `in_order=False`,
    time stamps may come twice or go back, as in some public series.

    `missing_values` are cells, or numbers like "-999", that hold no value, beside the usual words. `decimal` is the
    decimal mark, found out if it is not given. `skip_rows` is the number of lines before the header. `separator` is the
    character between cells, and `header` the names of the columns of a file that begins without them. `time_format` is
    that of the time stamps, as strftime has it. `time_zone` is that of local time stamps, as in Europe/Berlin: each
    gets the offset from UTC that it had. `difference` names counters: a channel difference(NAME), what the counter has
    risen by, takes the place of each; a wrap at 2^16, 2^32 or 2^64 is allowed for, another fall is a missing value.

    A Parquet file of more than 2^25 values is copied to temporary files, as float32, once; a .npy file of so many is
    mapped. The channels of a .npy file are called 0, 1, ...; it has no time stamps and no labels.

    Raises:
        ValueError: if the file cannot be read, a column is unknown, twice there or not numeric, or time stamps are
            missing, not in order or twice there.
    """
    dialect = Dialect(
        tuple(missing_values), decimal, skip_rows, time_format, time_zone, tuple(difference), separator, tuple(header)
    )
    if path.suffix.lower() == ".npy":
        return read_npy(path, columns, time, labels, dialect)
    if path.suffix.lower() == ".parquet" and path.is_file():
        long = LongParquet(path)
        if is_long(long.rows * len(long.columns)):
            return _read_long(long, columns, time, labels, dialect, in_order=in_order)
    frame = read_frame(path, dialect, columns, time)
    chosen = choose_columns(
        path, frame.columns, lambda name: iter([frame[name]]), columns, time, labels, dialect.difference
    )
    return as_table(path, frame, chosen, dialect, in_order=in_order, asked=columns is not None)


def as_table(
    source: Path | str,
    frame: "pl.DataFrame",
    columns: Columns,
    dialect: Dialect = FOUND_OUT,
    *,
    in_order: bool = True,
    asked: bool = False,
) -> Series:
    """The series that some columns of a frame are, which the user or a model has asked for, or not.

    Messages begin with its `source`.
    """
    names, time, labels = columns
    stamps, instants = frame[time] if time else None, None
    if stamps is not None and dialect.time_zone:
        stamps = with_offsets(source, stamps, dialect)
        instants = check_times(source, stamps, in_order=in_order)
    elif stamps is not None:
        instants = check_times(source, stamps, in_order=in_order, dialect=dialect)
    values = [
        differences(numbers(source, frame[counter], asked=asked))
        if (counter := counter_of(name)) is not None and name not in frame.columns
        else numbers(source, frame[name], asked=asked)
        for name in names
    ]
    marks = None
    if labels:
        marks = label_values(source, frame[labels], anomaly=signed_anomaly(source, labels, [frame[labels]]))
    return Series(np.stack(values, axis=1), names, stamps, marks, labels, instants)


def _read_long(
    file: LongParquet,
    columns: Sequence[str] | None,
    time: str | None,
    labels: str | None,
    dialect: Dialect,
    *,
    in_order: bool,
) -> Series:
    if dialect.missing or dialect.time_zone or dialect.difference:
        raise ValueError(
            f"{file.path}: so long a file is read part by part, without missing_values, time_zone and difference: take "
            "them out of the file"
        )
    if not file.without_empty_end():
        raise ValueError(f"{file.path}: the file has no rows of data")
    names, time, labels = choose_columns(file.path, file.columns, file.parts, columns, time, labels)
    values = spooled_values(file, names)
    stamps = spooled_stamps(file, time, in_order=in_order) if time else None
    return Series(values, names, stamps, spooled_labels(file, labels) if labels else None, labels)


def read_frame(
    path: Path, dialect: Dialect = FOUND_OUT, columns: Sequence[str] | None = None, time: str | None = None
) -> "pl.DataFrame":
    """All that a CSV (as text) or a Parquet file holds, its time stamps in one column, without an empty end."""
    frame, separator = _read_whole(path, dialect)
    frame = frame.head(filled_rows(frame))
    if separator is not None:
        frame = without_footer(path, _without_other_headers(path, frame, dialect), dialect)
    if frame.height == 0:
        raise ValueError(f"{path}: the file has no rows of data")
    frame = with_joined_time(path, frame, columns, time)
    return plain(path, frame, dialect, separator, time_names(frame, time))


def _read_whole(path: Path, dialect: Dialect) -> "tuple[pl.DataFrame, str | None]":
    """The cells of a file, and the separator of a CSV."""
    import polars as pl

    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a file")
    if not is_text(path):
        raise ValueError(f"{path}: the name of the file is no text in UTF-8, which its reader needs: rename it")
    check_kind(path)
    if path.suffix.lower() not in (*TEXTS, ".parquet"):
        raise ValueError(f"{path}: not a .csv, .parquet or .npy file")
    with reading(path):
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False), None
        found = _header(path, dialect)
        separator, header = found.separator, found.names
        if found.line and dialect.skip_rows is None and not dialect.header:
            warn(f"{path}: took line {found.line + 1} as the header; see --skip-rows")
        try:  # everything as text, so that a message can name the cell that is no number, and stamps stay as they are
            frame = pl.read_csv(
                path, infer_schema=False, glob=False, separator=separator, skip_lines=found.line,
                has_header=not dialect.header,
            )  # fmt: skip
        except pl.exceptions.ComputeError as error:
            raise ValueError(_unreadable(path, found, str(error))) from None
        if dialect.header and len(header) != frame.width:
            raise ValueError(f"{path}: {len(header)} names are given for {frame.width} columns (--header)")
        if header.count("") > 1:  # separators at the end of each line
            empty = [at for at, name in enumerate(header) if not name and filled_rows(frame[:, [at]]) == 0]
            frame = frame[:, [at for at in range(len(header)) if at not in empty]]
            header = [name for at, name in enumerate(header) if at not in empty]
        if len(set(header)) != len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise ValueError(f"{path}: the column {twice!r} is there twice: rename one of them")
        frame.columns = header
        quoted = [name for name in header if frame[name].str.contains('"', literal=True).any()]  # after a space
        return frame.with_columns(pl.col(quoted).str.replace(r'^\s*"(.*)"\s*$', "${1}")), separator


def _without_other_headers(path: Path, frame: "pl.DataFrame", dialect: Dialect) -> "pl.DataFrame":
    """A frame of text without rows that repeat the header, and without one of units below it; both are said."""
    import polars as pl

    first = frame.columns[0]
    if frame.height and (frame[first].str.strip_chars() == first).any() and first:
        again = pl.all_horizontal(
            pl.col(name).str.strip_chars().eq_missing(pl.lit(name or None)) for name in frame.columns
        )
        rows = frame.height
        frame = frame.filter(~again)
        if frame.height < rows:
            warn(f"{path}: left out {rows - frame.height} rows that repeat the header")
    return without_rows_on_top(path, frame, dialect)


def read_header(path: Path) -> tuple[str, list[str]]:
    """The separator of a CSV and the names of its columns; no names if the file is empty.

    Raises:
        ValueError: if the first line is a row of numbers: a file without a header.
        OSError, UnicodeDecodeError: if the file cannot be read.
    """
    found = _header(path, FOUND_OUT)
    return found.separator, found.names


def _header(path: Path, dialect: Dialect) -> Header:
    skip_rows = dialect.skip_rows
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = list(itertools.islice(file, LINES_AHEAD + (skip_rows or 0)))
    try:
        found = header_of(lines, skip_rows, dialect.separator)
    except ValueError as error:
        raise ValueError(f"{path}: {bad_bytes(path) or error}") from None
    if found is None:
        return Header(0, "", ",", [])
    if dialect.header:
        return found._replace(line=skip_rows or 0, names=list(dialect.header))
    if not is_header(found.names):
        later = next((at for at in range(found.line + 1, len(lines)) if _may_be_header(lines, at)), None)
        hint = (
            "" if later is None else f"; line {later + 1} seems to: skip {later} with skip_rows (--skip-rows {later})"
        )
        raise ValueError(
            f"{path}: the first line is {found.text.strip()[:40]!r}: it must name the columns{hint}; a file without "
            "such a line is read with header (--header TIME,A,B)"
        )
    return found


def _may_be_header(lines: Sequence[str], at: int) -> bool:
    found = header_of(lines[: at + 1], at)
    return found is not None and len(found.names) > 1 and not any(map(is_number_or_missing, found.names))


def _unreadable(path: Path, header: Header, reason: str) -> str:
    """Names the first row whose number of cells is not the header's, else passes the parser's first line on."""
    if (bad := bad_bytes(path)) is not None:
        return f"{path}: {bad}"
    width = len(header.names)
    with path.open(newline="", encoding="utf-8", errors="replace") as lines:
        row, rows = -1, itertools.islice(csv.reader(lines, delimiter=header.separator), header.line, None)
        try:
            for row, cells in enumerate(rows, start=-1):
                if len(cells) > width:
                    hint = ""
                    if row < LINES_AHEAD and not any(map(is_number, cells)):
                        skip = header.line + row + 1
                        hint = f"; if this is the header, skip what is before it with skip_rows (--skip-rows {skip})"
                    return f"{path}: row {row} has {len(cells)} cells, the header has {width}{hint}"
        except csv.Error as error:
            return f"{path}: row {row + 1} cannot be read: {error}: is a quote missing?"
    return f"{path}: cannot be read: {reason.splitlines()[0]}"
