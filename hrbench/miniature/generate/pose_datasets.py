"""The pose miniatures on disk: generated scenes in the official layouts of COCO keypoints and MPII, as PNG.

    <folder>/annotations/person_keypoints_val2017.json                                  COCO
    <folder>/val2017/000000000001.png ...
    <folder>/person_detection_results/COCO_val2017_detections_AP_H_56_person.json

    <folder>/annot/valid.json  annot/gt_valid.mat  images/000000001.png ...             MPII

The same seed gives the same pixels and annotations on every machine. A set is written beside its folder and renamed at
the end, so a folder never holds half a set.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

from hrbench.miniature.generate import body_model
from hrbench.miniature.generate.people_scenes import TEST_SEED, AnnotatedPerson, PeopleScene, scenes
from hrbench.miniature.generate.write import save_png, write_dataset

COCO_IMAGES = 96
MPII_IMAGES = 80
COCO_JOINTS = 17
AREA_OF_BOX = 0.53
"""OKS needs a person's area. The mask of thin drawn limbs fills about 29 % of the box, that of a real person about 53
%, so with the area of the mask OKS would be twice as strict as in COCO. The area is taken from the box instead."""

COCO_SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
MPII_NAMES = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head", "rwri", "relb", "rsho", "lsho",
    "lelb", "lwri",
)  # fmt: skip


def generate_coco(folder: Path) -> None:
    """Generates the COCO keypoint miniature in `folder`, a new one. Raises UsageError if it cannot be written."""
    write_dataset(folder, _write_coco)


def generate_mpii(folder: Path) -> None:
    """Generates the MPII miniature in `folder`, a new one. Raises UsageError if it cannot be written."""
    write_dataset(folder, _write_mpii)


# --- COCO --------------------------------------------------------------------------------------------------------


def _write_coco(folder: Path) -> None:
    for part in ("annotations", "val2017", "person_detection_results"):
        (folder / part).mkdir()
    images, annotations, detections = [], [], []
    for scene in scenes("coco", TEST_SEED, COCO_IMAGES):
        name = f"{scene.index + 1:012d}.png"
        height, width = scene.image.shape[:2]
        save_png(folder / "val2017" / name, scene.image)
        images.append({"id": scene.index + 1, "file_name": name, "width": width, "height": height, "license": 1})
        annotations += coco_annotations(scene)
        detections += detected_boxes(scene)
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    content = {
        "info": {
            "description": "hrbench miniature of COCO keypoints, drawn",
            "version": "1",
            "year": 2019,
            "area": f"of a person: {AREA_OF_BOX} x width x height of the box; of a crowd: the pixels of its mask",
        },
        "licenses": [{"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}],
        "images": images,
        "annotations": annotations,
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(body_model.JOINTS[:COCO_JOINTS]),
                "skeleton": [list(bone) for bone in COCO_SKELETON],
            }
        ],
    }
    (folder / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(content))
    boxes = folder / "person_detection_results" / "COCO_val2017_detections_AP_H_56_person.json"
    boxes.write_text(json.dumps(detections))


def coco_annotations(scene: PeopleScene) -> list[dict[str, Any]]:
    """COCO's annotations of one scene, without ids: the people, then the crowd as one region with a mask.

    Keypoints are x, y, flag triples; box and area in pixels. A person entirely outside the image is not annotated.
    """
    rows = [_coco_person(scene, person) for person in scene.people if person.role != "crowd" and _shown(person)]
    crowd = [person for person in scene.people if person.role == "crowd"]
    if crowd:
        rows.append(_coco_crowd(scene, crowd))
    return rows


def _shown(person: AnnotatedPerson) -> bool:
    return bool(person.pixels.sum() >= 12 and person.box[2] >= 3 and person.box[3] >= 3)


def _coco_person(scene: PeopleScene, person: AnnotatedPerson) -> dict[str, Any]:
    flags = person.flags[:COCO_JOINTS] if person.role == "person" else np.zeros(COCO_JOINTS, dtype=np.int64)
    keypoints: list[float] = []
    for (x, y), flag in zip(person.joints[:COCO_JOINTS], flags, strict=True):
        keypoints += [round(float(x), 2), round(float(y), 2), int(flag)] if flag else [0, 0, 0]
    box = [round(value, 2) for value in person.box]
    return {
        "id": 0,
        "image_id": scene.index + 1,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": round(AREA_OF_BOX * box[2] * box[3], 4),
        "num_keypoints": int((flags > 0).sum()),
        "keypoints": keypoints,
        "segmentation": _outlines(person.pixels),
    }


def _outlines(pixels: np.ndarray) -> list[list[int]]:
    """The outer outlines of a mask as polygons x, y, x, y, ...; parts without an area are left out."""
    found, _ = cv2.findContours(pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [[int(v) for v in line.reshape(-1)] for line in found if len(line) >= 4]


def _coco_crowd(scene: PeopleScene, crowd: list[AnnotatedPerson]) -> dict[str, Any]:
    pixels = np.any([person.pixels for person in crowd], axis=0)
    rows, columns = np.nonzero(pixels)
    x, y = int(columns.min()), int(rows.min())
    down = pixels.T.reshape(-1)  # COCO's run lengths go down the columns and begin with the background
    edges = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]]).astype(np.int8)))
    counts = np.diff(np.concatenate([[0], edges, [down.size]])).tolist()
    return {
        "id": 0,
        "image_id": scene.index + 1,
        "category_id": 1,
        "iscrowd": 1,
        "bbox": [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y],
        "area": int(pixels.sum()),
        "num_keypoints": 0,
        "keypoints": [0] * (3 * COCO_JOINTS),
        "segmentation": {"size": list(pixels.shape), "counts": counts},
    }


def detected_boxes(scene: PeopleScene) -> list[dict[str, Any]]:
    """Simulated boxes of a person detector: shifted, some twice, some people missed, some false positives.

    The score is the IoU with the true box times a factor for how much of the person is visible, plus noise.
    """
    rng = np.random.default_rng([7, TEST_SEED, scene.index])
    height, width = scene.image.shape[:2]
    rows: list[tuple[list[float], float]] = []
    for person in scene.people:
        x, y, w, h = person.box
        clear = min(1.0, float(person.pixels.sum()) / (0.25 * w * h)) if w * h > 0 else 0.0
        missed = 0.04 + 0.4 * (1 - clear) + (0.3 if person.role == "crowd" else 0.0)
        if not _shown(person) or rng.random() < missed:
            continue
        for spread in (0.045, 0.11) if rng.random() < 0.3 else (0.045,):
            left, top, right, bottom = rng.uniform(-1, 1, 4) * spread * np.array([w, h, w, h]) * 1.6
            box = [x + left, y + top, w + right - left, h + bottom - top]
            score = _box_overlap(box, person.box) * (0.45 + 0.55 * clear) + rng.uniform(-0.12, 0.08)
            rows.append((box, score))
    for _ in range(int(rng.integers(0, 4))):
        w, h = rng.uniform(0.08, 0.3) * width, rng.uniform(0.15, 0.5) * height
        box = [rng.uniform(0, width - w), rng.uniform(0, height - h), w, h]
        rows.append((box, 0.55 * float(rng.random()) ** 2))
    rows.sort(key=lambda row: -row[1])
    return [
        {
            "image_id": scene.index + 1,
            "category_id": 1,
            "bbox": [round(float(value), 2) for value in box],
            "score": round(float(np.clip(score, 0.01, 0.999)), 4),
        }
        for box, score in rows
    ]


def _box_overlap(a: Iterable[float], b: Iterable[float]) -> float:
    """Intersection over union of two x, y, w, h boxes."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    w = max(0.0, min(ax + aw, bx + bw) - max(ax, bx))
    h = max(0.0, min(ay + ah, by + bh) - max(ay, by))
    return float(w * h / (aw * ah + bw * bh - w * h))


