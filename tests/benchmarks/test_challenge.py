"""The page for a doubter answers each of the usual objections, with the numbers of its run."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.speed import run
from benchmarks.speed.cases import Job
from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report.challenge import objections
from tests.helpers.speed_results import answer_to, results_of


def test_controls_run_first_and_the_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def measured(job: Job, scratch: Path, timeout: float) -> dict[str, Any]:
        asked.append(job.implementation)
        return answer_to(job)

    monkeypatch.setattr(run, "measure_in_process", measured)
    assert main(["challenge", "--rounds", "1", "--out", str(tmp_path / "page.html")]) == 0
    assert all(IMPLEMENTATIONS[name].same_as for name in asked[:2])
    page = (tmp_path / "page.html").read_text()
    assert "Noise floor of this page" in page
    assert (tmp_path / "page.json").exists()


def test_every_objection_has_an_answer_and_a_way_to_see() -> None:
    rows = objections(results_of(cases=("fit", "window")))
    assert len(rows) == 11
    assert all(all(cells) for cells in rows)
    assert "2.7e-07" in rows[0][1]
