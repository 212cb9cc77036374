"""The state that `twinvae watch` keeps: one process alone writes it, and it knows the input that it has seen."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_watch import run_watch
from tests.helpers.command import failure
from tests.helpers.watching import jsonl, process, watch
from tests.stream.test_stream import model
from twinvae.files.atomic import write_bytes
from twinvae.model import file as model_file
from twinvae.stream.lines import LineReader
from twinvae.stream.stream import Stream
from twinvae.stream.watch import Watch


def test_two_processes_do_not_share_a_state(saved: Path, tmp_path: Path) -> None:
    state, link = tmp_path / "state", tmp_path / "link"
    link.symlink_to(state)
    with process("--model", saved, "--state", state, "--state-every", "1") as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(jsonl(30)[0])
        running.stdin.flush()
        running.stdout.readline()
        for name in (state, link):
            code, lines, (line,) = watch("[1, 2]\n", "--model", saved, "--state", name)
            assert (code, lines) == (1, [])
            assert line.endswith(f"{name}: another process keeps its state there: choose another --state, or end it")
        running.communicate(timeout=60)
        assert running.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "m.safetensors", "state"]
    assert watch("[1, 2]\n", "--model", saved, "--state", link)[0] == 0
    assert link.is_symlink()


def test_a_killed_process_leaves_its_state_free(saved: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process("--model", saved, "--state", state, "--state-every", "1") as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for line in jsonl(30)[:2]:
            running.stdin.write(line)
            running.stdin.flush()
            running.stdout.readline()
        running.kill()
    assert watch("[1, 2]\n", "--model", saved, "--state", state)[0] == 0


def test_a_damaged_state_behind_a_link_is_put_aside_and_the_link_stays(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real").write_bytes(b"")
    (tmp_path / "state").symlink_to("far/real")
    run_watch(saved, tmp_path / "state", jsonl(30)[:9], [])
    assert (tmp_path / "state").is_symlink()
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["real", "real.damaged"]


def test_a_restart_remembers_that_there_is_no_header(saved: Path, tmp_path: Path) -> None:
    said, state = list[str](), tmp_path / "state"
    run_watch(saved, state, [b"1,2\n", b"3,4\n"], said)
    said.clear()
    results = run_watch(saved, state, [b"b,a\n", b"5,6\n", b"x,y\n", b"7,8\n"], said)
    assert [json.loads(line)["index"] for line in results] == [2, 3]
    assert [line.split(":")[0] for line in said] == ["note", "line 1", "line 3"]


@pytest.mark.parametrize("lines", [math.inf, math.nan, -1, 2**63, 10**400, "x", None, True])
def test_a_state_that_makes_no_sense_is_refused_in_one_line(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: Any
) -> None:
    Stream.load(saved).save_state(tmp_path / "state", lines=lines)
    line = failure(capsys, "watch", "--model", saved, "--state", tmp_path / "state")
    assert line.startswith(f"twinvae: error: {tmp_path / 'state'}: this state cannot be restored: ")
    assert line.endswith("is no number of lines")
    assert len(line) < 300


@pytest.mark.parametrize("reader", [{}, [], 3, {"form": "csv"}, LineReader(("a", "b")).state | {"header": ["a", "c"]}])
def test_a_state_of_other_lines_is_refused_in_one_line(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], reader: Any
) -> None:
    Stream.load(saved).save_state(tmp_path / "state", reader=reader)
    assert "this state cannot be restored: " in failure(
        capsys, "watch", "--model", saved, "--state", tmp_path / "state"
    )


def test_a_model_with_other_thresholds_does_not_take_the_state(saved: Path, tmp_path: Path) -> None:
    run_watch(saved, tmp_path / "state", jsonl(30)[:9], [])
    write_bytes(saved, model_file.as_bytes(model(2, threshold=3.0)))
    code, lines, (line,) = watch("[1, 2]\n", "--model", saved, "--state", tmp_path / "state")
    assert (code, lines) == (1, [])
    assert "it belongs to another model" in line


# Logs that are rotated.


def replayed(saved: Path, state: Path, lines: list[bytes], said: list[str]) -> list[int]:
    """The points that a watch with --replay scores."""
    source, out = state.with_name("in"), state.with_name("out")
    source.write_bytes(b"".join(lines))
    watching = Watch(
        Stream.load(saved), LineReader(("a", "b")), state=state, state_every=100,
        complain=lambda what, text: said.append(f"{what}: {text}"),
    )  # fmt: skip
    with source.open("rb") as each, out.open("wb") as results:
        watching.run(each, results, replay=True)
    return [json.loads(line)["index"] for line in out.read_bytes().splitlines()]


def stamped(*minutes: int) -> list[bytes]:
    return [b"time,a,b\n"] + [b"2026-01-01 00:%02d,1,2\n" % minute for minute in minutes]


@pytest.mark.parametrize("kept", [0, 3])
def test_a_rotated_log_is_noticed_by_its_time_stamps(saved: Path, tmp_path: Path, kept: int) -> None:
    """The new log has none, or the last three, of the ten lines that the state has seen."""
    said, state = list[str](), tmp_path / "state"
    run_watch(saved, state, stamped(*range(10)), said)
    said.clear()
    assert replayed(saved, state, stamped(*range(10 - kept, 15)), said) == [10, 11, 12, 13, 14]
    assert said[1:] == [
        f"note: line {kept + 2}: the time stamp 2026-01-01 00:10 is after 2026-01-01 00:09, the latest of the state: "
        "the log was rotated, and from here on all is scored"
    ]
    assert replayed(saved, state, stamped(*range(10 - kept, 17)), said) == [15, 16]


def test_a_log_out_of_order_is_not_taken_for_a_rotated_one(saved: Path, tmp_path: Path) -> None:
    said, state = list[str](), tmp_path / "state"
    minutes = (0, 5, 3, 9, 1)
    run_watch(saved, state, stamped(*minutes), said)
    assert replayed(saved, state, stamped(*minutes, 2), said) == [5]
    assert "rotated" not in "".join(said)


def test_a_log_with_fewer_lines_than_the_state_has_seen_is_said(saved: Path, tmp_path: Path) -> None:
    said, state = list[str](), tmp_path / "state"
    run_watch(saved, state, stamped(*range(10)), said)
    assert replayed(saved, state, stamped(0, 1), said) == []
    assert said[-1] == "note: the input has 3 lines, the state has seen 11: nothing is new"


def test_a_refused_line_that_is_replayed_is_no_newer_than_it_was(tmp_path: Path) -> None:
    """Its time stamp is later than that of each point, and yet the state has seen it."""
    write_bytes(saved := tmp_path / "m", model_file.as_bytes(model(2, missing="error")))
    said, state = list[str](), tmp_path / "state"
    lines = [*stamped(*range(10)), b"2026-01-01 00:10,1,NaN\n"]
    run_watch(saved, state, lines, said)
    assert replayed(saved, state, [*lines, b"2026-01-01 00:11,1,2\n"], said) == [10]
    assert "rotated" not in "".join(said)


@pytest.mark.parametrize(
    "change",
    [
        {"opened": "1"}, {"opened": 2.0}, {"number": "0"}, {"number": True}, {"opened": -1},
        {"pending": [[1, math.nan, None, [0, 0]]] * 3}, {"pending": [[0.5, 1.0, None, [0, 0]]] * 3},
        {"pending": [[1, 1.0, None, [0, math.inf]]] * 3}, {"pending": [[1, 1.0, -math.inf, [0, 0]]] * 3},
    ],
)  # fmt: skip
def test_an_open_event_that_makes_no_sense_is_refused(saved: Path, change: dict[str, Any]) -> None:
    stream = Stream.load(saved)
    state = stream.state
    with pytest.raises(ValueError, match=r"^this state cannot be restored: [^\n]{1,300}$"):
        stream.restore(state | {"tracker": state["tracker"] | change})
