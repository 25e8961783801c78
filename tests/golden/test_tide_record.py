"""Types of detection errors against numbers that tidecv itself gave (`record_tide.py`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from record_tide import LVIS_SEEDS, SEEDS, digest, drawn, drawn_lvis

from hrbench.metrics.coco.detection_analysis import compared_pairs
from hrbench.metrics.coco.error_types import KINDS, error_types, matched
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.metrics.coco.lvis import LvisBoxes, LvisMasks

RECORD, LVIS_RECORD = (
    json.loads((Path(__file__).parent / "data/tide" / name).read_text()) for name in ("numbers.json", "lvis.json")
)
NAMES = dict(zip(KINDS, ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"), strict=True))


def read_by(metric: Any, made: Sequence[Any], folder: Path) -> tuple[Any, Any]:
    """What a metric reads, predictions and target, of files with what was drawn."""
    for name, content in zip(("truth.json", "results.json"), made, strict=True):
        (folder / name).write_text(json.dumps(content))
    target = metric.read_target(folder / "truth.json")
    return metric.read_predictions(folder / "results.json", target), target


@pytest.mark.parametrize("seed", SEEDS)
def test_the_numbers_of_tidecv(seed: int, tmp_path: Path) -> None:
    made, record = drawn(seed), RECORD[str(seed)]
    assert digest(made) == record["digest"], "what is drawn has changed: record again"
    predictions, target = read_by(CocoMasks() if seed % 2 else CocoBoxes(), made, tmp_path)
    pairs = compared_pairs(predictions, target, target.images, target.categories, 100)
    found = error_types(pairs, matched(pairs))
    near = pytest.approx
    assert 100 * found.ap == near(record["ap"], abs=1e-11)
    costs = {NAMES[kind]: 100 * cost for kind, cost in zip(KINDS, found.costs, strict=True)}
    assert costs == near(record["costs"], abs=1e-11)
    totals = {"FalsePos": 100 * found.false_positives, "FalseNeg": 100 * found.false_negatives}
    assert totals == near(record["totals"], abs=1e-11)
    counts = found.counts.sum(axis=0) + found.spared  # tidecv counts detections in crowds, too
    assert {NAMES[kind]: many for kind, many in zip(KINDS, counts.tolist(), strict=True)} == record["counts"]


@pytest.mark.parametrize("seed", LVIS_SEEDS)
def test_the_numbers_of_tidecv_of_lvis(seed: int, tmp_path: Path) -> None:
    """Of federated annotations: costs and totals are tidecv's, counts those of detections that LVIS judges."""
    made, record = drawn_lvis(seed), LVIS_RECORD[str(seed)]
    assert digest(made) == record["digest"], "what is drawn has changed: record again"
    metric = LvisMasks() if seed % 2 else LvisBoxes()
    predictions, target = read_by(metric, made, tmp_path)
    found = metric.analyse(predictions, target, metric.measure(predictions, target))
    tables = {one.key: one for one in found.sections}
    costs = dict(zip(tables["errors"].rows, tables["errors"].values.tolist(), strict=True))
    for kind, name in NAMES.items():
        assert 100 * costs[kind][1] == pytest.approx(record["costs"][name], abs=1e-11), kind
        assert costs[kind][0] <= record["counts"][name]
    assert costs["missed"][0] == record["counts"]["Miss"]
    totals = (100 * tables["totals"].values[:, 1]).tolist()
    assert totals[:2] == pytest.approx([record["totals"]["FalsePos"], record["totals"]["FalseNeg"]], abs=1e-11)
    assert 100 * tables["totals"].values[2, 2] == pytest.approx(record["ap"], abs=1e-11)
    # what LVIS ignores is all that tidecv counts beyond
    known = tables["federation"].values.sum(axis=0)
    assert known[2] == sum(row[0] for kind, row in costs.items() if kind != "missed")
    assert known[2] + known[3] == sum(many for name, many in record["counts"].items() if name != "Miss")


def test_the_data_sets_have_what_is_difficult() -> None:
    """Else the record would show little."""
    every = [drawn(seed) for seed in SEEDS]
    assert sum(any(row["iscrowd"] for row in truth["annotations"]) for truth, _ in every) > 10
    most = [np.unique([row["image_id"] for row in rows], return_counts=True)[1].max(initial=0) for _, rows in every]
    assert max(most) > 100
    assert sum(len({row["score"] for row in rows}) < len(rows) for _, rows in every) > 20
    for kind in NAMES.values():
        assert sum(record["costs"][kind] > 0 for record in RECORD.values()) > 3, kind
