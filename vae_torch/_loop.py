"""A chunk of training steps as one compiled program, without Python between the steps, kept on disk between processes.

AOTInductor, PyTorch's compiler of whole programs, makes a package that a later process loads in milliseconds without
importing the compiler. What PyTorch does not promise to keep is used in this file alone: `while_loop`, by which the
loop is said, and the loader that needs no compiler. Where they are gone, `program` raises an ImportError.
"""

import functools
import hashlib
import platform
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twinvae.files.cache import cached, digest_of
from twinvae.network.net import Net
from vae_torch._step import flat_step
from vae_torch.model import abstract

Program = Callable[[list[Tensor]], list[Tensor]]


@functools.lru_cache(maxsize=32)
def program(net: Net, beta: float, learning_rate: float, batch: int, *, warm_up: bool, threads: int) -> Program:
    """The program that runs a chunk, for series and chunks of any length, with batches of this many windows.

    It takes the parts of a `Progress`, the series, the chunk's starts, weights, noise and (with `warm_up`) factors of
    beta, and the number of steps; it gives the parts of the next `Progress` and the terms of each step.

    Raises:
        ImportError: if this PyTorch cannot make or load such a program.
    """
    from torch._C._aoti import AOTIModelPackageLoader

    key = digest_of(net, beta, learning_rate, batch, warm_up, threads, _compiler(), _sources())
    with tempfile.TemporaryDirectory(prefix="twinvae-") as folder:
        make = functools.partial(_package, net, beta, learning_rate, batch, warm_up)
        loader = AOTIModelPackageLoader(str(cached("torch", key, ".pt2", make, Path(folder))), "model", False, 1, -1)
    return loader.boxed_run


def _package(net: Net, beta: float, learning_rate: float, batch: int, warm_up: bool, path: Path) -> None:
    """Compiles the program and writes it."""
    from torch._higher_order_ops.while_loop import while_loop
    from torch._inductor import aoti_compile_and_package
    from torch.export import Dim, export
    from torch.fx.experimental.proxy_tensor import make_fx

    dtype, steps = getattr(torch, net.dtype), 4
    size = sum(parameter.numel() for parameter in abstract(net).parameters())
    state = (*(torch.zeros(size, dtype=dtype) for _ in range(3)), torch.zeros((), dtype=torch.float64))
    series = torch.zeros(4 * net.window, net.channels, dtype=dtype)
    batches = [
        torch.zeros(steps, batch, dtype=torch.int32),
        torch.zeros(steps, batch, dtype=dtype),
        torch.zeros(steps, batch, net.latent, dtype=dtype),
    ]
    if warm_up:
        batches.append(torch.zeros(steps, dtype=dtype))
    # `export` cannot see through `grad`, so the step is first written out as plain operations.
    step = make_fx(flat_step(net, beta, learning_rate))(*state, series, *(array[0] for array in batches))

    class Chunk(torch.nn.Module):
        def forward(self, state: tuple[Tensor, ...], series: Tensor, batches: list[Tensor], used: Tensor) -> Any:
            def unfinished(index: Tensor, *_: Tensor) -> Tensor:
                return index < used

            def next_step(index: Tensor, *carry: Tensor) -> tuple[Tensor, ...]:
                *state, terms = carry
                row = index.reshape(1)
                now = (torch.index_select(array, 0, row).squeeze(0) for array in batches)
                *state, some = step(*state, series, *now)
                return index + 1, *state, torch.index_copy(terms, 0, row, some[None])

            terms = torch.zeros(batches[0].shape[0], 1 + net.latent, dtype=dtype)
            start = torch.zeros((), dtype=torch.int64)
            carry = (start, *(part.clone() for part in state), terms)
            return while_loop(unfinished, next_step, carry)[1:]  # type: ignore[no-untyped-call]

    length, many = Dim("length", min=net.window, max=2**48), Dim("many", min=1, max=2**24)
    lengths = ((None,) * 4, {0: length}, [{0: many}] * len(batches), None)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter uses what it says should not be used
        exported = export(Chunk(), (state, series, batches, torch.tensor(1)), dynamic_shapes=lengths)
        aoti_compile_and_package(exported, package_path=str(path))


def _compiler() -> tuple[str, ...]:
    """What a program depends on beside its source: PyTorch and the processor, for which the compiler optimises."""
    return torch.__version__, str(torch.version.git_version), torch.backends.cpu.get_cpu_capability(), _processor()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part")))


def _sources() -> str:
    """A digest of the sources that the step is made from: other sources, another program."""
    from twinvae.network import objective
    from twinvae.windowing import slide
    from vae_torch import _step, model

    files = [Path(str(module.__file__)) for module in (objective, slide, _step, model)] + [Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
