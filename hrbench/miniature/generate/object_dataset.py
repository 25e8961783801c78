"""The detection miniature on disk: generated scenes in the official layout of COCO instances, as PNG.

    <folder>/annotations/instances_val2017.json
    <folder>/val2017/000000000001.png ...

The same seed gives the same pixels and annotations on every machine. The set is written beside its folder and renamed
at the end, so a folder never holds half a set.

Polygons run along the edges of pixels, in COCO's frame, where pixel (x, y) covers [x, x + 1) x [y, y + 1): rasterised
by COCO's own code they are the drawn pixels again. COCO's polygons have no holes, so the pixels of a thin object in
front, entirely surrounded by the annotated object, belong to the mask too. `area` is the area of that mask and `bbox`
fits it tightly. Crowds are uncompressed run lengths, as in COCO.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrbench.miniature.generate.object_outlines import CATEGORIES
from hrbench.miniature.generate.object_scenes import ObjectScene, Thing, scenes
from hrbench.miniature.generate.people_scenes import TEST_SEED
from hrbench.miniature.generate.write import save_png, write_dataset

IMAGES = 144


def generate(folder: Path) -> None:
    """Generates the miniature of COCO instances in `folder`, a new one. Raises UsageError if it cannot be written."""
    write_dataset(folder, _write)


def _write(folder: Path) -> None:
    for part in ("annotations", "val2017"):
        (folder / part).mkdir()
    images, found = [], []
    for scene in scenes(TEST_SEED, IMAGES):
        name = f"{scene.index + 1:012d}.png"
        height, width = scene.image.shape[:2]
        save_png(folder / "val2017" / name, scene.image)
        images.append({"id": scene.index + 1, "file_name": name, "width": width, "height": height, "license": 1})
        found += annotated(scene)
    for number, annotation in enumerate(found, start=1):  # pycocotools silently ignores the id 0
        annotation["id"] = number
    content = {
        "info": {"description": "hrbench miniature of COCO instances, drawn", "version": "1", "year": 2017},
        "licenses": [{"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}],
        "images": images,
        "annotations": found,
        "categories": [{"id": id, "name": name, "supercategory": above} for id, name, above in CATEGORIES],
    }
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(content))


def annotated(scene: ObjectScene) -> list[dict[str, Any]]:
    """COCO's annotations of one scene, all with the id 0; boxes and areas in pixels."""
    return [_annotation(scene, thing) for thing in scene.things]


def _annotation(scene: ObjectScene, thing: Thing) -> dict[str, Any]:
    mask = thing.pixels if thing.crowd else filled(thing.pixels)
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    return {
        "id": 0,
        "image_id": scene.index + 1,
        "category_id": CATEGORIES[thing.label][0],
        "iscrowd": int(thing.crowd),
        "bbox": [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y],
        "area": int(mask.sum()),
        "segmentation": _runs(mask) if thing.crowd else polygons(mask),
    }


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask (H, W) bool with its holes filled; pixels that touch at a corner enclose one, as in `polygons`."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, dtype=np.uint8), found, -1, 1, cv2.FILLED) > 0


def polygons(mask: np.ndarray) -> list[list[int]]:
    """The outer outlines of a mask (H, W) along the edges of its pixels: x, y, x, y, ..., one list for each part.

    >>> polygons(np.array([[0, 1, 1], [0, 0, 1]]))
    [[1, 0, 1, 1, 2, 1, 2, 2, 3, 2, 3, 0]]
    """
    # On a grid twice as fine, outlines through the centres of fine pixels lie a quarter of a pixel inside the edges
    # everywhere: moving each point to the nearest edge makes them exact.
    fine = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    found, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [_corners((line.reshape(-1, 2) + 1) // 2).reshape(-1).tolist() for line in found]


def _corners(points: np.ndarray) -> np.ndarray:
    """The points (N, 2) at which a closed line changes direction."""
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _runs(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed run lengths, which go down the columns and begin with the background."""
    down = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]]).astype(np.int8)))
    counts = np.diff(np.concatenate([[0], edges, [down.size]]))
    if down[-1]:
        counts = counts[:-1]  # no empty run at the end
    return {"size": list(mask.shape), "counts": counts.tolist()}
