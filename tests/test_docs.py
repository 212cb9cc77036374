"""What README, ARCHITECTURE, CONTRIBUTING and docs name is there."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "shared" / "twinvae"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_and_names_of_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "CHANGELOG.md":  # it speaks of what was there, too
        return
    for path in re.findall(r"(?:shared/twinvae|vae_jax|vae_torch|benchmarks|tests)/[\w/]+\.(?:py|json|md)\b", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"\btwinvae(?:\.\w+)+", text):
        assert _found(name), name


def _found(name: str) -> bool:
    """Whether a dotted name is a module of twinvae, or stands at the top of one. Imports nothing: some take seconds."""
    place, *rest = PACKAGE, *name.split(".")[1:]
    while rest and (place / rest[0]).is_dir():
        place, *rest = place / rest[0], *rest[1:]
    if rest and (place / f"{rest[0]}.py").exists():
        place, *rest = place / f"{rest[0]}.py", *rest[1:]
    if not rest:
        return True
    file = place if place.is_file() else place / "__init__.py"
    defined = rf"^(?:(?:def|class) {rest[0]}\b|{rest[0]}\b.*=|__all__ = .*\"{rest[0]}\")"
    return re.search(defined, file.read_text(encoding="utf-8"), re.M) is not None


def test_a_name_that_is_not_there_is_found_missing() -> None:
    assert _found("twinvae.scoring.kinds.SCORES")
    assert not _found("twinvae.scoring.kinds.NONE")
    assert not _found("twinvae.nowhere")


def test_the_map_of_the_architecture_is_what_is_on_the_disk() -> None:
    """Each room has a row, which names each of its files."""
    rows = re.findall(r"^\| \d+ \| `(\w+)/` \| (.*) \|$", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M)
    named = {room: set(re.findall(r"`(\w+)`", text)) for room, text in rows}
    rooms = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert named.keys() == {room.name for room in rooms}
    for room in rooms:
        files = {path.stem for path in room.glob("*.py")} - {"__init__"}
        assert not files - named[room.name], room.name


@pytest.mark.parametrize("page", [*PAGES, ROOT / "llms.txt"], ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)", text):
        assert (page.parent / target).exists(), target
