"""The run of the speed benchmark: the order of its jobs, its file, and one clear line for each bad request."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import machine
from benchmarks.__main__ import main
from benchmarks.speed import run
from benchmarks.speed.cases import CASES, Job, jobs
from benchmarks.speed.implementations import unavailable
from benchmarks.speed.results import Table, read, write
from tests.helpers.speed_results import answer_to, results_of


@pytest.fixture
def no_machine_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fixed machine, idle."""
    monkeypatch.setattr(machine, "facts", lambda: {"name": "a machine, 2 cores"})
    monkeypatch.setattr(machine, "load_average", lambda: 0.0)
    monkeypatch.setattr(machine, "available_cores", lambda: 2)


def test_jobs_alternate_between_implementations() -> None:
    order = jobs(CASES["quality"], implementations=(), threads=(1,), cores=2, device="cpu", quick=False)
    names = [job.implementation for job in order]
    assert names[: len(names) // 5] == list(CASES["quality"].implementations)
    assert names == names[: len(names) // 5] * 5


def test_what_torch_compiles_is_compiled_once_for_a_case_and_timed_then() -> None:
    order = jobs(CASES["fit"], implementations=(), threads=(1,), cores=2, device="cpu", quick=False)
    caches = [job.cache for job in order if job.implementation == "torch-compiled"]
    assert caches == ["cold", "warm", "warm", "warm", "warm"]
    assert {job.cache for job in order if job.implementation in ("jax-run", "torch-eager")} == {"cold"}


def test_a_slow_rung_has_fewer_rounds_and_one_of_a_gpu_none() -> None:
    order = jobs(CASES["fit"], implementations=(), threads=(1,), cores=2, device="cpu", quick=False)
    names = [job.implementation for job in order]
    assert [names.count(name) for name in ("torch-eager", "torch-whole", "torch-overhead")] == [5, 1, 0]


def test_keys_tell_all_jobs_apart() -> None:
    every = [
        job
        for case in CASES.values()
        for job in jobs(case, implementations=(), threads=(), cores=4, device="gpu", quick=False)
    ]
    assert len({job.key for job in every}) == len(every)


def test_a_case_without_compilation_has_no_warm_cache() -> None:
    order = jobs(
        CASES["cold"], implementations=("tutorial", "jax-run"), threads=(2,), cores=2, device="cpu", quick=False
    )
    assert {(job.implementation, job.cache) for job in order} == {
        ("tutorial", "cold"), ("jax-run", "cold"), ("jax-run", "warm"),
    }  # fmt: skip


def test_a_cache_is_new_where_compilation_is_timed_and_kept_elsewhere(tmp_path: Path) -> None:
    def folder(case: str, cache: str) -> Path:
        return run._cache_folder(Job(case, "torch-compiled", 1, "cpu", 0, cache, False), tmp_path)

    first = folder("fit", "cold")
    assert folder("fit", "cold") != first
    assert folder("fit", "warm") == folder("map", "cold") == first


def test_every_measurement_is_kept_as_it_comes(tmp_path: Path, no_machine_facts: None) -> None:
    out = tmp_path / "results.json"
    wanted = run.plan(cases=["window"], implementations=[], threads=[], device="cpu", quick=False, rounds=1)
    seen: list[int] = []

    def measure(job: Job, scratch: Path, timeout: float) -> dict[str, Any]:
        seen.append(len(read(out).runs))
        return answer_to(job)

    results = run.start_results(out, device="cpu", quick=False, resume=False, command="test")
    assert run.run(wanted, results, out, say=lambda text: None, measure=measure)
    assert seen == list(range(len(seen)))
    assert len(read(out).runs) == len(seen) > 1


def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(
    tmp_path: Path, no_machine_facts: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "results.json"
    asked: list[str] = []

    def interrupted(job: Job, scratch: Path, timeout: float) -> dict[str, Any]:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(job.key)
        return answer_to(job)

    command = ["run", "--case", "window", "--rounds", "2", "--out", str(out)]
    monkeypatch.setattr(run, "measure_in_process", interrupted)
    assert main(command) == 1
    assert "interrupted: 2 measurements are in" in capsys.readouterr().out
    assert len(read(out).runs) == 2

    again: list[str] = []

    def finished(job: Job, scratch: Path, timeout: float) -> dict[str, Any]:
        again.append(job.key)
        return answer_to(job)

    monkeypatch.setattr(run, "measure_in_process", finished)
    assert main([*command, "--resume"]) == 0
    assert not set(asked) & set(again)
    assert len(read(out).runs) == len(asked) + len(again)


def test_a_run_ends_when_its_time_is_up(tmp_path: Path, no_machine_facts: None) -> None:
    wanted = run.plan(cases=["window"], implementations=[], threads=[], device="cpu", quick=False, rounds=1)
    said: list[str] = []

    def slow(job: Job, scratch: Path, timeout: float) -> dict[str, Any]:
        raise subprocess.TimeoutExpired("measure", timeout)

    out = tmp_path / "results.json"
    results = run.start_results(out, device="cpu", quick=False, resume=False, command="test")
    assert run.run(wanted, results, out, limit=0.0, say=said.append, measure=slow)
    assert any(line.startswith("time is up") for line in said)
    assert not results.runs


def test_an_unverified_implementation_gets_no_time() -> None:
    results = results_of(cases=("fit",))
    for run_ in results.runs.values():
        if run_["job"]["implementation"] == "jax-run":
            run_.update(status="unverified", reason="differs from the oracle by 0.1", metrics=[])
    assert results.refused() == {("fit", "jax-run"): "differs from the oracle by 0.1"}
    assert not Table(results.records).all("fit", "fit", implementation="jax-run")


# Bad requests: one clear line each.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "nonsense"], "unknown case 'nonsense': choose from roofline"),
        (["--implementation", "keras"], "unknown implementation 'keras': choose from tutorial"),
        (["--threads", "4096"], "4096 threads"),
        (["--case", "recompile", "--implementation", "tutorial"], "nothing to measure"),
    ],
)
def test_a_bad_request_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["run", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_no_gpu_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "gpu_seen", lambda: False)
    assert main(["run", "--device", "gpu"]) == 2
    assert "no GPU here" in capsys.readouterr().err


def test_a_file_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    path.write_text("precious")
    assert main(["run", "--case", "window", "--out", str(path)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert path.read_text() == "precious"


def test_resume_refuses_another_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "results.json", results_of(cases=("recompile",)))
    assert main(["run", "--case", "window", "--out", str(tmp_path / "results.json"), "--resume"]) == 2
    assert "another machine" in capsys.readouterr().err


def test_a_peer_that_is_not_installed_is_one_line(
    tmp_path: Path, no_machine_facts: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = "importlib.util.find_spec"
    monkeypatch.setattr(found, lambda name: None if name == "pyod" else object())
    assert "pyod not installed (pip install pyod tqdm)" in str(unavailable("pyod"))
    out = tmp_path / "results.json"
    assert main(["run", "--case", "window", "--implementation", "pyod", "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("pyod is not available") == 1
    assert "nothing was measured" in captured.err
