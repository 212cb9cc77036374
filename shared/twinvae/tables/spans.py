"""A file of spans of time: a table with the columns start and end."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvae.series.spans import OFFSET
from twinvae.tables.dialect import Dialect
from twinvae.tables.table import read_frame
from twinvae.tables.times import instants, with_offsets

if TYPE_CHECKING:
    import polars as pl

ENDS = ("start", "end")


def read_spans(path: Path, **how: Any) -> tuple[tuple[Any, Any], ...]:
    """The spans of a CSV or Parquet file, whose columns start and end hold time stamps or numbers of rows.

    `how` says how the file is written: `Dialect`.

    Raises:
        ValueError: if the file cannot be read, a column is not there, or a cell is no time stamp.
    """
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in how.items()}
    dialect = Dialect(**given)
    frame = read_frame(path, dialect)
    columns = {name.strip().lower(): name for name in frame.columns}
    if not columns.keys() >= set(ENDS):
        raise ValueError(f"{path}: needs the columns start and end, and has {', '.join(frame.columns)}")
    ends = [_moments(path, frame[columns[name]], dialect) for name in ENDS]
    return tuple(zip(*ends, strict=True))


def _moments(path: Path, column: "pl.Series", dialect: Dialect) -> list[Any]:
    import polars as pl

    if column.null_count():
        raise ValueError(f"{path}: row {column.is_null().arg_true()[0]}: {column.name} is missing")
    if dialect.time_zone:
        column = with_offsets(path, column, dialect)
    known = instants(path, column, dialect) if column.dtype == pl.String and len(column) else column
    if known is None:
        raise ValueError(f"{path}: column {column.name} holds no time stamps: see --time-format")
    if column.dtype == pl.String and known.dtype == pl.Datetime and not column.str.contains(OFFSET).any():
        known = known.dt.replace_time_zone(None)  # a day alone is read as one of UTC
    return known.to_list()
