"""LVIS's AP: equal to the `lvis` package to the last bit, whatever files hold; its rules one by one; what is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_ways import both_ways
from hypothesis import given, settings
from hypothesis import strategies as st
from random_lvis import case
from seeds import halved

from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco import lvis_reference
from hrbench.metrics.coco.lvis import LvisBoxes, LvisMasks
from hrbench.types import State

METRICS: dict[str, Any] = {"boxes": LvisBoxes, "masks": LvisMasks}
Written = Callable[[dict, list], tuple[Path, Path]]


def both(
    metric: Any, paths: tuple[Path, Path], images: list[int] | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """The numbers by name, ours and the package's, -1 for none."""
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target, images)
    scores = metric.summarise(state, 0)
    ours = {score.quantity.name: -1.0 if score.value is None else score.value for score in scores}
    assert list(ours.values())[:13] == metric.raw(state).tolist()
    return ours, metric.verify(*paths, images)


@both_ways
@pytest.mark.parametrize("block", halved(4))
@pytest.mark.parametrize("kind", METRICS)
def test_random_cases_equal_the_package_to_the_last_bit(kind: str, block: int, written: Written, way: str) -> None:
    metric, found = METRICS[kind](per_class=True), []
    for seed in range(8 * block, 8 * (block + 1)):
        ours, theirs = both(metric, written(*case(seed, 1 + seed % 6, masks=kind == "masks")))
        assert ours == theirs, f"seed {seed}"
        found.append(list(ours.values())[:13])
    assert np.mean(np.array(found) > 0) > 0.4 and -1 in np.array(found)[:, 6:9]  # neither trivial nor without gaps


@settings(max_examples=25)
@given(
    kind=st.sampled_from(sorted(METRICS)), seed=st.integers(10_000, 2**31), categories=st.integers(1, 8),
    images=st.integers(1, 9), most=st.sampled_from([1, 2, 7, 300]),
)  # fmt: skip
def test_drawn_cases_equal_the_package_to_the_last_bit(written, kind, seed, categories, images, most) -> None:
    metric = METRICS[kind](per_class=True, max_detections=most)
    ours, theirs = both(metric, written(*case(seed, categories, images, kind == "masks")))
    assert ours == theirs and f"AR{most}" in ours


@pytest.mark.parametrize("kind", METRICS)
def test_some_images_and_some_categories_equal_the_package(kind: str, written: Written) -> None:
    for seed in range(5):
        truth, results = case(seed, 6, masks=kind == "masks")
        ids = [each["id"] for each in truth["categories"]]
        images = [each["id"] for each in truth["images"]][1::2]
        metric = METRICS[kind](categories=ids[1:5], per_class=True)
        ours, theirs = both(metric, written(truth, results), images)
        assert ours == theirs and len(ours) == 13 + 4


def test_masks_take_the_areas_of_boxes_as_the_package_does(written: Written) -> None:
    differ = 0
    for seed in range(6):
        truth, results = case(seed, 3, masks=True)
        rng = np.random.default_rng(seed)
        for row in results:
            row["bbox"] = [0.0, 0.0, *rng.choice([0.0, 5.0, 32.0, 60.0, 200.0], 2).tolist()]
        paths = written(truth, results)
        by_box, theirs = both(LvisMasks(detection_area="box"), paths)
        assert by_box == theirs
        by_mask, own = both(LvisMasks(), paths)
        assert by_mask == own
        differ += by_box != by_mask
    assert differ > 5


def test_nothing_found_counts_as_nothing(written: Written) -> None:
    ours, theirs = both(LvisBoxes(), written(case(1)[0], []))
    assert ours == theirs and ours["AP"] == 0


# --- the rules --------------------------------------------------------------------------------------------------------


def scene(objects: list[dict], negative: list[int] = [], partial: list[int] = []) -> dict:  # noqa: B006
    """One image of 200 x 100 with objects of 40 x 40, given by their left sides, and three classes."""
    picture = {"id": 4, "width": 200, "height": 100, "coco_url": "http://images.cocodataset.org/val2017/4.jpg"}
    picture |= {"neg_category_ids": negative, "not_exhaustive_category_ids": partial}
    rows = [
        {"id": n + 1, "image_id": 4, "category_id": 1, "bbox": [one.pop("left"), 10, 40, 40], "area": 1600.0, **one}
        for n, one in enumerate(objects)
    ]
    names = (("cup", "f"), ("fig", "c"), ("owl", "r"))
    categories = [{"id": n + 1, "name": name, "frequency": often} for n, (name, often) in enumerate(names)]
    return {"images": [picture], "annotations": rows, "categories": categories}


