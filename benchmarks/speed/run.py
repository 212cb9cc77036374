"""The run: every measurement has a fresh process, implementations take turns, and every answer is kept at once."""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.errors import RunError
from benchmarks.speed.cases import CASES, Job, jobs
from benchmarks.speed.implementations import IMPLEMENTATIONS, keeps_programs, unavailable
from benchmarks.speed.process.measurement import ANSWER, OK
from benchmarks.speed.results import Results, difference, read, write

TIMEOUT = 900.0  # seconds for one process
TIMED_COMPILATION = ("fit", "cold")  # cases
QUICK = 165.0  # seconds for a quick run


def plan(
    *, cases: Sequence[str], implementations: Sequence[str], threads: Sequence[int], device: str, quick: bool,
    rounds: int | None,
) -> list[Job]:  # fmt: skip
    """Returns all jobs in the order in which they run.

    Raises:
        RunError: if a name is unknown, or nothing is left to measure.
    """
    for name in cases:
        if name not in CASES:
            raise RunError(f"unknown case {name!r}: choose from {', '.join(CASES)}")
    known = {*IMPLEMENTATIONS, "numpy"}
    for name in implementations:
        if name not in known:
            raise RunError(f"unknown implementation {name!r}: choose from {', '.join(IMPLEMENTATIONS)}")
    cores = machine.available_cores()
    for count in threads:
        if not 1 <= count <= cores:
            raise RunError(f"{count} threads: this process may use {cores} cores")
    wanted = [
        job
        for name in (cases or [name for name, case in CASES.items() if not case.by_name or device == case.device])
        for job in jobs(
            CASES[name], implementations=tuple(implementations), threads=tuple(threads), cores=cores, device=device,
            quick=quick and not cases, rounds=rounds,
        )
    ]  # fmt: skip
    if quick and cases:  # cases that were named run with all implementations, but briefly
        wanted = [Job(**asdict(job) | {"quick": True}) for job in wanted if rounds or job.round < 2]
    if quick:  # every case once before any a second time, because the time may run out
        wanted.sort(key=lambda job: job.round)
    if not wanted:
        raise RunError("nothing to measure: no case has these implementations, threads and device")
    return wanted


def run(
    wanted: list[Job], results: Results, out: Path, *, limit: float = math.inf,
    say: Callable[[str], None] = print, measure: Any = None, command: str = "",
) -> bool:  # fmt: skip
    """Measures what is not in `results` yet, and writes the file after each process.

    It stops when `limit` seconds have passed. Returns False after Ctrl-C, else True.
    """
    measure = measure or measure_in_process
    end = time.monotonic() + limit
    reasons = _unavailable(wanted)
    for reason in reasons.values():
        say(reason)
        if reason not in results.notes:
            results.notes.append(reason)
    load = machine.load_average()
    if load is not None and load > machine.BUSY * machine.available_cores():
        note = f"the machine was busy at the start: load average {load} on {machine.available_cores()} cores"
        say(f"note: {note}; times will be too long and too wide")
        results.notes.append(note)
    write(out, results)  # fails at once if the file cannot be written
    left = [job for job in wanted if job.key not in results.runs and job.implementation not in reasons]
    with tempfile.TemporaryDirectory(prefix="twinvae-benchmark-") as scratch:
        for index, job in enumerate(left):
            begin = time.monotonic()
            try:
                answer = measure(job, Path(scratch), min(TIMEOUT, end - begin))
            except KeyboardInterrupt:
                say(f"interrupted: {len(results.runs)} measurements are in {out}; go on with --resume")
                return False
            except subprocess.TimeoutExpired as error:
                if time.monotonic() >= end:
                    say(f"time is up: {len(left) - index} measurements left out of {out}; go on with --resume")
                    return True
                answer = _failed(f"no answer after {error.timeout:.0f} s")
            origin = {"commit": results.machine.get("commit"), "command": command or results.command}
            results.runs[job.key] = answer | {"job": asdict(job), **origin}
            write(out, results)
            took = time.monotonic() - begin
            outcome = "" if answer["status"] == "ok" else f": {answer['reason']}"
            where = f"{job.case}, {job.implementation}, {job.threads} threads, cache {job.cache}, round {job.round + 1}"
            say(f"[{index + 1}/{len(left)}] {where} ({took:.1f} s){outcome}")
    return True


def _unavailable(wanted: list[Job]) -> dict[str, str]:
    """Why implementations cannot run here, by their names."""
    names = dict.fromkeys(job.implementation for job in wanted if job.implementation in IMPLEMENTATIONS)
    return {name: reason for name in names if (reason := unavailable(name)) is not None}


