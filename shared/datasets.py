"""Public labelled series, by name."""

import importlib.util
from pathlib import Path
from typing import NamedTuple

from shared.table import Table, read_table


class Dataset(NamedTuple):
    """A labelled series whose first `train_rows` rows are normal."""

    table: Table
    train_rows: int
    source: str


DATASETS = ("ucr-135",)


def load_dataset(name: str) -> Dataset:
    """Reads a data set.

    `ucr-135` is the series InternalBleeding16 of the UCR anomaly archive (Wu and Keogh 2021): an arterial blood
    pressure with one short anomaly, which the package aeon carries.

    Raises:
        ValueError: if there is no such data set, or the package that carries it is not installed.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: choose one of {', '.join(DATASETS)}")
    package = importlib.util.find_spec("aeon")  # found, not imported: its import takes seconds
    if package is None or package.origin is None:
        raise ValueError(f"the data set {name} comes with aeon: pip install 'twinvae[datasets]'")
    path = Path(package.origin).parent.joinpath(
        "datasets", "data", "KDD-TSAD_135", "135_UCR_Anomaly_InternalBleeding16_TEST.csv"
    )
    table = read_table(path, labels="is_anomaly")
    return Dataset(table, 1200, "InternalBleeding16, UCR anomaly archive")
