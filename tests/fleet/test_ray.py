"""Ray as the engine of a fleet: the same bits as here; nothing lost or twice when nodes and workers are killed."""

import functools
import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.conftest import unchecked
from tests.helpers import ray_tasks
from tests.helpers.ray_cluster import RunningCluster, running_cluster
from twinvae.fleet import ray_driver
from twinvae.fleet.local_engine import run_local
from twinvae.fleet.ray_engine import run_ray


def here(tasks: list[ray_tasks.Batch]) -> dict[int, dict[str, bytes]]:
    with unchecked():  # as in the workers
        return {task.number: result for task, result in run_local(ray_tasks.fitted, tasks, [nullcontext])}  # type: ignore[misc]


@pytest.mark.slow
def test_has_the_bits_of_the_local_engine_and_each_exception_as_it_was() -> None:
    tasks = ray_tasks.batches()
    found = list(run_ray(ray_tasks.fitted_or_raising, [*tasks, *range(4)]))
    models = {task.number: result for task, result in found if isinstance(task, ray_tasks.Batch)}
    others = {task: result for task, result in found if isinstance(task, int)}
    assert len(found) == len(tasks) + 4
    assert models == here(tasks)
    assert (others[0], others[3]) == (0, 30)
    assert (type(others[1]), str(others[1])) == (ValueError, "one is refused")
    assert (type(others[2]), str(others[2])) == (RuntimeError, "NoCopyError: not copied")


def test_an_address_where_no_cluster_is_says_so_in_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=rf"no Ray cluster answers at {address} \(.*refused\): .*$") as raised:
            list(run_ray(ray_tasks.raising, [0], address=address))
    assert "\n" not in str(raised.value)
    for wrong, said in (("cluster", "HOST:PORT or auto, not 'cluster'"), ("ray://a:1", "run twinvae on a node")):
        with pytest.raises(ValueError, match=said):
            list(run_ray(ray_tasks.raising, [0], address=wrong))


def test_without_tasks_nothing_is_started() -> None:
    assert list(run_ray(ray_tasks.raising, [], address="nowhere")) == []


def test_a_node_with_another_version_is_refused_by_name() -> None:
    wanted = ray_driver._versions(("torch",))
    refused, value = ray_driver._attempt(pickle.dumps(ray_tasks.raising), pickle.dumps(3), wanted, ())
    assert (refused, pickle.loads(value)) == ("", 30)
    other = wanted | {"numpy": "1.0", "torch": "9.9"}
    refused, _ = ray_driver._attempt(b"never read", b"", other, ())
    assert f"{socket.gethostname()} has numpy {wanted['numpy']}, torch {wanted['torch']}, this machine" in refused
    assert "numpy 1.0, torch 9.9: install" in refused


# On a cluster of several nodes.


@pytest.fixture
def cluster() -> Iterator[RunningCluster]:
    with running_cluster() as running:
        yield running


@pytest.mark.slow
def test_a_node_that_is_killed_costs_no_result_and_no_duplicate(cluster: RunningCluster, tmp_path: Path) -> None:
    for _ in range(3):
        cluster.add(cpus=1)
    tasks = ray_tasks.batches()
    work = functools.partial(ray_tasks.marked_then_fitted, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        results = pool.submit(list, run_ray(work, tasks, address=cluster.address))
        marks = ray_tasks.wait_for(lambda: len(found := sorted(tmp_path.glob("*-on-*"))) == 3 and found)
        index, _, node = marks[0].name.partition("-on-")
        cluster.kill(node)
        (tmp_path / "go").touch()
        found = results.result()
    assert len(list(tmp_path.glob(f"{index}-on-*"))) == 2  # it ran anew elsewhere
    assert sorted(task.number for task, _ in found) == [task.number for task in tasks]
    assert {task.number: result for task, result in found} == here(tasks)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_tried_again_and_then_reported(tmp_path: Path) -> None:
    results = list(run_ray(functools.partial(ray_tasks.dying, tmp_path), range(5)))
    found = dict(results)
    assert len(results) == 5
    assert [found[index] for index in (0, 1, 3, 4)] == [0, 1, 3, 4]
    assert isinstance(found[2], MemoryError)
    assert "was killed 4 times" in str(found[2])


@pytest.mark.slow
def test_a_cluster_that_is_gone_says_so_in_one_line(
    cluster: RunningCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")  # Ray waits a minute for the head to come back
    node = cluster.add(cpus=1)
    results = run_ray(functools.partial(ray_tasks.endless_but_the_first, tmp_path), range(3), address=cluster.address)
    assert next(results) == (0, 0)
    cluster.kill(node)
    cluster.kill("head")
    with pytest.raises(ConnectionError, match=r"^[^\n]*what is finished is kept$"):
        list(results)


@pytest.mark.slow
def test_a_cluster_without_a_cpu_is_given_up(cluster: RunningCluster) -> None:
    with pytest.raises(ConnectionError, match="has had no CPU for 1 seconds"):
        list(run_ray(ray_tasks.raising, [0], address=cluster.address, idle=1.0))


@pytest.mark.slow
def test_ctrl_c_ends_what_runs(tmp_path: Path) -> None:
    def interrupt() -> None:
        ray_tasks.wait_for(lambda: list(tmp_path.glob("runs-*")))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(run_ray(functools.partial(ray_tasks.endless, tmp_path), range(1)))
    thread.join()
    (mark,) = tmp_path.glob("runs-*")
    ray_tasks.wait_for(lambda: not _alive(int(mark.name.removeprefix("runs-"))))


@pytest.mark.slow
def test_a_run_that_is_closed_leaves_nothing_running_on_the_cluster(cluster: RunningCluster, tmp_path: Path) -> None:
    cluster.add(cpus=2)
    results = run_ray(functools.partial(ray_tasks.endless_but_the_first, tmp_path), range(9), address=cluster.address)
    assert next(results) == (0, 0)
    ray_tasks.wait_for(lambda: len(list(tmp_path.glob("runs-*"))) == 2)
    results.close()
    for mark in tmp_path.glob("runs-*"):
        ray_tasks.wait_for(lambda mark=mark: not _alive(int(mark.name.removeprefix("runs-"))))  # type: ignore[misc]
    assert len(list(tmp_path.glob("runs-*"))) == 2, "none of those that waited was begun"


def _alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
