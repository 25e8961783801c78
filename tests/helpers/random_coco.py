"""Random small COCO keypoint cases that are full of what makes evaluators differ: ties, crowds, empty images, people
without keypoints, several categories, skeletons of other sizes, areas on the borders of the ranges."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

AREAS = [0.0, 32.0**2, 96.0**2, 1e10, 1e11]


def case(seed: int, joints: int = 17, categories: int = 1, images: int = 8) -> tuple[dict, list[dict]]:
    """(annotations, results) as they would be written to JSON."""
    rng = np.random.default_rng(seed)
    ids = sorted(rng.choice(1000, images, replace=False).tolist(), key=lambda _: rng.random())
    annotations, results = [], []
    for image in ids:
        for _ in range(int(rng.choice([0, 0, 1, 2, 5]))):
            annotations.append(_person(rng, image, joints, categories, len(annotations)))
        mine = [a for a in annotations if a["image_id"] == image]
        for _ in range(int(rng.choice([0, 1, 4, 30]))):
            results.append(_detection(rng, image, joints, categories, mine))
    order = rng.permutation(len(results))
    truth = {
        "images": [{"id": image, "width": 640, "height": 480} for image in ids],
        "annotations": [annotations[i] for i in rng.permutation(len(annotations))],
        "categories": [{"id": 3 * c + 1, "name": f"category {c}"} for c in range(categories)],
    }
    return truth, [results[i] for i in order]


def _person(rng: np.random.Generator, image: int, joints: int, categories: int, before: int) -> dict[str, Any]:
    width, height = rng.uniform(5, 300, 2)
    x, y = rng.uniform(-50, 500, 2)
    points = np.stack([x + width * rng.random(joints), y + height * rng.random(joints)], 1)
    seen = rng.choice([0, 1, 2], joints)
    kind = rng.random()
    if kind < 0.2:
        seen[:] = 0
    if rng.random() < 0.5:
        points = np.round(points)
    area = float(rng.choice(AREAS)) if rng.random() < 0.15 else float(width * height * 0.6)
    keypoints = np.concatenate([points * (seen > 0)[:, None], seen[:, None]], 1).ravel().tolist()
    if rng.random() < 0.5:
        keypoints = [int(v) if float(v).is_integer() else v for v in keypoints]
    return {
        "id": 7 * before + 1,
        "image_id": image,
        "category_id": 3 * int(rng.integers(categories)) + 1,
        "area": area,
        "bbox": [float(x), float(y), float(width), float(height)],
        "iscrowd": int(rng.random() < 0.15),
        # now and then at odds with the keypoints: the evaluation uses both
        "num_keypoints": int((seen > 0).sum()) if rng.random() < 0.9 else int(rng.integers(0, 2)),
        "keypoints": keypoints,
    }


def _detection(rng: np.random.Generator, image: int, joints: int, categories: int, people: list[dict]) -> dict:
    category = 3 * int(rng.integers(categories)) + 1
    if people and rng.random() < 0.75:
        person = people[int(rng.integers(len(people)))]
        category = person["category_id"] if rng.random() < 0.9 else category
        points = np.array(person["keypoints"], float).reshape(-1, 3)
        spread = rng.choice([0.0, 0.02, 0.1, 0.3]) * np.sqrt(min(person["area"], 1e5))
        points[:, :2] += rng.normal(0, 1, (joints, 2)) * spread
    else:
        points = rng.uniform(0, 400, (joints, 3))
    points[:, 2] = rng.random(joints)
    score = float(rng.choice([0.1, 0.5, 0.5, 0.9, 1.0])) if rng.random() < 0.6 else float(rng.normal())
    return {"image_id": image, "category_id": category, "keypoints": points.ravel().tolist(), "score": score}


def repeated(truth: dict, results: list[dict], times: Sequence[int], images: Sequence[int]) -> list[float]:
    """pycocotools on a data set in which image n occurs times[n] times, copies numbered side by side."""
    copies = {image: [1000 * image + copy for copy in range(n)] for image, n in zip(images, times, strict=True)}
    people = [{**a, "image_id": i} for a in truth["annotations"] for i in copies[a["image_id"]]]
    found = [{**r, "image_id": i} for r in results for i in copies[r["image_id"]]]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i} for ids in copies.values() for i in ids],
            "annotations": [{**person, "id": n + 1} for n, person in enumerate(people)],
            "categories": truth["categories"],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist()
