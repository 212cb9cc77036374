"""The run on a borrowed GPU: its commands are known ones, and one that fails or hangs costs only itself."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.gpu import command
from benchmarks.gpu.stages import Stage, stages
from benchmarks.peers.torch_steps import _by_steps
from benchmarks.speed import run
from benchmarks.speed.cases import CASES, jobs
from twinvae.network.schedule import Chunk


@pytest.mark.parametrize("device", ["gpu", "cpu"])
def test_every_case_that_a_stage_names_has_something_to_measure(tmp_path: Path, device: str) -> None:
    for stage in stages(tmp_path, device):
        cases = [stage.command[i + 1] for i, part in enumerate(stage.command) if part == "--case"]
        assert all(case in CASES for case in cases), stage
        if cases:
            planned = run.plan(cases=cases, implementations=(), threads=(), device=device, quick=True, rounds=None)
            assert {job.case for job in planned} == set(cases)


def test_named_rungs_come_in_the_order_of_their_names_with_all_cores() -> None:
    names = ("jax-run", "tutorial", "torch-eager")
    order = jobs(CASES["fit"], implementations=names, threads=(), cores=4, device="gpu", quick=False, rounds=1)
    assert [(job.implementation, job.threads) for job in order] == [(name, 4) for name in names]


def test_the_stages_fit_into_the_time_that_a_loan_has(tmp_path: Path) -> None:
    first = [stage.seconds for stage in stages(tmp_path, "gpu")][:4]
    assert sum(first) <= 480, "environment, tests, variants and the tutorial's job come before all else"


def test_a_stage_that_fails_or_hangs_does_not_stop_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def python(name: str, code: str, seconds: float = 30.0) -> Stage:
        return Stage(name, seconds, (sys.executable, "-c", code), {"MARK": "here"}, f"{name}.json")

    chosen = [
        python("fails", "print('why'); raise SystemExit(3)"),
        python("hangs", "import threading; threading.Event().wait()", 0.5),
        python("works", "import os; open(os.environ['TO'] + '/works.json', 'w').write(os.environ['MARK'])"),
    ]
    monkeypatch.setattr(command, "stages", lambda *_: chosen)
    monkeypatch.setenv("TO", str(tmp_path))
    assert main(["gpu", "--out", str(tmp_path)]) == 1
    kept: dict[str, Any] = json.loads((tmp_path / "stages.json").read_text())["stages"]
    assert {name: stage["outcome"] for name, stage in kept.items()} == {
        "fails": "failed with exit code 3", "hangs": "stopped after 0 s", "works": "ok",
    }  # fmt: skip
    assert kept["works"]["result"] == "works.json"
    assert kept["fails"]["result"] is None
    assert (tmp_path / "fails.log").read_text() == "why\n"
    assert (tmp_path / "works.json").read_text() == "here"
    assert "works: ok" in capsys.readouterr().out


def test_when_time_is_up_the_rest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "stages", lambda *_: [Stage("late", 30.0, (sys.executable, "-c", ""))])
    assert main(["gpu", "--out", str(tmp_path), "--seconds", "1"]) == 1
    assert json.loads((tmp_path / "stages.json").read_text())["stages"] == {"late": {"outcome": "no time left"}}


def test_results_that_the_next_recorded_step_would_overwrite_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)  # it imports the compiler
    memory = torch.zeros(1)  # as a CUDA graph has it for its results

    def step(state: Any, values: Any, starts: Any, weights: Any, noise: Any) -> tuple[Any, Any]:
        memory.copy_(state + weights)
        return memory, memory

    ones = np.ones((3, 1), dtype=np.float32)
    chunk = Chunk(np.zeros((3, 1), dtype=np.int32), ones, ones[..., None], 3)
    (state,), terms = _by_steps(step, graphs=True)((torch.zeros(1),), torch.zeros(1), chunk)
    assert state.item() == 3
    assert terms.flatten().tolist() == [1, 2, 3]


def test_a_folder_without_wheels_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpu", "--out", str(tmp_path / "out"), "--wheels", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
