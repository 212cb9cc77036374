"""Verification before any timing: ten training steps must match the slow NumPy oracle of the tests."""

from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed.process.subjects import Train

STEPS = 10
TOLERANCE = 64.0 * float(np.finfo("float32").eps)  # of each array's largest magnitude, as in the parity tests


class Verification(NamedTuple):
    """The largest difference from the oracle, relative to each array's largest magnitude."""

    passed: bool
    worst: float
    where: str


def verify(train: Train, config: Any, *, seed: int = 0) -> Verification:
    """Trains ten steps from the parameters and noise that the oracle gets, and compares losses and parameters.

    The chunk has the shape of the timed ones, so the program that is checked is the program that is timed.
    """
    from tests.oracle import reference
    from twinvae.data.synthetic import noisy_sine
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks
    from twinvae.windowing.geometry import count

    series = noisy_sine(seed).normal.astype(config.dtype).reshape(-1, 1)
    net = Net.of(config, 1)
    parameters = draw(net, seed)
    first = next(chunks(count(len(series), config.window), config, seed))._replace(used=STEPS)
    trained = next(iter(train(net, parameters, series, iter([first]), config)))
    expected, terms = reference.train(
        {name: array.astype(np.float64) for name, array in parameters.items()}, series.astype(np.float64), [first],
        window=config.window, beta=config.beta, learning_rate=config.learning_rate, steps=STEPS,
    )  # fmt: skip
    return compare(
        {"loss terms": np.asarray(trained.terms)[:STEPS], **trained.parameters}, {"loss terms": terms, **expected}
    )


def compare(actual: dict[str, Any], expected: dict[str, Any], tolerance: float = TOLERANCE) -> Verification:
    """Compares arrays by name and returns the largest difference. NaN and missing arrays fail."""
    if actual.keys() != expected.keys():
        return Verification(False, float("inf"), "names of the parameters")
    worst, where = 0.0, "nothing"
    for name, array in expected.items():
        if np.shape(actual[name]) != array.shape:
            return Verification(False, float("inf"), f"shape of {name}")
        error = float(np.max(np.abs(np.asarray(actual[name], dtype=np.float64) - array)) / np.max(np.abs(array)))
        if not error <= worst:  # NaN too
            worst, where = error, name
        if np.isnan(error):
            break
    return Verification(worst <= tolerance, worst, where)
