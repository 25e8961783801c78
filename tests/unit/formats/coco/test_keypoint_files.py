"""Reading COCO files: what is wrong is named, whatever is in the file, and blocks change nothing."""

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
from random_coco import case

from hrbench.errors import HrbenchError, InputError, MissingError
from hrbench.formats.coco import keypoint_results
from hrbench.formats.coco.keypoint_results import read_results
from hrbench.formats.coco.keypoints import read_truth

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


BAD_TRUTHS = [
    (put("annotations", 1, "id", 0), r"annotation 1 \(id 0, image_id 9\): id is 0; ids must be whole numbers from 1"),
    (put("annotations", 1, "id", -4), r"annotation 1 .*: id is -4"),
    (put("annotations", 1, "id", 1), r"annotation 1 \(id 1, image_id 9\): id is already that of annotation 0"),
    (put("annotations", 1, "id", "a"), r'annotation 1 .*: id is "a"'),
    (put("annotations", 1, "id", 2.0), r"annotation 1 .*: id is 2.0"),
    (put("annotations", 1, "id", 2**70), r"annotation 1 .*: id is 1180591620717411303424"),
    (put("annotations", 0, "image_id", 77), r"annotation 0 \(id 1, image_id 77\): image_id 77 is not among.*\(5, 9\)"),
    (put("annotations", 0, "category_id", 2), r"annotation 0 \(id 1, .*: category_id 2 is not among the categories"),
    (put("annotations", 1, "keypoints", 4, NAN), r"annotation 1 \(id 2, image_id 9\): keypoints\[4\] is NaN"),
    (put("annotations", 1, "keypoints", 0, -INF), r"annotation 1 .*: keypoints\[0\] is -Infinity"),
    (put("annotations", 1, "keypoints", 0, 1e300), r"annotation 1 .*: keypoints\[0\] is 1e\+300.* at most 1e\+09"),
    (put("annotations", 1, "keypoints", 0, 10**400), r"annotation 1 .*: keypoints\[0\] is 1000"),
    (put("annotations", 1, "keypoints", 0, True), r"annotation 1 .*: keypoints\[0\] is true"),
    (put("annotations", 1, "keypoints", 0, None), r"annotation 1 .*: keypoints\[0\] is null"),
    (put("annotations", 1, "keypoints", [1, 2, 3]), r"annotation 1 .*: keypoints holds 3 values; 3 joints need 9"),
    (put("annotations", 1, "keypoints", 7), r"annotation 1 .*: keypoints holds a number"),
    (drop("annotations", 1, "keypoints"), r"annotation 1 .*: 'keypoints' is missing"),
    (drop("annotations", 1, "area"), r"annotation 1 \(id 2, image_id 9\): 'area' is missing"),
    (drop("annotations", 1, "id"), r"annotation 1 \(image_id 9\): 'id' is missing"),
    (drop("annotations", 0, "bbox"), r"annotation 0 .*: 'bbox' is missing"),
    (drop("annotations", 0, "iscrowd"), r"annotation 0 .*: 'iscrowd' is missing"),
    (drop("annotations", 0, "num_keypoints"), r"annotation 0 .*: 'num_keypoints' is missing"),
    (put("annotations", 0, "area", NAN), r"annotation 0 .*: area is NaN; it must be a finite number"),
    (put("annotations", 0, "area", -1.0), r"annotation 0 .*: area is -1.0"),
    (put("annotations", 0, "area", "12"), r'annotation 0 .*: area is "12"'),
    (put("annotations", 0, "bbox", [1, 2, 3]), r"annotation 0 .*: bbox is \[1, 2, 3\]; it must be \[x, y, width"),
    (put("annotations", 0, "bbox", [1, 2, 3, INF]), r"annotation 0 .*: bbox\[3\] is Infinity"),
    (put("annotations", 0, "iscrowd", 2), r"annotation 0 .*: iscrowd is 2; it must be 0 or 1"),
    (put("annotations", 0, "iscrowd", 1.0), r"annotation 0 .*: iscrowd is 1.0"),
    (put("annotations", 0, "num_keypoints", -1), r"annotation 0 .*: num_keypoints is -1"),
    (put("annotations", 0, "num_keypoints", True), r"annotation 0 .*: num_keypoints is true"),
    (put("annotations", 0, [1]), r"annotation 0: is a list; it must be an object"),
    (put("images", 1, "id", 5), r"image 1: id 5 is already that of image 0"),
    (put("images", 1, "id", None), r"image 1: id is null; ids must be whole numbers"),
    (drop("images", 1, "id"), r"image 1: 'id' is missing"),
    (put("categories", [{"id": 1}, {"id": 1}]), r"category 1: id 1 is already that of category 0"),
    (put("categories", []), r"'categories' is empty; list at least one"),
    (drop("images"), r"'images' is missing; COCO annotations need a list"),
    (put("annotations", {}), r"'annotations' is an object; COCO annotations need a list"),
]
BAD_RESULTS = [
    (put(1, "score", NAN), r"result 1 \(image_id 5, category_id 1\): score is NaN; scores must be finite"),
    (put(1, "score", INF), r"result 1 .*: score is Infinity"),
    (put(1, "score", None), r"result 1 .*: score is null"),
    (put(1, "score", True), r"result 1 .*: score is true"),
    (put(1, "score", "0.5"), r'result 1 .*: score is "0.5"'),
    (put(0, "image_id", 6), r"result 0 \(image_id 6, category_id 1\): image_id 6 is not among the images"),
    (put(0, "image_id", "5"), r'result 0 .*: image_id is "5"; it must be a whole number'),
    (
        put(0, "category_id", 3),
        r"result 0 .*: category_id 3 is not among the categories of .* \(1 \(person\)\)",
    ),
    (put(1, "keypoints", 8, NAN), r"result 1 .*: keypoints\[8\] is NaN"),
    (put(1, "keypoints", 8, INF), r"result 1 .*: keypoints\[8\] is Infinity"),
    (put(1, "keypoints", []), r"result 1 .*: keypoints holds 0 values; 3 joints need 9 numbers"),
    (
        put(1, "keypoints", [5] * 6),
        r"keypoints holds 6 values; 3 joints need 9 .*if these are x, y alone, write a third",
    ),
    (put(1, "keypoints", [[1, 2, 3]] * 3), r"keypoints holds 3 values; 3 joints need 9 .*joints in one list"),
    (put(1, "keypoints", [0] * 51), r"result 1 .*: keypoints holds 51 values; 3 joints need 9 .*give its sigmas"),
    (drop(0, "keypoints"), r"result 0 .*: 'keypoints' is missing"),
    (drop(0, "score"), r"result 0 .*: 'score' is missing"),
    (drop(0, "image_id"), r"result 0 \(category_id 1\): 'image_id' is missing"),
    (put(1, "bbox", [1, 2, 3, 4]), r"result 1 .*: 'bbox' must be in all rows or in none"),
    (put(0, "bbox", [1, 2, 3, 4]), r"result 1 .*: 'bbox' must be in all rows or in none"),
    (put(0, "bbox", [1, 2, 3]), r"result 0 .*: bbox is \[1, 2, 3\]"),
    (put(0, "segmentation", []), r"result 0 .*: 'segmentation' does not belong into keypoint results"),
    (put(0, "caption", "hm"), r"result 0 .*: 'caption' does not belong"),
    (put(0, 3), r"result 0: is a number; it must be an object"),
]


