"""Training: a compiled loop over the steps of a chunk, Optax's Adam inside."""

import functools
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from twinvae.config import Config
from twinvae.network.backend import Trained
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import Chunk, ChunkTogether, placed
from twinvae.windowing.geometry import power_of_two
from vae_jax._vector import Vectors, flatten, unflatten
from vae_jax.model import build, from_state, loss, to_state
from vae_jax.runtime import _on_cpu, runtime
from vae_jax.score import PROGRAMS, _compiling

MOST_PADDED = 2**20  # values in a series: to compile for the length of a longer one takes little of its training

UNROLL = 4  # steps that a GPU takes between two looks at how far it is


class _Progress(NamedTuple):
    """What a step hands to the next."""

    vectors: Vectors  # of the parameters
    adam: optax.OptState


def train(
    net: Net, parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """See `twinvae.network.backend.Backend.train`.

    A chunk is dispatched before the result of the one before it is read, so that drawing noise on the host and
    training on the device overlap. Beside the training, a thread compiles the programs that will score the series.
    Series and chunks are padded, with what no step reads, so that those of many lengths share a program.
    """

    def place(steps: np.ndarray) -> Array:
        with runtime(net, config.device):
            return jax.device_put(steps if steps.size > MOST_PADDED else _with_rows(steps, power_of_two(len(steps))))

    def dispatched() -> Iterator[tuple[Any, Array, int]]:
        with runtime(net, config.device):
            progress = _start(net, parameters)
        for chunk, values in placed(chunks, series, place):
            with runtime(net, config.device):
                whole = _as_data(chunk)
                run = _compiled(net, config.beta, config.learning_rate, len(values), *whole.starts.shape)
                progress, terms = run(progress, values, whole)
            yield progress.vectors, terms, chunk.used

    with _compiling(net, len(series), config):
        for vectors, terms, used in _one_ahead(dispatched()):
            with runtime(net, config.device):
                state = Trained(from_state(unflatten(jax.device_get(vectors), net)), np.asarray(terms)[:used])
            yield state


def _as_data(chunk: Chunk) -> Chunk:
    """The chunk as its program takes it.

    A CPU runs one program for full and partial chunks, and for those of other series that are about as long, with the
    number of steps as data. A GPU would ask its host after each step whether there is another (8 us), so there the
    padding is cut off, and a loop of known length compiled for full chunks and for the last one.
    """
    if _on_cpu():
        return _lengthened(chunk)
    cut = {name: part[: chunk.used] for name, part in chunk._asdict().items() if isinstance(part, np.ndarray)}
    return chunk._replace(**cut, used=None, rows=None)  # type: ignore[arg-type]


def train_together(
    net: Net,
    parameters: Parameters,
    series: Float[np.ndarray, "member time channel"],
    chunks: Iterable[ChunkTogether],
    config: Config,
) -> list[Trained]:
    """See `twinvae.network.backend.Backend.train_together`: one program, mapped over the members.

    On a CPU it takes them one by one, so that the parameters of one stay in the processor's cache, and the numbers are
    those of `train`. A GPU takes all of them in each step.
    """
    members = power_of_two(len(series))  # few sizes, so few programs; those that pad have no steps
    with runtime(net, config.device):
        at_once = 1 if _on_cpu() else members
        device_series = jax.device_put(_with_rows(series, members))
        start = _start(net, parameters)
        progress = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (members, *np.shape(leaf))), start)

    def dispatched() -> Iterator[tuple[Array, np.ndarray]]:
        nonlocal progress
        for chunk in chunks:
            with runtime(net, config.device):
                whole = _padded(chunk, members)
                shape = (series.shape[1], *whole.starts.shape)
                run = _compiled_together(net, config.beta, config.learning_rate, at_once, *shape)
                progress, now = run(progress, device_series, whole)
            yield now, chunk.used

    terms: list[list[np.ndarray]] = [[] for _ in series]
    for now, used in _one_ahead(dispatched()):
        with runtime(net, config.device):
            parts = np.asarray(now)
        for known, part, steps in zip(terms, parts, used, strict=False):
            known.append(part[:steps].copy())
    with runtime(net, config.device):
        vectors = jax.device_get(progress.vectors)
    return [
        Trained(from_state(unflatten(of_one, net)), np.concatenate(known))
        for of_one, known in zip(zip(*vectors, strict=True), terms, strict=False)
    ]


def _one_ahead(dispatched: Iterator[Any]) -> Iterator[Any]:
    """Each result once the next is dispatched: the device works on a chunk while the host draws or reads another."""
    for result, _ in pairwise(chain(dispatched, [None])):
        yield result


