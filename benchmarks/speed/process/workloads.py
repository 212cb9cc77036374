"""The series and the training runs that are timed."""

from collections.abc import Callable
from typing import Any

from benchmarks.speed.process.subjects import trainer

SEED = 0


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


def sized_run(
    name: str, device: str, config: Any, settings: dict[str, Any], channels: int
) -> tuple[Callable[[], Any], int]:
    """Returns a function that trains some steps at these sizes, and the number of steps."""
    steps = max(4, min(200, 200_000 // config.batch_size))
    length = steps * config.batch_size + config.window - 1
    series = long_series(length)[:, None].repeat(channels, axis=1)
    if name != "tutorial":
        train, sized = trainer(name, device, **settings, epochs=1)
        return training_run(train, sized, series)
    from benchmarks.peers import tutorial

    model = tutorial.VAE(config.window * channels, config.hidden_dim)
    rows = tutorial.make_windows(series, config.window).reshape(-1, config.window * channels)
    where = "cuda" if device == "gpu" else "cpu"
    return lambda: tutorial.train(model, rows, epochs=1, batch=config.batch_size, device=where), steps
