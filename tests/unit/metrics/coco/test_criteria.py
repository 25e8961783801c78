"""Other thresholds, recalls, areas and limits, classes as one: pycocotools' numbers to the last bit, named apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_coco
import random_instances
from both_ways import both_ways

from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.types import State

METRICS: dict[str, Any] = {"boxes": CocoBoxes, "masks": CocoMasks, "keypoints": CocoKeypointAP}
AREAS = {"tiny": [0, 256], "small": [0, 32**2], "middle": [256, 8000.5], "vast": [8000.5, None]}
OPTIONS: list[dict[str, Any]] = [
    {"per_class": True},
    {"iou_thresholds": [0.3, 0.5, 0.75, 1.0]},
    {"iou_thresholds": np.linspace(0.1, 0.85, 16).tolist(), "per_class": True},
    {"iou_thresholds": 0.3},
    {"areas": AREAS},
    {"areas": {f"bin{n}": [400 * n, 400 * n + 1500] for n in range(20)}, "iou_thresholds": [0.1, 0.2, 0.3, 0.4, 0.5]},
    {"recall_thresholds": 11},
    {"recall_thresholds": [0.1, 0.33, 0.9], "per_class": True},
    {"max_detections": [1, 3, 300]},
    {"class_agnostic": True},
    {"class_agnostic": True, "max_detections": [2, 5], "areas": AREAS, "recall_thresholds": 41},
    {"iou_thresholds": [0.2, 0.6], "areas": AREAS, "recall_thresholds": 3, "max_detections": 7, "per_class": True},
]


def drawn(kind: str, seed: int, **more: Any) -> tuple[dict, list[dict]]:
    if kind == "keypoints":
        return random_coco.case(seed, **{"categories": 3, **more})
    return random_instances.case(seed, **{"categories": 3, **more}, masks=kind == "masks")


def options_of(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options with the name that the metric has for thresholds."""
    return {name.replace("iou", "oks") if kind == "keypoints" else name: value for name, value in options.items()}


def judged(metric: Any, paths: tuple[Path, Path]) -> State:
    target = metric.read_target(paths[0])
    return metric.measure(metric.read_predictions(paths[1], target), target)


def told(metric: Any, state: State) -> dict[str, float]:
    return {one.quantity.name: -1.0 if one.value is None else one.value for one in metric.summarise(state, 0)}


@both_ways
@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options))
def test_random_cases_equal_pycocotools_to_the_last_bit(kind: str, options: dict[str, Any], way, written) -> None:
    metric, found = METRICS[kind](**options_of(kind, options)), []
    for seed in (2, 3):
        paths = written(*drawn(kind, seed))
        ours = told(metric, judged(metric, paths))
        assert ours == metric.verify(*paths), f"seed {seed}"
        assert len(ours) == len(metric.summarise(judged(metric, paths), 0)), "names differ"
        found += ours.values()
    assert sum(value > 0 for value in found) > 3  # the cases are not trivial


@both_ways
@pytest.mark.parametrize("kind", METRICS)
def test_classes_as_one_are_those_of_a_file_with_one_class(kind: str, way, written) -> None:
    """Ties between classes go by the class, as with `useCats = 0`: sorted rows of one class have the same order."""
    metric, plain, moved = METRICS[kind](class_agnostic=True), METRICS[kind](), 0
    for seed in range(40, 52):
        truth, results = drawn(kind, seed)
        for row in results:
            row["score"] = round(row["score"], 1)
        ours = list(told(metric, judged(metric, written(truth, results))).values())
        for rows in (truth["annotations"], results):
            rows.sort(key=lambda row: row["category_id"])
            for row in rows:
                row["category_id"] = 1
        truth["categories"] = truth["categories"][:1]
        paths = written(truth, results)
        assert ours == list(told(plain, judged(plain, paths)).values()) == list(plain.verify(*paths).values())
        rng = np.random.default_rng(seed)
        shuffled = written({**truth, "annotations": rng.permutation(truth["annotations"]).tolist()},
                           rng.permutation(results).tolist())  # fmt: skip
        moved += ours != list(told(plain, judged(plain, shuffled)).values())
    assert moved > 3  # the order of ties matters