# --- MPII --------------------------------------------------------------------------------------------------------


def _write_mpii(folder: Path) -> None:
    for part in ("annot", "images"):
        (folder / part).mkdir()
    rows, heads = [], []
    for scene in scenes("mpii", TEST_SEED, MPII_IMAGES):
        people = [person for person in scene.people if mpii_annotated(person)]
        if people:
            save_png(folder / "images" / mpii_name(scene), scene.image)
        rows += [mpii_annotation(scene, person) for person in people]
        heads += [[round(value + 1, 2) for value in person.head] for person in people]
    (folder / "annot" / "valid.json").write_text(json.dumps(rows))
    joints = np.array([row["joints"] for row in rows], dtype=np.float64)
    missing = 1 - np.array([row["joints_vis"] for row in rows], dtype=np.uint8)
    names = np.empty((1, len(MPII_NAMES)), dtype=object)
    names[0, :] = MPII_NAMES
    truth = {
        "dataset_joints": names,
        "jnt_missing": missing.T,
        "pos_gt_src": joints.transpose(1, 2, 0),
        "headboxes_src": np.array(heads, dtype=np.float64).reshape(-1, 2, 2).transpose(1, 2, 0),
    }
    content = io.BytesIO()
    scipy.io.savemat(content, truth)
    # SciPy notes the time in the head, a text of 116 bytes: so the set's digest would differ every time it is generated
    head = b"MATLAB 5.0 MAT-file, drawn by hrbench".ljust(116)
    (folder / "annot" / "gt_valid.mat").write_bytes(head + content.getvalue()[len(head) :])


def mpii_name(scene: PeopleScene) -> str:
    return f"{scene.index + 1:09d}.png"


def mpii_annotated(person: AnnotatedPerson) -> bool:
    """MPII's single people: at least half of the joints and a part of the body are visible."""
    flags = person.flags[list(body_model.MPII_ORDER)]
    return person.role == "person" and bool((flags == 2).sum() >= 8) and _shown(person)


def mpii_annotation(scene: PeopleScene, person: AnnotatedPerson) -> dict[str, Any]:
    """One row of valid.json: 1-based joints, centre and scale as MPII annotates them.

    The scale is the person's extent / 200 px. MPII's centres lie above the middle of the body, which is why its
    protocol moves them down by 15 x scale; these do too.
    """
    order = list(body_model.MPII_ORDER)
    annotated = person.flags[order] > 0
    x, y, w, h = person.whole
    scale = max(w, h) / 200
    return {
        "image": mpii_name(scene),
        "center": [round(x + w / 2 + 1, 2), round(y + h / 2 - 15 * scale + 1, 2)],
        "scale": round(scale, 4),
        "joints": [
            [round(float(px) + 1, 2), round(float(py) + 1, 2)] if known else [0.0, 0.0]
            for (px, py), known in zip(person.joints[order], annotated, strict=True)
        ],
        "joints_vis": [int(known) for known in annotated],
    }
