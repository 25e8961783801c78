"""What is told, and with which exit code, if a Ray cluster cannot do what a run needs: with a cluster that cannot.

pytest tests/benchmarks/test_ray_refusals.py --benchmark-only -n 0 -s
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from ray_nodes import RayNodes, ray_nodes
from ray_trials import hrbench

import hrbench as package
from hrbench.models.weights.load import save
from tests.end_to_end.tiny_bench import NETWORK, Bench, draw_coco


def told(nodes: RayNodes, out: Path, *more: str, client: bool = False, **variables: str) -> tuple[int, list[str]]:
    """Exit code, and lines of a run's error output."""
    environment = {**os.environ, **nodes.environment, "RAY_ADDRESS": nodes.address, "OMP_NUM_THREADS": "1", **variables}
    place = nodes.client if client else "ray"
    command = hrbench("run", "miniature", "--only", "*mpii*", "--out", str(out), "--executor", place, *more)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stderr.strip().splitlines()


@pytest.fixture(scope="module")
def nodes() -> Any:
    with ray_nodes(1, 1, client=True) as made:
        yield made


@pytest.mark.parametrize(
    ("more", "variables", "client", "expected"),
    [
        ((), {"RAY_AUTH_TOKEN": "f" * 32}, False, "refuses the token, or asks for one"),
        ((), {"RAY_AUTH_TOKEN": "f" * 32}, True, "refuses the token, or asks for one"),
        ((), {"OMP_NUM_THREADS": "2"}, False, "a worker needs 2 CPUs on one node, and the cluster has at most 1 CPU"),
        (("--device", "cuda"), {}, False, "a worker needs 1 GPU and 1 CPU on one node"),
        (("--worker-memory", "5000"), {}, False, "1 CPU and 5000.0 GiB of memory on one node"),
    ],
)
def test_one_line_says_what_is_wrong(
    benchmark: Any,
    nodes: RayNodes,
    tmp_path: Path,
    more: tuple[str, ...],
    variables: dict[str, str],
    client: bool,
    expected: str,
):
    run = lambda: told(nodes, tmp_path / "run", *more, client=client, **variables)  # noqa: E731
    code, lines = benchmark.pedantic(run, rounds=1, iterations=1)
    assert (code, len(lines)) == (2, 1) and expected in lines[0], lines


def test_a_node_with_other_code_is_named(benchmark: Any, tmp_path: Path):
    altered = tmp_path / "altered" / "hrbench"
    shutil.copytree(Path(package.__file__).parent, altered, ignore=shutil.ignore_patterns("__pycache__"))
    with (altered / "version.py").open("a") as stream:
        stream.write("# changed\n")
    with ray_nodes(1, 1, variables={"PYTHONPATH": str(altered.parent)}) as nodes:
        run = lambda: told(nodes, tmp_path / "run")  # noqa: E731
        code, lines = benchmark.pedantic(run, rounds=1, iterations=1)
    assert (code, len(lines)) == (2, 1), lines
    assert "runs other versions than the driver, so numbers may differ: code of hrbench is" in lines[0]


MOUNTS = (
    subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0 if shutil.which("unshare") else False
)
SUITE = """
    suite: tiny
    entries:
      - name: one
        model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
        dataset: coco-keypoints-val2017
        protocol: {boxes: ground_truth}
        weights: tiny.safetensors
        shards: 2
        batch: 1
        cost: {latency: false}
"""


@pytest.mark.skipif(not MOUNTS, reason="mounts need Linux and root")
@pytest.mark.parametrize(
    ("lacks", "size", "expected"),
    [("data", "1M", "each node needs the files of the driver under the same paths"), ("room", "4k", "No space left")],
)
def test_a_node_that_lacks_something_is_named(benchmark: Any, tmp_path: Path, lacks: str, size: str, expected: str):
    """Its folder of data is empty, or its folder of temporary files is full; that of the driver is not."""
    bench = Bench(tmp_path)
    draw_coco(bench.data / "coco", images=32, people=8)  # shards of more than a page
    (tmp_path / "room").mkdir()
    (tmp_path / "tiny_nets.py").write_text(NETWORK)
    net = torch.nn.Module()
    net.net = torch.nn.Conv2d(3, 17, 5, stride=4, padding=2)
    save(net, tmp_path / "tiny.safetensors")
    below = [
        "unshare",
        "-m",
        "sh",
        "-c",
        f'mount -t tmpfs -o size={size} none "$0" && exec "$@"',
        str(tmp_path / lacks),
    ]
    variables = {"TMPDIR": str(tmp_path / "room")} if lacks == "room" else {}
    with ray_nodes(1, 1, variables=variables, below=below) as nodes:
        arguments = bench.arguments(bench.suite(SUITE), "--executor", "ray", apart=True)
        environment = {**os.environ, **nodes.environment, "RAY_ADDRESS": nodes.address, "OMP_NUM_THREADS": "1"}
        run = lambda: subprocess.run(hrbench(*arguments), env=environment, capture_output=True, text=True)  # noqa: E731
        done = benchmark.pedantic(run, rounds=1, iterations=1)
    said = [line for line in done.stdout.splitlines() if "FAILED" in line]
    assert done.returncode == 3 and len(said) == 1 and expected in said[0] and "node" in said[0], done.stdout
    assert not [*(tmp_path / "run").rglob("*.shard")]
