"""Why box and mask AP are what they are: types of errors by hand, and each section against a slow reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_instances
from both_ways import take
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hrbench.metrics.coco.error_types import KINDS
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.store.analyses import fault_of
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisSection, AnalysisTable


def analysed(tmp_path: Path, truth: Any, rows: list[dict], metric: Any = None) -> Analysis:
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    metric = metric or CocoBoxes()
    target = metric.read_target(tmp_path / "truth.json")
    predictions = metric.read_predictions(tmp_path / "rows.json", target)
    found = metric.analyse(predictions, target, metric.measure(predictions, target))
    assert fault_of(found) == ""
    return found


def section(analysis: Analysis, key: str) -> Any:
    (found,) = [one for one in analysis.sections if one.key == key]
    return found


def column(table: AnalysisTable, name: str) -> dict[str, float]:
    return dict(zip(table.rows, table.values[:, table.columns.index(name)].tolist(), strict=True))


def truth_of(*objects: tuple[int, list[float]], crowd: tuple[int, ...] = ()) -> dict[str, Any]:
    """One image with objects of classes 1 and 2."""
    return {
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {
                "id": n + 1,
                "image_id": 1,
                "category_id": c,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": int(n in crowd),
            }
            for n, (c, box) in enumerate(objects)
        ],
    }


def row(category: int, box: list[float], score: float) -> dict[str, Any]:
    return {"image_id": 1, "category_id": category, "bbox": box, "score": score}


CAT, DOG, FAR = [0.0, 0.0, 20.0, 20.0], [40.0, 40.0, 20.0, 20.0], [70.0, 0.0, 20.0, 20.0]


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("classification", [row(2, CAT, 0.9)]),
        ("localisation", [row(1, [0, 0, 20, 8], 0.9)]),  # IoU 0.4
        ("localisation", [row(1, [0, 0, 20, 10], 0.8), row(1, CAT, 0.9)]),  # IoU 0.5 with one that is taken
        ("both", [row(2, [0, 0, 20, 8], 0.9)]),
        ("duplicate", [row(1, CAT, 0.9), row(1, [0, 0, 20, 18], 0.8)]),
        ("background", [row(1, FAR, 0.9)]),
        ("background", [row(1, [0, 0, 20, 1.9], 0.9)]),
        ("localisation", [row(1, [0, 0, 20, 2], 0.9)]),  # IoU 0.1
    ],
)
def test_each_type_of_error(tmp_path: Path, kind: str, rows: list[dict]):
    found = column(section(analysed(tmp_path, truth_of((1, CAT), (2, DOG)), rows), "errors"), "errors")
    assert {name: many for name, many in found.items() if many and name != "missed"} == {kind: 1}
    fixable = kind in ("classification", "localisation") and len(rows) == 1
    assert found["missed"] == (1 if fixable or len(rows) == 2 else 2)


def test_what_errors_cost(tmp_path: Path):
    """A dog found as a cat, at once the best detection: AP is 0 of dogs, and 0.5 of cats."""
    rows = [row(1, DOG, 0.9), row(1, CAT, 0.8)]
    found = analysed(tmp_path, truth_of((1, CAT), (2, DOG)), rows)
    costs = column(section(found, "errors"), "dAP")
    assert column(section(found, "totals"), "AP50 if fixed")["as it is"] == pytest.approx(0.25)
    assert costs["classification"] == pytest.approx(0.75)
    assert {name: cost for name, cost in costs.items() if cost} == {"classification": costs["classification"]}
    totals = column(section(found, "totals"), "dAP")
    assert totals["false positives"] == pytest.approx(0.25) and totals["false negatives"] == pytest.approx(0.25)
    assert section(found, "confusion").counts.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    by_class = section(found, "class-errors")
    assert column(by_class, "classification") == {"cat": 1, "dog": 0}


def test_a_detection_in_a_crowd_is_no_error(tmp_path: Path):
    truth = truth_of((1, CAT), (1, [50.0, 50.0, 50.0, 50.0]), crowd=(1,))
    rows = [row(1, CAT, 0.9), row(1, [60, 60, 10, 10], 0.8), row(2, [60, 60, 10, 10], 0.7)]
    found = analysed(tmp_path, truth, rows)
    assert column(section(found, "errors"), "errors")["background"] == 1  # the dog: the crowd is of cats
    assert section(found, "confusion").counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_only_the_best_detection_of_an_object_is_set_right(tmp_path: Path):
    rows = [row(2, CAT, 0.9), row(1, [0, 0, 20, 8], 0.8)]
    costs = column(section(analysed(tmp_path, truth_of((1, CAT)), rows), "errors"), "dAP")
    assert costs["classification"] > 0 and costs["localisation"] == 0


def random_case(seed: int, masks: bool = False) -> tuple[dict, list[dict]]:
    truth, rows = random_instances.case(seed, categories=3, images=10, masks=masks)
    return truth, [{**each, "score": float(min(max(each["score"], 0), 1))} for each in rows]


@pytest.mark.parametrize("masks", [False, True])
def test_curves_and_ap_are_pycocotools_own(tmp_path: Path, masks: bool, capsys):
    truth, rows = random_case(5, masks)
    metric = CocoMasks(per_class=True) if masks else CocoBoxes(per_class=True)
    found = analysed(tmp_path, truth, rows, metric)
    gt = COCO(str(tmp_path / "truth.json"))
    oracle = COCOeval(gt, gt.loadRes(str(tmp_path / "rows.json")), "segm" if masks else "bbox")
    oracle.evaluate()
    oracle.accumulate()
    capsys.readouterr()
    precision = np.where(oracle.eval["precision"] < 0, np.nan, oracle.eval["precision"])
    curves = section(found, "precision-recall")
    lines = [np.nanmean(precision[t, :, :, 0, -1], axis=1) for t in (0, 5)]
    lines.append(np.nanmean(precision[:, :, :, 0, -1], axis=(0, 2)))
    assert np.allclose(curves.y, lines, atol=1e-15, rtol=0)
    assert curves.x.tolist() == oracle.params.recThrs.tolist()
    # numbers of the tables are those of the score
    target = metric.read_target(tmp_path / "truth.json")
    predictions = metric.read_predictions(tmp_path / "rows.json", target)
    scores = {one.quantity.name: one.value for one in metric.summarise(metric.measure(predictions, target), 0)}
    classes = section(found, "classes")
    for name in classes.rows:
        for heading, quantity in (("AP", "AP"), ("AP50", "AP50"), ("AP75", "AP75")):
            value = column(classes, heading)[name]
            assert (None if value != value else value) == scores[f"{quantity}/{name}"]
    sizes = section(found, "sizes").values[:, 1]
    assert [None if value != value else value for value in sizes] == [scores[n] for n in ("AP", "APS", "APM", "APL")]


def slow_confusion(truth: dict, rows: list[dict], iou: Any, score: float = 0.3) -> np.ndarray:
    """The stated rule, detection by detection."""
    ids = [one["id"] for one in truth["categories"]]
    counts = np.zeros((len(ids) + 1, len(ids) + 1), int)
    for image in (one["id"] for one in truth["images"]):
        objects = [a for a in truth["annotations"] if a["image_id"] == image and not a["iscrowd"]]
        crowds = [a for a in truth["annotations"] if a["image_id"] == image and a["iscrowd"]]
        mine = sorted((r for r in rows if r["image_id"] == image), key=lambda r: -r["score"])[:100]
        free, left = list(range(len(objects))), []
        for one in mine:
            own = [g for g in free if objects[g]["category_id"] == one["category_id"]]
            best = max(own, key=lambda g: iou(one, objects[g]), default=None)
            if best is not None and iou(one, objects[best]) >= 0.5:
                if one["score"] >= score:
                    free.remove(best)
                    place = ids.index(one["category_id"])
                    counts[place, place] += 1
                continue
            inside = any(c["category_id"] == one["category_id"] and iou(one, c) > 0.5 for c in crowds)
            left += [] if inside or one["score"] < score else [one]
        for one in left:
            other = [g for g in free if objects[g]["category_id"] != one["category_id"]]
            best = max(other, key=lambda g: iou(one, objects[g]), default=None)
            place = ids.index(one["category_id"])
            if best is not None and iou(one, objects[best]) >= 0.5:
                free.remove(best)
                counts[ids.index(objects[best]["category_id"]), place] += 1
            else:
                counts[-1, place] += 1
        for g in free:
            counts[ids.index(objects[g]["category_id"]), -1] += 1
    return counts


def box_iou(one: dict, other: dict) -> float:
    """In the order of operations of pycocotools."""
    (x, y, w, h), (a, b, c, d) = one["bbox"], other["bbox"]
    width, height = min(w + x, c + a) - max(x, a), min(h + y, d + b) - max(y, b)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (w * h if other["iscrowd"] else w * h + c * d - shared)


@pytest.mark.parametrize("seed", range(8))
def test_the_confusion_matrix_against_the_rule_step_by_step(tmp_path: Path, seed: int):
    truth, rows = random_case(seed + 200)
    rows = [{**each, "category_id": 3 * (n % 3) + 1} if n % 4 == 0 else each for n, each in enumerate(rows)]
    found: AnalysisMatrix = section(analysed(tmp_path, truth, rows), "confusion")
    assert found.counts.tolist() == slow_confusion(truth, rows, box_iou).tolist()
    assert found.rows[-1] == found.columns[-1] == "background"


def test_calibration_against_bins_one_by_one(tmp_path: Path):
    truth, rows = random_case(3)
    found = analysed(tmp_path, truth, rows)
    metric = CocoBoxes()
    target = metric.read_target(tmp_path / "truth.json")
    state = metric.measure(metric.read_predictions(tmp_path / "rows.json", target), target)
    pairs = [
        (score, bool(hits & 1))
        for score, hits, ignored in zip(
            state.arrays["score"].tolist(), state.arrays["hits"][:, 0].tolist(), state.arrays["ignored"][:, 0].tolist(),
            strict=True,
        )
        if not ignored & 1
    ]  # fmt: skip
    gaps, points = [], []
    for k in range(15):
        inside = [pair for pair in pairs if k / 15 < pair[0] <= (k + 1) / 15 or (k == 0 and pair[0] == 0)]
        if inside:
            mean, share = np.mean([s for s, _ in inside]), np.mean([right for _, right in inside])
            gaps.append((len(inside), abs(mean - share)))
            points.append((mean, share))
    table, curves = section(found, "calibration"), section(found, "reliability")
    values = {name: column(table, name)["all detections"] for name in table.columns}
    assert values["detections"] == len(pairs)
    assert values["ECE"] == pytest.approx(sum(n * gap for n, gap in gaps) / len(pairs))
    assert values["largest"] == pytest.approx(max(gap for _, gap in gaps))
    assert np.allclose(np.stack([curves.x, curves.y[0]], 1), points) and curves.diagonal


def test_scores_that_are_no_probabilities_have_no_calibration_and_say_so(tmp_path: Path):
    found = analysed(tmp_path, truth_of((1, CAT)), [row(1, CAT, 3.5)])
    table = section(found, "calibration")
    assert "no probabilities" in table.reasons[0, 3] and column(table, "precision")["all detections"] == 1
    assert not [one for one in found.sections if one.key == "reliability"]


@pytest.mark.parametrize("rows", [[], [row(1, CAT, 0.5)]])
@pytest.mark.parametrize("objects", [(), ((2, CAT),)])
def test_nothing_found_or_nothing_to_find(tmp_path: Path, rows: list[dict], objects: tuple):
    found = analysed(tmp_path, truth_of(*objects), rows)
    table = section(found, "errors")
    assert column(table, "errors")["missed"] == (1 if objects and not rows else 0)
    lacking = {table.rows[place] for place, _ in table.reasons}  # types without which nothing is left
    assert lacking == (set(table.rows) if not rows and not objects else
                       {"background"} if not objects else {"missed"} if not rows else set())  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"class_agnostic": True},
        {"iou_thresholds": 0.3},
        {"iou_thresholds": [0.6, 0.7]},
        {"areas": {"tiny": [0, 400]}, "max_detections": [1, 5], "recall_thresholds": 11},
        {"categories": [4]},
    ],
)
@pytest.mark.parametrize("masks", [False, True])
def test_other_criteria_have_an_analysis_too(tmp_path: Path, options: dict, masks: bool):
    truth, rows = random_case(9, masks)
    found = analysed(tmp_path, truth, rows, (CocoMasks if masks else CocoBoxes)(**options))
    keys = {one.key for one in found.sections}
    assert {"errors", "totals", "sizes", "precision-recall", "confusion"} <= keys
    assert ("classes" in keys) == ("class_agnostic" not in options)
    assert found.params["detections_of_an_image"] == (5 if "max_detections" in options else 100)
    if "class_agnostic" in options:
        assert column(section(found, "errors"), "errors")["classification"] == 0


def said(one: AnalysisSection) -> bytes:
    if isinstance(one, AnalysisTable):
        return one.values.tobytes()
    return one.x.tobytes() + one.y.tobytes() if isinstance(one, AnalysisCurves) else one.counts.tobytes()


@pytest.mark.parametrize("masks", [False, True])
def test_the_compiled_helper_changes_no_bit(tmp_path: Path, monkeypatch, masks: bool):
    truth, rows = random_case(12, masks)
    take("compiled", monkeypatch)
    first = analysed(tmp_path, truth, rows, CocoMasks() if masks else CocoBoxes())
    take("numpy", monkeypatch)
    second = analysed(tmp_path, truth, rows, CocoMasks() if masks else CocoBoxes())
    assert [said(one) for one in first.sections] == [said(one) for one in second.sections]
    assert len(first.sections) == 9 and set(KINDS) == set(section(first, "errors").rows)
