"""The names of the files of a fleet, and its progress on the disk."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import PATH
from twinvae.fleet.folder import FleetFolder
from twinvae.fleet.input import Version
from twinvae.fleet.plan import DamagedError, Plan, write_checked
from twinvae.fleet.rows import Row, failed_row
from twinvae.fleet.stems import LONGEST_STEM, file_stems
from twinvae.fleet.work import Result

PLAN = Plan({"seed": 0}, {"a.csv": Version(3, 4)}, (("a", "b"), ("c",)), {"d": "it is bad"})
RESULTS = (Result(Row("a", "ok"), (), b"weights"), Result(failed_row("b", "bad")))
STEMS = file_stems(PLAN.names)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("pump 1", "pump 1"),
        ("温度.v2", "温度.v2"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        (".hidden", "%2Ehidden"),
        ("tab\there", "tab%09here"),
        ("~", "%7E"),
    ],
)
def test_a_file_is_called_as_its_series_where_it_can_be(name: str, stem: str) -> None:
    assert file_stems([name]) == {name: stem}


@settings(max_examples=40, deadline=None)
@given(st.sets(st.text(max_size=300), max_size=8), st.sampled_from(["", "x" * 250, "Ä", "con", "A\u0308"]))
def test_each_series_has_a_file_of_its_own_on_every_file_system(names: set[str], more: str) -> None:
    names |= {more, more.lower(), more.upper(), unicodedata.normalize("NFC", more)}
    stems = file_stems(names)
    assert len({unicodedata.normalize("NFC", stem).casefold() for stem in stems.values()}) == len(names)
    for stem in stems.values():
        assert 0 < len(stem.encode()) <= LONGEST_STEM
        assert not set(stem) & set('/\\:*?"<>|\0')
        assert not stem.startswith(".")
        assert stem.lower() != "con"


def test_the_file_of_a_series_depends_on_the_names_alone_not_on_their_order() -> None:
    names = ["b", "B", "a", "x" * 300]
    assert file_stems(names) == file_stems(reversed(names))


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path / "out")
    with folder.lock():
        assert folder.read_plan() is None
        folder.write_plan(PLAN)
        assert folder.read_plan() == PLAN


def test_a_lock_without_a_plan_leaves_no_trace(tmp_path: Path) -> None:
    with FleetFolder(tmp_path / "new" / "out").lock():
        pass
    assert not (tmp_path / "new" / "out").exists()


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with (
        FleetFolder(tmp_path).lock(),
        pytest.raises(ValueError, match="another process is at work in this folder"),
        FleetFolder(tmp_path).lock(),
    ):
        pass


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from twinvae.fleet.folder import FleetFolder
held = FleetFolder(Path({str(tmp_path)!r})).lock()
held.__enter__()
print("held", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": PATH},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="another process is at work"), FleetFolder(tmp_path).lock():
            pass
        other.kill()
    with FleetFolder(tmp_path).lock():
        pass
    assert not (tmp_path / ".progress").exists()


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_a_file_system_has_no_locks_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def without(handle: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    folder = FleetFolder(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", without)
        with folder.lock():
            folder.write_plan(PLAN)
    assert folder.read_plan() == PLAN


def test_a_folder_that_cannot_be_written_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / ".progress" / "lock").mkdir(parents=True)
    with pytest.raises(OSError, match="lock"), FleetFolder(tmp_path).lock():
        pass


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_plan_says_what_to_do(tmp_path: Path, damage: str) -> None:
    folder = FleetFolder(tmp_path)
    with folder.lock():
        folder.write_plan(PLAN)
        spoil(tmp_path / ".progress" / "plan.json", damage)
        with pytest.raises(DamagedError, match=r"plan\.json: damaged plan: remove this file, and --resume makes it"):
            folder.read_plan()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "model cut", "model flipped", "model gone"])
def test_a_damaged_part_is_noticed(tmp_path: Path, damage: str) -> None:
    folder = FleetFolder(tmp_path)
    with folder.lock():
        folder.write_plan(PLAN)
        folder.write_part(PLAN, 0, RESULTS, STEMS)
        part = folder.read_part(PLAN, 0)
        assert part is not None
        assert [row.model for row in part.rows] == ["models/a.safetensors", None]
        model = tmp_path / "models" / "a.safetensors"
        if damage == "model gone":
            model.unlink()
        elif damage == "model cut":
            model.write_bytes(b"weight")
        elif damage == "model flipped":
            whole = model.read_bytes()
            model.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])  # of the same size
        else:
            spoil(tmp_path / ".progress" / "part-000000.json", damage)
        with pytest.raises(DamagedError):
            folder.read_part(PLAN, 0)


def test_a_part_of_another_plan_is_refused(tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path)
    with folder.lock():
        folder.write_plan(PLAN)
        folder.write_part(PLAN, 0, RESULTS, STEMS)
        other = Plan({"seed": 1}, PLAN.files, PLAN.batches, PLAN.failed)
        with pytest.raises(ValueError, match="of other settings or other input"):
            folder.read_part(other, 0)


def test_no_flipped_bit_of_a_finished_fleet_is_taken(tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path)
    tables = {"fleet.parquet": b"rows", "events.parquet": b"events"}
    with folder.replaced():
        written = folder.finish(tables, {"format": "twinvae fleet", "settings": {"seed": 1}, "ok": 2}, [])
    assert folder.read_summary() == written
    assert folder.read_tables(written) == tables
    for name in ("fleet.json", *tables):
        whole = (tmp_path / name).read_bytes()
        for place in range(8 * len(whole)):
            changed = bytearray(whole)
            changed[place // 8] ^= 1 << place % 8
            (tmp_path / name).write_bytes(changed)
            try:
                found = folder.read_summary()
                folder.read_tables(found)
            except ValueError as error:
                assert "\n" not in str(error)  # noqa: PT017
            else:
                assert found == written  # another blank in fleet.json, say
        (tmp_path / name).write_bytes(whole)


FORGED = [
    {}, {"plan": PLAN.digest}, {"plan": PLAN.digest, "rows": [3], "events": [], "files": {}},
    {"plan": PLAN.digest, "rows": [{"name": "a"}], "events": [{}], "files": []},
]  # fmt: skip


@pytest.mark.parametrize("content", FORGED)
def test_a_part_of_another_form_is_damaged_whatever_its_sum(tmp_path: Path, content: Any) -> None:
    folder = FleetFolder(tmp_path)
    with folder.lock():
        folder.write_plan(PLAN)
        write_checked(tmp_path / ".progress" / "part-000000.json", content)
        with pytest.raises(ValueError, match=r"part-000000\.json: "):
            folder.read_part(PLAN, 0)


@pytest.mark.parametrize("batches", [[[["a"], "b"]], [[3]], 3, [[None, "a"]]])
def test_a_plan_of_another_form_is_damaged_whatever_its_sum(tmp_path: Path, batches: Any) -> None:
    folder = FleetFolder(tmp_path)
    with folder.lock():
        write_checked(tmp_path / ".progress" / "plan.json", asdict(PLAN) | {"batches": batches})
        with pytest.raises(DamagedError, match="damaged plan"):
            folder.read_plan()


def test_json_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("[" * 100_000)
    with pytest.raises(DamagedError, match="damaged plan"):
        Plan.read(tmp_path / "plan.json")
    (tmp_path / "fleet.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="not the summary of a fleet"):
        FleetFolder(tmp_path).read_summary()


def test_the_end_of_a_run_removes_models_that_no_table_names_and_nothing_else(tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path)
    with folder.replaced():
        for name in ("models/kept.safetensors", "models/old.safetensors", "models/notes.txt", ".fleet-of-mine"):
            (tmp_path / name).write_text("x")
        folder.finish({}, {"format": "twinvae fleet", "settings": {}}, ["models/kept.safetensors"])
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        ".fleet-of-mine", "fleet.json", "kept.safetensors", "notes.txt"
    ]  # fmt: skip


def test_a_fleet_without_a_page_leaves_none_of_the_one_before_but_one_that_was_changed(tmp_path: Path) -> None:
    folder, summary = FleetFolder(tmp_path), {"format": "twinvae fleet", "settings": {}}
    tables = {"fleet.parquet": b"rows", "events.parquet": b"events"}
    for changed in (False, True):
        with folder.replaced():
            folder.finish(tables | {"report.html": b"page"}, summary, [])
        assert (tmp_path / "report.html").read_bytes() == b"page"
        if changed:
            (tmp_path / "report.html").write_bytes(b"notes on the page")
        with folder.replaced():
            folder.finish(tables, summary, [])
        assert (tmp_path / "report.html").exists() == changed


def test_a_page_of_somebody_else_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(ValueError, match=r"report\.html is in the way"):
        FleetFolder(tmp_path).check_new()


def test_pages_of_series_are_files_of_their_part(tmp_path: Path) -> None:
    folder = FleetFolder(tmp_path)
    with folder.lock():
        folder.write_plan(PLAN)
        folder.write_part(PLAN, 0, (RESULTS[0]._replace(page=b"<p>"), RESULTS[1]), STEMS)
        part = folder.read_part(PLAN, 0)
        assert part is not None
        assert set(part.files) == {"models/a.safetensors", "reports/a.html"}
        (tmp_path / "reports" / "old.html").write_text("")
        folder.finish({}, {"format": "twinvae fleet", "settings": {}}, part.files)
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["a.html"]


def spoil(path: Path, damage: str) -> None:
    text = path.read_text()
    if damage == "flipped":
        changed = text.replace('"a"', '"A"')
        assert changed != text
        json.loads(changed)  # only the checksum tells
        path.write_text(changed)
    else:
        path.write_text(text[: len(text) // 2] if damage == "cut" else "")
