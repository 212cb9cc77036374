"""A whole training run: what a backend trains on, the history of it, progress, early stopping and Ctrl-C."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NotRequired, TypedDict, TypeVar

import numpy as np
from jaxtyping import Float, Int

from twinvae.config import Config
from twinvae.files.out_of_core import TimeByChannel, pieces
from twinvae.network.backend import Backend
from twinvae.network.failure import check_finite
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters, draw
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

Piece = TypeVar("Piece", Chunk, ChunkTogether)


class History(TypedDict):
    """What each epoch of a training came to: means over its windows, one item for an epoch."""

    loss: list[float]  # at the beta of each step
    reconstruction: list[float]  # the squared error of a window
    kl: list[float]  # the KL divergence of a window's posterior, in nats
    kl_per_dimension: list[list[float]]  # that of each latent dimension
    validation_loss: NotRequired[list[float]]  # on the held-out tail, if there is one; always at the full beta


def held_out_steps(length: int, config: Config) -> int:
    """The number of time steps at the end of a training series that are held out for early stopping.

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
    backend: Backend, net: Net, scaled: TimeByChannel, config: Config, seed: int, stop: Callable[[], bool] = bool
) -> tuple[Parameters, History]:
    """Trains a network on a scaled series and returns its parameters and the history of the training.

    With a held-out tail, the parameters are those of the epoch with the lowest loss on it, and training stops after
    `patience` epochs without a better one; the epochs of beta's warm-up do not count. At Ctrl-C the training ends with
    the parameters of the last finished epoch (or of the best one) and a warning. It also warns of a collapsed
    posterior.

    Raises:
        Cancelled: if `stop()` was true between two chunks.
        ValueError: if the parameters or the loss do not stay finite.
        KeyboardInterrupt: at Ctrl-C before the first epoch is finished, or at a second Ctrl-C.
    """
    kept = draw(net, seed)
    part = scaled[: len(scaled) - held_out_steps(len(scaled), config)]
    tail = scaled[len(part) :]
    windows = count(len(part), config.window)
    steps = steps_per_epoch(windows, config.batch_size)
    # A held-out loss after each epoch needs chunks of at most one epoch.
    schedule = chunks(windows, config, seed, limit=min(steps, CHUNK_STEPS) if len(tail) else CHUNK_STEPS)
    history: History = {"loss": [], "reconstruction": [], "kl": [], "kl_per_dimension": []}
    unfinished: list[np.ndarray] = []  # the terms of all steps since the end of the last finished epoch
    best: tuple[float, int] | None = None  # the held-out loss and the number of the epoch whose parameters are kept
    with training_progress(config.epochs) as report, _asked_to_stop() as asked:
        try:
            for state in backend.train(net, kept, part, _until(stop, schedule), config):
                check_finite(config, *state.parameters.values(), state.terms)
                unfinished.append(state.terms)
                finished, rest = divmod(sum(map(len, unfinished)), steps)
                if finished and not rest:
                    loss = _loss(backend, net, state.parameters, tail, config) if len(tail) else 0.0
                    check_finite(config, np.array(loss))
                    terms = np.concatenate(unfinished).astype(np.float64).reshape(finished, steps, -1)
                    unfinished = []
                    _add_epochs(history, terms, windows, config)
                    done = len(history["loss"])
                    if len(tail):
                        history.setdefault("validation_loss", []).append(loss)
                    if best is None or not len(tail) or loss < best[0]:
                        best, kept = (loss, done), state.parameters
                    report(done, history["loss"][-1], history["reconstruction"][-1], history["kl"][-1])
                    if len(tail) and done - max(best[1], config.beta_warm_up) >= config.patience:
                        break
                if asked():
                    raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            if best is None or type(error) is not KeyboardInterrupt:  # SIGTERM keeps nothing
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
    learned: Sequence[Int[np.ndarray, " _"] | None] | None = None,
) -> list[tuple[Parameters, History]]:
    """Trains a network for each of these scaled series at once, each for its own number of epochs.

    There is no held-out tail, so no early stopping; and what comes out is not checked: see `check_trained`. `learned`
    are the windows that each one learns from, as their first time steps; None stands for all of them.

    Raises:
        Cancelled: if `stop()` was true between two chunks.
    """
    places = [None] * len(series) if learned is None else learned
    windows = [
        count(len(scaled), config.window) if place is None else len(place)
        for scaled, place in zip(series, places, strict=True)
    ]
    steps = [steps_per_epoch(each, config.batch_size) for each in windows]
    order = sorted(range(len(series)), key=lambda member: -steps[member] * epochs[member])
    together = np.zeros((len(series), power_of_two(max(map(len, series))), net.channels), net.dtype)
    for row, member in zip(together, order, strict=True):
        row[: len(series[member])] = series[member]
    schedule = chunks_together([windows[m] for m in order], [epochs[m] for m in order], config, seed)
    if learned is not None:
        schedule = _placed(schedule, [places[m] for m in order])
    start = draw(net, seed)
    trained = backend.train_together(net, start, together, _until(stop, schedule), config)
    result: dict[int, tuple[Parameters, History]] = {}
    for member, (parameters, terms) in zip(order, trained, strict=True):
        history: History = {"loss": [], "reconstruction": [], "kl": [], "kl_per_dimension": []}
        shaped = terms.astype(np.float64).reshape(epochs[member], steps[member], -1)
        _add_epochs(history, shaped, windows[member], config)
        result[member] = parameters, history
    return [result[member] for member in range(len(series))]