@pytest.mark.parametrize(("edit", "says"), BAD_TRUTHS)
def test_the_first_fault_of_annotations_is_named(edit: Edit, says: str, small, written) -> None:
    truth, results = copy.deepcopy(small)
    edit(truth)
    path, _ = written(truth, results)
    with pytest.raises(InputError, match=says) as caught:
        read_truth(path, 3)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("edit", "says"), BAD_RESULTS)
def test_the_first_fault_of_results_is_named(edit: Edit, says: str, small, written) -> None:
    truth, results = copy.deepcopy(small)
    edit(results)
    paths = written(truth, results)
    with pytest.raises(InputError, match=says) as caught:
        read_results(paths[1], 3, read_truth(paths[0], 3))
    assert str(caught.value).startswith(str(paths[1])) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON: Expecting value at line 1, column 1"),
        ('[{"image_id": 5,', "not valid JSON: .* written completely"),
        ('[{"image_id": 5}', "not valid JSON"),
        ("[1, 2], 3", "not valid JSON: Extra data"),
        ("[" * 100_000, "not valid JSON"),
        ("nul", "not valid JSON"),
        ("null", "holds null"),
        ("17", "holds a number"),
        ('"text"', "holds text"),
        ("true", "holds true or false"),
    ],
)
def test_what_is_no_coco_file_says_what_it_is(text: str, says: str, small, written) -> None:
    paths = written(*small)
    target = read_truth(paths[0], 3)
    for path, read in ((paths[0], lambda p: read_truth(p, 3)), (paths[1], lambda p: read_results(p, 3, target))):
        path.write_text(text)
        with pytest.raises(InputError, match=says):
            read(path)


