"""What about annotations and detections is told: each kind where it is, and none of it where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as codec

from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.metrics.coco.notes import repeated_rows
from hrbench.types import Note

Written = Callable[[Any, Any], tuple[Path, Path]]


def scenes(images: int = 6, objects: int = 4) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Objects of 20 to 60 px apart from one another, each found with a score of its own."""
    rng = np.random.default_rng(3)
    truth: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "thing"}]}
    found = []
    for image in range(1, images + 1):
        truth["images"].append({"id": image, "width": 640, "height": 480})
        for place in range(objects):
            box = [10.0 + 100 * place, float(rng.integers(10, 200)), *rng.integers(20, 60, 2).astype(float).tolist()]
            row = {"image_id": image, "category_id": 1, "bbox": box}
            area = box[2] * box[3]
            truth["annotations"].append({**row, "id": len(found) + 1, "area": area, "iscrowd": 0})
            found.append({**row, "score": round(0.9 - 0.01 * len(found), 4)})
    return truth, found


def told(metric: Any, paths: tuple[Path, Path], images: list[int] | None = None) -> dict[str, Note]:
    target = metric.read_target(paths[0])
    predictions = metric.read_predictions(paths[1], target)
    notes = metric.input_notes(predictions, target, metric.measure(predictions, target, images))
    assert len({note.kind for note in notes}) == len(notes)
    return {note.kind: note for note in notes}


def test_nothing_is_told_of_files_as_they_should_be(written: Written) -> None:
    assert told(CocoBoxes(), written(*scenes())) == {}


def test_detections_beyond_the_limit_are_counted_by_image_and_category(written: Written) -> None:
    truth, found = scenes(3, 1)
    extra = [{**found[0], "bbox": [300 + k, 10, 5, 5], "score": 0.1 + k / 1000} for k in range(110)]
    notes = told(CocoBoxes(), written(truth, [*found, *extra]))
    assert (notes["cut_detections"].count, notes["cut_detections"].of) == (11, 113)
    assert "first 100" in str(notes["cut_detections"]) and "max_detections" in str(notes["cut_detections"])
    other = [{**row, "category_id": 2} for row in extra]
    truth["categories"].append({"id": 2, "name": "other"})
    assert told(CocoBoxes(), written(truth, [*found, *other]))["cut_detections"].count == 10
    assert "cut_detections" not in told(CocoBoxes(categories=[1]), written(truth, [*found, *other]))
    assert "cut_detections" not in told(CocoBoxes(), written(truth, [*found, *extra]), [2, 3])


def test_objects_beyond_the_limit_cannot_all_be_found(written: Written) -> None:
    truth, found = scenes(2, 1)
    many = [{**truth["annotations"][0], "id": 100 + k, "bbox": [k, 1, 9, 9]} for k in range(120)]
    truth["annotations"] += many
    assert (told(CocoBoxes(), written(truth, found))["crowded_images"].count) == 21
    for row in truth["annotations"]:
        row["iscrowd"] = 1  # crowds need not be found
    assert "crowded_images" not in told(CocoBoxes(), written(truth, found))


def test_images_with_objects_and_without_detections_are_counted(written: Written) -> None:
    truth, found = scenes()
    truth["images"].append({"id": 99, "width": 640, "height": 480})  # without objects: nothing is missed there
    some = [row for row in found if row["image_id"] > 2]
    note = told(CocoBoxes(), written(truth, some))["empty_images"]
    assert (note.count, note.of) == (2, 6) and str(note).startswith("2 of 6 images with objects have no detection")
    assert "empty_images" not in told(CocoBoxes(), written(truth, some), [3, 4, 99])


def test_equal_scores_are_told_and_one_detection_is_not(written: Written) -> None:
    truth, found = scenes()
    assert told(CocoBoxes(), written(truth, [{**row, "score": 1} for row in found]))["equal_scores"].count == 24
    assert "equal_scores" not in told(CocoBoxes(), written(truth, found[:1]))


