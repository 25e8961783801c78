"""Addresses, tokens and resources of a Ray cluster, and what is told when something is wrong. No cluster is started."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from hrbench.errors import EntryError, UsageError
from hrbench.runner.executors import ray_probe
from hrbench.runner.executors.ray_cluster import _why_not, address_of, connect, prepare_environment, room_for
from hrbench.runner.executors.ray_probe import code_digest, described, difference


def node(**resources: float) -> dict[str, Any]:
    return {"NodeID": "a", "NodeManagerHostname": "a", "NodeManagerAddress": "10.0.0.1", "Resources": resources}


@pytest.mark.parametrize(
    ("wanted", "environment", "address"),
    [
        ("local", {"RAY_ADDRESS": "10.0.0.5:6379"}, None),
        ("ray", {}, ""),
        ("ray", {"RAY_ADDRESS": ""}, ""),
        ("ray", {"RAY_ADDRESS": "local"}, ""),
        ("ray", {"RAY_ADDRESS": "10.0.0.5:6379"}, "10.0.0.5:6379"),
        ("ray://head:10001", {"RAY_ADDRESS": "10.0.0.5:6379"}, "ray://head:10001"),
        ("ray://[::1]:10001", {}, "ray://[::1]:10001"),
    ],
)
def test_which_cluster_is_meant(wanted: str, environment: dict[str, str], address: str | None):
    assert address_of(wanted, environment) == address


@pytest.mark.parametrize("wanted", ["", "Ray", "ray:", "ray://", "ray://head", "ray://:1", "ray://head:x", "http://a:1",
                                    "ray://a/b:1", "slurm"])  # fmt: skip
def test_what_is_no_executor(wanted: str):
    with pytest.raises(UsageError, match="use local, ray or ray://HOST:PORT"):
        address_of(wanted, {})


def test_a_cluster_of_our_own_has_a_token_and_keeps_to_the_loopback(tmp_path: Path):
    first = {"RAY_ADDRESS": "10.0.0.5:6379", "RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN_PATH": "a"}
    second: dict[str, str] = {}
    for environment in (first, second):
        prepare_environment("", environment, tmp_path)
        assert environment["RAY_AUTH_MODE"] == "token" and len(environment["RAY_AUTH_TOKEN"]) == 64
        assert environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0" and environment["RAY_USAGE_STATS_ENABLED"] == "0"
        assert environment["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
        assert not {"RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH"} & set(environment)
    assert first["RAY_AUTH_TOKEN"] != second["RAY_AUTH_TOKEN"]


def test_a_token_that_is_there_is_used_for_a_cluster_that_is_joined(tmp_path: Path):
    def mode(environment: dict[str, str]) -> str | None:
        prepare_environment("10.0.0.5:6379", environment, tmp_path)
        return environment.get("RAY_AUTH_MODE")

    assert mode({}) is None
    assert mode({"RAY_AUTH_TOKEN": "a"}) == mode({"RAY_AUTH_TOKEN_PATH": "a"}) == "token"
    assert mode({"RAY_AUTH_TOKEN": "a", "RAY_AUTH_MODE": "disabled"}) == "disabled"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a")
    assert mode({}) == "token"


@pytest.mark.parametrize("address", ["localhost", "http://127.0.0.1:8265", "ray://head", "head:"])
def test_an_address_of_another_form_is_told_before_ray_is_asked(address: str):
    with pytest.raises(UsageError, match=r"RAY_ADDRESS is .*: use HOST:PORT of the head"):
        address_of("ray", {"RAY_ADDRESS": address})


def test_an_address_where_nobody_listens_is_told_at_once():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(
            UsageError, match=rf"no Ray cluster answers at ray://127.0.0.1:{port} \(Connection refused\)"
        ):
            connect(f"ray://127.0.0.1:{port}", "", "")


def test_room_is_counted_node_by_node():
    nodes = [node(CPU=7), node(CPU=3, GPU=2), node(GPU=4)]
    assert room_for(nodes, {"CPU": 4}) == 1
    assert room_for(nodes, {"CPU": 3}) == 3
    assert room_for(nodes, {"CPU": 1, "GPU": 1}) == 2


@pytest.mark.parametrize(
    ("nodes", "needs", "told"),
    [
        (
            [node(CPU=4)],
            {"GPU": 1, "CPU": 1},
            "1 GPU and 1 CPU on one node, and the cluster has at most 0 GPUs and",
        ),
        (
            [node(CPU=4), node(CPU=2)],
            {"CPU": 8},
            "8 CPUs on one node, and the cluster has at most 4 CPUs: use OMP",
        ),
        ([node(CPU=4, memory=2 << 30)], {"CPU": 1, "memory": 3 << 30}, "1 CPU and 3.0 GiB of memory on one node"),
        ([], {"CPU": 1}, "the cluster has no node"),
    ],
)
def test_what_can_never_be_met_is_told(nodes: list[dict[str, Any]], needs: dict[str, float], told: str):
    with pytest.raises(EntryError) as raised:
        room_for(nodes, needs)
    assert told in str(raised.value) and "\n" not in str(raised.value)
    assert raised.value.exit_code == 3


class AuthenticationError(Exception):
    """Named as Ray's."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AuthenticationError("Invalid\nor missing"), "the Ray cluster at h:1 refuses the token, or asks for one"),
        (RuntimeError("Version mismatch: the cluster was started with:\n Ray: 2.59"), "runs another version of Ray"),
        (
            ConnectionError("ray client\nconnection timeout"),
            "could not be joined at h:1: ConnectionError: ray client",
        ),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_told_in_a_line(error: Exception, told: str):
    said = _why_not("h:1", error)
    assert told in said and "\n" not in said


def test_versions_that_differ_are_named():
    own = {"python": "3.11", "hrbench": "1.0", "torch": "2.9", "timm": "", "code of hrbench": "ab"}
    assert difference(own, own) == difference(own, own | {"timm": "1.0"}) == ""
    assert difference(own, own | {"torch": "2.8", "code of hrbench": "cd"}) == (
        "torch is 2.8 (here 2.9), code of hrbench is cd (here ab)"
    )
    assert difference(own, own | {"hrbench": "0.9", "code of hrbench": "cd"}) == "hrbench is 0.9 (here 1.0)"
    assert difference(own, {"python": "3.11", "torch": "2.9"}) == "hrbench is not installed (here 1.0)"


def test_the_probe_tells_versions_and_the_code(tmp_path: Path):
    (tmp_path / "a.py").write_text("x = 1\n")
    before = code_digest(tmp_path)
    (tmp_path / "a.txt").write_text("no code")
    assert code_digest(tmp_path) == before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert code_digest(tmp_path) != before
    found = described(["no-such-package"])["versions"]
    assert found["hrbench"] and found["no-such-package"] == "" and len(found["code of hrbench"]) == 12
    assert found["code of hrbench"] == code_digest(Path(ray_probe.__file__).parents[2])
