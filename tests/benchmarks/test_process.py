"""What happens in a measuring process: verification before any timing, one framework, one line for a failure."""

import functools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import machine
from benchmarks.speed import run
from benchmarks.speed.cases import CASES, Job
from benchmarks.speed.process import measures, quality, scoring, verify
from benchmarks.speed.process.measurement import Measurement
from benchmarks.speed.process.subjects import subject, trainer
from benchmarks.speed.process.workloads import sized_series
from tests.conftest import NO_GPU
from twinvae.config import Config
from twinvae.data.synthetic import noisy_sine


def test_ten_steps_match_the_oracle() -> None:
    result, seconds = verify.verify(*trainer("torch-eager"), noisy_sine(0).normal)
    assert result.passed, result
    assert seconds > 0


def test_a_step_is_verified_at_the_size_that_is_timed() -> None:
    train, config = trainer("torch-loop", batch_size=64, hidden_dim=48, epochs=1)
    result, _ = verify.verify(train, config, noisy_sine(0).normal[:, None].repeat(2, axis=1))
    assert result.passed, result


def test_scores_that_are_not_the_oracle_s_are_found() -> None:
    detector = subject("torch-again", epochs=1)
    detector.fit(noisy_sine(0).normal)
    assert verify.verify_scores(detector, points=200).passed
    wrong = SimpleNamespace(model_=detector.model_, score=lambda series: detector.score(series) + 1e-3)  # type: ignore[attr-defined]
    assert not verify.verify_scores(wrong, points=200).passed


def test_the_score_of_a_window_that_is_not_the_oracle_s_is_found() -> None:
    detector = subject("torch-eager", epochs=1)
    detector.fit(noisy_sine(0).normal)
    windows = np.lib.stride_tricks.sliding_window_view(noisy_sine(0).anomalous, 50)[:20]
    parameters, scorer = detector.model_.parameters, detector.window_scorer()  # type: ignore[attr-defined]
    assert verify.verify_windows(parameters, scorer, windows).passed
    assert not verify.verify_windows(parameters, lambda window: scorer(window) * 1.001, windows).passed


def test_a_case_that_differs_from_the_oracle_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = verify.Verification(False, 0.1, "scores")
    monkeypatch.setattr(verify, "verify_windows", lambda *_: apart)
    monkeypatch.setattr(verify, "verify_scores", lambda *_: apart)
    job = asdict(Job("window", "torch-eager", 1, "cpu", 0, "cold", True)) | {"options": {"samples": 300}}
    for measure in (scoring.window, scoring.score):
        m = Measurement(job | {"options": {"samples": 300, "points": 1000}})
        measure(m)
        assert m.status == "unverified"
        assert not m.metrics
    m = Measurement(job | {"cache": "cold"})
    m.fitted = None
    monkeypatch.setattr(measures, "training_verified", lambda *_: 1.0)
    m.add("total", "s", 1.0)
    measures.cold(m)
    assert not m.metrics


def test_sizes_whose_steps_take_long_have_few() -> None:
    small, large = (Config(batch_size=size, hidden_dim=width) for size, width in ((32, 32), (512, 2048)))
    assert len(sized_series(small, 1)) == 512 * 32 + 49
    assert len(sized_series(large, 16)) == 4 * 512 + 49


def test_a_quality_that_is_out_of_reach_or_has_no_data_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ValueError(f"the data set {name} comes with aeon")

    monkeypatch.setattr("twinvae.data.datasets.load_dataset", absent)
    options = {"loss": 0.0, "series": "ucr-135", "vus_pr": 0.5, "epochs": [1, 2]}
    m = Measurement(asdict(Job("quality", "torch-eager", 1, "cpu", 0, "cold", True)) | {"options": options})
    quality.quality(m)
    assert [one["metric"] for one in m.metrics] == ["import"]
    assert m.notes["skipped"] == [
        "a loss of 0 was not reached in 2 epochs",
        "time to a VUS-PR: the data set ucr-135 comes with aeon",
    ]


def test_verification_can_fail() -> None:
    train, config = trainer("torch-eager")

    def shifted(net: Any, parameters: Any, *rest: Any) -> Iterator[Any]:
        moved = parameters | {"output.bias": parameters["output.bias"] + np.float32(1e-5)}
        return train(net, moved, *rest)

    result, _ = verify.verify(shifted, config, noisy_sine(0).normal)
    assert not result.passed
    assert result.where == "output.bias"


def test_at_a_large_size_the_sign_of_one_weight_s_step_may_differ_and_no_more() -> None:
    train, config = trainer("torch-eager", hidden_dim=256)

    def spoilt(share: float, terms: float) -> verify.Verification:
        def changed(net: Any, parameters: Any, *rest: Any) -> Iterator[Any]:
            for chunk in train(net, parameters, *rest):
                weights = chunk.parameters["encoder.weight"].copy()
                weights.reshape(-1)[: max(1, int(share * weights.size))] += np.float32(2e-3)
                yield chunk._replace(
                    parameters=chunk.parameters | {"encoder.weight": weights}, terms=np.asarray(chunk.terms) * terms
                )

        return verify.verify(changed, config, noisy_sine(0).normal)[0]

    assert spoilt(0.0, 1.0).passed
    assert not spoilt(0.5, 1.0).passed
    assert not spoilt(0.0, 1.001).passed


@pytest.mark.parametrize(
    "wrong", [{"a": np.array([np.nan])}, {"b": np.array([1.0])}, {"a": np.array([1.0, 1.0])}, {"a": np.array([1.1])}]
)
def test_verification_refuses(wrong: dict[str, Any]) -> None:
    assert not verify.compare(wrong, {"a": np.array([1.0])}).passed


def test_a_process_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = Job("nonsense", "numpy", 1, "cpu", 0, "cold", True)
    monkeypatch.setitem(CASES, "nonsense", CASES["window"])
    monkeypatch.setitem(CASES["nonsense"].quick_options, "samples", "many")
    answer = run.measure_in_process(job, tmp_path, 60.0)
    assert answer["status"] == "failed"
    assert answer["reason"].startswith("failed: ")
    assert "\n" not in answer["reason"]


@pytest.mark.slow
def test_a_measurement_in_a_fresh_process(tmp_path: Path) -> None:
    job = Job("recompile", "torch-eager", 1, "cpu", 0, "cold", True)
    answer = run.measure_in_process(job, tmp_path, 120.0)
    assert answer["status"] == "ok", answer["reason"]
    assert answer["notes"]["frameworks"] == ["torch"]
    assert answer["notes"]["torch_threads"] == 1
    assert len(answer["notes"]["cores"]) == 1
    assert [m["samples"] for m in answer["metrics"] if m["metric"] == "programs_again"] == [[0.0]]


gpu_seen = functools.cache(run.gpu_seen)  # asks another process


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.parametrize("name", ["torch-eager", "jax-run"])
def test_a_measurement_on_a_gpu(tmp_path: Path, name: str) -> None:
    if not gpu_seen():
        pytest.skip(NO_GPU)
    for case in ("fit", "transfer"):
        answer = run.measure_in_process(Job(case, name, 1, "gpu", 0, "cold", True), tmp_path, 300.0)
        assert answer["status"] == "ok", answer["reason"]
        assert "peak_device_memory" in {m["metric"] for m in answer["metrics"]}


def test_importing_the_benchmark_imports_no_framework() -> None:
    code = (
        "import sys, benchmarks.__main__, benchmarks.speed.report.page, benchmarks.speed.report.compare\n"
        "assert not {'jax', 'torch', 'pyod', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=machine.ROOT)
