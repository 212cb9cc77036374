"""What importing and fitting load, change and compile. What must not be there yet is asked of fresh processes."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.conftest import BACKENDS, ROOT, detector_of, in_a_fresh_process
from twinvae.network.backend import installed_backends, load_backend

FRAMEWORK = {"jax": ("jax", "jaxlib", "flax", "optax"), "torch": ("torch", "array_api_compat.torch")}
OTHER = {"jax": "torch", "torch": "jax"}
HEAVY = ("sklearn", "scipy.stats", "polars", "matplotlib", "pandas")
SMALL = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 2}


def test_a_failing_process_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        in_a_fresh_process("1 / 0")


def test_twinvae_imports_no_framework() -> None:
    frameworks = (*FRAMEWORK["jax"], *FRAMEWORK["torch"], "vae_jax", "vae_torch")
    paths = [path for path in (ROOT / "shared").rglob("*.py") if not path.stem.startswith("__")]
    modules = sorted(".".join(path.relative_to(ROOT / "shared").with_suffix("").parts) for path in paths)
    assert {"twinvae.detector.detector", "twinvae.adapters.aeon", "twinvae.adapters.pyod"} <= set(modules)
    in_a_fresh_process(
        f"""
import importlib, sys
for module in {modules}:
    importlib.import_module(module)
    loaded = [name for name in {frameworks} if name in sys.modules]
    assert not loaded, (module, loaded)
"""
    )


FIT = """
import sys
import numpy as np
from vae_{name} import VAEDetector
from twinvae.network.backend import load_backend
load_backend("{name}")
series = np.sin(np.arange(80) / 3)
detector = VAEDetector(window=5, epochs=2, hidden_dim=4, latent_dim=2).fit(series)
assert detector.decision_function(series).shape == (80,)
detector.predict(series), detector.events(series), detector.latent(series), detector.reconstruct(series)
detector.window_scorer()(series[:5])
"""


@pytest.mark.parametrize("name", BACKENDS)
def test_the_default_path_loads_neither_the_other_framework_nor_heavy_packages(name: str) -> None:
    unwanted = (*FRAMEWORK[OTHER[name]], f"vae_{OTHER[name]}", *HEAVY)
    if name == "torch":
        unwanted = (*unwanted, "rich")  # flax itself imports rich
    in_a_fresh_process(
        FIT.format(name=name) + f"loaded = [m for m in {unwanted} if m in sys.modules]; assert not loaded, loaded"
    )


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_works_where_the_other_framework_is_not_installed(name: str) -> None:
    blocked = (*FRAMEWORK[OTHER[name]], f"vae_{OTHER[name]}")
    in_a_fresh_process(
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
        + FIT.format(name=name)
        + f"""
from twinvae.network.backend import installed_backends
assert installed_backends() == ("{name}",)
import os, tempfile
path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
detector.save(path)
assert (VAEDetector.load(path).decision_function(series) == detector.decision_function(series)).all()
"""
    )


def test_importing_and_fitting_with_jax_changes_no_global_setting() -> None:
    in_a_fresh_process(
        """
import jax, numpy as np
before = dict(jax.config.values)
def changed(): return [name for name, value in before.items() if jax.config.values[name] != value]
import vae_jax
assert not changed(), changed()
vae_jax.VAEDetector(window=5, epochs=2, dtype="float64").fit(np.arange(50) % 7)
assert not changed(), changed()
assert "jax_enable_x64" in before
jax.config.update("jax_enable_x64", True)
assert changed() == ["jax_enable_x64"], "the comparison can fail"
jax.config.update("jax_enable_x64", False)
assert jax.numpy.zeros(0).dtype == "float32"
"""
    )


def test_importing_and_fitting_with_torch_changes_no_global_setting() -> None:
    in_a_fresh_process(
        """
import torch, numpy as np
def settings():
    return (torch.get_default_dtype(), torch.get_float32_matmul_precision(), torch.get_num_threads(),
            torch.get_num_interop_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
            torch.get_default_device(), torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32,
            torch.are_deterministic_algorithms_enabled(), torch.get_rng_state().sum().item())
