"""The benchmark: its statistics, its bookkeeping, its report, and one clear line for each kind of bad input."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import arithmetic, machine, run, summary, verify
from benchmarks.__main__ import main
from benchmarks.bars import verdicts
from benchmarks.cases import CASES, Job, jobs
from benchmarks.compare import compare
from benchmarks.implementations import IMPLEMENTATIONS, trainer, unavailable
from benchmarks.results import Results, ResultsError, Table, read, write
from benchmarks.stats import ratio, summarise
from tests.conftest import NO_GPU
from twinvae.config import Config

STEP = {
    "tutorial": 600e-6, "pyod": 1500e-6, "pyod-same-size": 1300e-6, "torch-eager": 400e-6, "torch-compiled": 60e-6,
    "jax-step": 110e-6, "jax-run": 23e-6,
}  # fmt: skip
SWEPT = {
    "points": "points", "batch": "batch_size", "hidden": "hidden_dim", "window-length": "window",
    "channels": "channels",
}  # fmt: skip


def metric(name: str, unit: str, value: float, operations: float | None = None, **parameters: Any) -> dict[str, Any]:
    samples = [value, value * 1.01, value * 1.02]
    return {"metric": name, "unit": unit, "samples": samples, "operations": operations, "parameters": parameters}


def answer_to(job: Job, slower: float = 1.0) -> dict[str, Any]:
    """What a process might have answered."""
    step = STEP.get(job.implementation, 1.0) * slower
    options = CASES[job.case].options
    notes: dict[str, Any] = {"events": [[300, 320]], "flags": {"OMP_NUM_THREADS": str(job.threads)}}
    if job.case == "roofline":
        found = [metric("matmul", "operation/s", 1e11 * job.threads, precision="float32", size=1024)]
    elif job.case == "fit":
        notes["verified"] = {"worst": 2.7e-7, "where": "encoder.weight", "tolerance": verify.TOLERANCE}
        found = [metric("fit", "s", step * 1500), metric("final_loss", "per window", 7.0), metric("compile", "s", 0.5)]
        if IMPLEMENTATIONS[job.implementation].difference is None:
            found.append(metric("step", "s", step))
    elif job.case == "cold":
        stages = {"start": 0.02, "import": 1.0, "first_use": 1.0, "train": 1500 * step, "score": 0.001}
        stages["first_use"] = 20.0 if job.implementation == "torch-compiled" else 0.3 if job.cache == "warm" else 1.0
        stages["total"] = sum(stages.values())
        found = [metric(name, "s", value, cache=job.cache) for name, value in stages.items()]
    elif job.case in SWEPT:
        axis = SWEPT[job.case]
        name = "score_point" if job.case == "points" else "step"
        scale = 1e-3 if job.case == "points" else 1.0
        found = [
            metric(name, "s", step * scale * (1 if job.case == "points" else 1 + value / 100), 8.5e5, **{axis: value})
            for value in options["values"]
        ]
    elif job.case == "recompile":
        found = [
            {"metric": "programs_again", "unit": "programs", "samples": [0.0], "operations": None, "parameters": {}}
        ]
    elif job.case == "window":
        samples = list(np.linspace(20e-6, 40e-6, 1200))
        found = [{"metric": "latency", "unit": "s", "samples": samples, "operations": None, "parameters": {}}]
    elif job.case == "stream":
        found = [metric("point", "s", 9e-6 * window / 64, window=window, channels=1) for window in (64, 256)]
    elif job.case == "watch":
        found = [metric("point", "s", 20e-6, lines=lines) for lines in ("csv", "jsonl")]
    elif job.case == "fleet":
        found = [
            metric(name, "s", value, preset=preset)
            for name, value in (("single_model", 0.2), ("fleet_model", 0.15 / job.threads))
            for preset in options["presets"]
        ]
    else:
        found = [
            metric("step", "s", step, 8.5e5),
            metric("score_point", "s", step * 1e-3, 7680, **({} if job.case == "threads" else {"points": 10**7})),
            metric("growth", "byte", 3e8, points=10**7),
        ]
    return {"status": "ok", "reason": None, "metrics": found, "notes": notes, "load": 0.1, "job": asdict(job)}


def results_of(slower: float = 1.0, cases: tuple[str, ...] = tuple(CASES)) -> Results:
    """Results of a whole run, made up."""
    results = Results({"name": "a machine, 2 cores", "memory": 2**34}, "python -m benchmarks run", False, "cpu")
    for name in cases:
        for job in jobs(CASES[name], implementations=(), threads=(), cores=2, device="cpu", quick=False):
            results.runs[job.key] = answer_to(job, slower)
    return results


@pytest.fixture
def no_machine_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fixed machine, idle."""
    monkeypatch.setattr(machine, "facts", lambda: {"name": "a machine, 2 cores"})
    monkeypatch.setattr(machine, "load_average", lambda: 0.0)
    monkeypatch.setattr(machine, "available_cores", lambda: 2)


# Statistics.


