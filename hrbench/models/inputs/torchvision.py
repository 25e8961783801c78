"""How torchvision feeds a network: the transforms of the weights that it publishes (`get_model_weights`).

Of several weights of one network those count whose file the entry names ("resnet50-11ad3fa6.pth"); without such a file
the first whose crop is the entry's input, or the first of all. Detectors resize and normalise by themselves, which the
protocols `torchvision` and `torchvision-fixed` do; ImageNet's mean and std are theirs, except SSD's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from hrbench.errors import UsageError
from hrbench.types import LibraryInput

SSD = ((0.48235, 0.45882, 0.40784), (1 / 255, 1 / 255, 1 / 255))
SSDLITE = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and std that torchvision's SSD300 and SSDlite320 are constructed with."""


def library_input(
    name: str,
    *,
    task: str,
    input: tuple[int, int] | None,
    args: Mapping[str, Any],
    weights: str = "",
    fetch: bool = False,
) -> LibraryInput | None:
    """What the transforms of the network's weights do; None for a network without any. See the top of this file.

    Raises UsageError for an unknown name, and for transforms that are not offered here.
    """
    from torchvision import models

    try:
        every: list[Any] = list(models.get_model_weights(name))
    except ValueError:  # unknown: it is told, with a suggestion, when it is built
        return None
    if task == "detection":
        return _detector(name)
    if task not in ("classification", "segmentation") or not every:
        return None
    named = PurePath(weights).name
    chosen = next((each for each in every if named and str(each.url).endswith("/" + named)), None)
    transforms = [each.transforms() for each in every]
    alike = [each for each, made in zip(every, transforms, strict=True) if input and _crop(made) == tuple(input)]
    chosen = chosen or (alike or every)[0]
    made = chosen.transforms()
    kind = type(made).__name__
    stated = {
        "stated_by": f"torchvision {chosen}",
        "mean": tuple(map(float, made.mean)),
        "std": tuple(map(float, made.std)),
    }
    interpolation = made.interpolation.value
    if kind == "SemanticSegmentation":
        (short,) = made.resize_size
        return LibraryInput(
            **stated,
            protocol={
                "name": "torchvision", "size": "short side", "short": short, "resizer": "pillow",
                "interpolation": interpolation, "multiple": 1,
            },
        )  # fmt: skip
    if kind != "ImageClassification":
        raise UsageError(f"torchvision:{name} is fed by {kind}, which hrbench does not do: name a `protocol`")
    (crop,), (short,) = made.crop_size, made.resize_size
    size = (crop, crop) if input is None else (input[0], input[1])
    protocol: dict[str, Any] = {"name": "imagenet", "interpolation": interpolation}
    if size == (crop, crop) and math.floor(crop / 0.875) != short:
        protocol |= {"crop_fraction": crop / short, "resized_to": [short, short]} if crop <= short else {
            "crop_fraction": 1.0, "resized_to": [short, short]
        }  # fmt: skip
    return LibraryInput(**stated, input=size, protocol=protocol)


def _crop(transforms: Any) -> tuple[int, int] | None:
    crop = getattr(transforms, "crop_size", None)
    return None if not crop else (crop[0], crop[-1])


def _detector(name: str) -> LibraryInput | None:
    """Colours of a detector, where they are not those of ImageNet."""
    if not name.startswith("ssd"):
        return None
    mean, std = SSDLITE if name.startswith("ssdlite") else SSD
    return LibraryInput(f"torchvision {name}", mean=mean, std=std, protocol={"name": "torchvision-fixed"})
