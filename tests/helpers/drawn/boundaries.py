"""Small seeded sets of regions in real layouts: streets, label maps in folders, objects with masks of COCO's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as codec

IMAGES, SIZE, CLASSES = 36, (72, 96), ["road", "tree", "house", "boat"]
LABELS = np.array([7, 21, 11, 26], np.uint8)
"""Label ids of Cityscapes for the four classes: road, vegetation, building, car."""


def draw(folder: Path, worse: bool = False) -> list[dict[str, Any]]:
    """Draws the sets below `folder`, which is a suite's, with data in `folder`/data; returns entries of a suite.

    worse: whether predictions are shifted by more pixels from the same annotations.
    """
    rng = np.random.default_rng(14)
    truths = [_regions(rng) for _ in range(IMAGES)]
    noise, shift = np.random.default_rng(15), 5 if worse else 1
    found = [np.roll(one, noise.integers(-shift, shift + 1, 2).tolist(), (0, 1)) for one in truths]
    given = folder / ("worse" if worse else "good")  # where predictions lie
    maps = _label_folders(folder, given, truths, found)
    streets, objects = _streets(folder, given, truths, found), _objects(folder, given, truths, found)
    return [
        {
            "name": "region-maps",
            "predictions": f"{given.name}/region-maps",
            "dataset": {**maps, "metric_args": {"miou": {"dice": "one", "dice_over": "image", "class_accuracy": True}}},
            "metrics": ["miou", "boundary-miou"],
        },
        {
            "name": "region-streets",
            "predictions": f"{given.name}/region-streets",
            "dataset": {**streets, "metric_args": {"cityscapes": {"dice": "left_out"}}},
            "metrics": ["cityscapes", "boundary-miou"],
        },
        {
            "name": "region-objects",
            "predictions": f"{given.name}/region-objects.json",
            "dataset": {**objects, "metric_args": {"coco-boundary": {"dilation_ratio": 0.03}}},
            "metrics": ["coco-boundary"],
        },
    ]


def _regions(rng: np.random.Generator) -> np.ndarray:
    """(H, W) uint8 class indices: up to five discs of classes on class 0; some lie at the border."""
    rows, columns = np.indices(SIZE)
    labels = np.zeros(SIZE, np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        centre, radius = rng.uniform(0, 1, 2) * SIZE, rng.uniform(4, 26)
        labels[np.hypot(rows - centre[0], columns - centre[1]) < radius] = rng.integers(1, 4)
    return labels


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _picture(path: Path, labels: np.ndarray) -> None:
    _save(path, np.stack([60 * labels] * 3, axis=-1).astype(np.uint8))


def _label_folders(folder: Path, given: Path, truths: list[np.ndarray], found: list[np.ndarray]) -> dict[str, Any]:
    for number, (truth, guess) in enumerate(zip(truths, found, strict=True)):
        _picture(folder / f"data/regions/images/{number:02d}.png", truth)
        _save(folder / f"data/regions/labels/{number:02d}.png", np.where(truth == 3, 255, truth).astype(np.uint8))
        _save(given / f"region-maps/{number:02d}.png", guess)
    (given / "region-maps/labels.txt").write_text("indices\n")
    return {"use": "label-folders", "name": "regions", "folder": "regions", "names": CLASSES, "image_suffix": ".png",
            "ignore": [255]}  # fmt: skip


def _streets(folder: Path, given: Path, truths: list[np.ndarray], found: list[np.ndarray]) -> dict[str, Any]:
    root = folder / "data/region-streets"
    for number, (truth, guess) in enumerate(zip(truths, found, strict=True)):
        name = f"val/ulm/ulm_{number:06d}_000019"
        labels = LABELS[truth]
        instances = np.where(labels == 26, 26001, labels.astype(np.int32))
        _picture(root / f"leftImg8bit/{name}_leftImg8bit.png", truth)
        _save(root / f"gtFine/{name}_gtFine_labelIds.png", labels)
        _save(root / f"gtFine/{name}_gtFine_instanceIds.png", instances.astype(np.uint16))
        _save(given / f"region-streets/ulm/{Path(name).name}.png", LABELS[guess])
    (given / "region-streets/labels.txt").write_text("ids\n")
    return {"use": "cityscapes", "name": "region-streets", "folder": "region-streets", "cities": {"ulm": IMAGES}}


def _objects(folder: Path, given: Path, truths: list[np.ndarray], found: list[np.ndarray]) -> dict[str, Any]:
    images, annotations, rows = [], [], []
    for number, (truth, guess) in enumerate(zip(truths, found, strict=True), 1):
        images.append({"id": number, "file_name": f"{number:02d}.png", "height": SIZE[0], "width": SIZE[1]})
        _picture(folder / f"data/region-objects/images/{number:02d}.png", truth)
        for label in range(1, 4):
            if (truth == label).any():
                code, box, area = _coded(truth == label)
                annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": label, "area": area,
                                    "bbox": box, "iscrowd": 0, "segmentation": code})  # fmt: skip
            if (guess == label).any():
                code, _, _ = _coded(guess == label)
                rows.append({"image_id": number, "category_id": label, "segmentation": code,
                             "score": round(0.5 + 0.4 * float(np.sin(7 * number + label)), 6)})  # fmt: skip
    content = {"images": images, "annotations": annotations,
               "categories": [{"id": n, "name": name} for n, name in enumerate(CLASSES) if n]}  # fmt: skip
    (folder / "data/region-objects/instances.json").write_text(json.dumps(content))
    (given / "region-objects.json").write_text(json.dumps(rows))
    return {"use": "coco-instances", "name": "region-objects", "folder": "region-objects",
            "annotations": "data/region-objects/instances.json", "images": "data/region-objects/images"}  # fmt: skip


def _coded(mask: np.ndarray) -> tuple[dict[str, Any], list[float], float]:
    code = codec.encode(np.asfortranarray(mask.astype(np.uint8)))
    boxes: Any = codec.toBbox(code)
    return {"size": list(SIZE), "counts": code["counts"].decode()}, boxes.tolist(), float(mask.sum())
