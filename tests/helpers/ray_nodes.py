"""A Ray cluster of several nodes on this machine, as processes of its own that the tests can kill.

    with ray_nodes(2) as nodes:
        environment, address = nodes.environment, nodes.address
        nodes.kill_node()

Run as a program, it is the process that holds the nodes: it obeys lines of its standard input, and ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

OBJECTS = 100 << 20

SOON = {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "3"}
"""By which a node that has died is missed within seconds."""


@dataclass
class RayNodes:
    """Nodes that are up. environment: with the cluster's token. address: of its head; client: for `ray://`."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    address: str = ""
    client: str = ""

    def kill_node(self) -> None:
        """Ends a node that is not the head, with all its processes, as a machine that is switched off."""
        assert self._ask("kill")["ok"]

    def add_node(self) -> None:
        """Adds a node."""
        assert self._ask("add")["ok"]

    def workers(self, name: str = "ShardWorker") -> list[psutil.Process]:
        """Processes of the actors of a class. Ray names a process by its class and method."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if f"::{name}" in (process.cmdline() or [""])[0]:  # a process that has just ended has none
                    found.append(process)
        return found

    def _ask(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def ray_nodes(
    count: int,
    cpus: int,
    client: bool = False,
    token: bool = True,
    variables: Mapping[str, str] | None = None,
    below: Sequence[str] = (),
) -> Iterator[RayNodes]:
    """A head and further nodes with `cpus` processors each.

    client: whether the head serves `ray://`.
    token: whether it asks for a token.
    variables: further ones of the environment of all nodes, and so of workers.
    below: a command that runs the one after it, in which all nodes live.
    """
    folder = Path(tempfile.mkdtemp(prefix="rn-", dir="/tmp"))  # short: the names of sockets below it are bounded
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps to the loopback
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        **({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)} if token else {}),
    }
    said = (folder / "said").open("w")
    process = subprocess.Popen(
        [*below, sys.executable, "-P", __file__, str(folder), str(count), str(cpus), str(int(client))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env={
            **environment,
            **(variables or {}),
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "3",
        },
        text=True,
    )
    said.close()
    nodes = RayNodes(process, environment)
    try:
        assert process.stdout is not None and process.stdin is not None
        line = process.stdout.readline()
        assert line, (folder / "said").read_text()
        told = json.loads(line)
        nodes.address, nodes.client = told["address"], told["client"]
        yield nodes
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.stdout.close()
            shutil.rmtree(folder, ignore_errors=True)


def hold(folder: str, count: int, cpus: int, client: bool) -> None:
    """The life of the process that holds the nodes."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that what Ray prints is no answer
    import ray
    from ray.cluster_utils import Cluster

    ray._private.utils.write_ray_address = lambda *arguments, **keywords: None  # else others would find this cluster
    port = _free_port() if client else None
    plain: dict[str, Any] = {"num_cpus": cpus, "object_store_memory": OBJECTS, "include_dashboard": False}
    head = {**plain, "temp_dir": folder, **({"ray_client_server_port": port} if port else {})}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(count - 1):
        cluster.add_node(**plain)
    cluster.wait_for_nodes()

    def say(told: dict[str, Any]) -> None:
        out.write(json.dumps(told) + "\n")
        out.flush()

    say({"address": cluster.address, "client": f"ray://127.0.0.1:{port}"})
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        else:
            cluster.add_node(**plain)
        say({"ok": True})
    cluster.shutdown()


def _free_port() -> int:
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


if __name__ == "__main__":
    hold(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1")
