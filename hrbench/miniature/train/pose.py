"""The training task of miniature pose networks: heatmap targets, losses, accuracy and augmentation.

`heatmap_targets` (quantised), the losses and `accuracy` follow the official HRNet code
(deep-high-resolution-net.pytorch, lib/dataset/JointsDataset.py, lib/core/loss.py, lib/core/evaluate.py,
lib/utils/transforms.py), and are tested against golden records. The miniatures are trained on targets that are not
rounded to heatmap pixels: at 24 x 18 pixels the rounding would lose more than the decoding's quarter offset can give
back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from hrbench.datasets.mpii import SCHEME
from hrbench.formats.coco.skeletons import COCO
from hrbench.miniature.generate.people_scenes import KeypointLayout, scenes
from hrbench.miniature.generate.pose_datasets import coco_annotations, mpii_annotated, mpii_annotation
from hrbench.miniature.train.loop import Recipe, normalised, shuffled
from hrbench.tasks.pose.geometry import PADDING, affine_matrix, box_to_centre_scale, transform_points
from hrbench.types import Variant


def heatmap_targets(
    joints: np.ndarray,
    visible: np.ndarray,
    image_size: tuple[int, int],
    heatmap_size: tuple[int, int],
    sigma: float = 2,
    quantised: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians of height 1 around joints, cut off at three sigma.

    joints: (..., K, 2) x, y in input pixels.
    visible: (..., K), above 0.5 if a joint is annotated.
    image_size, heatmap_size: (width, height).
    sigma: in heatmap pixels.
    quantised: whether the centre is rounded to a heatmap pixel, half up, as in the official code.

    Returns targets (..., K, h, w) and weights (..., K), float32. A joint whose window lies outside the heatmap has
    weight 0. As in the official code, one whose window just touches the border from outside keeps its weight and has an
    empty target.
    """
    width, height = heatmap_size
    stride = np.array(image_size, dtype=np.float64) / np.array(heatmap_size, dtype=np.float64)
    centre = np.asarray(joints, dtype=np.float64) / stride
    if quantised:
        centre = np.trunc(centre + 0.5)
    reach = sigma * 3
    low, high = np.trunc(centre - reach), np.trunc(centre + reach + 1)
    outside = (low >= np.array(heatmap_size)).any(axis=-1) | (high < 0).any(axis=-1)
    weights = np.where(outside, 0.0, np.asarray(visible)).astype(np.float32)
    dx = (np.arange(width) - centre[..., 0, None]).astype(np.float32)
    dy = (np.arange(height) - centre[..., 1, None]).astype(np.float32)
    square = dy[..., :, None] ** 2 + dx[..., None, :] ** 2
    inside = (np.abs(dy) <= reach)[..., :, None] & (np.abs(dx) <= reach)[..., None, :]
    shown = inside & (weights > 0.5)[..., None, None]
    targets = np.where(shown, np.exp(-square / np.float32(2 * sigma**2)), np.float32(0))
    return targets.astype(np.float32), weights


