"""What a detector returned, checked and taken off its device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.core.stages import stage
from hrbench.errors import EntryError
from hrbench.tasks.outputs import fetched, real

RETURNS = (
    "a detector returns for each image a dictionary with boxes (M, 4), scores (M,), labels (M,), and with masks also "
    "mask_crops (M, s, s) or masks (M, H, W)"
)


@dataclass(frozen=True, slots=True)
class ImageDetections:
    """Detections of one image, in pixels of the network's input.

    boxes: (M, 4) float32, x1 y1 x2 y2.
    scores: (M,) float32.
    labels: (M,) int64.
    crops: (M, s, s) float32, probabilities within each box, or None.
    masks: (M, h x w / 8) uint8, boolean masks of the whole input, eight pixels in a byte, or None.
    size: (h, w) of the masks.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    crops: np.ndarray | None = None
    masks: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)


def read_detections(output: Any, sizes: Sequence[tuple[int, int]]) -> list[ImageDetections]:
    """A network's output for images of these (h, w). Raises EntryError if it is not what detectors return."""
    return [each() for each in sent_detections(output, sizes)]


def sent_detections(output: Any, sizes: Sequence[tuple[int, int]]) -> list[Callable[[], ImageDetections]]:
    """As `read_detections`, which raises now; what is returned waits for the values of an image."""
    if not isinstance(output, list | tuple) or len(output) != len(sizes):
        what = f"{len(output)} outputs" if isinstance(output, list | tuple) else f"a {type(output).__name__}"
        raise EntryError(f"the network returned {what} for {len(sizes)} images; {RETURNS}")
    return [_one(each, size) for each, size in zip(output, sizes, strict=True)]


def _one(output: Any, size: tuple[int, int]) -> Callable[[], ImageDetections]:
    if not isinstance(output, Mapping) or not {"boxes", "scores", "labels"} <= set(output):
        what = f"{', '.join(map(str, output))}" if isinstance(output, Mapping) else f"a {type(output).__name__}"
        raise EntryError(f"the network returned {what} for an image; {RETURNS}")
    count = len(output["boxes"])
    shapes = {"boxes": (count, 4), "scores": (count,), "labels": (count,)}
    for name, shape in shapes.items():
        _expect(name, output[name], shape)
    crops, masks = (output.get(name) for name in ("mask_crops", "masks"))
    if crops is not None:
        _expect("mask_crops", crops, (count, None, None))
        masks = None
    if masks is not None:
        _expect("masks", masks, (count, *size))
    labels = fetched(output["labels"])
    boxes, scores = _numbers(output["boxes"]), _numbers(output["scores"])
    probabilities = None if crops is None else _numbers(crops)
    inside = None if masks is None else fetched(masks > 0.5)

    def wait() -> ImageDetections:
        return ImageDetections(
            boxes=boxes(),
            scores=scores(),
            labels=labels().astype(np.int64),
            crops=None if probabilities is None else probabilities(),
            masks=None if inside is None else np.packbits(inside().reshape(count, size[0] * size[1]), 1),
            size=size,
        )

    return wait


def _expect(name: str, value: Any, shape: tuple[int | None, ...]) -> None:
    """Raises EntryError unless a value is a tensor of this shape, None for any length."""
    given = tuple(getattr(value, "shape", ()))
    fits = len(given) == len(shape) and all(b in (None, a) for a, b in zip(given, shape, strict=True))
    if not fits or not hasattr(value, "cpu"):
        wanted = ", ".join("any" if side is None else str(side) for side in shape)
        raise EntryError(f"the network returned {name} of shape {given} where ({wanted}) was expected; {RETURNS}")
    if name != "masks":
        real(value, f"a detector returns {name}")


def _numbers(value: Any) -> Callable[[], np.ndarray]:
    with stage("transfer"):
        return fetched(value.float())