@pytest.mark.parametrize("kind", METRICS)
def test_official_values_leave_state_and_names_as_they_are(kind: str, written) -> None:
    official = METRICS[kind]().settings
    said = {
        "iou_thresholds": [round(value, 2) for value in official.thresholds],
        "recall_thresholds": len(official.recalls),
        "areas": {name: [low, high] for name, low, high in official.areas[1:]},
        "max_detections": list(official.max_detections),
        "class_agnostic": False,
    }
    metric, paths = METRICS[kind](**options_of(kind, said)), written(*drawn(kind, 3))
    assert metric.settings == official and metric.quantities == METRICS[kind].quantities
    assert dict(judged(metric, paths).params) == dict(judged(METRICS[kind](), paths).params)
    assert not {"recalls", "max_detections", "class_agnostic"} & set(judged(metric, paths).params)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"iou_thresholds": 0.3}, "AP@0.3 APS@0.3 APM@0.3 APL@0.3 AR1@0.3 AR10@0.3 AR100@0.3 ARS@0.3 ARM@0.3 ARL@0.3"),
        ({"iou_thresholds": [0.5], "areas": {"t": [0, 9]}}, "AP50 AP-t@0.5 AR1@0.5 AR10@0.5 AR100@0.5 AR-t@0.5"),
        (
            {"iou_thresholds": [0.3, 0.4, 0.5], "areas": {"small": [0, 9]}},
            "AP@0.3-0.5step0.1 AP@0.3 AP@0.4 AP50 AP-small@0.3-0.5step0.1 AR1@0.3-0.5step0.1 AR10@0.3-0.5step0.1 "
            "AR100@0.3-0.5step0.1 AR-small@0.3-0.5step0.1",
        ),
        (
            {"areas": {"small": [0, 1024], "vast": [1e5, None]}, "max_detections": [100, 300, 1000]},
            "AP AP50 AP75 APS AP-vast AR100 AR300 AR1000 ARS AR-vast",
        ),
        (
            {"class_agnostic": True, "recall_thresholds": 11, "areas": {"t": [0, 9]}},
            "micro-AP@R11 micro-AP50@R11 micro-AP75@R11 micro-AP-t@R11 micro-AR1 micro-AR10 micro-AR100 micro-AR-t",
        ),
        (
            {"iou_thresholds": [0.2, 0.9], "areas": {"a": [0, 1]}, "per_class": True, "categories": [1], "names": "x"},
            "AP@0.2+0.9 AP@0.2 AP@0.9 AP-a@0.2+0.9 AR1@0.2+0.9 AR10@0.2+0.9 AR100@0.2+0.9 AR-a@0.2+0.9 AP@0.2+0.9/x "
            "AP@0.2/x AP@0.9/x AR100@0.2+0.9/x",
        ),
    ],
)  # fmt: skip
def test_names_say_what_is_averaged_over(options: dict[str, Any], names: str) -> None:
    metric = CocoBoxes(**options)
    assert [quantity.name for quantity in metric.quantities] == names.split()
    assert metric.main == names.split()[0]


