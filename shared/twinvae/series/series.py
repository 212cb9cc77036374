"""A series: its values, names, index and labels, made once from whatever the user has."""

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Int8

from twinvae.files.out_of_core import TimeByChannel, by_rows, first_row, number
from twinvae.series.arrays import array_of, channel_names
from twinvae.series.gaps import interpolate
from twinvae.series.holes import Grid, Holes, find_holes
from twinvae.series.index import index_of, instants_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Series:
    """A time series of one or more channels: its values, the names of the channels, and what belongs to the steps.

    Values are float32 or float64 in native byte order, and NaN where one is missing. A series on disk
    (`twinvae.files.out_of_core`) stays there, and what is made of it is on disk too.

    >>> from twinvae import Series
    >>> series = Series.of([1.0, 2.0, float("nan")])
    >>> len(series), series.values.shape, series.names
    (3, (3, 1), ('0',))
    """

    values: TimeByChannel
    names: tuple[str, ...]  # of the channels
    index: Any = None  # of a pandas object or a darts series, or the column of time stamps of a file; None: row numbers
    labels: Int8[np.ndarray, " time"] | None = None  # 1 is an anomaly, 0 is not
    labels_name: str | None = None  # what the column of the labels is called in a file
    instants: np.ndarray | None = None  # when each row is, as datetime64 or numbers; None where that is not known
    grid: Grid | None = None  # where the rows stand that it is made of, if absent rows have been filled in

    @classmethod
    def of(cls, series: Any) -> "Series":
        """Makes a series of any array-like, data frame or darts series of shape (time,) or (time, channel).

        float32 stays float32; everything else becomes float64. A `Series` is itself. The channels of an array are
        called 0, 1, ...

        Raises:
            TypeError: if the values are not real numbers.
            ValueError: if there are no values, or they have more than two dimensions; or if an index of time is not in
                order, or holds a time stamp twice or none.
        """
        if isinstance(series, Series):
            return series
        values = array_of(series)
        index = index_of(series)
        return cls(values, channel_names(series, values.shape[1]), index, instants=instants_of(index))

    def __len__(self) -> int:
        return len(self.values)

    def checked(self, missing: str) -> Self:
        """Checks the values, and treats missing ones as `Config.missing` says; returns the series to use.

        "error" refuses them; "interpolate" replaces them by linear interpolation in time, and by the nearest value at
        both ends; "mask" keeps them.

        Raises:
            ValueError: if a value is infinite, or missing where that is refused; or if a channel that is to be
                interpolated, or with "mask" the whole series, has no values at all.
        """
        values, names = self.values, self.names
        first = first_row(lambda part: ~np.isfinite(part), values)
        if first is None:
            return self
        infinite = first_row(np.isinf, values)
        if infinite is not None:
            column = names[int(np.argmax(np.isinf(values[infinite])))]
            raise ValueError(f"infinite value at row {infinite}, column {column}: remove it, or mark it as missing")
        if missing == "mask":
            if not number(np.isfinite, values):
                raise ValueError("the series has no values at all: every one is missing")
            return self
        if missing == "interpolate":
            return self.interpolated()
        column = names[int(np.argmax(np.isnan(values[first])))]
        raise ValueError(
            f"missing value at row {first}, column {column} ({number(np.isnan, values)} in all, NaN or empty): "
            'leave them out with missing="mask" (--missing mask), or use missing="interpolate" (--missing interpolate)'
        )

    def interpolated(self) -> Self:
        """A copy with linear interpolation in time in place of NaN, and the nearest value at both ends.

        Raises:
            ValueError: if a channel has no values.
        """
        filled, known = by_rows(np.copy, self.values), by_rows(np.isfinite, self.values)
        interpolate(filled, known)
        unknown = first_row(np.isnan, filled)
        if unknown is not None:
            name = self.names[int(np.argmax(np.isnan(filled[unknown])))]
            raise ValueError(f"column {name} has no values at all: leave it out")
        return replace(self, values=filled)

    def rows(self, rows: slice) -> Self:
        """Some of the rows, with their part of the index and of the labels."""
        index = None if self.index is None else self.index[rows]
        labels = None if self.labels is None else self.labels[rows]
        instants = None if self.instants is None else self.instants[rows]
        return replace(self, values=self.values[rows], index=index, labels=labels, instants=instants)

    @cached_property
    def holes(self) -> Holes | None:
        """Where the time stamps say that rows are absent."""
        return None if self.instants is None else find_holes(self.instants)

    def on_grid(self) -> Self:
        """The series with missing values in place of rows that are absent; itself if there are none to be filled in."""
        if self.holes is None or not self.holes.fill or self.instants is None:
            return self
        grid = Grid.of(self.holes, self.index, self.instants)
        return replace(self, values=grid.spread(self.values), index=None, labels=None, instants=None, grid=grid)

    @property
    def has_stamps(self) -> bool:
        """Whether its rows have time stamps."""
        return self.index is not None or self.grid is not None

    def stamp(self, row: int) -> str:
        """The time stamp of a row as text, or its number."""
        if self.grid is not None:
            return self.grid.stamp(row)
        return str(row) if self.index is None else str(self.index[row])

    def stamps(self, rows: slice) -> "pl.Series":
        """The time stamps of some rows, in memory, or their numbers."""
        import polars as pl

        if self.index is None:
            return pl.Series("row", range(*rows.indices(len(self))))
        if isinstance(self.index, pl.Series):
            return self.index[rows]
        if self.on_pandas:
            return pl.Series(self.index.name or "time", list(self.index[rows]))
        stamps: pl.Series = self.index.series(rows)
        return stamps

    @property
    def on_pandas(self) -> bool:
        """Whether the index is a pandas index, so that results are pandas objects too."""
        pandas = sys.modules.get("pandas")  # not imported: who has such an index has imported it
        return pandas is not None and isinstance(self.index, pandas.Index)

    def on_index(self, result: np.ndarray, name: str, columns: tuple[str, ...]) -> Any:
        """A result that is as long as the series, in the form that the series had.

        If the index is one of pandas: an array (time,) as a Series of this name, one of (time, channel) as a DataFrame
        of these columns. Else it stays an array.
        """
        if not self.on_pandas:
            return result
        import pandas

        if result.ndim == 1:
            return pandas.Series(np.asarray(result), index=self.index, name=name)
        return pandas.DataFrame(np.asarray(result), index=self.index, columns=list(columns))


def are_numbers(names: tuple[str, ...]) -> bool:
    """Whether these are the names of the channels of an array: 0, 1, ..."""
    return names == tuple(map(str, range(len(names))))