def found(left: float, score: float, category: int = 1, side: float = 40) -> dict:
    return {"image_id": 4, "category_id": category, "bbox": [left, 10, side, 40], "score": score}


RULES: dict[str, tuple[dict, list[dict], float]] = {
    "an unverified class is not judged": (scene([{"left": 10}]), [found(10, 0.5), found(99, 0.9, 2)], 1.0),
    "a false one of a verified class is": (scene([{"left": 10}]), [found(10, 0.5), found(99, 0.9)], 0.5),
    "in a class that is not exhaustive it is ignored": (
        scene([{"left": 10}], partial=[1]),
        [found(10, 0.5), found(99, 0.9)],
        1.0,
    ),
    "a flag `ignore` takes an object out": (scene([{"left": 10}, {"left": 110, "ignore": 1}]), [found(10, 0.5)], 1.0),
    "a flag `iscrowd` does not": (
        scene([{"left": 10}, {"left": 110, "iscrowd": 1}]),
        [found(10, 0.5)],
        51 / 101,
    ),
    "a detection of area 0 is left out": (scene([{"left": 10}]), [found(99, 0.9, side=0), found(10, 0.5)], 1.0),
    "an object of area 0 verifies no class": (
        scene([{"left": 10}, {"left": 110, "area": 0.0, "category_id": 2}]),
        [found(10, 0.5), found(99, 0.9, 2)],
        1.0,
    ),
}


@both_ways
@pytest.mark.parametrize("name", RULES)
def test_a_rule(name: str, written: Written, way: str) -> None:
    truth, results, expected = RULES[name]
    ours, theirs = both(LvisBoxes(), written(truth, results))
    assert ours == theirs and ours["AP"] == pytest.approx(expected, abs=1e-12)
    assert ours["APf"] == ours["AP"] and ours["APr"] == ours["APc"] == -1


def test_a_false_detection_counts_where_a_class_is_known_to_be_absent(written: Written) -> None:
    """In one image the class has an object; in the other it is in `neg_category_ids`, or nothing is said."""
    for negative, expected in (([1], 0.5), ([], 1.0)):
        truth = scene([{"left": 10}])
        truth["images"].append({**truth["images"][0], "id": 5, "neg_category_ids": negative})
        ours, theirs = both(LvisBoxes(), written(truth, [found(10, 0.5), {**found(10, 0.9), "image_id": 5}]))
        assert ours == theirs and ours["AP"] == pytest.approx(expected, abs=1e-12)


@both_ways
def test_the_best_of_an_image_are_of_all_classes_together_in_the_order_of_the_file(written: Written, way: str) -> None:
    """Those of an unverified class take places; of equal scores the first in the file have them."""
    truth = scene([{"left": 10}])
    for before, expected in ((2, 1.0), (3, 0.0)):
        results = [found(99, 0.5, 2) for _ in range(before)] + [found(10, 0.5), found(99, 0.5, 3)]
        ours, theirs = both(LvisBoxes(max_detections=3), written(truth, results))
        assert ours == theirs and ours["AP"] == pytest.approx(expected, abs=1e-12)


# --- what is told -----------------------------------------------------------------------------------------------------


def measured(metric: Any, paths: tuple[Path, Path]) -> tuple[State, Any, Any]:
    target = metric.read_target(paths[0])
    predictions = metric.read_predictions(paths[1], target)
    return metric.measure(predictions, target), predictions, target


def test_notes_say_what_changes_the_numbers(written: Written) -> None:
    objects = [{"left": 10, "iscrowd": 1}, {"left": 60, "area": 0.0}, {"left": 110}]
    results = [found(10, 0.9), found(10, 0.8, 2), found(60, 0.7), found(99, 0.6, 3)]
    metric = LvisBoxes(max_detections=3)
    state, predictions, target = measured(metric, written(scene(objects), results))
    notes = {note.kind: note for note in metric.input_notes(predictions, target, state)}
    assert {kind: (note.count, note.of) for kind, note in notes.items()} == {
        "cut_detections": (1, 4),
        "unverified": (1, 4),
        "no_area": (1, 3),
        "crowd_keys": (1, 3),
    }
    assert "all classes together" in notes["cut_detections"].what


