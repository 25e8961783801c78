"""Box and mask AP: equal to pycocotools to the last bit, whatever the files hold; single classes; what is told.

With those of `test_keypoints` there are 1,160 random cases beside the drawn ones, half of them exhaustive.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as codec
from random_instances import case
from seeds import halved

from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.types import Prediction

METRICS: dict[str, Any] = {"boxes": CocoBoxes, "masks": CocoMasks}


def both(metric: Any, paths: tuple[Path, Path], images=None) -> tuple[list[float], list[float]]:
    """The twelve numbers and those of the classes that the metric tells, ours and pycocotools'."""
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target, images)
    scores = metric.summarise(state, 0)
    ours = [-1.0 if score.value is None else score.value for score in scores]
    assert ours[:12] == metric.raw(state).tolist()
    theirs = metric.verify(*paths, images)
    assert list(theirs) == [score.quantity.name for score in scores]
    return ours, list(theirs.values())


@pytest.mark.parametrize("block", halved(10))
@pytest.mark.parametrize("kind", METRICS)
def test_random_cases_equal_pycocotools_to_the_last_bit(kind: str, block: int, written) -> None:
    metric, found = METRICS[kind](per_class=True), []
    for seed in range(15 * block, 15 * (block + 1)):
        ours, theirs = both(metric, written(*case(seed, 1 + seed % 4, masks=kind == "masks")))
        assert ours == theirs, f"seed {seed}"
        found.append(ours[0])
    assert np.mean(np.array(found) > 0) > 0.5  # the cases are not trivial


@settings(max_examples=30)
@given(
    kind=st.sampled_from(sorted(METRICS)), seed=st.integers(10_000, 2**31), categories=st.integers(1, 5),
    images=st.integers(1, 9),
)  # fmt: skip
def test_drawn_cases_equal_pycocotools_to_the_last_bit(written, kind, seed, categories, images) -> None:
    ours, theirs = both(METRICS[kind](per_class=True), written(*case(seed, categories, images, kind == "masks")))
    assert ours == theirs


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("limits", [[1, 2, 3], [2, 5], [300], [1, 100, 300, 1000]])
def test_other_limits_of_detections_equal_pycocotools(kind: str, limits: list[int], written) -> None:
    metric = METRICS[kind](per_class=True, max_detections=limits)
    for seed in range(4):
        paths = written(*case(seed, 1 + seed % 4, masks=kind == "masks"))
        target = metric.read_target(paths[0])
        state = metric.measure(metric.read_predictions(paths[1], target), target)
        scores = metric.summarise(state, 0)
        ours = {score.quantity.name: -1.0 if score.value is None else score.value for score in scores}
        assert ours == metric.verify(*paths) and {f"AR{limit}" for limit in limits} <= set(ours)
        assert state.params["max_detections"] == limits and state.params["most"] == limits[-1]
        assert f"at most {limits[-1]} detections" in scores[0].quantity.description
        assert METRICS[kind].by_image(state).names == tuple(list(ours)[: len(limits) + 9])


def test_one_limit_stands_for_the_last() -> None:
    assert CocoBoxes(max_detections=300).settings.max_detections == (1, 10, 300)
    assert CocoBoxes(max_detections=5).settings.max_detections == (1, 5)
    assert "AR300" in [quantity.name for quantity in CocoBoxes(max_detections=300).quantities]
    for wrong in (0, [], [10, 1], [5, 5], True, [1.5]):
        with pytest.raises(UsageError, match="max_detections"):
            CocoBoxes(max_detections=wrong)


def test_the_usual_limits_leave_the_state_as_it_was(written) -> None:
    paths = written(*case(0, 2))
    metric = CocoBoxes(max_detections=[1, 10, 100])
    target = metric.read_target(paths[0])
    assert "max_detections" not in metric.measure(metric.read_predictions(paths[1], target), target).params


