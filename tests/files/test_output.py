"""Files are whole or not there."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATH
from twinvae.files.atomic import check_outputs, new_folder, replacing, write_text


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


# What stands in the place already.


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("far/real.txt")
    (tmp_path / "second.txt").symlink_to("link.txt")
    (tmp_path / "new.txt").symlink_to("far/new.txt")  # which is not there yet
    write_text(tmp_path / "second.txt", "text")
    write_text(tmp_path / "new.txt", "text")
    assert all((tmp_path / name).is_symlink() for name in ("link.txt", "second.txt", "new.txt"))
    assert [path.read_text() for path in sorted((tmp_path / "far").iterdir())] == ["text", "text"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o755])
def test_the_mode_of_the_old_file_is_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file.txt"
    path.touch()
    path.chmod(mode)
    write_text(path, "text")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_owner_of_the_old_file_is_kept_where_the_system_lets_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def chown(path: Path, user: int, group: int) -> None:
        asked.append((user, group))
        if user != -1:
            raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "file.txt"
    path.touch()
    there = path.stat()
    monkeypatch.setattr("twinvae.files.atomic.os.chown", chown)
    write_text(path, "text")
    assert asked == [(there.st_uid, there.st_gid), (-1, there.st_gid)]
    assert path.read_text() == "text"


def test_what_is_no_regular_file_is_refused_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to_folder").symlink_to("folder")
    for name in ("pipe", "null", "loop", "folder", "to_folder", "n" * 300, "folder/missing/file"):
        for check in (True, False):
            with pytest.raises(OSError, match=r"egular file|symbolic links|directory|too long") as caught:
                check_outputs([tmp_path / name]) if check else write_text(tmp_path / name, "text")
            assert caught.value.filename == str(tmp_path / name)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    for name in ("n" * 251 + ".csv", "n." + "s" * 253):
        check_outputs([tmp_path / name])
        write_text(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"


def test_an_output_that_is_an_input_is_refused_by_whatever_name(tmp_path: Path) -> None:
    source = tmp_path / "x.csv"
    source.write_text("a")
    (tmp_path / "link.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    for name in ("x.csv", "link.csv", "hard.csv", "../" + tmp_path.name + "/x.csv"):
        with pytest.raises(ValueError, match="is an input"):
            check_outputs([tmp_path / name], [None, tmp_path / "none.csv", source])
    check_outputs([tmp_path / "y.csv"], [source])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard.csv", "link.csv", "x.csv"]


# What killed processes leave, and the words of a full disk.


def test_what_a_killed_process_left_is_removed_but_not_what_another_is_writing(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from typing import Any
from twinvae.files.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    sys.stdin.readline()
"""
    (tmp_path / ".model-ab12cd34.csv").write_text("a user's own")
    command = [sys.executable, "-c", code, str(tmp_path / "result.csv")]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": PATH}, **pipes) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (temporary,) = tmp_path.glob(".twinvae-*")
        check_outputs([tmp_path / "result.csv"])
        assert temporary.read_text() == "half"
        other.kill()
        other.wait()
    assert temporary.exists()
    with replacing(tmp_path / "other.csv") as mine:
        check_outputs([tmp_path / "another.csv"])
        assert not temporary.exists()
        assert mine.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".model-ab12cd34.csv", "other.csv"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),  # as a write says it: without a name
        ValueError("ComputeError: No space left on device (os error 28)"),  # a library of Rust
    ],
)
def test_a_full_disk_names_the_user_s_file(tmp_path: Path, error: Exception) -> None:
    def full() -> None:
        with replacing(tmp_path / "result.csv"):
            raise error

    with pytest.raises(OSError, match="No space left on device") as caught:
        full()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "result.csv"))
    assert not list(tmp_path.iterdir())


def test_words_without_a_number_are_an_error_of_the_file_and_those_of_another_file_are_not(tmp_path: Path) -> None:
    def fails(error: OSError) -> None:
        with replacing(tmp_path / "result.png"):
            raise error

    with pytest.raises(OSError, match="encoder error") as caught:
        fails(OSError("encoder error -2"))
    assert caught.value.filename == str(tmp_path / "result.png")
    with pytest.raises(OSError, match="No space") as caught:
        fails(OSError(errno.ENOSPC, "No space: see TMPDIR", "/var/tmp"))
    assert caught.value.filename == "/var/tmp"


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt()])
def test_a_new_folder_goes_again_if_nothing_came_into_it(tmp_path: Path, error: BaseException) -> None:
    def fails(*files: str) -> None:
        with new_folder(tmp_path / "a" / "b"):
            for name in files:
                (tmp_path / "a" / name).touch()
            raise error

    with pytest.raises(type(error)):
        fails()
    assert not list(tmp_path.iterdir())
    with pytest.raises(type(error)):
        fails("kept")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]
