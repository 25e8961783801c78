"""Generated COCO instance files of val2017's size: 5,000 images, 36,000 objects of 80 classes, boxes and masks found.

Like val2017: a few classes have most of the objects, two in five objects are small, one in a hundred is a crowd, and
objects carry polygons. Like a detector's results: a hundred a image, some around every object, some of them of a class
that looks alike, most of the rest of the image's own classes and with low scores; float32 written with all its digits.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import msgspec
import numpy as np
from pycocotools import mask as codec

IMAGES, OBJECTS, CLASSES, EACH = 5000, 36_000, 80, 100
SIZES = ((640, 480), (640, 427), (480, 640), (500, 375))  # width, height
CORNERS = 20  # of a drawn outline, as polygons of COCO have


def write(
    folder: Path, seed: int = 0, images: int = IMAGES, each: int = EACH, masks: bool = False
) -> tuple[Path, Path]:
    """Writes `instances.json` and `boxes.json` (or `masks.json`) to `folder`; paths. each: detections an image."""
    rng = np.random.default_rng(seed)
    objects = round(OBJECTS * images / IMAGES)
    ids = np.sort(rng.choice(600_000, images, replace=False) + 1)
    categories = np.sort(rng.choice(90, CLASSES, replace=False) + 1)
    size = np.array(SIZES)[rng.integers(0, len(SIZES), images)]
    often = (1 / np.arange(1, CLASSES + 1)) ** 1.1
    image = np.sort(rng.choice(images, objects, p=_share(rng.gamma(0.9, 1, images))))
    category = rng.choice(CLASSES, objects, p=_share(rng.permutation(often)))
    extent = np.exp(rng.normal(3.9, 1.05, (objects, 1)) + rng.normal(0, 0.25, (objects, 2))).clip(4, 460)
    extent = np.minimum(extent, size[image] - 2)
    box = np.concatenate([rng.uniform(0, 1, (objects, 2)) * (size[image] - extent), extent], 1)
    crowd = rng.random(objects) < 0.012
    outline = _outline(rng, box).round(2)
    annotations = [
        {
            "segmentation": _crowd(outline[n], size[image[n]]) if crowd[n] else [outline[n].ravel().tolist()],
            "area": float(box[n, 2] * box[n, 3] * 0.6),
            "iscrowd": int(crowd[n]),
            "image_id": int(ids[image[n]]),
            "bbox": box[n].round(2).tolist(),
            "category_id": int(categories[category[n]]),
            "id": 10 * n + 7,
        }
        for n in rng.permutation(objects).tolist()
    ]
    truth = {
        "images": [
            {"id": i, "width": w, "height": h, "file_name": f"{i:012d}.jpg"}
            for i, (w, h) in zip(ids.tolist(), size.tolist(), strict=True)
        ],
        "annotations": annotations,
        "categories": [{"id": int(c), "name": f"class {c}", "supercategory": "thing"} for c in categories],
    }
    target, results = folder / "instances.json", folder / ("masks.json" if masks else "boxes.json")
    target.write_bytes(msgspec.json.encode(truth))
    rows = _detections(rng, ids, categories, size, image, category, box, each, masks)
    results.write_bytes(msgspec.json.encode(rows))
    return target, results


def _share(weight: np.ndarray) -> np.ndarray:
    return weight / weight.sum()


def _outline(rng: np.random.Generator, box: np.ndarray) -> np.ndarray:
    """(N, CORNERS, 2) a wavy outline within each box."""
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    radius = rng.uniform(0.75, 1, (len(box), CORNERS))[..., None]
    round_ = np.stack([np.cos(angle), np.sin(angle)], 1) * radius
    return box[:, None, :2] + box[:, None, 2:] * (round_ + 1) / 2


def _crowd(outline: np.ndarray, size: np.ndarray) -> dict:
    """The same as an uncompressed RLE, as crowds of COCO have it."""
    with warnings.catch_warnings():  # of NumPy, about how the codec hands out its array
        warnings.simplefilter("ignore", DeprecationWarning)
        mask = codec.decode(codec.frPyObjects([outline.ravel().tolist()], int(size[1]), int(size[0])))
    flat = mask[..., 0].ravel(order="F")
    turns = np.flatnonzero(np.diff(np.concatenate(([0], flat, [2]))))
    return {"counts": np.diff(turns, prepend=0).tolist(), "size": size[::-1].tolist()}


def _detections(
    rng: np.random.Generator,
    ids: np.ndarray,
    categories: np.ndarray,
    size: np.ndarray,
    image: np.ndarray,
    category: np.ndarray,
    box: np.ndarray,
    each: int,
    masks: bool,
) -> list[dict]:
    starts = np.searchsorted(image, np.arange(len(ids) + 1))
    rows = []
    for i in range(len(ids)):
        mine = np.arange(starts[i], starts[i + 1])
        many = len(mine)
        extent = np.exp(rng.normal(4.2, 0.9, (each, 2))).clip(4, 400)
        found = np.concatenate([rng.uniform(0, 1, (each, 2)) * (size[i] - extent).clip(1), extent], 1)
        kind = rng.integers(0, CLASSES, each)
        if many:
            present = rng.random(each) < 0.7
            kind[present] = category[mine[rng.integers(0, many, present.sum())]]
        score = rng.beta(0.5, 8, each)
        # about three detections around every object: a good one, a looser one, one of another class
        near = min(3 * many, each)
        like = mine[np.arange(near) % max(many, 1)] if many else mine
        turn = np.arange(near) // max(many, 1)
        loose = rng.exponential(np.array([0.05, 0.15, 0.1])[turn])
        found[:near] = box[like] + rng.normal(0, 1, (near, 4)) * loose[:, None] * np.tile(box[like, 2:], 2)
        kind[:near] = np.where(turn < 2, category[like], (category[like] + 1) % CLASSES)
        score[:near] = (rng.beta(np.array([5, 2, 1.5])[turn], 2) - 0.5 * loose).clip(0.001, 0.999)
        found[:, 2:] = found[:, 2:].clip(1)
        found = found.astype(np.float32)
        outlines = _outline(rng, found) if masks else found
        for n in rng.permutation(each):
            row = {
                "image_id": int(ids[i]),
                "category_id": int(categories[kind[n]]),
                "score": float(np.float32(score[n])),
            }
            if masks:
                height, width = int(size[i][1]), int(size[i][0])
                rle = codec.merge(codec.frPyObjects([outlines[n].ravel().tolist()], height, width))
                row["segmentation"] = {"size": [height, width], "counts": rle["counts"].decode()}
            else:
                row["bbox"] = found[n].tolist()
            rows.append(row)
    return rows
