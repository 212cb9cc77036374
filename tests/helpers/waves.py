"""Small series with a period, and a network that is small enough to be trained on them by the dozen."""

import numpy as np

SMALL = {"window": 10, "hidden_dim": 6, "latent_dim": 3, "epochs": 3}


def waves(*lengths: int, channels: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """A noisy sine of each length, (length, channels), named s0, s1, ...; each has a generator of its own."""
    phases = np.arange(channels)
    return {
        f"s{index}": np.sin(np.arange(length)[:, None] / 3 + phases)
        + np.random.default_rng((seed, index)).normal(0, 0.1, (length, channels))
        for index, length in enumerate(lengths)
    }


def spiked_wave(length: int, spikes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """A noisy sine (length,) with a period of 24 steps, and a spike of six steps at each of these places."""
    series = np.sin(np.arange(length) * 2 * np.pi / 24) + np.random.default_rng(seed).normal(0, 0.1, length)
    for place in spikes:
        series[place : place + 6] += 4.0
    return series
