"""What the reader of lines keeps for a restart."""

from collections.abc import Collection, Mapping
from typing import Any


def check_reader_state(state: Mapping[str, Any], forms: Collection[str]) -> None:
    """Raises a ValueError if this cannot be what a reader has found out of the first lines."""
    header, width = state["header"], state["width"]
    if (
        state["form"] not in forms
        or not (state["separator"] is None or (isinstance(state["separator"], str) and len(state["separator"]) == 1))
        or not (state.get("instant") is None or type(state["instant"]) in (int, float))
        or not (header is None or (isinstance(header, list) and all(isinstance(name, str) for name in header)))
        or not (width is None or type(width) is int)
        or state.get("decimal") not in (None, ".", ",")
        or not all(value is None or type(value) is float for value in state.get("before", ()))
    ):
        raise ValueError("what it says of the lines makes no sense")
