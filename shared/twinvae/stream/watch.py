"""`twinvae watch`: lines of points in, lines of scores and events out, as they come."""

import math
import signal
import time as clock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NamedTuple

from twinvae.process.notices import shortened
from twinvae.series.spans import lies_in
from twinvae.stream.lines import LineReader
from twinvae.stream.points import UnsuitedHeaderError
from twinvae.stream.results import events_json, result_line
from twinvae.stream.state import MOST_POINTS, DamagedStateError
from twinvae.stream.stream import Stream

LONGEST_LINE = 2**20  # bytes: a longer one is a bad line, and is never in memory as a whole
STATE_SECONDS = 1.0


class Summary(NamedTuple):
    """What a watch has seen; of this process, but for `points_in_all`."""

    points: int
    alarms: int
    events: int  # opened
    without_score: int  # points: no value of any channel in the last window
    bad_lines: int
    points_in_all: int
    open_event: bool
    dropped: int = 0  # events that rules have left out
    highest: float | None = None  # score, as a share of the threshold


class Watch:
    """Scores lines until they end, the reader of the output has gone, or the process is told to end.

    Each result is written and flushed before the next line is read, and before the state that includes it is
    saved. So after a kill, what came after the saved state has been written at most once; who sends the input from the
    saved line on gets it again, the same, and nothing is lost.

    A state that cannot be saved while lines come is one note: the scoring goes on, and it is tried again. A state that
    is damaged is put aside, beside its place, and the stream starts anew.

    Each line is the next time step. Time stamps are passed on as they are: a jump in them is no gap. Where steps were
    missed, lines without values stand for them. Those within `ignore`, spans of moments, have no event. They also tell
    a log that was rotated from the one that the state has seen: a line later than all of it is scored, wherever it
    stands.
    """

    def __init__(
        self,
        stream: Stream,
        reader: LineReader,
        *,
        state: Path | None,
        state_every: int,
        complain: Callable[[str, object], None],
        ignore: Sequence[tuple[Any, Any]] = (),
    ) -> None:
        self._stream, self._reader, self._path, self._every = stream, reader, state, state_every
        self._complain, self._ignore, self._highest = complain, ignore, 0.0
        self._lines = self._bad = self._alarms = self._events = self._without_score = 0
        self._waiting = self._told_to_end = self._unsaved = self._has_said_so = False
        self.interrupted = False  # whether Ctrl-C has ended it
        self._restored = 0  # lines that the saved state has seen
        self._time: Any = None  # the last time stamp
        self._latest: Any = None  # of those that can be compared
        self._continued_after: Any = None  # that of the state, until the first line
        if state is not None and state.exists():
            try:
                self._restore(state)
                stamp = "" if self._time is None else f", time stamp {str(self._time)[:60]}"
                where = f"after line {self._restored} of the input{stamp}"
                complain("note", f"continues with point {stream.index}, {where}")
            except DamagedStateError as error:
                state.resolve().replace(kept := aside(state))  # a link stays
                complain("note", f"{error}: it is {kept.name} now, and the stream starts anew")
        self._first = self._saved = stream.index
        self._dropped_before = sum(stream.tracker.dropped.values())
        self._saved_at = clock.monotonic()

    def _restore(self, path: Path) -> None:
        extra = self._stream.load_state(path)
        lines, reader = extra.get("lines", 0), extra.get("reader")
        if type(lines) is not int or not 0 <= lines < MOST_POINTS:
            raise ValueError(f"{path}: this state cannot be restored: {shortened(lines)} is no number of lines")
        self._restored, self._time, self._latest = lines, extra.get("time"), extra.get("latest")
        self._continued_after = self._time
        try:
            if reader is not None:
                self._reader.restore(reader)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: this state cannot be restored: {error}") from None

    def run(self, lines: BinaryIO, out: BinaryIO, *, replay: bool = False) -> Summary:
        """Scores the lines. With `replay`, the input begins anew: the lines that the state has seen are left out.

        Raises:
            KeyboardInterrupt: on a second Ctrl-C; the first ends the lines, see `interrupted`.
            BrokenPipeError: if nobody reads the output any more; the last saved state stays.
            ValueError: if the input cannot be read at all; see `UnsuitedHeaderError`.
            OSError: if the output cannot be written, or at the end the state.
        """
        skip, started = (self._restored, 0) if replay else (0, self._restored)
        self._lines = started
        with self._ending_in_peace():
            for line in self._each(lines):
                self._lines += 1
                if self._lines <= skip:
                    if not self._is_new(line):
                        continue
                    skip = self._lines - 1
                text = self._score(line, self._lines - started)
                if text:
                    out.write(text.encode())
                    out.flush()
                points, seconds = self._stream.index - self._saved, clock.monotonic() - self._saved_at
                if self._path is not None and (points >= self._every or seconds >= STATE_SECONDS):
                    self._try_to_save(self._path)
            if self._path is None:
                changes = self._stream.tracker.finish()
                if changes:
                    out.write(f'{{"events": {events_json(changes)}}}\n'.encode())
                    out.flush()
            elif self._lines > skip:
                self._save(self._path)
            elif self._lines < skip and not self._told_to_end:
                self._complain("note", f"the input has {self._lines} lines, the state has seen {skip}: nothing is new")
        in_all, is_open = self._stream.index, self._stream.tracker.is_open
        points = in_all - self._first
        if self._bad and not points and not self._told_to_end:
            raise ValueError(f"none of the {self._bad} lines could be scored")
        dropped = sum(self._stream.tracker.dropped.values()) - self._dropped_before
        highest = self._highest / self._stream.threshold if self._stream.threshold > 0 else None
        return Summary(
            points, self._alarms, self._events, self._without_score, self._bad, in_all, is_open, dropped, highest
        )  # fmt: skip

    def _score(self, line: bytes, number: int) -> str:
        """What to write for a line; nothing if it is blank, a header or bad."""
        try:
            if len(line) >= LONGEST_LINE:
                raise ValueError(f"longer than {LONGEST_LINE} bytes")
            point = self._reader.read(line.decode(errors="replace"))
            if point is None:
                return ""
            self._saw(point.time)
            step = self._stream.step(point.values, point.time, ignored=self._is_ignored(point.time, number))
        except UnsuitedHeaderError:
            raise
        except ValueError as error:
            self._bad += 1
            self._complain(f"line {number}", error)
            return ""
        if self._continued_after is not None:
            self._check_order(number, point.time)
        self._time = point.time
        self._alarms += step.label
        self._without_score += math.isnan(step.score)
        self._highest = max(self._highest, step.score)  # never a NaN: it compares as no larger
        self._events += sum(change.what == "open" for change in step.changes)
        return result_line(step, point.time)

    def _is_ignored(self, time: Any, number: int) -> bool:
        """Whether a point lies in a span that has no event; one without a time stamp is known by its index."""
        if not self._ignore:
            return False
        try:
            return lies_in(self._stream.index if time is None else time, self._ignore)
        except ValueError as error:
            if not self._has_said_so:
                self._complain("note", f"line {number}: {error}: such lines are not ignored")
            self._has_said_so = True
            return False

    def _saw(self, time: Any) -> None:
        """Remembers the latest time stamp, also of a point that is refused: replayed it is no newer."""
        if self._latest is None or _is_later(time, self._latest):
            self._latest = time

    def _is_new(self, line: bytes) -> bool:
        """Whether a line of those to be left out is later than all that the state has seen: the log was rotated."""
        if self._latest is None:
            return False
        try:
            point = self._reader.read(line.decode(errors="replace"))
        except ValueError:
            return False
        if point is None or not _is_later(point.time, self._latest):
            return False
        later = f"the time stamp {shortened(point.time)} is after {shortened(self._latest)}, the latest of the state"
        self._complain("note", f"line {self._lines}: {later}: the log was rotated, and from here on all is scored")
        return True

    def _check_order(self, number: int, time: Any) -> None:
        """Says so if the first line after a restart is one that the state has seen: likely the input begins anew."""
        last, self._continued_after = self._continued_after, None
        if _is_later(last, time) or last == time:
            what = f"the time stamp {shortened(time)} is not after {shortened(last)}, the last of the state"
            self._complain("note", f"line {number}: {what}: --replay is for an input that begins anew")

    def _each(self, lines: BinaryIO) -> Iterator[bytes]:
        try:
            while True:
                self._waiting = True  # before the question, so that no signal falls between it and the wait
                if self._told_to_end:
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

    def _save(self, path: Path) -> None:
        try:
            self._stream.save_state(
                path, lines=self._lines, reader=self._reader.state, time=self._time, latest=self._latest
            )
        except OSError as error:
            error.filename = str(path)  # the user's file, not the temporary one, or none
            raise
        finally:  # a failure is tried again when it is due again
            self._saved, self._saved_at = self._stream.index, clock.monotonic()

    def _try_to_save(self, path: Path) -> None:
        try:
            self._save(path)
        except OSError as error:
            if not self._unsaved:
                self._complain("note", f"{path}: {error.strerror}: the state is not saved, and will be tried again")
            self._unsaved = True
            return
        if self._unsaved:
            self._complain("note", f"{path}: the state is saved again")
        self._unsaved = False

    # Ctrl-C, and what a service manager sends.

    @contextmanager
    def _ending_in_peace(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the wait for a line, or take effect after the present one."""

        def end(number: int, _: FrameType | None) -> None:
            if self.interrupted:  # a second time: the reader of the output may be stuck
                raise KeyboardInterrupt
            self.interrupted, self._told_to_end = number == signal.SIGINT, True
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


def aside(state: Path) -> Path:
    """Where a damaged state is kept."""
    place = state.resolve()
    return place.with_name(f"{place.name}.damaged")


def _is_later(time: Any, before: Any) -> bool:
    """Whether one time stamp is later than another: as numbers, or as text of one form, of which ISO 8601 is in order.

    Those that cannot be compared are not.
    """
    now, then = _as_number(time), _as_number(before)
    if now is not None and then is not None:
        return now > then
    return isinstance(time, str) and isinstance(before, str) and len(time) == len(before) and time > before


def _as_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
