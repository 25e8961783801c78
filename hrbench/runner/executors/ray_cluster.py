"""Joins a Ray cluster, or starts one on this machine: in the driver's process, the only one that imports Ray here.

What goes wrong is told in one line, and Ray's own output stays in the session's folder: no usage statistics, no
dashboard. A cluster that hrbench starts listens on the loopback only, and asks for a token that nobody else knows.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

from hrbench.errors import EntryError, UsageError

OWN = ""
"""The address of a cluster that is to be started."""

CONNECT_SECONDS = 10.0
"""How long an address may take to accept a connection."""

PROBE_SECONDS = 120.0
"""How long a node may take to say what it runs: a worker of Ray's starts for it."""

OBJECT_BYTES = 512 << 20
"""Memory for objects of a cluster of our own, at most: shards pass through it, and leave it as they are written."""

TOKEN_FILE = Path(".ray") / "auth_token"
"""Where Ray looks for a token in the home folder."""


def address_of(wanted: str, environment: Mapping[str, str]) -> str | None:
    """The cluster that `--executor` names: None for none, "" for one to be started, or what Ray takes as an address.

    wanted: "local", "ray" or "ray://HOST:PORT".
    environment: whose RAY_ADDRESS, if it is set, is what "ray" joins.

    Raises UsageError for anything else.

    >>> address_of("ray", {"RAY_ADDRESS": "10.0.0.5:6379"}), address_of("local", {}), address_of("ray", {})
    ('10.0.0.5:6379', None, '')
    """
    if wanted == "local":
        return None
    if wanted == "ray":
        address = environment.get("RAY_ADDRESS", "").strip()
        if address in ("", "local"):
            return OWN
        if address != "auto" and not _has_port(address.removeprefix("ray://")):
            raise UsageError(
                f"RAY_ADDRESS is {address!r}: use HOST:PORT of the head (6379), or ray://HOST:PORT (10001)"
            )
        return address
    if not wanted.startswith("ray://") or not _has_port(wanted.removeprefix("ray://")):
        raise UsageError(f"there is no executor {wanted!r}: use local, ray or ray://HOST:PORT")
    return wanted


def _has_port(address: str) -> bool:
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdigit() and "/" not in address and address.isascii()


