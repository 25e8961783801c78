"""Pose sets against records of xtcocotools (`record_pose_sets.py` made them): every number to the last bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import random_poses
from both_ways import both_ways

from hrbench.formats.coco.skeletons import skeleton_named
from hrbench.metrics.coco.crowdpose import CrowdPoseAP
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.metrics.coco.wholebody import WholebodyAP

DATA = Path(__file__).parent / "data/pose_sets"
PARTS = ("wholebody", "body", "foot", "face", "lefthand", "righthand")
COUNTED: dict[str, Any] = {"num_keypoints": "joints", "unseen": "drop"}


def cases(name: str, case: Any) -> list[tuple[dict[str, Any], Any]]:
    """The recorded numbers, and the case drawn again; a case without results has none."""
    found = []
    for row in json.loads((DATA / f"{name}.json").read_text())["cases"]:
        drawn = case(row["seed"])
        assert hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()[:16] == row["digest"]
        if drawn[1]:
            found.append((row, drawn))
    assert len(found) > 33
    return found


def raw(metric: Any, row: dict[str, Any], case: Any, folder: Path) -> Any:
    """The metric's numbers; of every tenth case its own reference gives them, too."""
    truth, results = folder / "truth.json", folder / "results.json"
    truth.write_text(json.dumps(case[0]))
    results.write_text(json.dumps(case[1]))
    target = metric.read_target(truth)
    found = metric.raw(metric.measure(metric.read_predictions(results, target), target))
    if row["seed"] % 10 == 0:
        assert list(metric.verify(truth, results).values()) == found.ravel().tolist()
    return found


@both_ways
def test_crowdpose(way, tmp_path: Path):
    empty = 0
    for row, case in cases("crowdpose", random_poses.crowdpose):
        found = raw(CrowdPoseAP(), row, case, tmp_path).tolist()
        assert found == [*row["crowd"][:6], *row["easy"], *row["medium"], *row["hard"]], row["seed"]
        assert [round(value, 4) for value in found[6:]] == row["crowd"][6:], row["seed"]
        empty += found[6:].count(-1.0)
    assert empty > 12


def test_the_whole_body(tmp_path: Path):
    for row, case in cases("wholebody", random_poses.wholebody):
        assert raw(WholebodyAP(), row, case, tmp_path).tolist() == [row[part] for part in PARTS], row["seed"]


RULES = {
    "ap10k": ("ap-10k", lambda seed: random_poses.with_areas(seed, 17, 3), {}),
    "aic": ("ai-challenger", lambda seed: random_poses.without_areas(seed, 14), {"truth_area": "box*0.53"}),
    "halpe": ("halpe-26", lambda seed: random_poses.with_areas(seed, 26), {}),
    "posetrack": ("posetrack18", lambda seed: random_poses.without_areas(seed, 17), {"truth_area": "box*0.53"}),
}


@both_ways
@pytest.mark.parametrize("name", RULES)
def test_sets_that_are_judged_as_coco_is(way, name: str, tmp_path: Path):
    skeleton, case, more = RULES[name]
    metric = CocoKeypointAP(skeleton_named(skeleton).sigmas, **COUNTED, **more)
    dropped = 0
    for row, drawn in cases(name, case):
        assert raw(metric, row, drawn, tmp_path).tolist() == row["keypoints"], row["seed"]
        target = metric.read_target(tmp_path / "truth.json")
        dropped += metric.read_predictions(tmp_path / "results.json", target).unseen
    assert dropped > 30
