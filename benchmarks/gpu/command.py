"""The command `python -m benchmarks gpu`: runs the stages, each with a limit, and writes down how each ended."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.errors import RunError
from benchmarks.gpu.stages import Stage, stages


def gpu(options: argparse.Namespace) -> int:
    """Runs all stages within the time that there is; the exit code: 0, or 1 if a stage failed or was stopped.

    Raises:
        RunError: if wheels cannot be installed.
    """
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([*_installed(options.wheels, folder), *_source()])
    end = time.monotonic() + options.seconds
    outcomes: dict[str, Any] = {"machine": machine.facts(), "versions": machine.versions(), "stages": {}}
    chosen = stages(folder.resolve(), options.device)
    for stage in chosen:  # what an earlier run left is of another machine or commit
        if stage.result is not None:
            (folder / stage.result).unlink(missing_ok=True)
    for stage in chosen:
        left = end - time.monotonic() if stage.name != "page" else stage.seconds  # it needs no GPU
        outcome = (
            _run(stage, environment, min(stage.seconds, left), folder) if left > 5 else {"outcome": "no time left"}
        )
        outcomes["stages"][stage.name] = outcome
        (folder / "stages.json").write_text(json.dumps(outcomes, indent=2) + "\n", encoding="utf-8")
        print(f"{stage.name}: {outcome['outcome']} ({outcome.get('seconds', 0.0):.0f} s)")
    return 0 if all(outcome["outcome"] == "ok" for outcome in outcomes["stages"].values()) else 1


def _source() -> list[str]:
    """The folders from which the project is imported where it is not installed."""
    return [str(machine.ROOT), str(machine.ROOT / "shared"), *filter(None, [os.environ.get("PYTHONPATH")])]


def _installed(wheels: Path | None, folder: Path) -> list[str]:
    """Unpacks the wheels of a folder, without a network, and gives the folder to import them from."""
    if wheels is None:
        return []
    files, target = sorted(wheels.glob("*.whl")), folder / "site"
    if not files:
        raise RunError(f"{wheels}: holds no wheels (*.whl)")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--upgrade"]
    done = subprocess.run([*install, "--target", target, *files], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{wheels}: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}")
    return [str(target.resolve())]


def _run(stage: Stage, environment: dict[str, str], limit: float, folder: Path) -> dict[str, Any]:
    """Runs one stage, its output in a file of its own, and says how it ended."""
    begin = time.monotonic()
    with (folder / f"{stage.name}.log").open("w", encoding="utf-8") as log, subprocess.Popen(
        stage.command, cwd=machine.ROOT, env=environment | stage.environment, stdin=subprocess.DEVNULL,
        stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            code = process.wait(timeout=limit)
            outcome = "ok" if code == 0 else f"failed with exit code {code}"
        except subprocess.TimeoutExpired:
            outcome = f"stopped after {limit:.0f} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    written = stage.result is not None and (folder / stage.result).exists()
    return {
        "outcome": outcome,
        "seconds": round(time.monotonic() - begin, 1),
        "result": stage.result if written else None,
    }


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parser of this command."""
    one = commands.add_parser("gpu", help="all that is measured on a GPU, in eight minutes and without a network")
    one.add_argument("--out", type=Path, default=Path("out/gpu"), metavar="DIR", help="default: out/gpu")
    one.add_argument("--seconds", type=float, default=480.0, help="time for all stages (480)")
    one.add_argument("--wheels", type=Path, metavar="DIR", help="wheels of packages that are missing here")
    one.add_argument(
        "--device", choices=("gpu", "cpu"), default="gpu", help="cpu: a rehearsal where there is no GPU (gpu)"
    )
    one.set_defaults(command=gpu)
