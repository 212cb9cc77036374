"""`twinvae watch`: lines of points in, lines of scores and events out, as they come."""

import json
import signal
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NamedTuple

from shared.event_tracker import Change
from shared.stream import Step, Stream
from shared.stream_lines import LineReader, UnsuitedHeaderError

LONGEST_LINE = 2**20  # bytes: a longer one is a bad line, and is never in memory as a whole
STATE_SECONDS = 1.0


class Summary(NamedTuple):
    """What a watch has seen; of this process, but for `points_in_all`."""

    points: int
    alarms: int
    events: int  # opened
    bad_lines: int
    points_in_all: int
    open_event: bool


class Watch:
    """Scores lines until they end, the reader of the output has gone, or the process is told to end.

    Each result is written and flushed before the next line is read, and before the state that includes it is
    saved. So after a kill, what came after the saved state has been written at most once; who sends the input from the
    saved line on gets it again, the same, and nothing is lost.
    """

    def __init__(
        self,
        stream: Stream,
        reader: LineReader,
        *,
        state: Path | None,
        state_every: int,
        complain: Callable[[str, object], None],
    ) -> None:
        self._stream, self._reader, self._path, self._every = stream, reader, state, state_every
        self._complain = complain
        self._lines = self._bad = self._alarms = self._events = 0
        self._waiting = self._told_to_end = self._interrupted = False
        self._restored = 0  # lines that the saved state has seen
        if state is not None and state.exists():
            extra = stream.load_state(state)
            self._restored = int(extra.get("lines", 0))
            if "reader" in extra:
                reader.restore(extra["reader"])
            complain("note", f"continues with point {stream.index}, after line {self._restored} of the input")
        self._first = self._saved = stream.index
        self._saved_at = clock.monotonic()

    def run(self, lines: BinaryIO, out: BinaryIO, *, replay: bool = False) -> Summary:
        """Scores the lines. With `replay`, the input begins anew: the lines that the state has seen are left out.

        Raises:
            KeyboardInterrupt: on a second Ctrl-C; the first ends the lines, see `interrupted`.
            BrokenPipeError: if nobody reads the output any more; the last saved state stays.
            ValueError: if the input cannot be read at all; see `UnsuitedHeaderError`.
            OSError: if the state cannot be written.
        """
        skip = self._restored if replay else 0
        self._lines = 0 if replay else self._restored
        started = self._lines
        with self._ending_in_peace():
            for line in self._each(lines):
                self._lines += 1
                if self._lines <= skip:
                    continue
                text = self._score(line, self._lines - started)
                if text:
                    out.write(text.encode())
                    out.flush()
                if self._path is not None and self._due():
                    self._save()
            if self._path is None:
                changes = self._stream.tracker.finish()
                if changes:
                    out.write(f'{{"events": {_events(changes)}}}\n'.encode())
                    out.flush()
            elif self._lines > skip:
                self._save()
        summary = self._summary()
        if self._bad and not summary.points and not self._told_to_end and not self._interrupted:
            raise ValueError(f"none of the {self._bad} lines could be scored")
        return summary

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has ended it."""
        return self._interrupted

    def _summary(self) -> Summary:
        stream = self._stream
        return Summary(
            stream.index - self._first, self._alarms, self._events, self._bad, stream.index, stream.tracker.is_open
        )  # fmt: skip

    def _score(self, line: bytes, number: int) -> str:
        """What to write for a line; nothing if it is blank, a header or bad."""
        try:
            if len(line) >= LONGEST_LINE:
                raise ValueError(f"longer than {LONGEST_LINE} bytes")
            point = self._reader.read(line.decode(errors="replace"))
            if point is None:
                return ""
            step = self._stream.step(point.values, point.time)
        except UnsuitedHeaderError:
            raise
        except (ValueError, TypeError) as error:
            self._bad += 1
            self._complain(f"line {number}", error)
            return ""
        self._alarms += step.label
        self._events += sum(change.what == "open" for change in step.changes)
        return _result(step, point.time)

    def _each(self, lines: BinaryIO) -> Iterator[bytes]:
        try:
            while True:
                self._waiting = True  # before the question, so that no signal falls between it and the wait
                if self._told_to_end or self._interrupted:
                    return
                line = rest = lines.readline(LONGEST_LINE)
                while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                    rest = lines.readline(LONGEST_LINE)
                self._waiting = False
                if not line:
                    return
                yield line
        except _EndError:
            return
        finally:
            self._waiting = False

    # Saving.

    def _due(self) -> bool:
        return self._stream.index - self._saved >= self._every or clock.monotonic() - self._saved_at >= STATE_SECONDS

    def _save(self) -> None:
        assert self._path is not None
        self._stream.save_state(self._path, lines=self._lines, reader=self._reader.state)
        self._saved, self._saved_at = self._stream.index, clock.monotonic()

    # Ctrl-C, and what a service manager sends.

    @contextmanager
    def _ending_in_peace(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the wait for a line, or take effect after the present one."""

        def end(number: int, _: FrameType | None) -> None:
            if self._interrupted:  # a second time: the reader of the output may be stuck
                raise KeyboardInterrupt
            if number == signal.SIGINT:
                self._interrupted = True
            else:
                self._told_to_end = True
            if self._waiting:
                raise _EndError

        try:
            before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: nobody sends signals here
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _EndError(Exception):
    """Ends the wait for a line."""


def _result(step: Step, time: Any) -> str:
    stamp = "" if time is None else f', "time": {json.dumps(time)}'
    events = f', "events": {_events(step.changes)}' if step.changes else ""
    return f'{{"index": {step.at}{stamp}, "score": {step.score!r}, "label": {step.label}{events}}}\n'


def _events(changes: list[Change]) -> str:
    records = []
    for change in changes:
        event = {name: value for name, value in change.event._asdict().items() if value is not None}
        records.append({"change": change.what, "number": change.number} | event)
    return json.dumps(records)
