"""A suite on two nodes of a Ray cluster: a worker is killed, and the results are those of a run without a cluster."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes_alive import left_of
from ray_nodes import ray_nodes
from tiny_bench import draw_coco

from hrbench.cli.command_line import main
from hrbench.store.states import read_state

pytestmark = [
    pytest.mark.numeric,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]

SUITE = """
    suite: tiny
    defaults:
      dataset: coco-keypoints-val2017
      protocol: {boxes: ground_truth}
      weights: tiny.safetensors
      batch: 1
      shards: 7
      cost: {latency: false}
    entries:
      - name: one
        model: {base: pose_hrnet_w32_coco_256x192, use: "slow_nets:pose", args: {joints: 17}, input: [64, 48]}
"""

SLOW = """
import time
from tiny_nets import Tiny


class Slow(Tiny):
    def forward(self, x):
        if x.device.type == "cpu":
            time.sleep(0.03)
        return super().forward(x)


def pose(joints=17):
    print("the network is built")
    return Slow(joints)
"""


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "hrbench", *arguments]


def outcome(folder: Path, name: str) -> tuple[object, ...]:
    """What a run says of an entry, bit for bit."""
    result = json.loads((folder / "entries" / name / "result.json").read_text())["result"]
    state = read_state(folder / "entries" / name / "states.npz")
    arrays = {key: value.tobytes() for key, value in state.arrays.items()}
    kept = ("status", "scores", "prediction_key", "score_key", "files")
    predictions = (folder / "entries" / name / "predictions.json").read_bytes()
    counts = [(cost["quantity"]["name"], cost["value"]) for cost in result["costs"]]
    return {key: result[key] for key in kept}, state.params, arrays, predictions, counts


def test_a_worker_that_is_killed_changes_no_number(bench, monkeypatch):
    (bench.folder / "slow_nets.py").write_text(SLOW)
    shutil.rmtree(bench.data / "coco")
    draw_coco(bench.data / "coco", images=28)  # seven blocks of four batches
    suite = bench.suite(SUITE)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert main(bench.arguments(suite, "--set", "shards=1", out="local", apart=True)) == 0
    run = bench.folder / "run"
    with ray_nodes(2, 1) as nodes:
        with subprocess.Popen(
            command(bench.arguments(suite, "--executor", "ray", apart=True)),
            env={**os.environ, **nodes.environment, "RAY_ADDRESS": nodes.address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            while not list(run.glob("shards/*/[!.]*.shard")) and running.poll() is None:
                time.sleep(0.01)
            killed = nodes.workers()[:1]
            for worker in killed:
                worker.kill()
            said, _ = running.communicate()
        left = [worker.pid for worker in nodes.workers()]
    assert running.returncode == 0, said
    assert killed and "were lost with their worker and are predicted again (retry 1 of 3)" in said
    assert outcome(run, "one") == outcome(bench.folder / "local", "one")
    assert "the network is built" in (run / "entries" / "one" / "log.txt").read_text()
    assert not list(run.glob("shards/*/*")) and not left_of(left)
