"""A small seeded LVIS: its file beside pictures of COCO's two splits, with boxes and masks as a detector gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as codec

IMAGES, CLASSES, SIZE = 36, 12, (160, 120)
FREQUENCIES = "fffccccrrrrr"
"""Of the classes; those that come often are in most images."""


def draw(folder: Path, worse: bool = False) -> list[dict[str, Any]]:
    """Draws the set below `folder`, which is a suite's, with data in `folder`/data; returns entries of a suite.

    worse: whether predictions lie three times as far from the same annotations, and more of them are missing.
    """
    truth = _truth()
    _write(folder / "data/coco/annotations/lvis_v1_val.json", truth)
    for image in truth["images"]:
        path = folder / "data/coco" / "/".join(image["coco_url"].split("/")[-2:])
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(image["id"]).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).resize(SIZE).save(path)
    boxes = _boxes(truth, worse)
    masks = [{**{key: row[key] for key in row if key != "bbox"}, "segmentation": _mask(row["bbox"])} for row in boxes]
    entries = []
    for metric, rows in (("lvis-boxes", boxes), ("lvis-masks", masks)):
        _write(folder / f"{metric}.json", rows)
        entries.append({"name": metric, "predictions": f"{metric}.json", "dataset": "lvis-v1-val", "metrics": [metric]})
    return entries


def _truth() -> dict[str, Any]:
    rng = np.random.default_rng(14)
    share = np.array([{"f": 6.0, "c": 2.0, "r": 0.8}[one] for one in FREQUENCIES])
    images, objects = [], []
    for number in range(1, IMAGES + 1):
        split = "val2017" if number % 4 == 0 else "train2017"
        present = rng.choice(CLASSES, int(rng.integers(0, 4)), replace=False, p=share / share.sum())
        for category in present.tolist():
            for _ in range(int(rng.integers(1, 4))):
                extent = rng.uniform(8, 115, 2)
                box = np.concatenate([rng.uniform(0, 1, 2) * (np.array(SIZE) - extent), extent]).round(2)
                objects.append({"image_id": number, "category_id": category + 1, "bbox": box.tolist()})
        absent = [one for one in rng.permutation(CLASSES).tolist() if one not in present]
        images.append(
            {
                "id": number,
                "width": SIZE[0],
                "height": SIZE[1],
                "coco_url": f"http://images.cocodataset.org/{split}/{number:012d}.jpg",
                "neg_category_ids": [one + 1 for one in absent[:3]],
                "not_exhaustive_category_ids": [one + 1 for one in present.tolist() if rng.random() < 0.2],
            }
        )
    rows = []
    for number, one in enumerate(objects, 1):
        x, y, width, height = one["bbox"]
        corners = [x, y, x + width, y, x + width, y + height, x, y + height]
        rows.append({"id": number, **one, "area": width * height, "segmentation": [corners]})
    names = [{"id": n + 1, "name": f"thing_{n + 1}", "frequency": one} for n, one in enumerate(FREQUENCIES)]
    return {"images": images, "annotations": rows, "categories": names}


def _boxes(truth: dict[str, Any], worse: bool) -> list[dict[str, Any]]:
    """A box of most objects, and false ones of classes that were looked for or not."""
    rng, far = np.random.default_rng(5), 0.18 if worse else 0.06
    rows = []
    for one in truth["annotations"]:
        moved = np.array(one["bbox"]) + rng.normal(0, far, 4) * np.tile(one["bbox"][2:], 2)
        kept = rng.random() > (0.3 if worse else 0.1)
        score = round(float(rng.uniform(0.3, 1)), 3)
        if kept:
            rows.append(_row(one["image_id"], one["category_id"], moved, score))
    for image in truth["images"]:
        for category in rng.integers(1, CLASSES + 1, 4).tolist():
            box = np.concatenate([rng.uniform(0, 60, 2), rng.uniform(8, 40, 2)])
            rows.append(_row(image["id"], category, box, round(float(rng.uniform(0.05, 0.7)), 3)))
    return rows


def _row(image: int, category: int, box: np.ndarray, score: float) -> dict[str, Any]:
    """Of a box cut to the picture, at least two pixels wide."""
    low = np.clip(box[:2], 0, np.array(SIZE) - 3)
    high = np.clip(box[:2] + box[2:], low + 2, SIZE)
    sides = np.concatenate([low, high - low]).round(2).tolist()
    return {"image_id": image, "category_id": category, "bbox": sides, "score": score}


def _mask(box: list[float]) -> dict[str, Any]:
    x, y, width, height = box
    corners = [[x, y, x + width, y, x + width, y + height, x, y + height]]
    code = codec.merge(codec.frPyObjects(corners, SIZE[1], SIZE[0]))
    return {"size": code["size"], "counts": code["counts"].decode()}


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
