"""Numbers and time stamps of JSON lines; a ValueError says why a value is none."""

import json
import math
from typing import Any

from twinvae.process.notices import shortened


def number_of_json(value: Any) -> float:
    """The number that a value of JSON is; NaN for null."""
    if type(value) is float:
        return value
    if value is None:
        return math.nan
    if type(value) is not int:
        raise ValueError(f"{shortened(json.dumps(value))} is not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number is too large") from None


def stamp_of_json(value: Any) -> Any:
    """A time stamp as it stands in the line, if JSON can hold it."""
    if type(value) not in (str, int):
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            raise ValueError("the time stamp is not a finite number") from None
    return value
