"""The training run: chunks in, parameters and history out; progress, early stopping and Ctrl-C between chunks."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from twinvae.config import Config
from twinvae.files.out_of_core import pieces
from twinvae.network import parameters
from twinvae.network.backend import Backend
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import (
    CHUNK_STEPS,
    Chunk,
    ChunkTogether,
    beta_scale,
    chunks,
    chunks_together,
    steps_per_epoch,
)
from twinvae.process.notices import warn
from twinvae.process.progress import training_progress
from twinvae.windowing.fold import observed_values
from twinvae.windowing.geometry import count, power_of_two

COLLAPSED = 0.01  # nats: a latent dimension whose mean KL divergence is lower carries nothing

History = dict[str, list[Any]]
Piece = TypeVar("Piece", Chunk, ChunkTogether)


def held_out_steps(length: int, config: Config) -> int:
    """Time steps at the end of a training series of `length` steps that are held out for early stopping.

    Raises:
        ValueError: if either part would be shorter than a window.
    """
    held_out = round(length * config.validation_fraction)
    if held_out and not config.window <= held_out <= length - config.window:
        raise ValueError(
            f"validation_fraction={config.validation_fraction:g} leaves {length - held_out} steps for training and "
            f"{held_out} held out: each part needs at least one window of {config.window}"
        )
    return held_out


def train(
    backend: Backend,
    net: Net,
    scaled: Float[np.ndarray, "time channel"],
    config: Config,
    seed: int,
    stop: Callable[[], bool] = bool,
) -> tuple[Parameters, History]:
    """Trains on a scaled series; returns the parameters and, for each epoch, the means over its windows of the loss,
    the squared error (`reconstruction`), the KL divergence (`kl`, and a list of that of each latent dimension,
    `kl_per_dimension`) and, on the held-out tail, the `validation_loss`, which is always at the full beta.

    With a held-out tail the parameters are those of the epoch with the lowest loss on it. Ctrl-C keeps those of the
    last finished epoch (or the best one), with a warning. A posterior that has collapsed is a warning too. The warm-up
    of beta does not count towards `patience`.

    Raises:
        Cancelled: if `stop` says so between two chunks.
        ValueError: if the parameters do not stay finite.
        KeyboardInterrupt: at Ctrl-C before the first epoch is finished, or at the second.
    """
    kept = parameters.draw(net, seed)
    part = scaled[: len(scaled) - held_out_steps(len(scaled), config)]
    tail = scaled[len(part) :]
    windows = count(len(part), config.window)
    steps = steps_per_epoch(windows, config.batch_size)
    # A held-out loss after every epoch needs chunks of at most one epoch.
    schedule = chunks(windows, config, seed, limit=min(steps, CHUNK_STEPS) if len(tail) else CHUNK_STEPS)
    history: History = {"loss": [], "reconstruction": [], "kl": [], "kl_per_dimension": []}
    if len(tail):
        history["validation_loss"] = []
    unfinished: list[np.ndarray] = []  # the terms of the epochs since the last that was finished
    best: tuple[float, int] | None = None  # held-out loss and epoch of what is kept
    with training_progress(config.epochs) as report, _asked_to_stop() as asked:
        try:
            for state in backend.train(net, kept, part, _until(stop, schedule), config):
                _check_finite(state.parameters)
                unfinished.append(state.terms)
                finished, rest = divmod(sum(map(len, unfinished)), steps)
                if finished and not rest:
                    loss = _loss(backend, net, state.parameters, tail, config) if len(tail) else 0.0
                    terms = np.concatenate(unfinished).astype(np.float64).reshape(finished, steps, -1)
                    unfinished = []
                    for name, values in _means(terms, len(history["loss"]), windows, config).items():
                        history[name] += values.tolist()
                    done = len(history["loss"])
                    if len(tail):
                        history["validation_loss"].append(loss)
                    if best is None or not len(tail) or loss < best[0]:
                        best, kept = (loss, done), state.parameters
                    report(done, *(history[name][-1] for name in ("loss", "reconstruction", "kl")))
                    if len(tail) and done - max(best[1], config.beta_warm_up) >= config.patience:
                        break
                if asked():
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            if best is None:
                raise
            warn(f"training interrupted: kept the parameters of epoch {best[1]} of {config.epochs}", stacklevel=3)
    if best is not None:
        _warn_of_collapse(history["kl_per_dimension"][best[1] - 1], windows)
    return kept, history


def train_together(
    backend: Backend,
    net: Net,
    series: Sequence[Float[np.ndarray, "_ channel"]],
    epochs: Sequence[int],
    config: Config,
    seed: int,
    stop: Callable[[], bool],
) -> list[tuple[Parameters, History]]:
    """`train` of each of these scaled series at once, with its number of epochs in place of `config.epochs`.

    Without a held-out part, so without early stopping; and without the checks of what came out, see `check_trained`.

    Raises:
        Cancelled: if `stop` says so between two chunks.
    """
    windows = [count(len(scaled), config.window) for scaled in series]
    steps = [steps_per_epoch(each, config.batch_size) for each in windows]
    order = sorted(range(len(series)), key=lambda member: -steps[member] * epochs[member])
    together = np.zeros((len(series), power_of_two(max(map(len, series))), net.channels), net.dtype)
    for row, member in zip(together, order, strict=True):
        row[: len(series[member])] = series[member]
    schedule = chunks_together([windows[m] for m in order], [epochs[m] for m in order], config, seed)
    start = parameters.draw(net, seed)
    trained = backend.train_together(net, start, together, _until(stop, schedule), config)
    result: dict[int, tuple[Parameters, History]] = {}
    for member, (learned, terms) in zip(order, trained, strict=True):
        shaped = terms.astype(np.float64).reshape(epochs[member], steps[member], -1)
        means = _means(shaped, 0, windows[member], config)
        result[member] = learned, {name: values.tolist() for name, values in means.items()}
    return [result[member] for member in range(len(series))]


class Cancelled(Exception):  # noqa: N818  (not an error)
    """The work was given up because nobody wants its result any more."""


def _until(stop: Callable[[], bool], schedule: Iterator[Piece]) -> Iterator[Piece]:
    for chunk in schedule:
        if stop():
            raise Cancelled
        yield chunk


def check_trained(trained: Parameters, history: History, windows: int) -> None:
    """Raises ValueError if the training diverged; warns if the posterior has collapsed."""
    _check_finite(trained)
    _warn_of_collapse(history["kl_per_dimension"][-1], windows)


def _warn_of_collapse(kl_per_dimension: Sequence[float], windows: int) -> None:
    if windows > 1 and max(kl_per_dimension) < COLLAPSED:
        warn(
            f"posterior collapse: no latent dimension carries {COLLAPSED} nats, every window gets the same "
            "reconstruction: lower beta or set beta_warm_up, unless the series is noise",
            stacklevel=5,
        )


def _means(
    terms: Float[np.ndarray, "epoch step term"], done: int, windows: int, config: Config
) -> dict[str, Float[np.ndarray, "epoch ..."]]:
    """The history of some epochs, after `done` others."""
    epochs, steps, _ = terms.shape
    means = terms.sum(axis=1) / windows
    kl = weighed = means[:, 1:].sum(axis=1)
    if config.beta_warm_up:
        scale = beta_scale(done * steps, epochs * steps, steps, config).reshape(epochs, steps, 1)
        weighed = (scale * terms[:, :, 1:]).sum(axis=(1, 2)) / windows
    return {
        "loss": means[:, 0] + config.beta * weighed,
        "reconstruction": means[:, 0],
        "kl": kl,
        "kl_per_dimension": means[:, 1:],
    }


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C was pressed; a second Ctrl-C raises KeyboardInterrupt at once.

    Read between chunks, so that parameters and history belong together, and so that a framework's callback cannot
    swallow the exception. A program with its own handler keeps it.
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed = False

    def handle(number: int, frame: Any) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _loss(
    backend: Backend, net: Net, trained: Parameters, part: Float[np.ndarray, "time channel"], config: Config
) -> float:
    """The loss at the posterior mean, averaged over the windows."""
    result = backend.statistics(net, trained, part, ("window", "divergence"), config.device)
    if net.masked:
        total, values = 0.0, observed_values(part, net.window)
        for rows in pieces(values):
            errors = (result["window"][rows] * values[rows]).sum(axis=1, dtype=np.float64)
            share = values[rows].mean(axis=1, dtype=np.float64) / net.window
            total += float((errors + config.beta * share * result["divergence"][rows, 0]).sum())
        return total / len(values)
    squared = result["window"].mean(dtype=np.float64) * net.window * net.channels
    return float(squared + config.beta * result["divergence"].mean(dtype=np.float64))


def _check_finite(trained: Parameters) -> None:
    if not all(np.isfinite(tensor).all() for tensor in trained.values()):
        raise ValueError('training diverged: scale the series (scaling="standard") or lower learning_rate')
