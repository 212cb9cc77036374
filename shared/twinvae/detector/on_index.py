"""A time index in is a time index out: results on the index of the pandas object or darts series they belong to."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec

import numpy as np

from twinvae.scoring.events import Event
from twinvae.series.index import Named, index_of

P = ParamSpec("P")


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
    return replace(event, start_time=index[event.start], last_time=index[event.end - 1], peak_time=index[event.peak])
