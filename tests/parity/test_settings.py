"""What a caller has set in its framework changes no bit of what a backend computes, and is as before afterwards."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
import torch

from tests.helpers.detectors import CHANNELS
from twinvae.config import Config
from twinvae.network import parameters, schedule
from twinvae.network.backend import STATISTICS, load_backend
from twinvae.network.net import Net

CONFIG = Config(window=5, hidden_dim=4, latent_dim=2, epochs=2, batch_size=8, beta_warm_up=1, missing="mask")
GAPS = np.where(np.arange(80)[:, None] % 17 == 3, np.nan, CHANNELS)  # a program with masks has all that others have


def every_function(name: str, dtype: Any) -> list[np.ndarray]:
    """The results of all functions of a backend."""
    backend, config, series = load_backend(name), replace(CONFIG, dtype=dtype), GAPS.astype(dtype)
    net = Net.of(config, 3, masked=True)
    start, draw = parameters.draw(net, 0), np.ones(2, np.float32)
    *_, trained = backend.train(net, start, series, schedule.chunks(76, config, 0), config)
    together = schedule.chunks_together([76, 76], [2, 1], config, 0)
    found = []
    for state in (trained, *backend.train_together(net, start, np.stack([series] * 2), together, config)):
        found += [*state.parameters.values(), state.terms]
    for noise in (None, draw):
        found += backend.statistics(net, trained.parameters, series, STATISTICS, "auto", noise).values()
    found += backend.encode(net, trained.parameters, series, "auto")
    found.append(backend.bind(net, trained.parameters, "auto")(np.stack([series[:5], series[5:10]])))
    return found


@contextmanager
def a_global(set_it: Callable[[Any], object], value: Any, before: Any) -> Iterator[None]:
    set_it(value)
    try:
        yield
    finally:
        set_it(before)


def a_jax_flag(name: str, value: Any) -> AbstractContextManager[None]:
    return a_global(partial(jax.config.update, name), value, getattr(jax.config, name))


SETTINGS: dict[str, dict[str, Callable[[], Any]]] = {
    "torch": {
        "no_grad": torch.no_grad,
        "inference_mode": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        "default dtype": lambda: a_global(torch.set_default_dtype, torch.bfloat16, torch.float32),
        "default device": lambda: a_global(torch.set_default_device, "meta", None),
        "device": lambda: torch.device("meta"),
        "deterministic": lambda: a_global(torch.use_deterministic_algorithms, True, False),
        "precision": lambda: a_global(torch.set_float32_matmul_precision, "medium", "highest"),
    },
    "jax": {
        "64 bits": lambda: jax.enable_x64(True),
        "64 bits everywhere": lambda: a_jax_flag("jax_enable_x64", True),
        "debug_nans": lambda: jax.debug_nans(True),
        "debug_infs": lambda: jax.debug_infs(True),
        "precision": lambda: jax.default_matmul_precision("bfloat16"),
        "disable_jit": jax.disable_jit,
        "strict types": lambda: jax.numpy_dtype_promotion("strict"),
        "strict types everywhere": lambda: a_jax_flag("jax_numpy_dtype_promotion", "strict"),
        "strict ranks": lambda: jax.numpy_rank_promotion("raise"),
        "transfer_guard": lambda: jax.transfer_guard("disallow"),
    },
}


def what_is_set() -> list[Any]:
    ours = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    flags = "jax_enable_x64", "jax_debug_nans", "jax_disable_jit", "jax_numpy_dtype_promotion", "jax_transfer_guard"
    precision = torch.get_float32_matmul_precision(), jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    more = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    return [*ours, *precision, *more, *(getattr(jax.config, flag) for flag in flags)]


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_what_the_caller_has_set_changes_nothing_and_stays(backend_name: str, dtype: str) -> None:
    expected = every_function(backend_name, dtype)
    for name, setting in SETTINGS[backend_name].items():
        with setting():
            before = what_is_set()
            found = every_function(backend_name, dtype)
            assert what_is_set() == before, name
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
            assert one.dtype == other.dtype, name


@pytest.mark.slow  # JAX compiles for a device that is named
def test_a_default_device_changes_nothing() -> None:
    expected = every_function("jax", "float32")
    with jax.default_device(jax.devices("cpu")[0]):
        found = every_function("jax", "float32")
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(found, expected, strict=True))


def test_threads_that_score_a_long_series_know_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vae_torch.score.BLOCK_VALUES", 100)
    net, backend = Net.of(CONFIG, 3), load_backend("torch")
    start, series = parameters.draw(net, 0), CHANNELS.astype(np.float32)
    expected = backend.statistics(net, start, series, STATISTICS, "auto")
    for setting in SETTINGS["torch"].values():
        with setting():
            found = backend.statistics(net, start, series, STATISTICS, "auto")
        assert all((found[name] == expected[name]).all() for name in STATISTICS)
