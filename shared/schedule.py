"""The shuffles and the noise of a training run, as data.

A run is cut into chunks: bounded runs of steps, of one shape each, so that one compiled program serves them
all. Neither the shuffles nor the noise depend on where the cuts are.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from shared.config import Config

BLOCK = 2**20  # windows shuffled together; a longer series is shuffled block by block
CHUNK_STEPS = 512
CHUNK_NOISE = 2**20  # noise values in a chunk, so that a chunk is at most 4 MiB


class Chunk(NamedTuple):
    """A run of training steps.

    The first `used` steps count. A window of weight 0 pads the last batch of an epoch, and steps from `used`
    on pad the last chunk of an epoch that is longer than a chunk. Without a warm-up there is no `beta_scale`.
    """

    starts: Int32[np.ndarray, "step batch"]  # the first time step of each window
    weights: Float32[np.ndarray, "step batch"]
    noise: Float32[np.ndarray, "step batch latent"]
    used: int
    beta_scale: Float32[np.ndarray, " step"] | None = None  # what beta is multiplied by


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
    together = min(config.epochs, max(1, limit // steps))
    shape = (together * steps if steps <= limit else limit, config.batch_size)
    for first in range(0, config.epochs, together):
        orders = [
            _order(windows, config.batch_size, shuffles) for _ in range(first, min(first + together, config.epochs))
        ]
        starts = np.concatenate(orders)
        for begin in range(0, len(starts), shape[0]):
            part = starts[begin : begin + shape[0]]
            used = len(part)
            noise = np.zeros((*shape, config.latent_dim), dtype=np.float32)
            normals.standard_normal(out=noise[:used], dtype=np.float32)
            padded = np.full(shape, -1, dtype=np.int32)
            padded[:used] = part
            weights = (padded >= 0).astype(np.float32)
            scale = beta_scale(first * steps + begin, shape[0], steps, config) if config.beta_warm_up else None
            yield Chunk(np.maximum(padded, 0), weights, noise, used, scale)


def chunks_together(
    windows: Sequence[int], epochs: Sequence[int], config: Config, seed: int, *, limit: int = CHUNK_STEPS
) -> Iterator[ChunkTogether]:
    """The steps of members with these numbers of windows and epochs: to each, those of `chunks` with the same seed.

    All members need the same batch size, so `config.batch_size` or fewer windows each.
    """
    batch_size = min(config.batch_size, *windows)
    limit = max(1, min(limit, CHUNK_NOISE // (batch_size * config.latent_dim)))
    plans = list(zip(windows, epochs, strict=True))
    orders = {plan: _pieces(*plan, batch_size, limit, seed) for plan in plans}  # members of equal length share theirs
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


def _pieces(
    windows: int, epochs: int, batch_size: int, limit: int, seed: int
) -> Iterator[Int32[np.ndarray, "step batch"]]:
    """The windows of `limit` steps at a time; -1 where there is none, for ever after the last epoch."""
    shuffles = np.random.default_rng([seed, 1])
    rest = np.empty((0, batch_size), dtype=np.int32)
    for _ in range(epochs):
        rest = np.concatenate([rest, _order(windows, batch_size, shuffles)])
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


def _order(windows: int, batch_size: int, generator: np.random.Generator) -> Int32[np.ndarray, "step batch"]:
    """Every window once, shuffled; -1 pads the last batch of the last block.

    A block starts on a whole batch, so that no batch needs windows of two blocks.
    """
    block = max(1, BLOCK // batch_size) * batch_size
    blocks = math.ceil(windows / block)
    pieces = []
    for index in generator.permutation(blocks) if blocks > 1 else [0]:
        begin = int(index) * block
        size = min(block, windows - begin)
        piece = np.full((steps_per_epoch(size, batch_size), batch_size), -1, dtype=np.int32)
        piece.reshape(-1)[:size] = generator.permutation(size) + begin
        pieces.append(piece)
    return np.concatenate(pieces)
