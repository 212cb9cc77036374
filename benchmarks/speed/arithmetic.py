"""How many floating-point operations training and scoring take, counted from the layers of the model.

Divided by the measured rate of matrix products (sgemm), they give the floor: no program that does this arithmetic can
take less time.
"""

import math

from twinvae.config import Config
from twinvae.network.net import Net
from twinvae.network.parameters import shapes

ADAM = 12  # per parameter: two moving averages (3 + 4), two corrections (2), root, division and subtraction (3)


def weights(config: Config, channels: int) -> int:
    """Returns how many pairs of a multiplication and an addition one window's pass through the model takes."""
    return sum(shape[0] * shape[1] for shape in shapes(Net.of(config, channels)).values() if len(shape) == 2)


def parameters(config: Config, channels: int) -> int:
    """Returns how many numbers the model learns."""
    return sum(math.prod(shape) for shape in shapes(Net.of(config, channels)).values())


def training_step(config: Config, channels: int = 1) -> int:
    """Returns the operations of one training step: the forward pass, twice as many for the backward pass, and Adam.

    Each layer's backward pass has two products of the size of the forward one: for its weights and for its
    inputs. This is the usual way to count; `unneeded` gives the part of it that a careful program leaves out.
    """
    return 3 * 2 * config.batch_size * weights(config, channels) + ADAM * parameters(config, channels)


def unneeded(config: Config, channels: int = 1) -> int:
    """Returns the part of `training_step` that computes the gradient of the series itself, which nobody uses."""
    return 2 * config.batch_size * config.window * channels * config.hidden_dim


def score_point(config: Config, channels: int = 1) -> int:
    """Returns the operations that one point's score needs: one window's pass without the log-variances."""
    return 2 * (weights(config, channels) - config.latent_dim * config.hidden_dim)
