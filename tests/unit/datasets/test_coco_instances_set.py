"""COCO-format objects: where files are looked for, one's own classes, what is missing or wrong, what a server takes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from hrbench.datasets.coco_instances import CocoInstances
from hrbench.datasets.mpii import Mpii
from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.annotations import compressed_mask, mask_fault
from hrbench.formats.coco.rle import decoded
from hrbench.metrics.coco.instances import CocoMasks

CATEGORIES = [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}]
IMAGES = [
    {"id": 9, "file_name": "b.png", "width": 30, "height": 20},
    {"id": 2, "file_name": "a.png", "width": 8, "height": 8},
]


def object_(**changes: Any) -> dict[str, Any]:
    whole = {"id": 1, "image_id": 9, "category_id": 3, "bbox": [1, 2, 5, 6], "area": 30, "iscrowd": 0}
    return whole | {"segmentation": [[1, 2, 6, 2, 6, 8, 1, 8]]} | changes


def write(
    folder: Path, annotations: list[Any] = [], images: list[Any] = IMAGES, categories: list[Any] = CATEGORIES  # noqa: B006
) -> Path:  # fmt: skip
    path = folder / "coco" / "annotations" / "instances_val2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    pictures = folder / "coco" / "val2017"
    pictures.mkdir(exist_ok=True)
    for image in images:
        assert cv2.imwrite(str(pictures / image["file_name"]), np.zeros((image["height"], image["width"], 3), np.uint8))
    return path


def test_classes_are_all_by_rising_id(tmp_path: Path) -> None:
    write(tmp_path)
    data = CocoInstances(tmp_path)
    assert data.scheme.names == ("person", "car", "toothbrush") and data.scheme.ids == (1, 3, 90)
    assert data.metric_options() == {} and data.notes({}) == [] and data.missing({}) == []
    assert [(each.id, each.path.name, each.size) for each in data.samples({})] == [
        (9, "b.png", (30, 20)), (2, "a.png", (8, 8)),
    ]  # fmt: skip


def test_ones_own_classes_by_name_or_id_in_ones_own_order(tmp_path: Path) -> None:
    write(tmp_path)
    data = CocoInstances(tmp_path, classes=["toothbrush", 1])
    assert data.scheme.names == ("toothbrush", "person") and data.scheme.ids == (90, 1)
    assert data.metric_options() == {"categories": [1, 90]}
    assert data.notes({}) == ["2 of the 3 classes of instances_val2017.json are looked for"]
    again = CocoInstances(tmp_path, classes=["toothbrush", "person", 3])
    assert again.metric_options() == {} and again.scheme.ids == (90, 1, 3)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["cat"], r"has no category 'cat'.*ids are 1 to 90"),
        ([2], r"has no category 2"),
        (["car", 3], r"category 3 is asked for more than once"),
        ([], r"no class is asked for"),
    ],
)
def test_classes_that_there_are_not(classes: list[Any], words: str, tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UsageError, match=r"dataset\.classes: .*" + words):
        _ = CocoInstances(tmp_path, classes=classes).scheme


def test_everything_missing_is_named_at_once(tmp_path: Path) -> None:
    annotations, images = CocoInstances(tmp_path).missing({})
    assert "instances_val2017.json" in annotations and "cocodataset.org" in annotations and "val2017" in images
    own, folder = CocoInstances(tmp_path, annotations="mine.json", images="pictures").missing({})
    assert "mine.json; check the path" in own and "pictures; check the path" in folder
    write(tmp_path)
    (tmp_path / "coco" / "val2017" / "a.png").unlink()
    (gap,) = CocoInstances(tmp_path).missing({})
    assert gap.startswith("1 of 2 images are missing") and "a.png" in gap


def test_both_official_image_folders_and_other_splits(tmp_path: Path) -> None:
    assert CocoInstances(tmp_path, split="train2017").target.name == "instances_train2017.json"
    nested = tmp_path / "coco" / "images" / "train2017"
    nested.mkdir(parents=True)
    assert CocoInstances(tmp_path, split="train2017").images == nested


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": [], "categories": CATEGORIES}, "lists no images"),
        (
            {"images": [{"id": 7, "file_name": "a.jpg", "width": 30, "height": -2}], "categories": CATEGORIES},
            "image 7 is 30x-2 pixels; both sides are above 0",
        ),
        ({"images": IMAGES}, "lists no categories"),
        ({"images": IMAGES * 2, "categories": CATEGORIES}, "images lists the id 9 more than once"),
        ({"images": IMAGES, "categories": CATEGORIES * 2}, "categories lists the id 3 more than once"),
        ({"images": [{"id": "a"}]}, "is not what a COCO file holds"),
        ([], "is not what a COCO file holds"),
    ],
)
def test_a_file_that_is_none_is_named(content: Any, words: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"instances_val2017\.json.*{words}"):
        _ = CocoInstances(tmp_path).scheme


def test_the_digest_knows_annotations_and_images_but_no_paths(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write(first)
    write(second)
    digest = CocoInstances(first).digest({})
    assert CocoInstances(second).digest({}) == digest
    (second / "coco" / "val2017" / "a.png").write_bytes(b"another image")
    assert CocoInstances(second).digest({}) != digest
    write(second, [object_()])
    assert CocoInstances(second).digest({}) != digest


def test_test_dev_is_judged_by_its_server(tmp_path: Path) -> None:
    data = CocoInstances(tmp_path, split="test-dev2017")
    assert data.target.name == "image_info_test-dev2017.json" and data.images.name == "test2017"
    assert "its server" in data.server and CocoInstances(tmp_path).server == ""
    assert CocoInstances(tmp_path, split="test-dev2017", annotations="mine.json").server == ""
    boxes, masks = tmp_path / "predictions.json", tmp_path / "masks.json"
    boxes.write_text("[1]")
    masks.write_text("[2]")
    one = data.submit({"coco-boxes": boxes}, tmp_path / "one")
    assert one == tmp_path / "one" / "detections_test-dev2017_hrbench_results.zip"
    with zipfile.ZipFile(one) as archive:
        assert archive.namelist() == ["detections_test-dev2017_hrbench_results.json"]
        assert archive.read(archive.namelist()[0]) == b"[1]"
    both = data.submit({"coco-boxes": boxes, "coco-masks": masks}, tmp_path / "two")
    assert sorted(path.name for path in both.iterdir()) == [
        "detections_test-dev2017_hrbench-coco-boxes_results.zip",
        "detections_test-dev2017_hrbench-coco-masks_results.zip",
    ]
    again = data.submit({"coco-boxes": boxes}, tmp_path / "three")
    assert again.read_bytes() == one.read_bytes()


def test_what_the_file_lists_is_counted(tmp_path: Path) -> None:
    write(tmp_path, [object_(), object_(id=2, iscrowd=1), object_(id=3, image_id=5)])
    assert CocoInstances(tmp_path).facts() == {
        "images": 2, "images with objects": 1, "objects": 3, "of these crowds": 1, "classes": 3,
    }  # fmt: skip


def run_lengths(height: int, width: int) -> dict[str, Any]:
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[2:5, 3:6] = 1
    made = coco_mask.encode(mask)
    return {"size": list(made["size"]), "counts": made["counts"].decode()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"category_id": 2}, "is of category 2, which the file does not list"),
        ({"bbox": [1, 2, 3]}, "has the box"),
        ({"bbox": [1, 2, -3, 4]}, "has the box"),
        ({"segmentation": [[1, 2, 3, 4]]}, "three corners or more"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "three corners or more"),
        ({"segmentation": [[1, 2, 6, 2, 6e9, 8]]}, "corner beyond 60 pixels on an image of 30x20"),
        ({"segmentation": {"size": [20, 30], "counts": "N"}}, "a run of negative length"),
        ({"segmentation": {"size": [20, 30], "counts": None}}, "counts is neither text nor a list"),
        ({"segmentation": {"size": [20, 30], "counts": [3, 4]}}, "run lengths of 7 pixels on an image of 30x20"),
        ({"segmentation": run_lengths(8, 8)}, "a mask of 8x8 pixels on an image of 30x20"),
        ({"segmentation": "none"}, "a mask that cannot be read"),
        ({"segmentation": {"size": [20, 30]}}, "a mask that cannot be read"),
    ],
)
def test_what_is_wrong_with_an_object_is_one_sentence(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    write(tmp_path, [object_(), object_(id=5, **change)])
    data = CocoInstances(tmp_path)
    (fault,) = data.look(data.samples({})[0])
    assert "instances_val2017.json: object 5 of image 9" in fault and words in fault


def test_nothing_is_wrong_with_polygons_runs_and_crowds(tmp_path: Path) -> None:
    masks = [run_lengths(20, 30), {"size": [20, 30], "counts": [100, 500]}, None]
    write(tmp_path, [object_(), *(object_(id=n, segmentation=mask) for n, mask in enumerate(masks, 2))])
    data = CocoInstances(tmp_path)
    assert [data.look(sample) for sample in data.samples({})] == [[], []]
    (tmp_path / "coco" / "val2017" / "b.png").write_bytes(b"no image")
    (fault,) = data.look(data.samples({})[0])
    assert "b.png" in fault


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 700) | st.floats(-9, 700) | st.text("0123abcN`", max_size=4),
    lambda inner: st.lists(inner, max_size=7) | st.fixed_dictionaries({"size": inner, "counts": inner}),
    max_leaves=9,
)


RUNS = st.fixed_dictionaries({"size": st.just([20, 30]), "counts": st.text("0159:PQXYZoNM`an", max_size=12)})


@given(mask=JSON | RUNS)
def test_any_mask_is_looked_at_without_a_traceback(mask: Any) -> None:
    found = mask_fault(mask, (30, 20))
    assert isinstance(found, str) and "\n" not in found
    if compressed := compressed_mask(mask, (30, 20)):
        assert found == "" and decoded(compressed["counts"], (20, 30)).shape == (20, 30)


def test_the_truth_has_masks_of_every_kind_and_no_faulty_ones(tmp_path: Path) -> None:
    area = np.zeros((20, 30), np.uint8, order="F")
    area[2:8, 1:6] = 1
    code = coco_mask.encode(area)["counts"].decode()
    runs = [22, 6] + [14, 6] * 4 + [492]
    objects = [
        object_(id=1),
        object_(id=2, segmentation={"size": [20, 30], "counts": code}),
        object_(id=3, segmentation={"size": [20, 30], "counts": runs}, iscrowd=1),
        object_(id=4, segmentation={"size": [8, 8], "counts": [64]}),  # of another size
        object_(id=5, segmentation=None, bbox=[0, 0, 29, 19]),
        object_(id=6, category_id=1),
        object_(id=7, bbox=[]),
        object_(id=8, image_id=2),
    ]
    write(tmp_path, objects)
    data = CocoInstances(tmp_path, classes=["car"])
    sample = next(one for one in data.samples({}) if one.id == 9)
    rows = data.truth([sample])[9]
    assert [row["bbox"] for row in rows] == [[0, 0, 29, 19], *[[1, 2, 5, 6]] * 4]  # the largest first
    assert ["segmentation" in row for row in rows] == [False, True, True, True, False]
    assert [row["iscrowd"] for row in rows] == [0, 0, 0, 1, 0] and all("score" not in row for row in rows)
    for row in rows[1:4]:
        np.testing.assert_array_equal(decoded(row["segmentation"]["counts"], (20, 30)), area)


def test_an_export_of_boxes_may_have_empty_masks(tmp_path: Path) -> None:
    """Whether masks are needed is known where they are judged, and told there."""
    write(tmp_path, [object_(segmentation=[])])
    data = CocoInstances(tmp_path)
    assert not any("polygon" in fault for sample in data.samples({}) for fault in data.look(sample))
    with pytest.raises(InputError, match="segmentation is empty; give polygons or an RLE, or judge boxes alone"):
        CocoMasks().read_target(data.target)


def test_what_notes_advise_is_a_setting_of_the_data_set_too(tmp_path: Path) -> None:
    write(tmp_path, [object_()])
    given = CocoInstances(tmp_path, detection_area="box", max_detections=300).metric_options()
    assert given == {"detection_area": "box", "max_detections": 300}
    assert CocoMasks(**given).detection_area == "box" and CocoInstances(tmp_path).metric_options() == {}
    own = {"iou_thresholds": [0.3], "areas": {"a": [0, 9]}, "recall_thresholds": 11, "class_agnostic": True}
    assert CocoInstances(tmp_path, **own).metric_options() == own == {**CocoMasks(**own).own_criteria(), **own}
    assert CocoInstances(tmp_path, per_class=True).metric_options() == {"per_class": True}
    assert Mpii(tmp_path, origin=1).metric_options() == {"origin": 1} and Mpii(tmp_path).metric_options() == {}
