"""Where an event ends that only averages of the error see."""

import numpy as np
import pytest

from twinvae.scoring.extent import excess, within
from twinvae.windowing.intervals import intervals


def spans(*given: tuple[int, int], length: int = 600) -> np.ndarray:
    labels = np.zeros(length, np.int8)
    for start, end in given:
        labels[start:end] = 1
    return labels


def test_an_event_is_cut_to_where_its_steps_err() -> None:
    point = np.random.default_rng(0).exponential(size=(600, 2)) * [1.0, 5.0]
    point[300:340] *= 30.0
    wide, none = spans((200, 440)), np.zeros(600, np.int8)
    ((start, end),) = intervals(within(wide, none, excess(point), wide))
    assert abs(start - 300) <= 5
    assert abs(end - 340) <= 5


def test_the_segment_is_that_of_the_loop() -> None:
    above = np.random.default_rng(1).normal(size=60)
    found = intervals(within(spans((5, 50), length=60), np.zeros(60, np.int8), above, np.ones(60, np.int8)))
    wanted = max((above[a:b].sum(), (a, b)) for a in range(5, 50) for b in range(a + 1, 51))[1]
    assert found == [wanted]


def test_what_a_step_alone_sees_or_what_would_lose_its_alarms_stays() -> None:
    point = np.ones((600, 1))
    point[300:340] = 30.0
    wide = spans((200, 440))
    assert (within(wide, spans((310, 311)), excess(point), wide) == wide).all()
    assert (within(wide, np.zeros(600, np.int8), excess(point), spans((210, 220))) == wide).all()


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_unknown_and_vanishing_errors_are_no_part_of_an_event(value: float) -> None:
    point = np.random.default_rng(0).exponential(size=(600, 2))
    point[100:500, 1] = value
    point[250:400] = value
    above = excess(point)
    assert np.isfinite(above).all()
    assert (above[250:400] == -1).all()
