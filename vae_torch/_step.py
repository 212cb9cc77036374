"""What is compiled: a training step as a function of tensors alone, with the parameters and Adam's state as vectors."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import array_api_compat.torch as xp
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call, grad

from twinvae.network.net import Net
from twinvae.windowing.slide import slide
from vae_torch.model import abstract, loss

Step = Callable[..., tuple[Tensor, ...]]


class Progress(NamedTuple):
    """What a step hands to the next: parameters, Adam's moments and the number of steps so far."""

    vector: Float[Tensor, " parameter"]
    first: Float[Tensor, " parameter"]
    second: Float[Tensor, " parameter"]
    step: Float[Tensor, ""]


@functools.cache
def flat_step(net: Net, beta: float, learning_rate: float) -> Step:
    """One step: takes the parts of a `Progress`, the series and a batch; gives the parts of the next and the terms."""
    model = abstract(net)
    shapes = [(name, parameter.shape) for name, parameter in model.named_parameters()]
    lengths = [shape.numel() for _, shape in shapes]

    def flat_loss(
        vector: Tensor, windows: Tensor, weights: Tensor, noise: Tensor, beta: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        parts = zip(shapes, torch.split(vector, lengths), strict=True)
        named = {name: part.reshape(shape) for (name, shape), part in parts}
        return loss(net, lambda *inputs: functional_call(model, named, inputs), windows, weights, noise, beta)

    def step(
        vector: Float[Tensor, " parameter"],
        first: Float[Tensor, " parameter"],
        second: Float[Tensor, " parameter"],
        count: Float[Tensor, ""],
        series: Float[Tensor, "time channel"],
        starts: Int[Tensor, " batch"],
        weights: Float[Tensor, " batch"],
        noise: Float[Tensor, "batch latent"],
        *scale: Float[Tensor, ""],
    ) -> tuple[Tensor, ...]:
        windows = slide(series, starts, net.window, xp)
        now = beta * scale[0] if scale else beta
        slope, parts = grad(flat_loss, has_aux=True)(vector, windows, weights, noise, now)
        return *adam(Progress(vector, first, second, count), slope, learning_rate), parts

    return step


def adam(progress: Progress, slope: Float[Tensor, " parameter"], learning_rate: float) -> Progress:
    """One step of Adam with the constants of `torch.optim.Adam` (Kingma and Ba 2015, algorithm 1)."""
    step = progress.step + 1
    first = 0.9 * progress.first + 0.1 * slope
    second = 0.999 * progress.second + 0.001 * slope * slope
    scale = (learning_rate / (1 - 0.9**step)).to(slope.dtype)
    correction = torch.sqrt(1 - 0.999**step).to(slope.dtype)
    vector = progress.vector - scale * first / (torch.sqrt(second) / correction + 1e-8)
    return Progress(vector, first, second, step)
