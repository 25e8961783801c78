"""Workers of a Ray cluster beside one another, with a network that sleeps: the cores of this machine do not bound it.

    pytest tests/benchmarks/test_ray_scaling.py --benchmark-only -n 0 -s

Times are those that the network writes down, from its first pass, which waits until all workers have loaded it, to the
end of its last one: the start of the cluster and of its workers is no part of them. Run them on a quiet machine.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from ray_nodes import ray_nodes
from ray_trials import hrbench

from hrbench.models.weights.load import save
from tests.end_to_end.tiny_bench import NETWORK, draw_coco

SLEEP = 0.25
"""Seconds of a pass; each image has two, the second of its mirrored self."""
IMAGES = 4
"""Images of a shard: a block, with one in a batch."""
SHARDS = 5
"""Of each worker."""

SLEEPING = """
import os, time
from pathlib import Path
from tiny_nets import Tiny

PLACE, WORKERS = Path(os.environ["SLEEPING_PLACE"]), int(os.environ["SLEEPING_WORKERS"])
own = []


class Sleeping(Tiny):
    def forward(self, x):
        if x.device.type != "cpu":
            return super().forward(x)
        if not own:
            (PLACE / f"{os.getpid()}.ready").touch()
            while len(list(PLACE.glob("*.ready"))) < WORKERS:
                time.sleep(0.01)
            own.append((PLACE / f"{os.getpid()}.times").open("a"))
        start = time.time()
        time.sleep(float(os.environ["SLEEPING_SECONDS"]))
        own[0].write(f"{start} {time.time()}\\n")
        own[0].flush()
        return super().forward(x)


def pose(joints=17):
    return Sleeping(joints)
"""

SUITE = """
suite: sleeping
entries:
  - name: one
    model: {base: pose_hrnet_w32_coco_256x192, use: "sleeping_nets:pose", args: {joints: 17}, input: [64, 48]}
    dataset: coco-keypoints-val2017
    protocol: {boxes: ground_truth}
    weights: tiny.safetensors
    batch: 1
    cost: {latency: false}
report: {images: 0}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with suite, network, weights and images for eight workers."""
    made = tmp_path_factory.mktemp("scaling")
    draw_coco(made / "data" / "coco", images=8 * SHARDS * IMAGES, people=1)
    (made / "tiny_nets.py").write_text(NETWORK)
    (made / "sleeping_nets.py").write_text(SLEEPING)
    (made / "suite.yaml").write_text(SUITE)
    net = torch.nn.Module()
    net.net = torch.nn.Conv2d(3, 17, 5, stride=4, padding=2)
    save(net, made / "tiny.safetensors")
    return made


def seconds(place: Path, name: str, workers: int, images: int, *more: str, **variables: str) -> float:
    """Of all passes of a run, from the first to the last."""
    told, out = place / f"times-{name}", place / f"run-{name}"
    told.mkdir()
    arguments = [str(place / "suite.yaml"), "--data", str(place / "data"), "--out", str(out), "--limit", str(images)]
    extra = {
        "OMP_NUM_THREADS": "1",
        "SLEEPING_SECONDS": str(SLEEP),
        "SLEEPING_PLACE": str(told),
        "SLEEPING_WORKERS": str(workers),
    }
    command = hrbench("run", *arguments, "--device", "cpu", "--plain", "--workers", "0", *more)
    done = subprocess.run(command, env={**os.environ, **variables, **extra}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    times = [tuple(map(float, line.split())) for path in told.glob("*.times") for line in path.read_text().splitlines()]
    assert len(times) >= images
    return max(end for _, end in times) - min(start for start, _ in times)


def on_ray(place: Path, workers: int, images: int) -> float:
    told = {"SLEEPING_PLACE": str(place / f"times-ray{workers}"), "SLEEPING_WORKERS": str(workers)}
    variables = {**told, "SLEEPING_SECONDS": str(SLEEP)}
    with ray_nodes(1, workers, variables=variables) as nodes:
        joined = {**nodes.environment, "RAY_ADDRESS": nodes.address}
        more = ("--executor", "ray", "--set", f"shards={images // IMAGES}")
        return seconds(place, f"ray{workers}", workers, images, *more, **joined)


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_workers_add_up(benchmark: Any, place: Path, workers: int):
    slept = 2 * SHARDS * IMAGES * SLEEP  # by each worker
    found = benchmark.pedantic(lambda: on_ray(place, workers, workers * SHARDS * IMAGES), rounds=1, iterations=1)
    print(f"{workers} workers: {found:.2f} s, of which each sleeps {slept:.0f} s: {slept / found:.3f} of linear")
    assert slept / found >= 0.9


def test_one_worker_is_as_fast_as_none(benchmark: Any, place: Path):
    alone = on_ray(place, 1, SHARDS * IMAGES)
    local = benchmark.pedantic(lambda: seconds(place, "local", 1, SHARDS * IMAGES), rounds=1, iterations=1)
    print(f"one worker: {alone:.2f} s, and {local:.2f} s without Ray: {100 * (alone / local - 1):+.1f} %")
    assert alone <= 1.05 * local
