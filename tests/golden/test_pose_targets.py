"""Training targets, losses and accuracy against records of the official HRNet code (targets.json, pipeline.json)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hrbench.miniature.train.pose import accuracy, hard_joints_loss, heatmap_loss, heatmap_targets, mirror_joints
from hrbench.tasks.pose.geometry import affine_matrix, box_to_centre_scale, transform_points

pytestmark = pytest.mark.numeric

TARGETS = range(3)
LOSSES = range(2)
PIPELINE = range(9)


@pytest.fixture(scope="module")
def record(golden: Any) -> Any:
    return golden("pose/protocol/targets.json")


@pytest.fixture(scope="module")
def pipeline(golden: Any) -> Any:
    return golden("pose/protocol/pipeline.json")


def test_every_case_is_looked_at(record: Any, pipeline: Any) -> None:
    assert len(record["targets"]) == len(TARGETS)
    assert len(record["losses"]) == len(LOSSES)
    assert len(pipeline["cases"]) == len(PIPELINE)


@pytest.mark.parametrize("index", TARGETS)
def test_targets_and_their_weights(record: Any, index: int) -> None:
    case = record["targets"][index]
    targets, weights = heatmap_targets(
        np.array(case["joints_xy"]),
        np.array(case["vis"]),
        tuple(case["image_size"]),
        tuple(case["heatmap_size"]),
        case["sigma"],
    )
    assert list(targets.shape) == case["target"]["shape"]
    assert targets.dtype == weights.dtype == np.float32
    np.testing.assert_array_equal(weights, case["target_weight"])
    flat = targets.astype(np.float64).reshape(-1)
    np.testing.assert_allclose(flat[case["target"]["index"]], case["target"]["value"], rtol=1e-6, atol=0)
    assert flat.mean() == pytest.approx(case["target"]["mean"], rel=1e-6)
    assert flat.std() == pytest.approx(case["target"]["std"], rel=1e-6)
    joints = targets.reshape(len(targets), -1)
    np.testing.assert_array_equal((joints != 0).sum(axis=1), case["nonzero_per_joint"])
    np.testing.assert_array_equal(joints.argmax(axis=1), case["argmax_per_joint"])
    np.testing.assert_allclose(joints.astype(np.float64).sum(axis=1), case["sum_per_joint"], rtol=1e-6)


@pytest.mark.parametrize("index", TARGETS)
def test_mirrored_joints(record: Any, index: int) -> None:
    case = record["targets"][index]
    mirrored, _ = mirror_joints(np.array(case["joints_xy"]), np.array(case["vis"]), 640, [(1, 2), (3, 4)])
    np.testing.assert_allclose(mirrored, case["fliplr_width_640_pairs_12_34_xy"], rtol=1e-12)


@pytest.mark.parametrize("index", LOSSES)
def test_losses_and_accuracy(record: Any, fill: Any, index: int) -> None:
    case = record["losses"][index]
    output = fill.image((3, 17, 16, 12), record["seed"], f"out{index}")
    target = fill.image((3, 17, 16, 12), record["seed"], f"tgt{index}")
    maps = torch.from_numpy(output), torch.from_numpy(target)
    weight = torch.tensor(case["target_weight"], dtype=torch.float64)
    assert heatmap_loss(*maps, weight).item() == pytest.approx(case["JointsMSELoss_weighted"], rel=1e-6)
    assert heatmap_loss(*maps).item() == pytest.approx(case["JointsMSELoss_unweighted"], rel=1e-6)
    assert hard_joints_loss(*maps, weight, 8).item() == pytest.approx(case["JointsOHKMMSELoss_weighted_top8"], rel=1e-6)
    per_joint, mean, count = accuracy(output, target)
    np.testing.assert_array_equal(per_joint, case["accuracy_per_joint"])
    assert (mean, count) == (case["accuracy_avg"], case["accuracy_count"])


@pytest.mark.parametrize("index", PIPELINE)
def test_joints_and_targets_of_the_loader(pipeline: Any, index: int) -> None:
    case = pipeline["cases"][index]
    width, height = case["image_size"]
    matrix = affine_matrix(
        np.array(case["center"], dtype=np.float32), np.array(case["scale"], dtype=np.float32), (width, height)
    )
    annotation = _annotation_of(pipeline, case)
    triples = np.array(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
    visible = np.minimum(triples[:, 2], 1)
    # The loader moves annotated joints alone and leaves the others at the origin.
    joints = np.where(visible[:, None] > 0, transform_points(triples[:, :2], matrix), 0.0)
    np.testing.assert_allclose(joints, case["joints_in_input_xy"], rtol=1e-9, atol=1e-9)
    targets, weights = heatmap_targets(joints, visible, (width, height), tuple(case["heatmap_size"]), case["sigma"])
    np.testing.assert_array_equal(weights, case["target_weight"])
    assert (targets != 0).sum() == case["target_nonzero"]
    flat = targets.reshape(len(targets), -1)
    np.testing.assert_allclose(flat.astype(np.float64).sum(axis=1), case["target_sum_per_joint"], rtol=1e-6)
    np.testing.assert_array_equal(flat.argmax(axis=1), case["target_argmax"])


def _annotation_of(pipeline: Any, case: Any) -> Any:
    """The annotation whose box, clamped to its image, has the centre of the case."""
    sizes = {image["id"]: (image["width"], image["height"]) for image in pipeline["images"]}
    names = {image["id"]: image["file_name"] for image in pipeline["images"]}
    found = []
    for annotation in pipeline["annotations"]:
        x, y, w, h = annotation["bbox"]
        width, height = sizes[annotation["image_id"]]
        left, top = max(0, x), max(0, y)
        right, bottom = min(width - 1, left + max(0, w - 1)), min(height - 1, top + max(0, h - 1))
        box = [left, top, right - left, bottom - top]
        centre, _ = box_to_centre_scale(box, (case["image_size"][1], case["image_size"][0]))
        same = np.array_equal(centre, np.array(case["center"], dtype=np.float32))
        if same and names[annotation["image_id"]] == case["image"]:
            found.append(annotation)
    (annotation,) = found
    return annotation


# --- what the records leave open: accuracy that is not zero ----------------------------------------------------


def test_accuracy_counts_hits_and_leaves_out_the_border() -> None:
    """By hand: 10 x 20 heatmaps, so that one unit is 1 pixel in x and 2 in y."""
    target = np.zeros((2, 3, 10, 20))
    output = np.zeros_like(target)
    target[:, 0, 5, 8] = 1
    output[:, 0, 5, 8] = 1  # exact, twice
    target[:, 1, 5, 8] = 1
    output[0, 1, 5, 8] = 1  # once exact, once a unit away
    output[1, 1, 5, 9] = 1
    target[:, 2, 5, 1] = 1  # x = 1 is not counted
    output[:, 2, 5, 1] = 1
    per_joint, mean, count = accuracy(output, target)
    np.testing.assert_array_equal(per_joint, [1.0, 0.5, -1.0])
    assert (mean, count) == (0.75, 2)


def test_targets_that_are_not_rounded_peak_between_pixels() -> None:
    joints, visible = np.array([[[18.0, 20.0]]]), np.ones((1, 1))
    targets, _ = heatmap_targets(joints, visible, (72, 96), (18, 24), 1.0, quantised=False)
    row = targets[0, 0, 5]
    assert row.argmax() == 4
    assert row[4] == pytest.approx(row[5], rel=1e-6)  # the joint lies at 4.5
    assert row[4] == pytest.approx(float(np.exp(-0.125)), rel=1e-6)
