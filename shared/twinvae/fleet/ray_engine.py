"""Runs one function on many tasks, as tasks of a Ray cluster: `run_local` beyond one machine.

Ray ends the process that has joined a cluster when the cluster is gone, takes its signals over and writes to its
terminal. So a process of its own joins (`ray_driver.py`); this one gives it tasks and takes results, all as bytes.
"""

import functools
import importlib.util
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count, islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from twinvae.fleet.ray_driver import Job
from twinvae.network.backend import load_backend

Task = TypeVar("Task")
Result = TypeVar("Result")

START = 90.0  # seconds for Ray to start here; three on an idle machine
JOIN = 30.0  # seconds to join a cluster; one or two
IDLE = 300.0  # seconds that a cluster may be without any CPU: a cluster that grows by need starts so
AWAKE = 0.5  # seconds: how long a signal may go unnoticed
END = 20.0  # seconds to cancel what runs and to leave

FRAMEWORK = {"jax": ("jax", "jaxlib", "flax", "optax"), "torch": ("torch",)}
# Nothing of Ray's own goes to the network; a task killed for lack of memory is not tried again for ever.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_task_oom_retries": "3"}


def run_ray(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    address: str | None = None,
    backend: str | None = None,
    idle: float = IDLE,
) -> Iterator[tuple[Task, Result | Exception]]:
    """Runs `work` on each task, one on each CPU of the cluster; yields in the order of completion, each task once.

    What goes to a node and back is pickled: `work` must be a function of a module, or a `functools.partial` of one.
    Tasks are taken from the iterable so that twice as many as the cluster has CPUs are in flight; CPUs may come and go.
    What ran on a node that died runs again on another. An exception is the result of its task; a task whose process is
    killed again and again has a MemoryError. If the iterator is closed early, what is in flight is cancelled.

    `address` is that of a cluster (HOST:PORT or auto); None starts Ray on this machine and ends it
    afterwards. With a `backend`, `work` runs in one of its lanes for the CPU. All nodes need the same versions of what
    results depend on as this machine.

    Raises:
        ValueError: if Ray is not installed, the address is not one, or a node has another version of something.
        ConnectionError: if the cluster cannot be joined, is gone, or was without any CPU for `idle` seconds.
    """
    if not importlib.util.find_spec("ray"):
        raise ValueError("Ray is not installed: pip install 'twinvae[ray]'")
    waiting = iter(tasks)
    first = list(islice(waiting, 1))
    if not first:
        return
    wrapped = work if backend is None else functools.partial(_in_lane, backend, work)
    packages = FRAMEWORK.get(backend or "", ())
    with _driver(
        Job(pickle.dumps(wrapped), address, packages, idle, tuple(map(os.path.abspath, sys.path)))
    ) as connection:
        yield from _exchange(connection, chain(first, waiting), address)


def _exchange(
    connection: Connection, tasks: Iterator[Task], address: str | None
) -> Iterator[tuple[Task, Result | Exception]]:
    in_flight: dict[int, Task] = {}
    numbers, room, more = count(), 0, True
    while True:
        while more and len(in_flight) < room:
            taken = list(islice(tasks, 1))
            more = bool(taken)
            for task in taken:
                number = next(numbers)
                in_flight[number] = task
                _send(connection, (number, pickle.dumps(task)), address)
        if not more and not in_flight:
            return
        kind, *rest = _receive(connection, address)
        if kind == "room":
            (room,) = rest
        elif kind == "done":
            number, value = rest
            yield in_flight.pop(number), pickle.loads(value)
        elif kind == "killed":
            number, message = rest
            yield in_flight.pop(number), MemoryError(message)
        elif kind == "failed":
            number, message = rest
            yield in_flight.pop(number), RuntimeError(message)
        else:
            raise (ValueError if kind == "refused" else ConnectionError)(rest[0])


def _gone(address: str | None) -> ConnectionError:
    return ConnectionError(f"{_called(address)} is gone or does not answer: what is finished is kept")


def _called(address: str | None) -> str:
    return "Ray on this machine" if address in (None, "auto") else f"the Ray cluster at {address}"


def _send(connection: Connection, message: object, address: str | None) -> None:
    try:
        connection.send(message)
    except BrokenPipeError:
        raise _gone(address) from None


def _receive(connection: Connection, address: str | None) -> Any:
    try:
        while not connection.poll(AWAKE):  # a signal that comes just before a read would wait for the read to end
            pass
        return connection.recv()
    except (EOFError, ConnectionResetError):
        raise _gone(address) from None


@contextmanager
def _driver(job: Job) -> Iterator[Connection]:
    """The connection to a process that has joined the cluster. It leaves the cluster when the connection closes."""
    ours, its = Pipe()
    root = Path(__file__).parents[2]
    path = f"import sys; sys.path.insert(0, {str(root)!r})"
    start = f"{path}; from twinvae.fleet.ray_driver import main; main({its.fileno()})"
    with ours:
        with its:
            process = subprocess.Popen(
                # Ray puts the working folder on the nodes' path: that of this package, not wherever the user stands.
                [sys.executable, "-P", "-c", start],
                cwd=root,
                env=SETTINGS | os.environ,
                pass_fds=(its.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for this process
            )
        patience = END
        try:
            _send(ours, job, job.address)
            if not ours.poll(within := START if job.address is None else JOIN):
                patience = 0.0
                raise ConnectionError(
                    f"{_called(job.address)} did not answer within {within:.0f} seconds: is it running?"
                )
            yield ours
        finally:
            ours.close()
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _in_lane(backend: str, work: Callable[[Task], Result], task: Task) -> Result:
    """`work` as one lane of the local engine does it: the number of threads may change the last bits of a sum."""
    with load_backend(backend).lanes("cpu")[0]():
        return work(task)
