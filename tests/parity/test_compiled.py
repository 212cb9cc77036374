"""PyTorch's compiled training is the same computation as the eager loop."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import PATH, assert_close
from vae_torch import VAEDetector as TorchDetector
from vae_torch._step import Progress, adam


def test_adam_is_pytorchs() -> None:
    generator = np.random.default_rng(0)
    vector = torch.tensor(generator.normal(size=20))
    parameter = torch.nn.Parameter(vector.clone())
    optimizer = torch.optim.Adam([parameter], lr=0.01)
    progress = Progress(vector, torch.zeros(20, dtype=torch.float64), torch.zeros(20, dtype=torch.float64),
                        torch.zeros((), dtype=torch.float64))  # fmt: skip
    for _ in range(50):
        slope = torch.tensor(generator.normal(size=20))
        parameter.grad = slope
        optimizer.step()
        progress = adam(progress, slope, 0.01)
    assert_close(progress.vector, parameter.detach(), 1e-14)


def test_compiling_without_a_compiler_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r"C\+\+ compiler"):
        TorchDetector(compile=True, window=5, epochs=1).fit(np.sin(np.arange(50.0)))


def test_pytorch_has_the_private_names_that_the_loop_needs() -> None:
    """Where this fails, PyTorch has moved them, and compiled training falls back to a call for each step."""
    assert callable(importlib.import_module("torch._C._aoti").AOTIModelPackageLoader)
    assert callable(importlib.import_module("torch._higher_order_ops.while_loop").while_loop)
    assert callable(importlib.import_module("torch._inductor").aoti_compile_and_package)


@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    [
        "a_compiled_run_is_the_oracles",
        "a_compiled_run_leaves_missing_values_out",
        "a_compiled_centred_run_is_the_oracles",
        "beta_warms_up_as_the_oracles",
        "a_run_step_by_step_is_the_oracles",
        "a_loop_has_the_bits_of_single_steps",
        "a_second_fit_and_another_length_compile_nothing",
        "what_the_caller_has_set_changes_nothing",
    ],
)
def test_compiled_training(check: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.helpers.compiled_training", check],
        env=os.environ | {"PYTHONPATH": PATH, "TWINVAE_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
