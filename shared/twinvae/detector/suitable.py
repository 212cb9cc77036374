"""The window, the number of epochs and the learning rate that the preset "auto" chooses for a training series."""

from dataclasses import replace

import numpy as np

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel
from twinvae.network.schedule import steps_per_epoch
from twinvae.windowing.geometry import count
from twinvae.windowing.period import LONGEST_SERIES, period

LONGEST_WINDOW = 256
WINDOWS_IN_SERIES = 4  # a training series is at least so many windows long
MOST_FEATURES = 4_096  # values in a window that the preset's learning rate is for: 16 channels and the longest window
MOST_STEPS = 16_384  # of training: about what a series of 5,000 steps takes in 100 epochs of batches of 32
FEW_FEATURES = 512  # values in a window; a step of more takes longer in proportion, and there are fewer of them


def suitable(
    config: Config, series: TimeByChannel, *, window: bool, epochs: bool, learning_rate: bool = False
) -> Config:
    """Chooses what is asked for of window, epochs and learning rate, to suit a series; returns the configuration.

    The window is the median of the channels' periods in their first 20,000 steps, at least `config.window`, at most 256
    steps, 4,096 values and a quarter of the series. The epochs are as many as 16,384 steps of training hold, in
    proportion fewer for windows of more than 512 values (whose every step takes longer and teaches more), at most
    `config.epochs` and at least one. The learning rate falls in proportion to the number of values in a window beyond
    4,096: Adam moves every weight by about the learning rate, whatever the gradient, and a unit of the first layer sums
    as many moves as the window has values (Yang and Hu 2021, "Tensor Programs IV: Feature Learning in Infinite-Width
    Neural Networks").
    Training was stable while learning rate times values was at most 10, and diverged from 11.5 on; this keeps it at 4.
    """
    if window:
        typical = int(np.median([period(channel) for channel in series[:LONGEST_SERIES].T]))
        widest = max(config.window, MOST_FEATURES // series.shape[1])
        longest = min(LONGEST_WINDOW, widest, max(1, len(series) // WINDOWS_IN_SERIES))
        config = replace(config, window=min(max(config.window, typical), longest))
    features = config.window * series.shape[1]
    if epochs and len(series) >= config.window:
        steps = steps_per_epoch(count(len(series), config.window), config.batch_size)
        most = MOST_STEPS * min(1.0, FEW_FEATURES / features)
        config = replace(config, epochs=max(1, min(config.epochs, int(most) // steps)))
    if learning_rate and features > MOST_FEATURES:
        config = replace(config, learning_rate=config.learning_rate * MOST_FEATURES / features)
    return config
