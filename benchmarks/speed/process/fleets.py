"""The time that a model takes in a fleet and in a fit of its own: what the cases `fleet` and `fleet-size` measure."""

import importlib
import time
from typing import Any

from benchmarks import machine
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.process.measurement import Measurement, limit_threads
from benchmarks.speed.process.training import fitted_verified
from benchmarks.speed.process.workloads import SEED

TOLERANCE = 1e-2  # as a share of the threshold: trainings in float32 that differ in the last digits drift apart


def fleet(m: Measurement) -> None:
    """Measures the seconds that a model takes, in a fit of its own and in a fleet, in turns."""
    module = _module(m)
    points = m.options["points"]
    for preset in m.options["presets"]:
        arguments = {"preset": preset, "device": m.device, "epochs": m.options["epochs"]}
        members = m.options["series"] if m.job["threads"] > 1 else min(m.options["series"], m.options["on_one_core"])
        series = many_series(members, points)
        single = module.VAEDetector(**arguments).fit(series["0"])  # compiles what a second fit uses
        warm = module.VAEFleet(**arguments).fit({name: series[name] for name in list(series)[: m.options["warm"]]})
        if not (fitted_verified(m, single.model_.config, series["0"]) and _same(m, single, warm["0"])):
            return
        halves = [list(series)[: members // 2], list(series)[members // 2 :]] if members > 1 else [list(series)]
        alone, together = [], []
        for half in halves:
            for name in half[: m.options["alone"]]:
                before = time.perf_counter()
                module.VAEDetector(**arguments).fit(series[name])
                alone.append(time.perf_counter() - before)
            before = time.perf_counter()
            module.VAEFleet(**arguments).fit({name: series[name] for name in half})
            together.append((time.perf_counter() - before) / len(half))
        m.add("single_model", "s", alone, preset=preset, points=points)
        m.add("fleet_model", "s", together, preset=preset, points=points, series=members)


def fleet_size(m: Measurement) -> None:
    """Measures the seconds that a model takes by the number of series; a step trains all models of a batch together."""
    module, points = _module(m), m.options["points"]
    two = many_series(2, points)
    single = module.VAEDetector(preset="tutorial", device=m.device).fit(two["0"])
    fleet = module.VAEFleet(preset="tutorial", device=m.device).fit(two)
    if not (fitted_verified(m, single.model_.config, two["0"]) and _same(m, single, fleet["0"])):
        return
    for members in m.options["values"]:
        series = many_series(members, points)
        for _ in range(2):  # the first compiles
            before = time.perf_counter()
            module.VAEFleet(preset="tutorial", device=m.device).fit(series, together=m.options["together"])
            seconds = time.perf_counter() - before
        m.add("fleet_model", "s", seconds / members, points=points, series=members)


def many_series(members: int, points: int) -> dict[str, Any]:
    """Returns noisy sines of different periods and phases, by name."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    periods, phases = generator.uniform(20, 60, members), generator.uniform(0, 2 * np.pi, members)
    steps = np.arange(points)
    return {
        str(index): np.sin(2 * np.pi * steps / period + phase) + generator.normal(0, 0.1, points)
        for index, (period, phase) in enumerate(zip(periods, phases, strict=True))
    }


def _module(m: Measurement) -> Any:
    backend = IMPLEMENTATIONS[m.name].backend
    module = importlib.import_module(f"vae_{backend}")
    if backend == "torch":
        limit_threads(m)
    m.notes["cores"] = machine.cores()
    return module


def _same(m: Measurement, single: Any, member: Any) -> bool:
    error = abs(member.threshold_ - single.threshold_) / single.threshold_
    m.notes.setdefault("verified_thresholds", []).append(error)
    if not error <= TOLERANCE:
        m.refuse(f"the threshold of a member differs from that of the single fit by {error:.2g}")
        return False
    return True
