"""Training: an eager loop over the steps of a chunk, with PyTorch's fused Adam."""

from collections.abc import Iterable, Iterator

import array_api_compat.torch as xp
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shared.backend import Gradient, Trained
from shared.config import Config
from shared.objective import loss_terms
from shared.parameters import Parameters
from shared.schedule import Chunk
from shared.windows import slide
from vae_torch.model import VAE, build, from_module, sample
from vae_torch.runtime import runtime


def loss(
    model: VAE,
    windows: Float[Tensor, "batch window channel"],
    weights: Float[Tensor, " batch"],
    noise: Float[Tensor, "batch latent"],
    beta: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, " 2"]]:
    """The loss of one batch, and its two terms, summed over the batch."""
    x = windows.reshape(len(windows), -1)
    mean, log_variance = model.encode(x)
    x_hat = model.decode(sample(mean, log_variance, noise))
    squared, divergence = loss_terms(x, x_hat, mean, log_variance, weights, xp)
    return squared + beta * divergence, torch.stack([squared, divergence]).detach()


def train(
    parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """See `shared.backend.Backend.train`."""
    with runtime(config) as device:
        model = build(parameters, device)
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
        values = torch.tensor(series, device=device)
    for chunk in chunks:
        with runtime(config) as device:
            starts = torch.as_tensor(chunk.starts[: chunk.used], device=device)
            weights = torch.as_tensor(chunk.weights[: chunk.used], device=device).to(values.dtype)
            noise = torch.as_tensor(chunk.noise[: chunk.used], device=device).to(values.dtype)
            terms = []
            for batch in zip(starts, weights, noise, strict=True):
                optimizer.zero_grad()
                windows = slide(values, batch[0], config.window, xp)
                total, both = loss(model, windows, batch[1], batch[2], config.beta)
                total.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                terms.append(both)
            result = Trained(from_module(model), torch.stack(terms).numpy(force=True))
        yield result


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
