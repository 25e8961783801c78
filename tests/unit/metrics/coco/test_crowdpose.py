"""CrowdPose's AP by crowd index: empty splits, bounds, notes, and what its files may lack."""

from __future__ import annotations

import numpy as np
import pytest
import random_poses

from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco.crowdpose import BOUNDS, CrowdPoseAP
from hrbench.metrics.coco.keypoints import CocoKeypointAP


def measured(metric, paths, images=None):
    target = metric.read_target(paths[0])
    found = metric.read_predictions(paths[1], target)
    return metric.measure(found, target, images), found, target


def drawn(indices, seed: int = 2):
    truth, results = random_poses.crowdpose(seed, images=len(indices))
    for image, index in zip(truth["images"], indices, strict=True):
        image["crowdIndex"] = index
    return truth, results


def test_a_split_is_the_metric_of_its_images(written):
    truth, results = drawn([0.0, 0.1, 0.19, 0.2, 0.5, 0.79, 0.8, 0.9, 1.0] * 3, seed=11)
    metric, paths = CrowdPoseAP(), written(truth, results)
    values = dict(zip((one.name for one in metric.quantities), metric.raw(measured(metric, paths)[0]), strict=True))
    for split, low, high in (("easy", 0, 0.2), ("medium", 0.2, 0.8), ("hard", 0.8, 1.1)):
        some = [image["id"] for image in truth["images"] if low <= image["crowdIndex"] < high]
        assert values[f"AP_{split}"] == metric.raw(measured(metric, paths, some)[0])[0]
    plain = CocoKeypointAP(metric.joints.sigmas, truth_area="box*0.53", unseen="drop")
    assert values["AP"] == plain.raw(measured(plain, paths)[0])[0]
    assert len({values[f"AP_{split}"] for split in ("easy", "medium", "hard")}) == 3


def test_an_empty_split_is_empty_with_its_reason(written):
    truth, results = drawn([0.1, 0.15, 0.3, 0.7, 0.2, 0.5])
    metric = CrowdPoseAP()
    found = {one.quantity.name: one for one in metric.summarise(measured(metric, written(truth, results))[0], 20)}
    hard = found["AP_hard"]
    assert hard.value is None and hard.interval is None and found["AP"].value is not None
    assert str(hard.reason) == "none of the 6 images is hard, with a crowd index from 0.8 on"
    lonely, results = drawn([0.1, 0.1, 0.1, 0.9, 0.1, 0.1])
    alone = lonely["images"][3]["id"]
    lonely["annotations"] = [row for row in lonely["annotations"] if row["image_id"] != alone]
    found = {one.quantity.name: one for one in metric.summarise(measured(metric, written(lonely, results))[0], 0)}
    assert str(found["AP_hard"].reason) == "no annotated person in the 1 hard images"


def test_n_counts_the_people_of_the_split(written):
    truth, results = drawn([0.1, 0.15, 0.3, 0.7, 0.9, 0.5])
    metric = CrowdPoseAP()
    found = {one.quantity.name: one for one in metric.summarise(measured(metric, written(truth, results))[0], 0)}
    assert found["AP"].n == sum(found[f"AP_{split}"].n for split in ("easy", "medium", "hard"))


def test_bounds_of_the_paper_are_an_option_that_is_recorded(written):
    truth, results = drawn([0.05, 0.15, 0.3, 0.7, 0.9, 0.18])
    paths, paper = written(truth, results), CrowdPoseAP(crowd_bounds=[0.1, 0.8])
    state, found, target = measured(paper, paths)
    usual, _, _ = measured(CrowdPoseAP(), paths)
    assert state.params["crowd_bounds"] == [0.1, 0.8] and usual.params["crowd_bounds"] == list(BOUNDS)
    with pytest.raises(InputError, match="differ in crowd_bounds"):
        paper.merge([state, usual])
    assert [note.kind for note in paper.input_notes(found, target, state) if note.kind == "crowd_bounds"]
    assert not [note for note in CrowdPoseAP().input_notes(found, target, usual) if note.kind == "crowd_bounds"]


OWN = {"oks_thresholds": [0.3, 0.6], "recall_thresholds": 11, "areas": {"tiny": [0, 2000]}, "max_detections": 3}


