"""Files as labelling tools export them: with its option each gives what pycocotools gives for COCO's own form."""

from __future__ import annotations

import copy
import json
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import random_coco
import random_instances
from pycocotools import mask as codec
from pycocotools.coco import COCO

from hrbench.errors import HrbenchError, InputError, UsageError
from hrbench.formats.coco.annotations import compressed_mask
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.metrics.coco.keypoints import CocoKeypointAP

METRICS: dict[str, Any] = {"boxes": CocoBoxes, "masks": CocoMasks, "keypoints": CocoKeypointAP}
SEEDS = range(2)


def case(kind: str, seed: int) -> tuple[dict, list[dict]]:
    if kind == "keypoints":
        return random_coco.case(seed, categories=2, images=10)
    return random_instances.case(seed, masks=kind == "masks", images=10)


def raw(metric: Any, paths: tuple[Path, Path]) -> list[float]:
    target = metric.read_target(paths[0])
    return metric.raw(metric.measure(metric.read_predictions(paths[1], target), target)).tolist()


def by_pycocotools(kind: str, paths: tuple[Path, Path]) -> list[float]:
    return list(METRICS[kind]().verify(*paths).values())


def from_zero(truth: dict, results: list[dict]) -> None:
    for index, row in enumerate(truth["annotations"]):
        row["id"] = index


def without_ids(truth: dict, results: list[dict]) -> None:
    for row in truth["annotations"]:
        row.pop("id")


def all_the_same(truth: dict, results: list[dict]) -> None:
    for row in truth["annotations"]:
        row["id"] = 7


def as_floats(truth: dict, results: list[dict]) -> None:
    for row in (*truth["images"], *truth["annotations"], *truth["categories"], *results):
        row |= {key: float(row[key]) for key in ("id", "image_id", "category_id", "iscrowd") if key in row}


def without_crowds(truth: dict, results: list[dict]) -> None:
    for row in truth["annotations"]:
        row["iscrowd"] or row.pop("iscrowd")


def by_file_name(truth: dict, results: list[dict]) -> None:
    """Images are called by letters, and their ids are no numbers."""
    truth["images"].sort(key=lambda row: row["id"])  # numbered in this order, on which ties depend
    names = {row["id"]: f"{chr(97 + index)}.b" for index, row in enumerate(truth["images"])}
    for row in truth["images"]:
        row |= {"id": names[row["id"]], "file_name": f"shots/{names[row['id']]}.JPG"}
    for index, row in enumerate((*truth["annotations"], *results)):
        name = names[row["image_id"]]
        row["image_id"] = (name, f"shots/{name}.JPG", f"{name}.JPG", f"shots\\{name}")[index % 4]


def by_numbers_in_names(truth: dict, results: list[dict]) -> None:
    """Ids of the ground truth are positions, and those of the results are in the names of the files."""
    place = {row["id"]: index for index, row in enumerate(truth["images"])}
    for row in truth["images"]:
        row |= {"file_name": f"{row['id']:012d}.jpg", "id": place[row["id"]]}
    for row in truth["annotations"]:
        row["image_id"] = place[row["image_id"]]
    for row in results[::2]:
        row["image_id"] = f"{row['image_id']:012d}"


def as_texts(truth: dict, results: list[dict]) -> None:
    """Every number as a table's cell: "10.5" and "3", those within polygons, too."""

    def text(value: Any) -> Any:
        if isinstance(value, list):
            return [text(one) for one in value]
        return value if isinstance(value, (str, dict)) else repr(value)

    for row in (*truth["images"], *truth["annotations"], *truth["categories"], *results):
        row |= {key: text(value) for key, value in row.items()}


def with_a_root(truth: dict, results: list[dict]) -> None:
    for row in truth["categories"]:
        row["supercategory"] = "things"
    truth["categories"].insert(0, {"id": 0, "name": "things", "supercategory": "none"})