def _with_rows(array: np.ndarray, rows: int) -> np.ndarray:
    """The array with zeros appended, up to this number of rows."""
    return array if len(array) == rows else np.pad(array, ((0, rows - len(array)), *((0, 0),) * (array.ndim - 1)))


def _lengthened(chunk: Chunk) -> Chunk:
    """The chunk with steps that are not run appended, up to a power of two."""
    steps, scale = power_of_two(len(chunk.starts)), chunk.beta_scale
    starts, weights, noise = (_with_rows(part, steps) for part in (chunk.starts, chunk.weights, chunk.noise))
    return Chunk(starts, weights, noise, chunk.used, None if scale is None else _with_rows(scale, steps))


def _padded(chunk: ChunkTogether, members: int) -> ChunkTogether:
    """The chunk with members that have no steps appended, up to this number."""
    of_members = chunk._asdict() | {"noise": None}  # which they share
    return chunk._replace(**{name: _with_rows(part, members) for name, part in of_members.items() if part is not None})


def _start(net: Net, parameters: Parameters) -> _Progress:
    vectors = flatten(to_state(parameters), net)
    return _Progress(vectors, _adam(tuple(len(vector) for vector in vectors), net.dtype))


@functools.lru_cache(PROGRAMS)
def _adam(sizes: tuple[int, ...], dtype: str) -> optax.OptState:
    """Adam's state before the first step: zeros, made on the host, where they need no programs of their own."""
    shapes = jax.eval_shape(optax.adam(0.0).init, tuple(np.zeros(size, dtype) for size in sizes))
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


_Run = Callable[..., tuple[_Progress, Array]]  # of the progress, the series and a chunk: the progress and the terms


def _chunk_program(net: Net, beta: float, learning_rate: float) -> _Run:
    """The function that runs a chunk.

    It is a loop whose number of steps is data, so that a chunk that is not full runs the same program; or, where a
    chunk says no number, of all its steps.
    """
    optimizer = optax.adam(learning_rate)

    def flat_loss(
        vectors: Vectors, windows: Array, weights: Array, noise: Array, beta: float | Array
    ) -> tuple[Float[Array, ""], Float[Array, " term"]]:
        return loss(net, build(net, unflatten(vectors, net)), windows, weights, noise, beta)

    def run(
        progress: _Progress, series: Float[Array, "time channel"], chunk: Chunk
    ) -> tuple[_Progress, Float[Array, "step term"]]:
        starts, weights, noise, used, beta_scale, _ = chunk
        dtype = series.dtype

        def step(index: Any, carry: tuple[_Progress, Array]) -> tuple[_Progress, Array]:
            (vectors, adam), terms = carry
            # The same as `twinvae.windowing.slide.slide`, which gathers single values where this copies windows.
            windows = jax.vmap(lambda start: jax.lax.dynamic_slice_in_dim(series, start, net.window))(starts[index])
            now = beta if beta_scale is None else beta * beta_scale[index].astype(dtype)
            gradient, parts = jax.grad(flat_loss, has_aux=True)(
                vectors, windows, weights[index].astype(dtype), noise[index].astype(dtype), now
            )
            updates, adam = optimizer.update(gradient, adam, vectors)
            vectors = optax.apply_updates(vectors, updates)
            return _Progress(vectors, adam), terms.at[index].set(parts)

        start = progress, jnp.zeros((len(starts), 1 + net.latent), dtype)
        if used is None:
            return jax.lax.fori_loop(0, len(starts), step, start, unroll=min(UNROLL, len(starts)))
        return jax.lax.fori_loop(0, used, step, start)

    return run


@functools.lru_cache(PROGRAMS)
def _compiled(net: Net, beta: float, learning_rate: float, length: int, steps: int, batch: int) -> _Run:
    """The program that runs a chunk of so many steps on so long a series, compiled once for each of these."""
    return jax.jit(_chunk_program(net, beta, learning_rate))


@functools.lru_cache(PROGRAMS)
def _compiled_together(
    net: Net, beta: float, learning_rate: float, at_once: int, length: int, members: int, steps: int, batch: int
) -> _Run:
    """The program that runs a chunk of several members, `at_once` of them in one step."""
    run = _chunk_program(net, beta, learning_rate)

    @jax.jit
    def run_together(
        progress: _Progress, series: Float[Array, "member time channel"], chunk: ChunkTogether
    ) -> tuple[_Progress, Float[Array, "member step term"]]:
        starts, weights, noise, used, beta_scale = chunk

        def run_one(member: tuple[Any, ...]) -> tuple[_Progress, Array]:
            progress, series, starts, weights, used, beta_scale = member
            return run(progress, series, Chunk(starts, weights, noise, used, beta_scale))

        members = progress, series, starts, weights, used, beta_scale
        return jax.lax.map(run_one, members, batch_size=None if at_once == 1 else at_once)

    return run_together
