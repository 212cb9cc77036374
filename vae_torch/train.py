"""Training: an eager loop over the steps of a chunk with PyTorch's fused Adam, or the same steps compiled."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adam import adam

from shared.backend import Gradient, Trained
from shared.config import Config
from shared.parameters import Parameters
from shared.schedule import Chunk, placed
from vae_torch.compiled import RunChunk, compiled_run
from vae_torch.model import build, from_module, loss
from vae_torch.runtime import one_thread_if_small, runtime
from vae_torch.score import every_window


def train(
    parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """See `shared.backend.Backend.train`."""
    with runtime(config) as device:
        run = compiled_run(parameters, config, device) if config.compile else eager_run(parameters, config, device)
    for chunk, values in placed(chunks, series, lambda steps: torch.tensor(steps, device=device)):
        with runtime(config) as device, one_thread_if_small(config.batch_size, series.shape[1], config):
            starts = torch.as_tensor(chunk.starts, device=device)
            weights = torch.as_tensor(chunk.weights, device=device).to(values.dtype)
            noise = torch.as_tensor(chunk.noise, device=device).to(values.dtype)
            scale = None if chunk.beta_scale is None else torch.as_tensor(chunk.beta_scale, device=device)
            result = run(values, starts, weights, noise, chunk.used, scale)
        yield result


def eager_run(parameters: Parameters, config: Config, device: torch.device) -> RunChunk:
    """Runs chunks step by step, as PyTorch programs are usually written; holds the model and Adam's state."""
    model = build(parameters, device)
    learned = list(model.parameters())
    step = _step(torch.optim.Adam(learned, lr=config.learning_rate, fused=True))
    masked = config.missing == "mask"

    def run(
        values: Tensor, starts: Tensor, weights: Tensor, noise: Tensor, used: int, beta_scale: Tensor | None
    ) -> Trained:
        terms = []
        windows = every_window(values, config.window)
        betas = [config.beta] * used if beta_scale is None else [config.beta * s for s in beta_scale[:used].tolist()]
        batches = zip(starts[:used].unbind(), weights[:used].unbind(), noise[:used].unbind(), betas, strict=True)
        for chosen, weight, draw, beta in batches:
            total, parts = loss(model, windows[chosen], weight, draw, beta, masked, config.centring)
            step(torch.autograd.grad(total, learned))
            terms.append(parts)  # read at the end of the chunk: reading waits for the device
        return Trained(from_module(model), torch.stack(terms).numpy(force=True))

    return run


def _step(optimizer: torch.optim.Adam) -> Callable[[Sequence[Tensor]], None]:
    """A step of this optimizer from gradients: what its own method calls after bookkeeping that costs more."""
    (group,) = optimizer.param_groups
    options = {name: group[name] for name in ("lr", "eps", "weight_decay", "amsgrad", "maximize", "fused")}
    beta1, beta2 = group["betas"]
    learned = [parameter.detach() for parameter in group["params"]]  # the same memory, unknown to autograd
    first, second = ([torch.zeros_like(tensor) for tensor in learned] for _ in range(2))
    counts = [torch.zeros((), device=tensor.device) for tensor in learned]

    def step(gradients: Sequence[Tensor]) -> None:
        adam(learned, list(gradients), first, second, [], counts, beta1=beta1, beta2=beta2, **options)

    return step


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
        total, terms = loss(model, x, w, e, config.beta, config.missing == "mask", config.centring)
        total.backward()  # type: ignore[no-untyped-call]
        gradients = {name: p.grad.numpy(force=True) for name, p in model.named_parameters() if p.grad is not None}
        return Gradient(float(terms[0]), float(terms[1:].sum()), gradients)
