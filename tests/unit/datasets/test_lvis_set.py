"""LVIS's files beside COCO's images: where they are looked for, what is listed, what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hrbench.datasets.lvis import Lvis
from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco.lvis import LvisBoxes, LvisMasks

CATEGORIES = [
    {"id": 2, "name": "owl", "frequency": "r"},
    {"id": 1, "name": "cup", "frequency": "f"},
    {"id": 7, "name": "fig", "frequency": "c"},
]


def image(number: int, split: str) -> dict[str, Any]:
    """An image as LVIS v1 lists it."""
    return {
        "id": number, "width": 30, "height": 20, "license": 1, "flickr_url": "", "date_captured": "2013-11-14 17:02:52",
        "coco_url": f"http://images.cocodataset.org/{split}/{number:012d}.jpg",
        "neg_category_ids": [2, 7], "not_exhaustive_category_ids": [1],
    }  # fmt: skip


def object_(**changes: Any) -> dict[str, Any]:
    whole = {"id": 1, "image_id": 9, "category_id": 1, "bbox": [1, 2, 5, 6], "area": 30.0}
    return whole | {"segmentation": [[1, 2, 6, 2, 6, 8, 1, 8]]} | changes


def write(folder: Path, nested: str = "", annotations: list[Any] | None = None, **content: Any) -> Path:
    path = folder / "coco/annotations/lvis_v1_val.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [image(9, "train2017"), image(4, "val2017")]
    whole = {"images": listed, "annotations": annotations or [object_()], "categories": CATEGORIES, **content}
    path.write_text(json.dumps(whole))
    for one in listed:
        picture = folder / "coco" / nested / "/".join(one["coco_url"].split("/")[-2:])
        picture.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(picture), np.zeros((20, 30, 3), np.uint8))
    return path


@pytest.mark.parametrize("nested", ["", "images"])
def test_images_lie_in_the_folders_of_both_splits(nested: str, tmp_path: Path) -> None:
    path = write(tmp_path, nested)
    data = Lvis(tmp_path)
    assert data.target == path and data.missing({}) == [] and data.server == ""
    assert [(each.id, each.path.parent.name, each.size, each.orientation) for each in data.samples({})] == [
        (9, "train2017", (30, 20), "stored"), (4, "val2017", (30, 20), "stored"),
    ]  # fmt: skip
    assert all(each.path.is_file() for each in data.samples({}))
    assert data.scheme.names == ("cup", "owl", "fig") and data.scheme.ids == (1, 2, 7)
    assert data.metric_options() == {} and data.notes({}) == []
    assert [data.look(sample) for sample in data.samples({})] == [[], []]


def test_facts_count_classes_by_frequency_and_what_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path)
    assert Lvis(tmp_path).facts() == {
        "images": 2, "images with objects": 1, "objects": 1, "classes": 3, "of these rare": 1, "of these common": 1,
        "of these frequent": 1, "pairs of an image and an absent class": 4,
        "pairs of an image and a class annotated in part": 2,
    }  # fmt: skip


def test_what_is_missing_says_where_both_parts_come_from(tmp_path: Path) -> None:
    gaps = Lvis(tmp_path).missing({})
    assert len(gaps) == 2 and all("www.lvisdataset.org" in gap and "cocodataset.org" in gap for gap in gaps)
    write(tmp_path)
    (tmp_path / "coco/train2017/000000000009.jpg").unlink()
    (gap,) = Lvis(tmp_path).missing({})
    assert "1 of 2 images are missing" in gap and "train2017/000000000009.jpg" in gap


def test_its_options_are_those_of_its_metrics(tmp_path: Path) -> None:
    path = write(tmp_path, annotations=[object_(id=0, area="30")])
    data = Lvis(
        tmp_path,
        classes=["fig", 1],
        max_detections=50,
        per_class=True,
        detection_area="box",
        renumber=True,
        text_numbers=True,
    )
    options = data.metric_options()
    assert options == {
        "categories": [1, 7], "max_detections": 50, "per_class": True, "detection_area": "box", "renumber": True,
        "text_numbers": True,
    }  # fmt: skip
    for metric in (LvisBoxes, LvisMasks):
        assert metric(**options).read_target(path).federation is not None
    assert data.notes({}) == ["2 of the 3 classes of lvis_v1_val.json are looked for"]


def test_a_file_with_names_needs_no_addresses(tmp_path: Path) -> None:
    listed = {**image(5, "val2017"), "file_name": "sub/five.png"}
    del listed["coco_url"]
    path = tmp_path / "mine/objects.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"images": [listed], "annotations": [], "categories": CATEGORIES}))
    data = Lvis(tmp_path, folder="mine", annotations="objects.json", images="photos", orientation="stored")
    assert data.samples({})[0].path == tmp_path / "mine/photos/sub/five.png"
    assert data.missing({}) == [f"images are missing: {tmp_path / 'mine/photos'}; check the path in the suite"]


def test_truth_is_what_its_metrics_hold_predictions_to(tmp_path: Path) -> None:
    write(tmp_path, annotations=[object_(), object_(id=2, image_id=4, bbox=[0, 0, 30, 20])])
    data = Lvis(tmp_path)
    rows = data.truth(data.samples({}))
    assert {key: [row["category_id"] for row in own] for key, own in rows.items()} == {9: [1], 4: [1]}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in image(9, "val2017").items() if name != key}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": [without("coco_url")]}, "image 9 has no file_name and no coco_url"),
        (
            {"images": [without("neg_category_ids")]},
            "`$.images[0]`; LVIS needs it, other files are for",
        ),
        ({"images": [{**image(9, "val2017"), "coco_url": "http://x/a/../b.jpg"}]}, "leads out of the folder of images"),
        ({"images": []}, "lists no images"),
        ({"categories": []}, "lists no categories"),
        ({"categories": [{"id": 1, "name": "cup"}]}, "missing required field `frequency`"),
    ],
)
def test_what_is_no_file_of_its_form_is_refused(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    write(tmp_path, **content)
    with pytest.raises(InputError) as error:
        Lvis(tmp_path).samples({})
    assert message in str(error.value)


def test_unknown_classes_are_told_with_those_that_there_are(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UsageError, match="no category 'cups'"):
        _ = Lvis(tmp_path, classes=["cups"]).scheme
