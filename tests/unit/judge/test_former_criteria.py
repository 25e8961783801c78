"""Results from before criteria were recorded are read with those that they were judged by.

tests/data/before_criteria was written by the code of commit 44c4dac: box AP of 40 drawn images with max_detections 3.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import random_instances

import hrbench
from hrbench.judge import summaries
from hrbench.judge.comparability import basis_of_score
from hrbench.metrics.coco.instances import CocoBoxes
from hrbench.store.former_criteria import former_criteria, with_former_criteria
from hrbench.store.run_folder import RunFolder
from hrbench.store.states import write_state
from hrbench.types import MetricRecord, Result, State

FORMER = Path(__file__).parents[2] / "data/before_criteria"


def former() -> Result:
    (result,) = RunFolder(FORMER).results()
    return result


def measured(folder: Path, metric: CocoBoxes) -> State:
    truth, found = random_instances.case(6, images=40, masks=False)
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "boxes.json").write_text(json.dumps(found))
    target = metric.read_target(folder / "truth.json")
    return metric.measure(metric.read_predictions(folder / "boxes.json", target), target)


def scored_again(folder: Path, limits: int) -> Path:
    """A run folder as today's hrbench writes it, of the same data and predictions."""
    metric, run = CocoBoxes(max_detections=limits), RunFolder(folder / "run")
    state = measured(folder, metric)
    record = MetricRecord(metric.version, "hrbench", metric.own_criteria())
    begun = run.begin("many")
    write_state(state, begun / "states.npz")
    one = former()
    scores = tuple(metric.summarise(state, 20))
    run.commit(begun, replace(one, scores=scores, provenance=replace(one.provenance, metrics={"coco-boxes": record})))
    return folder / "run"


def test_the_stored_result_does_not_tell_its_criteria_and_is_read_with_them() -> None:
    assert b"criteria" not in (FORMER / "entries/many/result.json").read_bytes()
    assert former().provenance.metrics["coco-boxes"].criteria == {"max_detections": [1, 3]}


def test_it_is_compared_with_one_that_was_scored_today(tmp_path: Path) -> None:
    frame = hrbench.compare(FORMER, scored_again(tmp_path, 3)).frame()
    assert set(frame.verdict) == {"unchanged"} and "AR3" in set(frame.quantity)


def test_other_criteria_stay_apart_from_it(tmp_path: Path) -> None:
    frame = hrbench.compare(FORMER, scored_again(tmp_path, 100)).frame()
    assert not set(frame.verdict) & {"improved", "regressed", "unchanged", "not worse", "cannot tell"}
    assert "max detections" in str(frame.reasons[0])


def test_a_history_puts_them_on_one_basis(tmp_path: Path) -> None:
    run = scored_again(tmp_path, 3)
    found = []
    for folder in (FORMER, run):
        summary = summaries.decode_summary(summaries.summarise(folder)[0])
        found.append({one.basis for row in summary.numbers for one in summaries.decode_numbers(row)})
    assert found[0] == found[1] and len(found[0]) == 1
    one, data = former(), former().provenance.dataset
    assert data is not None
    basis = basis_of_score((data.sha256, data.images), one.entry.protocol, 1, "None ", {"max_detections": [1, 3]})
    assert found[0] == {basis}


@pytest.mark.parametrize(
    ("metric", "use", "args", "expected"),
    [
        ("coco-boxes", "coco-instances", {"max_detections": 300}, {"max_detections": [1, 10, 300]}),
        ("coco-masks", "coco-instances", {"max_detections": [5, 20]}, {"max_detections": [5, 20]}),
        ("coco-masks", "coco-instances", {"max_detections": 100}, {}),
        ("coco-masks", "coco-instances", {"max_detections": None}, {}),
        ("coco-masks", "coco-instances", {}, {}),
        ("coco-masks", "mine:set", {"max_detections": 300}, {}),  # whose metric may have been told anything
        ("coco-keypoints", "coco-instances", {"max_detections": 300}, {}),  # it had no such option
    ],
)
def test_what_is_not_certain_is_left_as_it_is(metric: str, use: str, args: dict, expected: dict) -> None:
    assert former_criteria(metric, use, args) == expected
    if expected:
        assert CocoBoxes(max_detections=args["max_detections"]).own_criteria() == expected


def test_recorded_criteria_are_kept() -> None:
    one = former()
    recorded = {"coco-boxes": MetricRecord(1, "hrbench", {"max_detections": [7]})}
    kept = replace(one, provenance=replace(one.provenance, metrics=recorded))
    assert with_former_criteria(kept) is kept
