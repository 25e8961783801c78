"""COCO files as data sets see them: what is listed, and what is odd about an object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as codec

from hrbench.errors import InputError, MissingError
from hrbench.formats.coco.annotations import (
    box_fault,
    mask_fault,
    read_annotated_objects,
    read_boxes,
    read_instances,
    read_keypoints,
)

IMAGE = {"id": 7, "file_name": "a.jpg", "width": 30, "height": 20, "license": 3}
CONTENT = {
    "images": [IMAGE],
    "categories": [{"id": 2, "name": "hand", "keypoints": ["palm"], "skeleton": []}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "iscrowd": 0, "keypoints": [1, 1, 2]},
        {"id": 3, "image_id": 9, "category_id": 2, "bbox": [1, 2, 3, 4], "iscrowd": 1, "area": 5},
    ],
}  # fmt: skip


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_each_reader_gives_what_it_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", CONTENT)
    people, instances, objects = read_keypoints(path), read_instances(path), read_annotated_objects(path)
    assert [(image.id, image.file_name, image.width, image.height) for image in people.images] == [(7, "a.jpg", 30, 20)]
    assert [(one.id, one.keypoints, one.bbox) for one in people.annotations] == [
        (1, [1, 1, 2], (1, 2, 3, 4)),
        (3, [], (1, 2, 3, 4)),
    ]
    assert [category.name for category in instances.categories] == ["hand"] == [c.name for c in people.categories]
    assert {image: [each.id for each in some] for image, some in objects.items()} == {7: [1], 9: [3]}


def test_boxes_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [{"image_id": n, "category_id": 1, "bbox": [0, 0, n, 1], "score": 0.5, "more": []} for n in (3, 1, 2)]
    assert [box.image_id for box in read_boxes(write(tmp_path / "b.json", rows))] == [3, 1, 2]


@pytest.mark.parametrize("read", [read_keypoints, read_instances, read_annotated_objects, read_boxes])
def test_what_is_no_such_file_is_named(read, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no file .*none\.json; get it from cocodataset\.org"):
        read(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"a\.json is not what a COCO file holds: .*"):
        read(write(tmp_path / "a.json", {"images": 3, "annotations": 3}))


@pytest.mark.parametrize("read", [read_keypoints, read_instances])
def test_a_file_without_images_is_refused(read, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json lists no images"):
        read(write(tmp_path / "a.json", {**CONTENT, "images": []}))


def test_boxes_that_are_none() -> None:
    assert box_fault([1, 2, 3, 0]) == "" == box_fault([-5, -5, 1, 1])
    for box in ([], [1, 2, 3], [1, 2, -3, 4], [1, 2, float("nan"), 4]):
        assert "x, y, width and height are expected" in box_fault(box)


def test_masks_that_are_none() -> None:
    whole = codec.encode(np.asfortranarray(np.ones((20, 30), np.uint8)))
    compressed = {"size": [20, 30], "counts": whole["counts"].decode()}
    sound = (None, [[1, 1, 5, 1, 5, 5]], {"size": [20, 30], "counts": [600]}, compressed)
    assert [mask_fault(mask, (30, 20)) for mask in sound] == [""] * 4
    for mask, said in (
        ([], "three corners"),
        ([[1, 1, 5]], "three corners"),
        ([[1, 1, 5, 1, 500, 5]], "beyond 60 pixels"),
        ({"size": [30, 20], "counts": [600]}, "has a mask of 20x30 pixels on an image of 30x20"),
        ({"size": [20, 30], "counts": [599]}, "has run lengths of 599 pixels"),
        ({"size": [20, 30]}, "cannot be read"),
        (3, "cannot be read"),
    ):
        assert said in mask_fault(mask, (30, 20))
