"""Which folder may import which: only those of a lower number, and inside a folder the files form a chain."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "shared" / "twinvae"
FLOOR = {
    "config": 0, "files": 0, "process": 0,
    "series": 1, "windowing": 1,
    "metrics": 2, "network": 2, "tables": 2,
    "scoring": 3,
    "model": 4,
    "stream": 5, "plots": 5,
    "pages": 6,
    "detector": 7,
    "data": 8, "adapters": 8,
    "fleet": 9,
    "cli": 10,
    "__main__": 11,
}  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """The modules of twinvae that a file names, wherever in the file it imports them; not those for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("twinvae"))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "twinvae":
            files = [f"{node.module}.{name.name}" for name in node.names]
            yield from (name if _file(name).exists() else node.module for name in files)


def _file(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")


def rooms() -> list[str]:
    return [name for name in FLOOR if (PACKAGE / name).is_dir()]


def test_every_room_and_file_has_its_floor() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert found - {"__init__", "__pycache__"} == set(FLOOR)
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= 21


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    up = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for module in imports(path)
        if module != "twinvae"
        and module.split(".")[1] != room
        and FLOOR[module.split(".")[1]] >= FLOOR[room]
        and not (FLOOR[module.split(".")[1]] == 0 and module.split(".")[1] == "config")
    ]
    assert not up, "\n".join(up)


@pytest.mark.parametrize("room", rooms())
def test_the_files_of_a_room_import_each_other_in_one_direction(room: str) -> None:
    wanted = {
        path.stem: {m.split(".")[-1] for m in imports(path) if m.split(".")[1:2] == [room] and m.count(".") > 1}
        for path in (PACKAGE / room).glob("*.py")
    }
    while done := [name for name, needs in wanted.items() if not needs & wanted.keys()]:
        for name in done:
            del wanted[name]
    assert not wanted, f"a circle of imports: {wanted}"


@pytest.mark.parametrize("package", ["vae_jax", "vae_torch"])
def test_a_backend_imports_no_more_than_it_computes(package: str) -> None:
    above = [
        f"{path.name} imports {module}"
        for path in sorted((ROOT / package).glob("*.py"))
        for module in imports(path)
        if path.stem != "__init__" and FLOOR[module.split(".")[1]] > FLOOR["scoring"]
    ]
    assert not above, "\n".join(above)
