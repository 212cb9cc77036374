"""Fitted detectors that several files look at."""

from typing import Any

import pytest

from tests.conftest import BACKENDS, detector_of
from tests.helpers.detectors import CHANNELS, PLAIN, SMALL


@pytest.fixture(scope="package", params=BACKENDS)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A detector fitted on one channel, and one fitted on three with scaling. Tests leave them as they are."""
    make = detector_of(str(request.param))
    return (
        make(**SMALL, dtype="float64").fit(PLAIN),
        make(**SMALL, dtype="float64", scaling="standard").fit(CHANNELS),
    )


@pytest.fixture
def fitted(pair: tuple[Any, Any]) -> Any:
    return pair[0]


@pytest.fixture
def many(pair: tuple[Any, Any]) -> Any:
    return pair[1]
