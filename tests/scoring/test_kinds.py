"""The table of the kinds of score, and what follows from it."""

from typing import Any

import pytest

from twinvae.config import KINDS
from twinvae.network.backend import STATISTICS
from twinvae.scoring.calibration import SINGLE_WINDOW, THRESHOLDS
from twinvae.scoring.kinds import SCORES, statistics_of


def test_the_table_has_a_row_for_each_kind_of_the_configuration() -> None:
    assert tuple(SCORES) == KINDS
    assert all(name == score.kind for name, score in SCORES.items())


def test_every_kind_has_a_threshold_and_so_has_a_single_window() -> None:
    assert (*SCORES, SINGLE_WINDOW) == THRESHOLDS


def test_all_kinds_together_are_made_of_all_statistics() -> None:
    assert statistics_of(*KINDS) == ("point", "reconstruction", "window", "causal", "divergence")
    assert set(statistics_of(*KINDS)) == set(STATISTICS)


@pytest.mark.parametrize(
    ("kind", "scaling", "axis"),
    [
        ("multiscale", "standard", "(error / largest training error)²"),
        ("window", "standard", "squared error (training deviations)"),
        ("window", "none", "squared error"),
        ("probability", "standard", "nats per value"),
        ("divergence", "standard", "nats"),
    ],
)
def test_a_picture_s_axis_names_the_unit_of_the_score(kind: Any, scaling: Any, axis: str) -> None:
    assert SCORES[kind].axis(scaling) == axis
