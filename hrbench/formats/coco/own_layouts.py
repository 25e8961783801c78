"""Annotations of poses that are no COCO file, as the COCO file that they would be: AI Challenger's, PoseTrack18's.

ai-challenger: keypoint_validation_annotations_20170911.json of AI Challenger 2017, a list with an object for each
image: `image_id` (its file without .jpg), `human_annotations` {human1: [x1, y1, x2, y2]} and `keypoint_annotations`
{human1: [x, y, v of 14 joints]}, v 1 visible, 2 not visible, 3 not labelled (AIChallenger/AI_Challenger_2017). Those
become 2, 1 and 0 of COCO with x and y 0, as mmpose converts them. Images are numbered 1, 2, ... in their order,
so results name them by their files (`match: file_name`).

posetrack18: one JSON file for each video, in a folder, each of COCO's form with `images`, `annotations` and one
category (github.com/leonid-pishchulin/poseval). They are put together in the order of their names; ids of images are
unique in the whole set. A single file is read, too.

Neither states sizes of images: 0 stands for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hrbench.core.files import reading
from hrbench.errors import InputError
from hrbench.formats.coco.forms import CocoForm, as_utf8
from hrbench.formats.coco.json_faults import is_number, parsed, refuse_folder

CHALLENGER_JOINTS = 14
_SEEN = {1: 2, 2: 1, 3: 0}
"""AI Challenger's word for a joint -> COCO's."""


def source_files(path: Path, form: CocoForm) -> list[Path]:
    """The files that annotations lie in: `path`, or those of each video in it, by name."""
    if form.layout == "posetrack18" and path.is_dir():
        return sorted(one for one in path.glob("*.json") if not one.name.startswith("."))
    return [path]


def source_bytes(path: Path, form: CocoForm, content: str = "COCO annotations (JSON)") -> bytes:
    """A file of annotations as it is, or the COCO file that another layout would be (`forms.annotations_in` follows).

    content: what the file should be, for messages.

    Raises InputError naming the file and the row, MissingError.
    """
    if form.layout != "posetrack18":
        refuse_folder(path)
    if form.layout == "coco":
        with reading(path, content) as stream:
            return stream.read()
    made = _of_challenger(path) if form.layout == "ai-challenger" else _of_videos(path, form)
    return json.dumps(made).encode()


def _content(path: Path) -> Any:
    with reading(path, "annotations of poses (JSON)") as stream:
        return parsed(path, as_utf8(stream.read()))


# --- AI Challenger ----------------------------------------------------------------------------------------------------


def _of_challenger(path: Path) -> dict[str, Any]:
    rows = _content(path)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: is no list of images with keypoint_annotations, as AI Challenger's files are")
    images: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    taken: set[str] = set()
    for number, row in enumerate(rows, 1):
        name = row.get("image_id")
        if not isinstance(name, str) or not name or name in taken:
            raise InputError(f"{path}: image {number} of the list has no image_id of its own: {str(name)!r:.60}")
        taken.add(name)
        images.append({"id": number, "file_name": f"{name}.jpg", "width": 0, "height": 0})
        boxes, joints = row.get("human_annotations"), row.get("keypoint_annotations")
        if not isinstance(boxes, dict) or not isinstance(joints, dict) or boxes.keys() != joints.keys():
            raise InputError(f"{path}: image {name!r:.60}: human_annotations and keypoint_annotations differ in people")
        for human in sorted(boxes, key=lambda one: (len(one), one)):
            where = f"{path}: image {name!r:.60}, {human:.20}"
            person = {"id": len(people) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            people.append({**person, **_box(where, boxes[human]), **_joints(where, joints[human])})
    names = [{"id": 1, "name": "person", "keypoints": [], "skeleton": []}]
    return {"images": images, "annotations": people, "categories": names}


def _box(where: str, corners: Any) -> dict[str, Any]:
    """bbox and area of two corners."""
    if not isinstance(corners, list) or len(corners) != 4 or not all(map(is_number, corners)):
        raise InputError(f"{where}: the box is no list of x and y of two corners")
    x1, y1, x2, y2 = corners
    if x2 < x1 or y2 < y1:
        raise InputError(f"{where}: the box {corners} ends before it begins")
    return {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}


def _joints(where: str, numbers: Any) -> dict[str, Any]:
    if not isinstance(numbers, list) or len(numbers) != 3 * CHALLENGER_JOINTS or not all(map(is_number, numbers)):
        raise InputError(f"{where}: is no list of {3 * CHALLENGER_JOINTS} numbers, x, y and visibility of each joint")
    joints: list[Any] = []
    for x, y, seen in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        if seen not in _SEEN:
            raise InputError(f"{where}: a visibility is {seen}; 1 is visible, 2 not visible, 3 not labelled")
        joints += [x, y, _SEEN[seen]] if _SEEN[seen] else [0, 0, 0]
    return {"keypoints": joints, "num_keypoints": sum(seen > 0 for seen in joints[2::3])}


# --- PoseTrack18 ------------------------------------------------------------------------------------------------------


def _of_videos(path: Path, form: CocoForm) -> dict[str, Any]:
    files = source_files(path, form)
    if not files:
        raise InputError(f"{path}: holds no JSON file; PoseTrack18 has one for each video")
    whole: dict[str, Any] = {"images": [], "annotations": [], "categories": None}
    of: dict[Any, Path] = {}
    for file in files:
        video = _video(file)
        for image in video["images"]:
            number = image.get("id")
            if not isinstance(number, int) or number in of:
                raise InputError(f"{file}: the image id {number!r:.40} is no whole number, or is that of another image")
            of[number] = file
            whole["images"].append({"width": 0, "height": 0, **image})
        for person in video["annotations"]:
            image = person.get("image_id")
            if not isinstance(image, int) or of.get(image) != file:
                raise InputError(f"{file}: an annotation is of image {image!r:.40}, which is none of this video")
        whole["annotations"] += video["annotations"]
        if whole["categories"] not in (None, video["categories"]):
            raise InputError(f"{file}: its categories are not those of {files[0].name}")
        whole["categories"] = video["categories"]
    return whole


def _video(file: Path) -> dict[str, list[dict[str, Any]]]:
    video = _content(file)
    if isinstance(video, dict) and "annolist" in video:
        raise InputError(f"{file}: is of PoseTrack17's form (annolist); poseval's convert.py makes PoseTrack18's of it")
    keys = ("images", "annotations", "categories")
    if not isinstance(video, dict) or not all(
        isinstance(video.get(key), list) and all(isinstance(one, dict) for one in video[key]) for key in keys
    ):
        raise InputError(f"{file}: is no video of PoseTrack18: images, annotations and categories are expected")
    return video
