"""What checks the product's annotations while the tests run."""

import threading
from collections.abc import Callable
from typing import Any, Self

from beartype import beartype

# beartype catches warnings while it looks at a function. JAX compiles beside a training, so functions are decorated in
# two threads, and two that catch warnings at once lose those that come later.
ONE_AT_A_TIME = threading.RLock()


def _uncheckable(hint: Any) -> bool:
    """Whether beartype refuses the hint on a lone function: Self, and a protocol that isinstance cannot test."""
    protocol = getattr(hint, "_is_protocol", False) and not getattr(hint, "_is_runtime_protocol", False)
    return hint is Self or protocol


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`beartype`, but for hints that it cannot check, and constructors.

    The constructors of `Config` and of the detector check what users give them, and a check in front of theirs would
    hide it.
    """
    if function.__name__ == "__init__":
        return function
    hints = function.__annotations__
    function.__annotations__ = {name: Any if _uncheckable(hint) else hint for name, hint in hints.items()}
    with ONE_AT_A_TIME:
        return beartype(function)
