"""A series from a file of `np.save`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from twinvae.files.out_of_core import by_rows
from twinvae.series.series import Series
from twinvae.tables.columns import differences
from twinvae.tables.dialect import Dialect
from twinvae.tables.long_parquet import is_long, reading
from twinvae.tables.time_names import NO_TIME


def read_npy(
    path: Path, columns: Sequence[str] | None, time: str | None, labels: str | None, dialect: Dialect
) -> Series:
    """A file of `np.save`, of shape (time,) or (time, channel), mapped into memory; channels are called 0, 1, ...

    Raises:
        ValueError: if it cannot be read, or has no such columns.
    """
    if labels is not None or (time is not None and time.lower() != NO_TIME):
        raise ValueError(f"{path}: a .npy file has neither time stamps nor labels")
    with reading(path):
        try:
            with path.open("rb") as file:
                if file.read(6) != b"\x93NUMPY":  # a zip file, say, which NumPy would open
                    raise ValueError
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except OSError:
            raise
        except Exception:  # NumPy parses the header as Python, which fails in many ways
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
    series = replace(Series.of(values), names=names)
    return _marked(path, series, dialect) if dialect.missing or dialect.difference else series


def _marked(path: Path, series: Series, dialect: Dialect) -> Series:
    """An array with NaN for the numbers that stand for missing values, and differences in place of counters."""
    missing = [number for number in dialect.missing if isinstance(number, float)]
    values = by_rows(lambda part: np.where(np.isin(part, missing), np.nan, part), series.values)
    names = list(series.names)
    for counter in dialect.difference:
        if counter not in names:
            raise ValueError(f"{path}: no column {counter!r}: the file has {', '.join(series.names)}")
        place = names.index(counter)
        values[:, place] = differences(values[:, place])
        names[place] = f"difference({counter})"
    return replace(series, values=values, names=tuple(names))
