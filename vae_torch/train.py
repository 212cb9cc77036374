"""Training: an eager loop over the steps of a chunk with PyTorch's fused Adam, or the same steps compiled."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.optim.adam import adam

from twinvae.config import Config
from twinvae.network.backend import Trained
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import Chunk, ChunkTogether, placed
from vae_torch._compiled import RunChunk, compiled_run
from vae_torch.model import State, abstract, build, from_state, loss, to_state
from vae_torch.runtime import _one_thread_if_small, runtime
from vae_torch.score import _every_window


def train(
    net: Net, parameters: Parameters, series: Float[np.ndarray, "time channel"], chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    """See `twinvae.network.backend.Backend.train`."""
    with runtime(net, config.device) as device:
        state = to_state(parameters)
        run = compiled_run(net, state, config, device) if config.compile else _eager_run(net, state, config)

    def place(steps: np.ndarray) -> Tensor:
        with runtime(net, config.device):
            return torch.tensor(steps, device=device)

    for chunk, values in placed(chunks, series, place):
        with runtime(net, config.device), _one_thread_if_small(net, config.batch_size):
            result = run(values, *_tensors(chunk, values), chunk.used)
        yield result


def _tensors(chunk: Chunk | ChunkTogether, series: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """The starts, weights, noise and scales of beta of a chunk, on the device and in the precision of the series."""
    starts, weights, noise = (
        torch.as_tensor(a, device=series.device) for a in (chunk.starts, chunk.weights, chunk.noise)
    )
    scale = None if chunk.beta_scale is None else torch.as_tensor(chunk.beta_scale, device=series.device)
    return starts, weights.to(series.dtype), noise.to(series.dtype), scale


def _eager_run(net: Net, state: State, config: Config) -> RunChunk:
    """A function that runs chunks step by step, as PyTorch programs usually do; it holds the model and Adam's state."""
    model = build(net, state)
    learned = list(model.parameters())
    step = _step(torch.optim.Adam(learned, lr=config.learning_rate, fused=True))

    def run(
        values: Tensor, starts: Tensor, weights: Tensor, noise: Tensor, beta_scale: Tensor | None, used: int
    ) -> Trained:
        terms = []
        windows = _every_window(net, values)
        betas = [config.beta] * used if beta_scale is None else [config.beta * s for s in beta_scale[:used].tolist()]
        batches = zip(starts[:used].unbind(), weights[:used].unbind(), noise[:used].unbind(), betas, strict=True)
        for chosen, weight, draw, beta in batches:
            total, parts = loss(net, model, windows[chosen], weight, draw, beta)
            step(torch.autograd.grad(total, learned))
            terms.append(parts)  # read at the end of the chunk: reading waits for the device
        return Trained(from_state(model.state_dict()), torch.stack(terms).numpy(force=True))

    return run


def train_together(
    net: Net,
    parameters: Parameters,
    series: Float[np.ndarray, "member time channel"],
    chunks: Iterable[ChunkTogether],
    config: Config,
) -> list[Trained]:
    """See `twinvae.network.backend.Backend.train_together`: parameters are stacked, and the module mapped over them."""
    with runtime(net, config.device):
        state = to_state(parameters)
        stacked, _ = stack_module_state([build(net, state) for _ in series])
        run = _together_run(net, stacked, config)
        windows = torch.tensor(series).unfold(1, net.window, 1).transpose(2, 3)
    terms: list[list[np.ndarray]] = [[] for _ in series]
    for chunk in chunks:
        with runtime(net, config.device), _one_thread_if_small(net, config.batch_size * len(series)):
            for known, part, used in zip(terms, run(windows, chunk), chunk.used, strict=True):
                known.append(part[:used].copy())
    trained = {name: tensor.numpy(force=True) for name, tensor in stacked.items()}
    return [
        Trained({name: array[member].copy() for name, array in trained.items()}, np.concatenate(known))
        for member, known in enumerate(terms)
    ]


def _together_run(
    net: Net, stacked: State, config: Config
) -> Callable[[Tensor, ChunkTogether], Float[np.ndarray, "member step term"]]:
    """A function that runs chunks step by step, all members in one step; it holds Adam's state."""
    model = abstract(net)
    learned = list(stacked.values())
    step = _step(torch.optim.Adam(learned, lr=config.learning_rate, fused=True))

    def one(
        named: dict[str, Tensor], x: Tensor, weights: Tensor, noise: Tensor, beta: Tensor
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " term"]]:
        return loss(net, lambda *inputs: functional_call(model, named, inputs), x, weights, noise, beta)

    every = vmap(one, in_dims=(0, 0, 0, None, 0))

    def run(windows: Tensor, chunk: ChunkTogether) -> Float[np.ndarray, "member step term"]:
        device, dtype = windows.device, windows.dtype
        starts, weights, noise, beta_scale = _tensors(chunk, windows)
        beta = torch.full(chunk.starts.shape[:2], config.beta, dtype=torch.float64, device=device)
        if beta_scale is not None:
            beta *= beta_scale
        beta = beta.to(dtype)
        row = torch.arange(len(windows), device=device)[:, None]
        terms = torch.zeros((*starts.shape[:2], 1 + noise.shape[2]), dtype=dtype, device=device)
        for index in range(int(chunk.used.max())):
            active = int((chunk.used > index).sum())  # those with most steps stand first
            now = {name: tensor[:active] for name, tensor in stacked.items()}
            x = windows[row[:active], starts[:active, index]]
            total, parts = every(now, x, weights[:active, index], noise[index], beta[:active, index])
            gradients = torch.autograd.grad(total.sum(), list(now.values()))
            step(gradients, active)
            terms[:active, index] = parts
        return terms.numpy(force=True)

    return run


def _step(optimizer: torch.optim.Adam) -> Callable[..., None]:
    """A function that takes a step of this optimizer, given the gradients: what the optimizer's own method calls.

    That method's bookkeeping costs more than the step. With `members`, only the first so many rows of each tensor
    take the step.
    """
    (group,) = optimizer.param_groups
    options = {name: group[name] for name in ("lr", "eps", "weight_decay", "amsgrad", "maximize", "fused")}
    beta1, beta2 = group["betas"]
    learned = [parameter.detach() for parameter in group["params"]]  # the same memory, unknown to autograd
    first, second = ([torch.zeros_like(tensor) for tensor in learned] for _ in range(2))
    counts = [torch.zeros((), dtype=torch.float32, device=tensor.device) for tensor in learned]

    def step(gradients: Sequence[Tensor], members: int | None = None) -> None:
        state = learned, first, second
        parameters, means, squares = state if members is None else ([t[:members] for t in part] for part in state)
        # Adam's fused kernel reads a gradient in the order of its memory, whatever its strides say.
        whole = [gradient.contiguous() for gradient in gradients]
        adam(parameters, whole, means, squares, [], counts, beta1=beta1, beta2=beta2, **options)

    return step
