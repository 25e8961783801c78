"""Detections that fit much better if they are read in another way are told; good ones, bad ones and noise never are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_notes import told

from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.metrics.coco.keypoints import COCO_SIGMAS, CocoKeypointAP

Written = Callable[[Any, Any], tuple[Path, Path]]
IDS = [1, 2, 3, 4, 5, 7, 8, 10, 11, 13]  # with gaps, as COCO's
SIZES = ((640, 480), (480, 640), (500, 375), (1280, 720))


def truth_of(seed: int, images: int = 40, classes: list[int] = IDS) -> dict[str, Any]:
    """Images of four sizes with one to six objects, of which those of the first class are half of all."""
    rng = np.random.default_rng(seed)
    truth: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": k, "name": f"c{k}"} for k in classes],
    }
    for image in range(1, images + 1):
        width, height = SIZES[image % 4]
        truth["images"].append({"id": image, "width": width, "height": height})
        for _ in range(int(rng.integers(1, 7))):
            w, h = rng.uniform(0.08, 0.5) * width, rng.uniform(0.08, 0.5) * height
            box = [rng.uniform(0, width - w), rng.uniform(0, height - h), w, h]
            category = classes[0] if rng.random() < 0.5 else int(rng.choice(classes))
            row = {"image_id": image, "category_id": category, "bbox": [float(one) for one in box], "iscrowd": 0}
            truth["annotations"].append({**row, "id": len(truth["annotations"]) + 1, "area": float(w * h)})
    return truth


def detector(truth: dict[str, Any], seed: int, noise: float = 0.05, right: float = 0.9, weak: int = 10) -> list[dict]:
    """A detector: boxes beside the objects, a share of the classes right, and weak detections of nothing.

    noise: in shares of the sides.
    right: the share of right classes.
    weak: detections without an object in each image.
    """
    rng = np.random.default_rng(seed + 1000)
    classes = [one["id"] for one in truth["categories"]]
    found = []
    for row in truth["annotations"]:
        x, y, w, h = row["bbox"]
        shift = rng.normal(0, noise, 4) * [w, h, w, h]
        box = [x + shift[0], y + shift[1], max(1, w + shift[2]), max(1, h + shift[3])]
        category = row["category_id"] if rng.random() < right else int(rng.choice(classes))
        found.append((row["image_id"], category, box, rng.uniform(0.3, 1)))
    for image in truth["images"]:
        for _ in range(weak):
            w, h = rng.uniform(5, 300, 2)
            box = [rng.uniform(0, image["width"]), rng.uniform(0, image["height"]), w, h]
            found.append((image["id"], int(rng.choice(classes)), box, rng.uniform(0, 0.4)))
    return [
        {"image_id": image, "category_id": category, "bbox": [float(one) for one in box], "score": float(score)}
        for image, category, box, score in found
    ]


def in_another_size(truth: dict[str, Any], rows: list[dict], way: str) -> list[dict]:
    sizes = {one["id"]: (one["width"], one["height"]) for one in truth["images"]}
    changed = []
    for row in rows:
        w, h = sizes[row["image_id"]]
        sx, sy, px, py = {
            "constant": (0.5, 0.5, 0, 0),
            "squash": (640 / w, 320 / h, 0, 0),
            "longer": (512 / max(w, h), 512 / max(w, h), 0, 0),
            "shorter": (800 / min(w, h), 800 / min(w, h), 0, 0),
            "letterbox": (
                416 / max(w, h),
                416 / max(w, h),
                (416 - w * 416 / max(w, h)) / 2,
                (416 - h * 416 / max(w, h)) / 2,
            ),
        }[way]
        x, y, bw, bh = row["bbox"]
        changed.append({**row, "bbox": [x * sx + px, y * sy + py, bw * sx, bh * sy]})
    return changed


MISREAD = {"misread_boxes", "misread_classes", "misread_joints", "misread_images"}


def misread(metric: Any, paths: tuple[Path, Path]) -> dict[str, str]:
    return {kind: note.what for kind, note in told(metric, paths).items() if kind in MISREAD}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("constant", "pixels of images of another size (x 0.5, y 0.5 times as large)"),
        ("squash", "pixels of images resized to 640x320"),
        ("longer", "pixels of images whose longer side was resized to 512"),
        ("shorter", "pixels of images whose shorter side was resized to 800"),
        ("letterbox", "pixels of images in the middle of a square of 416"),
    ],
)
def test_boxes_of_images_of_another_size_are_recognised(way: str, words: str, seed: int, written: Written) -> None:
    truth = truth_of(seed)
    rows = detector(truth, seed)
    said = misread(CocoBoxes(), written(truth, in_another_size(truth, rows, way)))
    assert said.keys() == {"misread_boxes"}
    if way == "constant":
        assert re.search(r"of another size \(x 0\.(49|5).*, y 0\.(49|5)", said["misread_boxes"]), said
    else:
        assert re.search(words, said["misread_boxes"]), said
    for image in truth["images"]:
        image.pop("width")  # without sizes only a constant factor can be told, and nothing fails
    said = misread(CocoBoxes(), written(truth, in_another_size(truth_of(seed), rows, way)))
    assert way != "constant" or "of another size" in said["misread_boxes"]


def renumbered(rows: list[dict], new: Callable[[int], int]) -> list[dict]:
    return [{**row, "category_id": new(row["category_id"])} for row in rows]


def exchanged(category: int) -> int:
    return {2: 5, 5: 2, 1: 13, 13: 1}.get(category, category)


CLASSES: dict[str, tuple[list[int], Callable[[int], int]]] = {
    "like the place of the class, counted from 1": (IDS, lambda k: IDS.index(k) + 1),
    "too small by one": (list(range(8)), lambda k: max(0, k - 1)),
    "too large by one": (list(range(8)), lambda k: min(7, k + 1)),
    "like the place of the class, counted from 0": (IDS, lambda k: IDS.index(k)),
    "like those of the class before": (IDS, lambda k: IDS[max(0, IDS.index(k) - 1)]),
    "like those of the class after": (IDS, lambda k: IDS[min(len(IDS) - 1, IDS.index(k) + 1)]),
    "exchanged: 1 (c1) for 13 (c13), 2 (c2) for 5 (c5), 5 (c5) for 2 (c2), ...": (IDS, exchanged),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", CLASSES)
def test_classes_that_are_numbered_otherwise_are_recognised(way: str, seed: int, written: Written) -> None:
    classes, new = CLASSES[way]
    truth = truth_of(seed, 150, classes)
    rows = renumbered(detector(truth, seed), new)
    kept = [row for row in rows if row["category_id"] in classes]  # others are refused, with the names of the classes
    said = misread(CocoBoxes(), written(truth, kept))
    assert said == {"misread_classes": f"category ids of detections look {way}"}


def as_masks(rows: list[dict], name: str = "segmentation") -> list[dict]:
    """The same with the ellipse in the box as mask."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    masks = []
    for row in rows:
        x, y, w, h = row["bbox"]
        rim = np.column_stack([x + w / 2 + w / 2 * np.cos(turn), y + h / 2 + h / 2 * np.sin(turn)])
        masks.append({key: value for key, value in row.items() if key != "bbox"} | {name: [rim.ravel().tolist()]})
    return masks


