"""A configuration, its parameters and a series: what both backends are compared on, and what the oracle says of it."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.helpers.gradients import Gradient, gradient
from tests.oracle import reference
from twinvae.config import Config
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters, draw
from twinvae.network.schedule import Chunk, chunks

SMALL = {"window": 5, "hidden_dim": 4, "latent_dim": 2, "epochs": 3, "batch_size": 8}
CASES = {
    "tutorial": ({}, 1, 90),
    "last batch of one": (SMALL, 1, 4 + 2 * 8 + 1),
    "batch larger than the windows": (SMALL | {"batch_size": 64}, 1, 12),
    "three channels": (SMALL, 3, 40),
    "window of one": (SMALL | {"window": 1}, 2, 30),
    "one window": (SMALL, 2, 5),
    "beta 0": (SMALL | {"beta": 0.0}, 1, 40),
    "centred": (SMALL | {"centring": "window"}, 2, 40),
    "beta warms up": (SMALL | {"beta": 3.0, "beta_warm_up": 2}, 1, 40),
}


class Case:
    """A configuration, its weights, and a series."""

    def __init__(self, name: str, dtype: str, seed: int) -> None:
        settings, channels, length = CASES[name]
        self.config = Config(**settings, dtype=dtype)  # type: ignore[arg-type]
        generator = np.random.default_rng(seed)
        self.series = generator.normal(size=(length, channels)).astype(dtype)
        self.net = Net.of(self.config, channels)
        self.parameters = draw(self.net, seed)
        self.windows = length - self.config.window + 1
        batch = min(self.config.batch_size, self.windows)
        self.x = reference.windows(self.series, self.config.window)[:batch]
        self.weights = (generator.random(batch) > 0.2).astype(dtype)
        self.weights[0] = 1.0
        self.noise = generator.normal(size=(batch, self.config.latent_dim)).astype(dtype)

    @property
    def flat(self) -> np.ndarray:
        """The batch as the oracle takes it: in float64, so that its rounding is not counted."""
        seen = reference.seen(self.x.astype(np.float64), self.config.centring)
        return seen.reshape(len(self.x), -1)

    @property
    def every(self) -> np.ndarray:
        """All windows, as the model sees them."""
        windows = reference.windows(self.series.astype(np.float64), self.config.window)
        return reference.seen(windows, self.config.centring).reshape(self.windows, -1)

    @property
    def exact(self) -> Parameters:
        return {name: array.astype(np.float64) for name, array in self.parameters.items()}

    def gradient(self, name: str, parameters: Parameters | None = None) -> Gradient:
        """That of a backend, at the case's parameters or at others."""
        batch = self.x, self.weights, self.noise
        return gradient(name, self.net, parameters or self.parameters, *batch, self.config.beta)

    def train(self, backend: Any, steps: Iterable[Chunk] | None = None, parameters: Parameters | None = None) -> Any:
        """The states of a training run: of these chunks or of all, from the case's parameters or from others."""
        some = chunks(self.windows, self.config, 0) if steps is None else steps
        return backend.train(self.net, parameters or self.parameters, self.series, some, self.config)

    def reference_gradient(self) -> Parameters:
        weights, noise = self.weights.astype(np.float64), self.noise.astype(np.float64)
        return reference.gradient(self.flat, weights, noise, self.exact, self.config.beta)

    def reference_loss(self) -> tuple[Any, Any]:
        weights, noise = self.weights.astype(np.float64), self.noise.astype(np.float64)
        return reference.loss(self.flat, weights, noise, self.exact)

    def oracle_run(self, steps: int | None = None) -> tuple[Parameters, np.ndarray]:
        config = self.config
        return reference.train(
            self.parameters,
            self.series,
            chunks(self.windows, config, 0),
            window=config.window,
            beta=config.beta,
            learning_rate=config.learning_rate,
            steps=steps,
            centring=config.centring,
        )


def shifted(parameters: Parameters, name: str, by: float) -> Parameters:
    """The parameters with one element of one bias moved."""
    moved = {key: array.copy() for key, array in parameters.items()}
    moved[name][0] += by
    return moved