def test_rows_that_repeat_another_are_counted(written: Written) -> None:
    truth, found = scenes()
    twice = [*found, found[0], found[0], {**found[1], "score": 0.001}, {**found[2], "bbox": [1, 2, 3, 4]}]
    assert told(CocoBoxes(), written(truth, twice))["repeated_rows"].count == 2


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, -0.0, 0.5]), st.integers(0, 2)), max_size=30))
def test_repeated_rows_are_those_that_a_set_does_not_keep(rows: list[tuple[int, float, int]]) -> None:
    group, score, place = (np.array([row[k] for row in rows], kind) for k, kind in enumerate((np.int64, float, float)))
    assert repeated_rows(group, score, place.reshape(-1, 1)) == len(rows) - len(set(rows))


WAYS: dict[str, Callable[[list[float]], list[float]]] = {
    "corners (x1, y1, x2, y2)": lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]],
    "centres with width and height": lambda b: [b[0] + b[2] / 2, b[1] + b[3] / 2, b[2], b[3]],
    "shares of the image: x, y, width, height": lambda b: [b[0] / 640, b[1] / 480, b[2] / 640, b[3] / 480],
    "shares of the image: corners": lambda b: [b[0] / 640, b[1] / 480, (b[0] + b[2]) / 640, (b[1] + b[3]) / 480],
    "shares of the image: centres with width and height": lambda b: [
        (b[0] + b[2] / 2) / 640,
        (b[1] + b[3] / 2) / 480,
        b[2] / 640,
        b[3] / 480,
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_boxes_in_another_form_are_recognised_by_how_well_they_would_fit(way: str, written: Written) -> None:
    truth, found = scenes()
    note = told(CocoBoxes(), written(truth, [{**row, "bbox": WAYS[way](row["bbox"])} for row in found]))
    assert f"look like {way}, not" in note["misread_boxes"].what
    assert "would be 1.00" in note["misread_boxes"].effect


def test_boxes_that_are_merely_wrong_are_not_taken_for_another_form(written: Written) -> None:
    truth, found = scenes()
    rng = np.random.default_rng(0)
    wrong = [{**row, "bbox": [*rng.uniform(0, 400, 2).tolist(), 30, 30]} for row in found]
    assert "misread_boxes" not in told(CocoBoxes(), written(truth, wrong))
    for image in truth["images"]:
        del image["width"]  # shares cannot be told without a size, and nothing fails
    shares = [{**row, "bbox": WAYS["shares of the image: corners"](row["bbox"])} for row in found]
    assert "misread_boxes" not in told(CocoBoxes(), written(truth, shares))


def test_a_key_ignore_is_told_unless_the_object_is_a_crowd_anyway(written: Written) -> None:
    truth, found = scenes()
    truth["annotations"][0]["ignore"] = 1
    truth["annotations"][1] |= {"ignore": 1, "iscrowd": 1}
    truth["annotations"][2]["ignore"] = 0
    assert told(CocoBoxes(), written(truth, found))["ignore_keys"].count == 1


def masks(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for row in found:
        x, y, width, height = (int(side) for side in row["bbox"])
        drawn = np.zeros((480, 640), np.uint8, order="F")
        drawn[y : y + height, x : x + width // 2] = 1
        code = codec.encode(drawn)
        counts = code["counts"]
        assert isinstance(counts, bytes)
        rows.append({**row, "segmentation": {"size": [480, 640], "counts": counts.decode()}})
    return rows


def test_where_areas_of_masks_come_from_is_told(written: Written) -> None:
    truth, found = scenes(2, 2)
    for row in truth["annotations"]:
        x, y, width, height = row["bbox"]
        row["segmentation"] = [[x, y, x + width / 2, y, x + width / 2, y + height, x, y + height]]
    with_boxes = written(truth, masks(found))
    assert told(CocoMasks(), with_boxes).keys() == {"unused_boxes"}
    assert told(CocoMasks(detection_area="box"), with_boxes).keys() == {"box_areas"}
    alone = [{key: value for key, value in row.items() if key != "bbox"} for row in masks(found)]
    assert told(CocoMasks(), written(truth, alone)) == {}
    with pytest.raises(UsageError, match="detection_area 'boxes': say mask or box"):
        CocoMasks(detection_area="boxes")


def people(written: Written, **changes: Any) -> tuple[Path, Path]:
    joints = [[100.0 + k, 50.0 + 3 * k, 2] for k in range(17)]
    row = {
        "image_id": 1, "category_id": 1, "bbox": [90, 40, 60, 80], "area": 4000.0, "iscrowd": 0,
        "num_keypoints": 17, "keypoints": [value for joint in joints for value in joint],
    }  # fmt: skip
    other = {**row, "image_id": 2}
    truth = {
        "images": [{"id": 1}, {"id": 2}],
        "annotations": [{**row, "id": 1, **changes}, {**other, "id": 2}],
        "categories": [{"id": 1}],
    }
    found = [{"image_id": i, "category_id": 1, "keypoints": row["keypoints"], "score": 0.5 + i / 10} for i in (1, 2)]
    return written(truth, found)


def test_people_whose_num_keypoints_contradicts_their_joints_are_told(written: Written) -> None:
    assert told(CocoKeypointAP(), people(written)) == {}
    note = told(CocoKeypointAP(), people(written, num_keypoints=0))["num_keypoints"]
    assert note.count == 1 and "they are ignored" in note.effect and "xtcocotools" in note.effect
    note = told(CocoKeypointAP(), people(written, keypoints=[0] * 51))["num_keypoints"]
    assert note.count == 1 and "they count" in note.effect
    assert "num_keypoints" not in told(CocoKeypointAP(), people(written, num_keypoints=5))  # no number depends on it


def test_people_without_area_are_told(written: Written) -> None:
    assert told(CocoKeypointAP(), people(written, area=0))["no_area"].count == 1
    assert "no_area" not in told(CocoKeypointAP(), people(written, area=0, num_keypoints=0, keypoints=[0] * 51))


def test_areas_of_keypoints_follow_pycocotools_unless_told(written: Written) -> None:
    paths = people(written)
    boxed = paths[1].read_text(encoding="utf-8").replace('"score"', '"bbox": [0, 0, 10, 10], "score"')
    paths[1].write_text(boxed, encoding="utf-8")
    areas = {}
    ways: tuple[Literal["keypoints", "box"] | None, ...] = (None, "keypoints", "box")
    for asked in ways:
        metric = CocoKeypointAP(detection_area=asked)
        target = metric.read_target(paths[0])
        found = metric.read_predictions(paths[1], target)
        areas[asked] = found.detections.area.tolist()
        ours = metric.raw(metric.measure(found, target)).tolist()
        assert ours == list(metric.verify(*paths).values())
        assert ("box_areas" in told(metric, paths)) == (asked != "keypoints")
    assert areas[None] == areas["box"] == [100, 100] and areas["keypoints"] == [16 * 48] * 2
    paths[1].write_text(boxed.replace('"bbox": [0, 0, 10, 10], ', "", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"must be in all rows or in none.*detection_area: keypoints"):
        told(CocoKeypointAP(), paths)
    with pytest.raises(InputError, match="detection_area is box; detection_area: keypoints"):
        told(CocoKeypointAP(detection_area="box"), paths)
    assert "box_areas" not in told(CocoKeypointAP(detection_area="keypoints"), paths)


def test_corners_are_recognised_although_they_fit_something_as_they_stand(written: Written) -> None:
    """Large objects near the origin: as x, y, width, height their corners still cover a third of them."""
    truth, found = scenes()
    for row in (*truth["annotations"], *found):
        row["bbox"] = [row["bbox"][0] / 5, row["bbox"][1] / 5, row["bbox"][2] * 2, row["bbox"][3] * 2]
    corners = [{**row, "bbox": WAYS["corners (x1, y1, x2, y2)"](row["bbox"])} for row in found]
    note = told(CocoBoxes(), written(truth, corners))["misread_boxes"]
    as_written = float(note.effect.partition("nearest object is ")[2][:4])
    assert 0.3 < as_written < 0.75 and "would be 1.00" in note.effect


def test_boxes_that_fit_well_are_not_taken_for_another_form(written: Written) -> None:
    truth, found = scenes()
    shifted = [{**row, "bbox": [row["bbox"][0] + 4, row["bbox"][1] + 4, *row["bbox"][2:]]} for row in found]
    assert "misread_boxes" not in told(CocoBoxes(), written(truth, shifted))


def test_joints_as_shares_of_the_image_are_recognised(written: Written) -> None:
    paths = people(written)
    rows = json.loads(paths[1].read_text())
    for row in rows:
        row["keypoints"] = [value / 640 for value in row["keypoints"]]
    paths[1].write_text(json.dumps(rows))
    assert "misread_joints" in told(CocoKeypointAP(), paths)


def test_people_beyond_the_limit_are_told_with_its_option(written: Written) -> None:
    """People beyond the 20 of an image."""
    paths = people(written)
    rows = json.loads(paths[1].read_text())
    paths[1].write_text(json.dumps([{**rows[0], "score": k / 100} for k in range(30)]))
    notes = told(CocoKeypointAP(), paths)
    assert notes["cut_detections"].count == 10 and notes["cut_detections"].option == "max_detections"
    assert "cut_detections" not in told(CocoKeypointAP(max_detections=30), paths)


def rooted(kind: str, written: Written) -> tuple[Path, Path]:
    """An export of Roboflow's: the category 0 names the project."""
    truth, found = scenes(2, 2)
    if kind == "keypoints":
        people(written)
        truth, found = (json.loads((p).read_text()) for p in people(written))
    truth["categories"] = [
        {"id": 0, "name": "pets", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "pets"},
    ]
    return written(truth, found)


@pytest.mark.parametrize("kind", ["boxes", "keypoints"])
def test_a_root_category_is_told_unless_the_user_spoke_of_it(kind: str, written: Written) -> None:
    make = CocoBoxes if kind == "boxes" else CocoKeypointAP
    paths = rooted(kind, written)
    note = told(make(), paths)["root_category"]
    assert "category 0 ('pets') has no annotation" in note.what and note.option == "root_category: drop"
    assert told(make(root_category="drop"), paths) == told(make(root_category="keep"), paths) == {}
    rows = json.loads(paths[1].read_text())
    rows[0]["category_id"] = 0  # a network that counts its classes from 0
    paths[1].write_text(json.dumps(rows))
    note = told(make(), paths)["root_category"]
    assert "1 of the detections are of it and change no number" in note.effect
    assert note.option == ""  # it would refuse them
    for row in rows:
        row["category_id"] = 0
    paths[1].write_text(json.dumps(rows))
    assert "all ids look one too small, add 1 to each" in told(make(), paths)["root_category"].effect
    truth = json.loads(paths[0].read_text())
    truth["annotations"][0]["category_id"] = 0  # it is used, so it is a class
    paths[0].write_text(json.dumps(truth))
    assert "root_category" not in told(make(), paths)


def test_a_root_category_that_is_not_evaluated_is_not_told(written: Written) -> None:
    assert told(CocoBoxes(categories=[1]), rooted("boxes", written)) == {}
    assert told(CocoKeypointAP(category=1), rooted("keypoints", written)) == {}


def test_the_key_ignore_is_counted_among_what_is_evaluated(written: Written) -> None:
    truth, found = scenes()
    for row in truth["annotations"]:
        row["ignore"] = 1
    note = told(CocoBoxes(), written(truth, found), [1, 2])["ignore_keys"]
    assert (note.count, note.of) == (8, 8)
