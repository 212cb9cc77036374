"""The many series of a fleet: a folder of files, or one long table with a column of keys, read one series at a time."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from twinvae.files.atomic import replacing
from twinvae.series.series import Series
from twinvae.tables.columns import plain
from twinvae.tables.dialect import Dialect, counter_of
from twinvae.tables.file_kinds import check_kind
from twinvae.tables.long_parquet import ROWS, reading
from twinvae.tables.roles import Columns, choose_columns
from twinvae.tables.table import as_table, read_frame, read_table

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 2**24  # of a Parquet file that is sorted in memory
SUFFIXES = (".csv", ".parquet")


class Version(NamedTuple):
    """Size and time of the last change of a file: a file whose version is another has changed."""

    size: int
    modified: int  # ns


class ChangedError(ValueError):
    """A file is not what it was when the run began."""


@dataclass(frozen=True)
class Folder:
    """Series in files of their own, named as the files without their suffix."""

    path: Path
    file_of: Mapping[str, str]  # the name of a series -> the file, in the order of names
    files: Mapping[str, Version]  # of every file
    refused: Mapping[str, str]  # names that cannot be read -> why
    left_out: int  # other entries of the folder
    table_in: Callable[[Path], Series]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the series that can be read."""
        return tuple(self.file_of)

    def read(self, name: str) -> Series:
        """The series of this name.

        Raises:
            ValueError: as `read_table`; also if the file has gone, or is not of the version in `files`.
        """
        path = self.path / self.file_of[name]
        self._check(path)
        table = self.table_in(path)
        self._check(path)
        return table

    def as_of(self, files: Mapping[str, Version]) -> Self:
        """The same folder, expected to hold these files in these versions."""
        return replace(self, files=files, file_of={_text(Path(file).stem): file for file in files})

    def _check(self, path: Path) -> None:
        try:
            now = _version(path)
        except FileNotFoundError:
            raise ChangedError(f"{path}: the file has gone since the run began") from None
        except OSError as error:
            raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
        if now != self.files[path.name]:
            raise ChangedError(f"{path}: the file has changed since the run began")


