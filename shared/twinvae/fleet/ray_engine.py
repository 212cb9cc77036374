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
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from twinvae.fleet.local_engine import Result, Task
from twinvae.fleet.ray_driver import Job
from twinvae.network.backend import load_backend

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
) -> Generator[tuple[Task, Result | Exception]]:
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
    job = Job(pickle.dumps(wrapped), address, packages, idle, tuple(map(os.path.abspath, sys.path)))
    with _driver(job) as connection:
        yield from _exchange(connection, chain(first, waiting))


def _exchange(connection: Connection, tasks: Iterator[Task]) -> Generator[tuple[Task, Result | Exception]]:
    in_flight: dict[int, Task] = {}
    numbered, more = enumerate(tasks), True
    while more or in_flight:
        while not connection.poll(AWAKE):  # a signal that comes just before a read would wait for the read to end
            pass
        kind, *rest = connection.recv()
        if kind == "next":
            for number, task in numbered:
                in_flight[number] = task
                connection.send((number, pickle.dumps(task)))
                break
            else:
                more = False
                connection.send(None)
        elif kind == "done":
            number, value = rest
            yield in_flight.pop(number), pickle.loads(value)
        else:
            raise (ValueError if kind == "refused" else ConnectionError)(rest[0])


@contextmanager
def _driver(job: Job) -> Iterator[Connection]:
    """The connection to a process that has joined the cluster. It leaves the cluster when the connection closes.

    Raises:
        ConnectionError: if it does not join in time, or ends before its time.
    """
    called = "Ray on this machine" if job.address in (None, "auto") else f"the Ray cluster at {job.address}"
    ours, its = Pipe()
    root = Path(__file__).parents[2]
    start = f"from twinvae.fleet.ray_driver import main; main({its.fileno()})"
    with ours:
        with its:
            process = subprocess.Popen(
                # Ray puts the working folder on the nodes' path: that of this package, not wherever the user stands.
                [sys.executable, "-P", "-c", start],
                cwd=root,
                # The modules of this process, here and in what Ray starts here: versions are compared by their files.
                env=SETTINGS | os.environ | {"PYTHONPATH": os.pathsep.join(job.path)},
                pass_fds=(its.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for this process
            )
        patience = END
        try:
            ours.send(job)
            if not ours.poll(within := START if job.address is None else JOIN):
                patience = 0.0
                raise ConnectionError(f"{called} did not answer within {within:.0f} seconds: is it running?")
            yield ours
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise ConnectionError(f"{called} is gone or does not answer: what is finished is kept") from None
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
