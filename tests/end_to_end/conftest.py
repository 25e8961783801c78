"""A data folder, a network and a suite so small that the whole flow takes a second."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from one_server import Servers
from tiny_bench import NETWORK, Bench, draw_coco

from hrbench.models.weights.load import save

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


SERVERS = Servers()


@pytest.fixture(scope="module", autouse=True)
def shared_server() -> Iterator[None]:
    """Runs of all tests of this folder share a server."""
    with SERVERS.shared():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """The server ends with the last test of this folder: others look at what is left running."""
    try:
        return (yield)
    finally:
        if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
            SERVERS.end()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fresh bench with eight images, a tiny network and its weights."""
    made = Bench(tmp_path)
    draw_coco(made.data / "coco", images=8)
    (tmp_path / "tiny_nets.py").write_text(NETWORK)
    sys.modules.pop("tiny_nets", None)  # of another bench, for runs in this process
    torch.manual_seed(0)
    net = torch.nn.Module()
    net.net = torch.nn.Conv2d(3, 17, 5, stride=4, padding=2)
    save(net, tmp_path / "tiny.safetensors")
    return made


SUITE = """
    suite: tiny
    defaults:
      dataset: coco-keypoints-val2017
      protocol: {boxes: ground_truth}
      weights: tiny.safetensors
      cost: {latency: {batch: [1], budget: 0.1}}
    entries:
      - name: one
        model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
      - name: two
        model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [96, 72]}
"""


@pytest.fixture
def tiny_suite(bench: Bench) -> Path:
    """Two entries of the tiny network at two sizes, on ground-truth boxes."""
    return bench.suite(SUITE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = os.environ.get("HRBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        reason = "no Chromium: install one, or name it in HRBENCH_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield chromium
        chromium.close()