SAME = [
    (from_zero, {"renumber": True}, "renumber: true"),
    (without_ids, {"renumber": True}, "renumber: true"),
    (all_the_same, {"renumber": True}, "renumber: true"),
    (as_floats, {"whole_ids": True}, "whole_ids: true"),
    (without_crowds, {"iscrowd": 0}, "iscrowd: 0"),
    (by_file_name, {"match": "file_name"}, "match: file_name"),
    (by_numbers_in_names, {"match": "file_name"}, "match: file_name"),
    (with_a_root, {"root_category": "drop"}, ""),
    (as_texts, {"text_numbers": True}, ""),
]


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize(("change", "options", "advice"), SAME, ids=lambda part: getattr(part, "__name__", ""))
def test_an_export_gives_the_numbers_of_coco_s_form(kind, change, options, advice, written) -> None:
    some = 0.0
    for seed in SEEDS:
        truth, results = case(kind, seed)
        expected = by_pycocotools(kind, written(truth, results))
        change(truth, results)
        paths = written(truth, results)
        metric = METRICS[kind](**options)
        assert raw(metric, paths) == expected == list(metric.verify(*paths).values()), f"seed {seed}"
        some += max(expected)
        if advice and truth["annotations"] and results:
            with pytest.raises(InputError) as refused:
                raw(METRICS[kind](), paths)
            assert advice in str(refused.value)
    assert some > 0


TOGETHER = [
    [without_ids, as_floats, without_crowds, by_file_name, with_a_root],
    [from_zero, without_crowds, by_numbers_in_names, with_a_root],
    [all_the_same, without_crowds, as_floats],
    [by_numbers_in_names, with_a_root],
]


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("number", range(len(TOGETHER)))
def test_several_options_together_give_the_numbers_of_coco_s_form(kind, number, written) -> None:
    options = {"truth_area": "box"}
    for change, option, _ in SAME:
        options |= option if change in TOGETHER[number] else {}
    for seed in range(100, 103):
        truth, results = case(kind, seed)
        known = copy.deepcopy(truth)
        for row in known["annotations"]:
            row["area"] = row["bbox"][2] * row["bbox"][3]
        expected = by_pycocotools(kind, written(known, results))
        for change in TOGETHER[number]:
            change(truth, results)
        paths = written(truth, results)
        metric = METRICS[kind](**options)
        assert raw(metric, paths) == expected == list(metric.verify(*paths).values()), f"seed {seed}"


CRITERIA = {"max_detections", "areas", "recall_thresholds", "class_agnostic"}
OTHERS = {
    "boxes": {"categories", "names", "per_class", "detection_area", *CRITERIA, "iou_thresholds"},
    "masks": {"categories", "names", "per_class", "detection_area", *CRITERIA, "iou_thresholds"},
    "keypoints": {
        "sigmas",
        "category",
        "per_class",
        "detection_area",
        *CRITERIA,
        "oks_thresholds",
        "layout",  # test_own_layouts
        "missing_box",
        "skeleton",  # the sigmas of a set by its name
        "frames",
        "unseen",
    },
}
"""Options whose random cases are in `test_keypoints`, `test_coco_instances` or `test_criteria`, or of records in
`tests/golden/test_pose_sets`."""


@pytest.mark.parametrize("kind", METRICS)
def test_every_option_has_random_cases(kind) -> None:
    """A new option of these metrics is held to pycocotools on random cases, here or beside those of its metric."""
    here = {name for _, options, _ in SAME for name in options} | {"truth_area", "num_keypoints"}
    assert set(signature(METRICS[kind]).parameters) <= here | OTHERS[kind]


AREAS = {"box": lambda box: box[2] * box[3], "box*0.53": lambda box: box[3] * box[2] * 0.53}


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("rule", AREAS)
def test_areas_of_boxes_replace_the_key_area(kind, rule, written) -> None:
    different = 0
    for seed in SEEDS:
        truth, results = case(kind, seed)
        before = by_pycocotools(kind, written(truth, results))
        known = copy.deepcopy(truth)
        for row, without in zip(known["annotations"], truth["annotations"], strict=True):
            row["area"] = AREAS[rule](row["bbox"])
            without.pop("area")
        expected = by_pycocotools(kind, written(known, results))
        paths = written(truth, results)
        metric = METRICS[kind](truth_area=rule)
        assert raw(metric, paths) == expected == list(metric.verify(*paths).values()), f"seed {seed}"
        different += expected != before
        if truth["annotations"]:
            with pytest.raises(InputError, match=r"'area' is missing; option truth_area: box, box\*0\.53"):
                METRICS[kind]().read_target(paths[0])
    assert different


