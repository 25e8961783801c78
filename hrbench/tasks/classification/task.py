"""Image classification: one crop from the middle of each image, its logits, the five best classes.

The protocols are those of the codes behind the published figures; each says how the crop is made. torch is imported
only where a network is called, so that worker processes and listings start without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hrbench.contracts import HasScheme, Network
from hrbench.core.plugins import model_ref
from hrbench.core.stages import stage
from hrbench.errors import EntryError, UsageError
from hrbench.formats.pil_images import Interpolation, read_rgb, resize
from hrbench.tasks.classification.render import read_rows, render_classes
from hrbench.tasks.inputs import normalised_batch
from hrbench.tasks.outputs import OutputMonitor, real
from hrbench.types import ClassScheme, Item, Prediction, Sample, Variant

if TYPE_CHECKING:
    import torch

TOP_CLASSES = 5


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
    """

    name: str = "imagenet"
    version: int = 1
    crop_fraction: float = 0.875
    order: Literal["resize, crop", "crop, resize"] = "resize, crop"
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    box_scale: float = 1.0


class Classification:
    """The classification task for one variant, data set and protocol (contracts.Task).

    The named protocols:

    imagenet   HRNet's (github.com/HRNet/HRNet-Image-Classification, tools/valid.py) and torchvision's: the short side
               to 256 by Pillow, bilinear, antialiased, then the middle 224.
    spinenet   TensorFlow's official models (official/vision/dataloaders/classification_input.py): the middle square of
               0.875 of the short side, resized bilinearly without antialias. Resized values are rounded to whole levels
               here, at most half a level from TensorFlow's.
    timm       timm's default: as imagenet, but bicubic.
    """

    Protocol = CentreCrop
    protocols = (
        CentreCrop(),
        CentreCrop("spinenet", order="crop, resize", antialias=False),
        CentreCrop("timm", interpolation="bicubic"),
    )

    def __init__(self, variant: Variant, dataset: HasScheme[ClassScheme], protocol: Mapping[str, Any]) -> None:
        self.input = variant.input
        self.colour = variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme: ClassScheme = dataset.scheme
        self.protocol = CentreCrop(**protocol)
        self.monitor = OutputMonitor("images", "every class has the same score in {}, where ties go to the first class")
        if not 0 < self.protocol.crop_fraction <= 1:
            raise UsageError(f"crop_fraction is {self.protocol.crop_fraction}; it lies above 0 and is at most 1")
        if not self.protocol.box_scale > 0:
            raise UsageError(f"box_scale is {self.protocol.box_scale}; it lies above 0")

    @staticmethod
    def usual(use: str) -> str:
        """The protocol of a network that names none itself."""
        return "timm" if model_ref(use).source == "timm" else "spinenet" if "spinenet" in use else "imagenet"

    def work(self, sample: Sample) -> int:
        """Forward passes of one crop: one."""
        return 1

    def prepare(self, sample: Sample) -> list[Item]:
        """One crop: uint8 (h, w, 3) in the network's colour order."""
        image = read_rgb(sample.path, sample.size, sample.orientation)
        if sample.content is not None:
            image = cut(image, sample.content, self.protocol.box_scale)
        pixels = centre_crop(image, self.input, self.protocol)
        if self.colour == "bgr":
            pixels = pixels[..., ::-1]
        return [Item(sample=sample.id, image=np.ascontiguousarray(pixels))]

    def forward(self, net: Network, items: Sequence[Item]) -> list[np.ndarray]:
        """Logits (C,) float32 for each item."""
        import torch

        with torch.inference_mode():
            batch = normalised_batch(net, items, self.mean, self.std)
            with stage("forward"):
                output = net(batch)
        self.monitor.note_dtype(self._checked(output, len(items)))
        with stage("transfer"):
            return list(output.float().cpu().numpy())

    def _checked(self, output: Any, n: int) -> torch.Tensor:
        """The output for n images, if it is logits of all classes; EntryError otherwise."""
        import torch

        classes = len(self.scheme.names)
        wanted = f"a classifier of this data set returns logits ({n}, {classes})"
        if not isinstance(output, torch.Tensor) or output.shape != (n, classes):
            what = tuple(output.shape) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
            raise EntryError(f"the network returned {what} for {n} images; {wanted}{_remedy(output, n, classes)}")
        return real(output, wanted)

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError unless the output is logits (N, C) of the data set's C classes."""
        self._checked(output, len(inputs))

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, np.ndarray]]) -> Prediction:
        """The five best classes (k,) int64 with their probabilities (k,) float64, by softmax, best first.

        All classes if there are fewer; of equal logits the lower index comes first.
        """
        if not pairs:
            return Prediction(sample.id, ())
        logits = pairs[0][1].astype(np.float64)
        if not np.isfinite(logits).all():
            raise EntryError(f"image {sample.id}: a logit is not finite; does the network diverge?")
        self.monitor.note_vector(sample.id, logits)
        best = np.argsort(-logits, kind="stable")[:TOP_CLASSES]
        powers = np.exp(logits - logits.max())
        return Prediction(sample.id, (best, (powers / powers.sum())[best]))

    def notes(self) -> list[str]:
        """Notes to print with a score, once all images are finished."""
        return self.monitor.notes()

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> the classes that a prediction file holds for it, for `draw`."""
        return read_rows(predictions, samples)

    def draw(self, sample: Sample, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Writes a picture of the image with its classes to `path`, whose suffix says the format."""
        image = read_rgb(sample.path, sample.size, sample.orientation)
        render_classes(image, rows, self.scheme.names, sample.group, sample.content, path)


