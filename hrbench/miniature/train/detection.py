"""The training task of miniature detectors: generated scenes with boxes, masks and crowds, randomly mirrored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from hrbench.miniature.generate.object_scenes import ObjectScene, scenes
from hrbench.miniature.train.detection_losses import mask_rcnn_loss, retinanet_loss
from hrbench.miniature.train.detection_targets import Truth
from hrbench.miniature.train.loop import Recipe, normalised, shuffled
from hrbench.models.detectors.rcnn import RCNN
from hrbench.models.detectors.retinanet import RetinaNet
from hrbench.types import Variant


@dataclass(frozen=True, slots=True)
class DetectionExample:
    """One scene.

    image: (H, W, 3) uint8, BGR.
    boxes: (n, 4) float32, x1 y1 x2 y2 in pixels.
    labels: (n,) int64.
    owners: (H, W) uint8, k + 1 on the visible pixels of object k.
    crowds: (c, 4) float32, boxes of crowd regions.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    owners: np.ndarray
    crowds: np.ndarray


@dataclass(frozen=True, slots=True)
class DetectionTrainingTask:
    """Scenes of the detection miniature. mirrored: share of them. light: range of contrast and brightness, relative."""

    unit: ClassVar[str] = "scenes"
    mirrored: float = 0.5
    light: float = 0.15

    def examples(self, variant: Variant, recipe: Recipe) -> list[DetectionExample]:
        """`recipe.images` scenes."""
        return [example(scene) for scene in scenes(recipe.seed, recipe.images)]

    def batches(
        self, examples: Sequence[DetectionExample], variant: Variant, recipe: Recipe
    ) -> Iterator[list[tuple[Tensor, Truth]]]:
        """Lists of images (3, H, W) with their ground truth."""
        rng = np.random.default_rng([recipe.seed, 11])
        for chosen in shuffled(len(examples), recipe.batch, rng):
            changed = [self.augmented(examples[k], rng) for k in chosen]
            images = np.stack([each.image for each in changed])
            if variant.colour == "rgb":
                images = np.ascontiguousarray(images[..., ::-1])
            inputs = normalised(images, variant.mean, variant.std)
            seeds = rng.integers(2**31, size=len(chosen)).tolist()
            yield [(each, truth(other, seed)) for each, other, seed in zip(inputs, changed, seeds, strict=True)]

    def augmented(self, example: DetectionExample, rng: np.random.Generator) -> DetectionExample:
        """The example, possibly mirrored, with another brightness and contrast."""
        gain, offset = 1 + self.light * rng.uniform(-1, 1), 255 * self.light * rng.uniform(-1, 1)
        levels = np.clip(np.arange(256) * gain + offset, 0, 255).astype(np.uint8)
        image, boxes, owners, crowds = np.take(levels, example.image), example.boxes, example.owners, example.crowds
        if rng.random() < self.mirrored:
            width = image.shape[1]
            image, owners = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(owners[:, ::-1])
            boxes, crowds = mirror_boxes(boxes, width), mirror_boxes(crowds, width)
        return DetectionExample(image, boxes, example.labels, owners, crowds)

    def loss(self, net: nn.Module, half: list[tuple[Tensor, Truth]]) -> Tensor:
        """The loss of the network's class, see `detection_losses`."""
        images = torch.stack([image for image, _ in half]).contiguous(memory_format=torch.channels_last)
        truths = [truth for _, truth in half]
        if isinstance(net, RetinaNet):
            return retinanet_loss(net, images, truths)
        if isinstance(net, RCNN):
            return mask_rcnn_loss(net, images, truths)
        raise TypeError(f"there is no loss for a {type(net).__name__}")


def example(scene: ObjectScene) -> DetectionExample:
    """A scene as a training example; boxes fit the visible pixels tightly."""
    owners = np.zeros(scene.image.shape[:2], dtype=np.uint8)
    single = [thing for thing in scene.things if not thing.crowd]
    for number, thing in enumerate(single, start=1):
        owners[thing.pixels] = number
    boxes = _boxes([thing.pixels for thing in single])
    crowds = _boxes([thing.pixels for thing in scene.things if thing.crowd])
    labels = np.array([thing.label for thing in single], dtype=np.int64)
    return DetectionExample(scene.image, boxes, labels, owners, crowds)


def _boxes(masks: Sequence[np.ndarray]) -> np.ndarray:
    found = []
    for mask in masks:
        rows, columns = np.nonzero(mask)
        found.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    return np.array(found, dtype=np.float32).reshape(-1, 4)


def mirror_boxes(boxes: np.ndarray, width: int) -> np.ndarray:
    """Boxes (n, 4), x1 y1 x2 y2, of the mirrored image.

    >>> mirror_boxes(np.array([[0, 1, 3, 4]]), 10).tolist()
    [[7, 1, 10, 4]]
    """
    return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)


def truth(example: DetectionExample, seed: int) -> Truth:
    """The example's objects as tensors."""
    numbers = np.arange(1, len(example.boxes) + 1, dtype=np.uint8)[:, None, None]
    masks = torch.from_numpy((example.owners[None] == numbers).astype(np.float32))
    boxes, labels, crowds = (torch.from_numpy(each) for each in (example.boxes, example.labels, example.crowds))
    return Truth(boxes, labels, masks, crowds, seed)
