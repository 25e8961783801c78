"""Pose without boxes from elsewhere: a YOLO in an ONNX file whose people are known, and decoded poses, as suites."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from drawn.decodings import draw
from drawn_suites import before_and_worse
from drawn_yolo import people_as_candidates, write_yolo

import hrbench
from hrbench.cli.command_line import main
from hrbench.tasks.pose.one_stage import letterboxed, to_image
from hrbench.types import Result

INPUT = (96, 128)
SIZES = [(128, 96), (200, 90), (61, 77)]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with pictures of three sizes, whose people are those of net.onnx."""
    rng = np.random.default_rng(0)
    people = np.concatenate([rng.uniform(40, 80, (2, 17, 2)), rng.uniform(0.5, 1, (2, 17, 1))], axis=2)
    people[1, :, :2] = people[1, :, :2] / 2 + [10, 8]
    write_yolo(tmp_path / "net.onnx", people_as_candidates(people, np.array([0.9, 0.6])), INPUT)
    images, truth = [], []
    for number, size in enumerate(SIZES, start=1):
        name = f"{number}.png"
        assert cv2.imwrite(str(tmp_path / name), np.full((size[1], size[0], 3), 90, np.uint8))
        images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
        placed = to_image(people.astype(np.float32), letterboxed(size, (INPUT[1], INPUT[0])))
        for person in placed:
            low, high = person[:, :2].min(axis=0), person[:, :2].max(axis=0)
            keypoints = np.concatenate([person[:, :2], np.full((17, 1), 2)], axis=1)
            box = np.concatenate([low, high - low]).tolist()
            truth.append(
                {"id": len(truth) + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
                 "bbox": box, "area": box[2] * box[3], "keypoints": keypoints.ravel().tolist()}
            )  # fmt: skip
    content = {"images": images, "annotations": truth, "categories": [{"id": 1, "name": "person"}]}
    (tmp_path / "truth.json").write_text(json.dumps(content))
    return tmp_path


def suite(folder: Path, entries: list[dict], **more: object) -> Path:
    path = folder / "suite.yaml"
    costs = {"parameters": False, "operations": False, "latency": False}
    content = {"suite": "poses", "defaults": {"cost": costs, "resamples": 50}, "entries": entries, **more}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def dataset() -> dict:
    return {
        "use": "coco-keypoints", "folder": ".", "annotations": "truth.json", "images": ".", "task": "pose",
        "metrics": ["coco-keypoints"], "orientation": "stored",
    }  # fmt: skip


def result_of(run: Path, name: str) -> Result:
    (result,) = (each for each in hrbench.load(run) if each.name == name)
    return result


def points(result: Result, quantity: str) -> float:
    (value,) = (each.value for each in result.scores if each.quantity.name == quantity)
    assert value is not None
    return value


def yolo(**more: object) -> dict:
    return {"model": {"use": "onnx:net.onnx", "task": "pose"}, "dataset": dataset(), "batch": 1, **more}


def test_a_yolo_is_fed_as_its_file_says_and_its_people_are_found(bench, capsys):
    pytest.importorskip("onnxruntime")
    entries = [yolo(name="as-it-says"), yolo(name="doubled", protocol={"box_iou": 1.0, "score_threshold": 0.0})]
    arguments = ["run", str(suite(bench, entries)), "--data", str(bench), "--out", str(bench / "run")]
    assert main(arguments) == 0, capsys.readouterr().out
    result = result_of(bench / "run", "as-it-says")
    protocol = result.entry.protocol
    assert (protocol["name"], protocol["boxes"], protocol["resize"]) == ("one-stage-yolo", "none", "letterbox")
    assert (protocol["score_threshold"], protocol["box_iou"], protocol["most"]) == (0.001, 0.7, 300)
    assert protocol["stated_by"] == "the file net.onnx of fixed 96x128 of ultralytics for poses"
    assert points(result, "AP") == points(result, "AR") == 1
    rows = json.loads((bench / "run/entries/as-it-says/predictions.json").read_text())
    assert [row["score"] for row in rows] == pytest.approx([0.9, 0.6] * 3)
    doubled = json.loads((bench / "run/entries/doubled/predictions.json").read_text())
    assert len(doubled) == 4 * len(SIZES)  # those of no score are not above 0


def test_a_network_of_heatmaps_is_refused_without_boxes(bench, capsys):
    model = "pose_resnet_miniature_coco"
    entries = [
        {"name": "whole", "model": model, "dataset": dataset(), "protocol": "one-stage"},
        {"name": "half", "model": model, "dataset": dataset(), "protocol": {"boxes": "none"}},
        {"name": "mpii", "model": "pose_hrnet_miniature_mpii", "dataset": "miniature-mpii", "protocol": "one-stage"},
    ]
    arguments = ["run", str(suite(bench, entries)), "--data", str(bench), "--out", str(bench / "run")]
    assert main(arguments) == 3  # nothing was measured
    said = capsys.readouterr()
    said = said.out + said.err
    assert "a one-stage pose network returns for each image a dictionary with keypoints (M, 17, 3)" in said
    assert "name the protocol one-stage, one-stage-torchvision or one-stage-yolo" in said
    assert "protocol.boxes is annotated" in said


DECODED = ("top-down", "dark", "udp", "udp-combined")


def test_poses_decoded_by_four_protocols_are_judged_and_compared(tmp_path_factory, capsys):
    runs = before_and_worse(tmp_path_factory, draw, resamples=50)
    before, worse = (
        {name: points(result_of(run, f"decoded-{name}"), "AP") for name in DECODED} for run in runs.values()
    )
    assert before["top-down"] < before["dark"] == pytest.approx(before["udp"], abs=0.05)
    assert all(worse[name] < before[name] - 0.1 for name in DECODED)
    assert main(["compare", *map(str, runs.values())]) == 0
    assert "decoded-udp" in capsys.readouterr().out