def _placed(
    schedule: Iterator[ChunkTogether], places: Sequence[Int[np.ndarray, " _"] | None]
) -> Iterator[ChunkTogether]:
    """The schedule with the windows of each member at these places: its i-th window begins at the i-th of them."""
    for chunk in schedule:
        starts = [row if place is None else place[row] for row, place in zip(chunk.starts, places, strict=True)]
        yield chunk._replace(starts=np.stack(starts).astype(np.int32))


class Cancelled(Exception):  # noqa: N818  (not an error)
    """The work was cancelled: nobody wants its result any more."""


def _until(stop: Callable[[], bool], schedule: Iterator[Piece]) -> Iterator[Piece]:
    """The schedule, until `stop()` is true."""
    for chunk in schedule:
        if stop():
            raise Cancelled
        yield chunk


def check_trained(trained: Parameters, history: History, windows: int, config: Config) -> None:
    """Raises ValueError if the training has diverged; warns if the posterior has collapsed."""
    check_finite(config, *trained.values(), np.array(history["loss"]))
    _warn_of_collapse(history["kl_per_dimension"][-1], windows)


def _warn_of_collapse(kl_per_dimension: Sequence[float], windows: int) -> None:
    if windows > 1 and max(kl_per_dimension) < COLLAPSED:
        warn(
            f"posterior collapse: no latent dimension carries {COLLAPSED} nats, every window gets the same "
            "reconstruction: lower beta or set beta_warm_up, unless the series is noise",
            stacklevel=5,
        )


def _add_epochs(history: History, terms: Float[np.ndarray, "epoch step term"], windows: int, config: Config) -> None:
    """Adds some epochs to the history of a training, in place."""
    epochs, steps, _ = terms.shape
    means = terms.sum(axis=1) / windows
    kl = weighed = means[:, 1:].sum(axis=1)
    if config.beta_warm_up:
        scale = beta_scale(len(history["loss"]) * steps, epochs * steps, steps, config).reshape(epochs, steps, 1)
        weighed = (scale * terms[:, :, 1:]).sum(axis=(1, 2)) / windows
    history["loss"] += (means[:, 0] + config.beta * weighed).tolist()
    history["reconstruction"] += means[:, 0].tolist()
    history["kl"] += kl.tolist()
    history["kl_per_dimension"] += means[:, 1:].tolist()


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C was pressed; a second Ctrl-C raises KeyboardInterrupt at once.

    It is read between chunks, so that parameters and history belong together and no framework's callback swallows the
    exception. A program that has a handler of its own for Ctrl-C keeps it, and so does a thread.
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


def _loss(backend: Backend, net: Net, trained: Parameters, part: TimeByChannel, config: Config) -> float:
    """The mean over the windows of the loss at the posterior mean."""
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