@dataclass(frozen=True)
class LongTable:
    """Many series in one file, told apart by a column of keys.

    If the rows of each series in a Parquet file stand together, a series is read from the file when it is asked for.
    Otherwise the columns that are needed are sorted by key first: in memory or, beyond `MOST_ROWS` rows, as a copy on
    the disk. A CSV file is held in memory as text.
    """

    path: Path
    key: str
    place: Mapping[str, tuple[int, int]]  # the name of a series -> its first row and its number of rows
    files: Mapping[str, Version]
    rows: "Callable[[int, int], pl.DataFrame]"
    columns: Columns
    dialect: Dialect
    refused: Mapping[str, str]
    left_out: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the series: their keys, as text."""
        return tuple(self.place)

    def read(self, name: str) -> Series:
        """The series of this name; messages count rows within it.

        Raises:
            ChangedError: if the file is not the one that was opened.
            ValueError: as `read_table`.
        """
        frame = self.rows(*self.place[name])
        table = as_table(f"{self.path}, {self.key} {name}", frame, self.columns, self.dialect)
        if _version(self.path) != self.files[self.path.name]:
            raise ChangedError(f"{self.path}: the file has changed since the run began")
        return table


Input = Folder | LongTable


def open_input(
    path: Path,
    *,
    key: str | None = None,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    labels: str | None = None,
    scratch: Path | None = None,
    **how: Any,
) -> Input:
    """The series of a folder or, with the name of its key column, of a file. The columns are those of `read_table`.

    `how` says how a file is written: the other arguments of `read_table`.

    `scratch` is a folder for the sorted copy of a large table, which must stay while the series are read.

    Raises:
        ValueError: if there are no series, the file cannot be read, or `key` does not fit the input.
        OSError: if the folder cannot be read.
    """
    if path.is_dir():
        if key is not None:
            raise ValueError(f"{path}: a folder, where each file is a series: --key is for one long table")
        return _open_folder(path, partial(read_table, columns=columns, time=time, labels=labels, **how))
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if key is None:
        raise ValueError(f"{path}: one file: name the column that tells its series apart with --key, or give a folder")
    dialect = Dialect(**how)
    columns_of = partial(choose_columns, columns=columns, time=time, labels=labels, difference=dialect.difference)
    return _open_long(path, key, columns_of, dialect, scratch)


def _open_folder(path: Path, table_in: Callable[[Path], Series]) -> Folder:
    found: dict[str, list[str]] = {}
    files: dict[str, Version] = {}
    left_out = 0
    with os.scandir(path) as entries:
        for entry in entries:
            file = Path(entry.name)
            if entry.name.startswith(".") or file.suffix.lower() not in SUFFIXES or entry.is_dir():
                left_out += 1
                continue
            found.setdefault(_text(file.stem), []).append(entry.name)
            try:
                files[entry.name] = _version(Path(entry.path))
            except OSError:  # a link to nothing, or gone this moment
                files[entry.name] = Version(-1, -1)
    if not found:
        raise ValueError(f"{path}: no .csv or .parquet file in this folder")
    file_of, refused = {}, {}
    for name, same in sorted(found.items()):
        if len(same) > 1:
            refused[name] = f"two series with one name: {', '.join(sorted(map(_text, same)))}"
        elif _text(same[0]) != same[0]:
            refused[name] = "the name of its file is not UTF-8 text: rename it"
        else:
            file_of[name] = same[0]
    return Folder(path, file_of, files, refused, left_out, table_in)


def _open_long(
    path: Path, key: str, choose: Callable[..., Columns], dialect: Dialect, scratch: Path | None
) -> LongTable:
    import polars as pl

    files = {path.name: _version(path)}
    lazily = path.suffix.lower() == ".parquet"
    check_kind(path)
    with reading(path):
        whole = pl.scan_parquet(path, glob=False) if lazily else read_frame(path, dialect).lazy()
        available = whole.collect_schema().names()
    if key not in available:
        raise ValueError(f"{path}: no column {key!r}: the file has {', '.join(available)}")
    kind = whole.collect_schema()[key]
    if kind.is_nested() or kind in (pl.Object, pl.Binary):
        raise ValueError(f"{path}: column {key} holds {kind}, which cannot be the keys of series: name one of words")
    available.remove(key)

    def parts(name: str) -> Iterator[pl.Series]:
        with reading(path):
            yield whole.select(name).head(ROWS).collect().to_series()
            yield whole.select(name).slice(ROWS).collect().to_series()

    chosen = choose(path, available, parts)
    values = (name if name in available else counter_of(name) or name for name in chosen.names)
    wanted = (*values, *(name for name in (chosen.time, chosen.labels) if name))
    whole = whole.with_columns(pl.col(key).cast(pl.String)).select(key, *wanted)
    with reading(path):
        groups = _groups(path, key, whole)
    together = (groups["last"] - groups["first"] + 1 == groups["rows"]).all()
    part = whole
    if not (lazily and together):
        if lazily and scratch is not None and groups["rows"].sum() > MOST_ROWS:
            part = _sorted_copy(whole, key, groups, scratch)
        else:
            part = whole.sort(key, maintain_order=True).collect().lazy()
        groups = _groups(path, key, part)
    place = dict(zip(groups[key], zip(groups["first"], groups["rows"], strict=True), strict=True))

    def rows(first: int, number: int) -> pl.DataFrame:
        try:
            frame = part.slice(first, number).select(wanted).collect()
            return plain(path, frame, dialect, None, {chosen.time or ""}) if lazily else frame
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ChangedError(f"{path}: cannot be read any more: {str(error).splitlines()[0]}") from None

    return LongTable(path, key, place, files, rows, chosen, dialect, {})


def _groups(path: Path, key: str, frame: "pl.LazyFrame") -> "pl.DataFrame":
    """The `first` and the `last` row and the number of `rows` of each key, in the order of keys."""
    import polars as pl

    row = pl.col("row of the table")
    keys = frame.select(key).with_row_index("row of the table").with_columns(row.cast(pl.Int64))
    missing = keys.filter(pl.col(key).is_null()).select(row.first()).collect().item()
    if missing is not None:
        raise ValueError(f"{path}: row {missing}: the key {key} is missing")
    groups = keys.group_by(key).agg(first=row.min(), last=row.max(), rows=row.len().cast(pl.Int64)).sort(key).collect()
    if groups.height == 0:
        raise ValueError(f"{path}: the file has no rows of data")
    return groups


def _sorted_copy(whole: "pl.LazyFrame", key: str, groups: "pl.DataFrame", scratch: Path) -> "pl.LazyFrame":
    """The rows in the order of keys, in files of about `MOST_ROWS` rows: one pass over the table for each."""
    import polars as pl

    scratch.mkdir(parents=True, exist_ok=True)
    pieces = []
    cut = groups.with_columns(piece=(pl.col("rows").cum_sum() - 1) // MOST_ROWS)
    for (number,), keys in cut.group_by("piece", maintain_order=True):
        between = pl.col(key).is_between(pl.lit(keys[key][0]), pl.lit(keys[key][-1]))
        path = scratch / f"sorted-{number:04}.parquet"
        piece = whole.filter(between).sort(key, maintain_order=True).collect()
        with replacing(path) as temporary:
            piece.write_parquet(temporary)
        pieces.append(path)
    return pl.scan_parquet(pieces, glob=False)


def _text(name: str) -> str:
    """A file's name as text; bytes that are no text are written as they are in Python."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _version(path: Path) -> Version:
    found = path.stat()
    return Version(found.st_size, found.st_mtime_ns)
