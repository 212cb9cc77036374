"""PyTorch's compiled training is the same computation as the eager loop."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.conftest import assert_close
from vae_torch import VAEDetector as TorchDetector
from vae_torch._compiled import Progress, adam


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    [
        "a_compiled_run_is_the_oracles",
        "a_compiled_run_leaves_missing_values_out",
        "a_compiled_centred_run_is_the_oracles",
        "beta_warms_up_as_the_oracles",
        "steps_that_do_not_fill_a_call_change_nothing",
        "what_the_caller_has_set_changes_nothing",
        "a_second_compiled_fit_compiles_nothing",
    ],
)
def test_compiled_training(check: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.helpers.compiled_training", check], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
