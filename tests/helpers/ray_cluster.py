"""A Ray cluster of several nodes on this machine, in a process of its own: Ray forks, which JAX does not bear.

As a program it obeys lines: `add CPUS` starts a node and prints its id, `kill ID` and `kill head` end one without
warning. At the end of its input it ends them all.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RunningCluster:
    """The cluster that such a process has started. `address` is where to join."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.address = self._answer()

    def add(self, cpus: int) -> str:
        return self._ask(f"add {cpus}")

    def kill(self, node: str) -> None:
        self._ask(f"kill {node}")

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer, "the cluster has not started"
        return answer


@contextmanager
def running_cluster() -> Iterator[RunningCluster]:
    """A cluster whose head has no CPU."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.ray_cluster"],
        cwd=root,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "shared")]), "RAY_USAGE_STATS_ENABLED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:  # closes its input, and waits
        yield RunningCluster(process)


def main() -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = {"head": cluster.head_node}
    print(cluster.address, flush=True)
    for line in sys.stdin:
        command, argument = line.split()
        if command == "add":
            node = cluster.add_node(num_cpus=int(argument))
            nodes[node.node_id] = node
            print(node.node_id, flush=True)
        else:
            cluster.remove_node(nodes[argument], allow_graceful=False)
            print("killed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