def _remedy(output: Any, n: int, classes: int) -> str:
    """What to do about a network of more classes than the data set has folders; "" for any other output."""
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) != 2 or shape[0] != n or shape[1] <= classes:
        return ""
    names = "`classes: imagenet`" if shape[1] == 1000 else "`classes:` with all names in the order of its outputs"
    return f"; for folders of a part of its {shape[1]} classes set {names} and `part: true`"


def cut(image: np.ndarray, box: tuple[float, float, float, float], scale: float) -> np.ndarray:
    """The part of an image (H, W, 3) within a box (x, y, width, height) enlarged about its centre: a pixel at least."""
    x, y, width, height = box
    high, wide = image.shape[:2]
    left, right = x + width / 2 - scale * width / 2, x + width / 2 + scale * width / 2
    top, bottom = y + height / 2 - scale * height / 2, y + height / 2 + scale * height / 2
    x1, y1 = (min(max(0, round(value)), most - 1) for value, most in ((left, wide), (top, high)))
    x2, y2 = (min(max(low + 1, round(value)), most) for value, low, most in ((right, x1, wide), (bottom, y1, high)))
    return image[y1:y2, x1:x2]


def centre_crop(image: np.ndarray, input: tuple[int, int], protocol: CentreCrop) -> np.ndarray:
    """The crop uint8 (h, w, 3) of `input` = (height, width) from an image (H, W, 3) uint8."""
    height, width = input
    high, wide = image.shape[:2]
    if protocol.order == "crop, resize":
        part = _middle(image, input, protocol.crop_fraction)
        return resize(part, (width, height), protocol.interpolation, protocol.antialias)
    size = _resized((high, wide), input, protocol.crop_fraction)
    image = resize(image, (size[1], size[0]), protocol.interpolation, protocol.antialias)
    top, left = round((size[0] - height) / 2), round((size[1] - width) / 2)
    return image[top : top + height, left : left + width]


def _middle(image: np.ndarray, input: tuple[int, int], fraction: float) -> np.ndarray:
    """The largest window of the input's shape that fits an image (H, W, 3), times the fraction, from its middle.

    Sides and offsets are computed in float32 and cut to whole pixels, as TensorFlow's models do.
    """
    high, wide = image.shape[:2]
    height, width = input
    whole = (min(high, wide * height / width), min(wide, high * width / height))
    sides = [np.float32(fraction) * np.float32(side) for side in whole]
    top, left = (int((np.float32(side) - part) / 2) for side, part in zip((high, wide), sides, strict=True))
    tall, broad = (max(1, int(side)) for side in sides)
    return image[top : top + tall, left : left + broad]


def _resized(size: tuple[int, int], input: tuple[int, int], fraction: float) -> tuple[int, int]:
    """(height, width) to resize to: the side that binds to input / fraction, the other in proportion, rounded down."""
    high, wide = size
    tall, broad = (math.floor(side / fraction + 1e-6) for side in input)
    if tall * wide <= broad * high:  # the width binds; of a square input: the short side
        return max(tall, int(broad * high / wide)), broad
    return tall, max(broad, int(tall * wide / high))
