"""COCO's annotation files for data sets: which images, categories and objects are listed, and what is wrong.

Each reader decodes what it returns and skips the rest. It refuses a file of another structure. Whether the content is
consistent is checked by the readers of the metrics, which read it completely (`keypoints`, `instances`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from pycocotools import mask as codec

from hrbench.errors import InputError, MissingError
from hrbench.formats.coco.columns import READ_ERRORS, Four, Whole
from hrbench.formats.coco.forms import COCO, CocoForm, annotations_in
from hrbench.formats.coco.image_names import file_of
from hrbench.formats.coco.json_faults import refuse_folder, refuse_labelme
from hrbench.formats.coco.masks import Counts, compressed
from hrbench.formats.coco.own_layouts import source_bytes
from hrbench.formats.coco.rle import MAX_PIXELS, decoded
from hrbench.formats.coco.skeletons import COCO_WHOLEBODY, WHOLEBODY_PARTS, Skeleton
from hrbench.formats.coco.unjudged import judged_alone, named_category

HOME = "get it from cocodataset.org (images, annotations)"

Content = TypeVar("Content")


class ListedImage(msgspec.Struct):
    """An image as COCO's files list it: its size in pixels."""

    id: int
    file_name: str
    width: int
    height: int


class ListedCategory(msgspec.Struct):
    """A class. keypoints: names of its joints; skeleton: pairs of them, counted from 1."""

    id: int
    name: str = ""
    keypoints: list[str] = []
    skeleton: list[tuple[int, int]] = []


class ListedPerson(msgspec.Struct):
    """An annotated person. bbox: x, y, width, height in px; keypoints: x, y, visibility of each joint.

    The other four keys are COCO-WholeBody's, of the joints after the 17 of the body.
    """

    image_id: int
    category_id: int
    bbox: Four
    id: int = 0
    area: float = 0.0
    iscrowd: int | bool = 0
    keypoints: list[float] = []
    foot_kpts: list[float] = []
    face_kpts: list[float] = []
    lefthand_kpts: list[float] = []
    righthand_kpts: list[float] = []


class ListedObject(msgspec.Struct):
    """An annotated object as it stands in the file. segmentation: polygons, or an RLE of either kind."""

    image_id: int
    category_id: int
    bbox: list[float] = []
    id: int = 0
    iscrowd: int = 0
    segmentation: Any = None


class DetectedBox(msgspec.Struct, gc=False):
    """A row of a detector's results. bbox: x, y, width, height in px."""

    image_id: Whole
    category_id: Whole
    bbox: Four
    score: float


class KeypointListing(msgspec.Struct):
    """A keypoint file."""

    images: list[ListedImage]
    annotations: list[ListedPerson] = []
    categories: list[ListedCategory] = []


class NamedCategory(msgspec.Struct):
    """A class that must have a name."""

    id: int
    name: str
    supercategory: Any = ""


class InstanceListing(msgspec.Struct):
    """An instance file without its annotations, of which there may be a million."""

    images: list[ListedImage]
    categories: list[NamedCategory] = []


class _FederatedImage(msgspec.Struct):
    """An image of a file of LVIS's form, which has COCO's address of it in place of a name."""

    id: int
    width: int
    height: int
    neg_category_ids: list[int]
    not_exhaustive_category_ids: list[int]
    file_name: str = ""
    coco_url: str = ""


class _FederatedCategory(msgspec.Struct):
    id: int
    name: str
    frequency: Literal["r", "c", "f"]
    supercategory: Any = ""


_OF_LVIS = ("neg_category_ids", "not_exhaustive_category_ids", "frequency")


class _FederatedListing(msgspec.Struct):
    images: list[_FederatedImage]
    categories: list[_FederatedCategory] = []


@dataclass(frozen=True)
class FederatedFacts:
    """What a file of LVIS's form says beyond COCO's.

    frequency: category id -> "r", "c" or "f".
    negative, partial: pairs of an image and a class that is not in it, or of which not all objects are annotated.
    """

    frequency: Mapping[int, str]
    negative: int
    partial: int


class _Objects(msgspec.Struct):
    annotations: list[ListedObject] = []


def read_keypoints(path: Path, form: CocoForm = COCO) -> KeypointListing:
    """Images, people and categories. Raises MissingError, InputError naming the position of the fault.

    form: how the file deviates from COCO's form.
    """
    return _listing(path, KeypointListing, form)


def put_joints_together(content: KeypointListing, skeleton: Skeleton) -> None:
    """Gives people of COCO-WholeBody all joints of its skeleton in `keypoints`; those of other skeletons stay."""
    if skeleton is not COCO_WHOLEBODY:
        return
    for person in content.annotations:
        person.keypoints = [number for _, key, _ in WHOLEBODY_PARTS for number in getattr(person, key)]


def read_instances(path: Path, form: CocoForm = COCO) -> InstanceListing:
    """Images and categories. Raises MissingError, InputError naming the position of the fault.

    form: how the file deviates from COCO's form.
    """
    return _listing(path, InstanceListing, form)


