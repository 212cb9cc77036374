"""Compiled training: a chunk of steps as one program on the CPU, graphs of compiled steps on a GPU."""

import functools
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from twinvae.config import Config
from twinvae.network.backend import Trained
from twinvae.network.net import Net
from vae_torch import _loop
from vae_torch._graph import STEPS, RecordedSteps
from vae_torch._step import Progress, Step, flat_step
from vae_torch.model import State, build, from_state

RunChunk = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor | None, int], Trained]
RunSteps = Callable[[Progress, Tensor, list[Tensor], int], tuple[Progress, Float[Tensor, "step term"]]]


def compiled_run(net: Net, state: State, config: Config, device: torch.device) -> RunChunk:
    """A function that runs chunks; it holds the parameters and Adam's state.

    Raises:
        ValueError: if there is no C++ compiler to build the program for the CPU.
    """
    if device.type == "cpu" and not any(map(shutil.which, ("g++", "clang++"))):
        raise ValueError("compile=True needs a C++ compiler: install g++ or clang++, or leave compile out")
    model = build(net, state)
    vector = parameters_to_vector(model.parameters()).detach()
    # A float64 count: 0.999**step must not lose digits before 1 - 0.999**step is taken.
    count = torch.zeros((), dtype=torch.float64, device=device)
    progress = Progress(vector, torch.zeros_like(vector), torch.zeros_like(vector), count)

    def run(
        values: Tensor, starts: Tensor, weights: Tensor, noise: Tensor, beta_scale: Tensor | None, used: int
    ) -> Trained:
        nonlocal progress
        scales = [] if beta_scale is None else [beta_scale.to(values.dtype)]
        run_steps = _program(net, config, device.type, starts.shape[1], warm_up=bool(scales))
        with torch.no_grad():
            progress, terms = run_steps(progress, values, [starts, weights, noise, *scales], used)
            vector_to_parameters(progress.vector, model.parameters())
        return Trained(from_state(model.state_dict()), terms.numpy(force=True))

    return run


def _program(net: Net, config: Config, device: str, batch: int, *, warm_up: bool) -> RunSteps:
    """What runs the steps of a chunk: one program for all of them where PyTorch can make it, else one for each step."""
    settings = net, config.beta, config.learning_rate
    if device == "cpu":
        with suppress(ImportError):  # of a name that PyTorch does not promise to keep
            return _in_one_call(_loop.program(*settings, batch, warm_up=warm_up, threads=torch.get_num_threads()))
        return _step_by_step(_compiled_step(*settings, device))
    return _in_graphs(_compiled_step(*settings, device))


def _in_one_call(program: _loop.Program) -> RunSteps:
    def run_steps(progress: Progress, values: Tensor, batches: list[Tensor], used: int) -> tuple[Progress, Tensor]:
        *state, terms = program([*progress, values, *batches, torch.tensor(used)])
        return Progress(*state), terms[:used]

    return run_steps


def _step_by_step(step: Step) -> RunSteps:
    def run_steps(progress: Progress, values: Tensor, batches: list[Tensor], used: int) -> tuple[Progress, Tensor]:
        terms = []
        for batch in zip(*(array[:used].unbind() for array in batches), strict=True):
            *state, some = step(*progress, values, *batch)
            progress = Progress(*state)
            terms.append(some)
        return progress, torch.stack(terms)

    return run_steps


@functools.cache  # as the compiled step is, so that a second fit records nothing
def _in_graphs(step: Step) -> RunSteps:
    """Whole graphs of steps, and a call for each step that is left over."""
    singly = _step_by_step(step)
    known: dict[tuple[torch.Size, ...], RecordedSteps] = {}  # of the shapes that came last: each takes memory

    def run_steps(progress: Progress, values: Tensor, batches: list[Tensor], used: int) -> tuple[Progress, Tensor]:
        whole = used - used % STEPS
        terms = []
        if whole:
            shapes = (values.shape, *(array.shape for array in batches))
            if shapes not in known:
                known.clear()
                known[shapes] = RecordedSteps(step, list(progress), values, batches)
            state, some = known[shapes].run(list(progress), values, [array[:whole] for array in batches])
            progress = Progress(*state)
            terms.append(some)
        if used > whole:
            progress, some = singly(progress, values, [array[whole:] for array in batches], used - whole)
            terms.append(some)
        return progress, torch.cat(terms)

    return run_steps


@functools.cache
def _compiled_step(net: Net, beta: float, learning_rate: float, device: str) -> Step:
    """The program of a step, compiled once for each combination of its arguments."""
    # The C++ wrapper halves what a call costs beside its arithmetic.
    options: dict[str, Any] = {"cpp_wrapper": True} if device == "cpu" else {}
    return torch.compile(flat_step(net, beta, learning_rate), fullgraph=True, dynamic=False, options=options)
