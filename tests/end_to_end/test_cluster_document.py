"""docs/cluster: the manifest has KubeRay's fields alone, and the script of Slurm does what it says, with stand-ins."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from hrbench.cli.command_line import parser

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs/cluster/slurm.sh"
MANIFEST = ROOT / "docs/cluster/rayjob.yaml"
KINDS = yaml.safe_load((ROOT / "tests/data/kuberay_v1_fields.yaml").read_text())
PLAIN = {"string": str, "integer": int, "boolean": bool}


def wrong(value: Any, kind: Any, at: str = "RayJob") -> Iterator[str]:
    """What in a part of a manifest is not as its kind has it."""
    if kind == "any":
        return
    if isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        for place, one in enumerate(value):
            yield from wrong(one, kind[0], f"{at}[{place}]")
    elif kind == "strings":
        if not isinstance(value, dict) or not all(isinstance(one, str) for pair in value.items() for one in pair):
            yield f"{at} has something else than texts"
    elif kind in PLAIN:
        if type(value) is not PLAIN[kind]:
            yield f"{at} is no {kind}"
    elif not isinstance(value, dict):
        yield f"{at} is no {kind}"
    else:
        for name, one in value.items():
            if name not in KINDS[kind]:
                yield f"{at} has no field {name}"
            else:
                yield from wrong(one, KINDS[kind][name], f"{at}.{name}")


def test_the_manifest_has_the_fields_of_a_rayjob():
    manifest = yaml.safe_load(MANIFEST.read_text())
    assert list(wrong(manifest, "RayJob")) == []
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    spec = manifest["spec"]
    command = parser().parse_args(shlex.split(spec["entrypoint"])[1:])
    assert (command.suite, command.executor) == ("pose", "ray")
    assert {"rayVersion", "headGroupSpec", "workerGroupSpecs"} <= set(spec["rayClusterSpec"])
    words = shlex.split(spec["entrypoint"])
    assert words[:2] == ["hrbench", "run"] and words[words.index("--executor") + 1] == "ray"
    assert spec["submissionMode"] in ("K8sJobMode", "HTTPMode", "SidecarMode")


def test_a_wrong_field_would_be_seen():
    for change, said in (
        ({"spec": {"entryPoint": "x"}}, "RayJob.spec has no field entryPoint"),
        ({"spec": {"backoffLimit": "2"}}, "RayJob.spec.backoffLimit is no integer"),
        (
            {"spec": {"rayClusterSpec": {"workerGroupSpecs": {}}}},
            "RayJob.spec.rayClusterSpec.workerGroupSpecs is no list",
        ),
        (
            {"spec": {"rayClusterSpec": {"headGroupSpec": {"rayStartParams": {"num-cpus": 4}}}}},
            "RayJob.spec.rayClusterSpec.headGroupSpec.rayStartParams has something else than texts",
        ),
    ):
        assert list(wrong(change, "RayJob")) == [said]


STAND_INS = {
    # Runs the command as often as it has tasks, and ends it when it is told to.
    "srun": """
        options = list(itertools.takewhile(lambda word: word.startswith("--"), sys.argv[1:]))
        command = sys.argv[1 + len(options):]
        wanted = dict(word[2:].split("=", 1) for word in options)
        note("srun", options)
        children = [subprocess.Popen(command) for _ in range(int(wanted["ntasks"]))]
        signal.signal(signal.SIGTERM, lambda *_: [child.terminate() for child in children])
        sys.exit(max(child.wait() for child in children))
    """,
    # A head listens where it was told to; every node stays until it is ended.
    "ray": """
        note("ray", sys.argv[1:])
        if os.environ.get("HEAD_FAILS"):
            sys.exit(1)
        for word in sys.argv:
            if "--head" in sys.argv and word.startswith("--port="):
                listening = socket.create_server(("", int(word[7:])))
        signal.pause()
    """,
    "python": """
        print(sum(line.startswith("ray") for line in open(os.environ["NOTES"])))
    """,
    "hrbench": """
        note("hrbench", sys.argv[1:])
        if os.environ.get("RUN_WAITS"):
            signal.signal(signal.SIGTERM, lambda *_: (note("told to end", []), sys.exit(143)))
            signal.pause()
        sys.exit(3)
    """,
}
HEAD = """#!{python} -I
import itertools, json, os, signal, socket, subprocess, sys
def note(name, words):
    secret, address = (os.environ.get(name, "") for name in ("RAY_AUTH_TOKEN", "RAY_ADDRESS"))
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{{name}} {{json.dumps([words, secret, address, os.getpid()])}}\\n")
"""


def free_port() -> int:
    """One of those that the script takes."""
    for port in range(20000 + os.getpid() % 5000, 30000):
        with suppress(OSError), socket.create_server(("", port)):
            return port
    raise AssertionError("no port is free")


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job of three nodes, all of them this machine, with stand-ins on the path."""
    for name, body in STAND_INS.items():
        lines = [line[8:] for line in body.strip("\n").splitlines()]
        (tmp_path / name).write_text(HEAD.format(python=sys.executable) + "\n".join(lines) + "\n")
        (tmp_path / name).chmod(0o755)
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "NOTES": str(tmp_path / "notes"),
        "SLURM_JOB_ID": str(free_port() - 20000),  # its port is made of that
        "SLURM_JOB_NUM_NODES": "3",
        "SLURM_CPUS_PER_TASK": "4",
        "SLURMD_NODENAME": "localhost",
    }


