"""The series and the training runs that are timed."""

from collections.abc import Callable
from typing import Any

from benchmarks.speed import arithmetic
from twinvae.config import Config
from twinvae.network.schedule import CHUNK_STEPS, steps_per_epoch

SEED = 0
MOST_STEPS = CHUNK_STEPS
OPERATIONS = 10**10  # of a timed run at a size: an eighth of a second at 80 billion a second


def tutorial_series() -> Any:
    from twinvae.data.synthetic import noisy_sine

    return noisy_sine(SEED)


def long_series(points: int) -> Any:
    """Returns the tutorial's sine at this length, made in parts so that no other large array counts as memory."""
    import numpy as np

    series = np.empty(points)
    generator = np.random.default_rng(SEED)
    for begin in range(0, points, 10**6):
        part = series[begin : begin + 10**6]
        part[:] = np.sin(np.arange(begin, begin + len(part)) * (20 * np.pi / 499))
        part += generator.normal(0.0, 0.1, len(part))
    return series


def training_run(train: Any, config: Any, series: Any) -> tuple[Callable[[], Any], int]:
    """Returns a function that does a whole training run, and its steps. Shuffles and noise are drawn before."""
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks
    from twinvae.windowing.geometry import count

    values = series.reshape(len(series), -1).astype(config.dtype)
    net = Net.of(config, values.shape[1])
    parameters = draw(net, SEED)
    schedule = list(chunks(count(len(values), config.window), config, SEED))

    def run() -> None:
        for _ in train(net, parameters, values, iter(schedule), config):
            pass

    return run, sum(chunk.used for chunk in schedule)


def sized_series(config: Config, channels: int) -> Any:
    """Returns a series, (time, channel), that an epoch of this configuration has enough steps on to be timed.

    These are few where a step takes long: 10 billion operations, or four steps at least.
    """
    steps = max(4, min(MOST_STEPS, OPERATIONS // arithmetic.training_step(config, channels)))
    return long_series(steps * config.batch_size + config.window - 1)[:, None].repeat(channels, axis=1)


def peer_run(device: str, config: Config, series: Any) -> tuple[Callable[[], Any], int]:
    """Returns the same as `training_run` for an epoch of the tutorial's own loop."""
    from benchmarks.peers import tutorial

    model = tutorial.VAE(config.window * series.shape[1], config.hidden_dim)
    rows = tutorial.make_windows(series, config.window).flatten(1)
    where = "cuda" if device == "gpu" else "cpu"
    steps = steps_per_epoch(len(rows), config.batch_size)
    return lambda: tutorial.train(model, rows, epochs=1, batch=config.batch_size, device=where), steps
