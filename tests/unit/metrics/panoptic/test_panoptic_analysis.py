"""Why PQ is what it is: tables against the score and against loops over segments, pixel by pixel."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_panoptic

from hrbench.metrics.labels.objects import SIDES
from hrbench.metrics.panoptic.quality import PanopticQuality
from hrbench.report.analysis_view import headline
from hrbench.store.analyses import fault_of
from hrbench.types import Analysis

NAMES = {number: name for number, name, _ in random_panoptic.CATEGORIES}


def explained(folder: Path, made: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Analysis]:
    """The sections by key, the numbers of the score by name, and the analysis."""
    truth, results = random_panoptic.write(folder, made)
    metric = PanopticQuality(per_class=True)
    target = metric.read_target(truth)
    found = metric.read_predictions(results, target)
    state = metric.measure(found, target)
    analysis = metric.analyse(found, target, state)
    assert fault_of(analysis) == "" and analysis.params["images_read"] == len(target.images)
    scores = {one.quantity.name: one.value for one in metric.summarise(state, 0)}
    return {one.key: one for one in analysis.sections}, scores, analysis


def segments(made: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each image what matches, is false and is missed, with all IoU: segment by segment."""
    found = []
    predicted = {row["image_id"]: row["segments_info"] for row in made["results"]["annotations"]}
    for row in made["truth"]["annotations"]:
        image = row["image_id"]
        own, seen = made["truth_ids"][image], made["found_ids"][image]
        truth, guess = row["segments_info"], predicted[image]
        iou = {}
        for one in truth:
            for other in guess:
                shared = int(((own == one["id"]) & (seen == other["id"])).sum())
                void = int(((own == 0) & (seen == other["id"])).sum())
                union = one["area"] + int((seen == other["id"]).sum()) - shared - void
                iou[one["id"], other["id"]] = shared / union if shared else 0.0
        pairs = {
            (one["id"], other["id"]): iou[one["id"], other["id"]]
            for one in truth
            for other in guess
            if one["category_id"] == other["category_id"] and not one["iscrowd"] and iou[one["id"], other["id"]] > 0.5
        }
        false = []
        for other in guess:
            crowd = [one["id"] for one in truth if one["iscrowd"] and one["category_id"] == other["category_id"]]
            inside = (seen == other["id"]) & np.isin(own, [0, *crowd[-1:]])
            if other["id"] not in {one for _, one in pairs} and inside.sum() <= 0.5 * (seen == other["id"]).sum():
                false.append(other)
        missed = [one for one in truth if not one["iscrowd"] and one["id"] not in {each for each, _ in pairs}]
        areas = {other["id"]: int((seen == other["id"]).sum()) for other in guess}
        found.append({"truth": truth, "guess": guess, "iou": iou, "pairs": pairs, "false": false, "missed": missed})
        found[-1]["areas"] = areas
    return found


def kind(one: dict, others: list[dict], iou: Any) -> int:
    """0: on a segment of another class, 1: in the wrong place, 2: neither."""
    alike = [each for each in others if each["category_id"] == one["category_id"]]
    if any(iou(one, each) > 0.5 for each in others if each not in alike):
        return 0
    return 1 if any(iou(one, each) > 0.1 for each in alike) else 2


def size(area: float) -> int:
    return sum(area >= side**2 for side in SIDES[1:])


