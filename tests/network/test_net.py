"""What a network is made from, and what it sees of its windows."""

from typing import Any

import numpy as np
import pytest

from twinvae.config import Config
from twinvae.network.net import Net
from twinvae.network.objective import seen


def test_a_net_has_the_sizes_of_its_configuration() -> None:
    net = Net.of(Config(window=7, hidden_dim=5, latent_dim=3, dtype="float64"), 2)
    assert net == Net(7, 2, 5, 3, "float64", centred=False, masked=False)
    assert net.features == 14


@pytest.mark.parametrize("missing", ["error", "interpolate", "mask"])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_net_has_masks_only_where_there_are_gaps_that_are_left_out(missing: Any, gaps: bool) -> None:
    assert Net.of(Config(missing=missing), 1, masked=gaps).masked == (gaps and missing == "mask")


def test_equal_nets_share_a_program() -> None:
    one, other = (Net.of(Config(epochs=epochs), 1) for epochs in (1, 2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Net.of(Config(centring="window"), 1)


def test_only_a_centred_net_sees_windows_without_their_mean() -> None:
    x = np.random.default_rng(0).normal(size=(7, 4, 2)) + 3.0
    same, nothing = seen(x, Net.of(Config(), 2), np)
    assert same is x
    assert nothing is None
    centred, level = seen(x, Net.of(Config(centring="window"), 2), np)
    assert level is not None
    np.testing.assert_allclose(centred.mean(axis=1), 0.0, atol=1e-14)
    np.testing.assert_allclose(centred + level, x, rtol=1e-14)
