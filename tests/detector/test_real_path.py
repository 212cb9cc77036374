"""The product's path runs the module and the optimiser that it names."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.conftest import assert_close
from tests.helpers.detectors import PLAIN, SMALL
from twinvae.config import KINDS


@pytest.fixture
def fresh_programs() -> Iterator[None]:
    """Nothing compiled before the test or in it is used in the other."""
    import jax

    from vae_jax import train

    def clear() -> None:
        jax.clear_caches()  # type: ignore[no-untyped-call]
        train._compiled.cache_clear()

    clear()
    yield
    clear()


@pytest.mark.usefixtures("fresh_programs")
def test_a_change_of_the_module_changes_scores_and_training(
    backend_name: str, detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    detector = detector_class(**SMALL).fit(PLAIN)
    before = {kind: detector.decision_function(PLAIN, kind=kind) for kind in KINDS}
    single, latent = detector.window_scorer()(PLAIN[:5]), detector.latent(PLAIN)

    module = importlib.import_module(f"vae_{backend_name}.model")
    decode = module.VAE.decode
    monkeypatch.setattr(module.VAE, "decode", lambda self, z: decode(self, z) + 0.25)
    if backend_name == "jax":
        import jax

        from vae_jax import train

        jax.clear_caches()  # type: ignore[no-untyped-call]
        train._compiled.cache_clear()
    for kind in KINDS:
        changed = detector.decision_function(PLAIN, kind=kind)[4:] != before[kind][4:]
        drawn = kind not in ("divergence", "neighbour")  # the decoder has no part in these
        assert changed.all() if drawn else not changed.any(), kind
    assert detector.window_scorer()(PLAIN[:5]) != single
    assert (detector.latent(PLAIN) == latent).all()
    again = detector_class(**SMALL).fit(PLAIN)
    assert (again.parameters_["output.bias"] != detector.parameters_["output.bias"]).any()

    encode = module.VAE.encode
    monkeypatch.setattr(module.VAE, "encode", lambda self, x: tuple(part + 1.0 for part in encode(self, x)))
    if backend_name == "jax":
        jax.clear_caches()  # type: ignore[no-untyped-call]
    assert (detector.latent(PLAIN) != latent).all()


@pytest.mark.usefixtures("fresh_programs")
@pytest.mark.filterwarnings("ignore:posterior collapse")
def test_the_optimiser_is_the_framework_s_adam(
    backend_name: str, detector_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optax
    import torch

    before = detector_class(**SMALL, learning_rate=0.01).fit(PLAIN)
    if backend_name == "jax":
        from vae_jax import train

        adam: Any = optax.adam
        monkeypatch.setattr(optax, "adam", lambda rate: adam(10 * rate))
        train._compiled.cache_clear()
    else:
        adam = torch.optim.Adam
        monkeypatch.setattr(torch.optim, "Adam", lambda p, lr, **options: adam(p, lr=10 * lr, **options))
    patched = detector_class(**SMALL, learning_rate=0.01).fit(PLAIN)
    monkeypatch.undo()
    if backend_name == "jax":
        train._compiled.cache_clear()
    expected = detector_class(**SMALL, learning_rate=0.1).fit(PLAIN)
    for name, array in patched.parameters_.items():
        assert_close(array, expected.parameters_[name], 1e-5, name)
        assert np.abs(array - before.parameters_[name]).max() > 1e-3
