"""How the crop of a classifier is made from an image: the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hrbench.contracts import LATER, PREPARES
from hrbench.formats.pil_images import Interpolation


@dataclass(frozen=True, slots=True)
class CentreCrop:
    """The protocol; `version` is raised by hand whenever a prediction may change.

    crop_fraction: the crop's share of the image's short side.
    order: "resize, crop": the short side is resized to input / crop_fraction, rounded down (224 / 0.875 = 256), the
    long
        side in proportion, rounded down, and the middle is cropped; "crop, resize": a square of crop_fraction x the
        short side is cropped from the middle and resized to the input.
    interpolation: of resizing.
    antialias: whether the filter widens with the reduction, as Pillow's does; without it, each sample is interpolated
        from the four (bicubic: sixteen) nearest pixels.
    box_scale: if the data set has a box for each image, only the box is used, enlarged by this factor about its centre
        and clipped at the border.
    crop_mode: what is resized to input / crop_fraction: the side that binds ("centre"), each side for itself
        ("squash"), or the other side, so that nothing is lost and the rest is filled with the mean colour ("border").
    resized_to: (height, width) in place of input / crop_fraction.
    rounding: of the side that follows in proportion; of "border": to the nearest.
    offset: of the crop from the top and the left, where that is half a pixel: to the nearest even, or down.
    label_offset: outputs of the network before that of the first class (1 of networks with a class of background).
    stated_by: the configuration of a library that these settings come from; "" if they come from elsewhere.
    """

    name: str = "imagenet"
    version: int = 1
    crop_fraction: float = field(default=0.875, metadata=PREPARES)
    order: Literal["resize, crop", "crop, resize"] = "resize, crop"
    interpolation: Interpolation = field(default="bilinear", metadata=PREPARES)
    antialias: bool = True
    box_scale: float = 1.0
    crop_mode: Literal["centre", "squash", "border"] = field(default="centre", metadata=LATER)
    resized_to: tuple[int, int] | None = field(default=None, metadata=LATER)
    rounding: Literal["down", "nearest"] = field(default="down", metadata=LATER)
    offset: Literal["nearest", "down"] = field(default="nearest", metadata=LATER)
    label_offset: int = field(default=0, metadata=LATER)
    stated_by: str = field(default="", metadata=LATER)
