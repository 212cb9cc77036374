"""How unusual a stretch is, and which come nearest to events."""

import numpy as np
import pytest

from twinvae.scoring.severity import nearest_to_events, severity
from twinvae.windowing.intervals import intervals


def test_the_severity_is_half_at_the_threshold_nine_tenths_at_nine_times_it_and_never_more_than_all() -> None:
    assert severity(0.0, 2.0) == 0.0
    assert severity(2.0, 2.0) == 50.0
    assert severity(18.0, 2.0) == pytest.approx(90.0)
    assert severity(1e300, 2.0) <= 100.0
    assert severity(1.0, 0.0) == 100.0
    assert severity(0.0, 0.0) == 0.0
    rising = [severity(score, 3.0) for score in np.linspace(0, 50, 100)]
    assert rising == sorted(rising)


def test_the_highest_peaks_are_named_apart_from_each_other_and_from_events() -> None:
    scores = np.ones(1000)
    scores[500:510] = 50.0  # an event
    scores[515] = 40.0  # its smear
    scores[100:105], scores[102] = 5.0, 8.0
    scores[110] = 7.0  # too near to the one before
    scores[800], scores[801], scores[999] = 6.0, np.nan, 4.0
    found = intervals(nearest_to_events(scores, [(500, 510)], 3, 50))
    assert found == [(100, 105), (800, 801), (999, 1000)]
    assert len(intervals(nearest_to_events(scores, [(500, 510)], 2, 50))) == 2


def test_a_series_without_scores_has_no_stretch() -> None:
    assert not nearest_to_events(np.zeros(50), [], 5, 3).any()
    assert not nearest_to_events(np.full(50, np.nan), [], 5, 3).any()
    assert not nearest_to_events(np.ones(50), [(10, 40)], 5, 60).any()
