"""Training in both backends against the oracle; and that the comparison can fail."""

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from tests.conftest import (
    assert_all_close,
    assert_close,
)
from tests.helpers.cases import CASES, Case, shifted
from twinvae.config import Config
from twinvae.network.backend import load_backend
from twinvae.network.net import Net
from twinvae.network.schedule import chunks
from vae_torch._compiled import _in_graphs
from vae_torch._step import flat_step


@pytest.mark.parametrize("name", ["tutorial", "last batch of one", "beta warms up"])  # the next test has them all
def test_ten_steps_of_training_are_the_oracle_s(backend: Any, name: str) -> None:
    case = Case(name, "float64", 9)
    ten = [
        chunk._replace(used=1)  # so that ten steps end where the oracle's do
        for chunk in islice(chunks(case.windows, case.config, 0, limit=1), 10)
    ]
    expected, expected_terms = case.oracle_run(steps=len(ten))
    results = list(case.train(backend, ten))
    assert_all_close(results[-1].parameters, expected, 1e-10)
    assert_close(np.concatenate([result.terms for result in results]), expected_terms, 1e-10)


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_the_oracle_s_and_leaves_its_arguments_alone(backend: Any, name: str) -> None:
    case = Case(name, "float64", 10)
    if name == "tutorial":
        case.config = Config(epochs=3, dtype="float64")
    before, series = {key: array.copy() for key, array in case.parameters.items()}, case.series.copy()
    expected, expected_terms = case.oracle_run()
    results = list(case.train(backend))
    assert_all_close(results[-1].parameters, expected, 1e-10)
    assert_close(np.concatenate([result.terms for result in results]), expected_terms, 1e-10)
    assert all((case.parameters[key] == array).all() for key, array in before.items())
    assert (case.series == series).all()


@pytest.mark.parametrize(
    "name",
    ["last batch of one", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tutorial", "beta warms up"))],
)
def test_a_run_as_on_a_gpu_is_the_oracle_s(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """JAX's loop of known length, PyTorch's graphs with steps left over: all of it but the device."""
    monkeypatch.setattr("vae_jax.train._on_cpu", lambda: False)
    monkeypatch.setattr("vae_torch._graph.recorded", lambda function: function)  # what is replayed is run again
    monkeypatch.setattr("vae_torch._graph.STEPS", 3)
    monkeypatch.setattr("vae_torch._compiled.STEPS", 3)
    monkeypatch.setattr("vae_torch._compiled._program", as_on_a_gpu)
    case = Case(name, "float64", 10)
    case.config = replace(case.config, epochs=min(case.config.epochs, 3), compile=True)
    expected, expected_terms = case.oracle_run()
    for backend in map(load_backend, ("jax", "torch")):
        results = list(case.train(backend))
        assert_all_close(results[-1].parameters, expected, 1e-10)
        assert_close(np.concatenate([result.terms for result in results]), expected_terms, 1e-10)


def as_on_a_gpu(net: Net, config: Config, *_: object, **__: object) -> Any:
    """What runs PyTorch's steps there, but for the compilation of the step."""
    return _in_graphs(flat_step(net, config.beta, config.learning_rate))


def test_a_run_without_the_warm_up_is_another(backend: Any) -> None:
    case = Case("beta warms up", "float64", 10)
    plain = [chunk._replace(beta_scale=None) for chunk in chunks(case.windows, case.config, 0)]
    *_, last = case.train(backend, plain)
    with pytest.raises(AssertionError, match="off by"):
        assert_all_close(last.parameters, case.oracle_run()[0], 1e-10)


def test_what_a_chunk_yields_is_not_changed_by_the_next(backend: Any) -> None:
    case = Case("three channels", "float64", 10)
    running = case.train(backend, chunks(case.windows, case.config, 0, limit=2))
    first = next(running)
    copies = {name: array.copy() for name, array in first.parameters.items()}
    last = list(running)[-1]
    assert all((first.parameters[name] == array).all() for name, array in copies.items())
    assert any((last.parameters[name] != array).any() for name, array in copies.items())


def test_run_comparison_fails_on_a_bias_shifted_by_a_millionth(backend: Any) -> None:
    case = Case("three channels", "float64", 0)
    wrong = shifted(case.parameters, "output.bias", 1e-6)
    *_, last = case.train(backend, parameters=wrong)
    expected, _ = case.oracle_run()
    with pytest.raises(AssertionError, match="off by"):
        assert_all_close(last.parameters, expected, 1e-10)
