"""Why LVIS AP is what it is: what is ignored, by hand, and each section against the score or the rule step by step."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_ways import take
from random_lvis import case

from hrbench.metrics.coco.boundary import CocoBoundary
from hrbench.metrics.coco.lvis import LvisBoxes, LvisMasks
from hrbench.store.analyses import fault_of
from hrbench.types import Analysis


def analysed(
    folder: Path, truth: dict, rows: list[dict], metric: Any = None
) -> tuple[Analysis, dict[str, float | None]]:
    """The analysis, and the numbers of the score by name."""
    metric = metric or LvisBoxes()
    for name, content in (("truth.json", truth), ("rows.json", rows)):
        (folder / name).write_text(json.dumps(content))
    target = metric.read_target(folder / "truth.json")
    predictions = metric.read_predictions(folder / "rows.json", target)
    state = metric.measure(predictions, target)
    found = metric.analyse(predictions, target, state)
    assert fault_of(found) == ""
    return found, {score.quantity.name: score.value for score in metric.summarise(state, 0)}


def tables(analysis: Analysis) -> dict[str, Any]:
    return {one.key: one for one in analysis.sections}


def scene(negative: list[int], partial: list[int]) -> dict:
    """A cup of 40 x 40 in an image of 200 x 100, of three classes."""
    image = {"id": 4, "width": 200, "height": 100, "coco_url": "http://images.cocodataset.org/val2017/4.jpg"}
    image |= {"neg_category_ids": negative, "not_exhaustive_category_ids": partial}
    names = (("cup", "f"), ("mug", "c"), ("owl", "r"))
    return {
        "images": [image],
        "annotations": [{"id": 1, "image_id": 4, "category_id": 1, "bbox": [10, 10, 40, 40], "area": 1600.0}],
        "categories": [{"id": n + 1, "name": name, "frequency": often} for n, (name, often) in enumerate(names)],
    }


def row(category: int, left: float = 10.0, score: float = 0.9) -> dict[str, Any]:
    return {"image_id": 4, "category_id": category, "bbox": [left, 10, 40, 40], "score": score}


@pytest.mark.parametrize(
    ("negative", "partial", "rows", "errors", "place", "ignored"),
    [
        ([2], [], [row(2)], {"classification": 1}, "known to be absent", 0),
        ([], [], [row(2)], {}, "not looked for", 1),
        ([2], [2], [row(2)], {}, "absent, not exhaustively", 1),
        ([], [], [row(1, 120)], {"background": 1, "missed": 1}, "annotated in the image", 0),
        ([], [1], [row(1, 120)], {"missed": 1}, "annotated, not exhaustively", 1),
        ([], [1], [row(1, 30)], {}, "annotated, not exhaustively", 1),  # of wrong place: IoU 1/3
    ],
)
def test_what_lvis_ignores_is_no_error(tmp_path: Path, negative, partial, rows, errors, place, ignored) -> None:
    found = tables(analysed(tmp_path, scene(negative, partial), rows)[0])
    counts = dict(zip(found["errors"].rows, found["errors"].values[:, 0].tolist(), strict=True))
    assert {kind: many for kind, many in counts.items() if many} == errors
    known = dict(zip(found["federation"].rows, found["federation"].values.tolist(), strict=True))
    over = float(rows[0]["category_id"] == 2)
    assert known.pop(place) == [1, 0, 1 - ignored, ignored, over] and not np.array(list(known.values())).any()


def test_an_ignored_class_tells_what_an_object_was_taken_for(tmp_path: Path) -> None:
    """A mug that nobody looked for costs the cup: with its class right, all would be found."""
    found = tables(analysed(tmp_path, scene([], []), [row(2)])[0])
    costs = dict(zip(found["errors"].rows, found["errors"].values[:, 1].tolist(), strict=True))
    assert costs["classification"] == 1 and costs["missed"] == 0
    assert found["confusions"].rows == ("cup → mug",) and found["confusions"].values.tolist() == [[1, 0, 1, 0]]
    judged = tables(analysed(tmp_path, scene([2], []), [row(2)])[0])
    assert judged["confusions"].values.tolist() == [[1, 1, 1, 0]]


@pytest.mark.parametrize("masks", [False, True])
def test_numbers_that_the_score_has_are_the_scores(tmp_path: Path, masks: bool) -> None:
    seen = 0
    for seed in range(6):
        metric = (LvisMasks if masks else LvisBoxes)(per_class=True)
        truth, rows = case(seed, 5, masks=masks)
        analysis, scores = analysed(tmp_path, truth, rows, metric)
        found, near = tables(analysis), lambda values: pytest.approx(values, abs=1e-12, nan_ok=True)
        values = {name: np.nan if value is None else value for name, value in scores.items()}
        frequencies = found["frequencies"]
        assert frequencies.values[:, frequencies.columns.index("AP")].tolist() == near(
            [values[name] for name in ("APr", "APc", "APf")]
        )
        assert found["sizes"].values[:, 1].tolist() == near([values[name] for name in ("AP", "APS", "APM", "APL")])
        assert found["sizes"].values[0, -1] == near(values["AR300"])
        names = [f"AP/{name}" for name in found["classes"].rows]
        assert found["classes"].values[:, 1].tolist() == near([values[name] for name in names])
        often = Counter(one["frequency"] for one in truth["categories"])
        assert frequencies.values[:, 0].tolist() == [often[one] for one in "rcf"]
        # the area below the mean curve is AP
        assert found["precision-recall"].y[2].mean() == near(values["AP"])
        seen += values["AP"] > 0
    assert seen > 3


def test_what_is_known_of_classes_against_the_rules_step_by_step(tmp_path: Path) -> None:
    total = np.zeros(5)
    for seed in range(6):
        truth, rows = case(seed + 40, 4)
        found = tables(analysed(tmp_path, truth, rows)[0])["federation"]
        images = {one["id"]: one for one in truth["images"]}
        objects = {(one["image_id"], one["category_id"]) for one in truth["annotations"] if one["area"] > 0}
        expected = Counter()
        for image, said in images.items():
            mine = sorted((one for one in rows if one["image_id"] == image), key=lambda one: -one["score"])[:300]
            for one in mine:
                if one["bbox"][2] * one["bbox"][3] > 0:
                    own = (image, one["category_id"]) in objects
                    partial = one["category_id"] in said["not_exhaustive_category_ids"]
                    absent = one["category_id"] in said["neg_category_ids"]
                    expected[partial if own else 2 + partial if absent else 4] += 1
        assert found.values[:, 0].tolist() == [expected[place] for place in range(5)]
        assert found.values[:, 0].tolist() == found.values[:, 1:4].sum(axis=1).tolist()
        total += found.values[:, 0]
    assert (total > 0).all()


@pytest.mark.parametrize("metric", [LvisBoxes, LvisMasks, CocoBoundary])
def test_the_compiled_helper_changes_no_bit(tmp_path: Path, monkeypatch, metric: Any) -> None:
    truth, rows = case(12, 4, masks=metric is not LvisBoxes)
    for one in truth["annotations"]:
        one.setdefault("iscrowd", 0)
    said = []
    for way in ("compiled", "numpy"):
        take(way, monkeypatch)
        found, _ = analysed(tmp_path, truth, rows, metric())
        arrays = [
            getattr(one, name) for one in found.sections for name in ("values", "y", "counts") if hasattr(one, name)
        ]
        said.append([each.tobytes() for each in arrays])
    assert said[0] == said[1]
