"""Image classification: one crop from the middle of each image, its logits, the five best classes.

The protocols are those of the codes behind the published figures; each says how the crop is made. torch is imported
only where a network is called, so that worker processes and listings start without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrbench.contracts import HasScheme, Network
from hrbench.core.plugins import model_ref
from hrbench.core.stages import stage
from hrbench.errors import EntryError, UsageError
from hrbench.formats.pil_images import read_rgb
from hrbench.tasks.classification.crops import centre_crop
from hrbench.tasks.classification.protocols import CentreCrop
from hrbench.tasks.classification.render import read_rows, render_classes
from hrbench.tasks.inputs import fed_as, normalised_batch
from hrbench.tasks.outputs import OutputMonitor, fetched, real
from hrbench.types import ClassScheme, Item, Note, Prediction, Sample, Variant

if TYPE_CHECKING:
    import torch

TOP_CLASSES = 5


class Classification:
    """The classification task for one variant, data set and protocol (contracts.Task).

    The named protocols:

    imagenet   HRNet's (github.com/HRNet/HRNet-Image-Classification, tools/valid.py) and torchvision's: the short side
               to 256 by Pillow, bilinear, antialiased, then the middle 224.
    spinenet   TensorFlow's official models (official/vision/dataloaders/classification_input.py): the middle square of
               0.875 of the short side, resized bilinearly without antialias. Resized values are rounded to whole levels
               here, at most half a level from TensorFlow's.
    timm       timm's default: as imagenet, but bicubic. Of a network of timm each setting is that of its configuration.
    transformers   squashed to the input, bilinear; of a network with a preprocessor_config.json what that says.

    A network of a library is fed as the library says (`hrbench.inputs`), unless a suite says otherwise.
    """

    Protocol = CentreCrop
    protocols = (
        CentreCrop(),
        CentreCrop("spinenet", order="crop, resize", antialias=False),
        CentreCrop("timm", interpolation="bicubic"),
        CentreCrop("transformers", crop_fraction=1.0, crop_mode="squash", offset="down"),
    )

    def __init__(self, variant: Variant, dataset: HasScheme[ClassScheme], protocol: Mapping[str, Any]) -> None:
        self.input = variant.input
        self.colour = variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme: ClassScheme = dataset.scheme
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in protocol.items()}
        self.protocol = CentreCrop(**settings)
        self.monitor = OutputMonitor("images", "every class has the same score in {}, where ties go to the first class")
        if not 0 < self.protocol.crop_fraction <= 1:
            raise UsageError(f"crop_fraction is {self.protocol.crop_fraction}; it lies above 0 and is at most 1")
        if not self.protocol.box_scale > 0:
            raise UsageError(f"box_scale is {self.protocol.box_scale}; it lies above 0")
        if self.protocol.resized_to is not None and min(self.protocol.resized_to) < 1:
            raise UsageError(f"resized_to is {self.protocol.resized_to}; both sides are a pixel at least")
        if self.protocol.label_offset < 0:
            raise UsageError(f"label_offset is {self.protocol.label_offset}; it is 0 or more")

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
        pixels = centre_crop(image, self.input, self.protocol, self.mean)
        if self.colour == "bgr":
            pixels = pixels[..., ::-1]
        return [Item(sample=sample.id, image=np.require(pixels, requirements=["C", "W"]))]

    def forward(self, net: Network, items: Sequence[Item]) -> list[np.ndarray]:
        """Logits (C,) float32 for each item."""
        return self.launch(net, items)()

    def launch(self, net: Network, items: Sequence[Item]) -> Callable[[], list[np.ndarray]]:
        """As `forward`; what is returned waits for the device (contracts.ForwardsAhead)."""
        import torch

        with torch.inference_mode():
            batch = normalised_batch(net, items, self.mean, self.std)
            with stage("forward"):
                output = net(batch)
        self.monitor.note_dtype(self._checked(output, len(items)))
        with stage("transfer"):
            logits = fetched(output[:, self.protocol.label_offset :].float())
        return lambda: list(logits())

    def _checked(self, output: Any, n: int) -> torch.Tensor:
        """The output for n images, if it is logits of all classes; EntryError otherwise."""
        import torch

        classes = self.protocol.label_offset + len(self.scheme.names)
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

    def notes(self) -> list[Note]:
        """Notes to print with a score, once all images are finished."""
        return [*self.monitor.notes(), *fed_as(self.protocol, self.mean, self.std)]

    def tally(self) -> dict[str, Any]:
        """What was counted of the network's outputs (contracts.TalliesNotes)."""
        return self.monitor.tally()

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what was counted on other images."""
        self.monitor.add_tally(tally)

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> the classes that a prediction file holds for it, for `draw`."""
        return read_rows(predictions, samples)

    def draw(self, sample: Sample, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Writes a picture of the image with its classes to `path`, whose suffix says the format."""
        image = read_rgb(sample.path, sample.size, sample.orientation)
        render_classes(image, rows, self.scheme.names, sample.group, sample.content, path)

    def classes_in(self, sample: Sample, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """The right class of an image, whatever was predicted; none if it is not known."""
        return [sample.group] if sample.group else []


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
