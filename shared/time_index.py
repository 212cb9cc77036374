"""A time index in is a time index out: results on the index of the pandas object or darts series they belong to."""

import sys
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, Self

import numpy as np

from shared.events import Event
from shared.series import as_array

P = ParamSpec("P")


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


def on_index(result: Any, index: Any, columns: tuple[str, ...], name: str) -> Any:
    """An array (time,) as a pandas Series, (time, channel) as a DataFrame; events get their time stamps."""
    import pandas

    if isinstance(result, list):
        return [_stamped(event, index) for event in result]
    if result.ndim == 1:
        return pandas.Series(np.asarray(result), index=index, name=name)
    return pandas.DataFrame(np.asarray(result), index=index, columns=list(columns))


def keeps_index(name: str) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Makes a method of a detector that takes a series and returns something as long answer on the series' own index.

    NumPy in stays NumPy out. A pandas object or darts series comes back as a Series called `name`, a DataFrame of the
    channels, or events with time stamps.
    """

    def decorate(method: Callable[P, Any]) -> Callable[P, Any]:
        arguments = signature(method)
        detector, series = list(arguments.parameters)[:2]

        @wraps(method)
        def answer(*args: P.args, **kwargs: P.kwargs) -> Any:
            given = arguments.bind(*args, **kwargs)
            index = index_of(given.arguments[series])
            if index is None:
                return method(*args, **kwargs)
            given.arguments[series] = Named.of(given.arguments[series])
            return on_index(method(*given.args, **given.kwargs), index, given.arguments[detector].channels_, name)

        return answer

    return decorate


def _stamped(event: Event, index: Any) -> Event:
    return event._replace(start_time=index[event.start], last_time=index[event.end - 1], peak_time=index[event.peak])
