"""What every run asks another process about the machine is asked once: the answer takes seconds and stays the same."""

import functools
from collections.abc import Iterator

import pytest

from benchmarks import machine


@pytest.fixture(scope="session", autouse=True)
def _libraries_are_asked_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "_blas", functools.cache(machine._blas))
        yield
