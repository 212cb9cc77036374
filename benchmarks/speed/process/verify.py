"""Verification before any timing: ten training steps and 1,000 scores must match the slow NumPy oracle of the tests."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed import arithmetic
from benchmarks.speed.process.subjects import Train

STEPS, STEPS_IF_LARGE = 10, 3
LARGE = 10**9  # operations in a step
MANY, WIDE = 10**4, 1000  # parameters and batches above which a size is large
MOVED = 0.05  # the share of the way that its arrays may be off
LOSS = "loss terms"
TOLERANCE = 64.0 * float(np.finfo("float32").eps)  # of each array's largest magnitude, as in the parity tests


class Verification(NamedTuple):
    """The largest difference from the oracle, relative to each array's largest magnitude."""

    passed: bool
    worst: float
    where: str


def verify(train: Train, config: Any, series: Any, *, seed: int = 0) -> tuple[Verification, float]:
    """Trains ten steps on a series of shape (time,) or (time, channel), and compares losses and parameters.

    The oracle gets the same parameters, batches and noise. The chunk has the shape of the timed ones, so the program
    that is checked is the program that is timed. Where a step takes more than a billion operations, three steps are
    compared. The second value is the seconds that the training took.

    Adam's first steps have one length whatever the slope, so where a slope is nearly 0, rounding decides its sign, and
    a weight is off by two steps. Above 10,000 parameters or 1,000 windows, a training in which that happens must still
    have each step's loss terms within ten times the tolerance, and each array may be off by a twentieth of the way that
    it has moved, both as root mean squares.
    """
    from tests.oracle import reference
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks
    from twinvae.windowing.geometry import count

    series = series.reshape(len(series), -1).astype(config.dtype)
    net = Net.of(config, series.shape[1])
    parameters = draw(net, seed)
    first = next(chunks(count(len(series), config.window), config, seed))
    steps = STEPS if arithmetic.training_step(config, net.channels) < LARGE else STEPS_IF_LARGE
    first = first._replace(used=min(steps, first.used))
    before = time.perf_counter()
    trained = next(iter(train(net, parameters, series, iter([first]), config)))
    seconds = time.perf_counter() - before

    start = {name: array.astype(np.float64) for name, array in parameters.items()}
    found, terms = reference.train(
        start, series.astype(np.float64), [first],
        window=config.window, beta=config.beta, learning_rate=config.learning_rate, steps=first.used,
    )  # fmt: skip
    actual, expected = {LOSS: np.asarray(trained.terms)[: first.used]}, {LOSS: terms}
    result = compare(actual | trained.parameters, expected | found)
    large = arithmetic.parameters(config, net.channels) > MANY or config.batch_size > WIDE
    if result.passed or np.isnan(result.worst) or not large:
        return result, seconds
    result = compare(actual, expected, 10 * TOLERANCE, largest=False)
    if result.passed:
        went, meant = ({name: array[name] - start[name] for name in start} for array in (trained.parameters, found))
        result = compare(went, meant, MOVED, largest=False)
    return result, seconds


def verify_windows(parameters: Any, scorer: Callable[[Any], Any], windows: Any) -> Verification:
    """Compares the scores of windows, (n, window, channel), given one by one, with the mean squared errors."""
    from tests.oracle import reference

    exact = {name: array.astype(np.float64) for name, array in parameters.items()}
    flat = windows.reshape(len(windows), -1).astype(np.float32).astype(np.float64)
    expected = ((flat - reference.decode(reference.encode(flat, exact)[0], exact)) ** 2).mean(axis=1)
    return compare({"scores": np.concatenate([scorer(one) for one in windows])}, {"scores": expected})


def verify_scores(detector: Any, *, points: int = 1000, seed: int = 1) -> Verification:
    """Compares the scores of a fitted detector of the product, at this many points, with the oracle's."""
    from tests.oracle import reference
    from twinvae.config import resolve
    from twinvae.data.synthetic import noisy_sine

    series = noisy_sine(seed, length=points).anomalous.astype(np.float32)
    parameters = {name: array.astype(np.float64) for name, array in detector.model_.parameters.items()}
    config = resolve("tutorial", {})
    column = series.astype(np.float64).reshape(-1, 1)  # the preset scales nothing
    expected = reference.scores(column, parameters, config.window, config.kind).mean(axis=1)
    return compare({"scores": detector.score(series)}, {"scores": expected})


def compare(
    actual: dict[str, Any], expected: dict[str, Any], tolerance: float = TOLERANCE, *, largest: bool = True
) -> Verification:
    """Compares arrays by name and returns the largest difference, or root mean square. NaN and missing arrays fail."""
    size: Any = (lambda array: np.max(np.abs(array))) if largest else (lambda array: np.sqrt(np.mean(array**2)))
    if actual.keys() != expected.keys():
        return Verification(False, float("inf"), "names of the parameters")
    worst, where = 0.0, "nothing"
    for name, array in expected.items():
        if np.shape(actual[name]) != array.shape:
            return Verification(False, float("inf"), f"shape of {name}")
        error = float(size(np.asarray(actual[name], dtype=np.float64) - array) / size(array))
        if not error <= worst:  # NaN too
            worst, where = error, name
        if np.isnan(error):
            break
    return Verification(worst <= tolerance, worst, where)
