"""PyTorch as a careful user writes it: batches by index, no DataLoader, no wait for the loss; eager or compiled.

The model and the loss are those of the product; the eager loop uses `loss.backward` and `torch.optim.Adam` as its
manual says, the compiled ones the step that the product compiles too.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from twinvae.config import Config
from twinvae.network.backend import Trained
from twinvae.network.net import Net
from twinvae.network.parameters import Parameters
from twinvae.network.schedule import Chunk
from vae_torch._step import flat_step
from vae_torch.model import build, from_state, loss, to_state
from vae_torch.runtime import runtime

Train = Callable[[Net, Parameters, np.ndarray, Iterable[Chunk], Config], Iterator[Trained]]


def trainer(mode: str | None) -> Train:
    """Returns a `train` as that of `twinvae.network.backend.Backend`: eager, or compiled in this mode.

    The mode is one of `torch.compile`, for a program of one step; or `whole`: the loop over a chunk is compiled.
    """
    return _eager if mode is None else lambda *arguments: _compiled(mode, *arguments)


def _eager(
    net: Net, parameters: Parameters, series: np.ndarray, chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    with runtime(net, config.device) as device:
        model = build(net, to_state(parameters))
        adam = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
        windows = torch.tensor(series, device=device).unfold(0, net.window, 1).transpose(1, 2).contiguous()
    for chunk in chunks:
        with runtime(net, config.device) as device:
            terms = []
            for starts, weights, noise in zip(*_batches(chunk, windows), strict=True):
                total, parts = loss(net, model, windows[starts], weights, noise, config.beta)
                adam.zero_grad(set_to_none=True)
                total.backward()  # type: ignore[no-untyped-call]
                adam.step()
                terms.append(parts)
            result = Trained(from_state(model.state_dict()), torch.stack(terms).numpy(force=True))
        yield result


def _compiled(
    mode: str, net: Net, parameters: Parameters, series: np.ndarray, chunks: Iterable[Chunk], config: Config
) -> Iterator[Trained]:
    with runtime(net, config.device) as device:
        model = build(net, to_state(parameters))
        vector = parameters_to_vector(model.parameters()).detach()
        count = torch.zeros((), dtype=torch.float64, device=device)
        state: Any = (vector, torch.zeros_like(vector), torch.zeros_like(vector), count)
        values = torch.tensor(series, device=device)
        settings = net, config.beta, config.learning_rate
        graphs = device.type == "cuda" and mode != "default"
        run = _whole(*settings) if mode == "whole" else _by_steps(_step(*settings, mode), graphs)
    for chunk in chunks:
        with runtime(net, config.device), torch.no_grad():
            state, terms = run(state, values, chunk)
            vector_to_parameters(state[0], model.parameters())
            result = Trained(from_state(model.state_dict()), terms.numpy(force=True))
        yield result


def _batches(chunk: Chunk, like: torch.Tensor) -> tuple[Any, ...]:
    starts, weights, noise = (
        torch.as_tensor(a[: chunk.used], device=like.device) for a in (chunk.starts, chunk.weights, chunk.noise)
    )
    return starts.unbind(), weights.to(like.dtype).unbind(), noise.to(like.dtype).unbind()


def _by_steps(step: Any, graphs: bool) -> Callable[..., tuple[Any, torch.Tensor]]:
    def run(state: Any, values: torch.Tensor, chunk: Chunk) -> tuple[Any, torch.Tensor]:
        terms = []
        for batch in zip(*_batches(chunk, values), strict=True):
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            *state, parts = step(*state, values, *batch)
            if graphs:  # whose results lie where the next step puts its own
                *state, parts = (result.clone() for result in (*state, parts))
            terms.append(parts)
        return state, torch.stack(terms)

    return run


@cache
def _whole(net: Net, beta: float, rate: float) -> Callable[..., tuple[Any, torch.Tensor]]:
    """A function that runs a chunk as one program: `torch.compile` of a loop that is not written out step by step."""
    from torch._higher_order_ops.while_loop import while_loop

    step = flat_step(net, beta, rate)

    def program(state: Any, values: Any, starts: Any, weights: Any, noise: Any, used: Any) -> Any:
        def body(index: Any, *carry: Any) -> Any:
            *now, terms = carry
            row = index.reshape(1)
            batch = (torch.index_select(array, 0, row).squeeze(0) for array in (starts, weights, noise))
            *now, parts = step(*now, values, *batch)
            return index + 1, *now, torch.index_copy(terms, 0, row, parts[None])

        terms = torch.zeros(len(starts), 1 + net.latent, dtype=values.dtype)
        carry = torch.zeros((), dtype=torch.int64), *(part.clone() for part in state), terms
        return while_loop(lambda index, *_: index < used, body, carry)[1:]  # type: ignore[no-untyped-call]

    compiled: Any = torch.compile(program, fullgraph=True, dynamic=False)

    def run(state: Any, values: torch.Tensor, chunk: Chunk) -> tuple[Any, torch.Tensor]:
        arrays = (torch.as_tensor(a) for a in (chunk.starts, chunk.weights.astype(net.dtype), chunk.noise))
        *state, terms = compiled(tuple(state), values, *arrays, torch.tensor(chunk.used))
        return state, terms[: chunk.used]

    return run


@cache
def _step(net: Net, beta: float, rate: float, mode: str) -> Any:
    return torch.compile(flat_step(net, beta, rate), fullgraph=True, dynamic=False, mode=mode)
