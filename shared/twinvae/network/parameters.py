"""The parameters of the model: names, shapes, initial draw, checks.

A set of parameters is a flat dict of NumPy arrays. A layer's weight is (outputs, inputs), as in PyTorch; the
layer `posterior` gives the means of the latent dimensions and then their log-variances.
"""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from twinvae.network.net import Net

Parameters = dict[str, Float[np.ndarray, "..."]]


def shapes(net: Net) -> dict[str, tuple[int, ...]]:
    """The shape of each parameter, in the order that files and initial draws keep."""
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
    """Initial parameters: weights and biases uniform in +-1/sqrt(fan_in), as `torch.nn.Linear`."""
    generator = np.random.default_rng([seed, 0])
    expected = shapes(net)
    bounds = {name.split(".")[0]: 1.0 / math.sqrt(shape[-1]) for name, shape in expected.items() if len(shape) == 2}
    return {
        name: generator.uniform(-1.0, 1.0, shape).astype(net.dtype)
        * np.dtype(net.dtype).type(bounds[name.split(".")[0]])
        for name, shape in expected.items()
    }


def check(parameters: Mapping[str, np.ndarray], net: Net) -> None:
    """Raises ValueError if a parameter is missing, unknown, misshapen, of another dtype or not finite."""
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
