"""Whether a network can be trained on this machine at all: said before the work, not by the first array that fails."""

import math

import numpy as np

from twinvae.config import Config
from twinvae.network.net import Net
from twinvae.network.parameters import shapes
from twinvae.process.memory import check_room


def check_memory(net: Net, config: Config, windows: int) -> None:
    """Refuses sizes that this machine has not the memory for, by what a training on so many windows takes at least.

    Counted are four arrays of each parameter (its value, its gradient and two moments of Adam), three of a batch
    (the windows, their reconstruction and its gradient), and the latent draws, drawn in float64.

    Raises:
        ValueError: if one of these is more than the process may have.
    """
    size = np.dtype(net.dtype).itemsize
    number = sum(map(math.prod, shapes(net).values()))
    layers = f"windows of {net.window} x {net.channels} values, hidden_dim {net.hidden}, latent_dim {net.latent}"
    check_room(
        4 * number * size, f"the training of {number:,} parameters ({layers})",
        "lower window, hidden_dim or latent_dim, or choose fewer columns",
    )  # fmt: skip
    batch = max(1, min(config.batch_size, int(windows * (1 - config.validation_fraction))))
    check_room(
        3 * batch * (net.features + net.hidden) * size, f"a batch of {batch:,} windows of {net.features:,} values",
        "lower batch_size or window",
    )  # fmt: skip
    check_draws(config)


def check_draws(config: Config) -> None:
    """Raises ValueError if the latent draws alone take more memory than there is."""
    what = f"draws={config.draws} of latent_dim={config.latent_dim}"
    check_room(8 * config.draws * config.latent_dim, what, "lower draws or latent_dim")
