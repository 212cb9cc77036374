"""Checks of compiled training; `test_compiled` runs them in fresh processes: beartype's wrappers do not compile."""

import sys
from dataclasses import replace
from typing import Any

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
from vae_torch import _compiled, _loop

# 23 windows in batches of 4: 6 steps an epoch, the last one of 3 windows; 7 epochs are 42 steps.
SMALL = Config(
    window=5, hidden_dim=6, latent_dim=2, batch_size=4, epochs=7, dtype="float64", compile=True, learning_rate=0.01
)


UNEVEN = 13  # steps in a chunk: the last one is not full


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


def a_run_step_by_step_is_the_oracles() -> None:
    def gone(*_: object, **__: object) -> None:
        raise ImportError("no while_loop here")

    _loop.program = gone  # type: ignore[assignment]
    assert_a_run_is_the_oracles(np.sin(np.arange(27.0))[:, None], replace(SMALL, beta_warm_up=3), UNEVEN)


def a_loop_has_the_bits_of_single_steps() -> None:
    series = np.sin(np.arange(27.0), dtype=np.float32)[:, None]
    config = replace(SMALL, dtype="float32")
    net = Net.of(config, 1)
    start, steps = parameters.draw(net, 0), list(schedule.chunks(23, config, 0, limit=UNEVEN))
    *_, looped = load_backend("torch").train(net, start, series, steps, config)
    single = _compiled._compiled_step(net, config.beta, config.learning_rate, "cpu")
    _compiled._program = lambda *_, **__: _compiled._step_by_step(single)
    *_, stepped = load_backend("torch").train(net, start, series, steps, config)
    for name, array in looped.parameters.items():
        np.testing.assert_array_equal(array, stepped.parameters[name], err_msg=name)


def beta_warms_up_as_the_oracles() -> None:
    assert_a_run_is_the_oracles(np.sin(np.arange(27.0))[:, None], replace(SMALL, beta_warm_up=3), UNEVEN)


def what_the_caller_has_set_changes_nothing() -> None:
    series = np.sin(np.arange(27.0))[:, None]
    for setting in (torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta")):
        with setting:
            assert_a_run_is_the_oracles(series, SMALL)


def a_second_fit_and_another_length_compile_nothing() -> None:
    def fit(rows: int, batch_size: int = 32) -> VAEDetector:
        series = np.sin(np.arange(float(rows))) + np.random.default_rng(rows).normal(0, 0.1, rows)
        detector = TorchDetector(window=5, hidden_dim=6, latent_dim=2, epochs=2, batch_size=batch_size, compile=True)
        return detector.fit(series)

    compiled = 0
    package = _loop._package

    def counted(*arguments: Any) -> None:
        nonlocal compiled
        compiled += 1
        package(*arguments)

    _loop._package = counted  # type: ignore[assignment]
    fit(60)
    assert compiled == 1
    fit(60)
    fit(300)
    assert compiled == 1
    _loop.program.cache_clear()  # as in another process
    fit(60)
    assert compiled == 1, "a package on disk is taken"
    fit(60, batch_size=16)
    assert compiled == 2, "other sizes are another program"


if __name__ == "__main__":
    globals()[sys.argv[1]]()
