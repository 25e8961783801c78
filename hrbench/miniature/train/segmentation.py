"""The training task of miniature segmentation networks: crops of generated streets, pixel-wise cross-entropy.

The official HRNet code (HRNet-Semantic-Segmentation, lib/core/criterion.py) enlarges the logits to the size of the
labels and averages the cross-entropy over the pixels that are not ignored; `pixel_loss` does the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.datasets.cityscapes import SCHEME
from hrbench.miniature.generate.street_scenes import scenes
from hrbench.miniature.train.loop import Recipe, normalised, shuffled
from hrbench.types import Variant

IGNORED = 255


def train_ids(labels: np.ndarray) -> np.ndarray:
    """Cityscapes label ids, uint8 of any shape -> positions in a network's outputs, 255 if the label is not evaluated.

    >>> train_ids(np.array([7, 23, 3], dtype=np.uint8)).tolist()
    [0, 10, 255]
    """
    table = np.full(256, IGNORED, dtype=np.uint8)
    table[list(SCHEME.ids)] = np.arange(len(SCHEME.ids))
    return table[labels]


def pixel_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy over pixels. logits: (N, C, h, w), enlarged bilinearly; targets: (N, H, W) int64."""
    if logits.shape[-2:] != targets.shape[-2:]:
        logits = F.interpolate(logits, size=targets.shape[-2:], mode="bilinear", align_corners=False)
    return F.cross_entropy(logits, targets, ignore_index=IGNORED)


@dataclass(frozen=True, slots=True)
class StreetsTrainingTask:
    """Crops of generated streets, half of them mirrored.

    crop: (height, width) in pixels.
    scales: smallest and largest, uniform.
    light: range of contrast and brightness, relative.
    """

    unit: ClassVar[str] = "scenes"

    crop: tuple[int, int] = (96, 128)
    scales: tuple[float, float] = (0.8, 1.4)
    light: float = 0.12

    def examples(self, variant: Variant, recipe: Recipe) -> list[tuple[np.ndarray, np.ndarray]]:
        """Image (H, W, 3) uint8, in the network's colour order, and positions of classes (H, W) uint8 of each scene."""
        order = slice(None, None, -1) if variant.colour == "rgb" else slice(None)
        return [
            (np.ascontiguousarray(scene.image[..., order]), train_ids(scene.labels))
            for scene in scenes(recipe.seed, recipe.images)
        ]

    def batches(
        self, examples: Sequence[tuple[np.ndarray, np.ndarray]], variant: Variant, recipe: Recipe
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches: inputs (N, 3, h, w) normalised, targets (N, h, w) int64. Each scene comes once."""
        rng = np.random.default_rng([recipe.seed, 11])
        for chosen in shuffled(len(examples), recipe.batch, rng):
            crops = [self.cut(*examples[k], rng) for k in chosen]
            images = np.stack([image for image, _ in crops])
            targets = np.stack([labels for _, labels in crops])
            yield normalised(images, variant.mean, variant.std), torch.from_numpy(targets.astype(np.int64))

    def cut(self, image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One crop (h, w, 3) and its labels (h, w) from a random part of the scaled scene; outside is ignored."""
        height, width = self.crop
        scale = rng.uniform(*self.scales)
        x = rng.uniform(0, max(0.0, image.shape[1] * scale - width))
        y = rng.uniform(0, max(0.0, image.shape[0] * scale - height))
        # Pixel centres: position (u + 0.5) / scale - 0.5 of the scene maps to u, minus the corner of the crop.
        matrix = np.array([[scale, 0, scale / 2 - 0.5 - x], [0, scale, scale / 2 - 0.5 - y]])
        if rng.random() < 0.5:
            matrix[0] = [-matrix[0, 0], 0, width - 1 - matrix[0, 2]]
        size = (width, height)
        seen: np.ndarray = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        known: np.ndarray = cv2.warpAffine(labels, matrix, size, flags=cv2.INTER_NEAREST, borderValue=IGNORED)
        gain, offset = 1 + self.light * rng.uniform(-1, 1), 255 * self.light * rng.uniform(-1, 1)
        levels = np.clip(np.arange(256) * gain + offset, 0, 255).astype(np.uint8)
        return np.take(levels, seen), known

    def loss(self, net: nn.Module, half: tuple[Tensor, Tensor]) -> Tensor:
        """Mean cross-entropy. Dropout is off: it would use the global generator in an order that depends on timing."""
        inputs, targets = half
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        return pixel_loss(net(inputs.contiguous(memory_format=torch.channels_last)), targets)
