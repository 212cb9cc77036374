"""`twinvae doctor`: what is installed here, and whether it is fit for use."""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from typing import Any

from twinvae.network.backend import BACKENDS, installed_backends
from twinvae.process.cores import usable_cores

PACKAGES = (
    "twinvae", "numpy", "jax", "jaxlib", "flax", "optax", "torch", "array-api-compat", "safetensors", "polars",
    "scipy", "matplotlib",
)  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument("--backend", choices=BACKENDS, help="default: all that are installed")


def run(options: argparse.Namespace) -> None:
    """Prints what was found; a ValueError says what is not fit for use."""
    report = diagnose((options.backend,) if options.backend else BACKENDS)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for section, values in report.items():
            if isinstance(values, dict):
                print(section)
                for key, value in values.items():
                    print(f"  {key:22} {value}")
    if report["problems"]:
        raise ValueError("; ".join(report["problems"]))
    if not options.json:
        print("fit for use")


def diagnose(backends: Sequence[str] = BACKENDS) -> dict[str, Any]:
    """Versions, threads, and for each backend its devices and checks; `problems` is empty if all is well."""
    report: dict[str, Any] = {
        "versions": {"python": platform.python_version()} | {package: _version(package) for package in PACKAGES},
        "machine": {
            "system": platform.platform(),
            "cores": f"{usable_cores()} usable",
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", "not set"),
        },
    }
    problems: list[str] = []
    for name in backends:
        if name not in installed_backends():
            report[name] = {"installed": f"no: pip install 'twinvae[{name}]'"}
            continue
        try:
            findings, faults = importlib.import_module(f"vae_{name}.doctor").diagnose()
        except (ImportError, RuntimeError) as error:
            findings, faults = {}, [f"{name} does not start: {error}"]
        report[name] = findings | {"problems": "; ".join(faults) or "none"}
        problems += faults
    if not installed_backends():
        problems.append("no backend is installed: pip install 'twinvae[jax]' or pip install 'twinvae[torch]'")
    return report | {"problems": problems}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
