"""Random small cases of pose sets with rules of their own: CrowdPose, COCO-WholeBody, sets without areas.

Made of `random_coco`: ties, crowds, empty images, people without joints, areas on the borders of the ranges. Beside
that they have what these sets' evaluation looks at: predicted people without a seen joint, scores of parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import random_coco

PARTS = (("keypoints", 17), ("foot_kpts", 6), ("face_kpts", 68), ("lefthand_kpts", 21), ("righthand_kpts", 21))
SCORES = ("wholebody_score", "foot_score", "face_score", "lefthand_score", "righthand_score")


def crowdpose(seed: int, images: int = 8) -> tuple[dict, list[dict]]:
    """(annotations, results): crowd indices, no areas, `num_keypoints` that counts visible joints alone."""
    rng = np.random.default_rng([seed, 14])
    truth, results = random_coco.case(seed, 14, 1, images)
    for place, image in enumerate(truth["images"]):
        # now and then on a bound, or all images in one split
        index = float(rng.choice([0.0, 0.1, 0.2, 0.8, 1.0])) if rng.random() < 0.4 else round(float(rng.random()), 2)
        image["crowdIndex"] = round(index / 5, 3) if seed % 5 == 0 else index
        image["file_name"] = f"{100000 + place}.jpg"
    for row in truth["annotations"]:
        del row["area"]
        if rng.random() < 0.9:
            row["num_keypoints"] = sum(seen == 2 for seen in row["keypoints"][2::3])
        if rng.random() < 0.15:  # an area on a border of the ranges
            row["bbox"][2:] = [1024 / 0.53 / 32, 32.0]
    return truth, [_unseen(row, rng, "keypoints") for row in results]


def without_areas(seed: int, joints: int, categories: int = 1, images: int = 8) -> tuple[dict, list[dict]]:
    """(annotations, results): no areas, and now and then a predicted person without a seen joint."""
    rng = np.random.default_rng([seed, 3])
    truth, results = random_coco.case(seed, joints, categories, images)
    for row in truth["annotations"]:
        del row["area"]
    return truth, [_unseen(row, rng, "keypoints") for row in results]


def with_areas(seed: int, joints: int, categories: int = 1, images: int = 8) -> tuple[dict, list[dict]]:
    """(annotations, results): as `random_coco.case`, and now and then a predicted person without a seen joint."""
    rng = np.random.default_rng([seed, 5])
    truth, results = random_coco.case(seed, joints, categories, images)
    return truth, [_unseen(row, rng, "keypoints") for row in results]


def wholebody(seed: int, images: int = 6) -> tuple[dict, list[dict]]:
    """(annotations, results) with five keys of joints; scores of parts where the seed is odd, boxes where 4 divides."""
    rng = np.random.default_rng([seed, 133])
    truth, results = random_coco.case(seed, 133, 1, images)
    for row in truth["annotations"]:
        _split(row, rng)
        for part, _ in PARTS[1:]:
            seen = any(value > 0 for value in row[part][2::3])
            row[part.replace("_kpts", "_valid")] = bool(seen) if rng.random() < 0.95 else not seen
    for row in results:
        _split(row, rng)
        for part, _ in PARTS:
            _unseen(row, rng, part)
        for name in SCORES if seed % 2 else ():
            row[name] = row["score"] if rng.random() < 0.5 else float(rng.choice([0.1, 0.5, 0.9]))
        if seed % 4 == 0:
            row["bbox"] = rng.uniform(1, 200, 4).tolist()
    return truth, results


def _split(row: dict[str, Any], rng: np.random.Generator) -> None:
    """Five keys of joints in place of one; in one case in six a part of an annotation has no seen joint."""
    whole, at = row["keypoints"], 0
    for part, joints in PARTS:
        row[part] = whole[3 * at : 3 * (at + joints)]
        if "score" not in row and rng.random() < 1 / 6:
            row[part] = [0 for _ in row[part]]
        at += joints


def _unseen(row: dict[str, Any], rng: np.random.Generator, key: str) -> dict[str, Any]:
    """The row; in one case in twelve without a joint whose third number is above 0."""
    if rng.random() < 1 / 12:
        row[key][2::3] = [float(rng.choice([0.0, -0.5]))] * (len(row[key]) // 3)
    return row


def posetrack(seed: int, frames: int = 8) -> tuple[dict, list[dict]]:
    """(annotations of one video, results): heads, regions to ignore, people near each other, equal scores."""
    rng = np.random.default_rng([seed, 18])
    images: list[dict] = []
    people: list[dict] = []
    results: list[dict] = []
    for image in range(1, frames + 1):
        square = rng.integers(0, 40, 2).tolist()
        region = {
            "ignore_regions_x": [[square[0], square[0] + 12, square[0] + 12, square[0]]],
            "ignore_regions_y": [[square[1], square[1], square[1] + 12, square[1] + 12]],
        }
        images.append({"id": image, "file_name": f"{image}.jpg", "vid_id": "1", **(region if image % 3 else {})})
        for _ in range(0 if image % 5 == 0 else int(rng.integers(1, 4))):
            joints = np.concatenate([rng.integers(1, 50, (17, 2)), rng.integers(0, 2, (17, 1))], axis=1)
            joints[rng.random(17) < 0.2] = 0
            row = {"image_id": image, "category_id": 1, "keypoints": joints.ravel().tolist(), "track_id": 0}
            box = [0, 0, *rng.integers(3, 9, 2).tolist()]
            people.append({**row, "id": 100 * image + len(people), "bbox_head": box, "bbox": [0, 0, 50, 50]})
            for _ in range(int(rng.integers(0, 3))):
                moved = joints[:, :2] + rng.integers(-2, 3, (17, 2))
                guess = np.concatenate([moved, rng.choice([0.2, 0.5, 0.9], (17, 1))], axis=1)
                guess[rng.random(17) < 0.15] = 0
                results.append({"image_id": image, "category_id": 1, "keypoints": guess.ravel().tolist(), "score": 0.5})
        if rng.random() < 0.3:
            guess = np.concatenate([rng.integers(1, 50, (17, 2)), rng.random((17, 1))], axis=1)
            results.append({"image_id": image, "category_id": 1, "keypoints": guess.ravel().tolist(), "score": 0.1})
    names = (
        "nose head_bottom head_top left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist"
    )
    names += " right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
    category = {"id": 1, "name": "person", "keypoints": names.split()}
    return {"images": images, "annotations": people, "categories": [category]}, results
