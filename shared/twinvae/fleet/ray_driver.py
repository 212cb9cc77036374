"""The process that has joined a Ray cluster: passes tasks from `twinvae.fleet.ray_engine` on to it, and results back.

It sees tasks and results as bytes only. It sends tuples: ("next",), which is answered by a numbered task or None;
("done", number, result or exception); and ("refused" or "lost", why) before it ends.
"""

import importlib.util
import pickle
import platform
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from twinvae.process.cores import usable_cores

RETRIES = 3  # of a task whose node or process died
ANSWER = 5.0  # seconds for a port to answer
LOOK = 0.5  # seconds between looks at whether the other process is there, and at how many CPUs there are


class Job(NamedTuple):
    """The first message to this process: what to run, and on which cluster."""

    work: bytes  # the pickled function
    address: str | None  # of the cluster; None: start Ray here
    packages: tuple[str, ...]  # whose versions must be the same on all nodes, beside those that results always need
    idle: float  # seconds that the cluster may be without any CPU
    path: tuple[str, ...]  # where this machine finds modules: looked at last on a node


class _EndedError(Exception):
    """The run cannot go on. The arguments: "refused" and what the user must change, or "lost" and how Ray is gone."""


def main(descriptor: int) -> None:
    """Serves the process at the other end of the connection, which is this file descriptor."""
    with Connection(descriptor) as connection, suppress(EOFError, ConnectionError):
        try:
            _serve(connection)
        except _EndedError as error:
            connection.send(error.args)
        except Exception as error:  # whatever else Ray raises; the user gets a line, not a traceback
            connection.send(("lost", f"Ray failed: {_line(error)}"))


def _serve(connection: Connection) -> None:
    """Until there are no more tasks, or the other process has gone. What runs then is cancelled by Ray."""
    job: Job = connection.recv()
    ray = _joined(job.address)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    attempt = ray.remote(num_cpus=1, max_retries=RETRIES)(_attempt)
    wanted = _versions(job.packages)
    running: dict[Any, int] = {}  # what Ray has -> the number of the task
    more, alive = True, time.monotonic()
    while more or running:
        cpus, now = int(ray.cluster_resources().get("CPU", 0)), time.monotonic()
        alive = now if cpus else alive
        if now - alive > job.idle:
            raise _EndedError("lost", f"the Ray cluster at {job.address} has had no CPU for {job.idle:.0f} seconds")
        while more and len(running) < max(2 * cpus, 2):  # without any CPU, it is the need that makes a cluster grow
            connection.send(("next",))
            task = connection.recv()
            more = task is not None
            if more:
                number, given = task
                running[attempt.remote(job.work, given, wanted, job.path)] = number
        if connection.poll():  # nothing was asked for: it has closed
            return
        for reference in ray.wait(list(running), timeout=LOOK)[0] if running else ():
            connection.send(("done", running.pop(reference), _outcome(ray, reference)))


def _outcome(ray: Any, reference: Any) -> bytes:
    """The pickled result of a task, or an exception that says why there is none."""
    errors = ray.exceptions
    try:
        refused, value = ray.get(reference)
    except (errors.OutOfMemoryError, errors.WorkerCrashedError, errors.NodeDiedError):
        often = f"{RETRIES + 1} times"
        return pickle.dumps(MemoryError(f"its process on a node was killed {often}, most likely for lack of memory"))
    except errors.LocalRayletDiedError:
        raise _EndedError("lost", "Ray's process on this machine has died: what is finished is kept") from None
    except errors.RayError as error:
        return pickle.dumps(RuntimeError(f"Ray failed: {_line(error)}"))
    if refused:
        raise _EndedError("refused", refused)
    return value


# Joining.


def _joined(address: str | None) -> Any:
    """Ray, connected to the cluster.

    Raises:
        _EndedError: if it cannot be.
    """
    if address not in (None, "auto"):
        _check_answers(address)
    import ray

    try:
        if address is None:
            ray.init("local", num_cpus=usable_cores(), include_dashboard=False, log_to_driver=False)
        else:
            ray.init(address, log_to_driver=False)
    except Exception as error:
        if address is None:
            raise _EndedError("lost", f"Ray does not start on this machine: {_line(error)}") from None
        if address == "auto":
            hint = "start one with `ray start`, or give the address of its head, HOST:6379"
            raise _EndedError("lost", f"no Ray cluster runs on this machine: {hint} ({_line(error)})") from None
        hint = "this machine must be one of its nodes; if the cluster wants a token, set RAY_AUTH_MODE=token"
        raise _EndedError("lost", f"cannot join the Ray cluster at {address} ({hint}): {_line(error)}") from None
    return ray


def _check_answers(address: str) -> None:
    """Ray itself would try for 80 seconds."""
    if address.startswith("ray://"):  # Ray's client: a proxy between this machine and the cluster
        raise _EndedError("refused", f"{address}: run twinvae on a node of the cluster, with the address HOST:PORT")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= 2**16:
        raise _EndedError("refused", f"the address of a Ray cluster is HOST:PORT or auto, not {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except OSError as error:
        why = error.strerror or _line(error)
        hint = "does its head run (ray start --head), is the port open?"
        raise _EndedError("lost", f"no Ray cluster answers at {address} ({why}): {hint}") from None


def _line(error: BaseException) -> str:
    """The error in one line, without what Ray adds of tracebacks and links."""
    said = " ".join(str(error).split("Traceback")[0].split())
    return (said or type(error).__name__)[:300]


# On a node. Ray sends these functions themselves, so that they run where there is another twinvae, or none.


def _attempt(work: bytes, task: bytes, wanted: Mapping[str, str], path: Sequence[str]) -> tuple[str, bytes]:
    """What a worker does with a task: gives why it refuses to, or "", and the pickled result or exception."""
    sys.path.extend(folder for folder in path if folder not in sys.path)
    found = _versions([name for name in wanted if name not in ("Python", "twinvae")])
    different = [name for name, version in wanted.items() if found[name] != version]
    if different:
        there = ", ".join(f"{name} {found[name]}" for name in different)
        here = ", ".join(f"{name} {wanted[name]}" for name in different)
        return f"the node {socket.gethostname()} has {there}, this machine {here}: install the same on all", b""
    try:
        return "", pickle.dumps(pickle.loads(work)(pickle.loads(task)))
    except Exception as error:
        return "", _pickled(error)


def _pickled(error: Exception) -> bytes:
    try:
        pickle.loads(done := pickle.dumps(error))
    except Exception:  # such as one whose constructor takes other arguments
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return done


def _versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of what results depend on. That of twinvae is followed by a digest of its files."""
    found = {"Python": platform.python_version()}
    for name in ("twinvae", "numpy", "scipy", "polars", *packages):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "(none)"
    digest = sha256()
    for package in ("twinvae", "vae_jax", "vae_torch"):
        spec = importlib.util.find_spec(package)
        for file in sorted(Path(spec.origin).parent.rglob("*.py")) if spec and spec.origin else ():
            digest.update(file.read_bytes())
    found["twinvae"] += f" ({digest.hexdigest()[:8]})"
    return found
