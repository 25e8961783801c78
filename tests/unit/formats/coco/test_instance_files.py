"""Reading COCO boxes and masks: what is wrong is named, whatever is in the file."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as codec

from hrbench.errors import HrbenchError, InputError, MissingError
from hrbench.formats.coco import columns as coco_columns
from hrbench.formats.coco import instance_results
from hrbench.formats.coco.instance_results import read_results
from hrbench.formats.coco.instances import InstanceTruth, read_truth
from hrbench.formats.coco.rle import Masks

NAN, INF = math.nan, math.inf
Edit = Callable[[Any], Any]


def put(*path: Any) -> Edit:
    """An edit that sets content[path[0]][...] = path[-1]."""

    def edit(content: Any) -> None:
        for key in path[:-2]:
            content = content[key]
        content[path[-2]] = path[-1]

    return edit


def drop(*path: Any) -> Edit:
    def edit(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return edit


def code(height: int, width: int, rows: slice, columns: slice) -> dict[str, Any]:
    drawn = np.zeros((height, width), np.uint8, order="F")
    drawn[rows, columns] = 1
    found = codec.encode(drawn)
    return {"size": found["size"], "counts": found["counts"].decode()}


def files() -> tuple[dict, list[dict]]:
    """Two images of 30 x 20 and 40 x 40 px with a polygon, a plain and a compressed code; two results with both."""
    segmentations: list[Any] = [
        [[2.0, 2.0, 12, 2, 12, 12, 2, 12], [1, 1, 5, 1, 5, 5]],
        {"size": [40, 40], "counts": [100, 20, 1480]},
        code(40, 40, slice(5, 15), slice(5, 25)),
    ]
    truth = {
        "images": [{"id": 5, "width": 30, "height": 20}, {"id": 9, "width": 40, "height": 40}],
        "annotations": [
            {
                "id": n + 1, "image_id": (5, 9, 9)[n], "category_id": 1, "area": 100.0 + n, "bbox": [2, 2, 10, 10.5],
                "iscrowd": n % 2, "segmentation": segmentation,
            }
            for n, segmentation in enumerate(segmentations)
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "person"}],
    }  # fmt: skip
    results = [
        {"image_id": 5, "category_id": 1, "score": 0.9, "segmentation": code(20, 30, slice(2, 12), slice(2, 12))},
        {"image_id": 9, "category_id": 1, "score": 1, "segmentation": code(40, 40, slice(0, 9), slice(0, 40))},
    ]
    return truth, results


def boxed(results: list[dict]) -> list[dict]:
    return [{**row, "bbox": [1.5, 2, 10, 10]} for row in results]


def read(paths: tuple[Path, Path], masks: bool) -> tuple[InstanceTruth, Any]:
    target = read_truth(paths[0], masks)
    return target, read_results(paths[1], target)


BAD_TRUTHS = [
    # of either
    ("both", put("annotations", 1, "id", 0), r"annotation 1 \(id 0, image_id 9\): id is 0; ids must be whole numbers"),
    ("both", put("annotations", 1, "id", 1), r"annotation 1 .*: id is already that of annotation 0"),
    ("both", put("annotations", 0, "image_id", 7), r"annotation 0 .*: image_id 7 is not among the images .*\(5, 9\)"),
    ("both", put("annotations", 0, "category_id", 2), r"category_id 2 is not .*\(1 \(person\), 3 \(cat\)\)"),
    ("both", drop("annotations", 2, "area"), r"annotation 2 .*: 'area' is missing"),
    ("both", put("annotations", 2, "area", -1), r"annotation 2 .*: area is -1"),
    ("both", put("annotations", 2, "area", INF), r"annotation 2 .*: area is Infinity"),
    ("both", drop("annotations", 2, "iscrowd"), r"annotation 2 .*: 'iscrowd' is missing"),
    ("both", put("annotations", 2, "iscrowd", 3), r"annotation 2 .*: iscrowd is 3; it must be 0 or 1"),
    ("both", drop("images"), "'images' is missing"),
    ("both", put("categories", []), "'categories' is empty"),
    ("both", put("images", 1, "id", 5), "image 1: id 5 is already that of image 0"),
    # of boxes
    ("boxes", drop("annotations", 0, "bbox"), r"annotation 0 .*: 'bbox' is missing"),
    ("boxes", put("annotations", 0, "bbox", [1, 2, 3]), r"annotation 0 .*: bbox is \[1, 2, 3\]"),
    ("boxes", put("annotations", 0, "bbox", 3, NAN), r"annotation 0 .*: bbox\[3\] is NaN"),
    ("boxes", put("annotations", 0, "bbox", 2, -4), r"annotation 0 .*: bbox\[2\] is -4; a width must be zero or more"),
    # of masks
    ("masks", drop("images", 0, "height"), r"image 0 \(id 5\): 'height' is missing; masks need it"),
    ("masks", put("images", 0, "width", 0), r"image 0 \(id 5\): width is 0; it must be a whole number of pixels"),
    ("masks", put("images", 0, "width", 1 << 28), r"image 0 .*: height x width is 20 x 268435456"),
    ("masks", put("images", 0, "width", 3.5), r"image 0 .*: width is 3.5"),
    ("masks", drop("annotations", 1, "segmentation"), r"annotation 1 .*: 'segmentation' is missing"),
    ("masks", put("annotations", 1, "segmentation", "x"), r"annotation 1 .*: segmentation is text; give a list of"),
    ("masks", put("annotations", 1, "segmentation", []), r"annotation 1 .*: segmentation is empty"),
    ("masks", put("annotations", 0, "segmentation", 1, [1, 2, 3, 4]), r"segmentation\[1\] holds 4 values; a poly"),
    ("masks", put("annotations", 0, "segmentation", 0, [1] * 7), r"segmentation\[0\] holds 7 values"),
    ("masks", put("annotations", 0, "segmentation", 0, 3), r"segmentation\[0\] holds a number"),
    ("masks", put("annotations", 0, "segmentation", 0, 2, NAN), r"segmentation\[0\]\[2\] is NaN"),
    ("masks", put("annotations", 0, "segmentation", 0, 2, 1e6), r"segmentation\[0\]\[2\] is 1000000.0.* most 1e\+05"),
    ("masks", put("annotations", 0, "segmentation", 0, 2, "4"), r'segmentation\[0\]\[2\] is "4"'),
    ("masks", drop("annotations", 1, "segmentation", "size"), r"segmentation has no 'size'"),
    ("masks", drop("annotations", 1, "segmentation", "counts"), r"segmentation has no 'counts'"),
    ("masks", put("annotations", 1, "segmentation", "size", [4]), r"segmentation.size is \[4\]; it must be \[height"),
    ("masks", put("annotations", 1, "segmentation", "size", [2**63, 40]), r"size is \[9223372036854775808, 40\]; "),
    ("masks", put("annotations", 1, "segmentation", "size", [2**64, 2**64]), r"segmentation.size is \["),
    ("masks", put("images", 0, "height", 2**63), "height"),
    ("masks", put("annotations", 1, "segmentation", "size", [30, 40]), r"size is \[30, 40\]; the image .*\[40, 40\]"),
    ("masks", put("annotations", 1, "segmentation", "counts", 1, 21), r"counts covers 1601 pixels; its size has 1600"),
    ("masks", put("annotations", 1, "segmentation", "counts", 1, -20), r"counts\[1\] is -20"),
    ("masks", put("annotations", 1, "segmentation", "counts", []), r"counts covers 0 pixels"),
    ("masks", put("annotations", 2, "segmentation", "counts", ""), r"annotation 2 .*: segmentation.counts is empty"),
    ("masks", put("annotations", 2, "segmentation", "counts", "1"), r"counts covers 1 pixels"),
]  # fmt: skip
BAD_RESULTS = [
    ("both", put(1, "score", NAN), r"result 1 \(image_id 9, category_id 1\): score is NaN; scores must be finite"),
    ("both", put(1, "score", None), r"result 1 .*: score is null"),
    ("both", drop(0, "score"), r"result 0 .*: 'score' is missing"),
    ("both", put(0, "image_id", 6), r"result 0 .*: image_id 6 is not among the images"),
    ("both", put(0, "category_id", 2), r"result 0 .*: category_id 2 is not among the categories"),
    ("both", put(0, "caption", "hm"), r"result 0 .*: 'caption' does not belong"),
    ("both", put(0, 3), r"result 0: is a number; it must be an object"),
    ("boxes", drop(0, "bbox"), r"result 0 .*: 'bbox' is missing"),
    ("boxes", put(0, "bbox", [1, 2, 3]), r"result 0 .*: bbox is \[1, 2, 3\]; it must be \[x, y, width, height\]"),
    ("boxes", put(1, "bbox", 2, -0.5), r"result 1 .*: bbox\[2\] is -0.5; a width must be zero or more"),
    ("boxes", put(1, "bbox", 0, INF), r"result 1 .*: bbox\[0\] is Infinity"),
    ("boxes", put(1, "bbox", 0, 1e12), r"result 1 .*: bbox\[0\] is 1000000000000.0.* at most 1e\+09"),
    ("masks", drop(1, "segmentation"), r"result 1 .*: has a box and no mask"),
    ("masks", put(1, "segmentation", [[1, 2, 3, 4]]), r"segmentation\[0\] holds 4 values; a polygon is"),
    ("masks", put(1, "segmentation", "counts", [1599]), r"counts covers 1599 pixels"),
    ("masks", put(1, "segmentation", "size", [2**63, 40]), r"size is \[9223372036854775808, 40\]; it must be"),
    ("masks", put(1, "segmentation", "size", [-(2**70), 40]), r"segmentation.size is \["),
    ("masks", put(1, "segmentation", "size", [20, 30]), r"size is \[20, 30\]; .* \[40, 40\]; resize masks from the"),
    ("masks", put(1, "segmentation", "counts", "\u00e9"), r"counts holds a character that no compressed code has"),
    ("masks", put(1, "segmentation", "counts", "!"), r"counts holds a character that no compressed code has"),
    ("masks", put(1, "segmentation", "counts", "P"), r"counts ends within a number; was it cut off"),
    ("masks", put(1, "segmentation", "counts", "PPPPPPPPP0"), r"counts holds a number larger than any image"),
    ("masks", put(1, "segmentation", "counts", "1"), r"counts covers 1 pixels; its size has 1600"),
    ("masks", put(1, "segmentation", "counts", "O"), r"counts holds a run of negative length"),
    ("masks", put(1, "segmentation", "counts", ""), r"counts is empty"),
]  # fmt: skip


def kinds(cases: list[tuple[str, Edit, str]]) -> list[Any]:
    return [
        pytest.param(masks, edit, says, id=f"{'masks' if masks else 'boxes'}-{says}")
        for which, edit, says in cases
        for masks in (False, True)
        if which in ("both", "masks" if masks else "boxes")
    ]


@pytest.mark.parametrize(("masks", "edit", "says"), kinds(BAD_TRUTHS))
def test_the_first_fault_of_annotations_is_named(masks: bool, edit: Edit, says: str, written) -> None:
    truth, results = files()
    edit(truth)
    path, _ = written(truth, results)
    with pytest.raises(InputError, match=says) as caught:
        read_truth(path, masks)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("masks", "edit", "says"), kinds(BAD_RESULTS))
def test_the_first_fault_of_results_is_named(masks: bool, edit: Edit, says: str, written) -> None:
    truth, results = files()
    results = boxed(results)
    edit(results)
    paths = written(truth, results)
    target = read_truth(paths[0], masks)
    with pytest.raises(InputError, match=says) as caught:
        read_results(paths[1], target)
    assert str(caught.value).startswith(str(paths[1])) and "\n" not in str(caught.value)


@pytest.mark.parametrize("masks", [False, True])
def test_files_exchanged_or_missing_are_noticed(masks: bool, written, tmp_path: Path) -> None:
    truth, results = written(*files())
    with pytest.raises(InputError, match=r"holds a list; .*is this a results file"):
        read_truth(results, masks)
    with pytest.raises(InputError, match=r"holds an object.*; COCO results are a list of rows"):
        read_results(truth, read_truth(truth, masks))
    with pytest.raises(MissingError, match="no such file; it should be COCO instance annotations"):
        read_truth(tmp_path / "none.json", masks)
    with pytest.raises(MissingError, match=r"no such file; it should be a COCO results file"):
        read_results(tmp_path / "none.json", read_truth(truth, masks))


def test_boxes_as_columns_whatever_else_the_rows_hold(written) -> None:
    truth, results = files()
    target, found = read(written(truth, boxed(results)), masks=False)
    assert target.categories.tolist() == [1, 3] and target.names == ("person", "cat")
    assert target.truths.area.tolist() == [100, 101, 102] and target.truths.crowd.tolist() == [False, True, False]
    assert found.shape.tolist() == [[1.5, 2, 10, 10]] * 2 and found.detections.area.tolist() == [100, 100]
    # annotations without masks are enough for boxes
    for row in truth["annotations"]:
        del row["segmentation"]
    read(written(truth, [{k: v for k, v in row.items() if k != "segmentation"} for row in boxed(results)]), masks=False)


def test_masks_as_columns(written) -> None:
    truth, results = files()
    del truth["annotations"][0]["bbox"]
    target, found = read(written(truth, results), masks=True)
    assert isinstance(target.shape, Masks) and isinstance(found.shape, Masks)
    assert found.shape.area.tolist() == found.detections.area.tolist() == [100, 360] and found.area_from == "mask"
    assert target.shape.area.tolist()[1:] == [20, 200] and target.shape.plain.all()
    polygons: Any = codec.frPyObjects(truth["annotations"][0]["segmentation"], 20, 30)
    merged = codec.merge(polygons)
    assert target.shape.codes(np.array([0])) == [{"size": [20, 30], "counts": merged["counts"]}]
    paths = written(truth, boxed(results))
    target, found = read(paths, masks=True)
    assert found.detections.area.tolist() == [100, 360] and found.area_from == "mask" and found.boxed
    found = read_results(paths[1], target, "box")
    assert found.detections.area.tolist() == [100, 100] and found.area_from == "box"


def test_areas_of_boxes_need_a_box_in_every_row(written) -> None:
    truth, results = files()
    for box in (None, [], "left out"):
        rows = boxed(results)
        rows[1] = {key: value for key, value in {**rows[1], "bbox": box}.items() if value != "left out"}
        paths = written(truth, rows)
        target = read_truth(paths[0], masks=True)
        with pytest.raises(InputError, match=r"result 1 .*'bbox' is missing.* detection_area: mask takes"):
            read_results(paths[1], target, "box")


def test_masks_that_nothing_can_be_found_with_are_checked_but_not_kept(written) -> None:
    truth, results = files()
    results[1]["category_id"] = 3
    _, found = read(written(truth, results), masks=True)
    assert found.detections.area.tolist() == [100, 360] and np.diff(found.shape.starts).tolist()[1] == 0


@pytest.mark.parametrize("block", [50, 300])
def test_blocks_of_any_size_read_the_same(block: int, written, monkeypatch) -> None:
    truth, results = files()
    for masks in (False, True):
        paths = written(truth, boxed(results) * 5)
        _, whole = read(paths, masks)
        monkeypatch.setattr(coco_columns, "BLOCK_BYTES", block)
        monkeypatch.setattr(instance_results, "MASK_BLOCK_BYTES", block)
        _, parts = read(paths, masks)
        monkeypatch.undo()
        assert parts.detections.score.tolist() == whole.detections.score.tolist()
        if masks:
            assert parts.shape.text == whole.shape.text and parts.shape.starts.tolist() == whole.shape.starts.tolist()
        else:
            assert parts.shape.tolist() == whole.shape.tolist()


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = ["id", "image_id", "category_id", "area", "bbox", "iscrowd", "segmentation", "score", "size", "counts", "width"]


@settings(max_examples=250)
@given(data=st.data(), masks=st.booleans())
def test_no_content_does_anything_but_a_named_error(data, masks: bool, written) -> None:
    """Sound files with something else somewhere: read as they are, or refused by a message of one line."""
    truth, results = files()
    content: Any = data.draw(st.sampled_from([truth, boxed(results), results]))
    content = copy.deepcopy(content)
    place = content
    for _ in range(data.draw(st.integers(1, 4))):
        inner = list(place) if isinstance(place, dict) else list(range(len(place)))
        chosen = data.draw(st.sampled_from(inner)) if inner else None
        if chosen is None or not isinstance(place[chosen], dict | list):
            break
        place = place[chosen]
    if isinstance(place, dict):
        place[data.draw(st.sampled_from(KEYS))] = data.draw(anything)
    else:
        place.insert(data.draw(st.integers(0, len(place))), data.draw(anything))
    paths = written(content if isinstance(content, dict) else truth, results if isinstance(content, dict) else content)
    try:
        _, found = read(paths, masks)
    except InputError as error:
        assert "\n" not in str(error) and "inconsistent content" not in str(error)
    else:
        assert np.isfinite(found.detections.area).all() and np.isfinite(found.detections.score).all()


@settings(max_examples=60)
@given(cut=st.floats(0, 1), flip=st.integers(0, 255), masks=st.booleans())
def test_truncated_and_damaged_files(cut: float, flip: int, masks: bool, written) -> None:
    truth, results = files()
    paths = written(truth, boxed(results))
    for path in paths:
        data = path.read_bytes()
        place = int(cut * (len(data) - 1))
        path.write_bytes(data[:place])
        with pytest.raises(HrbenchError):
            read(paths, masks)
        path.write_bytes(data[:place] + bytes([flip]) + data[place + 1 :])
        try:
            read(paths, masks)
        except InputError as error:
            assert "inconsistent content" not in str(error)
        path.write_bytes(data)
    assert json.loads(paths[1].read_text())


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ('[{"image_id": 1, "category_id": "cat", "bbox": [1, 1, 1, 1], "score": 1}]', "and that of this category is 2"),
        ('{"annotations": []}', "write what is in its 'annotations' alone, with a score in each row"),
        ('{"image_id": 1}\n{"image_id": 1}', "a file of one object a line has to become one list"),
    ],
)
def test_a_refusal_of_results_leads_on(results: str, said: str, tmp_path: Path) -> None:
    truth = {
        "images": [{"id": 1}],
        "annotations": [],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(results)
    with pytest.raises(InputError) as caught:
        read_results(tmp_path / "results.json", read_truth(tmp_path / "truth.json", False))
    assert said in str(caught.value)
