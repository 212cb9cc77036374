"""Files are whole or not there."""

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from twinvae.files.atomic import replacing, write_text


@contextmanager
def undisturbed(folder: Path) -> Iterator[Path]:
    """An old file, which must be the same and alone in its folder afterwards."""
    target = folder / "result.csv"
    target.write_text("old")
    yield target
    assert [path.name for path in folder.iterdir()] == ["result.csv"]
    assert target.read_text() == "old"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ValueError(), KeyboardInterrupt()])
def test_the_old_file_stays_if_the_body_raises(tmp_path: Path, error: BaseException) -> None:
    def interrupted(target: Path) -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise error

    with undisturbed(tmp_path) as target, pytest.raises(type(error)):
        interrupted(target)


def test_the_old_file_stays_if_the_disk_fills_up_on_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("twinvae.files.atomic.os.fsync", full)
    with undisturbed(tmp_path) as target, pytest.raises(OSError, match="No space left"):
        write_text(target, "new")


def test_the_old_file_stands_until_the_body_is_over(tmp_path: Path) -> None:
    target = tmp_path / "result.csv"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
        assert temporary.parent == target.parent
        assert temporary.suffix == ".csv"
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["result.csv"]


def test_a_new_file_has_ordinary_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "new.txt", "grün")
    (tmp_path / "plain.txt").touch()
    assert (tmp_path / "new.txt").read_text(encoding="utf-8") == "grün"
    new, plain = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new.txt", "plain.txt"))
    assert new == plain


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        write_text(tmp_path / "missing" / "file.txt", "")


def test_a_folder_in_the_file_s_place_is_an_os_error_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_text(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
