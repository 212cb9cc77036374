"""The shuffles and the noise of a training run, as data.

A run is cut into chunks: a bounded number of steps each, all of one shape, so that one compiled program serves them
all. Neither the shuffles nor the noise depend on where the run is cut.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel
from twinvae.network.seeds import generator

BLOCK = 2**20  # windows that are shuffled together; a longer series is shuffled block by block
CHUNK_STEPS = 512  # the largest number of steps in a chunk
CHUNK_NOISE = 2**20  # the largest number of noise values in a chunk, so that these take at most 4 MiB


class Chunk(NamedTuple):
    """Some consecutive steps of a training run.

    Only the first `used` steps are run; the others pad the chunk to the shape of all. Where the last batch of an epoch
    is not full, windows of weight 0 pad it. Where a series has several blocks, a chunk holds windows of one of them
    and needs no more of the series than `rows`, which are as many in all chunks.
    """

    starts: Int32[np.ndarray, "step batch"]  # the first time step of each window, counted from the first of `rows`
    weights: Float32[np.ndarray, "step batch"]
    noise: Float32[np.ndarray, "step batch latent"]
    used: int
    beta_scale: Float32[np.ndarray, " step"] | None = None  # what beta is multiplied by; None without a warm-up
    rows: slice | None = None  # the time steps that the windows lie in; None is the whole series


class ChunkTogether(NamedTuple):
    """A `Chunk` for each of several members of a fleet: they share the noise, and each has windows of its own."""

    starts: Int32[np.ndarray, "member step batch"]
    weights: Float32[np.ndarray, "member step batch"]
    noise: Float32[np.ndarray, "step batch latent"]
    used: Int32[np.ndarray, " member"]
    beta_scale: Float32[np.ndarray, "member step"] | None = None


def steps_per_epoch(windows: int, batch_size: int) -> int:
    """The number of batches that hold every window once; the last one may not be full."""
    return math.ceil(windows / batch_size)


def chunks(windows: int, config: Config, seed: int, *, limit: int = CHUNK_STEPS) -> Iterator[Chunk]:
    """The steps of a whole training run: as many whole epochs in a chunk as fit into `limit` steps, else a part of one.

    Noise is drawn in float32 whatever the model's dtype, so that both precisions see the same values.
    """
    config = replace(config, batch_size=min(config.batch_size, windows))  # more would be padding
    shuffles, normals = generator(seed, "shuffles"), generator(seed, "noise")
    limit = max(1, min(limit, CHUNK_NOISE // (config.batch_size * config.latent_dim)))
    steps = steps_per_epoch(windows, config.batch_size)
    block = _block(config.batch_size)
    together = min(config.epochs, max(1, limit // steps)) if windows <= block else 1
    shape = (min(limit, together * min(steps, block // config.batch_size)), config.batch_size)
    done = 0
    for rows, starts in _orders(windows, config, together, shuffles):
        for begin in range(0, len(starts), shape[0]):
            part = starts[begin : begin + shape[0]]
            used = len(part)
            noise = np.zeros((*shape, config.latent_dim), dtype=np.float32)
            normals.standard_normal(out=noise[:used], dtype=np.float32)
            padded = np.full(shape, -1, dtype=np.int32)
            padded[:used] = part
            weights = (padded >= 0).astype(np.float32)
            scale = beta_scale(done, shape[0], steps, config) if config.beta_warm_up else None
            yield Chunk(np.maximum(padded, 0), weights, noise, used, scale, rows)
            done += used


def placed(
    chunks: Iterable[Chunk], series: TimeByChannel, place: Callable[[np.ndarray], Any]
) -> Iterator[tuple[Chunk, Any]]:
    """Each chunk with the part of the series that its windows lie in, which is put on the device when it changes."""
    before: Chunk | None = None
    values = None
    for chunk in chunks:
        if before is None or before.rows != chunk.rows:
            values = place(series if chunk.rows is None else series[chunk.rows])
        yield chunk, values
        before = chunk


def chunks_together(
    windows: Sequence[int], epochs: Sequence[int], config: Config, seed: int, *, limit: int = CHUNK_STEPS
) -> Iterator[ChunkTogether]:
    """The steps of members with these numbers of windows and epochs: for each, those of `chunks` with the same seed.

    All members need one batch size: either each has `config.batch_size` windows or more, or all have equally many.
    """
    batch_size = min(config.batch_size, *windows)
    config = replace(config, batch_size=batch_size)
    limit = max(1, min(limit, CHUNK_NOISE // (batch_size * config.latent_dim)))
    plans = list(zip(windows, epochs, strict=True))  # members of equal length share theirs
    orders = {plan: _pieces(plan[0], replace(config, epochs=plan[1]), limit, seed) for plan in plans}
    totals = [number * steps_per_epoch(count, batch_size) for count, number in plans]
    normals = generator(seed, "noise")
    for first in range(0, max(totals), limit):
        pieces = {plan: next(order) for plan, order in orders.items()}
        used = np.clip(np.array(totals) - first, 0, limit).astype(np.int32)
        starts = np.stack([pieces[plan] for plan in plans])
        noise = np.zeros((limit, batch_size, config.latent_dim), dtype=np.float32)
        normals.standard_normal(out=noise[: used.max()], dtype=np.float32)
        scale = None
        if config.beta_warm_up:
            scale = np.stack([beta_scale(first, limit, steps_per_epoch(n, batch_size), config) for n in windows])
        yield ChunkTogether(np.maximum(starts, 0), (starts >= 0).astype(np.float32), noise, used, scale)


def _pieces(windows: int, config: Config, limit: int, seed: int) -> Iterator[Int32[np.ndarray, "step batch"]]:
    """The windows of `limit` steps at a time, -1 where there is none; after the last epoch all are -1, endlessly."""
    batch_size, shuffles = config.batch_size, generator(seed, "shuffles")
    rest = np.empty((0, batch_size), dtype=np.int32)
    for rows, order in _orders(windows, config, 1, shuffles):
        order[order >= 0] += 0 if rows is None else rows.start
        rest = np.concatenate([rest, order])
        while len(rest) >= limit:
            yield rest[:limit]
            rest = rest[limit:]
    padding = np.full((limit, batch_size), -1, dtype=np.int32)
    yield np.concatenate([rest, padding])[:limit]
    yield from repeat(padding)


def beta_scale(first: int, number: int, steps: int, config: Config) -> Float32[np.ndarray, " step"]:
    """What beta is multiplied by in each of `number` steps of training from step `first` on; an epoch has `steps`.

    It rises linearly from 0 in the first step of the run to 1 after `beta_warm_up` epochs: the warm-up of Sonderby et
    al. 2016, "Ladder variational autoencoders".
    """
    return np.minimum(1.0, np.arange(first, first + number) / (config.beta_warm_up * steps)).astype(np.float32)


def _block(batch_size: int) -> int:
    """The number of windows in a block: whole batches, so that no batch needs windows of two blocks."""
    return max(1, BLOCK // batch_size) * batch_size


def _orders(
    windows: int, config: Config, together: int, shuffles: np.random.Generator
) -> Iterator[tuple[slice | None, Int32[np.ndarray, "step batch"]]]:
    """The windows of each step: every window once in an epoch, shuffled.

    Where a series is one block they come for `together` epochs at a time, without rows; else block by block, in a
    shuffled order, with the rows of the series that the block lies in, the windows counted from the first of them. The
    last block has fewer windows than the others, but as many rows.
    """
    block = _block(config.batch_size)
    blocks = math.ceil(windows / block)
    for first in range(0, config.epochs, together):
        if blocks == 1:
            epochs = range(first, min(first + together, config.epochs))
            yield None, np.concatenate([_order(windows, config.batch_size, shuffles) for _ in epochs])
            continue
        for index in shuffles.permutation(blocks).tolist():
            begin = min(index * block, windows - block)
            order = _order(min(block, windows - index * block), config.batch_size, shuffles)
            order[order >= 0] += index * block - begin
            yield slice(begin, begin + block + config.window - 1), order


def _order(windows: int, batch_size: int, shuffles: np.random.Generator) -> Int32[np.ndarray, "step batch"]:
    """Every window once, shuffled; -1 pads the last batch."""
    order = np.full((steps_per_epoch(windows, batch_size), batch_size), -1, dtype=np.int32)
    order.reshape(-1)[:windows] = shuffles.permutation(windows)
    return order