@pytest.mark.parametrize("way", CLASSES)
def test_classes_of_masks_are_recognised_by_the_boxes_around_them(way: str, written: Written) -> None:
    classes, new = CLASSES[way]
    truth = truth_of(7, 100, classes)
    rows = detector(truth, 7, weak=2)
    truth["annotations"] = as_masks(truth["annotations"])
    assert misread(CocoMasks(), written(truth, as_masks(rows))) == {}
    kept = [row for row in renumbered(as_masks(rows), new) if row["category_id"] in classes]
    said = misread(CocoMasks(), written(truth, kept))
    assert said == {"misread_classes": f"category ids of detections look {way}"}
    assert misread(CocoMasks(), written(truth, [])) == {}


@pytest.mark.parametrize("seed", range(5))
def test_detectors_good_and_bad_are_left_alone(seed: int, written: Written) -> None:
    """From nearly exact to noise: no class, no place, or all the same."""
    truth = truth_of(seed, 60 if seed % 2 else 8, IDS if seed % 3 else [1, 2])
    rng = np.random.default_rng(seed)
    good = detector(truth, seed, noise=float(rng.uniform(0, 0.2)), right=float(rng.uniform(0.3, 1)))
    by_chance = detector(truth, seed, right=0.0)
    noise = detector(truth, seed, noise=1.0)
    always_one = renumbered(detector(truth, seed), lambda category: 2)
    whole = [{**row, "bbox": [0, 0, *SIZES[row["image_id"] % 4]]} for row in detector(truth, seed)]
    middle = [{**row, "bbox": [150, 150, 200, 200]} for row in detector(truth, seed)]
    nothing = [{**row, "bbox": [10, 10, 0, 0]} for row in detector(truth, seed)]
    small = detector(truth, seed, weak=100)
    for rows in (good, by_chance, noise, always_one, whole, middle, nothing, small, small[-200:], []):
        assert misread(CocoBoxes(), written(truth, rows)) == {}


