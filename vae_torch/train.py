"""Training: an eager loop over the steps of a chunk with PyTorch's fused Adam, or the same steps compiled."""

from collections.abc import Iterable, Iterator

import array_api_compat.torch as xp
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shared.backend import Gradient, Trained
from shared.config import Config
from shared.parameters import Parameters
from shared.schedule import Chunk
from shared.windows import slide
from vae_torch.compiled import RunChunk, compiled_run
from vae_torch.model import build, from_module, loss
from vae_torch.runtime import one_thread_if_small, runtime


def train(
    parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """See `shared.backend.Backend.train`."""
    with runtime(config) as device:
        run = compiled_run(parameters, config, device) if config.compile else eager_run(parameters, config, device)
        values = torch.tensor(series, device=device)
    for chunk in chunks:
        with runtime(config) as device, one_thread_if_small(config.batch_size, series.shape[1], config):
            starts = torch.as_tensor(chunk.starts, device=device)
            weights = torch.as_tensor(chunk.weights, device=device).to(values.dtype)
            noise = torch.as_tensor(chunk.noise, device=device).to(values.dtype)
            result = run(values, starts, weights, noise, chunk.used)
        yield result


def eager_run(parameters: Parameters, config: Config, device: torch.device) -> RunChunk:
    """Runs chunks step by step, as PyTorch programs are usually written; holds the model and Adam's state."""
    model = build(parameters, device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)

    def run(values: Tensor, starts: Tensor, weights: Tensor, noise: Tensor, used: int) -> Trained:
        terms = []
        for step in range(used):
            optimizer.zero_grad()
            windows = slide(values, starts[step], config.window, xp)
            total, both = loss(model, windows, weights[step], noise[step], config.beta)
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            terms.append(both)  # read at the end of the chunk: reading waits for the device
        return Trained(from_module(model), torch.stack(terms).numpy(force=True))

    return run


def gradient(
    parameters: Parameters,
    windows: Float[np.ndarray, "batch window channel"],
    weights: Float[np.ndarray, " batch"],
    noise: Float[np.ndarray, "batch latent"],
    config: Config,
) -> Gradient:
    """See `shared.backend.Backend.gradient`."""
    with runtime(config) as device:
        model = build(parameters, device)
        x, w, e = (torch.tensor(a, device=device) for a in (windows, weights, noise))
        total, terms = loss(model, x, w, e, config.beta)
        total.backward()  # type: ignore[no-untyped-call]
        gradients = {name: p.grad.numpy(force=True) for name, p in model.named_parameters() if p.grad is not None}
        return Gradient(float(terms[0]), float(terms[1]), gradients)
