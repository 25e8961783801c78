"""A small seeded data set in COCO's form, judged by COCO's criteria and by others: boxes, masks and keypoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as codec

IMAGES, SIZE = 40, (200, 160)
NAMES = ("cup", "plate", "fork")
AREAS = {"tiny": [0, 400], "huge": [4000, None]}
OTHERS: dict[str, dict[str, Any]] = {
    "loose": {"iou_thresholds": [0.3, 0.4, 0.5], "recall_thresholds": 11},
    "areas": {"areas": AREAS},
    "many": {"max_detections": [1, 10, 300]},
    "one-class": {"class_agnostic": True},
}
"""Name of an entry -> criteria of box and mask AP that are not COCO's."""


def draw(folder: Path, worse: bool = False) -> list[dict[str, Any]]:
    """Draws the set below `folder`, which is a suite's, with data in `folder`/data; returns entries of a suite.

    worse: whether predictions lie three times as far from the same annotations.
    """
    people, objects = _people(), _objects()
    _write(folder / "data/things/objects.json", objects)
    _write(folder / "data/things/people.json", people)
    for image in objects["images"]:
        path = folder / "data/things/images" / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(image["id"]).integers(0, 256, (8, 10, 3), np.uint8)
        Image.fromarray(pixels).resize(SIZE).save(path)
    rng = np.random.default_rng(3)
    spread = 0.12 if worse else 0.04
    found = _found(rng, objects, spread)
    _write(folder / "found.json", found)
    _write(folder / "joints.json", _joints(rng, people, spread))
    things = {"use": "coco-instances", "folder": "things", "annotations": "data/things/objects.json"}
    things |= {"images": "data/things/images", "per_class": True}
    entries = [_entry("official", "found.json", things, ["coco-boxes", "coco-masks"])]
    for name, criteria in OTHERS.items():
        asked = {**things, **criteria}
        if criteria.get("class_agnostic"):
            del asked["per_class"]
        entries.append(_entry(name, "found.json", asked, ["coco-boxes", "coco-masks"]))
    joints = {"use": "coco-keypoints", "folder": "things", "annotations": "data/things/people.json"}
    joints |= {"images": "data/things/images"}
    entries.append(_entry("people", "joints.json", joints, ["coco-keypoints"]))
    strict = {"oks_thresholds": [0.9], "areas": AREAS, "max_detections": [5, 20, 100]}
    entries.append(_entry("strict-people", "joints.json", {**joints, **strict}, ["coco-keypoints"]))
    return entries


def _entry(name: str, file: str, dataset: dict[str, Any], metrics: list[str]) -> dict[str, Any]:
    return {"name": name, "predictions": file, "dataset": dataset, "metrics": metrics}


def _images() -> list[dict[str, Any]]:
    one = {"width": SIZE[0], "height": SIZE[1]}
    return [{"id": n, "file_name": f"{n:03d}.jpg", **one} for n in range(1, IMAGES + 1)]


def _objects() -> dict[str, Any]:
    rng, rows = np.random.default_rng(14), []
    for image in range(1, IMAGES + 1):
        for _ in range(int(rng.integers(0, 5))):
            width, height = rng.uniform(8, 90, 2).round(1).tolist()
            x, y = (rng.uniform(0, 1, 2) * (np.array(SIZE) - [width, height])).round(1).tolist()
            corners = [x, y, x + width, y, x + width, y + height, x, y + height]
            row = {"id": len(rows) + 1, "image_id": image, "category_id": int(rng.integers(len(NAMES))) + 1}
            row |= {"bbox": [x, y, width, height], "area": width * height, "segmentation": [corners]}
            rows.append({**row, "iscrowd": int(rng.random() < 0.05)})
    categories = [{"id": n, "name": name} for n, name in enumerate(NAMES, 1)]
    return {"images": _images(), "annotations": rows, "categories": categories}


def _found(rng: np.random.Generator, truth: dict[str, Any], spread: float) -> list[dict[str, Any]]:
    """Most objects, some of them as another class too, and boxes of nothing; scores are often equal."""
    rows = []
    for one in truth["annotations"]:
        for _ in range(int(rng.integers(1, 3))):
            moved = np.array(one["bbox"]) + rng.normal(0, spread, 4) * np.tile(one["bbox"][2:], 2)
            same = rng.random() < 0.8
            category = one["category_id"] if same else int(rng.integers(len(NAMES))) + 1
            rows.append(_row(one["image_id"], category, moved, 0.3 + 0.7 * rng.random()))
    for image in rng.integers(1, IMAGES + 1, 40).tolist():
        box = np.concatenate([rng.uniform(0, 100, 2), rng.uniform(8, 60, 2)])
        rows.append(_row(image, int(rng.integers(len(NAMES))) + 1, box, 0.6 * rng.random()))
    return rows


def _row(image: int, category: int, box: np.ndarray, score: float) -> dict[str, Any]:
    low = np.clip(box[:2], 0, np.array(SIZE) - 3)
    high = np.clip(box[:2] + box[2:], low + 2, SIZE)
    x, y, width, height = np.concatenate([low, high - low]).round(2).tolist()
    corners = [[x, y, x + width, y, x + width, y + height, x, y + height]]
    code = codec.merge(codec.frPyObjects(corners, SIZE[1], SIZE[0]))
    mask = {"size": code["size"], "counts": code["counts"].decode()}
    ids = {"image_id": image, "category_id": category, "score": round(score, 1)}
    return {**ids, "bbox": [x, y, width, height], "segmentation": mask}


def _people() -> dict[str, Any]:
    rng, rows = np.random.default_rng(15), []
    for image in range(1, IMAGES + 1):
        for _ in range(int(rng.integers(0, 3))):
            x, y, width, height = rng.uniform(5, 80, 4).round(1).tolist()
            points = np.stack([x + width * rng.random(17), y + height * rng.random(17), np.full(17, 2)], 1)
            row = {"id": len(rows) + 1, "image_id": image, "category_id": 1, "iscrowd": 0, "num_keypoints": 17}
            row |= {"bbox": [x, y, width, height], "area": 0.6 * width * height}
            rows.append({**row, "keypoints": points.round(1).ravel().tolist()})
    return {"images": _images(), "annotations": rows, "categories": [{"id": 1, "name": "person"}]}


def _joints(rng: np.random.Generator, truth: dict[str, Any], spread: float) -> list[dict[str, Any]]:
    rows = []
    for one in truth["annotations"]:
        points = np.array(one["keypoints"]).reshape(17, 3)
        points[:, :2] += rng.normal(0, spread, (17, 2)) * np.sqrt(one["area"])
        ids = {"image_id": one["image_id"], "category_id": 1, "score": round(float(rng.random()), 1)}
        rows.append({**ids, "keypoints": points.round(2).ravel().tolist()})
    return rows


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
