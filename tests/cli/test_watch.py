"""`twinvae watch`: the process with its pipes, signals and restarts."""

import errno
import itertools
import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import in_a_fresh_process
from tests.helpers.watching import jsonl, process, watch
from tests.stream.test_stream import holes, model, points
from twinvae.files.atomic import write_bytes
from twinvae.model import file as model_file
from twinvae.stream import state as stream_state
from twinvae.stream.lines import LineReader
from twinvae.stream.stream import Stream
from twinvae.stream.watch import Watch


def test_each_point_gets_its_line_and_events_open_and_close(saved: Path) -> None:
    series = points(60, 2)
    text = "time,a,b\n" + "".join(f"t{at},{a!r},{b!r}\n" for at, (a, b) in enumerate(series.tolist()))
    code, lines, err = watch(text, "--model", saved)
    assert code == 0
    stream = Stream.load(saved)
    steps = [stream.step(row, f"t{at}") for at, row in enumerate(series)]
    assert [(line["index"], line["time"], line["score"], line["label"]) for line in lines[:60]] == [
        (step.at, f"t{step.at}", step.score, step.label) for step in steps
    ]
    said = [(event["change"], event["number"], event["start_time"]) for ln in lines for event in ln.get("events", [])]
    assert said == [(c.what, c.number, c.event.start_time) for step in steps for c in step.changes] + [
        (c.what, c.number, c.event.start_time) for c in stream.tracker.finish()
    ]
    assert said
    assert err == [f"twinvae: note: 60 points, {stream_alarms(steps)} alarms, {len(said) // 2} events, 0 bad lines"]


def stream_alarms(steps: list[Any]) -> int:
    return sum(step.label for step in steps)