def test_what_is_unmatched_confused_and_how_large_it_is(tmp_path: Path) -> None:
    for seed in range(3):
        made = random_panoptic.case(seed, worse=True, size=(40, 60))
        tables, *_ = explained(tmp_path / str(seed), made)
        kinds, confused, sizes = np.zeros((3, 2), int), Counter(), np.zeros((5, len(SIDES)))
        for image in segments(made):
            iou, counted = image["iou"], [one for one in image["truth"] if not one["iscrowd"]]
            for one in image["false"]:
                kinds[kind(one, counted, lambda a, b, iou=iou: iou[b["id"], a["id"]]), 0] += 1
            for one in image["missed"]:
                kinds[kind(one, image["guess"], lambda a, b, iou=iou: iou[a["id"], b["id"]]), 1] += 1
                for other in image["false"]:
                    if iou[one["id"], other["id"]] > 0.5:
                        confused[f"{NAMES[one['category_id']]} → {NAMES[other['category_id']]}"] += 1
            area = {one["id"]: one["area"] for one in counted}
            for one in counted:
                sizes[0, size(one["area"])] += 1
            for (one, other), value in image["pairs"].items():
                sizes[1, size(area[one])] += 1
                sizes[2, size(area[one])] += value
                sizes[4, size(image["areas"][other])] += 1
            for other in {one for _, one in image["pairs"]} | {one["id"] for one in image["false"]}:
                sizes[3, size(image["areas"][other])] += 1
        unmatched = tables["unmatched"].values
        assert unmatched[:, [0, 2]].tolist() == kinds.tolist()
        table = tables["confusions"]
        assert dict(zip(table.rows, table.values[:, 0].tolist(), strict=True)) == confused
        assert table.values[:, 2].sum() == pytest.approx(1) and (np.diff(table.values[:, 0]) <= 0).all()
        with np.errstate(invalid="ignore"):
            expected = np.column_stack(
                [sizes[0], sizes[1] / sizes[0], sizes[2] / sizes[1], sizes[3], sizes[4] / sizes[3]]
            )
        assert np.allclose(tables["sizes"].values, expected, atol=1e-12, equal_nan=True)
        assert (kinds > 0).sum() >= 4 and sizes[0, 1] > 0


def test_losses_sum_to_what_pq_lacks_and_classes_are_the_scores(tmp_path: Path) -> None:
    tables, scores, analysis = explained(tmp_path, random_panoptic.case(7, worse=True))
    losses, classes = tables["losses"], tables["classes"]
    assert headline(analysis).startswith("largest PQ lost: ")
    for column, group in enumerate(("", "_things", "_stuff")):
        assert losses.values[:, column].sum() == pytest.approx(1 - scores[f"PQ{group}"])
    for name, row in zip(classes.rows, classes.values, strict=True):
        told = [scores[f"{part}/{name}"] for part in ("PQ", "SQ", "RQ")]
        assert row[:3].tolist() == pytest.approx([np.nan if one is None else one for one in told], nan_ok=True)
    assert np.isnan(classes.values[classes.rows.index("rug"), :6]).all()


def test_what_pq_loses_by_hand(tmp_path: Path) -> None:
    """A road of 8 px of which 6 are found (IoU 0.75), and a car that was found as a person."""
    made = random_panoptic.case(1, images=1)
    (image,) = made["truth_ids"]
    made["truth_ids"][image] = np.array([[1] * 8 + [2] * 4])
    made["found_ids"][image] = np.array([[1] * 6 + [0] * 2 + [2] * 4])
    made["truth"]["images"][0] |= {"width": 12, "height": 1}
    own = [{"id": 1, "category_id": 7, "iscrowd": 0, "area": 8}, {"id": 2, "category_id": 26, "iscrowd": 0, "area": 4}]
    made["truth"]["annotations"][0]["segments_info"] = own
    made["results"]["annotations"][0]["segments_info"] = [{"id": 1, "category_id": 7}, {"id": 2, "category_id": 24}]
    tables, *_ = explained(tmp_path, made)
    assert tables["losses"].values[:, 0].tolist() == pytest.approx([0.25 / 3, 1 / 3, 1 / 3])
    assert tables["losses"].values[:, 2].tolist() == [0.25, 0, 0]
    assert tables["confusions"].rows == ("car → person",) and tables["confusions"].values.tolist() == [[1, 1, 1, 0]]
    assert tables["unmatched"].values[0].tolist() == [1, 1, 1, 1]
