"""Labelled series: by name, from a file, or from a folder."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from twinvae.data.download import DOWNLOADS, downloaded
from twinvae.data.formats import FORMS, NAB_WINDOWS, Dataset, Reader, nab_root, nab_windows, read_timeeval, reader_of
from twinvae.data.synthetic import series_names, suite

__all__ = ["DATASETS", "BadFile", "Dataset", "load_dataset", "read_datasets"]

SHIPPED = "datasets/data/KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16_TEST.csv"  # below aeon's folder
DATASETS = ("ucr-135",)
SYNTHETIC = "synthetic"


class BadFile(NamedTuple):
    """A series of a folder that cannot be read, and why in one line.

    >>> from pathlib import Path
    >>> from twinvae.data.datasets import BadFile, read_datasets
    >>> for name in ("good_tr_1.csv", "bad_tr_9.csv"):
    ...     _ = Path(name).write_text("Data,Label\\n1,0\\n2,1\\n")
    >>> [one.name for one in read_datasets(".") if isinstance(one, BadFile)]
    ['/bad_tr_9']
    """

    name: str
    message: str


def load_dataset(name: str) -> Dataset:
    """Reads a series that the package aeon carries.

    `ucr-135` is the series InternalBleeding16 of the UCR anomaly archive (Wu and Keogh 2021): an arterial blood
    pressure with one short anomaly.

    Raises:
        ValueError: if there is no such data set, or the package that carries it is not installed.

    Example:
        >>> from twinvae.data.datasets import load_dataset
        >>> series = load_dataset("ucr-135")  # needs aeon, which carries it
        >>> series.values.shape, series.train_rows
        ((7501, 1), 1200)
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: choose one of {', '.join(DATASETS)}")
    package = importlib.util.find_spec("aeon")  # found, not imported: its import takes seconds
    if package is None or package.origin is None:
        raise ValueError(f"the data set {name} comes with aeon: pip install 'twinvae[datasets]'")
    path = Path(package.origin).parent / SHIPPED
    return read_timeeval(path, name, "InternalBleeding16, UCR anomaly archive", train_rows=1200)


def read_datasets(path_or_name: str | Path) -> Iterator[Dataset | BadFile]:
    """Reads the labelled series of a file, of a folder with its subfolders, or of a known name.

    The names are those of `load_dataset` and of what `twinvae download` has fetched, and `synthetic`: the 56 series of
    `twinvae.data.synthetic.suite(0)`. Write `./name` for a folder that is called like one of them. The form of each
    file (TSB-AD, NAB, SKAB, UCR anomaly archive) is detected from its name, its columns and its folder. The series of a
    folder come in the order of their paths; one that cannot be read is a `BadFile`, and the rest go on. Other files are
    skipped.

    Raises:
        ValueError: at once, if there is nothing of that name, a folder holds no series, or a single file is bad.

    Example:
        >>> from twinvae.data.datasets import read_datasets
        >>> first = next(read_datasets("synthetic"))
        >>> first.name, first.values.shape, first.train_rows
        ('periodic-spike-1', (5593, 1), 2006)
    """
    name = str(path_or_name)
    if name in DATASETS:
        return iter((load_dataset(name),))
    if name in DOWNLOADS:
        return _read_all(downloaded(name), missing={})
    if name == SYNTHETIC:
        return (
            Dataset(made.name, made.values, made.labels, made.train_rows, False, "made, seed 0", series_names(made))
            for made in suite(0)
        )
    path = Path(path_or_name)
    if path.is_file():
        if (reader := reader_of(path)) is None:
            raise ValueError(f"{path}: not a labelled series of {FORMS}")
        return iter((reader(path),))
    if not path.is_dir():
        known = ", ".join((*DATASETS, *DOWNLOADS, SYNTHETIC))
        raise ValueError(f"no data set {name!r}: there is no such file or folder, and the known names are {known}")
    root = nab_root(path)
    data = path / "data" if (path / "data").is_dir() else path
    files = sorted(file for file in data.rglob("*") if file.suffix.lower() in (".csv", ".txt") and file.is_file())
    return _read_all(files, _missing(root, data) if root else {}, path)


def _read_all(files: list[Path], missing: dict[str, str], folder: Path | None = None) -> Iterator[Dataset | BadFile]:
    """Finds out the form of every file, then reads one after the other."""
    found = [(file, reader) for file in files if (reader := _reader_or_reason(file)) is not None]
    if not found and not missing:
        raise ValueError(f"{folder}: no labelled series of {FORMS} in this folder")
    return _each(found, missing)


def _reader_or_reason(file: Path) -> Reader | str | None:
    try:
        return reader_of(file)
    except ValueError as error:
        return str(error)


def _each(found: list[tuple[Path, Reader | str]], missing: dict[str, str]) -> Iterator[Dataset | BadFile]:
    for file, reader in found:
        name = f"{file.parent.name}/{file.stem}"
        try:
            yield BadFile(name, reader) if isinstance(reader, str) else reader(file)
        except ValueError as error:
            yield BadFile(name, str(error))
    for name, message in missing.items():
        yield BadFile(name, message)


def _missing(root: Path, data: Path) -> dict[str, str]:
    """What NAB's labels name in the groups that are there, but is not there."""
    try:
        files = {key: root / "data" / key for key in nab_windows(root)}
    except ValueError:
        return {}  # every series will say so
    wanted = {key: file for key, file in files.items() if file.is_relative_to(data.resolve()) and file.parent.is_dir()}
    return {
        key.removesuffix(".csv"): f"{file}: {NAB_WINDOWS} names it, but there is no such file"
        for key, file in wanted.items()
        if not file.is_file()
    }
