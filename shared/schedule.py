"""The shuffles and the noise of a training run, as data.

A run is cut into chunks: bounded runs of steps, of one shape each, so that one compiled program serves them
all. Neither the shuffles nor the noise depend on where the cuts are.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int32

from shared.config import Config

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
    block = max(1, BLOCK // config.batch_size) * config.batch_size  # a block starts on a whole batch
    together = min(config.epochs, max(1, limit // steps)) if windows <= block else 1
    shape = (min(limit, together * min(steps, block // config.batch_size)), config.batch_size)
    done = 0
    for rows, starts in _orders(windows, block, config, together, shuffles):
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


def beta_scale(first: int, number: int, steps: int, config: Config) -> Float32[np.ndarray, " step"]:
    """What beta is multiplied by in `number` steps of training from step `first` on, with `steps` in an epoch.

    It rises linearly from 0 in the first step of all to 1 after `beta_warm_up` epochs: as the warm-up of
    Sonderby et al. 2016, "Ladder variational autoencoders".
    """
    return np.minimum(1.0, np.arange(first, first + number) / (config.beta_warm_up * steps)).astype(np.float32)


def _orders(
    windows: int, block: int, config: Config, together: int, generator: np.random.Generator
) -> Iterator[tuple[slice | None, Int32[np.ndarray, "step batch"]]]:
    """Every window once an epoch, shuffled: `together` epochs at a time, or each block with the rows it lies in.

    The last block is the shorter one, but its rows are as many. Windows count from the first of the rows.
    """
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