def notes(job: dict[str, str]) -> dict[str, list[Any]]:
    """Name of a stand-in -> (words, token, address, process) of each of its calls."""
    found: dict[str, list[Any]] = {}
    path = Path(job["NOTES"])
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, rest = line.partition(" [")
        found.setdefault(name, []).append(json.loads(f"[{rest}"))
    return found


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_script_starts_ray_on_all_nodes_and_ends_as_the_run(job: dict[str, str]):
    done = subprocess.run(["bash", SCRIPT, "my suite.yaml", "--limit", "5"], env=job, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    told = notes(job)
    port = 20000 + int(job["SLURM_JOB_ID"]) % 10000
    heads = [words for words, *_ in told["ray"] if "--head" in words]
    joined = [words for words, *_ in told["ray"] if "--head" not in words]
    assert len(heads) == 1 and f"--port={port}" in heads[0] and "--num-cpus=4" in heads[0]
    assert len(joined) == 2 and all(f"--address=localhost:{port}" in words for words in joined)
    (first, *_), (second, *_) = told["srun"]
    assert {"--nodelist=localhost", "--nodes=1"} <= set(first) and {"--exclude=localhost", "--nodes=2"} <= set(second)
    [(words, token, address, _)] = told["hrbench"]
    assert words == ["run", "--executor", "ray", "--plain", "my suite.yaml", "--limit", "5"]
    assert address == f"localhost:{port}"
    assert re.fullmatch("[0-9a-f]{64}", token) and {each for _, each, *_ in told["ray"]} == {token}
    assert not any(token in word for calls in told.values() for words, *_ in calls for word in words)
    assert not any(alive(number) for calls in told.values() for *_, number in calls)


def test_the_run_is_told_to_end_before_the_time_is_over(job: dict[str, str]):
    job |= {"RUN_WAITS": "1", "SLURM_JOB_NUM_NODES": "1"}
    script = subprocess.Popen(["bash", SCRIPT, "suite"], env=job, stderr=subprocess.PIPE, text=True)
    while "hrbench" not in notes(job):
        assert script.poll() is None, script.communicate()[1]
        time.sleep(0.02)
    time.sleep(0.1)  # until its handler is there
    script.send_signal(signal.SIGTERM)
    assert script.wait() == 143
    told = notes(job)
    assert "told to end" in told and len(told["ray"]) == 1
    assert not any(alive(number) for calls in told.values() for *_, number in calls)
    assert script.communicate()[1] == ""


def test_a_head_that_does_not_start_is_told(job: dict[str, str]):
    done = subprocess.run(["bash", SCRIPT, "suite"], env=job | {"HEAD_FAILS": "1"}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "slurm.sh: Ray did not start on localhost\n")
    assert "hrbench" not in notes(job)
