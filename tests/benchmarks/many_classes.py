"""Generated COCO box files of data sets with many classes, of LVIS's and of Objects365's size.

Like those sets: a few classes have most of the objects and most classes a handful, an image has objects of few classes.
Like a detector's results: three in five lie around some object, most with its class, the others anywhere, with the
classes of the image's objects or any; the file goes image by image, float32 written with all its digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

BLOCK_ROWS = 50_000  # rows that are Python objects at a time


@dataclass(frozen=True)
class ClassScale:
    """How much there is of everything. Every image has the same number of detections."""

    images: int
    classes: int
    objects: int
    detections: int

    def times(self, factor: float) -> ClassScale:
        """So many times the images, objects and detections, with the same classes."""
        many = (round(factor * each) for each in (self.images, self.objects, self.detections))
        images, objects, detections = many
        return replace(self, images=images, objects=objects, detections=detections // images * images)


LVIS = ClassScale(images=20_000, classes=1203, objects=244_000, detections=1_000_000)
OBJECTS365 = ClassScale(images=80_000, classes=365, objects=1_240_000, detections=2_000_000)


def write(folder: Path, scale: ClassScale, seed: int = 0) -> tuple[Path, Path]:
    """Writes `instances.json` and `boxes.json` to `folder` and returns their paths."""
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.choice(30 * scale.images, scale.images, replace=False) + 1)
    often = rng.permutation((1 / np.arange(1, scale.classes + 1)) ** 1.1)
    image = np.sort(rng.choice(scale.images, scale.objects, p=_share(rng.gamma(0.9, 1, scale.images))))
    category = rng.choice(scale.classes, scale.objects, p=_share(often))
    again = np.flatnonzero((rng.random(scale.objects) < 0.5) & (np.diff(image, prepend=-1) == 0))
    category[again] = category[again - 1]  # objects of a class come in groups
    extent = np.exp(rng.normal(3.9, 1.05, (scale.objects, 1)) + rng.normal(0, 0.25, (scale.objects, 2))).clip(4, 400)
    box = np.concatenate([rng.uniform(0, 1, (scale.objects, 2)) * ([640, 480] - extent).clip(1), extent], 1)
    crowd = rng.random(scale.objects) < 0.012
    target, results = folder / "instances.json", folder / "boxes.json"
    _write_truth(target, scale, ids, image, category, box.round(2), crowd)
    _write_results(results, rng, scale, ids, image, category, box)
    return target, results


def add_unused_classes(truth: Path, path: Path, many: int) -> Path:
    """Writes the annotation file `truth` with so many more classes, which never occur, to `path`, which it returns."""
    data = msgspec.json.decode(truth.read_bytes())
    first = 1 + max(each["id"] for each in data["categories"])
    data["categories"] += [{"id": first + n, "name": f"unused {n}"} for n in range(many)]
    path.write_bytes(msgspec.json.encode(data))
    return path


def as_lvis(truth: Path, path: Path, seed: int = 0) -> Path:
    """Writes the annotation file `truth` in LVIS's form, with some classes of an image verified, to `path`: this."""
    rng = np.random.default_rng(seed)
    data = msgspec.json.decode(truth.read_bytes())
    ids = np.array([each["id"] for each in data["categories"]])
    for image in data["images"]:
        image["coco_url"] = f"http://images.cocodataset.org/train2017/{image.pop('file_name')}"
        image["neg_category_ids"] = rng.choice(ids, rng.integers(5, 20), replace=False).tolist()
        image["not_exhaustive_category_ids"] = rng.choice(ids, rng.integers(0, 3), replace=False).tolist()
    for row in data["annotations"]:
        del row["iscrowd"]
    for each, often in zip(data["categories"], rng.choice(list("rcf"), len(ids)).tolist(), strict=True):
        each["frequency"] = often
    path.write_bytes(msgspec.json.encode(data))
    return path


def _share(weight: np.ndarray) -> np.ndarray:
    return weight / weight.sum()


def _write_truth(
    path: Path,
    scale: ClassScale,
    ids: np.ndarray,
    image: np.ndarray,
    category: np.ndarray,
    box: np.ndarray,
    crowd: np.ndarray,
) -> None:
    rows = zip(ids[image].tolist(), (category + 1).tolist(), box.tolist(), crowd.astype(int).tolist(), strict=True)
    annotations = [
        {
            "id": n + 1,
            "image_id": of,
            "category_id": kind,
            "bbox": sides,
            "area": sides[2] * sides[3] * 0.6,
            "iscrowd": many,
        }
        for n, (of, kind, sides, many) in enumerate(rows)
    ]
    truth = {
        "images": [{"id": i, "width": 640, "height": 480, "file_name": f"{i:012d}.jpg"} for i in ids.tolist()],
        "annotations": annotations,
        "categories": [{"id": c + 1, "name": f"class {c}"} for c in range(scale.classes)],
    }
    path.write_bytes(msgspec.json.encode(truth))


def _write_results(
    path: Path,
    rng: np.random.Generator,
    scale: ClassScale,
    ids: np.ndarray,
    image: np.ndarray,
    category: np.ndarray,
    box: np.ndarray,
) -> None:
    each = scale.detections // scale.images
    starts = np.searchsorted(image, np.arange(scale.images + 1))
    where = np.repeat(np.arange(scale.images), each)
    many = np.diff(starts)[where]
    like = (starts[where] + (rng.random(len(where)) * many).astype(int)).clip(0, len(image) - 1)
    extent = np.exp(rng.normal(4.2, 0.9, (len(where), 2))).clip(4, 400)
    found = np.concatenate([rng.uniform(0, 1, (len(where), 2)) * ([640, 480] - extent).clip(1), extent], 1)
    kind = np.where(
        (rng.random(len(where)) < 0.7) & (many > 0), category[like], rng.integers(0, scale.classes, len(where))
    )
    score = rng.beta(0.5, 8, len(where))
    near = np.flatnonzero((rng.random(len(where)) < 0.6) & (many > 0))
    turn = rng.integers(0, 3, len(near))  # a good one, a looser one, one of another class
    mine, loose = like[near], rng.exponential(np.array([0.05, 0.15, 0.1])[turn])
    found[near] = box[mine] + rng.normal(0, 1, (len(near), 4)) * loose[:, None] * np.tile(box[mine, 2:], 2)
    found[:, 2:] = found[:, 2:].clip(1)
    kind[near] = np.where(turn < 2, category[mine], (category[mine] + 1) % scale.classes)
    score[near] = (rng.beta(np.array([5, 2, 1.5])[turn], 2) - 0.5 * loose).clip(0.001, 0.999)
    boxes, scores = found.astype(np.float32), score.astype(np.float32)
    with path.open("wb") as stream:
        stream.write(b"[")
        for start in range(0, len(where), BLOCK_ROWS):
            some = slice(start, start + BLOCK_ROWS)
            columns = ids[where[some]], kind[some] + 1, boxes[some], scores[some]
            rows = [
                {"image_id": i, "category_id": c, "bbox": sides, "score": value}
                for i, c, sides, value in zip(*(column.tolist() for column in columns), strict=True)
            ]
            stream.write((b"," if start else b"") + msgspec.json.encode(rows)[1:-1])
        stream.write(b"]")
