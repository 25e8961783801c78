"""Small seeded sets whose predictions are points: people as in COCO and MPII, faces as in WFLW, 300W and AFLW."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

MPII_JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip
IMAGES = 40


def draw(folder: Path, worse: bool = False) -> list[dict[str, Any]]:
    """Draws them below `folder`, which is a suite's, with data in `folder`/data; returns entries of a suite.

    worse: whether predictions lie three times as far from the same annotations.
    """
    return [_coco(folder, worse), _mpii(folder, worse), *_faces(folder, worse)]


def _coco(folder: Path, worse: bool) -> dict[str, Any]:
    """One or two people a picture in a file of COCO's form; nobody in every tenth."""
    rng, spread = np.random.default_rng(14), 3.0 if worse else 1.0
    images, people, results = [], [], []
    for image in range(1, IMAGES + 1):
        images.append({"id": image, "file_name": f"{image:012d}.jpg", "width": 640, "height": 480})
        for _ in range(0 if image % 10 == 0 else 1 + image % 2):
            x, y, width, height = *rng.uniform(0, 300, 2), *rng.uniform(60, 150, 2)
            seen = rng.choice([0, 1, 2], 17, p=[0.2, 0.2, 0.6])
            seen[0] = 2
            points = np.stack([rng.uniform(x, x + width, 17), rng.uniform(y, y + height, 17)], axis=1)
            joints = np.concatenate([points * (seen > 0)[:, None], seen[:, None]], axis=1)
            row = {"image_id": image, "category_id": 1}
            told = {"area": width * height / 2, "bbox": [x, y, width, height], "iscrowd": 0}
            counted = {"num_keypoints": int((seen > 0).sum()), "id": len(people) + 1}
            people.append({**row, **told, **counted, "keypoints": joints.ravel().tolist()})
            guess = points + spread * rng.normal(0, 0.08 * max(width, height), (17, 2))
            guess = np.concatenate([guess, np.ones((17, 1))], axis=1)
            results.append({**row, "score": 0.9, "keypoints": guess.ravel().tolist()})
    content = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    truth = folder / "data/coco/annotations/person_keypoints_val2017.json"
    truth.parent.mkdir(parents=True, exist_ok=True)
    truth.write_text(json.dumps(content))
    (folder / "pck.json").write_text(json.dumps(results))
    args = {"reference": "torso", "thresholds": [0.2, 0.5]}
    dataset = {"base": "coco-keypoints-val2017", "metric_args": {"pck": args}}
    return {"name": "pck_coco", "predictions": "pck.json", "dataset": dataset, "metrics": ["pck"]}


def _mpii(folder: Path, worse: bool) -> dict[str, Any]:
    """MPII's gt_valid.mat with its list, and predictions as the official code saves them."""
    rng, spread = np.random.default_rng(15), 3.0 if worse else 1.0
    names = np.empty((1, 16), object)
    names[0] = MPII_JOINTS
    people = 2 * IMAGES
    position = rng.uniform(50, 400, (16, 2, people))
    heads = np.concatenate([position[9][None], position[9][None] + rng.uniform(40, 80, (1, 2, people))])
    missing = (rng.random((16, people)) < 0.2).astype(np.uint8)
    content = {"dataset_joints": names, "jnt_missing": missing, "pos_gt_src": position, "headboxes_src": heads}
    annotations = folder / "data/mpii/annot"
    annotations.mkdir(parents=True, exist_ok=True)
    _matlab(annotations / "gt_valid.mat", content)
    listed = [{"image": f"{n // 2:05d}.jpg", "scale": 1.5, "center": [200.0, 200.0]} for n in range(people)]
    (annotations / "valid.json").write_text(json.dumps(listed))
    guess = position.transpose(2, 0, 1) + spread * rng.normal(0, 12, (people, 16, 2))
    _matlab(folder / "pckh.mat", {"preds": guess})
    dataset = {"base": "mpii-val", "metric_args": {"pck": {"reference": "head", "thresholds": 0.5}}}
    return {"name": "pck_mpii", "predictions": "pckh.mat", "dataset": dataset, "metrics": ["pck", "mpii-pckh"]}


FACES = {"wflw": ("test", 98, ("largepose", "blur")), "300w": ("valid", 68, ("common", "challenge")),
         "aflw": ("test", 19, ("frontal",))}  # fmt: skip


def _faces(folder: Path, worse: bool) -> list[dict[str, Any]]:
    """HRNet's CSV files with those of subsets; one or two faces a picture."""
    entries = []
    for number, (name, (split, landmarks, subsets)) in enumerate(FACES.items()):
        rng, spread = np.random.default_rng(16 + number), 3.0 if worse else 1.0
        points = rng.uniform(100, 300, (60, landmarks, 2)).round(2)
        lines = []
        for face, own in enumerate(points):
            size = [200.0] if name == "aflw" else []
            lines.append(
                ",".join(map(str, (f"p/{face // 3 * 2 + face % 2}.jpg", 1.0, *size, 200.0, 200.0, *own.ravel())))
            )
        heading = ",".join(f"column_{place}" for place in range(lines[0].count(",") + 1))
        stem = f"face_landmarks_{name}_{split}"
        (folder / "data" / name).mkdir(parents=True, exist_ok=True)
        (folder / "data" / name / f"{stem}.csv").write_text("\n".join([heading, *lines]) + "\n")
        for place, subset in enumerate(subsets):
            some = lines[place :: len(subsets) + (len(subsets) == 1)]
            (folder / "data" / name / f"{stem}_{subset}.csv").write_text("\n".join([heading, *some]) + "\n")
        guess = points + spread * rng.normal(0, 4, points.shape) * rng.uniform(0.5, 2, (60, 1, 1))
        np.save(folder / f"{name}.npy", guess)
        entries.append({"name": f"nme_{name}", "predictions": f"{name}.npy", "dataset": f"{name}-{split}"})
    return entries


def _matlab(path: Path, variables: dict[str, Any]) -> None:
    """SciPy's file, without the time in its head: the same variables are the same bytes."""
    savemat(path, variables)
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + path.read_bytes()[116:])