def people(seed: int, images: int = 30, names: bool = False) -> tuple[dict[str, Any], list[dict]]:
    """People who stand, turned to the camera, and a good estimate of them."""
    rng = np.random.default_rng(seed)
    body = np.array(
        [(0, 0), (3, -2), (-3, -2), (7, 0), (-7, 0), (18, 20), (-18, 20), (24, 45), (-24, 45), (26, 68), (-26, 68),
         (11, 75), (-11, 75), (12, 110), (-12, 110), (12, 145), (-12, 145)], float,
    )  # fmt: skip
    category = {"id": 1, "name": "person"}
    if names:
        category |= {"keypoints": ["n", *(f"{side}_j{k}" for k in range(8) for side in ("left", "right"))]}
    truth: dict[str, Any] = {"images": [], "annotations": [], "categories": [category]}
    found = []
    for image in range(1, images + 1):
        truth["images"].append({"id": image})
        for _ in range(int(rng.integers(1, 4))):
            scale, at = rng.uniform(0.5, 2), rng.uniform(100, 500, 2)
            joints = body * scale + at
            area = float(52 * 147 * scale**2)
            noise = rng.normal(0, 1, (17, 2)) * (np.array(COCO_SIGMAS)[:, None] * area**0.5)
            low, high = joints.min(axis=0), joints.max(axis=0)
            row = {"image_id": image, "category_id": 1}
            truth["annotations"].append({
                **row, "id": len(found) + 1, "area": area, "iscrowd": 0, "num_keypoints": 17,
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "keypoints": np.column_stack([joints, np.full(17, 2.0)]).ravel().tolist(),
            })  # fmt: skip
            points = np.column_stack([joints + noise, rng.uniform(0.5, 1, 17)])
            found.append({**row, "keypoints": points.ravel().tolist(), "score": float(rng.uniform(0.3, 1))})
    return truth, found


SWAP = [0, *(joint + (1 if joint % 2 else -1) for joint in range(1, 17))]
ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left and right exchanged": lambda points: points[SWAP],
    "x of all, y of all, then visibilities": lambda points: points.T,
    "x, y of all, then visibilities": lambda points: np.concatenate([points[:, :2].ravel(), points[:, 2]]),
    "y, x, visibility of each": lambda points: points[:, [1, 0, 2]],
    "the joints in reverse order": lambda points: points[::-1],
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", ORDERS)
def test_joints_in_another_order_are_recognised(way: str, seed: int, written: Written) -> None:
    truth, found = people(seed, names=bool(seed))
    for row in found:
        row["keypoints"] = ORDERS[way](np.array(row["keypoints"]).reshape(17, 3)).ravel().tolist()
    weak = [{**found[k % 7], "image_id": 1 + k % 30, "score": 0.01 + k / 1e5} for k in range(300)]
    notes = told(CocoKeypointAP(), written(truth, [*weak, *found]))
    assert f"look like {way}, not x, y, visibility" in notes["misread_joints"].what


@pytest.mark.parametrize("seed", range(5))
def test_estimates_good_and_bad_are_left_alone(seed: int, written: Written) -> None:
    truth, found = people(seed, 40 if seed % 2 else 5, names=seed % 3 == 0)
    rng = np.random.default_rng(seed)
    assert misread(CocoKeypointAP(), written(truth, found)) == {}
    bad, mean, half = ([dict(row) for row in found] for _ in range(3))
    for k, row in enumerate(found):
        points = np.array(row["keypoints"]).reshape(17, 3)
        bad[k]["keypoints"] = (points + rng.normal(0, 60, points.shape)).ravel().tolist()
        mean[k]["keypoints"] = np.tile(points.mean(axis=0), 17).tolist()
        half[k]["keypoints"] = (points if k % 2 else points[SWAP]).ravel().tolist()  # a network that cannot tell
    for rows in (bad, mean, half, [], found[:3]):
        assert misread(CocoKeypointAP(), written(truth, rows)) == {}