def read_federated(path: Path, form: CocoForm = COCO) -> tuple[InstanceListing, FederatedFacts]:
    """Images, called as COCO's folders have them ("train2017/000000391895.jpg"), and categories of LVIS's form.

    form: how the file deviates from COCO's form.

    Raises MissingError, InputError naming the position of the fault, or an image without name and address.
    """
    try:
        content = _decoded(path, _FederatedListing, form)
    except InputError as error:
        if not any(f"field `{key}`" in str(error) for key in _OF_LVIS):
            raise
        raise InputError(f"{error}; LVIS needs it, other files are for coco-instances") from None
    images = [
        ListedImage(one.id, file_of(one.file_name, one.coco_url), one.width, one.height) for one in content.images
    ]
    for image in images:
        if not image.file_name:
            raise InputError(f"{path}: image {image.id} has no file_name and no coco_url")
    listing = InstanceListing(
        images, [NamedCategory(one.id, one.name, one.supercategory) for one in content.categories]
    )
    negative = sum(len(one.neg_category_ids) for one in content.images)
    partial = sum(len(one.not_exhaustive_category_ids) for one in content.images)
    facts = FederatedFacts({one.id: one.frequency for one in content.categories}, negative, partial)
    return _checked_sizes(path, listing), facts


def read_annotated_objects(path: Path, form: CocoForm = COCO) -> dict[int, list[ListedObject]]:
    """Image id -> its annotated objects; images without objects are left out. Raises MissingError, InputError.

    form: how the file deviates from COCO's form.
    """
    found: dict[int, list[ListedObject]] = {}
    for each in _decoded(path, _Objects, form).annotations:
        found.setdefault(each.image_id, []).append(each)
    return found


def read_boxes(path: Path) -> list[DetectedBox]:
    """A detector's boxes, in the order of the file. Raises MissingError, InputError."""
    return _decoded(path, list[DetectedBox])


Listing = TypeVar("Listing", KeypointListing, InstanceListing)


def _listing(path: Path, kind: type[Listing], form: CocoForm) -> Listing:
    content = _decoded(path, kind, form)
    if form.layout != "coco" and content.images:
        return content  # no sizes are stated there
    return _checked_sizes(path, content)


def _checked_sizes(path: Path, content: Listing) -> Listing:
    if not content.images:
        raise InputError(f"{path} lists no images")
    for each in content.images:
        if min(each.width, each.height) < 1:
            raise InputError(f"{path}: image {each.id} is {each.width}x{each.height} pixels; both sides are above 0")
    return content


def compressed_mask(mask: Any, size: tuple[int, int]) -> dict[str, Any] | None:
    """An annotated segmentation as compressed run lengths {"size", "counts"}; None if there is none or it is faulty.

    mask: polygons, or run lengths of either kind.
    size: (width, height) of the image in pixels.
    """
    if mask is None or mask_fault(mask, size):
        return None
    width, height = size
    given = mask if isinstance(mask, list) else Counts((height, width), mask["counts"])
    return {"size": [height, width], "counts": compressed(given, [height, width])}


def _decoded(path: Path, kind: type[Content], form: CocoForm = COCO) -> Content:
    if form.layout == "coco":
        refuse_folder(path)
        try:
            data = annotations_in(path, path.read_bytes(), form)
        except FileNotFoundError:
            raise MissingError(f"no file {path}; {HOME}") from None
    else:
        data = annotations_in(path, source_bytes(path, form), form)
    try:
        return msgspec.json.decode(data, type=kind)
    except READ_ERRORS as error:
        refuse_labelme(path, data)
        well_formed = kind is KeypointListing and isinstance(error, msgspec.ValidationError)
        plain = judged_alone(path, data, 0, named_category(path, data)) if well_formed else data
        if plain is data:
            raise InputError(f"{path} is not what a COCO file holds: {error}") from None
    try:
        return msgspec.json.decode(plain, type=kind)
    except READ_ERRORS as error:
        raise InputError(f"{path} is not what a COCO file holds: {error}") from None


# --- looking closer, for `hrbench datasets NAME --check` -------------------------------------------------------------


def box_fault(box: Sequence[float]) -> str:
    """What is wrong with x, y, width, height; "" if nothing. Boxes may reach out of the image, as a few of COCO do."""
    if len(box) != 4 or not all(map(math.isfinite, box)) or min(box[2:], default=0) < 0:
        return f"has the box {list(box)}; x, y, width and height are expected"
    return ""


def mask_fault(mask: Any, size: tuple[int, int]) -> str:
    """What is wrong with a segmentation on an image of this (width, height); "" if nothing."""
    if mask is None:
        return ""
    width, height = size
    if not (0 < width < MAX_PIXELS and 0 < height < MAX_PIXELS and width * height < MAX_PIXELS):
        return f"has a mask on an image of {width}x{height} pixels, of which no mask can be read"
    try:
        if isinstance(mask, list):
            msgspec.convert(mask, list[list[float]])
            if not mask or any(len(polygon) < 6 or len(polygon) % 2 for polygon in mask):
                return "has a polygon that is no list of three corners or more"
            reach = 2 * max(size)  # the codec does a step for each pixel of an edge
            if not all(abs(value) <= reach for polygon in mask for value in polygon):
                return f"has a polygon with a corner beyond {reach} pixels on an image of {width}x{height}"
            codec.merge(codec.frPyObjects(mask, height, width))
            return ""
        if list(mask["size"]) != [height, width]:
            return f"has a mask of {mask['size'][1]}x{mask['size'][0]} pixels on an image of {width}x{height}"
        if isinstance(mask["counts"], str):
            decoded(mask["counts"], (height, width))
        elif not isinstance(mask["counts"], list):
            return "has a mask that cannot be read (counts is neither text nor a list)"
        elif sum(msgspec.convert(mask["counts"], list[int])) != width * height or min(mask["counts"], default=0) < 0:
            return f"has run lengths of {sum(mask['counts'])} pixels on an image of {width}x{height}"
    except (TypeError, ValueError, KeyError, IndexError) as error:
        return f"has a mask that cannot be read ({' '.join(str(error).split()) or type(error).__name__})"
    return ""
