"""How many floating-point operations the model's work takes, derived from its layers.

Over the measured sgemm rate these give the floor: the time below which no program of this arithmetic can come.
"""

from twinvae.config import Config
from twinvae.network.net import Net
from twinvae.network.parameters import shapes

ADAM = 12  # per parameter: two moving averages (3 + 4), two corrections (2), root, division and subtraction (3)


def weights(config: Config, channels: int) -> int:
    """Multiplications and additions of a window's pass through the model, in pairs."""
    return sum(shape[0] * shape[1] for shape in shapes(Net.of(config, channels)).values() if len(shape) == 2)


def parameters(config: Config, channels: int) -> int:
    """Numbers that the model learns."""
    total = 0
    for shape in shapes(Net.of(config, channels)).values():
        total += shape[0] * (shape[1] if len(shape) == 2 else 1)
    return total


def training_step(config: Config, channels: int = 1) -> int:
    """Operations of one training step: the forward products, twice as many backward, and Adam.

    Each layer's backward pass has two products of the size of the forward one: for its weights and for its
    inputs. The usual count; see `unneeded` for the part of it that a careful program leaves out.
    """
    return 3 * 2 * config.batch_size * weights(config, channels) + ADAM * parameters(config, channels)


def unneeded(config: Config, channels: int = 1) -> int:
    """The part of `training_step` that is the gradient of the series itself, which training does not use."""
    return 2 * config.batch_size * config.window * channels * config.hidden_dim


def score_point(config: Config, channels: int = 1) -> int:
    """Useful operations for a point's score: one window's pass, without the log-variances."""
    return 2 * (weights(config, channels) - config.latent_dim * config.hidden_dim)