def measure_in_process(job: Job, scratch: Path, timeout: float) -> dict[str, Any]:
    """Returns the answer of one fresh process. If the process fails, the answer says why."""
    case = CASES[job.case]
    cores = machine.cores()[-job.threads :]  # interrupts tend to be served by the first core
    message: dict[str, Any] = asdict(job) | {
        "measure": case.measure, "cores": cores, "options": case.options | (case.quick_options if job.quick else {}),
    }  # fmt: skip
    environment = os.environ | machine.thread_environment(job.threads, machine.available_cores())
    folder = _cache_folder(job, scratch)
    environment |= _cache_environment(job, folder)
    if job.device == "cpu":
        environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    filled = folder / f"filled-{job.case}"
    if job.cache == "warm" and not filled.exists():
        _child(message, environment, timeout)  # fills the cache; not timed
        filled.touch()
    load, begin, cpu = machine.load_average(), time.monotonic(), _cpu_seconds()
    answer = _child(message, environment, timeout)
    answer |= {"load": load, "seconds": time.monotonic() - begin, "cpu_seconds": _cpu_seconds() - cpu}
    if job.cache == "cold" and answer["status"] == OK and keeps_programs(job.implementation):
        filled.touch()
    return answer


def _cache_folder(job: Job, scratch: Path) -> Path:
    """The folder of the compilation caches on disk, which is new where the time to compile is measured."""
    folder = scratch / f"cache-{job.implementation}-{job.threads}"
    if job.cache == "cold" and job.case in TIMED_COMPILATION and folder.exists():
        return Path(tempfile.mkdtemp(dir=scratch))
    folder.mkdir(exist_ok=True)
    return folder


def _cache_environment(job: Job, folder: Path) -> dict[str, str]:
    """The variables for the compilation caches."""
    environment = {"TORCHINDUCTOR_CACHE_DIR": str(folder / "torch"), "TWINVAE_CACHE": str(folder / "twinvae")}
    if job.cache == "cold":
        return environment | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    return environment | {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_ENABLE_COMPILATION_CACHE": "true",
    }


def _child(message: dict[str, Any], environment: dict[str, str], timeout: float) -> dict[str, Any]:
    """Starts a process for this job and returns its answer; raises subprocess.TimeoutExpired if it takes too long."""
    command = [sys.executable, "-m", "benchmarks.speed.process.measure"]
    # A session of its own: Ctrl-C reaches this process alone, which then ends the child and its compilers.
    with subprocess.Popen(
        [*command, json.dumps(message | {"spawned": time.monotonic()})],
        cwd=machine.ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, errors = process.communicate(timeout=max(timeout, 0.0))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    lines = [line for line in output.splitlines() if line.startswith(ANSWER)]
    if not lines:
        last = errors.strip().splitlines()[-1:] or [f"ended with status {process.returncode}"]
        return _failed(f"failed: {last[0]}")
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix(ANSWER))
    return answer


def _cpu_seconds() -> float:
    """What all children that have ended have taken."""
    times = os.times()
    return times.children_user + times.children_system


def _failed(reason: str) -> dict[str, Any]:
    return {"status": "failed", "reason": reason, "metrics": [], "notes": {}}


def gpu_seen() -> bool:
    """Returns whether an installed framework sees a GPU. Another process answers, so that none is imported here."""
    question = (
        "import importlib.util as u\n"
        "seen = u.find_spec('torch') is not None and __import__('torch').cuda.is_available()\n"
        "if not seen and u.find_spec('jax') is not None:\n"
        "    import jax\n"
        "    seen = any(d.platform == 'gpu' for d in jax.devices())\n"
        "print('GPU', seen)\n"
    )
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
    return "GPU True" in answer.stdout


def start_results(out: Path, *, device: str, quick: bool, resume: bool, command: str) -> Results:
    """Returns new results, or with `resume` those of the file, if there is one.

    Raises:
        RunError: if the file is there and should not be, or is of another machine, device or length.
        ResultsError: if it cannot be read.
    """
    facts = machine.facts()
    if not (resume and out.exists()):
        if out.exists():
            raise RunError(f"{out} exists: choose another --out, or go on with --resume")
        return Results(facts, command, quick, device)
    results = read(out)
    if (results.device, results.quick) != (device, quick):
        raise RunError(f"{out} was measured on another device, or with another --quick: start a new file")
    if (why := difference(results, Results(facts, command, quick, device))) is not None:
        raise RunError(f"{out} was measured on {why}: start a new file")
    return results


def dated_path(device: str) -> Path:
    """Returns the file for the results if none is named, in the folder for outputs, which git ignores."""
    return Path("out") / f"benchmark-{device}-{time.strftime('%Y%m%d-%H%M%S')}.json"
