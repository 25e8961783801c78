"""From files to states and notes, compiled and on NumPy: the same bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import odd_json
import pytest
import random_coco
import random_instances
from both_ways import take

from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
from hrbench.metrics.coco.keypoints import CocoKeypointAP

METRICS = {"keypoints": CocoKeypointAP(), "boxes": CocoBoxes(), "masks": CocoMasks()}


def judged(kind: str, truth: Path, results: Path) -> list[bytes]:
    metric = METRICS[kind]
    target = metric.read_target(truth)
    found = metric.read_predictions(results, target)
    state = metric.merge([metric.measure(found, target)])
    arrays = [f"{name} {array.dtype} {array.shape}".encode() + array.tobytes() for name, array in state.arrays.items()]
    notes = metric.input_notes(found, target, state)
    numbers = [(score.quantity.name, score.value, score.n) for score in metric.summarise(state, resamples=0)]
    return [*arrays, repr((state.params, notes, numbers)).encode()]


@pytest.mark.parametrize("way", ["compiled"], indirect=True)
@pytest.mark.parametrize("kind", sorted(METRICS))
def test_states_are_the_same(way, kind, tmp_path, monkeypatch):
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    some = 0
    for seed in range(12):
        drawn = random_coco.case(seed) if kind == "keypoints" else random_instances.case(seed, masks=kind == "masks")
        truth.write_text(json.dumps(drawn[0]))
        results.write_text(json.dumps(drawn[1]))
        found = []
        for one in ("compiled", "numpy"):
            take(one, monkeypatch)
            found.append(judged(kind, truth, results))
        assert found[0] == found[1], seed
        some += len(drawn[1])
    assert some > 50 and np.isfinite(some)


@pytest.mark.parametrize("way", ["compiled"], indirect=True)
@pytest.mark.parametrize("kind", sorted(METRICS))
def test_states_are_the_same_however_files_are_written(way, kind, tmp_path, monkeypatch):
    """Unusual spacing, keys in any order, exponents and long numbers, large ids, many classes that never occur."""
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    some = 0
    for seed in range(100, 112):
        rng = np.random.default_rng(seed)
        drawn = random_coco.case(seed) if kind == "keypoints" else random_instances.case(seed, masks=kind == "masks")
        for row in drawn[0]["images"]:
            row["id"] += 2**53 + 1
        for row in (*drawn[0]["annotations"], *drawn[1]):
            row["image_id"] += 2**53 + 1
        if kind != "keypoints":
            drawn[0]["categories"] += [{"id": 5000 - one, "name": f"never {one}"} for one in range(40 * (seed % 3))]
        truth.write_text(odd_json.dumps(drawn[0], rng))
        results.write_text(odd_json.dumps(drawn[1], rng))
        found = []
        for one in ("compiled", "numpy"):
            take(one, monkeypatch)
            found.append(judged(kind, truth, results))
        assert found[0] == found[1], seed
        some += len(drawn[1])
    assert some > 50