def test_joints_whose_names_do_not_say_what_a_mirror_does_are_left_alone(written: Written) -> None:
    truth, found = people(0)
    truth["categories"][0]["keypoints"] = [f"joint {k}" for k in range(17)]
    for row in found:
        row["keypoints"] = np.array(row["keypoints"]).reshape(17, 3)[SWAP].ravel().tolist()
    assert misread(CocoKeypointAP(), written(truth, found)) == {}


def test_a_sample_of_rows_is_bounded_and_spread_evenly(written: Written) -> None:
    truth, found = people(0, 3)
    many = [{**found[0], "keypoints": [float(k)] * 51} for k in range(5003)]
    metric = CocoKeypointAP()
    paths = written(truth, many)
    results = metric.read_predictions(paths[1], metric.read_target(paths[0]))
    assert 1000 <= len(results.sampled) <= 2000 and len(set(np.diff(results.sampled).tolist())) == 1
    assert results.numbers[:, 0].tolist() == results.sampled.tolist()


def told_of_images(metric: Any, truth: dict, rows: list[dict], by: int, written: Written) -> dict[str, str]:
    """Notes where all ids of images are off; what then is of no image is left out."""
    known = {one["id"] for one in truth["images"]}
    moved = [{**row, "image_id": row["image_id"] + by} for row in rows]
    notes = told(metric, written(truth, [row for row in moved if row["image_id"] in known]))
    return {kind: note.what for kind, note in notes.items() if kind in MISREAD | {"unrelated_results"}}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("by", "words"), [(-1, "small"), (1, "large")])
def test_ids_of_images_that_are_off_by_one_are_recognised(by: int, words: str, seed: int, written: Written) -> None:
    said = {"misread_images": f"image ids of detections look too {words} by one"}
    truth = truth_of(seed)
    rows = detector(truth, seed)
    assert told_of_images(CocoBoxes(), truth, rows, by, written) == said
    assert told_of_images(CocoBoxes(), truth, rows, 0, written) == {}
    assert told_of_images(CocoKeypointAP(), *people(seed), by, written) == said
    assert told_of_images(CocoKeypointAP(), *people(seed), 0, written) == {}
    truth["annotations"] = as_masks(truth["annotations"])
    assert told_of_images(CocoMasks(), truth, as_masks(detector(truth_of(seed), seed, weak=1)), by, written) == said


def test_results_of_another_split_are_told(written: Written) -> None:
    said = {"unrelated_results": "detections fit the objects of their image no better than those of other images"}
    assert told_of_images(CocoBoxes(), truth_of(1, 100), detector(truth_of(2, 100), 2), 0, written) == said
    assert told_of_images(CocoKeypointAP(), people(1)[0], people(2)[1], 0, written) == said
    assert told_of_images(CocoBoxes(), truth_of(1, 8), detector(truth_of(2, 8), 2), 0, written) == {}


def test_boxes_as_y_x_height_width_are_recognised(written: Written) -> None:
    truth = truth_of(3)
    rows = [{**row, "bbox": [row["bbox"][k] for k in (1, 0, 3, 2)]} for row in detector(truth, 3)]
    said = misread(CocoBoxes(), written(truth, rows))
    assert said == {"misread_boxes": "detected boxes look like y, x, height, width, not x, y, width, height in pixels"}


@pytest.mark.parametrize("seed", range(2))
def test_single_pairs_of_joints_that_are_exchanged_are_named(seed: int, written: Written) -> None:
    truth, found = people(seed, names=bool(seed))
    order = list(range(17))
    order[9], order[10], order[15], order[16] = 10, 9, 16, 15
    rows = [{**row, "keypoints": np.array(row["keypoints"]).reshape(17, 3)[order].ravel().tolist()} for row in found]
    said = "left_j4 and right_j4, left_j7 and right_j7" if seed else "10 and 11, 16 and 17"
    assert misread(CocoKeypointAP(), written(truth, rows)) == {
        "misread_joints": f"predicted joints look exchanged: {said}"
    }
    half = [row if k % 2 else found[k] for k, row in enumerate(rows)]
    assert misread(CocoKeypointAP(), written(truth, half)) == {}
