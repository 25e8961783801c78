"""Files in COCO's form as labelling tools export them: what a user says about them, and COCO's own form made of it.

Exports differ from COCO's files in keys that are missing, in ids, and in encodings. What follows from the file alone is
read silently: byte order marks, and UTF-16. All else is an option (`CocoForm`), since it decides a number, or may
be a mistake. The file is then rewritten in memory to what COCO's own tools would read; the readers of annotations and
results, the data sets and the reference implementation are all given that. A file that needs no option is not touched.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import msgspec
import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.image_names import can_be_id, image_found, name_images, no_image
from hrbench.formats.coco.json_faults import Fault, fault_of, is_integer, number_of, parsed, shown
from hrbench.formats.coco.masks import Counts, annotated
from hrbench.formats.coco.rle import MAX_PIXELS, CodeError

TruthArea = Literal["file", "box", "box*0.53", "segmentation"]
Layout = Literal["coco", "ai-challenger", "posetrack18"]
TRUTH_AREAS: tuple[TruthArea, ...] = get_args(TruthArea)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_WHOLE = ("id", "image_id", "category_id", "iscrowd", "num_keypoints", "width", "height")
_WHOLE_BUT_IDS = ("category_id", "iscrowd", "num_keypoints", "width", "height")
_MEASURED = ("bbox", "keypoints", "segmentation", "area", "score")


@dataclass(frozen=True, slots=True)
class CocoForm:
    """How a file deviates from COCO's form. The defaults are COCO's own.

    renumber: annotations are numbered 1, 2, ... in the order of the file, whatever their ids. pycocotools takes a match
        with the annotation 0 for none, so that hosted tools, which count from 0, lose a true positive.
    truth_area: the area of annotations: "file", the key `area`; "box", width x height; "box*0.53", the share of the box
        by which CrowdPose and AI Challenger are evaluated (xtcocotools with use_area=False); "segmentation", the pixels
        of the mask.
    iscrowd: "file", every row says whether it is a crowd; 0, rows that do not say are none.
    num_keypoints: "file", every row says how many joints are labelled; "joints", those with a visibility above 0 are
        counted, in every row.
    match: what image ids mean: "id", or "file_name": the name of the image's file, with or without folders and ending.
        The id of an image whose file has a number for a name is then that number.
    whole_ids: ids and counts may be written as 3.0.
    root_category: "drop" leaves out the category that only names the others (Roboflow's id 0).
    text_numbers: numbers may be written as text, "10.5", in decimal digits as in JSON: boxes, joints, polygons, areas,
        scores, sizes, counts, and ids ("12") unless `match` takes these for names.
    frames: "all" images, or "labelled": those whose key `is_labeled` is false are left out, as PoseTrack's frames
        between two that are annotated.
    layout: "coco", or another one that is rewritten to it first: "ai-challenger", "posetrack18" (`own_layouts`).
    missing_box: "refuse" people without a box, or "joints": around the labelled joints, 1.3 times as wide and high, as
        poseval's convert.py makes them.
    """

    renumber: bool = False
    truth_area: TruthArea = "file"
    iscrowd: Literal["file", 0] = "file"
    num_keypoints: Literal["file", "joints"] = "file"
    match: Literal["id", "file_name"] = "id"
    whole_ids: bool = False
    root_category: Literal["keep", "drop"] = "keep"
    text_numbers: bool = False
    frames: Literal["all", "labelled"] = "all"
    layout: Layout = "coco"
    missing_box: Literal["refuse", "joints"] = "refuse"

    def __post_init__(self) -> None:
        allowed: Mapping[str, tuple[Any, ...]] = {
            "renumber": (False, True),
            "truth_area": TRUTH_AREAS,
            "iscrowd": ("file", 0),
            "num_keypoints": ("file", "joints"),
            "match": ("id", "file_name"),
            "whole_ids": (False, True),
            "root_category": ("keep", "drop"),
            "text_numbers": (False, True),
            "frames": ("all", "labelled"),
            "layout": get_args(Layout),
            "missing_box": ("refuse", "joints"),
        }
        for name, values in allowed.items():
            value = getattr(self, name)
            if not any(value == one and type(value) is type(one) for one in values):
                words = " or ".join(json.dumps(one).strip('"') for one in values)
                raise UsageError(f"{name}: {words} was expected, not {value!r}")

    def stated(self) -> dict[str, Any]:
        """The options that are not COCO's own, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(COCO, field.name)
        }


COCO = CocoForm()


# --- text -------------------------------------------------------------------------------------------------------------