@pytest.mark.parametrize("area", ["mask", "box"])
def test_results_as_polygons_and_plain_counts_are_judged_as_pycocotools_judges_them(area: str, written) -> None:
    rng, metric = np.random.default_rng(3), CocoMasks(per_class=True, detection_area=area)
    for seed in range(6):
        truth, found = case(seed, 2, masks=True)
        size = {one["id"]: (one["height"], one["width"]) for one in truth["images"]}
        for number, row in enumerate(found):
            height, width = size[row["image_id"]]
            x, y, w, h = (float(round(value * side)) for value, side in zip(
                rng.random(4), (width / 2, height / 2, width, height), strict=True))  # fmt: skip
            row["bbox"] = [x, y, w, h]
            if number % 3 == 0:
                row["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h], [0.0, 0.0, 4.5, 0.0, 0.0, 4.0]]
            elif number % 3 == 1:
                filled = int(rng.integers(height * width))
                row["segmentation"] = {"size": [height, width], "counts": [filled, height * width - filled]}
        ours, theirs = both(metric, written(truth, found))
        assert ours == theirs, f"seed {seed}"


@pytest.mark.parametrize("kind", METRICS)
def test_many_categories(kind: str, written) -> None:
    for seed in range(4):
        ours, theirs = both(METRICS[kind](per_class=True), written(*case(seed, 40, 30, kind == "masks")))
        assert ours == theirs, f"seed {seed}"


@pytest.mark.parametrize("kind", METRICS)
def test_nothing_found_nothing_annotated_and_nothing_at_all(kind: str, written) -> None:
    truth, results = case(2, 2, 5, kind == "masks")
    metric = METRICS[kind](per_class=True)
    for objects, found in ((truth["annotations"], []), ([], results), ([], [])):
        ours, theirs = both(metric, written({**truth, "annotations": objects}, found))
        assert ours == theirs
        assert set(ours) == ({0.0} if objects else {-1.0})


@pytest.mark.parametrize("kind", METRICS)
def test_a_part_of_the_images_and_of_the_categories(kind: str, written) -> None:
    different = 0
    for seed in range(8):
        truth, results = case(seed, 4, 12, kind == "masks")
        some = [image["id"] for image in truth["images"]][3:9]
        paths = written(truth, results)
        ours, theirs = both(METRICS[kind]([10, 4], per_class=True), paths, some)
        assert ours == theirs and len(ours) == 12 + 4 * 2
        different += ours[:12] != both(METRICS[kind](), paths, some)[0]
    assert different > 3


def test_masks_with_boxes_keep_their_own_areas_unless_told_and_say_so(written) -> None:
    truth, results = case(3, 1, 10, masks=True)
    rng = np.random.default_rng(0)
    boxed = [{**row, "bbox": [0, 0, *rng.choice([1.0, 50.0, 300.0], 2).tolist()]} for row in results]
    numbers = []
    for metric, rows, says in (
        (CocoMasks(), results, False),
        (CocoMasks(), boxed, False),
        (CocoMasks(detection_area="box"), boxed, True),
    ):
        paths = written(truth, rows)
        ours, theirs = both(metric, paths)
        assert ours == theirs
        numbers.append(ours)
        target = metric.read_target(paths[0])
        (score, *_) = metric.summarise(metric.measure(metric.read_predictions(paths[1], target), target), 0)
        assert ("own boxes" in score.quantity.description) == says
    assert numbers[0] == numbers[1] != numbers[2]
    with pytest.raises(InputError, match="by the areas of boxes was given to coco-masks with detection_area mask"):
        CocoMasks().summarise(metric.measure(metric.read_predictions(paths[1], target), target), 0)


def test_boxes_of_files_with_masks(written) -> None:
    truth, results = case(3, 2, 10)
    with_masks = [{**row, "segmentation": {"size": [1, 1], "counts": "01"}} for row in results]
    ours, theirs = both(CocoBoxes(), written(truth, with_masks))
    assert ours == theirs == both(CocoBoxes(), written(truth, results))[0]


def test_single_classes_are_named(written) -> None:
    truth, results = case(3, 3, 10)
    paths = written(truth, results)

    def names(metric: CocoBoxes) -> list[str]:
        target = metric.read_target(paths[0])
        scores = metric.summarise(metric.measure(metric.read_predictions(paths[1], target), target), 5)
        assert [score.quantity.name for score in scores[:12]] == [quantity.name for quantity in CocoBoxes.quantities]
        return [score.quantity.name for score in scores[12:]]

    def of(*classes: str) -> list[str]:
        return [f"{kind}/{name}" for kind in ("AP", "AP50", "AP75", "AR100") for name in classes]

    assert names(CocoBoxes()) == []
    assert names(CocoBoxes(per_class=True)) == of("category 0", "category 1", "category 2")
    assert names(CocoBoxes([7, 4], ["last", "middle"], True)) == of("middle", "last")
    assert [q.name for q in CocoBoxes([7, 4], ["last", "middle"], True).quantities[12:]] == of("middle", "last")
    truth["categories"] = [{"id": 1}, {"id": 4, "name": "same"}, {"id": 7, "name": "same"}]
    paths = written(truth, results)
    assert names(CocoBoxes(per_class=True)) == of("1", "4", "7")


def test_a_class_without_objects_says_why(written) -> None:
    truth, results = case(3, 2, 10)
    truth["annotations"] = [row for row in truth["annotations"] if row["category_id"] == 4]
    metric = CocoBoxes(per_class=True)
    paths = written(truth, results)
    target = metric.read_target(paths[0])
    scores = metric.summarise(metric.measure(metric.read_predictions(paths[1], target), target), 20)
    assert scores[12].value is None and "no annotated object of class category 0 of any area" in str(scores[12].reason)
    assert scores[13].value == scores[0].value and scores[13].interval == scores[0].interval


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([],), "give at least one category id, and each once"),
        (([1, 1],), "give at least one category id, and each once"),
        ((None, ["a"]), "give categories as well"),
        (([1, 4], ["a"]), "1 names for 2 categories"),
    ],
)
def test_classes_that_do_not_fit_together(arguments, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        CocoBoxes(*arguments)


@pytest.mark.parametrize("kind", METRICS)
def test_unknown_categories_and_images_are_refused(kind: str, written) -> None:
    paths = written(*case(3, 2, 4, kind == "masks"))
    with pytest.raises(InputError, match=r"category 9, .*among its categories \(1 \(category 0\), 4 \(category 1\)\)"):
        METRICS[kind]([1, 9]).read_target(paths[0])
    metric = METRICS[kind]()
    target = metric.read_target(paths[0])
    with pytest.raises(InputError, match="image -3, asked for, is not among its 4 images"):
        metric.measure(metric.read_predictions(paths[1], target), target, [-3])


def test_qualities_of_images(written) -> None:
    objects = [
        {"id": n, "image_id": image, "category_id": 1, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0}
        for n, image in ((1, 1), (2, 2), (3, 3))
    ]
    truth = {"images": [{"id": i} for i in (1, 2, 3, 4)], "annotations": objects, "categories": [{"id": 1}]}
    found = [
        {"image_id": image, "category_id": 1, "bbox": [x, 10, 40, 40], "score": score}
        for image, x, score in ((1, 10, 0.5), (1, 300, 0.2), (2, 300, 0.9), (2, 10, 0.5), (4, 10, 0.5))
    ]
    paths = written(truth, found)
    metric = CocoBoxes()
    target = metric.read_target(paths[0])
    qualities = metric.qualities(metric.measure(metric.read_predictions(paths[1], target), target))
    assert qualities == {1: 1.0, 2: 0.5, 3: 0.0}


def row(**more: Any) -> dict[str, Any]:
    found = {"image_id": 5, "category_id": 1, "score": np.float32(0.5), "bbox": np.array([1, 2, 3, 4], np.float32)}
    return {**found, "segmentation": {"size": [4, 4], "counts": b"0`0"}, **more}


def test_each_writer_leaves_out_what_is_the_others(tmp_path: Path) -> None:
    predictions = [Prediction(5, [row(), row(note="x")]), Prediction(7, [])]
    CocoBoxes().write_predictions(iter(predictions), tmp_path / "boxes.json")
    CocoMasks().write_predictions(iter(predictions), tmp_path / "masks.json")
    ids = {"image_id": 5, "category_id": 1, "score": 0.5}
    box = {**ids, "bbox": [1, 2, 3, 4]}
    mask = {**ids, "segmentation": {"size": [4, 4], "counts": "0`0"}}
    assert json.loads((tmp_path / "boxes.json").read_text()) == [box, {**box, "note": "x"}]
    assert json.loads((tmp_path / "masks.json").read_text()) == [mask, mask]


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("boxes", {"score": np.nan}, "image 5, row 0: score is nan"),
        ("boxes", {"bbox": [1, 2, 3, np.inf]}, r"row 0: bbox\[3\] is inf; does the network diverge"),
        ("boxes", {"bbox": [1, 2, 3]}, "row 0: 3 numbers in bbox"),
        ("boxes", {"bbox": [1, 2, -3, 4]}, "row 0: a side of bbox is negative"),
        ("masks", {"score": np.inf}, "image 5, row 0: score is inf"),
        ("masks", {"segmentation": None}, "row 0: segmentation is no compressed RLE"),
        ("masks", {"segmentation": {"size": [4, 4]}}, "row 0: segmentation is no compressed RLE"),
        ("masks", {"segmentation": {"size": [4, 4], "counts": [16]}}, "row 0: counts of the segmentation is no text"),
    ],
)
def test_unwritable_rows_leave_the_old_file(kind: str, change: dict, says: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text("before")
    with pytest.raises(InputError, match=says):
        METRICS[kind]().write_predictions([Prediction(5, [row(**change)])], out)
    assert out.read_text() == "before" and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(("kind", "key"), [("boxes", "bbox"), ("masks", "segmentation")])
def test_rows_without_what_is_scored_are_refused(kind: str, key: str, tmp_path: Path) -> None:
    lacking = {name: value for name, value in row().items() if name != key}
    said = (
        "a box without a mask" if kind == "masks" and "bbox" in lacking else f"{key!r} is missing from the prediction"
    )
    with pytest.raises(InputError, match=said):
        METRICS[kind]().write_predictions([Prediction(5, [lacking])], tmp_path / "out.json")


@pytest.mark.realdata
@pytest.mark.parametrize("kind", METRICS)
def test_real_annotations_perturbed(kind: str, realdata: Path, tmp_path: Path) -> None:
    """Real objects moved about, some of another class, some twice: as pycocotools has it, in shards too."""
    path = realdata / "coco/annotations/instances_val2017.json"
    metric = METRICS[kind](per_class=True)
    (tmp_path / "found.json").write_text(json.dumps(perturbed(json.loads(path.read_bytes()), kind == "masks")))
    ours, theirs = both(metric, (path, tmp_path / "found.json"))
    assert ours == theirs and ours[0] > 0.3 and sum(value >= 0 for value in ours) > 50
    target = metric.read_target(path)
    predictions = metric.read_predictions(tmp_path / "found.json", target)
    whole = metric.measure(predictions, target)
    for shards in (2, 7):
        parts = [metric.measure(predictions, target, target.images[shard::shards].tolist()) for shard in range(shards)]
        assert metric.summarise(metric.merge(parts), 40) == metric.summarise(whole, 40)


def perturbed(truth: dict, masks: bool) -> list[dict]:
    rng = np.random.default_rng(0)
    size = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    ids, rows = [category["id"] for category in truth["categories"]], []
    for _ in range(3):
        for one in truth["annotations"]:
            if rng.random() < 0.2:
                continue
            category = one["category_id"] if rng.random() < 0.85 else int(rng.choice(ids))
            found = {"image_id": one["image_id"], "category_id": category, "score": round(float(rng.random()), 2)}
            spread = rng.choice([0.0, 0.03, 0.1]) * np.array(one["bbox"][2:])
            shift = rng.normal(0, 1, 2) * spread
            if not masks:
                x, y, width, height = one["bbox"]
                rows.append({**found, "bbox": [x + shift[0], y + shift[1], width, float(height * rng.uniform(0.9, 1))]})
                continue
            segmentation, (height, width) = one["segmentation"], size[one["image_id"]]
            if isinstance(segmentation, list):
                segmentation = [(np.array(p).reshape(-1, 2) + shift).ravel().tolist() for p in segmentation]
            encode: Any = codec.frPyObjects
            code = encode(segmentation, height, width)
            code = codec.merge(code) if isinstance(code, list) else code
            rows.append({**found, "segmentation": {"size": [height, width], "counts": code["counts"].decode()}})
    return rows


def test_results_without_masks_are_sent_to_the_metric_of_boxes(tmp_path: Path) -> None:
    boxes = [{"image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
    with pytest.raises(InputError, match=r"image 5, row 0: a box without a mask; .* `metrics: \[coco-boxes\]`"):
        CocoMasks().write_predictions([Prediction(5, boxes)], tmp_path / "out.json")
    truth = {
        "images": [{"id": 5, "width": 9, "height": 9}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    metric = CocoMasks()
    with pytest.raises(InputError, match=r"result 0 .*has a box and no mask; .* judged by coco-boxes"):
        metric.read_predictions(tmp_path / "boxes.json", metric.read_target(tmp_path / "truth.json"))