def test_areas_of_masks_are_those_of_the_codec(written) -> None:
    for seed in SEEDS:
        truth, results = case("masks", seed)
        paths = written(truth, results)
        reference = COCO(str(paths[0]))
        known = copy.deepcopy(truth)
        for row in known["annotations"]:
            row["area"] = float(codec.area(reference.annToRLE(row)))
        expected = by_pycocotools("masks", written(known, results))
        for kind in ("masks", "boxes"):
            if kind == "boxes" and not all("bbox" in row for row in (*truth["annotations"], *results)):
                continue
            metric = METRICS[kind](truth_area="segmentation")
            target = metric.read_target(written(truth, results)[0])
            assert target.truths.area.tolist() == [row["area"] for row in known["annotations"]]
        assert raw(CocoMasks(truth_area="segmentation"), paths) == expected


def test_joints_are_counted_where_num_keypoints_is_missing_or_wrong(written) -> None:
    for seed in SEEDS:
        truth, results = case("keypoints", seed)
        known = copy.deepcopy(truth)
        for row in known["annotations"]:
            row["num_keypoints"] = sum(seen > 0 for seen in row["keypoints"][2::3])
        expected = by_pycocotools("keypoints", written(known, results))
        metric = CocoKeypointAP(num_keypoints="joints")
        assert raw(metric, written(truth, results)) == expected
        for row in truth["annotations"]:
            row.pop("num_keypoints")
        paths = written(truth, results)
        assert raw(metric, paths) == expected == list(metric.verify(*paths).values())
        if truth["annotations"]:
            with pytest.raises(InputError, match="'num_keypoints' is missing; option num_keypoints: joints"):
                CocoKeypointAP().read_target(paths[0])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le-mark"])
@pytest.mark.parametrize("kind", METRICS)
def test_byte_order_marks_change_nothing(kind, encoding, written) -> None:
    paths = written(*case(kind, 1))
    expected = by_pycocotools(kind, paths)
    for path in paths:
        text = path.read_text()
        mark = encoding == "utf-16-le-mark"
        path.write_bytes(b"\xff\xfe" + text.encode("utf-16-le") if mark else text.encode(encoding))
    assert raw(METRICS[kind](), paths) == expected == by_pycocotools(kind, paths)


def test_options_are_in_the_state_only_where_they_are_not_coco_s(written) -> None:
    paths = written(*case("boxes", 2))
    for options in ({}, {"truth_area": "file", "renumber": False}, {"renumber": True, "truth_area": "box"}):
        metric = CocoBoxes(**options)
        target = metric.read_target(paths[0])
        state = metric.measure(metric.read_predictions(paths[1], target), target)
        told = {key: value for key, value in options.items() if value not in ("file", False)}
        assert state.params.get("form", {}) == told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"truth_area": "boxes"}, "truth_area: file or box or"),
        ({"renumber": 1}, "renumber: false or true was expected, not 1"),
        ({"iscrowd": False}, "iscrowd: file or 0 was expected, not False"),
        ({"match": "name"}, "match: id or file_name"),
        ({"root_category": "no"}, "root_category: keep or drop"),
        ({"text_numbers": 1}, "text_numbers: false or true was expected, not 1"),
    ],
)
def test_other_values_are_refused(options, words) -> None:
    with pytest.raises(UsageError, match=words):
        CocoBoxes(**options)


IMAGES = [
    {"id": 1, "file_name": "a/x.jpg", "width": 9, "height": 9},
    {"id": 2, "file_name": "b/x.jpg", "width": 9, "height": 9},
]
BOX = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0, "id": 1}
ROW = {"image_id": "x", "category_id": 1, "bbox": [1, 1, 4, 4], "score": 0.5}
TWO_ONES = [{**IMAGES[0], "file_name": "1.jpg"}, {**IMAGES[1], "file_name": "01.jpg"}]
UNREADABLE = {"size": [9, 9], "counts": "~"}
CATEGORIES = [{"id": 1, "name": "cup"}]


