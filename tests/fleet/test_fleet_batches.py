"""Which series of a fleet are trained together, and the training of one batch."""

from collections.abc import Iterator

import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import detector_of, unchecked
from tests.helpers.waves import SMALL, waves
from twinvae.fleet.batches import BATCH_VALUES, Need, cut, need
from twinvae.fleet.training import fit_batch
from twinvae.network.training import Cancelled
from twinvae.process.notices import collected


@pytest.fixture(autouse=True)
def without_checks_of_annotations() -> Iterator[None]:
    """Whole trainings by the dozen would pay for them; one test keeps them."""
    with unchecked():
        yield


def a_need(windows: int = 100, window: int = 10, masked: bool = False, channels: int = 1, epochs: int = 2) -> Need:
    return Need(window, channels, masked, min(32, windows), windows, epochs)


needs_of = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.builds(a_need, st.integers(1, 300), st.sampled_from([5, 10]), st.booleans(), st.integers(1, 2)),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(needs=needs_of, together=st.integers(1, 9))
def test_batches_hold_each_series_once_with_its_like(needs: dict[str, Need], together: int) -> None:
    batches = cut(needs, together)
    assert sorted(name for batch in batches for name in batch) == sorted(needs)
    for batch in batches:
        assert 1 <= len(batch) <= together
        assert len({needs[name].group for name in batch}) == 1
    assert batches == cut(dict(needs), together)


def test_many_series_make_enough_batches_for_many_cores() -> None:
    assert len(cut({str(index): a_need() for index in range(1000)})) == 16
    assert len(cut({str(index): a_need() for index in range(40)})) == 3
    assert max(map(len, cut({str(index): a_need() for index in range(10_000)}))) == 64


def test_long_series_are_fewer_in_a_batch() -> None:
    long = a_need(windows=2**22 - 9)
    assert [len(batch) for batch in cut({str(index): long for index in range(9)})] == [4, 4, 1]
    huge = a_need(windows=2 * BATCH_VALUES)
    assert [len(batch) for batch in cut({str(index): huge for index in range(2)})] == [1, 1]


def test_a_need_is_what_the_training_takes(backend_name: str) -> None:
    detector = detector_of(backend_name)(**SMALL | {"preset": "standard"})
    assert need(detector, waves(100)["s0"]) == Need(10, 1, False, 32, 91, 3)
    assert need(detector, waves(20)["s0"]) == Need(10, 1, False, 11, 11, 3)
    gaps = waves(100)["s0"]
    gaps[5] = np.nan
    with collected() as said:
        assert need(detector_of(backend_name)(**SMALL), gaps).masked
    assert not said
    with pytest.raises(ValueError, match="fewer than the window"):
        need(detector, np.ones(3))


@pytest.mark.slow
def test_a_batch_keeps_to_its_annotations(backend_name: str) -> None:
    jaxtyping.config.update("jaxtyping_disable", False)
    members = fit_batch(
        detector_of(backend_name)(**SMALL | {"epochs": 1}), waves(60, 50, 70, channels=2) | {"bad": np.ones(3)}
    )
    assert [member.name for member in members] == ["s0", "s1", "s2", "bad"]
    assert [bool(member.error) for member in members] == [False, False, False, True]


def test_training_stops_between_chunks_when_nobody_wants_it(backend_name: str) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 1

    detector = detector_of(backend_name)(**SMALL | {"epochs": 400})
    with pytest.raises(Cancelled):
        fit_batch(detector, waves(100, 100), stop=stop)
    assert asked == 2
