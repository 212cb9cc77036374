"""The stages of a run on a GPU, the most important first: each is a command with a time limit and its own result."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

# JAX's loop recorded as a CUDA graph as a whole; by default only what is inside it is.
GRAPH_OF_A_LOOP = "--xla_gpu_enable_command_buffer=FUSION,CUBLAS,CUBLASLT,CUDNN,CUSTOM_CALL,CONDITIONAL,WHILE"


@dataclass(frozen=True)
class Stage:
    """One command of the run. It fails or passes alone: the stages after it run in any case."""

    name: str
    seconds: float  # after which it is stopped; what it has written by then stays
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    result: str | None = None  # the file that it writes in the folder of the run


def stages(folder: Path, device: str) -> list[Stage]:
    """All stages, for `device="gpu"`, or for `"cpu"` as a rehearsal without one: the same commands, fewer cases."""
    python = sys.executable

    def measured(name: str, seconds: float, cases: Sequence[str], *more: str, **environment: str) -> Stage:
        chosen = [part for case in cases for part in ("--case", case)]
        out = folder / f"{name}.json"
        command = (python, "-m", "benchmarks", "run", "--quick", "--device", device, *chosen, *more, "--out", str(out))
        return Stage(name, seconds, command, environment, out.name)

    tests = (python, "-m", "pytest", "tests", "-m", "gpu", "-q", "-p", "no:cacheprovider", "-W", "default")
    variants = (python, "-m", "benchmarks.gpu.variants", "--device", device, "--out", str(folder / "variants.json"))
    on_gpu_alone = ("fleet-size", "transfer") if device == "gpu" else ("fleet", "window")
    return [
        Stage("environment", 40, (python, "-m", "benchmarks.gpu.environment"), result=None),
        Stage("tests", 120, tests),
        Stage("variants", 90, variants, result="variants.json"),
        measured("tutorial", 120, ["fit"]),
        measured("tutorial-graph-of-a-loop", 40, ["fit"], "--implementation", "jax-run", XLA_FLAGS=GRAPH_OF_A_LOOP),
        measured("fleet-size", 120, on_gpu_alone[:1]),
        measured("score", 90, ["score"]),
        measured("window", 40, ["window"]),
        measured("transfer", 40, on_gpu_alone[1:]),
    ]
