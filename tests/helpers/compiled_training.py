"""Checks of compiled training; `test_compiled` runs them in fresh processes: beartype's wrappers do not compile."""

import sys
from dataclasses import replace

import numpy as np
import torch

from tests.helpers.closeness import assert_all_close, assert_close
from tests.oracle import reference
from twinvae.config import Config
from twinvae.detector.detector import VAEDetector
from twinvae.network import parameters, schedule
from twinvae.network.backend import load_backend
from twinvae.network.net import Net
from vae_torch import VAEDetector as TorchDetector
from vae_torch._compiled import STEPS_PER_CALL

# 23 windows in batches of 4: 6 steps an epoch, the last one of 3 windows; 7 epochs are 42 steps.
SMALL = Config(
    window=5, hidden_dim=6, latent_dim=2, batch_size=4, epochs=7, dtype="float64", compile=True, learning_rate=0.01
)


UNEVEN = 12 + STEPS_PER_CALL - 1  # steps in a chunk: its last call is not full


def assert_a_run_is_the_oracles(series: np.ndarray, config: Config, limit: int = schedule.CHUNK_STEPS) -> None:
    net = Net.of(config, 1, masked=bool(np.isnan(series).any()))
    start = parameters.draw(net, 0)
    steps = list(schedule.chunks(23, config, 0, limit=limit))
    expected, terms = reference.train(
        start, series, steps, window=5, beta=2.0, learning_rate=0.01, centring=config.centring
    )
    trained = list(load_backend("torch").train(net, start, series, steps, config))
    assert_all_close(trained[-1].parameters, expected, 1e-10)
    assert_close(np.concatenate([state.terms for state in trained]), terms, 1e-10)


def a_compiled_run_is_the_oracles() -> None:
    assert_a_run_is_the_oracles(np.sin(np.arange(27.0))[:, None], SMALL, UNEVEN)


def a_compiled_run_leaves_missing_values_out() -> None:
    series = np.where(np.arange(27) % 7 == 3, np.nan, np.sin(np.arange(27.0)))[:, None]
    series[10:18] = np.nan
    assert_a_run_is_the_oracles(series, replace(SMALL, missing="mask"))


def a_compiled_centred_run_is_the_oracles() -> None:
    assert_a_run_is_the_oracles(np.sin(np.arange(27.0))[:, None] + 3.0, replace(SMALL, centring="window"))


def steps_that_do_not_fill_a_call_change_nothing() -> None:
    series = np.sin(np.arange(27.0))[:, None]
    net = Net.of(SMALL, 1)
    start = parameters.draw(net, 0)
    (whole,) = schedule.chunks(23, SMALL, 0)
    uneven = whole._replace(used=whole.used - 1)
    assert uneven.used % STEPS_PER_CALL
    expected, _ = reference.train(start, series, [uneven], window=5, beta=2.0, learning_rate=0.01)
    (trained,) = load_backend("torch").train(net, start, series, [uneven], SMALL)
    assert_all_close(trained.parameters, expected, 1e-10)


def beta_warms_up_as_the_oracles() -> None:
    assert_a_run_is_the_oracles(np.sin(np.arange(27.0))[:, None], replace(SMALL, beta_warm_up=3), UNEVEN)


def what_the_caller_has_set_changes_nothing() -> None:
    series = np.sin(np.arange(27.0))[:, None]
    for setting in (torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta")):
        with setting:
            assert_a_run_is_the_oracles(series, SMALL)


def a_second_compiled_fit_compiles_nothing() -> None:
    from torch._dynamo.utils import counters

    def fit(seed: int) -> VAEDetector:
        series = np.sin(np.arange(60.0)) + np.random.default_rng(seed).normal(0, 0.1, 60)
        return TorchDetector(window=5, hidden_dim=6, latent_dim=2, epochs=2, compile=True).fit(series)

    fit(0)
    before = counters["stats"]["unique_graphs"]
    assert before > 0
    fit(1)
    assert counters["stats"]["unique_graphs"] == before


if __name__ == "__main__":
    globals()[sys.argv[1]]()
