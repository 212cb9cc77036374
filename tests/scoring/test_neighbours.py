"""Distances from the nearest training window: against a loop, and what they are for."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import assert_close
from tests.oracle import views
from twinvae.config import DType
from twinvae.scoring import neighbours
from twinvae.scoring.neighbours import (
    MOST_WINDOWS,
    VIEWS,
    Bank,
    Memory,
    View,
    bank_of,
    digest,
    distances,
    most_similar,
    nearest,
    own_starts,
    places,
)

few = settings(max_examples=25, deadline=None)


def series(length: int, channels: int = 1, seed: int = 0, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(length, channels)).astype(dtype)


def places_of(view: View, scored: np.ndarray, window: int, bank: Bank, origin: np.ndarray | None = None) -> np.ndarray:
    """The place in the bank of the most similar window, for each window of a series."""
    return np.concatenate([place for _, place, _ in nearest(view, scored, window, bank, origin)])


def shape_of(window: np.ndarray) -> np.ndarray:
    """Channel by channel, without its mean, over its deviation (at least 0.05)."""
    centred = window - window.mean(axis=0)
    result: np.ndarray = (centred / np.maximum(centred.std(axis=0), 0.05)).T.ravel()
    return result


@pytest.mark.parametrize("view", VIEWS)
@few
@given(
    window=st.integers(1, 9), more=st.integers(0, 60), channels=st.integers(1, 3), gaps=st.booleans(),
    block=st.sampled_from([1, 64, 2**20]), kept=st.integers(1, 30),
)  # fmt: skip
def test_distances_are_the_loop_s_whatever_the_blocks_and_gaps(
    view: View, window: int, more: int, channels: int, gaps: bool, block: int, kept: int
) -> None:
    known, scored = series(window + kept, channels, 1), series(window + more, channels, 2)
    if gaps:
        known[:: window + 2] = np.nan
        scored[np.random.default_rng(3).random(scored.shape) < 0.3] = np.nan
    bank = bank_of(view, known, window)
    patch = pytest.MonkeyPatch()
    with patch.context() as changed:
        changed.setattr(neighbours, "BLOCK_VALUES", block)
        found = distances(view, scored, window, bank)
    expected = views.distances(view, scored, window, bank.values)
    assert (np.isnan(found[:, 0]) == np.isnan(expected)).all()
    assert_close(1 + np.nan_to_num(found[:, 0]), 1 + np.nan_to_num(expected), 1e-12)  # shapes of two steps: rounding


def test_a_bank_holds_evenly_spread_windows_of_each_view() -> None:
    known = series(2_000, 2)
    shapes, residuals = (bank_of(view, known, 10) for view in ("shape", "residual"))
    assert len(shapes.starts) <= MOST_WINDOWS
    assert shapes.starts.tolist() == residuals.starts.tolist() == list(range(0, 1_991, 4))
    for place in (0, 17, 400):
        window = known[4 * place : 4 * place + 10]
        assert_close(residuals.values[place], window.T.ravel(), 0)
        assert_close(shapes.values[place], shape_of(window), 1e-14)


def test_what_may_be_anomalous_is_not_remembered_unless_all_is() -> None:
    known, left_out = series(100), np.zeros(91, bool)
    left_out[20:60] = True
    assert not set(range(20, 60)) & set(bank_of("shape", known, 10, left_out).starts.tolist())
    assert len(bank_of("shape", known, 10, np.ones(91, bool)).starts) == 91


@few
@given(length=st.integers(1, 120), window=st.integers(1, 40), channels=st.integers(1, 2))
def test_a_training_window_is_not_its_own_neighbour_where_there_are_others(
    length: int, window: int, channels: int
) -> None:
    known = series(length + window - 1, channels)
    bank = bank_of("shape", known, window)
    memory = Memory({"shape": bank}, len(known), digest(known))
    origin = own_starts(memory, known, window)
    assert origin is not None
    place = places_of("shape", known, window, bank, origin)
    apart = np.abs(bank.starts[place] - origin)
    possible = np.maximum(origin - bank.starts[0], bank.starts[-1] - origin)
    assert (apart >= np.minimum(window, -(-int(possible.min()) // 1) if length > 1 else 0)).all()
    assert len(known) < 4 * window or (apart >= window).all() or length < 2 * window


def test_the_training_series_is_known_again_and_no_other() -> None:
    known = series(300).astype("float32")
    known[5] = np.nan
    memory = Memory({"shape": bank_of("shape", known, 10)}, 300, digest(known))
    longer = np.concatenate([known, series(50, seed=1).astype("float32")])
    longer[5] = -np.float32("nan")
    assert memory.begins(known)
    assert memory.begins(longer)
    assert not memory.begins(known[:299])
    other = longer.copy()
    other[7] += 1e-3
    assert not memory.begins(other)
    assert own_starts(memory, other, 10) is None


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("window", "channels"), [(4_000, 1), (50, 40), (3, 5_000), (64, 16), (64, 150), (64, 800)])
def test_a_long_window_of_many_channels_is_compared_by_few_of_its_values(
    view: View, window: int, channels: int
) -> None:
    known = series(window + 3, channels)
    kept, steps = places(view, window, channels)
    bank = bank_of(view, known, window)
    assert 400 < bank.values.shape[1] == len(kept) * len(steps) <= neighbours.MOST_VALUES
    if view == "shape":
        assert len(steps) >= min(window, neighbours.LEAST_STEPS), "a shape is more than a few steps"
    else:
        assert len(kept) == min(channels, neighbours.MOST_VALUES), "no channel is left out while there is room"
    assert len(set(kept)) == len(kept), "none twice"
    assert len(set(steps)) == len(steps)
    assert (kept[0], kept[-1], steps[0]) == (0, channels - 1, 0)
    assert steps[-1] == window - 1 or len(steps) == 1
    whole = known[2 : 2 + window] if view == "residual" else shape_of(known[2 : 2 + window]).reshape(channels, -1).T
    assert_close(bank.values[2], whole[steps][:, kept].T.ravel(), 1e-14)
    assert (distances(view, known, window, bank) == 0).all()


@pytest.mark.parametrize("view", VIEWS)
def test_only_some_windows_are_read_at_a_time(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    known, read = series(300, 150), []
    whole = bank_of(view, known, 64)
    plain = np.lib.stride_tricks.sliding_window_view

    def watched(array: np.ndarray, window: int, axis: int) -> np.ndarray:
        read.append(array.shape)
        return plain(array, window, axis=axis)

    monkeypatch.setattr(neighbours, "BLOCK_VALUES", 2**14)
    monkeypatch.setattr(neighbours, "sliding_window_view", watched)
    assert (bank_of(view, known, 64).values == whole.values).all()
    assert (distances(view, known, 64, whole) == 0).all()
    assert len(read) > 20


def test_the_shape_of_a_window_of_800_channels_is_compared_at_all() -> None:
    step = np.arange(400)[:, None]
    known = np.sin(step / 5 + np.arange(800))
    changed = np.sign(known[:100])
    bank = bank_of("shape", known, 64)
    assert distances("shape", known + 3, 64, bank).max() < 1e-6
    assert distances("shape", changed, 64, bank).min() > 0.2


@pytest.mark.parametrize(("window", "channels"), [(10, 2), (1_000, 1), (64, 150), (64, 800)])
def test_the_most_similar_window_is_drawn_at_its_steps_and_channels(window: int, channels: int) -> None:
    step = np.arange(5 * window)[:, None]
    known = np.sin(step / window + np.arange(channels)) + 0.1 * series(len(step), channels)
    bank = bank_of("shape", known, window)
    begin = int(bank.starts[7])
    scored = 7 + 3 * known[begin : begin + window]
    memory = Memory({"shape": bank}, len(known), digest(known))
    row, distance, drawing = most_similar(scored, 0, window, memory, own=False)
    assert row == begin
    assert distance < 1e-6
    kept, steps = places("shape", window, channels)
    assert_close(drawing[np.ix_(steps, kept)], scored[np.ix_(steps, kept)], 1e-9)
    assert np.isnan(drawing[:, np.setdiff1d(np.arange(channels), kept)]).all()


@pytest.mark.parametrize("view", VIEWS)
def test_a_level_far_above_the_spread_hides_no_neighbour(view: View) -> None:
    known, scored = (1e4 + series(300, 2, seed, "float32") for seed in (1, 2))
    bank = bank_of(view, known, 8)
    expected = views.distances(view, scored, 8, bank_of(view, known.astype(np.float64), 8).values)
    assert_close(distances(view, scored, 8, bank)[:, 0].astype(np.float64), expected, 1e-3)


@pytest.mark.parametrize("dtype", get_args(DType))
def test_the_distance_of_a_window_that_is_remembered_is_exactly_zero(dtype: Any) -> None:
    known = 1e3 + series(200, dtype=dtype)
    for view in VIEWS:
        bank = bank_of(view, known, 12)
        assert (distances(view, known, 12, bank) == 0).all()
        assert places_of(view, known, 12, bank).tolist() == bank.starts.tolist()


def test_shape_knows_neither_level_nor_height_and_residual_does() -> None:
    wave = np.sin(np.arange(400) / 5)[:, None]
    bank = {view: bank_of(view, wave, 40) for view in VIEWS}
    moved = 3 * wave + 7
    assert distances("shape", moved, 40, bank["shape"]).max() < 1e-6
    assert distances("residual", moved, 40, bank["residual"]).min() > 5
    flat = np.full((100, 1), 0.3) + 1e-3 * series(100)  # a window that hardly varies has no shape of its own
    assert distances("shape", flat, 40, bank_of("shape", flat + 1, 40)).max() < 0.1