def test_labels_and_reasons_name_the_frequency(written: Written) -> None:
    metric = LvisBoxes(per_class=True)
    state, *_ = measured(metric, written(scene([{"left": 10}]), [found(10, 0.5)]))
    scores = {score.quantity.name: score for score in metric.summarise(state, 0)}
    assert list(scores)[6:] == ["APr", "APc", "APf", "AR300", "ARS", "ARM", "ARL", "AP/cup", "AP/fig", "AP/owl"]
    assert scores["APf"].n == 1 and "frequent classes" in scores["APf"].quantity.description
    assert str(scores["APr"].reason).startswith("no annotated object of rare classes")
    assert state.params["frequency"] == "fcr" and state.params["most"] == 300


def test_the_truth_of_an_image_is_also_what_is_said_of_its_classes(written: Written) -> None:
    results = [found(10, 0.5)]
    digests = set()
    for negative, partial in (([], []), ([2], []), ([], [2]), ([2, 3], []), ([3, 2], [])):
        state, *_ = measured(LvisBoxes(), written(scene([{"left": 10}], negative, partial), results))
        digests.add(int(state.arrays["truth_digest"][0]))
    assert len(digests) == 4  # the last two say the same


def test_states_of_other_areas_or_limits_are_refused(written: Written) -> None:
    state, *_ = measured(LvisMasks(), written(*case(3, masks=True)))
    with pytest.raises(InputError, match="by the areas of masks was given to lvis-masks with detection_area box"):
        LvisMasks(detection_area="box").summarise(state)
    other = replace(state, params={**state.params, "most": 100})
    with pytest.raises(InputError, match="differ in most"):
        LvisMasks().merge([state, other])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_detections": 0}, "max_detections 0: give a whole number above 0"),
        ({"max_detections": [1, 300]}, "give a whole number above 0"),
        ({"max_detections": True}, "give a whole number above 0"),
        ({"detection_area": "pixels"}, "detection_area 'pixels': say mask or box"),
        ({"iou_thresholds": 50}, "iou_thresholds 50: give 1 to 16 numbers"),
        ({"areas": {"all": [0, 9]}}, "'all' is no name for a range"),
        ({"recall_thresholds": 1}, "recall_thresholds 1: "),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        LvisMasks(**options)
    assert message in str(error.value)


def _counts(written: Written, many: list[int]) -> list[Any]:
    """The notes on results with so many detections of each image."""
    images = [
        {"id": n, "width": 64, "height": 64, "neg_category_ids": [], "not_exhaustive_category_ids": []}
        for n in range(1, len(many) + 1)
    ]
    box = {"category_id": 1, "bbox": [4, 4, 8, 8]}
    truth = {
        "images": images,
        "annotations": [{"id": 1, "image_id": 1, "area": 64, "segmentation": [], **box}],
        "categories": [{"id": 1, "name": "cup", "frequency": "f"}],
    }
    rows = [{"image_id": n, "score": 1 / (1 + k), **box} for n, count in enumerate(many, 1) for k in range(count)]
    metric, (one, other) = LvisBoxes(), written(truth, rows)
    target = metric.read_target(one)
    predictions = metric.read_predictions(other, target)
    return metric.input_notes(predictions, target, metric.measure(predictions, target))


def test_detections_that_a_detector_seems_to_have_cut_are_told(written: Written) -> None:
    (note,) = [one for one in _counts(written, [100, 100, 17, 100]) if one.kind == "cut_before"]
    assert str(note) == (
        "3 of 4 images have exactly 100 detections and none has more, of which 300 are judged: AP and AR are lower "
        "than they could be if the detector kept no more; let it keep 300 of an image"
    )


@pytest.mark.parametrize("many", [[100, 100, 17], [97, 97, 97], [300, 300, 300], [101, 100, 100, 100], [0, 0, 0]])
def test_other_counts_say_nothing_of_a_detector(written: Written, many: list[int]) -> None:
    assert "cut_before" not in [one.kind for one in _counts(written, many)]


