"""COCO's metrics by criteria of one's own, from files to a verdict: run, verified, compared and gated."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from drawn.criteria import OTHERS, draw

import hrbench


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of predictions, and of worse ones."""
    found = {}
    for name in ("before", "worse"):
        folder = tmp_path_factory.mktemp(name)
        suite = {"suite": "criteria", "defaults": {"resamples": 20}, "entries": draw(folder, name == "worse")}
        (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
        found[name] = folder / "out"
        list(hrbench.run(hrbench.load_suite(folder / "suite.yaml"), found[name], data=folder / "data", verify=True))
    return found


def test_the_reference_gives_the_same_numbers(runs: dict[str, Path]) -> None:
    for out in runs.values():
        for result in hrbench.load(out):
            assert result.status == "done"
            said = [str(note) for note in result.notes if "pycocotools gives the same" in str(note)]
            assert len(said) == len(result.entry.metrics) and all("bit for bit" in one for one in said)


def test_a_result_says_by_which_criteria_it_was_judged(runs: dict[str, Path]) -> None:
    criteria = {one.name: one.provenance.metrics[one.entry.metrics[0]].criteria for one in hrbench.load(runs["before"])}
    assert criteria == {
        "official": {},
        "loose": {"iou_thresholds": [0.3, 0.4, 0.5], "recall_thresholds": 11},
        "areas": {"areas": {"tiny": [0.0, 400.0], "huge": [4000.0, 1e10]}},
        "many": {"max_detections": [1, 10, 300]},
        "one-class": {"class_agnostic": True},
        "people": {},
        "strict-people": {
            "oks_thresholds": [0.9],
            "areas": {"tiny": [0.0, 400.0], "huge": [4000.0, 1e10]},
            "max_detections": [5, 20, 100],
        },
    }
    names = {one.name: one.scores[0].quantity.name for one in hrbench.load(runs["before"])}
    assert names["loose"] == "AP@0.3-0.5step0.1@R11" and names["one-class"] == "micro-AP"
    assert names["strict-people"] == "AP@0.9" and names["official"] == names["areas"] == "AP"


def test_the_frame_holds_four_numbers_of_each_class(runs: dict[str, Path]) -> None:
    frame = hrbench.frame(hrbench.load(runs["before"]))
    one = frame[(frame.entry == "official") & (frame.metric == "coco-boxes")]
    names = set(one.quantity)
    assert {f"{kind}/{name}" for kind in ("AP", "AP50", "AP75", "AR100") for name in ("cup", "plate", "fork")} <= names


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_other_criteria_are_compared_with_their_like_only(runs: dict[str, Path], name: str) -> None:
    before = runs["before"]
    refused = hrbench.compare(f"{before}:official", f"{before}:{name}").frame()
    assert not set(refused.verdict) & {"improved", "regressed", "unchanged", "not worse", "cannot tell"}
    judged = hrbench.compare(f"{before}:{name}", f"{runs['worse']}:{name}", classes=True).frame()
    first = judged[judged.metric == "coco-boxes"].iloc[0]
    assert first.verdict == "regressed"
    classes = judged[judged.quantity.str.contains("/")]
    assert (name == "one-class") == classes.empty


def test_the_gate_blocks_what_is_worse_and_passes_what_is_not(runs: dict[str, Path]) -> None:
    decision = hrbench.gate(runs["worse"], against=runs["before"])
    assert decision.exit_code == 1 and {row.entry for row in decision.blocking} >= {"official", "one-class"}
    assert hrbench.gate(runs["before"], against=runs["before"], strict=True).exit_code == 0