@pytest.mark.parametrize("options", [OWN, {"oks_thresholds": 0.4}, {"max_detections": [1, 20]}])
def test_other_criteria_are_pycocotools_by_these_in_every_split(options, written):
    paths, metric = written(*drawn([0.0, 0.1, 0.3, 0.5, 0.8, 0.9] * 3, seed=11)), CrowdPoseAP(**options)
    state, found, target = measured(metric, paths)
    told = metric.summarise(state, 0)
    values = {one.quantity.name: one.value for one in told}
    assert values == metric.verify(*paths) and len(set(values.values())) > 4
    assert [one.quantity for one in told] == list(metric.quantities) and f"{metric.main}_hard" in values
    assert CrowdPoseAP.by_image(state).names == tuple(values)
    assert set(metric.own_criteria()) == set(options) and CrowdPoseAP().own_criteria() == {}
    with pytest.raises(InputError, match="measure all alike"):
        metric.merge([state, CrowdPoseAP().measure(found, target)])


def test_names_of_other_criteria():
    assert " ".join(one.name for one in CrowdPoseAP(**OWN).quantities) == (
        "AP@0.3+0.6@R11 AP@0.3@R11 AP@0.6@R11 AP-tiny@0.3+0.6@R11 AR@3dets@0.3+0.6 AR@0.3 AR@0.6 AR-tiny@0.3+0.6 "
        "AP@0.3+0.6@R11_easy AP@0.3+0.6@R11_medium AP@0.3+0.6@R11_hard"
    )
    assert " ".join(one.name for one in CrowdPoseAP.quantities) == "AP AP50 AP75 AR AR50 AR75 AP_easy AP_medium AP_hard"


@pytest.mark.parametrize("bounds", [[0.2], [0.8, 0.2], [0.2, 1.5], "0.2,0.8", [True, 0.8], [0.1, "0.8"]])
def test_odd_bounds(bounds):
    with pytest.raises(UsageError, match=r"crowd_bounds .*: give two rising numbers from 0 to 1"):
        CrowdPoseAP(crowd_bounds=bounds)


def test_images_of_other_crowd_indices_are_not_the_same(written):
    truth, results = drawn([0.1, 0.15, 0.3, 0.7, 0.9, 0.5])
    one, _, _ = measured(CrowdPoseAP(), written(truth, results))
    truth["images"][0]["crowdIndex"] = 0.11
    other, _, _ = measured(CrowdPoseAP(), written(truth, results))
    assert np.count_nonzero(one.arrays["truth_digest"] != other.arrays["truth_digest"]) == 1


def test_people_without_a_seen_joint_are_left_out_and_told(written):
    truth, results = drawn([0.1, 0.5, 0.9])
    results.append({**results[0], "keypoints": [5, 5, 0] * 14, "score": 2.0})
    paths = written(truth, results)
    state, found, target = measured(CrowdPoseAP(), paths)
    unseen = [note for note in CrowdPoseAP().input_notes(found, target, state) if note.kind == "unseen"]
    assert unseen and unseen[0].count == found.unseen >= 1 and unseen[0].option == "unseen: keep"
    kept = CrowdPoseAP(unseen="keep")
    assert measured(kept, paths)[1].unseen == 0 and "unseen" not in measured(kept, paths)[0].params
    with pytest.raises(UsageError, match="unseen: keep or drop was expected"):
        CrowdPoseAP(unseen="ignore")


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (None, "has no crowdIndex; CrowdPose's files give each image a number"),
        ("0.3", 'has the crowdIndex "0.3"'),
        (-0.1, "crowdIndex of image .* is -0.1; it is a share, from 0 to 1"),
        (33, "crowdIndex of image .* is 33; it is a share"),
    ],
)
def test_images_without_a_crowd_index(index, words, written):
    truth, results = drawn([0.1, 0.5, 0.9])
    truth["images"][1]["crowdIndex"] = index
    if index is None:
        del truth["images"][1]["crowdIndex"]
    with pytest.raises(InputError, match=words):
        CrowdPoseAP().read_target(written(truth, results)[0])
