"""Pose sets from files to report, comparison and gate; networks of their numbers of joints run on them."""

from __future__ import annotations

import json
from functools import partialmethod
from pathlib import Path
from typing import Any

import drawn_suites
import numpy as np
import pytest
from drawn.pose_sets import SETS, draw

from hrbench.cli.command_line import main
from hrbench.formats.coco.rows import people_of
from hrbench.statistics import paired

NETWORK = '''
"""A narrow HRNet with random weights."""
import torch

from hrbench.models.hrnet import pose_hrnet


def narrow(joints):
    torch.manual_seed(0)
    net = pose_hrnet(joints=joints, **NARROW)
    *_, weight, bias = net.parameters()
    assert bias.shape == (joints,)
    weight.data.mul_(300)  # they begin as next to nothing
    bias.data.fill_(0.5)  # joints above the protocol's threshold, so that people have scores
    return net
'''
NARROW = {"stem": 16, "widths": [20, 24, 40, 64], "modules": [1, 1, 1], "blocks": 2, "layer1": 2}
JOINTS = {
    "crowdpose-test": ("crowdpose", 14),
    "coco-wholebody-val": ("wholebody", 133),
    "ap10k-val": ("ap10k", 17),
}
NO_COSTS = {"parameters": False, "operations": False, "latency": False}


def ran(folder: Path, entries: list[dict[str, Any]], out: str = "out") -> Path:
    assert drawn_suites.run(drawn_suites.written(folder, entries, cost=NO_COSTS, resamples=20), out) == 0
    return folder / out


def scores(run: Path, entry: str) -> dict[str, float | None]:
    result = json.loads((run / "entries" / entry / "result.json").read_text())["result"]
    assert result["status"] == "done", result
    return {score["quantity"]["name"]: score["value"] for score in result["scores"]}


def test_predictions_of_all_sets_are_judged_compared_and_gated(tmp_path: Path, capsys, monkeypatch):
    good = ran(tmp_path, draw(tmp_path), "good")
    found = {name: scores(good, name) for name in SETS}
    assert all(0.2 < numbers["AP"] < 0.9 for numbers in found.values() if numbers["AP"] is not None)
    assert all(found["crowdpose"][f"AP_{split}"] is not None for split in ("easy", "medium", "hard"))
    assert found["wholebody"]["AP_face"] != found["wholebody"]["AP_body"]
    bad = ran(tmp_path, draw(tmp_path, worse=True), "bad")
    assert all(scores(bad, name)["AP"] < found[name]["AP"] for name in SETS)
    assert 0 < scores(bad, "posetrack_videos")["ap"] < found["posetrack_videos"]["ap"] < 1
    capsys.readouterr()
    monkeypatch.setattr(paired, "MONTE_CARLO_ERRORS", 0)  # a block of replicates for each number
    with monkeypatch.context() as patched:  # a few replicates: here only which entries are told of is looked at
        patched.setattr(paired.PairedStatistics, "block", partialmethod(paired.PairedStatistics.block, replicates=50))
        assert main(["compare", str(good), str(bad)]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in SETS)
    assert main(["gate", str(bad), "--against", str(good)]) == 1
    capsys.readouterr()
    monkeypatch.chdir(bad)
    assert (
        main(["compare", "../good", "../bad", "--only", "crowdpose"]) == 0
        and "not the file" not in capsys.readouterr().out
    )


@pytest.mark.parametrize("dataset", JOINTS)
def test_a_network_of_its_joints_runs_on_it(dataset: str, tmp_path: Path, monkeypatch):
    name, joints = JOINTS[dataset]
    monkeypatch.setattr("drawn.pose_sets.IMAGES", 9)
    SETS[name](tmp_path)
    (tmp_path / f"nets_{name}.py").write_text(NETWORK.replace("NARROW", repr(NARROW)))
    model = {"use": f"nets_{name}:narrow", "task": "pose", "args": {"joints": joints}, "input": [64, 48]}
    run = ran(tmp_path, [{"name": "one", "model": model, "weights": "own", "dataset": dataset}])
    assert scores(run, "one")["AP"] is not None
    rows = json.loads((run / "entries/one/predictions.json").read_text())
    people = people_of(run / "entries/one/predictions.json", [row["image_id"] for row in rows])
    assert {len(row["keypoints"]) for found in people.values() for row in found} == {3 * joints}
    if name == "wholebody":
        assert [len(rows[0][key]) for key in ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts")] == [
            51,
            18,
            204,
            63,
        ]
    if name == "ap10k":
        assert {row["category_id"] for row in rows} == {1, 7, 26}
    drawings = list((run / "entries/one").rglob("drawings/*.webp"))
    assert drawings and all(drawing.stat().st_size > 1000 for drawing in drawings)
    assert all(np.isfinite(row["keypoints"]).all() for row in rows)
