"""The shuffles and the noise of a training run, as data.

A run is cut into chunks: bounded runs of steps, of one shape each, so that one compiled program serves them
all. Neither the shuffles nor the noise depend on where the cuts are.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int32

from twinvae.config import Config

BLOCK = 2**20  # windows shuffled together; a longer series is shuffled block by block
CHUNK_STEPS = 512
CHUNK_NOISE = 2**20  # noise values in a chunk, so that a chunk is at most 4 MiB


class Chunk(NamedTuple):
    """A run of training steps.

    The first `used` steps count. A window of weight 0 pads the last batch of an epoch, and steps from `used`
    on pad the last chunk of an epoch that is longer than a chunk. Without a warm-up there is no `beta_scale`.
    A chunk of a series of several blocks needs no more of it than `rows`, as many in all chunks.
    """

    starts: Int32[np.ndarray, "step batch"]  # the first time step of each window, counted from the first of `rows`
    weights: Float32[np.ndarray, "step batch"]
    noise: Float32[np.ndarray, "step batch latent"]
    used: int
    beta_scale: Float32[np.ndarray, " step"] | None = None  # what beta is multiplied by
    rows: slice | None = None  # the time steps that the windows lie in; None is the whole series


class ChunkTogether(NamedTuple):
    """A run of training steps of several members of a fleet, as `Chunk`: they share the noise, each has its windows."""

    starts: Int32[np.ndarray, "member step batch"]
    weights: Float32[np.ndarray, "member step batch"]
    noise: Float32[np.ndarray, "step batch latent"]
    used: Int32[np.ndarray, " member"]
    beta_scale: Float32[np.ndarray, "member step"] | None = None


def steps_per_epoch(windows: int, batch_size: int) -> int:
    """Number of batches that hold all windows once, the last one perhaps not full."""
    return math.ceil(windows / batch_size)


def chunks(windows: int, config: Config, seed: int, *, limit: int = CHUNK_STEPS) -> Iterator[Chunk]:
    """The steps of a whole training run: whole epochs while they fit into `limit` steps, else parts of one.

    Noise is drawn in float32 whatever the model's dtype, so that both precisions see the same values.
    """
    config = replace(config, batch_size=min(config.batch_size, windows))  # the rest would be padding
    shuffles = np.random.default_rng([seed, 1])
    normals = np.random.default_rng([seed, 2])
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
    chunks: Iterable[Chunk], series: Float[np.ndarray, "time channel"], place: Callable[[np.ndarray], Any]
) -> Iterator[tuple[Chunk, Any]]:
    """Each chunk with the steps of the series that its windows lie in, put in their place when others are needed."""
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
    """The steps of members with these numbers of windows and epochs: to each, those of `chunks` with the same seed.

    All members need the same batch size, so `config.batch_size` or fewer windows each.
    """
    batch_size = min(config.batch_size, *windows)
    limit = max(1, min(limit, CHUNK_NOISE // (batch_size * config.latent_dim)))
    plans = list(zip(windows, epochs, strict=True))
    plan_config = replace(config, batch_size=batch_size)
    orders = {
        plan: _pieces(plan[0], replace(plan_config, epochs=plan[1]), limit, seed) for plan in plans
    }  # members of equal length share theirs
    totals = [number * steps_per_epoch(count, batch_size) for count, number in plans]
    normals = np.random.default_rng([seed, 2])
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
    """The windows of `limit` steps at a time; -1 where there is none, for ever after the last epoch."""
    batch_size, shuffles = config.batch_size, np.random.default_rng([seed, 1])
    rest = np.empty((0, batch_size), dtype=np.int32)
    for rows, order in _orders(windows, config, 1, shuffles):
        order[order >= 0] += 0 if rows is None else rows.start
        rest = np.concatenate([rest, order])
        while len(rest) >= limit:
            yield rest[:limit]
            rest = rest[limit:]
    yield np.concatenate([rest, np.full((limit - len(rest), batch_size), -1, dtype=np.int32)])
    while True:
        yield np.full((limit, batch_size), -1, dtype=np.int32)


def beta_scale(first: int, number: int, steps: int, config: Config) -> Float32[np.ndarray, " step"]:
    """What beta is multiplied by in `number` steps of training from step `first` on, with `steps` in an epoch.

    It rises linearly from 0 in the first step of all to 1 after `beta_warm_up` epochs: as the warm-up of
    Sonderby et al. 2016, "Ladder variational autoencoders".
    """
    return np.minimum(1.0, np.arange(first, first + number) / (config.beta_warm_up * steps)).astype(np.float32)


def _block(batch_size: int) -> int:
    """The windows of a block: whole batches, so that no batch needs windows of two blocks."""
    return max(1, BLOCK // batch_size) * batch_size


def _orders(
    windows: int, config: Config, together: int, generator: np.random.Generator
) -> Iterator[tuple[slice | None, Int32[np.ndarray, "step batch"]]]:
    """Every window once an epoch, shuffled: `together` epochs at a time, or each block with the rows it lies in.

    The last block is the shorter one, but its rows are as many. Windows count from the first of the rows.
    """
    block = _block(config.batch_size)
    blocks = math.ceil(windows / block)
    for first in range(0, config.epochs, together):
        if blocks == 1:
            epochs = range(first, min(first + together, config.epochs))
            yield None, np.concatenate([_order(windows, config.batch_size, generator) for _ in epochs])
            continue
        for index in generator.permutation(blocks).tolist():
            begin = min(index * block, windows - block)
            order = _order(min(block, windows - index * block), config.batch_size, generator)
            order[order >= 0] += index * block - begin
            yield slice(begin, begin + block + config.window - 1), order


def _order(windows: int, batch_size: int, generator: np.random.Generator) -> Int32[np.ndarray, "step batch"]:
    """Every window once, shuffled; -1 pads the last batch."""
    order = np.full((steps_per_epoch(windows, batch_size), batch_size), -1, dtype=np.int32)
    order.reshape(-1)[:windows] = generator.permutation(windows)
    return order
