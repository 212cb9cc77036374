"""The limits of the machine: how fast it multiplies large matrices and copies a series to a device and back."""

import sys
from collections.abc import Callable
from typing import Any

from benchmarks.speed.process.measurement import Measurement, repeat
from benchmarks.speed.process.workloads import SEED, long_series


def roofline(m: Measurement) -> None:
    """Measures the operations a second of products of square float32 matrices in the library of the implementation."""
    import numpy as np

    size = 4096 if m.device == "gpu" else 1024
    calls = 20 if m.device == "gpu" else 1  # with one at a time, a GPU would wait for its host
    a, b = np.random.default_rng(SEED).normal(size=(2, size, size)).astype(np.float32)
    for precision in ("float32", "tf32") if m.device == "gpu" else ("float32",):
        product = _product(m, a, b, precision, calls)
        product()
        seconds = repeat(product, budget=m.budget / 2, least=5, most=100)
        m.add("matmul", "operation/s", [calls * 2.0 * size**3 / s for s in seconds], precision=precision, size=size)


def _product(m: Measurement, a: Any, b: Any, precision: str, calls: int) -> Callable[[], Any]:
    """A function that computes `calls` products, all of which are finished when it returns."""
    if m.name == "numpy":
        return lambda: a @ b
    if m.name == "jax-run":
        import jax

        exact = jax.lax.Precision.HIGHEST if precision == "float32" else jax.lax.Precision.DEFAULT
        multiply = jax.jit(lambda x, y: jax.lax.dot(x, y, precision=exact))
        x, y = jax.device_put(a), jax.device_put(b)

        def run_jax() -> None:
            [multiply(x, y) for _ in range(calls)][-1].block_until_ready()

        return run_jax
    import torch

    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    p, q = torch.tensor(a), torch.tensor(b)
    if m.device == "gpu":
        p, q = p.cuda(), q.cuda()

    def run() -> None:
        for _ in range(calls):
            torch.mm(p, q)
        if m.device == "gpu":
            torch.cuda.synchronize()

    return run


def transfer(m: Measurement) -> None:
    """Measures the copying of a long series to the device and back."""
    import numpy as np

    host = long_series(m.options["points"]).astype(np.float32)
    if m.name == "jax-run":
        import jax

        device: Any = jax.device_put(host).block_until_ready()

        def up() -> Any:
            return jax.device_put(host).block_until_ready()

        def down() -> Any:
            return np.asarray(device + 0)  # a fresh array: JAX keeps the host's copy of one that was read

    else:
        import torch

        device = torch.tensor(host).cuda()

        def up() -> Any:
            torch.tensor(host).cuda()
            torch.cuda.synchronize()

        def down() -> Any:
            return device.cpu().numpy()

    down()
    for metric, function in (("to_device", up), ("to_host", down)):
        m.add(metric, "s", repeat(function, budget=m.budget), points=len(host))


def device_memory(m: Measurement) -> int | None:
    """Returns the most bytes that the framework had on the device; None if it does not say."""
    if m.name.startswith("jax"):
        import jax

        statistics = jax.devices()[0].memory_stats() or {}
        return statistics.get("peak_bytes_in_use")
    if "torch" not in sys.modules:
        return None
    import torch

    return int(torch.cuda.max_memory_allocated())
