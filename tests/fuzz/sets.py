"""Data sets on disk: every member of each that reads something, over lists, annotations, folders and images."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import drawn_faces as faces
import numpy as np
import random_coco
import random_instances
import random_lvis
import random_panoptic
import random_poses
import random_streets
from drawn import pose_sets
from PIL import Image

from hrbench import catalog
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError
from hrbench.formats import images, pil_images
from hrbench.formats.coco.skeletons import COCO
from tests.fuzz import damage
from tests.fuzz.case import Case, NonsenseError, as_json, finite
from tests.fuzz.scores import NAMES, _classes, _inaturalist, _maps, _mpii

BOXES = {"boxes": "ground_truth", "image_threshold": 0.0}


def looked_at(use: str, root: Path, /, protocol: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    """What a data set says of itself; its samples must have sizes, boxes and centres that are numbers."""
    found = resolve("hrbench.datasets", use)(root, **args)
    protocol = protocol or {}
    said: dict[str, Any] = {"missing": len(found.missing(protocol)), "classes": len(_names(found.scheme))}
    said["options"] = found.metric_options()
    said["facts"] = dict(found.facts())
    said["notes"] = len(found.notes(protocol))
    samples = found.samples(protocol)
    if len({sample.id for sample in samples}) < len(samples):
        raise NonsenseError("two samples have one id")
    for sample in samples:
        size = getattr(sample, "size", None)
        if size is not None and not all(type(side) is int and side > 0 for side in size):
            raise NonsenseError(f"sample {sample.id} has the size {size}")
        people = sample.content if isinstance(sample.content, tuple) else ()
        for person in people:
            finite(f"sample {sample.id}", [np.asarray(value).tolist() for value in _numbers(person)])
    said["samples"] = len(samples)
    said["digest"] = found.digest(protocol)
    if samples and hasattr(found, "truth"):
        truth = found.truth(samples)
        said["truth"] = len(truth)
    for sample in samples[:2]:
        said["faults"] = len(found.look(sample))
    return said


def _names(scheme: Any) -> Any:
    return scheme.names


def _numbers(person: Any) -> list[Any]:
    values = [getattr(person, name, None) for name in ("box", "centre", "scale", "score", "area")]
    return [value for value in values if value is not None]


# --- folders ---------------------------------------------------------------------------------------------------------


def _photo(path: Path, size: tuple[int, int], seed: int = 0, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1] // 8 + 1, size[0] // 8 + 1, 3), np.uint8)
    Image.fromarray(pixels).resize(size).save(path, **options)


def _coco(folder: Path) -> None:
    truth, results = random_coco.case(2, images=3)
    for image in truth["images"]:
        image["file_name"] = f"{image['id']:012d}.jpg"
        image["width"], image["height"] = 64, 48
        _photo(folder / "coco/images/val2017" / image["file_name"], (64, 48))
    truth["categories"] = [{"id": 1, "name": "person", "keypoints": list(COCO.names), "skeleton": [[1, 2], [2, 3]]}]
    _write(folder / "coco/annotations/person_keypoints_val2017.json", truth)
    boxes = [{**row, "category_id": 1, "bbox": [1, 2, 30.5, 20]} for row in results[:9]]
    boxes = [{key: row[key] for key in ("image_id", "category_id", "bbox", "score")} for row in boxes]
    _write(folder / "coco/boxes.json", boxes)


def _wholebody(folder: Path) -> None:
    truth, _ = random_poses.wholebody(4, images=2)
    for image in truth["images"]:
        image["file_name"] = f"{image['id']:012d}.jpg"
        image["width"], image["height"] = 64, 48
        _photo(folder / "coco/images/val2017" / image["file_name"], (64, 48))
    _write(folder / "coco/annotations/person_keypoints_val2017.json", truth)


def _instances(folder: Path) -> None:
    truth, _ = random_instances.case(4, images=3)
    for image in truth["images"]:
        image["file_name"] = f"{image['id']:012d}.jpg"
        _photo(folder / "coco/images/val2017" / image["file_name"], (image["width"], image["height"]))
    _write(folder / "coco/annotations/instances_val2017.json", truth)


def _federated(folder: Path) -> None:
    truth, _ = random_lvis.case(4, images=3)
    for image in truth["images"]:
        split, name = image["coco_url"].split("/")[-2:]
        _photo(folder / "coco" / split / name, (image["width"], image["height"]))
    _write(folder / "coco/annotations/lvis_v1_val.json", truth)


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _people(folder: Path) -> None:
    annotations = folder / "mpii/annot"
    annotations.mkdir(parents=True)
    _mpii(annotations, compressed=False)
    rows = [
        {
            "image": f"{name}.jpg",
            "center": [30.5, 20],
            "scale": 0.3 + n,
            "joints": [[1.0, 2.0]] * 16,
            "joints_vis": [1] * 16,
        }
        for n, name in enumerate("baca")
    ]
    _write(annotations / "valid.json", rows)
    for name in "abc":
        _photo(folder / f"mpii/images/{name}.jpg", (60, 40))


def _cityscapes(folder: Path) -> None:
    names = random_streets.write(folder / "cityscapes", 4, scenes=2)
    for name in names:
        _photo(folder / f"cityscapes/leftImg8bit/val/{name}_leftImg8bit.png", (40, 24))


def _panoptic(folder: Path, cities: bool = False) -> None:
    made = random_panoptic.case(3, images=3, text=cities)
    truth = "cityscapes/gtFine/cityscapes_panoptic_val.json" if cities else "coco/annotations/panoptic_val2017.json"
    _write(folder / truth, made["truth"])
    for image, row in zip(made["truth"]["images"], made["truth"]["annotations"], strict=True):
        place = (folder / truth).with_suffix("") / row["file_name"]
        place.parent.mkdir(parents=True, exist_ok=True)
        random_panoptic.save(place, made["truth_ids"][image["id"]])
        name = f"cityscapes/leftImg8bit/val/ulm/{image['id']}_leftImg8bit.png"
        _photo(folder / (name if cities else f"coco/val2017/{image['file_name']}"), (32, 24))


def _labelled(folder: Path) -> None:
    _maps(folder)
    (folder / "truth").rename(folder / "labels")
    for number in range(3):
        _photo(folder / f"images/{number}.jpg", (15, 12))
    (folder / "list.txt").write_text("0\n1\nimages_/2.jpg /2.png\n".replace("images_/", ""))


def _kinds(folder: Path) -> None:
    root = folder / "imagenet"
    root.mkdir()
    _classes(root)
    lines = (root / "val.txt").read_text().splitlines()
    for line in lines:
        _photo(root / "val" / line.split()[0], (12, 10), format="JPEG")


def _folders(folder: Path) -> None:
    for number in range(4):
        _photo(folder / f"imagenet/val/kind {number % 2}/{number}.JPEG", (12, 10))


def _wild(folder: Path) -> None:
    root = folder / "inaturalist-2017"
    root.mkdir()
    _inaturalist(root, boxed=True)
    for number in range(6):
        _photo(root / f"a/{number}.jpg", (40, 30))


def _challenger(folder: Path) -> None:
    _few(folder, pose_sets.aic_original)


def _videos(folder: Path) -> None:
    _few(folder, pose_sets.posetrack_videos)


def _few(folder: Path, draw: Any) -> None:
    """A drawn set of three pictures."""
    many, pose_sets.IMAGES = pose_sets.IMAGES, 3
    try:
        draw(folder)
    finally:
        pose_sets.IMAGES = many
    for path in (folder / "data").iterdir():
        path.rename(folder / path.name)


def _cofw(folder: Path) -> None:
    faces.cofw(folder / "cofw/COFW_test_color.mat")


def _beside(folder: Path) -> None:
    faces.full_300w(folder / "300w", each=1)


def _pictures(folder: Path) -> None:
    for ending in ("jpg", "png", "bmp", "webp", "tif", "gif", "ppm"):
        _photo(folder / f"a.{ending}", (21, 13), seed=1)


def _read_pictures(folder: Path) -> dict[str, Any]:
    """Pixels by both libraries; one that is read has the size that its head states."""
    said: dict[str, Any] = {}
    refused: HrbenchError | None = None
    for path in sorted(folder.iterdir()):
        try:
            stated = images.stated_size(path)
            read = pil_images.read_rgb(path)
            if (read.shape[1], read.shape[0]) != stated:
                raise NonsenseError(f"{path.name} is {read.shape}, and states {stated}")
            said[path.name] = read.shape
            said[f"{path.name} by OpenCV"] = images.read_image(path).shape
        except HrbenchError as error:
            refused = error
    if refused is not None and path.suffix != ".gif":
        raise refused
    return said


def _image(data: bytes, random: Random) -> bytes:
    return damage.png_mutant(data, random) if data.startswith(b"\x89PNG") else damage.mutant(data, random)


CASES = [
    Case("data set coco-keypoints", _coco,
         {"coco/annotations/*.json": as_json, "coco/images/*/*.jpg": damage.mutant},
         partial(looked_at, "coco-keypoints", protocol=BOXES, split="val2017")),
    Case("data set coco-keypoints with boxes of a detector", _coco, {"coco/boxes.json": as_json},
         partial(looked_at, "coco-keypoints", split="val2017",
                 protocol={"boxes": "boxes.json", "image_threshold": 0.0})),
    Case("data set coco-keypoints of the whole body", _wholebody,
         {"coco/annotations/*.json": as_json},
         partial(looked_at, "coco-keypoints", protocol=BOXES, split="val2017", skeleton="coco-wholebody")),
    Case("data set coco-instances", _instances,
         {"coco/annotations/*.json": as_json, "coco/images/*/*.jpg": damage.mutant},
         partial(looked_at, "coco-instances", split="val2017")),
    Case("data set lvis", _federated, {"coco/annotations/*.json": as_json, "coco/*2017/*.jpg": damage.mutant},
         partial(looked_at, "lvis")),
    Case("data set mpii", _people,
         {"mpii/annot/valid.json": as_json, "mpii/annot/gt_valid.mat": damage.mat_mutant},
         partial(looked_at, "mpii")),
    Case("data set cityscapes", _cityscapes, {"cityscapes/**/*.png": damage.png_mutant},
         partial(looked_at, "cityscapes"), share=0.5),
    Case("data set coco-panoptic", _panoptic,
         {"coco/annotations/*.json": as_json, "coco/annotations/*/*.png": damage.png_mutant},
         partial(looked_at, "coco-panoptic")),
    Case("data set cityscapes-panoptic", partial(_panoptic, cities=True),
         {"cityscapes/gtFine/*.json": as_json, "cityscapes/gtFine/*/*.png": damage.png_mutant},
         partial(looked_at, "cityscapes-panoptic"), share=0.5),
    Case("data set label-folders", _labelled,
         {"labels/*.png": damage.png_mutant, "images/*.jpg": damage.mutant, "list.txt": damage.text_mutant},
         partial(looked_at, "label-folders", names=NAMES, list="list.txt")),
    Case("data set image-folders by a list", _kinds,
         {"imagenet/val.txt": damage.text_mutant, "imagenet/val/*/*": damage.mutant},
         partial(looked_at, "image-folders")),
    Case("data set image-folders", _folders, {"imagenet/val/*/*": damage.mutant},
         partial(looked_at, "image-folders"), share=0.3),
    Case("data set inaturalist", _wild, {"inaturalist-2017/val2017.json": as_json},
         partial(looked_at, "inaturalist", boxes=True)),
    Case("data set coco-keypoints of AI Challenger", _challenger, {"aic/*/*.json": as_json},
         partial(looked_at, "coco-keypoints", protocol=BOXES, **catalog.datasets()["aic-val-original"].args)),
    Case("data set coco-keypoints of videos", _videos, {"posetrack18/annotations/val/*.json": as_json},
         partial(looked_at, "coco-keypoints", protocol=BOXES, **catalog.datasets()["posetrack18-val-videos"].args)),
    Case("data set faces of COFW", _cofw, {"cofw/*.mat": damage.mutant},
         partial(looked_at, "faces", folder="cofw", annotations="COFW_test_color.mat", landmarks=29)),
    Case("data set faces in .pts files", _beside,
         {"300w/*/testset/*.pts": damage.text_mutant, "300w/ibug/*.pts": damage.text_mutant},
         partial(looked_at, "faces", folder="300w", annotations=".", landmarks=68)),
    Case("images", _pictures, {"a.*": _image}, _read_pictures, share=1.5),
]  # fmt: skip