def mirror_joints(
    joints: np.ndarray, visible: np.ndarray, width: int, flip_pairs: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Joints of the mirrored image: x -> width - 1 - x, left and right exchanged, zero if not annotated.

    joints: (K, 2) or (K, 3); visible: (K,). Returns new arrays (joints, visible).
    """
    order = np.arange(len(joints))
    for left, right in flip_pairs:
        order[[left, right]] = order[[right, left]]
    mirrored = np.array(joints, dtype=np.float64)[order]
    mirrored[:, 0] = width - mirrored[:, 0] - 1
    seen = np.asarray(visible)[order]
    return mirrored * (seen > 0)[:, None], seen


def heatmap_loss(output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Half the mean squared difference of heatmaps (N, K, h, w): the official JointsMSELoss.

    weight: (N, K), multiplied into output and target before squaring; None leaves it out.
    """
    difference = output - target
    if weight is not None:
        difference = difference * weight[:, :, None, None]
    return 0.5 * difference.square().mean()


def hard_joints_loss(output: Tensor, target: Tensor, weight: Tensor | None = None, hardest: int = 8) -> Tensor:
    """The loss of each person's `hardest` joints alone: the official JointsOHKMMSELoss. Shapes as `heatmap_loss`."""
    difference = output - target
    if weight is not None:
        difference = difference * weight[:, :, None, None]
    per_joint = 0.5 * difference.square().mean(dim=(2, 3))
    return per_joint.topk(hardest, dim=1).values.mean()


def accuracy(output: np.ndarray, target: np.ndarray, threshold: float = 0.5) -> tuple[np.ndarray, float, int]:
    """Share of heatmaps whose maximum is near that of the target, as in the official training log.

    output, target: (N, K, h, w). A distance is taken with x in units of h/10 and y in units of w/10 (in this order,
    officially), joints whose target maximum has x <= 1 or y <= 1 are left out. Returns the fraction below `threshold`
    for each joint (-1 if none counts), their mean over the joints that count, and how many those are.
    """

    def maxima(maps: np.ndarray) -> np.ndarray:
        flat = maps.reshape(*maps.shape[:2], -1)
        index = flat.argmax(axis=2)
        points = np.stack([index % maps.shape[3], index // maps.shape[3]], axis=2).astype(np.float64)
        return np.where((flat.max(axis=2) > 0)[..., None], points, 0.0)

    found, wanted = maxima(output), maxima(target)
    unit = np.array(output.shape[2:], dtype=np.float64) / 10
    distance = np.sqrt((((found - wanted) / unit) ** 2).sum(axis=2))
    counts = (wanted > 1).all(axis=2)
    total = counts.sum(axis=0)
    near = ((distance < threshold) & counts).sum(axis=0)
    per_joint = np.where(total > 0, near / np.maximum(total, 1), -1.0)
    counted = per_joint >= 0
    return per_joint, float(per_joint[counted].mean()) if counted.any() else 0.0, int(counted.sum())


# --- examples ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PoseExample:
    """One annotated person.

    image: (H, W, 3) uint8, BGR.
    joints: (K, 2) in image pixels.
    visible: (K,), above 0 if annotated.
    centre: (2,) of the region to crop, in pixels.
    scale: (2,) of the region to crop, padded, in units of 200 px.
    """

    image: np.ndarray
    joints: np.ndarray
    visible: np.ndarray
    centre: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of random changes.

    scale: relative, normal, clipped at one standard deviation.
    rotation: degrees, normal, clipped at two standard deviations.
    rotated: share of the examples that are rotated.
    shift: of the centre, uniform, in fractions of the region.
    mirrored: share of the examples that are mirrored.
    light: range of contrast and brightness, relative.
    """

    scale: float = 0.2
    rotation: float = 15.0
    rotated: float = 0.5
    shift: float = 0.04
    mirrored: float = 0.5
    light: float = 0.15


def augmented(
    example: PoseExample,
    input: tuple[int, int],
    flip_pairs: Sequence[tuple[int, int]],
    ranges: Augmentation,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One crop (h, w, 3) uint8 of `input` = (height, width), its joints (K, 2) in crop pixels, and visible (K,)."""
    height, width = input
    factor = np.clip(1 + ranges.scale * rng.standard_normal(), 1 - ranges.scale, 1 + ranges.scale)
    angle = 0.0
    if rng.random() < ranges.rotated:
        angle = float(ranges.rotation * np.clip(rng.standard_normal(), -2, 2))
    shift = rng.uniform(-ranges.shift, ranges.shift, 2).tolist()
    matrix = affine_matrix(example.centre, example.scale * factor, (width, height), rotation=angle, shift=shift)
    image: np.ndarray = cv2.warpAffine(example.image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    joints, visible = transform_points(example.joints, matrix), example.visible
    if rng.random() < ranges.mirrored:
        image = image[:, ::-1]
        joints, visible = mirror_joints(joints, visible, width, flip_pairs)
    if ranges.light:
        gain, offset = 1 + ranges.light * rng.uniform(-1, 1), 255 * ranges.light * rng.uniform(-1, 1)
        levels = np.clip(np.arange(256) * gain + offset, 0, 255).astype(np.uint8)
        image = np.take(levels, image)
    return image, joints, visible


# --- the training task --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PoseTrainingTask:
    """Heatmaps of generated people (loop.TrainingTask). sigma: of the targets, in heatmap pixels."""

    layout: KeypointLayout
    sigma: float = 1.25
    augmentation: Augmentation = field(default_factory=Augmentation)

    unit: ClassVar[str] = "people"

    def examples(self, variant: Variant, recipe: Recipe) -> list[PoseExample]:
        """People of generated scenes with the regions that the protocol would crop for their ground-truth boxes."""
        people: list[PoseExample] = []
        for scene in scenes(self.layout, recipe.seed, recipe.images):
            if self.layout == "mpii":
                rows = [mpii_annotation(scene, person) for person in scene.people if mpii_annotated(person)]
                people += [_mpii_example(scene.image, row) for row in rows]
            else:
                rows = [row for row in coco_annotations(scene) if row["num_keypoints"] > 0]
                people += [_coco_example(scene.image, row, variant.input) for row in rows]
        return people

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """Joints that a mirror exchanges."""
        return SCHEME.flip_pairs if self.layout == "mpii" else COCO.flip_pairs

    def batches(
        self, examples: Sequence[PoseExample], variant: Variant, recipe: Recipe
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Inputs (N, 3, h, w) normalised, targets (N, K, h/4, w/4), weights (N, K)."""
        rng = np.random.default_rng([recipe.seed, 11])
        height, width = variant.input
        for chosen in shuffled(len(examples), recipe.batch, rng):
            crops = [augmented(examples[k], (height, width), self.flip_pairs, self.augmentation, rng) for k in chosen]
            images = np.stack([image for image, _, _ in crops])  # in OpenCV's order: blue, green, red
            if variant.colour == "rgb":
                images = np.ascontiguousarray(images[..., ::-1])
            targets, shown = heatmap_targets(
                np.stack([joints for _, joints, _ in crops]),
                np.stack([visible for _, _, visible in crops]),
                (width, height),
                (width // 4, height // 4),
                self.sigma,
                quantised=False,
            )
            yield normalised(images, variant.mean, variant.std), torch.from_numpy(targets), torch.from_numpy(shown)

    def loss(self, net: nn.Module, half: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """`heatmap_loss` of inputs, targets and weights."""
        inputs, targets, shown = half
        return heatmap_loss(net(inputs.contiguous(memory_format=torch.channels_last)), targets, shown)


def _coco_example(image: np.ndarray, row: dict, input: tuple[int, int]) -> PoseExample:
    triples = np.array(row["keypoints"], dtype=np.float64).reshape(-1, 3)
    centre, scale = box_to_centre_scale(row["bbox"], input)
    return PoseExample(image, triples[:, :2], (triples[:, 2] > 0).astype(np.float32), centre, scale)


def _mpii_example(image: np.ndarray, row: dict) -> PoseExample:
    # MPII's protocol: the centre moves down, the region grows, and 1-based becomes 0-based.
    centre = np.array(row["center"]) + np.array([0.0, 15 * row["scale"]]) - 1
    scale = np.array([row["scale"], row["scale"]]) * PADDING
    return PoseExample(image, np.array(row["joints"]) - 1, np.array(row["joints_vis"], dtype=np.float32), centre, scale)
