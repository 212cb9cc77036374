"""When two results are the same computation."""

from typing import Any

import numpy as np


def assert_close(actual: Any, reference: Any, tolerance: float, what: str = "array") -> None:
    """Asserts |actual - reference| <= tolerance * max|reference| everywhere, and equal shapes and NaN in neither."""
    actual, reference = np.asarray(actual, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    assert actual.shape == reference.shape, f"{what}: shape {actual.shape}, not {reference.shape}"
    worst, largest = np.abs(actual - reference).max(), np.abs(reference).max()
    assert worst <= tolerance * largest, f"{what}: off by {worst:.3g}, {worst / largest:.3g} of the largest magnitude"


def assert_all_close(actual: dict[str, Any], reference: dict[str, Any], tolerance: float) -> None:
    """`assert_close` of each array, by name."""
    assert actual.keys() == reference.keys()
    for name, array in reference.items():
        assert_close(actual[name], array, tolerance, name)


def assert_close_in_range(actual: Any, reference: Any, tolerance: float) -> None:
    """Asserts that two scores differ by at most `tolerance` of the range of the second."""
    worst = np.abs(np.asarray(actual, dtype=np.float64) - reference).max() / np.ptp(reference)
    assert worst <= tolerance, f"scores differ by {worst:.3g} of their range"


def rounding(dtype: str) -> float:
    """The tolerance of one forward pass, loss or gradient: 64 units in the last place of the largest magnitude."""
    return 64.0 * float(np.finfo(dtype).eps)
