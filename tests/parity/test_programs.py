"""How many compiled programs JAX keeps: those of other lengths are shared, and those of other windows are let go."""

import gc
import re

import numpy as np
import pytest

from tests.conftest import detector_of, in_a_fresh_process
from tests.helpers.detectors import SMALL
from twinvae.config import Config
from twinvae.network.net import Net
from twinvae.network.parameters import draw
from twinvae.network.schedule import chunks
from vae_jax import _vector, backend, score, train


def programs() -> int:
    import jax

    gc.collect()
    return len(jax.devices()[0].client.live_executables())


def test_series_of_other_lengths_share_their_programs() -> None:
    wave, small = np.sin(np.arange(127.0)), SMALL | {"hidden_dim": 5}
    detector_of("jax")(**small).fit(wave)
    before = programs()
    for length in range(115, 127):
        detector_of("jax")(**small).fit(wave[:length])
    assert programs() == before


@pytest.mark.parametrize("length", [63, 64, 65])
def test_padding_changes_no_bit_of_a_training(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    config = Config(window=5, hidden_dim=4, latent_dim=2, epochs=3, batch_size=8, beta_warm_up=1)
    series, net = np.random.default_rng(0).normal(size=(length, 2)).astype(np.float32), Net.of(config, 2)

    def run() -> list[np.ndarray]:
        *_, last = backend.train(net, draw(net, 0), series, chunks(length - 4, config, 0), config)
        return [*last.parameters.values(), last.terms]

    padded = run()
    monkeypatch.setattr("vae_jax.train.power_of_two", lambda number: number)
    assert all((one == other).all() for one, other in zip(run(), padded, strict=True))


def test_large_gradients_are_not_joined_and_small_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA's code for it is a hundred times slower with two threads than with one."""
    import jax

    config = Config(window=8, hidden_dim=6, latent_dim=2, epochs=1, batch_size=4)
    series, net = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32), Net.of(config, 1)
    (chunk,) = chunks(33, config, 0)

    def joined(large: int) -> tuple[list[int], list[np.ndarray]]:
        monkeypatch.setattr("vae_jax._vector.LARGE", large)
        jax.clear_caches()  # type: ignore[no-untyped-call]
        for cached in (_vector._layout, train._compiled, train._adam):
            cached.cache_clear()
        text = str(jax.make_jaxpr(train._chunk_program(net, 0.5, 0.01))(train._start(net, draw(net, 0)), series, chunk))
        sizes = [int(size) for size in re.findall(r"f32\[(\d+)\] = concatenate\[", text) if int(size) > 1 + net.latent]
        *_, last = backend.train(net, draw(net, 0), series, iter([chunk]), config)
        return sizes, [*last.parameters.values(), last.terms]

    (all_sizes, all_bits), (small_sizes, small_bits), (none, bits) = joined(10**9), joined(47), joined(0)
    assert (all_sizes, none) == ([sum(array.size for array in all_bits[:-1])], [])
    assert small_sizes == [sum(array.size for array in all_bits[:-1] if array.size <= 47)]
    for one, other, third in zip(all_bits, small_bits, bits, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(one, third, rtol=1e-4, atol=1e-6)
    for cached in (_vector._layout, train._compiled, train._adam):
        cached.cache_clear()


@pytest.mark.slow
def test_programs_that_were_not_used_for_long_are_let_go() -> None:
    net = Net.of(Config(window=3, hidden_dim=2, latent_dim=1), 1)
    scorer, before = backend.bind(net, draw(net, 0), "auto"), programs()
    for number in range(1, score.PROGRAMS + 9):
        scorer(np.zeros((number, 3, 1), np.float32))
    assert programs() - before <= score.PROGRAMS


@pytest.mark.slow
def test_two_hundred_fits_of_other_lengths_stay_within_a_hundred_megabytes() -> None:
    code = """
import ctypes, gc, warnings
import numpy as np
from pathlib import Path
from vae_jax import VAEDetector

warnings.simplefilter("ignore")

def resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024  # MiB

wave = np.sin(np.arange(9000) / 5) + np.random.default_rng(0).normal(0, 0.1, 9000)
for fit in range(205):
    VAEDetector(preset="standard", window=10, hidden_dim=16, latent_dim=4, epochs=2).fit(wave[: 400 + 37 * fit])
    if fit == 4:  # what a framework keeps once
        before = resident()
print(resident() - before)
"""
    grown = float(in_a_fresh_process(code))
    assert grown < 100.0, grown
