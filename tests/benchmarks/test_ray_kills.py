"""Random deaths on a Ray cluster of two nodes: a worker, then a node, then the driver. No number may change.

    pytest tests/benchmarks/test_ray_kills.py --benchmark-only -n 0 -s

HRBENCH_KILL_TRIALS says how many trials (20), HRBENCH_KILL_ONLY a pattern of entries of the miniatures' suite (all).
They must take longer than the deaths need.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray_nodes import RayNodes, ray_nodes
from ray_trials import Leftovers, descendants, hrbench, outcomes

TRIALS = int(os.environ.get("HRBENCH_KILL_TRIALS", "20"))
ONLY = os.environ.get("HRBENCH_KILL_ONLY", "*")
# seven blocks of four batches of one image
SETTINGS = ("--only", ONLY, "--limit", "28", "--set", "batch=1", "--set", "cost.latency=false", "--device", "cpu")
MOST_REST = 12.0
"""Seconds at most before each death. The first waits for a worker, so three come within half a minute from then."""
THREADS = {"OMP_NUM_THREADS": "1"}


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    return hrbench("run", "miniature", "--data", str(data), "--out", str(out), *SETTINGS, "--plain", *more)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of the data, and what a run without a cluster and without shards says."""
    place = tmp_path_factory.mktemp("kills")
    subprocess.run(arguments(place / "data", place / "local"), env={**os.environ, **THREADS}, check=True)
    return place, outcomes(place / "local")


class KilledRun:
    """A run on a cluster that is killed as told, and begun again until it ends by itself."""

    def __init__(self, nodes: RayNodes, command: list[str], out: Path) -> None:
        self.nodes, self.command, self.out = nodes, command, out
        self.environment = {**os.environ, **nodes.environment, **THREADS, "RAY_ADDRESS": nodes.address}
        self.seen: dict[int, psutil.Process] = {}
        self.told: list[str] = []

    def start(self) -> None:
        with (self.out / "said.txt").open("a") as said:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=said, stderr=subprocess.STDOUT, text=True
            )

    def rest(self, seconds: float) -> bool:
        """Lets it run for a time; False if it ends before."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            self.seen |= {one.pid: one for one in [*descendants(self.process), *self.nodes.workers("")]}
            time.sleep(0.1)
        return self.process.poll() is None

    def kill_worker(self, chance: random.Random) -> None:
        """Kills a worker, as soon as there is one."""
        while not (workers := self.nodes.workers("ShardWorker")) and self.process.poll() is None:
            time.sleep(0.05)
        if workers:
            chance.choice(workers).kill()
            self.told.append("worker")

    def kill_node(self) -> None:
        self.nodes.kill_node()
        self.told.append("node")

    def kill_driver(self) -> None:
        self.process.kill()
        self.process.wait()
        self.told.append("driver")


@pytest.mark.parametrize("trial", range(TRIALS))
def test_deaths_change_no_number(benchmark: Any, local: tuple[Path, dict[str, Any]], trial: int, tmp_path: Path):
    place, expected = local
    chance, out, before = random.Random(trial), tmp_path / "run", Leftovers.before()
    out.mkdir()
    with ray_nodes(2, 1) as nodes:
        command = arguments(place / "data", out, "--executor", "ray", "--set", "shards=7")
        run = KilledRun(nodes, command, out)

        def whole() -> None:
            run.start()
            for kill in (lambda: run.kill_worker(chance), run.kill_node, run.kill_driver):
                if run.rest(chance.uniform(0, MOST_REST)):
                    kill()
            if run.process.poll() is None or run.process.returncode == -9:
                if run.process.poll() is not None:
                    run.start()
                while run.rest(60):
                    pass

        benchmark.pedantic(whole, rounds=1, iterations=1)
        assert run.told == ["worker", "node", "driver"], (run.told, (out / "said.txt").read_text()[-3000:])
        assert run.process.returncode == 0, (run.told, (out / "said.txt").read_text()[-3000:])
    assert outcomes(out) == expected, run.told
    assert not list(out.glob("shards/*/*")), run.told
    assert not before.now(list(run.seen.values())), run.told
    print(f"trial {trial}: {', '.join(run.told)}; equal, and nothing is left")
    shutil.rmtree(out)
