"""Times the training loop of JAX in its forms for a GPU, beside the form for a CPU, in one process and in turns."""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

UNROLLS = (1, 4, 16)
ROUNDS = 7


def measured(device: str, seconds: float) -> dict[str, Any]:
    """The microseconds of a step of the tutorial's job, the median over rounds, for each form of the loop."""
    import jax
    import numpy as np

    from twinvae.config import resolve
    from twinvae.network.backend import load_backend
    from twinvae.network.net import Net
    from twinvae.network.parameters import draw
    from twinvae.network.schedule import chunks
    from twinvae.windowing.geometry import count

    train: Any = import_module("vae_jax.train")
    config = resolve("tutorial", {"device": device})
    net = Net.of(config, 1)
    series = np.sin(np.arange(500.0, dtype=np.float32) / 8)[:, None]
    parameters = draw(net, 0)
    backend = load_backend("jax")
    schedule = list(chunks(count(len(series), net.window), config, 0))
    steps = sum(chunk.used for chunk in schedule)

    def form(known_length: bool, unroll: int) -> Callable[[], float]:
        # The program is found by its settings, not by its form, so each form has programs of its own.
        programs: dict[Any, Any] = {}

        def compiled(*settings: Any) -> Any:
            if settings not in programs:
                programs[settings] = jax.jit(train._chunk_program(*settings[:3]))
            return programs[settings]

        def run() -> float:
            train._on_cpu, train.UNROLL, train._compiled = (lambda: not known_length), unroll, compiled
            begin = time.perf_counter()
            for _ in backend.train(net, parameters, series, iter(schedule), config):
                pass
            return (time.perf_counter() - begin) / steps * 1e6

        return run

    forms = {"number of steps as data": form(False, 1)}
    forms |= {f"known length, unrolled {unroll}": form(True, unroll) for unroll in UNROLLS}
    first = {name: run() for name, run in forms.items()}
    rounds: dict[str, list[float]] = {name: [] for name in forms}
    end = time.monotonic() + seconds
    for _ in range(ROUNDS):
        for name, run in forms.items():
            rounds[name].append(run())
        if time.monotonic() > end:
            break
    medians = {name: statistics.median(times) for name, times in rounds.items()}
    return {"unit": "us a step", "steps": steps, "median": medians, "rounds": rounds, "first": first}


def main() -> None:
    """Writes the times to a file and prints them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="gpu")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    answer = measured(options.device, options.seconds)
    options.out.write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
    for name, median in answer["median"].items():
        print(f"{name:32}{median:8.1f} us a step")


if __name__ == "__main__":
    main()
