"""From scores of classes to the class of each pixel, as an array in main memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hrbench.core.stages import stage
from hrbench.errors import EntryError
from hrbench.tasks.outputs import fetched

if TYPE_CHECKING:
    from torch import Tensor


def class_map(scores: Tensor, image: int | str) -> np.ndarray:
    """The class of the highest score of each pixel, the first of equals: (H, W) uint8, uint16 of over 255 classes.

    scores: (C, H, W). One class after the other, which takes a third of the time of argmax on a CPU. Raises
    EntryError naming the image if a pixel's highest score is not finite: it would silently be class 0.
    """
    return class_map_later(scores, image)()


def class_map_later(scores: Tensor, image: int | str) -> Callable[[], np.ndarray]:
    """As `class_map`, which is computed now on the scores' device; what is returned waits for it, and raises."""
    import torch

    best = scores[0].clone()
    index = torch.zeros(best.shape, dtype=torch.uint8 if len(scores) <= 255 else torch.int32, device=scores.device)
    for number in range(1, len(scores)):
        index.masked_fill_(scores[number] > best, number)
        torch.maximum(best, scores[number], out=best)
    finite = fetched(best.isfinite().all())  # NaN is the maximum of itself and anything
    with stage("transfer"):
        numbers = fetched(index)
    kind = np.uint8 if len(scores) <= 255 else np.uint16

    def wait() -> np.ndarray:
        if not finite():
            raise EntryError(f"image {image}: a class score is not finite; does the network diverge?")
        return numbers().astype(kind)

    return wait
