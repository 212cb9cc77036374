"""The window and the number of epochs that the preset "auto" chooses for a training series."""

from dataclasses import replace

import numpy as np

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel
from twinvae.network.schedule import steps_per_epoch
from twinvae.windowing.geometry import count
from twinvae.windowing.period import LONGEST_SERIES, period

LONGEST_WINDOW = 256
WINDOWS_IN_SERIES = 4  # a training series is at least so many windows long
MOST_STEPS = 16_384  # of training: about what a series of 5,000 steps takes in 100 epochs of batches of 32


def suitable(config: Config, series: TimeByChannel, *, window: bool, epochs: bool) -> Config:
    """Chooses the window or the number of epochs, or both, to suit a training series; returns the configuration.

    The window is the median of the channels' periods in their first 20,000 steps, at least `config.window`, at most 256
    steps and a quarter of the series. The epochs are as many as 16,384 steps of training hold, at most `config.epochs`
    and at least one.
    """
    if window:
        typical = int(np.median([period(channel) for channel in series[:LONGEST_SERIES].T]))
        longest = min(LONGEST_WINDOW, max(1, len(series) // WINDOWS_IN_SERIES))
        config = replace(config, window=min(max(config.window, typical), longest))
    if epochs and len(series) >= config.window:
        steps = steps_per_epoch(count(len(series), config.window), config.batch_size)
        config = replace(config, epochs=max(1, min(config.epochs, MOST_STEPS // steps)))
    return config
