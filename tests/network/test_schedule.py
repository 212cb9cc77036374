"""Shuffles and noise: each window once an epoch, whatever the cuts and the blocks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinvae.config import Config
from twinvae.network import schedule
from twinvae.network.net import Net
from twinvae.network.parameters import draw
from twinvae.network.schedule import Chunk, chunks, chunks_together, placed, steps_per_epoch

modest = settings(max_examples=40, deadline=None)
windows_in_a_series = st.integers(1, 70)
batch_sizes = st.integers(1, 20)
limits = st.integers(1, 40)


def config_of(batch_size: int, epochs: int = 3) -> Config:
    return Config(window=4, hidden_dim=3, latent_dim=2, batch_size=batch_size, epochs=epochs)


def used_steps(parts: list[Chunk]) -> list[np.ndarray]:
    """Starts, weights and noise of the steps that count."""
    return [np.concatenate([array[: part.used] for part, array in zip(parts, side, strict=True)])
            for side in zip(*(part[:3] for part in parts), strict=True)]  # fmt: skip


@modest
@given(windows=windows_in_a_series, batch_size=batch_sizes, limit=limits, seed=st.integers(0, 9))
def test_an_epoch_visits_each_window_once_with_weight_1(windows: int, batch_size: int, limit: int, seed: int) -> None:
    config = config_of(batch_size)
    starts, weights, _ = used_steps(list(chunks(windows, config, seed, limit=limit)))
    steps = steps_per_epoch(windows, batch_size)
    assert len(starts) == steps * config.epochs
    assert set(np.unique(weights)) <= {0.0, 1.0}
    for epoch in range(config.epochs):
        part = slice(epoch * steps, (epoch + 1) * steps)
        real = weights[part] == 1.0
        assert sorted(starts[part][real].tolist()) == list(range(windows))
        assert (starts[part][~real] == 0).all()


@modest
@given(windows=windows_in_a_series, batch_size=batch_sizes, limit=limits)
def test_chunks_have_one_shape_and_steps_beyond_the_used_weigh_nothing(
    windows: int, batch_size: int, limit: int
) -> None:
    parts = list(chunks(windows, config_of(batch_size), 0, limit=limit))
    assert len({part.starts.shape for part in parts}) == 1
    assert parts[0].starts.shape[0] <= limit
    for part in parts:
        assert 1 <= part.used <= len(part.starts)
        assert (part.weights[part.used :] == 0.0).all()
        assert part.noise.shape == (*part.starts.shape, 2)
        assert (part.starts >= 0).all()
        assert (part.starts < windows).all()


@modest
@given(windows=windows_in_a_series, batch_size=batch_sizes, limit=limits)
def test_the_limit_changes_no_step(windows: int, batch_size: int, limit: int) -> None:
    config = config_of(batch_size)
    cut, whole = (used_steps(list(chunks(windows, config, 5, limit=size))) for size in (limit, 10_000))
    for one, other in zip(cut, whole, strict=True):
        assert (one == other).all()


def test_the_limit_on_noise_changes_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(7)
    whole = used_steps(list(chunks(60, config, 5)))
    monkeypatch.setattr(schedule, "CHUNK_NOISE", 7 * 2 * 4)
    parts = list(chunks(60, config, 5))
    assert max(part.noise.size for part in parts) <= 7 * 2 * 4
    for one, other in zip(used_steps(parts), whole, strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("limit", [1, 4, 7, 20])
def test_the_limit_does_not_change_the_training(backend: Any, limit: int) -> None:
    config = config_of(8)
    series = np.random.default_rng(0).normal(size=(50, 1)).astype(np.float32)
    net = Net.of(config, 1)
    initial = draw(net, 0)
    results = []
    for size in (limit, 512):
        states = list(backend.train(net, initial, series, chunks(47, config, 0, limit=size), config))
        results.append((states[-1].parameters, np.concatenate([state.terms for state in states])))
    assert all((results[0][0][name] == results[1][0][name]).all() for name in initial)
    assert (results[0][1] == results[1][1]).all()


@modest
@given(windows=windows_in_a_series, batch_size=batch_sizes, limit=limits, epochs=st.integers(1, 5))
def test_beta_rises_linearly_over_its_epochs_whatever_the_cuts(
    windows: int, batch_size: int, limit: int, epochs: int
) -> None:
    config = replace(config_of(batch_size), beta_warm_up=epochs)
    parts = list(chunks(windows, config, 0, limit=limit))
    scales = [part.beta_scale[: part.used] for part in parts if part.beta_scale is not None]
    steps = steps_per_epoch(windows, batch_size)
    expected = [min(1.0, step / (epochs * steps)) for step in range(config.epochs * steps)]
    assert np.concatenate(scales) == pytest.approx(np.array(expected), rel=1e-6)
    assert all(part.beta_scale is not None and len(part.beta_scale) == len(part.starts) for part in parts)


def test_without_a_warm_up_there_is_nothing_to_multiply_beta_by() -> None:
    assert all(part.beta_scale is None for part in chunks(60, config_of(7), 0))


def test_shuffles_differ_from_epoch_to_epoch_and_by_seed() -> None:
    config = config_of(64, epochs=2)
    (first, second), _, noise = used_steps(list(chunks(64, config, 0)))
    assert (first != second).any()
    (other, _), _, other_noise = used_steps(list(chunks(64, config, 1)))
    assert (first != other).any()
    assert (noise != other_noise).all()


def test_noise_is_standard_normal() -> None:
    _, _, noise = used_steps(list(chunks(20_000, config_of(50, epochs=1), 0)))
    assert noise.mean() == pytest.approx(0.0, abs=0.02)
    assert noise.std() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("batch_size", [1, 5, 8, 16])
def test_no_batch_straddles_blocks_of_a_long_series(batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "BLOCK", 16)
    block, config = 16 // batch_size * batch_size, config_of(batch_size, epochs=2)
    parts = list(chunks(100, config, 0))
    assert len({part.starts.shape for part in parts}) == 1
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    for part in parts:
        assert part.rows is not None
        assert part.rows.stop - part.rows.start == block + config.window - 1, "one shape"
        assert part.rows.start >= 0
        assert part.rows.stop <= 100 + config.window - 1
        assert (part.starts < block).all()
        steps += zip(part.rows.start + part.starts[: part.used], part.weights[: part.used] == 1.0, strict=True)
    epochs = steps[: len(steps) // 2], steps[len(steps) // 2 :]
    for epoch in epochs:
        assert sorted(np.concatenate([starts[real] for starts, real in epoch]).tolist()) == list(range(100))
    for starts, real in steps:
        assert len(set((starts[real] // block).tolist())) == 1
    order = [int(starts[0]) // block for starts, _ in epochs[0]]
    assert order != sorted(order), "the blocks are shuffled too"


def test_a_series_goes_to_its_place_once_for_each_run_of_chunks_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "BLOCK", 16)
    series = np.arange(103.0, dtype=np.float32)[:, None]
    put: list[np.ndarray] = []

    def place(steps: np.ndarray) -> np.ndarray:
        put.append(steps)
        return steps

    parts = list(placed(chunks(100, config_of(4, epochs=2), 0, limit=2), series, place))
    assert len(put) in (13, 14), "7 blocks in each epoch, of which the last may come first again"
    for chunk, steps in parts:
        assert chunk.rows is not None
        assert (steps == series[chunk.rows]).all()


@modest
@given(windows=st.integers(1, 1000), batch_size=st.integers(1, 99))
def test_steps_per_epoch_is_the_number_of_batches(windows: int, batch_size: int) -> None:
    assert steps_per_epoch(windows, batch_size) == len(range(0, windows, batch_size))


@modest
@given(
    lengths=st.lists(st.tuples(st.integers(20, 70), st.integers(1, 4)), min_size=1, max_size=4),
    batch_size=batch_sizes,
    limit=limits,
    warm_up=st.integers(0, 3),
)
def test_the_members_of_a_fleet_have_the_steps_that_each_has_alone(
    lengths: list[tuple[int, int]], batch_size: int, limit: int, warm_up: int
) -> None:
    config = replace(config_of(batch_size), beta_warm_up=warm_up)
    windows, epochs = zip(*lengths, strict=True)
    together = list(chunks_together(windows, epochs, config, 7, limit=limit))
    assert len({part.starts.shape for part in together}) == 1
    for member, (count, number) in enumerate(lengths):
        alone = list(chunks(count, replace(config, epochs=number), 7))
        starts, weights, noise = used_steps(alone)
        found = [
            np.concatenate([array[: part.used[member]] for part, array in zip(together, side, strict=True)])
            for side in (
                [part.starts[member] for part in together],
                [part.weights[member] for part in together],
                [part.noise for part in together],
            )
        ]
        for one, other in zip(found, (starts, weights, noise), strict=True):
            np.testing.assert_array_equal(one, other)
        if warm_up:
            scales = [(part.beta_scale, part.used) for part in alone if part.beta_scale is not None]
            scale = np.concatenate([each[:used] for each, used in scales])
            found_scale = [p.beta_scale[member][: p.used[member]] for p in together if p.beta_scale is not None]
            np.testing.assert_array_equal(np.concatenate(found_scale), scale)


def test_training_on_the_rows_of_a_block_is_training_on_the_whole_series(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "BLOCK", 16)
    config = config_of(8)
    series = np.random.default_rng(0).normal(size=(50, 1)).astype(np.float32)
    parts = list(chunks(47, config, 0))
    whole = [p._replace(starts=p.starts + p.rows.start, rows=None) for p in parts if p.rows is not None]
    assert len(whole) == len(parts) == 3 * config.epochs
    net = Net.of(config, 1)
    initial = draw(net, 0)
    of_rows, of_whole = (
        list(backend.train(net, initial, series, plan, config))[-1].parameters for plan in (parts, whole)
    )
    assert all((of_rows[name] == of_whole[name]).all() for name in initial)
    assert any((of_rows[name] != initial[name]).any() for name in initial)
