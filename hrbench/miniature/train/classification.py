"""The training task of miniature classifiers: generated shapes, randomly rotated, mirrored, resized and brightened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from hrbench.miniature.generate.shape_dataset import pictures
from hrbench.miniature.train.loop import Recipe, normalised, shuffled
from hrbench.types import Variant

CROP = 0.875
"""The share of the resized picture that the protocol shows the network."""


@dataclass(frozen=True, slots=True)
class ShapesTrainingTask:
    """Shapes and their classes (loop.TrainingTask).

    size: relative range of the size, around that of the evaluation protocol.
    shift: of the centre, in fractions of the picture.
    light: range of contrast and brightness, relative.
    smoothing: of the labels.
    """

    size: float = 0.15
    shift: float = 0.06
    light: float = 0.15
    smoothing: float = 0.05

    unit: ClassVar[str] = "pictures"

    def examples(self, variant: Variant, recipe: Recipe) -> list[tuple[np.ndarray, int]]:
        """Pictures (64, 64, 3) uint8 in BGR with their classes."""
        return list(pictures(recipe.seed, recipe.images))

    def batches(
        self, examples: Sequence[tuple[np.ndarray, int]], variant: Variant, recipe: Recipe
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (N, 3, h, w) normalised, classes (N,) int64."""
        rng = np.random.default_rng([recipe.seed, 11])
        for chosen in shuffled(len(examples), recipe.batch, rng):
            images = np.stack([self.augmented(examples[k][0], variant.input, rng) for k in chosen])
            if variant.colour == "rgb":
                images = np.ascontiguousarray(images[..., ::-1])
            labels = torch.tensor([examples[k][1] for k in chosen])
            yield normalised(images, variant.mean, variant.std), labels

    def augmented(self, image: np.ndarray, input: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """A picture (h, w, 3) uint8 as in the protocol, randomly rotated, mirrored, resized, moved and brightened."""
        height, width = input
        side = image.shape[0]
        zoom = width / (CROP * side) * (1 + self.size * rng.uniform(-1, 1))
        angle = rng.uniform(0, 2 * np.pi)
        cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        if rng.random() < 0.5:
            turn[:, 0] *= -1
        middle = side / 2 * (1 + 2 * self.shift * rng.uniform(-1, 1, 2))
        moved = np.array([width / 2, height / 2]) - turn @ middle
        matrix = np.concatenate([turn, moved[:, None]], axis=1)
        shown: np.ndarray = cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        gain, offset = 1 + self.light * rng.uniform(-1, 1), 255 * self.light * rng.uniform(-1, 1)
        levels = np.clip(np.arange(256) * gain + offset, 0, 255).astype(np.uint8)
        return levels[shown]

    def loss(self, net: nn.Module, half: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy of the logits."""
        inputs, labels = half
        logits = net(inputs.contiguous(memory_format=torch.channels_last))
        return nn.functional.cross_entropy(logits, labels, label_smoothing=self.smoothing)