def test_another_limit_is_no_official_number() -> None:
    assert LvisBoxes().own_criteria() == {} and LvisMasks(max_detections=100).own_criteria() == {"max_detections": 100}


OWN: list[dict[str, Any]] = [
    {"iou_thresholds": [0.3, 0.5, 0.75, 1.0], "per_class": True},
    {"iou_thresholds": 0.3, "recall_thresholds": 11},
    {"areas": {"tiny": [0, 256], "small": [0, 32**2], "vast": [8000.5, None]}, "recall_thresholds": [0.1, 0.9]},
    {"iou_thresholds": [0.2, 0.6], "areas": {"a": [0, 900]}, "max_detections": 4},
]


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("options", OWN, ids=lambda options: "+".join(options))
def test_other_criteria_equal_the_package_by_these(kind: str, options: dict[str, Any], written: Written) -> None:
    metric = METRICS[kind](**options)
    for seed in range(4):
        paths = written(*case(seed, 1 + seed, masks=kind == "masks"))
        target = metric.read_target(paths[0])
        found = metric.read_predictions(paths[1], target)
        state = metric.measure(found, target)
        told = {
            one.quantity.name: -1.0 if one.value is None else one.value
            for one in METRICS[kind](per_class="per_class" in options).summarise(state, 0)
        }  # by the state's own criteria
        assert told == metric.verify(*paths), f"seed {seed}"
        side = type(metric).by_image(state)
        assert side.names == tuple(one.quantity.name for one in metric.summarise(state, 0))[: len(side.names)]
        assert metric.main == side.names[0]
    with pytest.raises(InputError, match="measure all alike"):
        metric.merge([state, METRICS[kind]().measure(found, target)])
    limit = {"max_detections": 4} if "max_detections" in options else {}
    assert set(metric.own_criteria()) == set(options) - {"per_class"} and limit.items() <= metric.own_criteria().items()


def test_names_and_descriptions_say_the_criteria() -> None:
    metric = LvisMasks(iou_thresholds=[0.3, 0.4, 0.5], areas={"small": [0, 1024], "vast": [1e5, None]})
    at = "@0.3-0.5step0.1"
    assert [one.name for one in metric.quantities] == (
        f"AP{at} AP@0.3 AP@0.4 AP50 APS{at} AP-vast{at} APr{at} APc{at} APf{at} AR300{at} ARS{at} AR-vast{at}".split()
    )
    assert metric.quantities[7].description == (
        "Average precision of masks averaged over IoU 0.30 to 0.50 in steps of 0.10, mean over common classes (in 10 "
        "to 99 training images), objects of any area as annotated, at most 300 detections an image, judged where "
        "their class is verified in it; LVIS protocol; n is objects."
    )
    usual = LvisMasks(iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(), recall_thresholds=101)
    assert usual.quantities == LvisMasks.quantities and usual.own_criteria() == {}


def test_without_the_package_verifying_says_how_to_get_it(monkeypatch, written: Written) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lvis", None)
    with pytest.raises(UsageError, match=r"pip install --no-deps lvis==0\.5\.3"):
        LvisBoxes().verify(*written(*case(1)))


def test_the_package_leaves_numpy_and_the_log_as_they_were(written: Written) -> None:
    assert "float" not in np.__dict__
    LvisBoxes().verify(*written(*case(1)))
    assert "float" not in np.__dict__
    assert lvis_reference.logging.root.manager.disable == 0


def test_files_that_deviate_from_the_form_give_the_numbers_of_those_that_do_not(written: Written) -> None:
    """Names of files in place of ids, text in place of numbers, ids of annotations from 0."""
    truth, results = case(8)
    expected, _ = both(LvisBoxes(), written(truth, results))
    names = {image["id"]: image["coco_url"].rpartition("/")[2] for image in truth["images"]}
    odd = json.loads(json.dumps(truth))
    for number, row in enumerate(odd["annotations"]):
        row |= {"id": number, "area": str(row["area"])}
    rows = [{**row, "image_id": names[row["image_id"]]} for row in results]
    metric = LvisBoxes(match="file_name", text_numbers=True, renumber=True)
    assert both(metric, written(odd, rows)) == (expected, expected)