def test_quantiles_of_pooled_samples() -> None:
    summary = summarise([[1.0, 2.0], [3.0, 4.0, 5.0]])
    assert (summary.median, summary.quartile1, summary.quartile3, summary.n) == (3.0, 2.0, 4.0, 5)
    assert 1.0 <= summary.low <= 3.0 <= summary.high <= 5.0
    assert summary.p99 is None


def test_p99_needs_a_thousand_samples() -> None:
    assert summarise([list(range(999))]).p99 is None
    assert summarise([list(range(500)), list(range(500, 1000))]).p99 == pytest.approx(989.01)


def test_no_samples_have_no_summary() -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarise([[], []])


def test_bootstrap_interval_covers_the_median_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        summary = summarise([generator.normal(10.0, 1.0, 40).tolist()])
        covered += summary.low <= 10.0 <= summary.high
    assert 88 <= covered <= 100


def test_bootstrap_sees_that_processes_differ() -> None:
    """Many calls in three processes that differ say little more than three numbers."""
    groups = [(value + np.linspace(-0.01, 0.01, 100)).tolist() for value in (1.0, 2.0, 3.0)]
    summary = summarise(groups)
    assert summary.high - summary.low > 1.0


def test_ratio_and_its_interval() -> None:
    times = ratio([[2.0, 2.1, 1.9]], [[1.0, 1.05, 0.95]])
    assert times.value == pytest.approx(2.0)
    assert times.low < 2.0 < times.high


# Arithmetic.


def test_operations_of_the_tutorial_s_model() -> None:
    assert arithmetic.score_point(Config()) == 7680
    assert arithmetic.parameters(Config(), 1) == 4294
    assert arithmetic.training_step(Config()) == 3 * 2 * 32 * 4160 + 12 * 4294  # 0.85 million


def test_break_even_is_where_the_lines_cross() -> None:
    assert summary.crossing(20.0, 1e-4, 1.0, 1e-3) == pytest.approx(19 / 9e-4)
    assert summary.crossing(1.0, 1e-4, 2.0, 1e-3) == 0.0
    assert summary.crossing(1.0, 1e-3, 2.0, 1e-4) is None


# Verification.


def test_ten_steps_match_the_oracle() -> None:
    result = verify.verify(*trainer("torch-eager"))
    assert result.passed, result


def test_verification_can_fail() -> None:
    train, config = trainer("torch-eager")

    def shifted(net: Any, parameters: Any, *rest: Any) -> Iterator[Any]:
        moved = parameters | {"output.bias": parameters["output.bias"] + np.float32(1e-5)}
        return train(net, moved, *rest)

    result = verify.verify(shifted, config)
    assert not result.passed
    assert result.where == "output.bias"


@pytest.mark.parametrize(
    "wrong", [{"a": np.array([np.nan])}, {"b": np.array([1.0])}, {"a": np.array([1.0, 1.0])}, {"a": np.array([1.1])}]
)
def test_verification_refuses(wrong: dict[str, Any]) -> None:
    assert not verify.compare(wrong, {"a": np.array([1.0])}).passed


# Jobs.


