"""What a network gets of an image, by the task and protocol of its entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from hrbench.tasks.classification.task import Classification
from hrbench.tasks.detection.task import Detection
from hrbench.tasks.inputs import normalised
from hrbench.tasks.segmentation import geometry
from hrbench.tasks.segmentation.task import Segmentation
from hrbench.types import ClassScheme, Entry, Sample


class TwoClasses:
    """A data set of two classes, as far as a task asks."""

    scheme = ClassScheme(("a", "b"))


def fed(entry: Entry, path: Path) -> torch.Tensor:
    """(3, h, w) float32: what the entry's network gets of one image."""
    kinds: dict[str, Any] = {"classification": Classification, "segmentation": Segmentation, "detection": Detection}
    task = kinds[entry.variant.task](entry.variant, TwoClasses(), entry.protocol)
    with Image.open(path) as image:
        (item,) = task.prepare(Sample(1, path, image.size))
    if entry.variant.task == "segmentation":
        table = geometry.value_table(task.mean, task.std, single=task.protocol.resizer == "pillow")
        plan = geometry.window_plan(item.image.shape[:2], 1.0, task.protocol)
        ((_, pixels),) = plan.inputs(geometry.normalised(item.image, table), (0.0, 0.0, 0.0))
        return torch.from_numpy(pixels).permute(2, 0, 1)
    return normalised([item.image], task.mean, task.std, torch.device("cpu"))[0]
