"""The stages of a run on a GPU, the most important first: each is a command with a time limit and its own result."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import ROOT

# JAX's loop recorded as a CUDA graph as a whole; by default only what is inside it is.
GRAPH_OF_A_LOOP = "--xla_gpu_enable_command_buffer=FUSION,CUBLAS,CUBLASLT,CUDNN,CUSTOM_CALL,CONDITIONAL,WHILE"
# The rungs of the tutorial's job that come first, and those that are measured if there is time at the end.
MAIN = ("torch-eager", "jax-run", "torch-overhead", "torch-compiled", "jax-step", "tutorial")
BOTH = ("torch-eager", "jax-run")
REST = ("torch-loop", "torch-again", "jax-again", "torch-step", "torch-autotune")
RESULTS = "results.json"  # of all stages that measure by one set of flags


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

    def measured(
        name: str, seconds: float, cases: Sequence[str], names: Sequence[str] = (), out: str = RESULTS,
        **environment: str,
    ) -> Stage:  # fmt: skip
        chosen = [part for case in cases for part in ("--case", case)]
        chosen += [part for one in names for part in ("--implementation", one)]
        command = (
            python, "-m", "benchmarks", "run", "--quick", "--resume", "--device", device, *chosen, "--out",
            str(folder / out),
        )  # fmt: skip
        return Stage(name, seconds, command, environment, out)

    # Only files that hold such tests: others import what a borrowed machine may not have.
    files = (str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in path.read_text("utf-8"))
    tests = (python, "-m", "pytest", *files, "-m", "gpu", "-q", "-p", "no:cacheprovider", "-W", "default")
    variants = (python, "-m", "benchmarks.gpu.variants", "--device", device, "--out", str(folder / "variants.json"))
    on_gpu_alone = ("fleet-size", "score-long", "transfer") if device == "gpu" else ("fleet", "score", "stream")
    page = (python, "-m", "benchmarks", "report", str(folder / RESULTS))
    return [
        Stage("environment", 40, (python, "-m", "benchmarks.gpu.environment"), result=None),
        Stage("tests", 120, tests),
        Stage("variants", 90, variants, result="variants.json"),
        measured("tutorial", 180, ["fit"], MAIN),
        measured("graph-of-a-loop", 40, ["fit"], ["jax-run"], "graph-of-a-loop.json", XLA_FLAGS=GRAPH_OF_A_LOOP),
        measured("fleet-size", 120, on_gpu_alone[:1]),
        measured("score-long", 90, on_gpu_alone[1:2], BOTH),
        measured("window", 40, ["window"], BOTH),
        measured("limits", 60, ["roofline", *on_gpu_alone[2:]]),
        measured("tutorial-rest", 120, ["fit"], REST),
        Stage("page", 60, page, result="results/report.html"),
    ]
