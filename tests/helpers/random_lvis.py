"""Random small LVIS cases full of what makes evaluators differ: those of `random_instances`, with classes that are
verified, absent or not exhaustively annotated, objects of area 0, flags, and images with more detections than count."""

from __future__ import annotations

from typing import Any

import numpy as np
import random_instances


def case(
    seed: int, categories: int = 5, images: int = 8, masks: bool = False, crowded: int = 330
) -> tuple[dict, list[dict]]:
    """(annotations, results) as they would be written to JSON; with `masks` the results are masks, else boxes.

    crowded: detections of an image that has too many, which one in four cases have.
    """
    rng = np.random.default_rng(seed)
    truth, results = random_instances.case(seed, categories, images, masks)
    ids = [each["id"] for each in truth["categories"]]
    for image in truth["images"]:
        image["coco_url"] = f"http://images.cocodataset.org/{rng.choice(['train', 'val'])}2017/{image['id']:012d}.jpg"
        image["neg_category_ids"] = _some(rng, ids, 0.4)
        image["not_exhaustive_category_ids"] = _some(rng, ids, 0.25)
        image["license"] = 1
    for row in truth["annotations"]:
        _flags(rng, row)
    often = rng.choice(["r", "c", "f"], categories, p=rng.dirichlet([1, 1, 1])).tolist()
    for each, frequency in zip(truth["categories"], often, strict=True):
        each |= {"frequency": frequency, "synset": f"{each['name']}.n.01", "image_count": 3, "instance_count": 5}
    if results and rng.random() < 0.25:
        picture = truth["images"][int(rng.integers(images))]["id"]
        like = [row for row in results if row["image_id"] == picture] or results[:1]
        for _ in range(crowded):
            row = {**like[int(rng.integers(len(like)))], "image_id": picture, "category_id": int(rng.choice(ids))}
            row["score"] = float(rng.choice([0.1, 0.5, 0.9])) if rng.random() < 0.8 else float(rng.random())
            if masks and like[0]["image_id"] != picture:
                continue  # masks have the size of their image
            results.append(row)
        results = [results[place] for place in rng.permutation(len(results))]
    return truth, results


def _some(rng: np.random.Generator, ids: list[int], share: float) -> list[int]:
    return [one for one in rng.permutation(ids).tolist() if rng.random() < share]


def _flags(rng: np.random.Generator, row: dict[str, Any]) -> None:
    if rng.random() < 0.8:
        del row["iscrowd"]
    if rng.random() < 0.8:
        del row["ignore"]
    if rng.random() < 0.05:
        row["area"] = 0.0