def truth_of(images: list[dict] = IMAGES, **more: Any) -> dict:
    return {"images": images, "annotations": [{**BOX, **more}], "categories": CATEGORIES}


@pytest.mark.parametrize(
    ("truth", "row", "options", "words"),
    [
        (truth_of(), {}, {"match": "file_name"}, "is the name of two images; write its folder"),
        (truth_of(), {"image_id": "c/y.jpg"}, {"match": "file_name"}, "is the file of no image"),
        (truth_of(TWO_ONES), {}, {"match": "file_name"}, "would both be image 1"),
        (truth_of([{"id": 1}]), {}, {"match": "file_name"}, "file_name is missing; match: file_name needs it"),
        (truth_of(), {}, {"truth_area": "segmentation"}, "it has no segmentation; truth_area: box"),
        (truth_of(bbox=None), {}, {"truth_area": "box"}, "bbox is null; truth_area: box needs x, y, width, height"),
        (truth_of(segmentation=[[1, 2, 3]]), {}, {"truth_area": "segmentation"}, "a polygon of fewer than 3 points"),
        (truth_of(segmentation=UNREADABLE), {}, {"truth_area": "segmentation"}, "segmentation cannot be read"),
        ([1], {}, {"renumber": True}, "COCO annotations are an object"),
        ({"images": 3}, {}, {"renumber": True}, "'images' is a number"),
        (truth_of(id=1.5), {"image_id": 1}, {"whole_ids": True}, "id is 1.5; ids must be whole numbers"),
        (truth_of(), {"image_id": 1.0}, {}, "image_id is 1.0; .*whole_ids: true"),
    ],
)  # fmt: skip
def test_what_no_option_can_mend_is_refused(truth, row, options, words, written) -> None:
    paths = written(truth, [{**ROW, **row}])
    with pytest.raises(HrbenchError, match=words):
        raw(CocoBoxes(**options), paths)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"bbox": ["1", "1", "4.5", "4"]}, r"bbox\[0\] is \"1\"; .*; option text_numbers: true takes it for one"),
        ({"score": "5e-1"}, 'score is "5e-1"; .*; option text_numbers: true'),
        ({"category_id": "1"}, 'category_id is "1"; .*; option text_numbers: true'),
        ({"image_id": "1"}, 'image_id is "1"; .*; option text_numbers: true takes it for one$'),
    ],
)
def test_numbers_as_text_are_read_once_that_is_said(row, words, written) -> None:
    results = [{**ROW, "image_id": 1, **row}]
    with pytest.raises(InputError, match=words) as refused:
        raw(CocoBoxes(), written(truth_of(), results))
    assert refused.value.option in ("text_numbers: true", "match: file_name")
    assert raw(CocoBoxes(text_numbers=True), written(truth_of(), results))[0] > 0.5


@pytest.mark.parametrize("text", ["10,5", "ten", "", "1e999", "0x10", "NaN", "1 ", "٣", "1" * 400])
def test_texts_that_are_no_json_number_stay_refused_and_no_option_is_advised(text, written) -> None:
    paths = written(truth_of(), [{**ROW, "image_id": 1, "bbox": [text, 1, 4, 4]}])
    for options in ({}, {"text_numbers": True}):
        with pytest.raises(InputError, match=r"bbox\[0\] is ") as refused:
            raw(CocoBoxes(**options), paths)
        assert text == "1e999" or refused.value.option == ""


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize(
    ("options", "edit", "words"),
    [
        ({"whole_ids": True}, {"category_id": 1e300}, "`whole_ids` was given, and does not help here"),
    ],
)
def test_an_option_that_was_given_is_not_advised_again(kind, options, edit, words, written) -> None:
    truth, results = case(kind, 0)
    for row in truth["images"]:
        row["file_name"] = f"{row['id']}.jpg"
    results[0] |= edit
    paths = written(truth, results)
    with pytest.raises(InputError) as first:
        raw(METRICS[kind](), paths)
    (name,) = options
    assert first.value.option.startswith(name) and first.value.option in str(first.value)
    with pytest.raises(InputError, match=words) as second:
        raw(METRICS[kind](**options), paths)
    assert second.value.option == "" and f"option {name}" not in str(second.value)