def prepare_environment(
    address: str, environment: MutableMapping[str, str], home: Path | None = None, token: str = ""
) -> None:
    """Sets what Ray reads when it is imported, in the environment of the driver's process.

    address: "" for a cluster of our own, which gets a token of its own and stays on the loopback.
    home: where a token is looked for; None for the home folder.
    token: of a cluster of our own; "" for a new one.
    """
    environment["RAY_USAGE_STATS_ENABLED"] = "0"
    environment["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # else it warns; what sees no device is told so by us
    # else a driver below `uv run` has workers started by uv in the folder that travels, which has no project of uv
    environment["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    environment.pop("RAY_ADDRESS", None)  # it was read, and would be taken for the address of a new cluster
    if address == OWN:
        environment["RAY_AUTH_MODE"] = "token"
        environment["RAY_AUTH_TOKEN"] = token or secrets.token_hex(32)
        environment.pop("RAY_AUTH_TOKEN_PATH", None)
        environment["RAY_worker_niceness"] = "0"  # what is timed runs as it would without Ray
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # by which Ray keeps to the loopback
    elif "RAY_AUTH_MODE" not in environment:
        stored = (Path.home() if home is None else home) / TOKEN_FILE
        if environment.get("RAY_AUTH_TOKEN") or environment.get("RAY_AUTH_TOKEN_PATH") or stored.is_file():
            environment["RAY_AUTH_MODE"] = "token"


def connect(address: str, folder: str, working_dir: str) -> None:
    """Joins the cluster at the address, or starts one whose files lie in `folder`.

    working_dir: a folder that goes to every node; "" for none.

    Raises UsageError in one line.
    """
    if address != OWN:
        _reachable(address)
    import ray

    keywords: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if working_dir:
        keywords["runtime_env"] = {"working_dir": working_dir}
    if address == OWN:
        keywords |= {"include_dashboard": False, "_temp_dir": folder, "object_store_memory": _object_bytes()}
    else:
        keywords |= {"address": address}
    try:
        if address != OWN:
            _authenticate(address)
        ray.init(**keywords)
    except Exception as error:
        raise UsageError(_why_not(address, error)) from None


def _object_bytes() -> int:
    import psutil

    free = psutil.virtual_memory().available
    try:
        status = os.statvfs("/dev/shm")
        free = min(free, status.f_bavail * status.f_frsize)
    except OSError:
        pass
    return max(80 << 20, min(OBJECT_BYTES, free // 4))


def _reachable(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # "auto": Ray finds it, or says that there is none
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(_silent(address, why)) from None


def no_answer(address: str, seconds: float) -> str:
    """Why an address at which something listens is not joined."""
    return _silent(address, f"nothing that Ray understands in {seconds:g} s")


def _silent(address: str, why: str) -> str:
    return (
        f"no Ray cluster answers at {address} ({why}): is it running, and is this the port of "
        f"{'the Ray client (10001)' if address.startswith('ray://') else 'its head (6379)'}?"
    )


def _authenticate(address: str) -> None:
    """Asks the cluster a small question first: a wrong token is otherwise told after half a minute, as no connection.

    Raises Ray's or gRPC's error if the token is refused; whatever else is wrong is left to `ray.init`.
    """
    try:
        if address.startswith("ray://"):
            words = import_module("ray.core.generated.ray_client_pb2")
            calls = import_module("ray.core.generated.ray_client_pb2_grpc")
            channel = import_module("ray._private.grpc_utils").init_grpc_channel(
                address.removeprefix("ray://"), options=[]
            )
            ping = words.ClusterInfoRequest(type=words.ClusterInfoType.PING)
            calls.RayletDriverStub(channel).ClusterInfo(ping, timeout=CONNECT_SECONDS)
        elif address != "auto":
            import_module("ray._raylet").GcsClient(address=address)
    except Exception as error:
        if _refused(error):
            raise


def _refused(error: Exception) -> bool:
    low = str(error).lower()
    return type(error).__name__ == "AuthenticationError" or "unauthenticated" in low or "authentication token" in low


def _why_not(address: str, error: Exception) -> str:
    """Why Ray could not be joined or started, in a line."""
    where = address or "this machine"
    text = " ".join(str(error).split())
    low = text.lower()
    if _refused(error):
        return (
            f"the Ray cluster at {where} refuses the token, or asks for one: put the cluster's token into "
            "RAY_AUTH_TOKEN (or a file that RAY_AUTH_TOKEN_PATH names), with RAY_AUTH_MODE=token"
        )
    if "version" in low and ("mismatch" in low or "python minor" in low):
        return f"the Ray cluster at {where} runs another version of Ray or Python: {text[:300]}"
    done = "started" if address == OWN else "joined"
    return f"Ray could not be {done} at {where}: {type(error).__name__}: {text[:300]}"


def alive() -> list[dict[str, Any]]:
    """The nodes that are up: "NodeID", "NodeManagerAddress", "NodeManagerHostname", "Resources"."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def name_of(node: Mapping[str, Any]) -> str:
    """A node as a person knows it: host name and address."""
    host, address = node.get("NodeManagerHostname", ""), node.get("NodeManagerAddress", "")
    return f"{host} ({address})" if host and host != address else str(address)


def on_node(node: Mapping[str, Any]) -> Any:
    """The scheduling strategy that keeps to a node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def ask_all(function: Callable[[], dict[str, Any]], module: Any) -> dict[str, dict[str, Any]]:
    """What a function returns on every node: id of the node -> value, or {"unknown": why}.

    module: where the function is from; it goes along by value, so the nodes need not have it.
    """
    import ray
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(module)
    try:
        nodes = alive()
        task: Any = ray.remote(function)
        asked = {
            node["NodeID"]: task.options(num_cpus=0, max_retries=1, scheduling_strategy=on_node(node)).remote()
            for node in nodes
        }
        found: dict[str, dict[str, Any]] = {}
        for name, ticket in asked.items():
            try:
                found[name] = ray.get(ticket, timeout=PROBE_SECONDS)
            except Exception as error:
                found[name] = {"unknown": (str(error).strip().splitlines() or [type(error).__name__])[0]}
        return found
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def whole(resources: Mapping[str, float], each: Mapping[str, float]) -> int:
    """How many workers that need `each` fit on a node.

    >>> whole({"CPU": 8}, {"CPU": 3}), whole({"CPU": 8, "GPU": 1}, {"CPU": 1, "GPU": 1}), whole({}, {"CPU": 1})
    (2, 1, 0)
    """
    return min((int(resources.get(name, 0) // needed) for name, needed in each.items() if needed), default=0)


def room_for(nodes: list[dict[str, Any]], each: Mapping[str, float]) -> int:
    """How many workers that need `each` fit into the cluster at once.

    Raises EntryError in one line if not one does, for which Ray would wait for ever.
    """
    fit = sum(whole(node["Resources"], each) for node in nodes)
    if fit:
        return fit
    needs = _in_words(each)
    largest = max(nodes, key=lambda node: tuple(node["Resources"].get(name, 0) for name in each), default=None)
    has = "no node" if largest is None else f"at most {_in_words({n: largest['Resources'].get(n, 0) for n in each})}"
    ways = []
    if each.get("GPU"):
        ways.append("--device cpu")
    if each.get("CPU", 0) > 1:
        ways.append("OMP_NUM_THREADS with fewer threads (also for the runs to compare with)")
    ways.append("a larger node")
    raise EntryError(f"a worker needs {needs} on one node, and the cluster has {has}: use {', or '.join(ways)}")


def _in_words(resources: Mapping[str, float]) -> str:
    """Resources, as a person says them.

    >>> _in_words({"CPU": 2, "GPU": 1, "memory": 3 << 30})
    '2 CPUs, 1 GPU and 3.0 GiB of memory'
    """
    told = []
    for name, amount in resources.items():
        if name == "memory":
            told.append(f"{amount / (1 << 30):.1f} GiB of memory")
        else:
            told.append(f"{amount:g} {name}{'' if amount == 1 else 's'}")
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