def test_files_exchanged_are_noticed(small, written) -> None:
    truth, results = written(*small)
    target = read_truth(truth, 3)
    with pytest.raises(InputError, match=r"holds a list; .*is this a results file"):
        read_truth(results, 3)
    with pytest.raises(InputError, match=r"holds an object.*; COCO results are a list of rows"):
        read_results(truth, 3, target)


def test_bytes_that_are_no_text(small, written) -> None:
    path, _ = written(*small)
    path.write_bytes(b"\xff\xfe\x00\x80" * 5)
    with pytest.raises(InputError, match="not valid JSON"):
        read_truth(path, 3)


def test_what_is_not_there(tmp_path: Path, small, written) -> None:
    target = read_truth(written(*small)[0], 3)
    with pytest.raises(MissingError, match="no such file; it should be COCO keypoint annotations"):
        read_truth(tmp_path / "none.json", 3)
    with pytest.raises(MissingError, match="no such file; it should be a COCO results file"):
        read_results(tmp_path / "none.json", 3, target)
    with pytest.raises(InputError, match="is a folder; COCO annotations are one JSON file"):
        read_truth(tmp_path, 3)


def test_other_joints_than_the_sigmas(small, written) -> None:
    with pytest.raises(InputError, match=r"keypoints holds 9 values; 17 joints need 51 .*give its sigmas"):
        read_truth(written(*small)[0], 17)


def test_columns(small, written) -> None:
    truth, results = small
    truth["annotations"][1]["iscrowd"] = True
    truth["annotations"][0]["num_keypoints"] = 0
    paths = written(truth, results)
    target = read_truth(paths[0], 3)
    assert target.images.tolist() == [5, 9] and target.categories.tolist() == [1]
    assert target.truths.crowd.tolist() == [False, True] and target.truths.ignore.tolist() == [True, True]
    assert target.keypoints[0].tolist() == [[10, 10, 2], [60, 10, 2], [60, 60, 1]]
    found = read_results(paths[1], 3, target)
    assert found.keypoints[1].tolist() == [[900, 900], [960, 900], [960, 960]]
    assert found.detections.area.tolist() == [2500, 3600] and found.area_from == "keypoints"


@pytest.mark.parametrize("block", [1, 7, 100, 1000, 10_000])
@pytest.mark.parametrize("indent", [None, 1])
def test_blocks_of_any_size_read_the_same(block: int, indent, written, monkeypatch) -> None:
    truth, results = case(4, joints=3)
    for n, row in enumerate(results[:20]):  # text that looks like the end of a row, and nested objects
        row["note"] = ['}, {"image_id": 1', {"a": {}, "b": [{}, {}]}, "]", "},"][n % 4]
    paths = written(truth, results)
    paths[1].write_text(json.dumps(results, indent=indent))
    target = read_truth(paths[0], 3)
    whole = read_results(paths[1], 3, target)
    assert whole.keypoints.shape == (len(results), 3, 2)
    monkeypatch.setattr(keypoint_results, "BLOCK_BYTES", block)
    if block == 1:  # a block of one byte reads everything again for every byte
        paths[1].write_text(json.dumps(results[:3]))
    parts = read_results(paths[1], 3, target)
    assert parts.keypoints.tolist() == whole.keypoints[: len(parts.keypoints)].tolist()
    assert len(parts.keypoints) == (3 if block == 1 else len(results))
    np.testing.assert_array_equal(parts.detections.score, whole.detections.score[: len(parts.detections.score)])