def as_utf8(data: bytes) -> bytes:
    """The text without a byte order mark, in UTF-8; data without a mark, or damaged, stay as they are."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        return data
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError:
        return data


def in_utf8(stream: BinaryIO) -> BinaryIO:
    """A file at its beginning, as it is or, if it has a byte order mark, without it and in UTF-8."""
    mark = stream.read(4)
    stream.seek(0)
    return BytesIO(as_utf8(stream.read())) if any(mark.startswith(one) for one, _ in _MARKS) else stream


# --- annotations ------------------------------------------------------------------------------------------------------


def annotations_in(path: Path, data: bytes, form: CocoForm) -> bytes:
    """An annotation file in COCO's own form. Raises InputError naming what cannot be brought into it.

    path: for messages.
    data: the file.
    form: what the user says about it.
    """
    data = as_utf8(data)
    try:  # decoders skip keys that they do not need, whatever lies in them
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 at byte {error.start}; was it damaged, or saved in another encoding?"
        ) from None
    if form == COCO:
        return data
    content = parsed(path, data)
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key, []), list) for key in keys):
        return data  # the reader says what is wrong with it
    return json.dumps(rewritten(path, content, form)).encode()


def rewritten(path: Path, content: dict[str, Any], form: CocoForm) -> dict[str, Any]:
    """Decoded annotations in COCO's own form; arguments as of `annotations_in`. Rows that are no objects stay."""
    images, rows, categories = (
        [dict(row) if isinstance(row, dict) else row for row in content.get(key, [])]
        for key in ("images", "annotations", "categories")
    )
    for row in (*images, *rows, *categories):
        if form.text_numbers:
            _make_numbers(row, form.match == "id")
        if form.whole_ids:
            _make_whole(row)
    if form.match == "file_name":
        name_images(path, images, rows)
    if form.frames == "labelled":
        images, rows = _labelled(images, rows)
    if form.root_category == "drop" and (root := root_of(categories)) is not None:
        if any(isinstance(row, dict) and row.get("category_id") == root.get("id") for row in rows):
            raise InputError(
                f"{path}: the category {root.get('name')!r} has annotations; root_category: keep keeps it",
                "root_category: keep",
            )
        categories = [one for one in categories if one is not root]
    listed = [row for row in images if isinstance(row, dict) and can_be_id(row.get("id"))]
    size = {row.get("id"): (row.get("height"), row.get("width")) for row in listed}
    for index, row in enumerate(rows):
        if isinstance(row, dict):
            _rewrite(row, index, fault_of(path, f"annotation {index}", row, ("id", "image_id")), size, form)
    return {**content, "images": images, "annotations": rows, "categories": categories}


def _labelled(images: list[Any], rows: list[Any]) -> tuple[list[Any], list[Any]]:
    """Images and annotations without those of frames that are not labelled."""
    out = {_id(row, "id") for row in images if isinstance(row, dict) and row.get("is_labeled") is False} - {None}
    return [one for one in images if _id(one, "id") not in out], [
        one for one in rows if _id(one, "image_id") not in out
    ]


def _id(row: Any, key: str) -> Any:
    """An id, None if there is none, or one that cannot be compared."""
    value = row.get(key) if isinstance(row, dict) else None
    return value if can_be_id(value) else None


def _rewrite(row: dict[str, Any], index: int, fault: Fault, size: Mapping[Any, Any], form: CocoForm) -> None:
    if form.renumber:
        row["id"] = index + 1
    if form.iscrowd == 0:
        row.setdefault("iscrowd", 0)
    points = row.get("keypoints")
    if form.missing_box == "joints" and "bbox" not in row:
        row["bbox"] = _box_of(points)
    if form.num_keypoints == "joints" and isinstance(points, list):
        row["num_keypoints"] = sum(isinstance(seen, (int, float)) and seen > 0 for seen in points[2::3])
    if form.truth_area != "file":
        row["area"] = _area(row, fault, size, form.truth_area)


def _box_of(points: Any) -> list[float]:
    """x, y, width, height around labelled joints, enlarged by 30 %; without one all 0."""
    numbers = points if isinstance(points, list) and all(type(one) in (int, float) for one in points) else []
    seen = [one for one in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=False) if one[2] > 0]
    if not seen:
        return [0.0, 0.0, 0.0, 0.0]
    sides: list[tuple[float, float]] = []
    for axis in (0, 1):
        low, high = min(one[axis] for one in seen), max(one[axis] for one in seen)
        half = (high - low) * 0.65
        sides.append(((low + high) / 2 - half, 2 * half))
    return [sides[0][0], sides[1][0], sides[0][1], sides[1][1]]


def _area(row: dict[str, Any], fault: Fault, size: Mapping[Any, Any], kind: TruthArea) -> Any:
    if kind == "segmentation":
        return _mask_area(row, fault, size)
    box = row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(one, (int, float)) for one in box):
        fault(f"bbox is {shown(box)}; truth_area: {kind} needs x, y, width, height", "truth_area")
    return box[2] * box[3] if kind == "box" else box[3] * box[2] * 0.53