def test_an_annotation_of_a_file_that_no_image_has(written) -> None:
    with pytest.raises(InputError, match=r"annotation 0 .*image_id \"z\" is the id of no image, and is the file of no"):
        raw(CocoBoxes(match="file_name"), written(truth_of(image_id="z"), []))


def test_categories_are_listed_with_their_names_and_not_without_end(written) -> None:
    truth = truth_of()
    truth["categories"] = [{"id": k, "name": f"part {k} of a paw" * (1 + k // 2)} for k in range(1, 15)]
    paths = written(truth, [{**ROW, "image_id": 1, "category_id": 99}])
    some = r"\(1 \(part 1 of a paw\), 2 \(part 2 of a pawpart 2 of a ...\), .*, 10 \([^)]{30}\), \.\.\.\)"
    with pytest.raises(InputError, match=rf"category_id 99 is not among the categories of the ground truth {some}$"):
        raw(CocoBoxes(), paths)
    for asked in (["paw"], [99]):
        with pytest.raises(InputError, match=rf"category {asked[0]}, asked for, is not among its categories {some}$"):
            CocoBoxes(categories=asked).read_target(paths[0])
    with pytest.raises(InputError, match="it is the name of 1, and categories are given by id"):
        CocoBoxes(categories=["part 1 of a paw"]).read_target(paths[0])
    with pytest.raises(UsageError, match="categories 'paw': give a list"):
        CocoBoxes(categories="paw")


def test_an_unknown_category_of_people_is_told_with_the_names_there_are(written) -> None:
    truth, results = case("keypoints", 0)
    truth["categories"][0]["name"] = "paw"
    path = written(truth, results)[0]
    with pytest.raises(InputError, match=r"category 99, asked for, is not among its categories \(\d+ \(paw\), "):
        CocoKeypointAP(category=99).read_target(path)
    with pytest.raises(InputError, match=r"category paw, .*; it is the name of \d+, and categories are given by id"):
        CocoKeypointAP(category="paw").read_target(path)


def test_a_root_with_annotations_is_not_dropped(written) -> None:
    truth = truth_of()
    truth["categories"] = [
        {"id": 1, "name": "cup", "supercategory": "none"},
        {"id": 2, "name": "mug", "supercategory": "cup"},
    ]
    with pytest.raises(InputError, match="the category 'cup' has annotations; root_category: keep"):
        CocoBoxes(root_category="drop").read_target(written(truth, [])[0])


def test_ids_of_images_stay_where_files_have_no_number(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(json.dumps(truth_of()))
    target = CocoBoxes(match="file_name").read_target(tmp_path / "truth.json")
    assert target.images.tolist() == [1, 2] and target.by_name["b/x"] == 2 and target.by_name["x"] is None


@pytest.mark.parametrize(
    ("mask", "size", "words"),
    [
        ([[1, 1, 1, 2, 2e5, 2]], (4, 4), "segmentation cannot be read"),
        ([[1, 1, 1, 2, "2", 2]], (4, 4), "segmentation cannot be read"),
        ([[1, 1, 1, 2, 2, 2, 3]], (4, 4), "segmentation cannot be read"),
        ([[1, 1, 2]], (4, 4), "fewer than 3 points"),
        (["1,1,1,2,2,2"], (4, 4), "fewer than 3 points"),
        ({"size": [4, 4], "counts": "!"}, (4, 4), "segmentation cannot be read"),
        ({"size": [4, 4], "counts": [15.5, 0.5]}, (4, 4), "segmentation cannot be read"),
        ({"size": [5, 4], "counts": [20]}, (4, 4), "segmentation cannot be read"),
        ({"size": [4, 4], "counts": [8, 4]}, (4, 4), "segmentation cannot be read"),
        ([[1, 1, 1, 2, 2, 2]], (2**20, 2**20), "height x width is 1048576 x 1048576; truth_area: box"),
    ],
)
def test_masks_whose_area_cannot_be_taken(tmp_path: Path, mask: Any, size: tuple[int, int], words: str) -> None:
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0, "segmentation": mask}
    image = {"id": 1, "height": size[0], "width": size[1]}
    truth = {"images": [image], "annotations": [row], "categories": [{"id": 1}]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    with pytest.raises(InputError, match=words) as refused:
        CocoBoxes(truth_area="segmentation").read_target(tmp_path / "truth.json")
    assert "truth_area: box takes the area of the box" in str(refused.value)
    assert compressed_mask(mask, size[::-1]) is None


def detections(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    """Results of images and categories."""
    return [{**ROW, "image_id": image, "category_id": category} for image, category in pairs]


@pytest.mark.parametrize(
    ("images", "options", "words", "option"),
    [
        ({1: "a", 2: "b", 3: "c"}, {}, "; all image ids look one too small: add 1 to each", ""),
        ({0: "a", 1: "b", 2: "c"}, {}, "; all image ids look one too large: take 1 from each", ""),
        ({7: "000", 8: "0001", 9: "02"}, {}, r"\); option match: file_name, if each is the number in the", "match"),
        ({1: "0", 2: "1", 3: "2"}, {}, "one too small: .*; option match: file_name, if each is the number", "match"),
        ({40: "a", 50: "b", 60: "c"}, {}, "3 of 3 images with rows are not: if these are of another split", ""),
        ({40: "0", 50: "1", 60: "3"}, {}, "3 of 3 images with rows are not: if these are of another split", ""),
        ({40: "x0", 50: "x1", 60: "x3"}, {"match": "file_name"}, "match: file_name took it for the number", ""),
    ],
)
def test_only_what_fits_all_ids_of_images_is_advised(images, options, words, option, written) -> None:
    truth = truth_of(image_id=min(images))
    truth["images"] = [{"id": number, "file_name": f"f/{name}.png"} for number, name in images.items()]
    first = 1 if "take" in words else 0
    with pytest.raises(InputError, match=words) as refused:
        raw(CocoBoxes(**options), written(truth, detections(*((first + k, 1) for k in range(3)))))
    assert refused.value.option.startswith(option) and bool(refused.value.option) == bool(option)


@pytest.mark.parametrize(
    ("known", "said", "words"),
    [
        ([1, 2, 3], [0, 1, 2], r"; all category ids look one too small: add 1 to each"),
        ([0, 1, 2], [1, 2, 3], r"; all category ids look one too large: take 1 from each"),
        ([1], [0], "one too small"),
        ([1, 3, 8], [0, 1, 2], "places of the classes, counted from 0"),
        ([0, 3, 8], [1, 2, 3], "places of the classes, counted from 1"),
        ([1, 2, 3], [0, 1, 9], r"\)$"),
        (
            [1, 2, 3],
            ["c2", 1],
            r"is \"c2\"; .* is 2: write the id in place of each name: 1 \(c1\), 2 \(c2\)",
        ),
        ([1, 2, 3], ["c9", 1], r"category_id is \"c9\"; .*, the id of one of the categories: 1 \(c1\), 2 \(c2\)"),
    ],
)
def test_only_what_fits_all_ids_of_categories_is_advised(known, said, words, written) -> None:
    truth = truth_of(category_id=known[0])
    truth["categories"] = [{"id": k, "name": f"c{k}"} for k in known]
    with pytest.raises(InputError, match=words) as refused:
        raw(CocoBoxes(), written(truth, detections(*((1, category) for category in said))))
    assert refused.value.option == ""


@pytest.mark.parametrize(
    ("file", "text", "words", "option"),
    [
        ("a/b.png", "1", "option text_numbers: true takes it for one$", "text_numbers: true"),
        ("a/b.png", "b", "option match: file_name takes it for the name of the image's file$", "match: file_name"),
        (
            "a/b.png",
            "a/b.png",
            "option match: file_name takes it for the name of the image's file$",
            "match: file_name",
        ),
        ("a/1.png", "1", "takes it for the name .*, option text_numbers: true for a number$", "match: file_name"),
        ("a/b.png", "c", r"; no image's file is called so \(a/b.png.*\): write the id of the image", ""),
    ],
)
def test_only_what_fits_is_advised_for_images_given_as_text(file, text, words, option, written) -> None:
    truth = truth_of()
    truth["images"][0]["file_name"] = file
    with pytest.raises(InputError, match=words) as refused:
        raw(CocoBoxes(), written(truth, detections((text, 1))))
    assert refused.value.option == option
