"""A stand-in for `shared.datasets.read_datasets`, of the same shape: a folder of TSB-AD's files, or one of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared.table import read_table

NAME = re.compile(r"_tr_(\d+)_")


class Dataset(NamedTuple):
    """A labelled series. Its first `train_rows` rows are for fitting; with `unlabelled_fit` all of them are."""

    name: str
    values: np.ndarray
    labels: np.ndarray
    train_rows: int
    unlabelled_fit: bool
    source: str
    channels: tuple[str, ...]
    times: Any = None


class BadFile(NamedTuple):
    """A series that could not be read, and why."""

    name: str
    message: str


def read_datasets(path_or_name: str) -> Iterator[Dataset | BadFile]:
    """The series of a folder, or of one file.

    Raises:
        ValueError: if there is no such folder or file, or no series in it.
    """
    path = Path(path_or_name)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    files = sorted(file for file in path.glob("*.csv") if NAME.search(file.name)) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path}: no series in it: a file's name must hold _tr_N_, the number of rows to fit on")
    for file in files:
        try:
            table = read_table(file)
            rows = NAME.search(file.name)
            if table.labels is None or rows is None:
                raise ValueError(f"{file}: no column of labels, or no _tr_N_ in its name")
        except ValueError as error:
            yield BadFile(file.stem, str(error))
        else:
            yield Dataset(file.stem, table.values, table.labels, int(rows[1]), False, str(file), table.names)