def _mask_area(row: dict[str, Any], fault: Fault, size: Mapping[Any, Any]) -> float:
    mask = row.get("segmentation")
    height: Any
    width: Any
    height, width = size.get(row.get("image_id"), (None, None)) if can_be_id(row.get("image_id")) else (None, None)
    if not is_integer(height) or not is_integer(width) or min(height, width) < 1:
        fault("truth_area: segmentation needs height and width of the image", "truth_area")
    if not mask:
        fault("it has no segmentation; truth_area: box takes the area of the box", "truth_area: box")
    if height * width >= MAX_PIXELS:
        fault(f"height x width is {height} x {width}; truth_area: box takes the area of the box", "truth_area: box")
    if isinstance(mask, list) and not all(isinstance(one, list) and len(one) >= 6 for one in mask):
        fault(
            "segmentation holds a polygon of fewer than 3 points; truth_area: box takes the area of the box",
            "truth_area: box",
        )
    try:  # the codec itself crashes on numbers and codes that nobody has checked
        given = msgspec.convert(mask, list[list[float]] | Counts)
        return float(annotated([given], np.array([[height, width]])).area[0])
    except (CodeError, ValueError) as error:
        fault(f"segmentation cannot be read ({error}); truth_area: box takes the area of the box", "truth_area: box")


def root_of(categories: list[Any]) -> dict[str, Any] | None:
    """The category that only names the others, which is their supercategory and has none itself; None if none does.

    >>> fig = {"id": 1, "name": "fig", "supercategory": "fruit"}
    >>> root_of([{"id": 0, "name": "fruit", "supercategory": "none"}, fig])["name"], root_of([fig])
    ('fruit', None)
    """
    if len(categories) < 2 or not all(isinstance(one, dict) for one in categories):
        return None
    below = Counter(each for one in categories if isinstance(each := one.get("supercategory"), str))
    for one in categories:
        name, above = one.get("name"), one.get("supercategory")
        names = above in ("none", "", None) and isinstance(name, str) and bool(name)
        if names and below[name] - (above == name) == len(categories) - 1:
            return one
    return None


def unused_root(categories: Sequence[Any], used: Iterable[int]) -> int | None:
    """The id of the category that only names the others, unless it has annotations; None if there is none.

    categories: with attributes id, name, supercategory.
    used: categories of the annotations.
    """
    listed = [{"id": one.id, "name": one.name, "supercategory": one.supercategory} for one in categories]
    root = root_of(listed)
    return None if root is None or root["id"] in used else root["id"]


def _make_whole(row: Any) -> None:
    for key in _WHOLE if isinstance(row, dict) else ():
        value = row.get(key)
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            row[key] = int(value)


def _make_numbers(row: Any, ids: bool) -> None:
    """Numbers for texts that are one, in keys that hold numbers. ids: in ids, too."""
    for key in (*(_WHOLE if ids else _WHOLE_BUT_IDS), *_MEASURED) if isinstance(row, dict) else ():
        if key in row:
            row[key] = _as_numbers(row[key])


def _as_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_numbers(one) for one in value] if any(isinstance(one, (str, list)) for one in value) else value
    number = number_of(value)
    return value if number is None else number


# --- results ----------------------------------------------------------------------------------------------------------


def results_in(path: Path, stream: BinaryIO, form: CocoForm, by_name: Mapping[str, int | None]) -> BinaryIO:
    """A results file in COCO's own form, as a seekable stream.

    path: for messages.
    stream: the file, at its beginning.
    form: what the user says about it.
    by_name: `file_ids` of the ground truth, if `form` matches by names.

    Raises InputError for an image that no file is called.
    """
    stream = in_utf8(stream)
    if form.match == "id" and not form.whole_ids and not form.text_numbers:
        return stream
    data = stream.read()
    content = parsed(path, data)
    if not isinstance(content, list):
        return BytesIO(data)
    return BytesIO(json.dumps([_result(path, index, row, form, by_name) for index, row in enumerate(content)]).encode())


def _result(path: Path, index: int, row: Any, form: CocoForm, by_name: Mapping[str, int | None]) -> Any:
    if not isinstance(row, dict):
        return row
    row = dict(row)
    if form.text_numbers:
        _make_numbers(row, form.match == "id")
    if form.whole_ids:
        _make_whole(row)
    name = row.get("image_id")
    if form.match == "file_name" and isinstance(name, str):
        found = image_found(name, by_name)
        if found is None:
            raise InputError(f"{path}: result {index}: image_id {shown(name)} {no_image(name, by_name)}")
        row["image_id"] = found
    return row
