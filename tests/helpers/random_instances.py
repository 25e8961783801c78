"""Random small COCO instance cases that are full of what makes evaluators differ: ties, crowds, empty images, objects
and detections twice, areas on the borders of the ranges and of nothing, categories without objects, masks of all kinds
and empty ones, more detections than count."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from pycocotools import mask as codec

AREAS = [0.0, 32.0**2, np.nextafter(32.0**2, 0), 96.0**2, np.nextafter(96.0**2, 1e9), 1e10, 1e11]
SIDES = [0.0, 1.0, 32.0, 96.0, 12.5]
SCORES = [0.1, 0.5, 0.5, 0.9, 1.0]


def case(seed: int, categories: int = 2, images: int = 6, masks: bool = False) -> tuple[dict, list[dict]]:
    """(annotations, results) as they would be written to JSON; with `masks` the results are masks, else boxes."""
    rng = np.random.default_rng(seed)
    ids = rng.choice(1000, images, replace=False).tolist()
    pictures = [{"id": i, "width": int(rng.integers(8, 150)), "height": int(rng.integers(8, 150))} for i in ids]
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    crowded = rng.integers(images) if rng.random() < 0.15 else -1
    for number, picture in enumerate(pictures):
        mine = [_object(rng, picture, categories) for _ in range(int(rng.choice([0, 0, 1, 3, 6])))]
        if mine and rng.random() < 0.2:
            mine.append(dict(mine[0]))  # the same object twice
        many = int(rng.choice([0, 1, 4, 12])) if number != crowded else 115
        results += [_detection(rng, picture, categories if number != crowded else 1, mine, masks) for _ in range(many)]
        annotations += mine
    if results and rng.random() < 0.3:
        results += [dict(results[0]), dict(results[-1])]
    order = rng.permutation(len(annotations)).tolist()
    truth = {
        "images": pictures,
        "annotations": [{**annotations[place], "id": 7 * n + 1} for n, place in enumerate(order)],
        "categories": [{"id": 3 * c + 1, "name": f"category {c}"} for c in range(categories)],
    }
    return truth, [results[place] for place in rng.permutation(len(results))]


def _box(rng: np.random.Generator, picture: dict) -> list[float]:
    width, height = rng.uniform(2, picture["width"]), rng.uniform(2, picture["height"])
    x, y = rng.uniform(-5, picture["width"]), rng.uniform(-5, picture["height"])
    if rng.random() < 0.3:
        x, y, width, height = np.round([x, y, width, height])
    if rng.random() < 0.2:
        width, height = rng.choice(SIDES, 2)
    return [float(x), float(y), float(width), float(height)]


def _object(rng: np.random.Generator, picture: dict, categories: int) -> dict[str, Any]:
    box = _box(rng, picture)
    kind = rng.random()
    if kind < 0.5:
        segmentation: Any = [_polygon(rng, box) for _ in range(int(rng.integers(1, 3)))]
    else:
        drawn = np.asfortranarray(_drawn(rng, picture, box))
        code = codec.encode(drawn)
        segmentation = {"size": code["size"], "counts": _runs(drawn) if kind < 0.75 else code["counts"].decode()}
    return {
        "image_id": picture["id"],
        "category_id": 3 * int(rng.integers(categories)) + 1,
        "area": float(rng.choice(AREAS)) if rng.random() < 0.3 else box[2] * box[3] * float(rng.uniform(0.3, 1)),
        "bbox": box,
        "iscrowd": int(rng.random() < 0.15),
        "ignore": int(rng.random() < 0.1),  # of no consequence
        "segmentation": segmentation,
    }


def _polygon(rng: np.random.Generator, box: list[float]) -> list[float]:
    corners = rng.random((int(rng.integers(3, 8)), 2)) * box[2:] + box[:2]
    return np.round(corners, 2).ravel().tolist()


def _drawn(rng: np.random.Generator, picture: dict, box: list[float]) -> np.ndarray:
    """(H, W) uint8: a filled box with holes, cut off at the image's borders; now and then nothing, or everything."""
    drawn = np.zeros((picture["height"], picture["width"]), np.uint8)
    x, y, width, height = (max(0, int(v)) for v in box)
    drawn[y : y + height, x : x + width] = rng.random(drawn[y : y + height, x : x + width].shape) < 0.95
    kind = rng.random()
    if kind < 0.1:
        drawn[:] = kind < 0.05
    return drawn


def _runs(drawn: np.ndarray) -> list[int]:
    flat = drawn.ravel(order="F")
    turns = np.flatnonzero(np.diff(np.concatenate(([0], flat, [2]))))
    return np.diff(turns, prepend=0).tolist()


def _detection(rng: np.random.Generator, picture: dict, categories: int, objects: list[dict], masks: bool) -> dict:
    category, box = 3 * int(rng.integers(categories)) + 1, _box(rng, picture)
    like = objects[int(rng.integers(len(objects)))] if objects and rng.random() < 0.75 else None
    if like is not None:
        category = like["category_id"] if rng.random() < 0.9 else category
        spread = rng.choice([0.0, 0.02, 0.1, 0.3])
        box = (np.array(like["bbox"]) + rng.normal(0, 1, 4) * spread * np.tile(like["bbox"][2:], 2)).tolist()
        box[2:] = [max(0.0, side) for side in box[2:]]
    score = float(rng.choice(SCORES)) if rng.random() < 0.6 else float(rng.normal())
    row: dict[str, Any] = {"image_id": picture["id"], "category_id": category, "score": score}
    if not masks:
        return {**row, "bbox": box}
    drawn = _drawn(rng, picture, box)
    if like is not None and rng.random() < 0.7:
        drawn = _mask(like["segmentation"], picture)
        if rng.random() < 0.7:
            drawn = np.roll(drawn, rng.integers(-3, 4, 2), (0, 1))
    code = codec.encode(np.asfortranarray(drawn))
    return {**row, "segmentation": {"size": code["size"], "counts": code["counts"].decode()}}


def _mask(segmentation: Any, picture: dict) -> np.ndarray:
    if isinstance(segmentation, list) or isinstance(segmentation["counts"], list):
        segmentation = codec.frPyObjects(segmentation, picture["height"], picture["width"])
    if isinstance(segmentation, list):
        segmentation = codec.merge(segmentation)
    with warnings.catch_warnings():  # of NumPy, about how the codec hands out its array
        warnings.simplefilter("ignore", DeprecationWarning)
        return codec.decode(segmentation)
