"""The pose miniatures on disk: drawn scenes in the official layouts of COCO keypoints and MPII, as PNG.

    <folder>/annotations/person_keypoints_val2017.json                                  COCO
    <folder>/val2017/000000000001.png ...
    <folder>/person_detection_results/COCO_val2017_detections_AP_H_56_person.json

    <folder>/annot/valid.json  annot/gt_valid.mat  images/000000001.png ...             MPII

The same seed gives the same pixels and annotations on every machine. A set is drawn beside its folder and renamed at
the end, so that a folder is never half a set.
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

from hrbench.miniature.generate import people as figures
from hrbench.miniature.generate.people_scenes import TEST_SEED, Figure, Scene, scenes
from hrbench.miniature.generate.write import draw_whole, save_png

COCO_IMAGES = 96
MPII_IMAGES = 80
COCO_JOINTS = 17
AREA_OF_BOX = 0.53
"""OKS needs a person's area. The mask of thin drawn limbs fills some 29 % of the box, that of a real person about
53 %, so the mask would judge twice as strictly as COCO does; the box stands in for the body."""

COCO_SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
MPII_NAMES = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head", "rwri", "relb", "rsho", "lsho",
    "lelb", "lwri",
)  # fmt: skip


def draw_coco(folder: Path) -> None:
    """Draw the COCO keypoint miniature into `folder`, not there yet. Raises InputError if it cannot be written."""
    draw_whole(folder, _write_coco)


def draw_mpii(folder: Path) -> None:
    """Draw the MPII miniature into `folder`, not there yet. Raises InputError if it cannot be written."""
    draw_whole(folder, _write_mpii)


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
                "keypoints": list(figures.JOINTS[:COCO_JOINTS]),
                "skeleton": [list(bone) for bone in COCO_SKELETON],
            }
        ],
    }
    (folder / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(content))
    boxes = folder / "person_detection_results" / "COCO_val2017_detections_AP_H_56_person.json"
    boxes.write_text(json.dumps(detections))


def coco_annotations(scene: Scene) -> list[dict[str, Any]]:
    """COCO's annotations of one scene, without ids: the people, then the crowd as one region with a mask.

    Keypoints are x, y, flag triples; box and area in pixels. A person cut off altogether is not annotated.
    """
    rows = [_coco_person(scene, figure) for figure in scene.figures if figure.role != "crowd" and _shown(figure)]
    crowd = [figure for figure in scene.figures if figure.role == "crowd"]
    if crowd:
        rows.append(_coco_crowd(scene, crowd))
    return rows


def _shown(figure: Figure) -> bool:
    return bool(figure.pixels.sum() >= 12 and figure.box[2] >= 3 and figure.box[3] >= 3)


def _coco_person(scene: Scene, figure: Figure) -> dict[str, Any]:
    flags = figure.flags[:COCO_JOINTS] if figure.role == "person" else np.zeros(COCO_JOINTS, dtype=np.int64)
    keypoints: list[float] = []
    for (x, y), flag in zip(figure.joints[:COCO_JOINTS], flags, strict=True):
        keypoints += [round(float(x), 2), round(float(y), 2), int(flag)] if flag else [0, 0, 0]
    box = [round(value, 2) for value in figure.box]
    return {
        "id": 0,
        "image_id": scene.index + 1,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": round(AREA_OF_BOX * box[2] * box[3], 4),
        "num_keypoints": int((flags > 0).sum()),
        "keypoints": keypoints,
        "segmentation": _outlines(figure.pixels),
    }


def _outlines(pixels: np.ndarray) -> list[list[int]]:
    """The outer outlines of a mask as polygons x, y, x, y, ...; specks without an area are left out."""
    found, _ = cv2.findContours(pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [[int(v) for v in line.reshape(-1)] for line in found if len(line) >= 4]


def _coco_crowd(scene: Scene, crowd: list[Figure]) -> dict[str, Any]:
    pixels = np.any([figure.pixels for figure in crowd], axis=0)
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


def detected_boxes(scene: Scene) -> list[dict[str, Any]]:
    """What a person detector might have found: shifted boxes, some twice, some people missed, some boxes of nobody.

    A score follows the quality of its box and how much of the person is seen, with noise.
    """
    rng = np.random.default_rng([7, TEST_SEED, scene.index])
    height, width = scene.image.shape[:2]
    rows: list[tuple[list[float], float]] = []
    for figure in scene.figures:
        x, y, w, h = figure.box
        clear = min(1.0, float(figure.pixels.sum()) / (0.25 * w * h)) if w * h > 0 else 0.0
        missed = 0.04 + 0.4 * (1 - clear) + (0.3 if figure.role == "crowd" else 0.0)
        if not _shown(figure) or rng.random() < missed:
            continue
        for spread in (0.045, 0.11) if rng.random() < 0.3 else (0.045,):
            left, top, right, bottom = rng.uniform(-1, 1, 4) * spread * np.array([w, h, w, h]) * 1.6
            box = [x + left, y + top, w + right - left, h + bottom - top]
            score = _box_overlap(box, figure.box) * (0.45 + 0.55 * clear) + rng.uniform(-0.12, 0.08)
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
        people = [figure for figure in scene.figures if mpii_annotated(figure)]
        if people:
            save_png(folder / "images" / mpii_name(scene), scene.image)
        rows += [mpii_annotation(scene, figure) for figure in people]
        heads += [[round(value + 1, 2) for value in figure.head] for figure in people]
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
    # SciPy notes the time in the head, a text of 116 bytes: then the set's digest would be another for every drawing
    head = b"MATLAB 5.0 MAT-file, drawn by hrbench".ljust(116)
    (folder / "annot" / "gt_valid.mat").write_bytes(head + content.getvalue()[len(head) :])


def mpii_name(scene: Scene) -> str:
    return f"{scene.index + 1:09d}.png"


def mpii_annotated(figure: Figure) -> bool:
    """MPII's single people: at least half of the joints and some of the body are to be seen."""
    flags = figure.flags[list(figures.MPII_ORDER)]
    return figure.role == "person" and bool((flags == 2).sum() >= 8) and _shown(figure)


def mpii_annotation(scene: Scene, figure: Figure) -> dict[str, Any]:
    """One row of valid.json: 1-based joints, centre and scale as MPII annotates them.

    The scale is the person's extent / 200 px. MPII's centres lie above the middle of the body, which is why its
    protocol moves them down by 15 x scale; these do too.
    """
    order = list(figures.MPII_ORDER)
    annotated = figure.flags[order] > 0
    x, y, w, h = figure.whole
    scale = max(w, h) / 200
    return {
        "image": mpii_name(scene),
        "center": [round(x + w / 2 + 1, 2), round(y + h / 2 - 15 * scale + 1, 2)],
        "scale": round(scale, 4),
        "joints": [
            [round(float(px) + 1, 2), round(float(py) + 1, 2)] if known else [0.0, 0.0]
            for (px, py), known in zip(figure.joints[order], annotated, strict=True)
        ],
        "joints_vis": [int(known) for known in annotated],
    }
