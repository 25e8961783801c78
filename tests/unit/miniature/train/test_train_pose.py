"""Augmentation and losses beyond the golden records (tests/golden/test_pose_targets.py)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from hrbench.miniature.train.loop import normalised
from hrbench.miniature.train.pose import (
    Augmentation,
    PoseExample,
    PoseTrainingTask,
    augmented,
    hard_joints_loss,
    heatmap_loss,
    heatmap_targets,
    mirror_joints,
)

pytestmark = pytest.mark.numeric

NONE = Augmentation(scale=0, rotation=0, rotated=0, shift=0, mirrored=0, light=0)
KINDS: tuple[Literal["coco"], Literal["mpii"]] = ("coco", "mpii")


def dots() -> PoseExample:
    """A black image with one bright dot for each of 17 joints, its channel values telling which."""
    image = np.zeros((120, 90, 3), dtype=np.uint8)
    rng = np.random.default_rng(0)
    cells = rng.permutation(80)[:17]
    joints = np.stack([6 + 8 * (cells % 8), 10 + 9 * (cells // 8)], axis=1).astype(float)
    for k, (x, y) in enumerate(joints.astype(int)):
        image[y - 1 : y + 2, x - 1 : x + 2] = 100 + 9 * k
    scale = np.array([90 / 200, 120 / 200], dtype=np.float32)
    return PoseExample(image, joints, np.ones(17, dtype=np.float32), np.array([45, 60], dtype=np.float32), scale)


@pytest.mark.parametrize(
    "ranges",
    [
        NONE,
        Augmentation(scale=0.2, rotation=0, rotated=0, shift=0.05, mirrored=0, light=0),
        Augmentation(scale=0, rotation=30, rotated=1, shift=0, mirrored=0, light=0),
        Augmentation(scale=0, rotation=0, rotated=0, shift=0, mirrored=1, light=0),
        Augmentation(scale=0.2, rotation=30, rotated=1, shift=0.05, mirrored=0.5, light=0),
    ],
    ids=["none", "scale", "rotation", "mirror", "all"],
)
def test_joints_stay_on_their_pixels(ranges: Augmentation) -> None:
    example = dots()
    rng = np.random.default_rng(4)
    looked = 0
    for _ in range(10):
        image, joints, visible = augmented(example, (240, 180), [], ranges, rng)
        assert image.shape == (240, 180, 3) and visible.all()
        for k, (x, y) in enumerate(joints):
            if 1 <= x < 179 and 1 <= y < 239:
                assert image[round(y), round(x), 0] == pytest.approx(100 + 9 * k, abs=4)
                looked += 1
    assert looked > 100


def test_a_mirrored_example_exchanges_left_and_right() -> None:
    example = dots()
    always = Augmentation(scale=0, rotation=0, rotated=0, shift=0, mirrored=1, light=0)
    image, joints, _ = augmented(
        example, (120, 90), PoseTrainingTask("coco").flip_pairs, always, np.random.default_rng(0)
    )
    for left, right in PoseTrainingTask("coco").flip_pairs:
        x, y = joints[right]
        assert image[round(y), round(x), 0] == 100 + 9 * left  # what was the left joint's dot
    np.testing.assert_allclose(joints[0], [89 - example.joints[0, 0], example.joints[0, 1]])


def test_light_changes_pixels_and_not_joints() -> None:
    example, ranges = dots(), Augmentation(scale=0, rotation=0, rotated=0, shift=0, mirrored=0, light=0.3)
    plain, joints, _ = augmented(example, (120, 90), [], NONE, np.random.default_rng(1))
    lit, same, _ = augmented(example, (120, 90), [], ranges, np.random.default_rng(1))
    assert np.array_equal(joints, same) and lit.dtype == np.uint8 and not np.array_equal(plain, lit)


@pytest.mark.parametrize("kind", KINDS)
def test_mirroring_twice_changes_nothing(kind: Literal["coco", "mpii"]) -> None:
    joints = np.random.default_rng(0).uniform(0, 50, (17 if kind == "coco" else 16, 2))
    seen = np.ones(len(joints))
    seen[3] = 0
    once = mirror_joints(joints, seen, 64, PoseTrainingTask(kind).flip_pairs)
    twice, flags = mirror_joints(*once, 64, PoseTrainingTask(kind).flip_pairs)
    np.testing.assert_allclose(twice, joints * seen[:, None], atol=1e-12)
    assert np.array_equal(flags, seen)


def test_targets_in_batches_are_those_of_single_people() -> None:
    rng = np.random.default_rng(3)
    joints, visible = rng.uniform(-20, 90, (5, 17, 2)), (rng.random((5, 17)) < 0.8).astype(float)
    together, weights = heatmap_targets(joints, visible, (72, 96), (18, 24), 1.5, quantised=False)
    for n in range(5):
        alone, weight = heatmap_targets(joints[n], visible[n], (72, 96), (18, 24), 1.5, quantised=False)
        assert np.array_equal(alone, together[n]) and np.array_equal(weight, weights[n])
    assert not together[weights == 0].any()


def test_a_joint_without_weight_has_no_gradient() -> None:
    output = torch.randn(2, 4, 6, 5, requires_grad=True)
    weight = torch.tensor([[1.0, 0, 1, 1], [1, 1, 0, 1]])
    for loss in (heatmap_loss, lambda *maps: hard_joints_loss(*maps, hardest=3)):
        output.grad = None
        loss(output, torch.ones_like(output), weight).backward()
        assert output.grad is not None
        assert not output.grad[weight == 0].any() and output.grad[0, 0].any()


def test_hard_joints_are_the_worst() -> None:
    """By hand: squared differences 1, 4 and 9 a joint; the worst two, halved: (4 + 9) / 2 / 2."""
    output = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert hard_joints_loss(output, torch.zeros(1, 3, 4, 4), hardest=2).item() == pytest.approx(3.25)


def test_normalised_by_channel_position() -> None:
    images = np.zeros((2, 4, 3, 3), dtype=np.uint8)
    images[..., 1] = 255
    tensor = normalised(images, (0.5, 0.25, 0.0), (0.5, 0.5, 2.0))
    assert tensor.shape == (2, 3, 4, 3) and tensor.dtype == torch.float32
    assert tensor[0, :, 0, 0].tolist() == [-1.0, 1.5, 0.0]
