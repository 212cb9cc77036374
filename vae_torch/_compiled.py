"""Training steps compiled by `torch.compile`: several steps a call, parameters and Adam's state as flat vectors."""

import functools
import shutil
from collections.abc import Callable
from itertools import repeat
from typing import Any, NamedTuple

import array_api_compat.torch as xp
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call, grad
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from twinvae.config import Config
from twinvae.network.backend import Trained
from twinvae.network.net import Net
from twinvae.windowing.slide import slide
from vae_torch.model import State, abstract, build, from_state, loss

STEPS_PER_CALL = 3  # more steps would save a little time each, but take much longer to compile

RunChunk = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor | None, int], Trained]


class Progress(NamedTuple):
    """What a step hands to the next: parameters, Adam's moments and the number of steps so far."""

    vector: Float[Tensor, " parameter"]
    first: Float[Tensor, " parameter"]
    second: Float[Tensor, " parameter"]
    step: Float[Tensor, ""]


def compiled_run(net: Net, state: State, config: Config, device: torch.device) -> RunChunk:
    """A function that runs chunks in calls of a few compiled steps; it holds the parameters and Adam's state.

    Raises:
        ValueError: if there is no C++ compiler to build the program for the CPU.
    """
    if device.type == "cpu" and not any(map(shutil.which, ("g++", "clang++"))):
        raise ValueError("compile=True needs a C++ compiler: install g++ or clang++, or leave compile out")
    model = build(net, state)
    call = _compiled(net, config.beta, config.learning_rate, device.type)
    vector = parameters_to_vector(model.parameters()).detach()
    # A float64 count: 0.999**step must not lose digits before 1 - 0.999**step is taken.
    count = torch.zeros((), dtype=torch.float64, device=device)
    progress = Progress(vector, torch.zeros_like(vector), torch.zeros_like(vector), count)

    def run(
        values: Tensor, starts: Tensor, weights: Tensor, noise: Tensor, beta_scale: Tensor | None, used: int
    ) -> Trained:
        nonlocal progress
        terms = []
        active = torch.arange(-(-used // STEPS_PER_CALL) * STEPS_PER_CALL, device=values.device) < used
        scales = repeat(None) if beta_scale is None else _calls(beta_scale.to(values.dtype))
        parts = (_calls(array) for array in (active, starts, weights, noise))
        calls = zip(*parts, scales, strict=False)  # `active` ends first
        with torch.no_grad():
            for some, *batch in calls:
                progress, some_terms = call(progress, some, values, *batch)
                terms.append(some_terms)
            vector_to_parameters(progress.vector, model.parameters())
        return Trained(from_state(model.state_dict()), torch.cat(terms)[:used].numpy(force=True))

    return run


def _calls(array: Tensor) -> tuple[Tensor, ...]:
    """The rows of each call, cut at once; the last row is repeated where the array ends before its last call."""
    missing = -len(array) % STEPS_PER_CALL
    whole = torch.cat([array, array[-1:].expand(missing, *array.shape[1:])]) if missing else array
    return torch.split(whole, STEPS_PER_CALL)


@functools.cache
def _compiled(
    net: Net, beta: float, learning_rate: float, device: str
) -> Callable[..., tuple[Progress, Float[Tensor, "step term"]]]:
    """The program of a few steps, compiled once for each combination of its arguments."""
    model = abstract(net)
    shapes = [(name, parameter.shape) for name, parameter in model.named_parameters()]
    lengths = [shape.numel() for _, shape in shapes]

    def flat_loss(
        vector: Tensor, windows: Tensor, weights: Tensor, noise: Tensor, beta: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        parts = zip(shapes, torch.split(vector, lengths), strict=True)
        named = {name: part.reshape(shape) for (name, shape), part in parts}
        return loss(net, lambda *inputs: functional_call(model, named, inputs), windows, weights, noise, beta)

    def steps(
        progress: Progress,
        active: Tensor,
        series: Float[Tensor, "time channel"],
        starts: Int[Tensor, "step batch"],
        weights: Float[Tensor, "step batch"],
        noise: Float[Tensor, "step batch latent"],
        scale: Float[Tensor, " step"] | None,
    ) -> tuple[Progress, Tensor]:
        terms = []
        for index in range(STEPS_PER_CALL):
            windows = slide(series, starts[index], net.window, xp)
            now = beta if scale is None else beta * scale[index]
            slope, parts = grad(flat_loss, has_aux=True)(progress.vector, windows, weights[index], noise[index], now)
            after = adam(progress, slope, learning_rate)
            progress = Progress(
                *(torch.where(active[index], new, old) for new, old in zip(after, progress, strict=True))
            )
            terms.append(parts)
        return progress, torch.stack(terms)

    # The C++ wrapper halves what a call costs beside its arithmetic.
    options: dict[str, Any] = {"cpp_wrapper": True} if device == "cpu" else {}
    return torch.compile(steps, fullgraph=True, dynamic=False, options=options)


def adam(progress: Progress, slope: Float[Tensor, " parameter"], learning_rate: float) -> Progress:
    """One step of Adam with the constants of `torch.optim.Adam` (Kingma and Ba 2015, algorithm 1)."""
    step = progress.step + 1
    first = 0.9 * progress.first + 0.1 * slope
    second = 0.999 * progress.second + 0.001 * slope * slope
    scale = (learning_rate / (1 - 0.9**step)).to(slope.dtype)
    correction = torch.sqrt(1 - 0.999**step).to(slope.dtype)
    vector = progress.vector - scale * first / (torch.sqrt(second) / correction + 1e-8)
    return Progress(vector, first, second, step)
