"""The index of a pandas object or a darts series, and the values of either with their names."""

import sys
from typing import Any, Self

import numpy as np

from twinvae.series.conversion import as_array


class Named(np.ndarray):
    """The values of a data frame, with its column names."""

    columns: Any = None

    @classmethod
    def of(cls, series: Any, columns: Any = None) -> Self:
        """The values of a pandas object, of a darts series, or of an array whose columns have these names."""
        array = np.asarray(as_array(series)).view(cls)
        array.columns = getattr(series, "columns", columns)
        if array.columns is None and getattr(series, "name", None) is not None:
            array.columns = [series.name]
        return array


def index_of(series: Any) -> Any:
    """The index of a pandas object or a darts series, whatever its kind; None for anything else.

    pandas is not imported: who has such an object has imported it.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(series, (pandas.DataFrame, pandas.Series)):
        return series.index
    return series.time_index if hasattr(type(series), "time_index") else None