def test_jobs_alternate_between_implementations() -> None:
    order = jobs(CASES["fit"], implementations=(), threads=(1,), cores=2, device="cpu", quick=False)
    names = [job.implementation for job in order]
    assert names[: len(names) // 5] == list(CASES["fit"].implementations)
    assert names == names[: len(names) // 5] * 5


def test_keys_tell_all_jobs_apart() -> None:
    every = [
        job
        for case in CASES.values()
        for job in jobs(case, implementations=(), threads=(), cores=4, device="gpu", quick=False)
    ]
    assert len({job.key for job in every}) == len(every)


def test_a_case_without_compilation_has_no_warm_cache() -> None:
    order = jobs(
        CASES["cold"], implementations=("tutorial", "jax-run"), threads=(1,), cores=2, device="cpu", quick=False
    )
    assert {(job.implementation, job.cache) for job in order} == {
        ("tutorial", "cold"), ("jax-run", "cold"), ("jax-run", "warm"),
    }  # fmt: skip


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


# Results, report, comparison.


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    results = results_of(cases=("fit", "cold"))
    write(tmp_path / "results.json", results)
    assert read(tmp_path / "results.json") == results
    content = json.loads((tmp_path / "results.json").read_text())
    wanted = {"case", "implementation", "backend", "device", "threads", "metric", "value", "unit", "low", "high", "n"}
    assert wanted | {"versions", "machine"} <= content["records"][0].keys()


def test_every_bar_is_answered_by_a_whole_run() -> None:
    assert all(verdict.met is not None for verdict in verdicts(Table(results_of().records)))


def test_bars_without_measurements_say_so() -> None:
    assert {verdict.measured for verdict in verdicts(Table([]))} == {"not measured"}


def test_bars_judge() -> None:
    met = {verdict.bar: verdict.met for verdict in verdicts(Table(results_of().records))}
    assert met["Warm fit, JAX against the tutorial's loop: at least 25 times as fast"] is True  # 600 / 23
    assert met["Warm fit, JAX against PyOD's VAE (its defaults): at least 100 times as fast"] is False  # 1500 / 23
    assert met["JAX training step: at most 3 times the arithmetic floor"] is True  # 23 / 8.5
    assert met["A stream's next point, without a framework: median at most 25 µs"] is False  # the widest: 36
    assert met["twinvae watch: at least 20,000 points a second from a pipe"] is True  # 49,000
    assert met["JAX fleet on all cores: at least 1.7x the single fit's rate on one core"] is True  # 2.7
    assert met["PyTorch fleet: at least 5x the models a second of its single fit"] is False


def test_report_of_a_whole_run(tmp_path: Path) -> None:
    write(tmp_path / "results.json", results_of())
    assert main(["report", str(tmp_path / "results.json")]) == 0
    page = (tmp_path / "results" / "report.html").read_text()
    names = {path.stem for path in (tmp_path / "results").glob("*.png")}
    assert names == {"ladder", "time_to_result", "scoring", "training", "threads", "latency"}
    assert page.count("data:image/png;base64,") == len(names)
    assert 'src="http' not in page
    assert "1,500 steps" in page


def test_report_of_almost_nothing_says_what_is_missing(tmp_path: Path) -> None:
    results = results_of(cases=("recompile",))
    write(tmp_path / "results.json", results)
    assert main(["report", str(tmp_path / "results.json"), "--out", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page" / "report.html").read_text().count("not measured") > 20


def test_compare_finds_a_slower_version_and_nothing_else() -> None:
    old, new = results_of(), results_of()
    assert compare(old, new, least=0.05).startswith("0 changed beyond noise")
    for run_ in new.runs.values():
        if (run_["job"]["case"], run_["job"]["implementation"]) == ("fit", "jax-run"):
            run_["metrics"][0]["samples"] = [2 * sample for sample in run_["metrics"][0]["samples"]]
    lines = compare(old, new, least=0.05).splitlines()
    assert [line for line in lines if line.startswith("worse: fit, jax-run, 1 threads: fit")]
    assert sum(line.startswith(("worse", "better")) for line in lines) == 2  # one thread and two


# Bad input: one clear line each.


def first_version(path: Path) -> None:
    path.write_text(json.dumps({"format": "twinvae benchmark", "schema": 0}))


def without_runs(path: Path) -> None:
    write(path, results_of(cases=("recompile",)))
    content = json.loads(path.read_text())
    del content["runs"]
    path.write_text(json.dumps(content))


def cut(path: Path) -> None:
    write(path, results_of(cases=("recompile",)))
    path.write_text(path.read_text()[:-100])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: None, "no such file"),
        (cut, "damaged"),
        (without_runs, "'runs' is missing"),
        (first_version, "results of version 0, this checkout reads version 1"),
        (lambda path: path.write_text("[]"), "not a results file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "damaged"),
    ],
)
def test_a_bad_results_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], said: str
) -> None:
    path = tmp_path / "results.json"
    spoil(path)
    for command in (["report", str(path)], ["compare", str(path), str(path)]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    with pytest.raises(ResultsError):
        read(path)


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
    monkeypatch.setattr("benchmarks.__main__.gpu_seen", lambda: False)
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


def test_a_process_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = Job("nonsense", "numpy", 1, "cpu", 0, "cold", True)
    monkeypatch.setitem(CASES, "nonsense", CASES["window"])
    monkeypatch.setitem(CASES["nonsense"].quick_options, "samples", "many")
    answer = run.measure_in_process(job, tmp_path, 60.0)
    assert answer["status"] == "failed"
    assert answer["reason"].startswith("failed: ")
    assert "\n" not in answer["reason"]


def test_a_measurement_in_a_fresh_process(tmp_path: Path) -> None:
    job = Job("recompile", "torch-eager", 1, "cpu", 0, "cold", True)
    answer = run.measure_in_process(job, tmp_path, 120.0)
    assert answer["status"] == "ok", answer["reason"]
    assert answer["notes"]["frameworks"] == ["torch"]
    assert answer["notes"]["torch_threads"] == 1
    assert len(answer["notes"]["cores"]) == 1
    assert [m["samples"] for m in answer["metrics"] if m["metric"] == "programs_again"] == [[0.0]]


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["torch-eager", "jax-run"])
def test_a_measurement_on_a_gpu(tmp_path: Path, name: str) -> None:
    if not run.gpu_seen():
        pytest.skip(NO_GPU)
    for case in ("fit", "transfer"):
        answer = run.measure_in_process(Job(case, name, 1, "gpu", 0, "cold", True), tmp_path, 300.0)
        assert answer["status"] == "ok", answer["reason"]
        assert "peak_device_memory" in {m["metric"] for m in answer["metrics"]}


def test_importing_the_benchmark_imports_no_framework() -> None:
    code = (
        "import sys, benchmarks.__main__, benchmarks.report, benchmarks.compare\n"
        "assert not {'jax', 'torch', 'pyod', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=machine.ROOT)