torch.set_float32_matmul_precision("high")
torch.set_num_threads(2)
before = settings()
import vae_torch
assert settings() == before
detector = vae_torch.VAEDetector(window=5, epochs=2, dtype="float64").fit(np.arange(50) % 7)
detector.events(np.arange(50))
assert settings() == before, (before, settings())
"""
    )


def test_a_float64_fit_leaves_64_bit_types_off() -> None:
    import jax

    detector_of("jax")(**SMALL, dtype="float64").fit(np.arange(50) % 7)
    assert jax.numpy.arange(3.0).dtype == "float32"


def test_a_training_left_in_the_middle_leaves_64_bit_types_off() -> None:
    import jax

    from twinvae.config import Config
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks

    config = Config(**SMALL, dtype="float64")  # type: ignore[arg-type]
    net, series = Net.of(config, 1), np.random.default_rng(0).normal(size=(50, 1))
    running: Any = load_backend("jax").train(net, draw(net, 0), series, chunks(46, config, 0, limit=1), config)
    next(running)
    assert jax.numpy.arange(3.0).dtype == "float32"
    running.close()
    assert jax.numpy.arange(3.0).dtype == "float32"


def test_a_training_left_in_the_middle_leaves_torch_s_threads_and_precision_alone() -> None:
    import torch

    from twinvae.config import Config
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks

    config = Config(**SMALL)  # type: ignore[arg-type]
    series = np.random.default_rng(0).normal(size=(50, 1)).astype(np.float32)
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("high")
    try:
        net = Net.of(config, 1)
        running: Any = load_backend("torch").train(net, draw(net, 0), series, chunks(46, config, 0, limit=1), config)
        next(running)
        assert torch.get_num_threads() == 2
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.is_grad_enabled()
        running.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


def test_scoring_a_long_series_with_a_thread_for_each_block_changes_neither_scores_nor_threads() -> None:
    import torch

    from twinvae.config import Config
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from vae_torch.score import BLOCK_VALUES

    net = Net.of(Config(**SMALL), 1)  # type: ignore[arg-type]
    series = np.random.default_rng(0).normal(size=(BLOCK_VALUES, 1)).astype(np.float32)  # several blocks
    parameters, threads = draw(net, 0), torch.get_num_threads()
    results = []
    try:
        for many in (1, 3):
            torch.set_num_threads(many)
            results.append(load_backend("torch").statistics(net, parameters, series, ("point", "window"), "auto"))
            assert torch.get_num_threads() == many
    finally:
        torch.set_num_threads(threads)
    for name, one in results[0].items():
        assert (results[1][name] == one).all()


def test_torch_keeps_a_lower_precision_that_the_user_set_but_computes_in_full() -> None:
    import torch

    series = np.sin(np.arange(60) / 3)
    expected = detector_of("torch")(**SMALL).fit(series).decision_scores_
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        scores = detector_of("torch")(**SMALL).fit(series).decision_scores_
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert (scores == expected).all()


# Backends by name.


def test_both_backends_are_installed_here_and_load() -> None:
    assert installed_backends() == BACKENDS
    for name in BACKENDS:
        module: Any = load_backend(name)
        assert module.__name__ == f"vae_{name}.backend"
        assert all(callable(getattr(module, function)) for function in ("train", "statistics", "encode", "bind"))


@pytest.mark.parametrize("name", ["tensorflow", "", "JAX"])
def test_an_unknown_backend_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown backend '{name}': choose one of jax, torch"):
        load_backend(name)


@pytest.mark.parametrize(
    ("name", "package"),
    [("jax", "jax"), ("jax", "flax"), ("jax", "optax"), ("torch", "torch"), ("torch", "array_api_compat")],
)
def test_a_backend_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert installed_backends() == (OTHER[name],)
    with pytest.raises(ValueError, match=rf"the backend {name} is not installed: pip install 'twinvae\[{name}\]'"):
        load_backend(name)


# Compilations.


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """Grows by one whenever JAX compiles a program."""
    import jax.monitoring

    events: list[str] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)


def test_the_counter_counts_compilations(compilations: list[str]) -> None:
    import jax

    program = jax.jit(lambda x: 3.0 * x + len(compilations))
    program(np.ones(17))
    assert len(compilations) == 1
    program(np.zeros(17))
    assert len(compilations) == 1
    program(np.ones(18))
    assert len(compilations) == 2


@pytest.mark.parametrize("settings", [{}, {"validation_fraction": 0.3}, {"dtype": "float64"}, {"draws": 2}])
def test_a_second_fit_and_score_of_the_same_shape_compile_nothing(
    compilations: list[str], settings: dict[str, Any]
) -> None:
    def work(seed: int) -> None:
        series = np.random.default_rng(seed).normal(size=(90, 2))
        detector = detector_of("jax")(**SMALL | {"hidden_dim": 6}, seed=seed, **settings).fit(series)
        for kind in ("point", "reconstruction", "window", "causal"):
            detector.decision_function(series, kind=kind)
        detector.events(series), detector.latent(series), detector.reconstruct(series)
        detector.window_scorer()(series[:5])

    work(0)
    assert compilations, "the first fit compiles"
    compilations.clear()
    work(1)
    assert not compilations


@pytest.mark.parametrize(
    ("settings", "early"),
    [({}, False), ({"dtype": "float64", "missing": "mask"}, True), ({"device": "cpu", "hidden_dim": 9}, True)],
)
def test_what_calibration_asks_of_the_training_series_is_compiled_while_it_trains(
    compilations: list[str], settings: dict[str, Any], early: bool
) -> None:
    from twinvae.config import Config
    from twinvae.network.backend import STATISTICS
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks
    from twinvae.scoring.gap_errors import with_gaps

    config = Config(**SMALL | {"hidden_dim": 8} | settings)
    net, backend = Net.of(config, 1), load_backend("jax")
    parameters, series = draw(net, 0), np.random.default_rng(0).normal(size=(50, 1)).astype(config.dtype)
    running: Any = backend.train(net, parameters, series, chunks(46, config, 0, limit=1), config)
    next(running)
    running.close() if early else list(running)
    assert compilations
    compilations.clear()
    backend.statistics(net, parameters, series, STATISTICS, config.device)
    if config.missing == "mask":
        cut = with_gaps(series, net.window)
        backend.statistics(replace(net, masked=True), parameters, cut, STATISTICS, config.device)
    assert not compilations
    backend.statistics(net, parameters, series, STATISTICS[:2], config.device)
    assert compilations, "the comparison can fail"


def test_scores_of_many_lengths_share_few_programs(compilations: list[str]) -> None:
    detector = detector_of("jax")(**SMALL | {"hidden_dim": 7}).fit(np.sin(np.arange(80) / 3))
    detector.decision_function(np.zeros(200))
    compilations.clear()
    for length in range(140, 260, 7):
        detector.decision_function(np.zeros(length))
    assert not compilations
