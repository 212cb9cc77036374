"""Labelled series in the forms in which public data sets come: TSB-AD, NAB, SKAB, the UCR anomaly archive, TimeEval.

Every function raises ValueError, with the name of the file, where it cannot be read or is not of its form.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int8

from twinvae.series.series import Series
from twinvae.tables.long_parquet import reading
from twinvae.tables.table import read_header, read_table
from twinvae.tables.time_names import time_column

if TYPE_CHECKING:
    import polars as pl

NAB_WINDOWS = Path("labels", "combined_windows.json")
NAB_PROBATION, NAB_PROBATION_ROWS = 0.15, 750  # the first 15 % of a file, of at most 5000 rows: `nab/util.py` of NAB
SKAB_TRAIN_ROWS = 400  # what SKAB's own notebooks fit on
SKAB_MARKS = {"anomaly", "changepoint"}
SKAB_SENSOR = "Accelerometer1RMS"  # the first column of values in all its files
TSB_TRAIN_ROWS = re.compile(r"_tr_(\d+)[_.]")
UCR_NAME = re.compile(r"_(\d+)_(\d+)_(\d+)\.txt$")
FORMS = "TSB-AD, NAB, SKAB or the UCR anomaly archive"


class Dataset(NamedTuple):
    """A labelled series. `values` are NaN where a cell of the file is empty; a label is 1 at an anomaly, else 0."""

    name: str
    values: Float64[np.ndarray, "time channel"]
    labels: Int8[np.ndarray, " time"]
    train_rows: int  # the first rows, which the set gives as normal training data; 0 if it gives none
    unlabelled_fit: bool  # no normal part is known: a detector is fitted on the whole series, without its labels
    source: str
    channels: tuple[str, ...]
    times: "pl.Series | None" = None  # the time stamps as they stand in the file

    @property
    def table(self) -> Series:
        """The series as one read from a file."""
        return Series(self.values, self.channels, self.times, self.labels)


Reader = Callable[[Path], Dataset]


def reader_of(path: Path) -> Reader | None:
    """The function that reads this file, by its name, its columns and the folder; None if it is no labelled series."""
    if UCR_NAME.search(path.name):
        return read_ucr
    if path.suffix.lower() != ".csv":
        return None
    with reading(path):
        columns = read_header(path)[1]
    if not columns:
        raise ValueError(f"{path}: the file is empty")
    if TSB_TRAIN_ROWS.search(path.name) or columns[-1] == "Label":
        return read_tsb
    if SKAB_SENSOR in columns or set(columns) >= SKAB_MARKS:
        return read_skab
    return read_nab if nab_root(path) else None


def nab_root(path: Path) -> Path | None:
    """The folder of NAB that holds this file or folder of its data, if that is what it is."""
    path = path.resolve()
    roots = (folder for folder in (path, *path.parents) if (folder / NAB_WINDOWS).is_file())
    return next((root for root in roots if path == root or path.is_relative_to(root / "data")), None)


def read_tsb(path: Path) -> Dataset:
    """TSB-AD (Liu and Paparrizos 2024): `_tr_N` in the name: the first N rows train; the last column is `Label`."""
    if not (found := TSB_TRAIN_ROWS.search(path.name)):
        raise ValueError(f"{path}: the name has no _tr_N: it must say how many of the first rows are for training")
    columns = read_header(path)[1]
    if columns[-1] != "Label":
        raise ValueError(f"{path}: the last column is {columns[-1]!r}: it must be Label")
    table = read_table(path, columns=columns[:-1], time="none", labels="Label")
    return _dataset(path.stem, table, int(found[1]), "TSB-AD", path)


def read_skab(path: Path) -> Dataset:
    """SKAB (Katser and Kozitsin 2020): the first 400 rows train, as in its own notebooks; labels are `anomaly`."""
    columns = read_header(path)[1]
    if "anomaly" not in columns:
        raise ValueError(f"{path}: left out: it has no column anomaly, so there is nothing to measure scores with")
    channels = [name for name in columns if name not in SKAB_MARKS and name.lower() != "datetime"]
    table = read_table(path, columns=channels, labels="anomaly", in_order=False)
    return _dataset(f"{path.parent.name}/{path.stem}", table, SKAB_TRAIN_ROWS, "SKAB", path)


def read_nab(path: Path) -> Dataset:
    """A file of NAB (Lavin and Ahmad 2015), labelled by `labels/combined_windows.json`: [start, end], both inclusive.

    NAB's probationary period trains: the first 15 % of the rows, at most 750. NAB's own labels never start in it; if
    one does, the training part ends where the label starts.
    """
    if (root := nab_root(path)) is None:
        raise ValueError(f"{path}: there is no {NAB_WINDOWS} beside the folder data")
    key = path.resolve().relative_to(root / "data").as_posix()
    windows = nab_windows(root)
    if key not in windows:
        raise ValueError(f"{path}: {NAB_WINDOWS} does not name it")
    table = read_table(path, columns=_channels(path), in_order=False)  # some of its clocks go back an hour
    if table.index is None:
        raise ValueError(f"{path}: no column of time stamps: {NAB_WINDOWS} labels by time")
    stamps = _instants(table.stamps(slice(None)).to_list(), path)
    labels = np.zeros(len(table), dtype=np.int8)
    for window in windows[key]:
        start, end = _instants(window, root / NAB_WINDOWS)
        inside = (stamps >= start) & (stamps <= end)
        if not inside.any():
            raise ValueError(f"{path}: no row lies in the label from {window[0]} to {window[1]} of {NAB_WINDOWS}")
        labels[inside] = 1
    probation = min(math.floor(NAB_PROBATION * len(table)), NAB_PROBATION_ROWS)
    normal = int(labels.argmax()) if labels.any() else len(labels)
    return _dataset(key.removesuffix(".csv"), replace(table, labels=labels), min(probation, normal), "NAB", path)


def nab_windows(root: Path) -> dict[str, list[list[str]]]:
    """The labels of NAB: the file of each series below `data` -> its windows [start, end]."""
    path = root / NAB_WINDOWS
    try:
        windows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
    if not isinstance(windows, dict) or not all(
        isinstance(spans, list) and all(isinstance(span, list) and len(span) == 2 for span in spans)
        for spans in windows.values()
    ):
        raise ValueError(f"{path}: it must name the windows [start, end] of each file")
    return windows


def read_ucr(path: Path) -> Dataset:
    """The UCR anomaly archive (Wu and Keogh 2021): `..._TRAIN_START_END.txt`, values separated by white space.

    The first TRAIN values train, the anomaly is START to END, both inclusive and counted from 1 as in MATLAB, which
    its authors use. TimeEval's copy, which aeon carries, labels the rows [START, END) counted from 0: one less.
    """
    if not (found := UCR_NAME.search(path.name)):
        raise ValueError(f"{path}: the name must end in _TRAIN_START_END.txt")
    train_rows, start, end = map(int, found.groups())
    with reading(path):
        cells = path.read_text(encoding="utf-8").split()
    if not cells:
        raise ValueError(f"{path}: the file is empty")
    values = np.array([_number(path, row, cell) for row, cell in enumerate(cells)])
    if not 1 <= start <= end <= len(values):
        raise ValueError(f"{path}: the name labels {start} to {end}, the file has {len(values)} values")
    labels = np.zeros(len(values), dtype=np.int8)
    labels[start - 1 : end] = 1
    table = Series(values[:, None], ("value",), None, labels)
    return _dataset(path.stem, table, train_rows, "UCR anomaly archive", path)


def read_timeeval(path: Path, name: str, source: str, *, train_rows: int) -> Dataset:
    """A file of TimeEval, with labels in `is_anomaly`; a whole one without training data if `train_rows` is 0."""
    return _dataset(name, read_table(path, columns=_channels(path), labels="is_anomaly"), train_rows, source, path)


def _channels(path: Path) -> list[str]:
    """All columns but the time stamps and the labels: a public series is taken as it is."""
    with reading(path):
        columns = read_header(path)[1]
    return [name for name in columns if name not in (time_column(columns, None), "is_anomaly")]


def _dataset(name: str, table: Series, train_rows: int, source: str, path: Path) -> Dataset:
    """Checks what all forms promise."""
    labels = table.labels
    if labels is None or len(labels) != len(table):
        raise ValueError(f"{path}: {0 if labels is None else len(labels)} labels for {len(table)} rows")
    if train_rows > len(table):
        raise ValueError(f"{path}: the first {train_rows} rows are for training, the file has {len(table)}")
    time = None if table.index is None else table.stamps(slice(None))
    return Dataset(name, table.values, labels, train_rows, train_rows == 0, source, table.names, time)


def _instants(stamps: list[str], path: Path) -> np.ndarray:
    try:
        return np.array(stamps, dtype="M8[us]")
    except ValueError as error:
        raise ValueError(f"{path}: {error}: a time stamp is like 2026-01-31 23:59:00") from None


def _number(path: Path, row: int, cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{path}: row {row}, column value: {cell!r} is not a number") from None
