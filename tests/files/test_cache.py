"""What is kept in the user's cache is found again, checked, and made anew where it is not what it was."""

import os
from pathlib import Path

import pytest

from twinvae.files import cache
from twinvae.files.cache import cache_folder, cached, digest_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWINVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Writes a file, and counts how often it was asked to."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, path: Path) -> None:
        self.times += 1
        path.write_bytes(b"a program")


def test_a_file_is_made_once(folder: Path, tmp_path: Path) -> None:
    make = Maker()
    first, second = (cached("kind", digest_of("key"), ".bin", make, tmp_path) for _ in range(2))
    assert first == second
    assert first.read_bytes() == b"a program"
    assert first.is_relative_to(folder / "kind")
    cached("kind", digest_of("another key"), ".bin", make, tmp_path)
    assert make.times == 2


def test_a_damaged_file_is_made_anew_with_a_warning(tmp_path: Path) -> None:
    make = Maker()
    path = cached("kind", "key", ".bin", make, tmp_path)
    path.write_bytes(b"a progran")
    with pytest.warns(UserWarning, match=r"\.bin: is damaged or not yours: made anew"):
        assert cached("kind", "key", ".bin", make, tmp_path).read_bytes() == b"a program"
    assert make.times == 2
    cached("kind", "key", ".bin", make, tmp_path)
    assert make.times == 2


def test_what_another_user_wrote_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    cached("kind", "key", ".bin", make, tmp_path)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.warns(UserWarning, match="not yours"):
        cached("kind", "key", ".bin", make, tmp_path)
    assert make.times == 2


def test_without_a_cache_nothing_is_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINVAE_CACHE", "off")
    assert cache_folder() is None
    assert cached("kind", "key", ".bin", Maker(), tmp_path).parent == tmp_path
    assert not folder.exists()


def test_a_cache_that_cannot_be_written_costs_a_warning(folder: Path, tmp_path: Path) -> None:
    folder.write_text("a file, where the folder should be")
    with pytest.warns(UserWarning, match="name another folder in TWINVAE_CACHE"):
        assert cached("kind", "key", ".bin", Maker(), tmp_path).read_bytes() == b"a program"


def test_the_file_that_was_not_used_for_longest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    make = Maker()
    old, used = (cached("kind", key, ".bin", make, tmp_path) for key in ("old", "used"))
    for path in (old, used):
        os.utime(path, (1, 1))
    assert cached("kind", "used", ".bin", make, tmp_path) == used
    new = cached("kind", "new", ".bin", make, tmp_path)
    assert [path.exists() for path in (old, used, new)] == [False, True, True]


def test_the_folder_is_the_systems_place_for_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINVAE_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/twinvae")
