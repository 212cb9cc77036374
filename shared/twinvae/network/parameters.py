"""The parameters of the model: their names, shapes, initial values and checks.

A set of parameters is a flat dict of NumPy arrays. A layer's weight has the shape (outputs, inputs), as in PyTorch. The
outputs of the layer `posterior` are the means of the latent dimensions, followed by their log-variances.
"""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from twinvae.network.net import Net
from twinvae.network.seeds import generator

Parameters = dict[str, Float[np.ndarray, "..."]]


def shapes(net: Net) -> dict[str, tuple[int, ...]]:
    """The shape of each parameter, in the order in which files hold them and initial values are drawn."""
    layers = {
        "encoder": (net.hidden, net.features),
        "posterior": (2 * net.latent, net.hidden),
        "decoder": (net.hidden, net.latent),
        "output": (net.features, net.hidden),
    }
    return {
        f"{layer}.{part}": shape
        for layer, weight in layers.items()
        for part, shape in (("weight", weight), ("bias", weight[:1]))
    }


def draw(net: Net, seed: int) -> Parameters:
    """Draws the initial parameters: weights and biases uniform in +-1/sqrt(fan_in), as `torch.nn.Linear` does."""
    uniform, expected = generator(seed, "initial").uniform, shapes(net)
    bounds = {name.split(".")[0]: 1.0 / math.sqrt(shape[-1]) for name, shape in expected.items() if len(shape) == 2}
    return {
        name: uniform(-1.0, 1.0, shape).astype(net.dtype) * np.dtype(net.dtype).type(bounds[name.split(".")[0]])
        for name, shape in expected.items()
    }


def check(parameters: Mapping[str, np.ndarray], net: Net) -> None:
    """Raises ValueError if a parameter is missing, unknown, not finite, or of another shape or dtype than the net's."""
    expected = shapes(net)
    for name in expected.keys() - parameters.keys():
        raise ValueError(f"parameter {name} is missing")
    for name in parameters.keys() - expected.keys():
        raise ValueError(f"parameter {name} is not one of the model's")
    for name, shape in expected.items():
        if parameters[name].shape != shape:
            raise ValueError(f"parameter {name} has shape {parameters[name].shape}, not {shape}")
        if parameters[name].dtype != net.dtype:
            raise ValueError(f"parameter {name} is {parameters[name].dtype}, the model is {net.dtype}")
        if not np.isfinite(parameters[name]).all():
            raise ValueError(f"parameter {name} holds values that are not finite")
