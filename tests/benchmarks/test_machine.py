"""What is known of the machine, what a measuring process is given, and what two results must share."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.__main__ import main
from benchmarks.speed.results import difference, read, write
from tests.helpers.speed_results import results_of


def test_the_flags_of_the_caller_stay_and_none_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    flags = machine.thread_environment(1, 2)["XLA_FLAGS"].split()
    assert flags == ["--xla_dump_to=here", "--xla_cpu_multi_thread_eigen=false"]
    assert machine.thread_environment(2, 2)["XLA_FLAGS"] == "--xla_dump_to=here"


def test_the_facts_tell_machines_of_one_name_apart() -> None:
    facts = machine.facts()
    assert set(machine.IDENTITY) <= facts.keys()
    assert "numpy" in facts["blas"]


@pytest.mark.parametrize(
    ("facts", "versions", "said"),
    [
        ({"family": "26"}, {}, "another machine: family"),
        ({"caches": {"L2 unified": "2M"}}, {}, "another machine: caches"),
        ({"blas": {"numpy": "MKL"}}, {}, "another machine: blas"),
        ({"commit": "abc with changes 1234"}, {}, "another commit: commit"),
        ({}, {"jax": "0.0"}, "other versions: jax"),
    ],
)
def test_compare_refuses_what_is_not_of_one_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, object], versions: dict[str, str], said: str
) -> None:
    old = results_of(cases=("recompile",))
    new = replace(old, machine=old.machine | facts, versions=old.versions | versions)
    assert said in str(difference(old, new))
    paths = [str(tmp_path / name) for name in ("old.json", "new.json")]
    for path, results in zip(paths, (old, new), strict=True):
        write(Path(path), results)
    assert main(["compare", *paths]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    what = "versions" if versions else "commit" if "commit" in facts else "machine"
    assert main(["compare", *paths, "--across", what]) == 0
    assert read(Path(paths[0])) == old
