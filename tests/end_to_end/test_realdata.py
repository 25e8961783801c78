"""HRNet-W32 with drawn weights on real COCO images gives the people and joints that the official code gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from empty import empty
from seeds import some

import hrbench
from hrbench.cli.command_line import main
from hrbench.models.weights.load import save

pytestmark = [pytest.mark.realdata, pytest.mark.numeric]

SUITE = """
suite: real
defaults:
  dataset: coco-keypoints-val2017
  weights: fill0.safetensors
  resamples: 60
  cost: {latency: false}
entries:
  - {name: gt, model: pose_hrnet_w32_coco_256x192, protocol: {boxes: ground_truth}}
  - name: det
    model: pose_hrnet_w32_coco_256x192
    protocol: {boxes: person_detection_results/detections_person.json}
"""


LIMITS = {"gt": 6, "det": 2}
"""Entry -> how many images, few to keep the test short."""


@pytest.fixture(scope="module", params=some(LIMITS, later=["det"]))
def entry(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def run(realdata, fill, tmp_path_factory, entry) -> Path:
    """The run folder of one entry."""
    folder = tmp_path_factory.mktemp("real")
    save(fill.fill(empty(hrbench.build, "pose_hrnet_w32_coco_256x192")).float(), folder / "fill0.safetensors")
    (folder / "suite.yaml").write_text(SUITE)
    places = ["--data", str(realdata), "--out", str(folder / "run"), "--device", "cpu", "--plain"]
    places += ["--verify", "--in-process"]
    assert main(["run", str(folder / "suite.yaml"), *places, "--only", entry, "--limit", str(LIMITS[entry])]) == 0
    return folder / "run"


def test_people_and_joints_are_the_official_ones(run, realdata, entry):
    rows = json.loads((run / "entries" / entry / "predictions.json").read_text())
    path = realdata / "coco" / "expected" / f"pose_hrnet_w32_256x192_fill0_{entry}_boxes.json"
    expected = json.loads(path.read_text())
    images = {row["image_id"] for row in rows}
    expected = [row for row in expected if row["image_id"] in images]
    assert len(rows) == len(expected) > 7

    near = []
    for row in rows:
        place = np.array(row["center"] + row["scale"])
        (same,) = [
            other
            for other in expected
            if other["image_id"] == row["image_id"]
            and np.allclose(other["center"] + other["scale"], place, rtol=0, atol=2e-3)
        ]
        joints, official = (np.reshape(r["keypoints"], (-1, 3)) for r in (row, same))
        near += (np.abs(joints[:, :2] - official[:, :2]).max(axis=1) <= 0.05).tolist()
        assert row["score"] == pytest.approx(same["score"], rel=1e-4)
    assert np.mean(near) >= 0.995


def test_the_official_metric_code_agrees(run):
    for result in hrbench.load(run):
        assert any("bit for bit" in str(note) for note in result.notes)
