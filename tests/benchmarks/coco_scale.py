"""Generated COCO keypoint files of val2017's size: 5,000 images, 6,000 people, 100,000 detections.

Like a top-down network's results over a detector's boxes: 20 detections in every image, some near a person, most of
them with low scores; coordinates and confidences are float32 written with all their digits, as networks' files are.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

IMAGES, PEOPLE, DETECTIONS, JOINTS = 5000, 6000, 100_000, 17


def write(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Writes `truth.json` and `results.json` to `folder` and returns their paths."""
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.choice(600_000, IMAGES, replace=False) + 1)
    crowded = rng.choice(IMAGES, 2700, replace=False)  # images with people
    image = np.concatenate([crowded, rng.choice(crowded, PEOPLE - len(crowded), p=_skewed(rng, len(crowded)))])
    size = np.exp(rng.normal(4.3, 0.9, PEOPLE)).clip(12, 400)
    corner = rng.uniform(0, 1, (PEOPLE, 2)) * (640 - size[:, None]).clip(1)
    shape = size[:, None] * [0.6, 1.0]
    points = np.round(corner[:, None] + rng.uniform(0, 1, (PEOPLE, JOINTS, 2)) * shape[:, None])
    seen = np.where(rng.random((PEOPLE, JOINTS)) < 0.65, rng.integers(1, 3, (PEOPLE, JOINTS)), 0)
    seen[rng.random(PEOPLE) < 0.2] = 0
    crowd = rng.random(PEOPLE) < 0.02
    area = shape[:, 0] * shape[:, 1] * 0.6
    labelled = np.concatenate([points * (seen > 0)[..., None], seen[..., None]], 2).reshape(PEOPLE, -1)
    annotations = [
        {
            "id": n + 1,
            "image_id": int(ids[image[n]]),
            "category_id": 1,
            "iscrowd": int(crowd[n]),
            "area": float(area[n]),
            "bbox": [*corner[n].tolist(), *shape[n].tolist()],
            "num_keypoints": int((seen[n] > 0).sum()),
            "keypoints": labelled[n].astype(int).tolist(),
        }
        for n in range(PEOPLE)
    ]
    truth = {
        "images": [{"id": i, "width": 640, "height": 480, "file_name": f"{i:012d}.jpg"} for i in ids.tolist()],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }
    target, results = folder / "truth.json", folder / "results.json"
    target.write_text(json.dumps(truth))
    results.write_text(json.dumps(_detections(rng, ids, image, points, area)))
    return target, results


def _skewed(rng: np.random.Generator, many: int) -> np.ndarray:
    weight = rng.pareto(1.5, many) + 0.2
    return weight / weight.sum()


def _detections(
    rng: np.random.Generator, ids: np.ndarray, image: np.ndarray, points: np.ndarray, area: np.ndarray
) -> list[dict]:
    each = DETECTIONS // IMAGES
    by_image = np.argsort(image, kind="stable")
    starts = np.searchsorted(image[by_image], np.arange(IMAGES + 1))
    rows = []
    for i in range(IMAGES):
        people = by_image[starts[i] : starts[i + 1]]
        noise = rng.uniform(0, 1, (each, JOINTS, 3))
        pose, score = noise[..., :2] * 300 + rng.uniform(0, 300, (each, 1, 2)), rng.beta(0.6, 6, each)
        for n in range(each if len(people) else 0):
            if n < 2 * len(people):  # every person about twice: one good detection, one loose one
                person = people[n % len(people)]
                loose = rng.exponential(0.05 if n < len(people) else 0.2)
                pose[n] = points[person] + rng.normal(0, 1, (JOINTS, 2)) * loose * np.sqrt(area[person])
                score[n] = np.clip(rng.beta(4, 2) - loose, 0.001, 1)
        table = np.concatenate([pose, noise[..., 2:]], 2).astype(np.float32).reshape(each, -1)
        for row, value in zip(table.tolist(), score.astype(np.float32).tolist(), strict=True):
            rows.append({"image_id": int(ids[i]), "category_id": 1, "keypoints": row, "score": value})
    return rows