def test_bad_lines_are_reported_counted_and_do_not_matter(saved: Path) -> None:
    good = jsonl(24)
    bad = [
        b"oops\n",
        b"[1, 2, 3]\n",
        b"\xff\xfe\n",
        b"[1, Infinity]\n",
        b"[1" + b" " * 2**21 + b", 2]\n",
        b"\n",
        b"[1]",
    ]
    code, lines, err = watch(b"".join([good[0], *bad[:3], *good[1:], *bad[3:]]), "--model", saved, "--json")
    assert code == 0
    assert lines == watch(b"".join(good), "--model", saved)[1]
    starts = ["line 2: not JSON", "line 3: point 1 has 3 values", "line 4: not JSON", "line 28: infinite value",
              "line 29: longer than", "line 31: point 24 has 1 values"]  # fmt: skip
    assert [line.startswith(f"twinvae: {start}") for line, start in zip(err[:-1], starts, strict=True)] == [True] * 6
    opened = sum(event["change"] == "open" for line in lines for event in line.get("events", []))
    assert json.loads(err[-1]) == {
        "points": 24, "alarms": sum(line["label"] for line in lines[:24]), "events": opened, "without_score": 0,
        "bad_lines": 6, "points_in_all": 24, "open_event": False, "dropped": 0,
        "highest": max(line["score"] for line in lines[:24]) / Stream.load(saved).threshold,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_missing_values_are_left_out_and_a_score_that_is_not_known_is_null(tmp_path: Path, form: str) -> None:
    saved, series = tmp_path / "m.safetensors", holes(80, 2)
    write_bytes(saved, model_file.as_bytes(model(2, missing="mask")))
    stream = Stream.load(saved)
    steps = [stream.step(row, f"t{at}") for at, row in enumerate(series)]
    if form == "csv":
        cells = [["" if math.isnan(x) else repr(x) for x in row] for row in series.tolist()]
        text = "time,a,b\n" + "".join(f"t{at},{a},{b}\n" for at, (a, b) in enumerate(cells))
    else:
        rows = [[None if math.isnan(x) else x for x in row] for row in series.tolist()]
        text = "".join(f"{json.dumps({'a': a, 'b': b, 'time': f't{at}'})}\n" for at, (a, b) in enumerate(rows))
    state = tmp_path / "state"
    half = len(text) // 2 - text[: len(text) // 2][::-1].index("\n")
    lines = []
    for part in (text[:half], text[half:]):
        code, some, err = watch(part, "--model", saved, "--state", state, "--json")
        assert code == 0
        assert json.loads(err[-1])["without_score"] == sum(line["score"] is None for line in some)
        lines += some
    assert [(line["index"], line["time"], line["score"], line["label"]) for line in lines] == [
        (step.at, f"t{step.at}", None if step.score != step.score else step.score, step.label) for step in steps
    ]
    opened = [(event["number"], event["start_time"]) for line in lines for event in line.get("events", [])]
    assert opened == [(c.number, c.event.start_time) for step in steps for c in step.changes]
    assert opened
    assert err[0].endswith(f"of the input, time stamp t{steps[-1].at - len(some)}")


def test_empty_input_is_no_points(saved: Path) -> None:
    assert watch("", "--model", saved) == (0, [], ["twinvae: note: 0 points, 0 alarms, 0 events, 0 bad lines"])


def test_input_of_nothing_but_bad_lines_fails(saved: Path) -> None:
    code, lines, err = watch("x\ny\n", "--model", saved, "--format", "jsonl")
    assert (code, lines, err[-1]) == (1, [], "twinvae: error: none of the 2 lines could be scored")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "absent.safetensors"], "absent.safetensors: No such file or directory"),
        (["--state", "absent/state"], "absent/state"),
        (["--state", "foreign"], "foreign: not a state of a stream"),
        (["--state", "old"], "old: not a state of a stream that this release reads: remove it"),
        (["--state", "other"], "other: this state cannot be restored: it belongs to another model"),
        (["--replay"], "--replay is for --state FILE"),
        (["--columns", "a"], "1 columns are named, the detector was fitted on 2 channels"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("foreign").write_bytes(b"{}")
    with monkeypatch.context() as patch:
        patch.setattr(stream_state, "VERSION", 1)
        Stream(model(2)).save_state("old")
    Stream(model(2, seed=3)).save_state("other")
    code, lines, err = watch("[1, 2]\n", "--model", saved, *arguments)
    assert (code, lines, len(err)) == (1, [], 1)
    if message == "absent/state":
        assert "No such file or directory" in err[0]
    else:
        assert message in err[0]


def test_a_reader_that_goes_ends_it_in_silence_and_the_state_is_not_ahead(saved: Path, tmp_path: Path) -> None:
    source, state = tmp_path / "in", tmp_path / "state"
    source.write_bytes(b"".join(jsonl(5000)))
    with (
        source.open("rb") as lines,
        process("--model", saved, "--state", state, "--state-every", "10", stdin=lines) as running,
    ):
        assert running.stdout is not None
        assert running.stderr is not None
        assert [json.loads(running.stdout.readline())["index"] for _ in range(30)] == list(range(30))
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 1
    stream = Stream.load(saved)
    assert stream.load_state(state)["lines"] == stream.index
    assert 20 <= stream.index < 5000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_told_to_end_it_saves_and_a_restart_continues(saved: Path, tmp_path: Path, number: int, code: int) -> None:
    rows, state = jsonl(60), tmp_path / "state"
    expected = watch(b"".join(rows), "--model", saved, "--state", tmp_path / "whole")[1]
    with process("--model", saved, "--state", state) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(b"".join(rows[:33]))
        running.stdin.flush()
        lines = [json.loads(running.stdout.readline()) for _ in range(33)]  # so each is flushed
        running.send_signal(number)
        assert running.wait(60) == code
        assert running.stdout.read() == b""
        assert b"Traceback" not in running.stderr.read()
    ended, rest, err = watch(b"".join(rows[33:]), "--model", saved, "--state", state)
    assert ended == 0
    assert err[0] == "twinvae: note: continues with point 33, after line 33 of the input"
    assert lines + rest == expected
    assert any("events" in line for line in rest)


@pytest.mark.parametrize("keep", [0, 100, -3])
def test_a_damaged_state_is_put_aside_and_the_stream_starts_anew(saved: Path, tmp_path: Path, keep: int) -> None:
    said, state, stream = list[str](), tmp_path / "watch.state", Stream.load(saved)
    for row in points(20, 2):
        stream.step(row)
    stream.save_state(state)
    whole = state.read_bytes()
    state.write_bytes(whole[:keep])
    run_watch(saved, state, jsonl(20)[:9], said)
    assert said == [
        f"note: {state}: damaged state of a stream: it is watch.state.damaged now, and the stream starts anew"
    ]
    assert (tmp_path / "watch.state.damaged").read_bytes() == whole[:keep]
    assert Stream.load(saved).load_state(state)["lines"] == 9


def run_watch(saved: Path, state: Path, lines: list[bytes], said: list[str], every: int = 5) -> list[bytes]:
    """What a watch in this process writes; `said` gets its notes."""
    source, result = state.with_name("in"), state.with_name("out")
    source.write_bytes(b"".join(lines))
    watching = Watch(
        Stream.load(saved), LineReader(("a", "b")), state=state, state_every=every,
        complain=lambda what, text: said.append(f"{what}: {text}"),
    )  # fmt: skip
    with source.open("rb") as each, result.open("wb") as out:
        watching.run(each, out)
    return result.read_bytes().splitlines()


@pytest.mark.parametrize("stamps", [("12:0", "12:1", "12:2"), ("8", "9", "10"), (8, 9, 10.5)])
def test_an_input_that_begins_anew_without_replay_is_noticed(saved: Path, tmp_path: Path, stamps: list[Any]) -> None:
    said, state = list[str](), tmp_path / "state"
    lines = [f"{json.dumps({'a': 1, 'b': 2, 'time': stamp})}\n".encode() for stamp in stamps]
    for part in (lines[:2], lines[2:], lines):
        run_watch(saved, state, part, said)
    first, _, last = stamps
    assert said == [
        f"note: continues with point 2, after line 2 of the input, time stamp {stamps[1]}",
        f"note: continues with point 3, after line 3 of the input, time stamp {last}",
        f"note: line 1: the time stamp {first} is not after {last}, the last of the state: "
        "--replay is for an input that begins anew",
    ]


def test_a_full_disk_is_one_note_and_the_state_is_saved_later(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, state, said, fsync = jsonl(40), tmp_path / "state", list[str](), os.fsync

    def fail(calls: range) -> None:
        count = itertools.count()

        def full_or_not(handle: int) -> None:
            if next(count) in calls:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fsync(handle)

        monkeypatch.setattr(os, "fsync", full_or_not)

    fail(range(2, 5))
    assert len(run_watch(saved, state, rows, said)) == 40
    assert said == [
        f"note: {state}: No space left on device: the state is not saved, and will be tried again",
        f"note: {state}: the state is saved again",
    ]
    assert Stream.load(saved).load_state(state)["lines"] == 40
    # At the end there is no later: the state that is there stays, and the lines after it are to be sent again.
    fail(range(9))
    with pytest.raises(OSError, match="No space left") as raised:
        run_watch(saved, state, rows[:3], said)
    assert raised.value.filename == str(state)
    assert Stream.load(saved).load_state(state)["lines"] == 40
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_is_full_is_one_line_and_the_state_is_not_ahead(saved: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    watch(b"".join(jsonl(20)[:9]), "--model", saved, "--state", state)
    before = state.read_bytes()
    with (
        Path("/dev/full").open("wb") as full,
        process("--model", saved, "--state", state, "--state-every", "1", stdout=full) as running,
    ):
        _, err = running.communicate(b"".join(jsonl(20)), timeout=60)
    assert running.returncode == 1
    assert [line.split(": ", 2)[1] for line in err.decode().splitlines()] == ["note", "error"]
    assert b"No space left on device" in err
    assert state.read_bytes() == before


def test_after_a_kill_the_replay_gives_the_same_lines_and_loses_none(saved: Path, tmp_path: Path) -> None:
    rows, state = [b"b,a\n", *jsonl_as_csv(120)], tmp_path / "state"
    expected = watch(b"".join(rows), "--model", saved, "--state", tmp_path / "whole")[1]
    with process("--model", saved, "--state", state, "--state-every", "20") as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"".join(rows[:68]))
        running.stdin.flush()
        lines = [json.loads(running.stdout.readline()) for _ in range(67)]
        running.kill()
        running.wait(60)
    at = Stream.load(saved)
    kept = at.load_state(state)
    assert 60 <= at.index <= 67
    assert kept["lines"] == at.index + 1  # the header
    code, rest, _ = watch(b"".join(rows), "--model", saved, "--state", state, "--replay")
    assert code == 0
    assert lines == expected[:67]
    assert rest == expected[at.index :]
    # Or without --replay, from the line that the state names: the header is known.
    again = tmp_path / "again"
    at.save_state(again, **kept)
    assert watch(b"".join(rows[kept["lines"] :]), "--model", saved, "--state", again)[1] == rest


@pytest.mark.slow
def test_ten_kills_lose_and_repeat_no_event(saved: Path, tmp_path: Path) -> None:
    series, state, random = points(400, 2), tmp_path / "state", np.random.default_rng(0)
    series[::37, 1] += 9.0
    rows = [f"{json.dumps(row)}\n".encode() for row in series.tolist()]
    expected = watch(b"".join(rows), "--model", saved, "--state", tmp_path / "whole")[1]
    written = 0
    for _ in range(10):
        with process("--model", saved, "--state", state, "--state-every", "3", "--replay") as running:
            assert running.stdin is not None
            assert running.stdout is not None
            running.stdin.write(b"".join(rows))
            running.stdin.flush()
            lines = [json.loads(running.stdout.readline()) for _ in range(int(random.integers(1, 40)))]
            running.kill()
            lines += [json.loads(line) for line in running.stdout.read().splitlines(keepends=True) if b"\n" in line]
            running.wait(60)
        begin = lines[0]["index"]
        assert begin <= written  # nothing is lost
        assert (
            lines == expected[begin : begin + len(lines)]
        )  # what comes again is the same, events and their numbers too
        written = begin + len(lines)
        if written >= 390:
            break
    code, lines, _ = watch(b"".join(rows), "--model", saved, "--state", state, "--replay")
    assert code == 0
    assert lines[0]["index"] <= written
    assert lines == expected[lines[0]["index"] :]


def jsonl_as_csv(length: int) -> list[bytes]:
    return [f"{b!r},{a!r}\n".encode() for a, b in points(length, 2).tolist()]


def test_watching_imports_no_framework(saved: Path) -> None:
    code = f"""
import io, sys
from types import SimpleNamespace
from twinvae.cli import main as cli
sys.stdin = SimpleNamespace(buffer=io.BytesIO(b"[1, 2]\\n" * 9))
assert cli.main(["watch", "--model", {str(saved)!r}]) == 0
loaded = [m for m in ("jax", "torch", "vae_jax", "vae_torch", "polars", "scipy.stats") if m in sys.modules]
assert not loaded, loaded
"""
    assert len(in_a_fresh_process(code).splitlines()) == 9
