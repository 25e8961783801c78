"""What is wrong with a COCO file of keypoints, boxes or masks: the first fault, its position and ids, and what to do.

Slow, and used only for files that are known to have a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hrbench.errors import InputError
from hrbench.formats.coco.json_faults import (
    REMEDIES,
    Fault,
    annotation_file,
    check_box,
    check_finite,
    fault_of,
    is_integer,
    kind,
    need_keys,
    parsed,
    shown,
    text_remedy,
    whole_remedy,
)
from hrbench.formats.coco.rle import MAX_PIXELS, MAX_POLYGON_COORDINATE, CodeError, checked
from hrbench.formats.coco.row_faults import ListedIds, check_detection, check_object, file_names, file_names_in

# --- keypoints -------------------------------------------------------------------------------------------------------


def explain_keypoint_truth(path: Path, data: bytes, joints: int, given: Collection[str] = ()) -> None:
    """Raises InputError for the first fault of an annotation file; returns if none is found.

    given: names of options by which it was read.
    """
    content, images, categories = annotation_file(path, data, given)
    listed = ListedIds(images, categories, content["annotations"], lambda: file_names(content["images"]), given)
    seen: dict[int, int] = {}
    for index, row in enumerate(content["annotations"]):
        fault = fault_of(path, f"annotation {index}", row, ("id", "image_id"), given)
        _person(fault, index, row, joints, listed, seen)


def explain_keypoint_results(
    path: Path,
    data: bytes,
    joints: int,
    images: Collection[int],
    categories: Mapping[int, str],
    area_from: str | None = None,
    given: Collection[str] = (),
    truth: Path | None = None,
) -> None:
    """Raises InputError for the first fault of a results file; returns if none is found.

    categories: id -> name.
    given: names of options by which it was read.
    truth: the annotation file, from which a way on is worked out.
    area_from: "box" or "keypoints"; None for the rule of pycocotools, by which all rows have a box or none.
    """
    content = parsed(path, data)
    if not isinstance(content, list):
        raise InputError(
            f"{path}: holds {_held(content)}; COCO results are a list of rows with image_id, category_id, "
            "keypoints, score"
        )
    listed = ListedIds(images, categories, content, lambda: file_names_in(truth) if truth else [], given)
    boxed = isinstance(content[0], dict) and bool(content[0].get("bbox")) if content else False
    for index, row in enumerate(content):
        fault = fault_of(path, f"result {index}", row, ("image_id", "category_id"), given)
        need_keys(fault, row, ("image_id", "category_id", "keypoints", "score"))
        check_detection(fault, row, listed)
        _points(fault, row["keypoints"], joints)
        for key in ("segmentation", "caption"):
            if key in row:
                fault(f"{key!r} does not belong into keypoint results and changes what pycocotools does; remove it")
        if area_from is None and bool(row.get("bbox")) != boxed:
            fault(
                "'bbox' must be in all rows or in none: the area of detections is taken from it if the first has it; "
                "detection_area: keypoints takes none from boxes",
                "detection_area: keypoints",
            )
        if area_from == "box" and not row.get("bbox"):
            fault(
                "'bbox' is missing, and detection_area is box; detection_area: keypoints takes the joints' extent",
                "detection_area: keypoints",
            )
        if area_from != "keypoints" and "bbox" in row and row["bbox"] != []:
            check_box(fault, row["bbox"])


def _person(
    fault: Fault,
    index: int,
    row: Any,
    joints: int,
    listed: ListedIds,
    seen: dict[int, int],
) -> None:
    need_keys(fault, row, ("id", "image_id", "category_id", "area", "bbox", "iscrowd", "num_keypoints", "keypoints"))
    check_object(fault, index, row, listed, seen)
    check_box(fault, row["bbox"])
    if not isinstance(row["num_keypoints"], int) or isinstance(row["num_keypoints"], bool) or row["num_keypoints"] < 0:
        fault(
            f"num_keypoints is {shown(row['num_keypoints'])}; it must be a whole number, zero or more",
            whole_remedy(row["num_keypoints"]) or REMEDIES["num_keypoints"],
        )
    _points(fault, row["keypoints"], joints)


def _held(content: Any) -> str:
    """What a file of results holds in place of a list, with the name of a list within an object."""
    lists = [name for name, value in content.items() if isinstance(value, list)] if isinstance(content, dict) else []
    found = next((name for name in ("annotations", "predictions", "results") if name in lists), "")
    return kind(content) + (f" (write what is in its {found!r} alone, with a score in each row)" if found else "")


def _way_on(points: Any, joints: int) -> str:
    """What to do about keypoints of another number than three a joint, in words."""
    if isinstance(points, list) and len(points) == joints and all(isinstance(one, list) for one in points):
        return "write the numbers of all joints in one list, without lists in it"
    if isinstance(points, list) and len(points) == 2 * joints:
        return (
            "if these are x, y alone, write a third number after each pair, which is not judged in results; for "
            "another skeleton, give its sigmas, or the name of a public set as skeleton"
        )
    return "for another skeleton, give its sigmas, or the name of a public set as skeleton"


def _points(fault: Fault, points: Any, joints: int) -> None:
    if not isinstance(points, list) or len(points) != 3 * joints:
        found = f"{len(points)} values" if isinstance(points, list) else kind(points)
        fault(
            f"keypoints holds {found}; {joints} joints need {3 * joints} numbers (x, y, visibility of each; "
            f"{_way_on(points, joints)})",
            "sigmas",
        )
    check_finite(fault, "keypoints", points)


# --- boxes and masks -------------------------------------------------------------------------------------------------


def explain_instance_truth(
    path: Path,
    data: bytes,
    masks: bool,
    given: Collection[str] = (),
    federation: Callable[[Path, Mapping[str, Any], Collection[str]], None] | None = None,
) -> None:
    """Raises InputError for the first fault of an annotation file; returns if none is found.

    given: names of options by which it was read.
    federation: explains what more a federated file needs, whose objects need not say whether they are crowds.
    """
    content, images, categories = annotation_file(path, data, given)
    if federation is not None:
        federation(path, content, given)
    shape = "segmentation" if masks else "bbox"
    keys = ("id", "image_id", "category_id", "area", *(("iscrowd",) if federation is None else ()), shape)
    size: dict[int, tuple[int, int]] = {}
    if masks:
        for index, row in enumerate(content["images"]):
            size[row["id"]] = _image_size(fault_of(path, f"image {index}", row, ("id",), given), row)
    listed = ListedIds(images, categories, content["annotations"], lambda: file_names(content["images"]), given)
    seen: dict[int, int] = {}
    of_lvis = federation is None and any("neg_category_ids" in row for row in content["images"])
    for index, row in enumerate(content["annotations"]):
        fault = fault_of(path, f"annotation {index}", row, ("id", "image_id"), given)
        if of_lvis and isinstance(row, dict) and "iscrowd" not in row:
            fault(
                "'iscrowd' is missing, as in all files of LVIS's form: lvis-boxes and lvis-masks judge these; option "
                "iscrowd: 0 judges all classes in all images, as COCO does",
                "iscrowd: 0",
            )
        need_keys(fault, row, keys)
        check_object(fault, index, row, listed, seen)
        if masks:
            _segmentation(fault, row["segmentation"], size[row["image_id"]])
        else:
            _sized_box(fault, row["bbox"])


def explain_instance_results(
    path: Path,
    data: bytes,
    images: Collection[int],
    categories: Mapping[int, str],
    size: Mapping[int, tuple[int, int]] | None,
    mask_area: str = "mask",
    given: Collection[str] = (),
    truth: Path | None = None,
) -> None:
    """Raises InputError for the first fault of a results file; returns if none is found.

    categories: id -> name.
    given: names of options by which it was read.
    truth: the annotation file, from which a way on is worked out.
    size: (height, width) of every image to read masks, None to read boxes.
    mask_area: "box" if the area of each mask is that of its row's box.
    """
    content = parsed(path, data)
    key = "bbox" if size is None else "segmentation"
    if not isinstance(content, list):
        raise InputError(
            f"{path}: holds {_held(content)}; COCO results are a list of rows with image_id, category_id, {key}, score"
        )
    listed = ListedIds(images, categories, content, lambda: file_names_in(truth) if truth else [], given)
    for index, row in enumerate(content):
        fault = fault_of(path, f"result {index}", row, ("image_id", "category_id"), given)
        if size is not None and isinstance(row, dict) and "bbox" in row and "segmentation" not in row:
            fault("has a box and no mask; results of boxes alone are judged by coco-boxes or lvis-boxes")
        need_keys(fault, row, ("image_id", "category_id", key, "score"))
        check_detection(fault, row, listed)
        if "caption" in row:
            fault("'caption' does not belong into results of objects and changes what pycocotools does; remove it")
        if size is None:
            _sized_box(fault, row["bbox"])
            continue
        if mask_area == "box":
            if not row.get("bbox"):
                fault(
                    "'bbox' is missing, and detection_area is box; detection_area: mask takes the masks' own areas",
                    "detection_area: mask",
                )
            _sized_box(fault, row["bbox"])
        _segmentation(fault, row["segmentation"], size[row["image_id"]])


def _image_size(fault: Fault, row: dict[str, Any]) -> tuple[int, int]:
    for key in ("height", "width"):
        if key not in row:
            fault(f"{key!r} is missing; masks need it")
        if not is_integer(row[key]) or row[key] < 1:
            fault(
                f"{key} is {shown(row[key])}; it must be a whole number of pixels, one or more", text_remedy(row[key])
            )
    if row["height"] * row["width"] >= MAX_PIXELS:
        fault(f"height x width is {row['height']} x {row['width']}; masks of so many pixels cannot be read")
    return row["height"], row["width"]


def _sized_box(fault: Fault, box: Any) -> None:
    check_box(fault, box)
    for place, what in ((2, "width"), (3, "height")):
        if box[place] < 0:
            fault(f"bbox[{place}] is {shown(box[place])}; a {what} must be zero or more (x, y, width, height)")


def _segmentation(fault: Fault, mask: Any, size: tuple[int, int]) -> None:
    """Polygons, or an RLE of either kind."""
    if isinstance(mask, list):
        if not mask:
            fault("segmentation is empty; give polygons or an RLE, or judge boxes alone (coco-boxes, lvis-boxes)")
        for number, points in enumerate(mask):
            if not isinstance(points, list) or len(points) < 6 or len(points) % 2:
                found = f"{len(points)} values" if isinstance(points, list) else kind(points)
                fault(f"segmentation[{number}] holds {found}; a polygon is x, y, x, y, ... of at least 3 points")
            check_finite(fault, f"segmentation[{number}]", points, MAX_POLYGON_COORDINATE)
        return
    if not isinstance(mask, dict):
        fault(f"segmentation is {kind(mask)}; give a list of polygons, or an RLE (an object with size and counts)")
    _check_size(fault, mask, size)
    counts = mask["counts"]
    if not isinstance(counts, list):
        _compressed(fault, counts, size)
        return
    for place, count in enumerate(counts):
        if not is_integer(count) or count < 0:
            fault(f"segmentation.counts[{place}] is {shown(count)}; it must be a whole number, zero or more")
    if sum(counts) != size[0] * size[1]:
        fault(f"segmentation.counts covers {sum(counts)} pixels; its size has {size[0] * size[1]}")


def _check_size(fault: Fault, mask: dict[str, Any], size: tuple[int, int]) -> None:
    for key in ("size", "counts"):
        if key not in mask:
            fault(f"segmentation has no {key!r}; an RLE is an object with size and counts")
    found = mask["size"]
    if not isinstance(found, list) or len(found) != 2 or not all(is_integer(one) for one in found):
        fault(f"segmentation.size is {shown(found)}; it must be [height, width]")
    if tuple(found) != size:
        fault(
            f"segmentation.size is {shown(found)}; the image has [height, width] {list(size)}; resize masks "
            "from the network's input to the image"
        )


def _compressed(fault: Fault, counts: Any, size: tuple[int, int]) -> None:
    if not isinstance(counts, str):
        fault(f"segmentation.counts is {kind(counts)}; it must be compressed text, as pycocotools.mask.encode gives")
    if not counts.isascii():
        fault("segmentation.counts holds a character that no compressed code has")
    try:
        checked(counts.encode(), [len(counts)], np.array([size[0] * size[1]]))
    except CodeError as error:
        fault(f"segmentation.{error}")
