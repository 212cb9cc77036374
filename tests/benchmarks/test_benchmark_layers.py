"""Which file of the benchmarks may import which: what measures and what reports know nothing of each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROCESS, REPORT, ACCURACY, PEERS = (
    "benchmarks.speed.process", "benchmarks.speed.report", "benchmarks.accuracy", "benchmarks.peers",
)  # fmt: skip
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted((ROOT / "benchmarks").rglob("*.py"))
}


def imports(path: Path) -> Iterator[str]:
    """The files of the benchmarks that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in FILES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = (f"{node.module}.{name.name}" for name in node.names)
            yield from (name for name in {node.module, *inner} if name in FILES)


GRAPH = {name: set(imports(path)) for name, path in FILES.items()}


def test_the_graph_sees_imports_at_the_top_and_inside_functions() -> None:
    assert "benchmarks.speed.process.measurement" in GRAPH["benchmarks.speed.process.measure"]
    assert "benchmarks.speed.report.page" in GRAPH["benchmarks.speed.command"]
    assert "benchmarks.machine" in GRAPH["benchmarks.speed.run"]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        (PROCESS, (REPORT, ACCURACY)),
        (REPORT, (PROCESS, ACCURACY, PEERS)),
        (ACCURACY, ("benchmarks.speed", PEERS)),
        ("benchmarks.speed", (ACCURACY,)),
        (PEERS, ("benchmarks",)),
    ],
)
def test_a_folder_knows_nothing_of_these(folder: str, forbidden: tuple[str, ...]) -> None:
    inside = {name: found for name, found in GRAPH.items() if name.startswith(f"{folder}.")}
    assert inside
    assert not [
        f"{name} imports {other}" for name, found in inside.items() for other in found if other.startswith(forbidden)
    ]


def test_what_is_measured_and_reported_does_not_know_who_starts_it() -> None:
    above = {"benchmarks.__main__", "benchmarks.speed.command", "benchmarks.speed.run"}
    below = [name for name in GRAPH if name.startswith((f"{PROCESS}.", f"{REPORT}."))]
    assert not [f"{name} imports {other}" for name in below for other in GRAPH[name] & above]


def test_no_circle_of_imports() -> None:
    left = {name: set(found) for name, found in GRAPH.items()}
    while done := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in done:
            del left[name]
    assert not left
