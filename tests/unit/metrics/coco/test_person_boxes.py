"""Box AP of a box file, and the warning where it is not the published one."""

from __future__ import annotations

import json

import pytest
from random_instances import case

from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.datasets.person_boxes import OFFICIAL_BOXES
from hrbench.errors import InputError
from hrbench.metrics.coco.instances import INSTANCES, NUMBERS
from hrbench.metrics.coco.person_boxes import person_box_ap
from hrbench.metrics.coco.reference import instance_numbers


def files(tmp_path, boxes):
    people = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0}
        for i in (1, 2, 3, 4)
    ]
    truth = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 99, "height": 99} for i in (1, 2, 3, 4)],
        "annotations": people,
        "categories": [{"id": 1, "name": "person"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    return tmp_path / "truth.json", tmp_path / "boxes.json"


def box(image, score, category=1):
    return {"image_id": image, "category_id": category, "bbox": [10, 10, 40, 40], "score": score}


def test_exact_boxes_of_all_and_of_half_the_people(tmp_path):
    assert person_box_ap(*files(tmp_path, [box(i, 0.9) for i in (1, 2, 3, 4)])) == pytest.approx(1)
    # recall reaches 0.5 at precision 1: 51 of the 101 recall levels
    assert person_box_ap(*files(tmp_path, [box(1, 0.9), box(2, 0.9), box(3, 0.9, category=2)])) == pytest.approx(
        51 / 101
    )


def test_boxes_of_images_that_are_not_annotated_are_left_out(tmp_path):
    exact = [box(i, 0.9) for i in (1, 2, 3, 4)]
    assert person_box_ap(*files(tmp_path, [*exact, box(99, 1.0)])) == person_box_ap(*files(tmp_path, exact))


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_number_of_pycocotools(tmp_path, seed):
    truth, boxes = case(seed, categories=3, images=12)
    boxes += [{**row, "image_id": 5000} for row in boxes[:2]]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    mine = [row for row in boxes if row["category_id"] == 4 and row["image_id"] != 5000]
    (tmp_path / "mine.json").write_text(json.dumps(mine))
    files = tmp_path / "truth.json", tmp_path / "mine.json"
    numbers = instance_numbers(*files, "bbox", NUMBERS, INSTANCES, categories=[4])
    assert person_box_ap(tmp_path / "truth.json", tmp_path / "boxes.json", category=4) == numbers["AP"]


@pytest.mark.parametrize("boxes", [[{"image_id": 1}], [box(99, 0.5)], [box(1, 0.5, category=2)], []])
def test_what_cannot_be_scored_is_named(tmp_path, boxes):
    with pytest.raises(InputError, match=r"boxes\.json cannot be scored"):
        person_box_ap(*files(tmp_path, boxes))


def test_only_the_official_place_is_held_to_the_published_figure(tmp_path):
    assert CocoKeypointsDataset(tmp_path).published_box_ap({"boxes": "detector"}) == 0.564
    assert CocoKeypointsDataset(tmp_path, split="train2017").published_box_ap({"boxes": "detector"}) is None
    assert CocoKeypointsDataset(tmp_path).published_box_ap({"boxes": "ground_truth"}) is None
    assert CocoKeypointsDataset(tmp_path, folder="miniature").published_box_ap({"boxes": "detector"}) is None
    assert CocoKeypointsDataset(tmp_path, annotations="a.json").published_box_ap({"boxes": "detector"}) is None
    assert "val2017" in OFFICIAL_BOXES
