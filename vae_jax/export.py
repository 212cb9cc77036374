"""The window scorer as a program of `jax.export`: scaling, model and threshold, serialised StableHLO."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64, Int8

from twinvae.model.export_check import NOT_SCORED, Checked, Labelled, Program, Score, write_checked
from twinvae.model.model import Model
from twinvae.network.net import Net
from twinvae.scoring.calibration import SINGLE_WINDOW
from vae_jax.model import build, to_state
from vae_jax.score import window_errors

PLATFORMS = ("cpu", "cuda")


def export_jax(path: Path, model: Model, score: Score) -> Checked:
    """Writes the serialised program, if it computes what `score`, the detector's window scorer, does.

    Whoever runs it needs `jax.export.deserialize` and 64-bit types (`jax.enable_x64`), and no other code. JAX promises
    to read it for six months of releases: keep the model.

    Raises:
        ValueError: if the file's name does not end in .jax, flatbuffers is not installed, or the scores differ.
        OSError: if the file cannot be written; an old file of that name stays.
    """
    _check(path)
    return write_checked(path, serialised(model), _load, model, score)


def _check(path: Path) -> None:
    """Raises ValueError if the name does not end in .jax, or flatbuffers is not installed."""
    if path.suffix.lower() != ".jax":
        raise ValueError(f"{path}: the name of a JAX export ends in .jax")
    try:
        import flatbuffers  # noqa: F401
    except ImportError:
        raise ValueError("a JAX export needs flatbuffers, which is not installed: pip install 'twinvae[jax]'") from None


def serialised(model: Model) -> bytes:
    """The program that `export_jax` writes, for any number of windows, on CPU and CUDA.

    From raw windows, float64 of shape (n, window, channel), to score, float64 (n,), and label, int8 (n,): what they are
    stands in `twinvae.model.export_check`.
    """
    config = model.config
    threshold, state = model.thresholds[SINGLE_WINDOW], to_state(model.parameters)

    def window_scorer(windows: Float64[Array, "n window channel"]) -> tuple[Float64[Array, " n"], Int8[Array, " n"]]:
        scaled = ((windows - model.scaler.shift) / model.scaler.scale).astype(config.dtype)

        def errors(masked: bool) -> Callable[[Any], Any]:
            net = Net.of(config, len(model.channels), masked=masked)
            return lambda x: window_errors(net, build(net, state), x)

        if config.missing == "mask":
            missing = jnp.isnan(scaled)
            computed = jax.lax.cond(missing.any(), errors(True), errors(False), scaled).astype(np.float64)
            refused = ~jnp.isfinite(computed) & ~missing.all(axis=(1, 2))  # without values: the score is NaN, no fault
        else:
            computed = errors(False)(scaled).astype(np.float64)
            refused = ~jnp.isfinite(computed)
        label = jnp.where(refused, NOT_SCORED, computed > threshold).astype(np.int8)
        return jnp.where(jnp.isfinite(computed), computed, jnp.nan), label

    with jax.enable_x64(True):  # while it is traced: scaling is in float64 whatever the model is in
        one = np.zeros((1, config.window, len(model.channels)))
        windows = jax.export.symbolic_args_specs(one, "n, _, _")
        return bytes(jax.export.export(jax.jit(window_scorer), platforms=PLATFORMS)(windows).serialize())


def _load(path: Path) -> Program:
    program = jax.jit(jax.export.deserialize(bytearray(path.read_bytes())).call)

    def run(windows: Float64[np.ndarray, "n window channel"]) -> Labelled:
        with jax.enable_x64(True):
            return Labelled(*map(np.asarray, program(windows)))

    return run