def test_descriptions_say_the_criteria() -> None:
    options = {"iou_thresholds": [0.3, 0.35, 0.4], "areas": {"tiny": [0, 256], "vast": [1e5, None]}}
    texts = {one.name: one.description for one in CocoMasks(**options, recall_thresholds=11).quantities}
    assert texts["AP@0.3-0.4step0.05@R11"] == (
        "Average precision of masks averaged over IoU 0.30 to 0.40 in steps of 0.05, mean over classes, objects of any "
        "area as annotated, at most 100 detections an image and class, at 11 recalls from 0 to 1; COCO protocol with "
        "own criteria; n is objects."
    )
    assert "objects of tiny area (0 to 256 px²) as annotated" in texts["AP-tiny@0.3-0.4step0.05@R11"]
    assert "objects of vast area (from 100000 px²) as annotated" in texts["AR-vast@0.3-0.4step0.05"]
    (first, *_) = CocoBoxes(class_agnostic=True, recall_thresholds=[0.5]).quantities
    assert "all classes as one" in first.description and "100 detections an image, at recall 0.5" in first.description


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"iou_thresholds": []}, r"iou_thresholds \[\]: give 1 to 16 numbers above 0 and up to 1, each above the last"),
        ({"iou_thresholds": [0.5, 0.5]}, "each above the last"),
        ({"iou_thresholds": [0.7, 0.5]}, "each above the last"),
        ({"iou_thresholds": [0.0, 0.5]}, "above 0 and up to 1"),
        ({"iou_thresholds": 50}, "iou_thresholds 50: "),
        ({"iou_thresholds": [0.5, float("nan")]}, "iou_thresholds"),
        ({"iou_thresholds": "0.5"}, "iou_thresholds '0.5': "),
        ({"iou_thresholds": [True]}, "iou_thresholds"),
        ({"iou_thresholds": np.linspace(0.1, 0.9, 17).tolist()}, "give 1 to 16 numbers"),
        ({"recall_thresholds": []}, r"recall_thresholds \[\]: give 1 to 1001 numbers from 0 to 1"),
        ({"recall_thresholds": 1}, "recall_thresholds 1: "),
        ({"recall_thresholds": 0.5}, "recall_thresholds 0.5: "),
        ({"recall_thresholds": 2000}, r"how many there are from 0 to 1 at even distances \(2 to 1001\)"),
        ({"recall_thresholds": [0, 2]}, "numbers from 0 to 1"),
        ({"recall_thresholds": [1, 0]}, "each above the last"),
        ({"recall_thresholds": "all"}, "recall_thresholds 'all'"),
        ({"areas": {}}, r"areas \{\}: give 1 to 32 ranges by name, as \{tiny: \[0, 256\]\}"),
        ({"areas": [0, 256]}, "ranges by name"),
        ({"areas": {f"a{n}": [0, 1] for n in range(33)}}, "1 to 32 ranges"),
        ({"areas": {"all": [0, 9]}}, "'all' is no name for a range"),
        ({"areas": {"a/b": [0, 9]}}, "'a/b' is no name for a range"),
        ({"areas": {7: [0, 9]}}, "7 is no name for a range"),
        (
            {"areas": {"a": [9, 9]}},
            r"areas: a \[9, 9\]: give \[minimum, maximum\] in px\^2, the second above",
        ),
        ({"areas": {"a": [-1, 9]}}, "areas: a"),
        ({"areas": {"a": [None, 9]}}, "areas: a"),
        ({"areas": {"a": [0, 9, 10]}}, "areas: a"),
        ({"areas": {"a": 9}}, "areas: a 9: "),
        ({"areas": {"a": "09"}}, "areas: a '09'"),
        ({"max_detections": [1] * 17}, "up to 16, each above the last"),
        ({"max_detections": "100"}, "max_detections '100'"),
        ({"class_agnostic": "yes"}, "class_agnostic 'yes': say true or false"),
        ({"class_agnostic": True, "per_class": True}, "there are no single classes if all are one"),
    ],
)
@pytest.mark.parametrize("kind", METRICS)
def test_options_that_cannot_be_meant_are_refused_in_a_line(kind: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("iou", "oks") if kind == "keypoints" else says) as refused:
        METRICS[kind](**options_of(kind, options))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("options", OPTIONS[1:], ids=lambda options: "+".join(options))
def test_states_by_other_criteria_do_not_mix(kind: str, options: dict[str, Any], written) -> None:
    paths = written(*drawn(kind, 3))
    metric = METRICS[kind](**options_of(kind, options))
    own, official = judged(metric, paths), judged(METRICS[kind](), paths)
    with pytest.raises(InputError, match=r"states of \S+ differ in \w+: .*; measure all alike"):
        metric.merge([own, official])
    images = own.arrays["image"].tolist()
    target = metric.read_target(paths[0])
    found = metric.read_predictions(paths[1], target)
    parts = [metric.measure(found, target, images[shard::3]) for shard in (2, 0, 1)]
    merged = metric.merge(parts)
    assert metric.summarise(merged, 20) == metric.summarise(own, 20)
    # the state alone says how it was judged
    names = [one.quantity.name for one in METRICS[kind]().summarise(own, 0)]
    assert list(METRICS[kind].by_image(own).names) == names
    side = METRICS[kind].by_image(own, classes=True)
    values = side.at(np.ones((1, len(side.images)), np.int64))[0]
    known = told(metric, own)
    assert all(known.get(name, value) == (-1 if value != value else value) for name, value in zip(
        side.names, values.tolist(), strict=True))  # fmt: skip
