"""Runs one function on many tasks, side by side in the threads of this process."""

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TypeVar

from twinvae.network.backend import Lane

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 1  # tasks that are ready for the lane that becomes free next

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


def cancelled() -> bool:
    """Whether the work of this thread has been cancelled: work that takes long asks now and then."""
    stop = _stop.get()
    return stop is not None and stop.is_set()


def in_turns(lanes: Sequence[Lane], threads: int | None = None) -> list[Lane]:
    """The lane of each of so many threads, by default of one thread for each lane; more threads share lanes."""
    return [lanes[thread % len(lanes)] for thread in range(threads or len(lanes))]


def run_local(
    work: Callable[[Task], Result], tasks: Iterable[Task], lanes: Sequence[Lane]
) -> Generator[tuple[Task, Result | Exception]]:
    """Runs `work` on each task, one at a time in each lane; yields in the order of completion.

    A task is taken from the iterable only when a lane is about to be free, so that only the tasks in flight are in
    memory. An exception is the result of its task. If the iterator is closed early, work in flight is cancelled and
    waited for.
    """
    todo: SimpleQueue[Task | None] = SimpleQueue()
    done: SimpleQueue[tuple[Task, Result | Exception]] = SimpleQueue()
    stop = threading.Event()

    def serve(lane: Lane) -> None:
        _stop.set(stop)
        with ExitStack() as entered:
            broken = _attempt(lambda: entered.enter_context(lane()))
            while (task := todo.get()) is not None:
                done.put((task, broken if isinstance(broken, Exception) else _attempt(partial(work, task))))

    waiting, busy = iter(tasks), 0
    threads = [threading.Thread(target=serve, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    try:
        for task in islice(waiting, len(lanes) + AHEAD):
            todo.put(task)
            busy += 1
        while busy:
            yield done.get()
            busy -= 1
            for task in islice(waiting, 1):
                todo.put(task)
                busy += 1
    finally:
        stop.set()
        with suppress(Empty):  # a lane may take the last one at the same time
            while True:
                todo.get_nowait()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join()


def _attempt(run: Callable[[], Result]) -> Result | Exception:
    """What a call returns or raises. A thread that an exception ended would leave its caller waiting for ever."""
    try:
        return run()
    except Exception as error:
        return error
    except BaseException as error:
        return RuntimeError(f"{type(error).__name__}: {error}")
