"""Results of the speed benchmark that nobody measured, for tests of what is made of them."""

from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.speed.cases import CASES, Job, jobs
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.process import verify
from benchmarks.speed.results import Results

STEP = {
    "tutorial": 600e-6, "pyod": 1500e-6, "pyod-same-size": 1300e-6, "torch-eager": 400e-6, "torch-compiled": 60e-6,
    "jax-step": 110e-6, "jax-run": 23e-6, "torch-loop": 430e-6, "torch-again": 400e-6, "jax-again": 23e-6,
    "torch-step": 90e-6, "torch-overhead": 90e-6, "torch-autotune": 90e-6, "torch-whole": 60e-6,
}  # fmt: skip
SWEPT = {
    "points": "points", "batch": "batch_size", "hidden": "hidden_dim", "window-length": "window",
    "channels": "channels", "map": "size",
}  # fmt: skip


def metric(name: str, unit: str, value: float, operations: float | None = None, **parameters: Any) -> dict[str, Any]:
    samples = [value, value * 1.01, value * 1.02]
    return {"metric": name, "unit": unit, "samples": samples, "operations": operations, "parameters": parameters}


def answer_to(job: Job, slower: float = 1.0) -> dict[str, Any]:
    """What a process might have answered."""
    step = STEP.get(job.implementation, 1.0) * slower
    options = CASES[job.case].options
    notes: dict[str, Any] = {"events": [[300, 320]], "flags": {"OMP_NUM_THREADS": str(job.threads)}}
    if job.case == "roofline":
        found = [metric("matmul", "operation/s", 1e11 * job.threads, precision="float32", size=1024)]
    elif job.case == "fit":
        notes["verified"] = {"worst": 2.7e-7, "where": "encoder.weight", "tolerance": verify.TOLERANCE}
        found = [metric("fit", "s", step * 1500), metric("final_loss", "per window", 7.0)]
        found.append(metric("first_use", "s", 0.5, cache=job.cache))
        if IMPLEMENTATIONS[job.implementation].difference is None:
            found.append(metric("step", "s", step, 8.5e5))
    elif job.case == "cold":
        stages = {"start": 0.02, "import": 1.0, "first_use": 1.0, "train": 1500 * step, "score": 0.001}
        stages["first_use"] = 20.0 if job.implementation == "torch-compiled" else 0.3 if job.cache == "warm" else 1.0
        stages["total"] = sum(stages.values())
        found = [metric(name, "s", value, cache=job.cache) for name, value in stages.items()]
    elif job.case in SWEPT:
        axis = SWEPT[job.case]
        name = "score_point" if job.case == "points" else "step"
        scale = 1e-3 if job.case == "points" else 1.0
        found = [
            metric(
                name,
                "s",
                step * scale * (1 if job.case == "points" else 1 + (sum(value) if job.case == "map" else value) / 100),
                8.5e5,
                **{axis: value},
            )
            for value in options["values"]
        ]
    elif job.case == "quality":
        found = [
            metric(f"{part}to_{what}", unit, value, target=options[what])
            for what in ("loss", "vus_pr")
            for part, unit, value in (("", "s", 900 * step), ("cpu_", "s", 900 * step), ("epochs_", "epochs", 60.0))
        ]
    elif job.case == "recompile":
        found = [
            {"metric": "programs_again", "unit": "programs", "samples": [0.0], "operations": None, "parameters": {}}
        ]
    elif job.case == "window":
        samples = list(np.linspace(20e-6, 40e-6, 1200))
        found = [{"metric": "latency", "unit": "s", "samples": samples, "operations": None, "parameters": {}}]
    elif job.case == "stream":
        found = [metric("point", "s", 9e-6 * window / 64, window=window, channels=1) for window in (64, 256)]
    elif job.case == "watch":
        found = [metric("point", "s", 20e-6, lines=lines) for lines in ("csv", "jsonl")]
    elif job.case == "fleet":
        found = [
            metric(name, "s", value, preset=preset)
            for name, value in (("single_model", 0.2), ("fleet_model", 0.15 / job.threads))
            for preset in options["presets"]
        ]
    else:
        found = [
            metric("step", "s", step, 8.5e5),
            metric("score_point", "s", step * 1e-3, 7680, **({} if job.case == "threads" else {"points": 10**7})),
            metric("growth", "byte", 3e8, points=10**7),
        ]
    return {"status": "ok", "reason": None, "metrics": found, "notes": notes, "load": 0.1, "job": asdict(job)}


def results_of(slower: float = 1.0, cases: tuple[str, ...] = tuple(CASES)) -> Results:
    """Results of a whole run, made up."""
    results = Results({"name": "a machine, 2 cores", "memory": 2**34}, "python -m benchmarks run", False, "cpu")
    for name in cases:
        for job in jobs(CASES[name], implementations=(), threads=(), cores=2, device="cpu", quick=False):
            results.runs[job.key] = answer_to(job, slower)
    return results
