"""Training steps on a GPU as one CUDA graph: between them the device does not wait for its host."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_torch._step import Step

STEPS = 16  # of a graph: a call costs the host about as much as the device needs for a few steps
_WARM_UP = 3  # runs before a graph is recorded, in which libraries choose their programs and take their memory


def recorded(function: Callable[[], None]) -> Callable[[], None]:
    """What repeats the work of a function on the GPU, with whatever then lies in the tensors that it reads."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


class RecordedSteps:
    """Several steps as one graph, which reads and writes tensors of its own.

    It holds no state between calls of `run`: what it is given is copied to where the graph reads it.
    """

    def __init__(self, step: Step, state: list[Tensor], series: Tensor, batches: list[Tensor]) -> None:
        self._state = [part.clone() for part in state]
        self._series = series.clone()
        self._batches = [array.new_zeros((STEPS, *array.shape[1:])) for array in batches]
        self._terms: list[Tensor] = []

        def several() -> None:
            state, self._terms = self._state, []
            for row in range(STEPS):
                *state, terms = step(*state, self._series, *(array[row] for array in self._batches))
                self._terms.append(terms)
            for place, part in zip(self._state, state, strict=True):
                place.copy_(part)

        self._replay = recorded(several)

    def run(self, state: list[Tensor], series: Tensor, batches: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """The state after the steps of these batches, as many as are whole graphs, and the terms of each step."""
        self._series.copy_(series)
        for place, part in zip(self._state, state, strict=True):
            place.copy_(part)
        terms = []
        for first in range(0, len(batches[0]), STEPS):
            for place, array in zip(self._batches, batches, strict=True):
                place.copy_(array[first : first + STEPS])
            self._replay()
            terms.append(torch.stack(self._terms))
        return [part.clone() for part in self._state], torch.cat(terms)