@pytest.mark.parametrize("tail", [",]", "", "]]", ", 3]", ',{"image_id": 5}]'])
@pytest.mark.parametrize("block", [50, 1 << 19])
def test_a_damaged_end_is_noticed_in_any_block(tail: str, block: int, small, written, monkeypatch) -> None:
    truth, results = small
    paths = written(truth, results)
    paths[1].write_text(json.dumps(results * 3)[:-1] + tail)
    monkeypatch.setattr(keypoint_results, "BLOCK_BYTES", block)
    target = read_truth(paths[0], 3)
    with pytest.raises(InputError):
        read_results(paths[1], 3, target)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = ["id", "image_id", "category_id", "area", "bbox", "iscrowd", "num_keypoints", "keypoints", "score", "caption"]


@settings(max_examples=300)
@given(data=st.data())
def test_no_content_does_anything_but_a_named_error(data, small, written) -> None:
    """Sound files with something else somewhere: read as they are, or refused by a message of one line."""
    content = copy.deepcopy(data.draw(st.sampled_from(small)))
    for _ in range(data.draw(st.integers(1, 2))):
        place = content
        if isinstance(place, dict):
            place = place[data.draw(st.sampled_from(sorted(place)))]
        if isinstance(place, list) and place and data.draw(st.booleans()):
            place = place[data.draw(st.integers(0, len(place) - 1))]
        if isinstance(place, dict):
            place[data.draw(st.sampled_from(KEYS))] = data.draw(anything)
        elif isinstance(place, list):
            place.append(data.draw(anything))
    paths = written(content if isinstance(content, dict) else small[0], small[1])
    paths[1].write_text(json.dumps(small[1] if isinstance(content, dict) else content))
    try:
        found = read_results(paths[1], 3, read_truth(paths[0], 3))
    except InputError as error:
        assert "\n" not in str(error) and "inconsistent content" not in str(error)
    else:
        assert np.isfinite(found.keypoints).all() and np.isfinite(found.detections.score).all()


@settings(max_examples=150)
@given(content=anything | st.binary(max_size=30) | st.lists(anything, max_size=3))
def test_anything_at_all_gives_nothing_but_a_named_error(content, small, written) -> None:
    paths = written(*small)
    target = read_truth(paths[0], 3)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    for path in paths:
        path.write_bytes(data)
    with pytest.raises(InputError):
        read_truth(paths[0], 3)
    if content != []:
        with pytest.raises(HrbenchError):
            read_results(paths[1], 3, target)


@settings(max_examples=100)
@given(cut=st.floats(0, 1), flip=st.integers(0, 255))
def test_truncated_and_damaged_files(cut: float, flip: int, small, written) -> None:
    paths = written(*small)
    sound = [path.read_bytes() for path in paths]
    target = read_truth(paths[0], 3)
    for path, data in zip(paths, sound, strict=True):
        path.write_bytes(data[: int(cut * (len(data) - 1))])
    with pytest.raises(InputError):
        read_truth(paths[0], 3)
    with pytest.raises(InputError):
        read_results(paths[1], 3, target)
    for path, data in zip(paths, sound, strict=True):
        place = int(cut * (len(data) - 1))
        path.write_bytes(data[:place] + bytes([flip]) + data[place + 1 :])
    try:
        read_results(paths[1], 3, read_truth(paths[0], 3))
    except InputError as error:
        assert "inconsistent content" not in str(error)


def test_bytes_that_are_no_text_are_refused_wherever_they_lie(tmp_path):
    truth, _ = case(1)
    path = tmp_path / "truth.json"
    path.write_bytes(json.dumps({"info": "?", **truth}).encode().replace(b'"?"', b'"\xab"'))
    with pytest.raises(InputError, match="not UTF-8 at byte 10"):
        read_truth(path, 17)
