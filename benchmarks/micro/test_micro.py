"""Small cases for pytest-benchmark: `pytest benchmarks`; add `-k jax` or `-k torch` for one framework a process.

They are for a quick look before and after a change. The comparison proper, which runs every case in a fresh process,
is `python -m benchmarks run`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from benchmarks import machine
from benchmarks.speed.implementations import IMPLEMENTATIONS, PRODUCT, unavailable
from benchmarks.speed.process.compilation import Watch
from benchmarks.speed.process.subjects import subject, trainer
from benchmarks.speed.process.verify import verify
from benchmarks.speed.process.workloads import long_series, training_run, tutorial_series

SLOW = [pytest.param(name, marks=pytest.mark.slow) if name == "torch-compiled" else name for name in PRODUCT]
LENGTHS = (10**3, 10**5, 10**6)


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """Keeps the process on one core: what two threads give on a shared machine is not repeatable."""
    before = machine.cores()
    machine.pin(before[-1:])
    yield
    machine.pin(before)


@pytest.fixture(scope="module", params=SLOW)
def name(request: pytest.FixtureRequest) -> str:
    """The name of an implementation that is installed and was verified against the oracle."""
    reason = unavailable(request.param)
    if reason:
        pytest.skip(reason)
    if IMPLEMENTATIONS[request.param].backend == "torch":
        import torch

        torch.set_num_threads(1)
    result, _ = verify(*trainer(request.param), tutorial_series().normal)
    assert result.passed, f"not timed: {result}"
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(name: str) -> Any:
    """A detector that is fitted on the tutorial's series."""
    detector = subject(name)
    detector.fit(tutorial_series().normal)
    return detector


@pytest.fixture
def measure(benchmark: Any, name: str, request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function that times another one after a first call, whose compilation it notes beside the times."""
    case, _, parameters = request.node.name.rstrip("]").removeprefix("test_").partition("[")
    benchmark.group = f"{case} {parameters.removeprefix(name).strip('-')}".strip()

    def run(function: Callable[[], Any], **extra: Any) -> None:
        watch = Watch(IMPLEMENTATIONS[name].backend)
        compiled, before = watch.now(), perf_counter()
        function()
        benchmark.extra_info.update(
            device="cpu", threads=1, cores=machine.cores(), flags=machine.flags(), versions=machine.versions(),
            load=machine.load_average(), first_call_seconds=perf_counter() - before,
            programs_compiled=watch.now().since(compiled).programs, **extra,
        )  # fmt: skip
        begin = perf_counter()
        function()
        rounds = min(max(int(1.0 / (perf_counter() - begin)), 5), 1000)  # about a second
        benchmark.pedantic(function, rounds=rounds)

    return run


@pytest.mark.parametrize("steps", [15, 1500], ids=["epoch", "whole_run"])
def test_training(measure: Callable[..., None], name: str, steps: int) -> None:
    train, config = trainer(name, epochs=steps // 15)
    run, count = training_run(train, config, tutorial_series().normal)
    assert count == steps
    measure(run, steps=steps)


def test_step(measure: Callable[..., None], name: str) -> None:
    train, config = trainer(name, epochs=1, batch_size=512)  # one batch holds all windows
    run, count = training_run(train, config, tutorial_series().normal)
    assert count == 1
    measure(run, batch_size=512)


def test_fit(measure: Callable[..., None], name: str) -> None:
    detector, series = subject(name), tutorial_series().normal
    measure(lambda: detector.fit(series))


@pytest.mark.parametrize("points", LENGTHS)
def test_scoring(measure: Callable[..., None], fitted: Any, points: int) -> None:
    series = long_series(points)
    measure(lambda: fitted.score(series), points=points)


def test_one_window(measure: Callable[..., None], fitted: Any) -> None:
    scorer, window = fitted.window_scorer(), tutorial_series().anomalous[:50]
    measure(lambda: scorer(window))


def test_encode(measure: Callable[..., None], fitted: Any) -> None:
    series = tutorial_series().anomalous
    measure(lambda: fitted.detector.latent(series))


def test_load(measure: Callable[..., None], fitted: Any, tmp_path: Path) -> None:
    path, series = tmp_path / "model.safetensors", tutorial_series().anomalous
    fitted.detector.save(path)
    loaded = type(fitted.detector).load(path).decision_function(series)
    assert np.array_equal(loaded, fitted.score(series))
    measure(lambda: type(fitted.detector).load(path))
