"""The table of the implementations that are compared. Importing it imports no framework."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Implementation:
    """One way to do the job. `difference` says what it computes otherwise; None if it claims the same results."""

    name: str
    label: str
    backend: str  # the framework that its process imports
    packages: tuple[str, ...]
    difference: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=lambda: NOTHING)  # for the constructor of the detector
    same_as: str | None = None  # an A/A control: it runs the very code of this one, so a difference is noise
    peer: str | None = None  # the file of `peers` whose `train` takes the place of the product's
    mode: str | None = None  # of `torch.compile`, for that file
    device: str | None = None  # the only device on which it is another thing than the others, and so is measured


_JAX, _TORCH = ("jax", "flax", "optax"), ("torch", "array_api_compat")
_PYOD = "its loss has no KL term and a weight decay; windows standardised one by one; 14 steps an epoch, not 15"

IMPLEMENTATIONS: dict[str, Implementation] = {
    one.name: one
    for one in (
        Implementation(
            "tutorial", "tutorial's own loop", "torch", ("torch",),
            "the same model, loss and number of steps, but its own random numbers",
        ),
        Implementation(
            "pyod", "PyOD VAE, its defaults", "torch", ("torch", "pyod", "tqdm", "sklearn"),
            f"layers of 128, 64, 32 and latent 2, dropout; {_PYOD}",
        ),
        Implementation(
            "pyod-same-size", "PyOD VAE, our sizes", "torch", ("torch", "pyod", "tqdm", "sklearn"),
            f"our sizes, but {_PYOD}", {"same_size": True},
        ),
        Implementation("torch-loop", "PyTorch, a careful eager loop", "torch", _TORCH, peer="torch_steps"),
        Implementation("torch-eager", "vae_torch", "torch", _TORCH),
        Implementation("torch-again", "A/A control: vae_torch again", "torch", _TORCH, same_as="torch-eager"),
        Implementation(
            "torch-step", "PyTorch, one compiled step a call", "torch", _TORCH, peer="torch_steps", mode="default"
        ),
        Implementation(
            "torch-overhead", 'PyTorch, one compiled step, mode="reduce-overhead"', "torch", _TORCH, peer="torch_steps",
            mode="reduce-overhead", device="gpu",  # it records CUDA graphs
        ),
        Implementation(
            "torch-autotune", 'PyTorch, one compiled step, mode="max-autotune"', "torch", _TORCH, peer="torch_steps",
            mode="max-autotune",
        ),
        Implementation(
            "torch-whole", "PyTorch, torch.compile of the whole run", "torch", _TORCH, peer="torch_steps", mode="whole"
        ),
        Implementation(
            "torch-compiled", "vae_torch, compile=True (AOTInductor)", "torch", _TORCH, arguments={"compile": True}
        ),
        Implementation("jax-step", "JAX, one jitted step a call", "jax", _JAX, peer="jax_step"),
        Implementation("jax-run", "vae_jax", "jax", _JAX),
        Implementation("jax-again", "A/A control: vae_jax again", "jax", _JAX, same_as="jax-run"),
    )
}  # fmt: skip
PRODUCT = ("torch-eager", "torch-compiled", "jax-run")
SCORERS = ("torch-eager", "torch-again", "jax-run", "jax-again")  # `compile` is about training alone


def keeps_programs(name: str) -> bool:
    """Returns whether it is PyTorch that compiles: tens of seconds, unless an earlier process has left its programs."""
    one = IMPLEMENTATIONS.get(name)
    return one is not None and (one.mode is not None or bool(one.arguments.get("compile")))


def unavailable(name: str) -> str | None:
    """Says why an implementation cannot run here; None if it can."""
    implementation = IMPLEMENTATIONS[name]
    missing = [package for package in implementation.packages if importlib.util.find_spec(package) is None]
    if missing:
        hint = " (pip install pyod tqdm)" if name.startswith("pyod") else f" (pip install 'twinvae[{missing[0]}]')"
        return f"{name} is not available: {', '.join(missing)} not installed{hint}"
    if name in PRODUCT:
        from twinvae.config import HYPERPARAMETERS

        unknown = [argument for argument in implementation.arguments if argument not in HYPERPARAMETERS]
        if unknown:
            return f"{name} is not available: this version of VAEDetector has no {unknown[0]}="
    return None
