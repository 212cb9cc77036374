"""What the benchmark says when it cannot do what it was asked for."""

import sys


class RunError(Exception):
    """A request that cannot be met. Its message is the one line that says why."""


def complain(message: object) -> None:
    """Prints one line to the error output, with the name of the program before it."""
    print(f"benchmarks: {message}", file=sys.stderr)
