"""Panoptic segmentation: each pixel belongs to a segment, of a thing that is counted or of a class of stuff.

For networks that give classes and masks of queries (MaskFormer, Mask2Former, OneFormer); how segments are made of them
says `fusion.py`. torch is imported only where a network is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrbench.contracts import HasScheme, Network
from hrbench.core.stages import stage
from hrbench.errors import EntryError, UsageError
from hrbench.formats.images import read_image
from hrbench.formats.panoptic.files import Categories, predicted_images
from hrbench.formats.panoptic.pixels import read_ids
from hrbench.formats.pil_images import read_rgb
from hrbench.tasks.inputs import fed_as, normalised_batch
from hrbench.tasks.outputs import real
from hrbench.tasks.panoptic.fusion import FusedSegments, fused
from hrbench.tasks.panoptic.protocols import NAMED, Fusion, checked, fed_size
from hrbench.tasks.panoptic.render import render_segments
from hrbench.tasks.picture_files import write_picture
from hrbench.tasks.segmentation import geometry
from hrbench.types import ClassScheme, Item, Note, Prediction, Sample, Variant

if TYPE_CHECKING:
    import torch

CLASSES, MASKS = "class_logits", "mask_logits"
"""Keys of a network's output."""


class Panoptic:
    """The panoptic task for one variant, data set and protocol (contracts.Task).

    Raises UsageError if the protocol's settings are invalid, or the data set does not say which classes are things.
    """

    Protocol = Fusion
    protocols = NAMED
    fed_size = staticmethod(fed_size)

    def __init__(self, variant: Variant, dataset: HasScheme[ClassScheme], protocol: Mapping[str, Any]) -> None:
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in protocol.items()}
        self.protocol = checked(Fusion(**settings))
        self.sizes = self.protocol.sizes()
        self.colour = variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme: ClassScheme = dataset.scheme
        if len(self.scheme.things) != len(self.scheme.names) or not self.scheme.names:
            raise UsageError("the data set has no panoptic segments: it does not say which of its classes are things")
        self.images = self.empty = 0
        """How many images have been finished, and in how many of them nothing was found."""

    def work(self, sample: Sample) -> int:
        """Forward passes of one image: one."""
        return 1

    def prepare(self, sample: Sample) -> list[Item]:
        """The image, uint8 (H, W, 3) in the network's colour order, resized as the protocol's `size` says.

        content: (height, width) of the image.
        """
        image = read_rgb(sample.path, sample.size, sample.orientation)
        if self.colour != "rgb":
            image = np.ascontiguousarray(image[..., ::-1])
        resized = geometry.sized(image, self.sizes, self.mean)
        return [Item(sample.id, np.require(resized, requirements=["C", "W"]), image.shape[:2])]

    def forward(self, net: Network, items: Sequence[Item]) -> list[FusedSegments]:
        """The segments of each item's image, at the image's own size.

        Raises EntryError for a network that returns anything but classes and masks of queries.
        """
        import torch

        found = []
        with torch.inference_mode():
            batch = self._batch(net, items)
            with stage("forward"):
                output = net(batch)
            with stage("postprocess"):
                classes, masks = self._logits(output, len(items))
                stuff = {place for place, thing in enumerate(self.scheme.things) if not thing}
                whole = (batch.shape[2], batch.shape[3])
                for item, own, mask in zip(items, classes, masks, strict=True):
                    sizes = (whole, (item.image.shape[0], item.image.shape[1]), item.content)
                    found.append(fused(own, mask, sizes, self.protocol, stuff))
        return found

    def _batch(self, net: Network, items: Sequence[Item]) -> torch.Tensor:
        """(N, 3, h, w) on the network's device in its dtype: normalised, then padded with zeros."""
        import torch.nn.functional as F

        batch = normalised_batch(net, items, self.mean, self.std)
        height, width = geometry.up_to_multiple((batch.shape[2], batch.shape[3]), self.protocol.multiple)
        with stage("preprocess"):
            return F.pad(batch, (0, width - batch.shape[3], 0, height - batch.shape[2]))

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError unless the output is classes and masks of queries, of the data set's classes."""
        self._logits(output, len(inputs))

    def _logits(self, output: Any, n: int) -> tuple[Any, Any]:
        """Classes (N, Q, C + 1) and masks (N, Q, h, w) in float32, or float64 of a network in float64."""
        classes = len(self.scheme.names)
        wanted = f"a network for panoptic returns {CLASSES} ({n}, Q, {classes + 1}) and {MASKS} ({n}, Q, h, w)"
        if not isinstance(output, Mapping) or not {CLASSES, MASKS} <= set(output):
            keys = f" of {', '.join(map(str, output))}" if isinstance(output, Mapping) else ""
            raise EntryError(f"the network returned a {type(output).__name__}{keys}; {wanted}")
        found, masks = real(output[CLASSES], wanted), real(output[MASKS], wanted)
        shapes = tuple(found.shape), tuple(masks.shape)
        right = len(shapes[0]) == 3 and len(shapes[1]) == 4 and shapes[0][:2] == shapes[1][:2]
        if not right or shapes[0][0] != n or shapes[0][2] != classes + 1:
            raise EntryError(
                f"the network returned {CLASSES} {shapes[0]} and {MASKS} {shapes[1]}; the data set has {classes} "
                f"classes, and {wanted}"
            )
        kept = [one if str(one.dtype) in ("torch.float32", "torch.float64") else one.float() for one in (found, masks)]
        return kept[0], kept[1]

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, FusedSegments]]) -> Prediction:
        """(ids (H, W), a list of {"id", "category_id"}) of the image, as `formats.panoptic.write` takes it."""
        if len(pairs) != 1:
            raise EntryError(f"image {sample.path} has {len(pairs)} maps of segments, not one")
        ((_, found),) = pairs
        self.images += 1
        self.empty += not found.labels
        ids = self.scheme.ids or tuple(range(len(self.scheme.names)))
        listed = [{"id": number, "category_id": ids[label]} for number, label in enumerate(found.labels, 1)]
        return Prediction(sample.id, (found.ids, listed))

    def notes(self) -> list[Note]:
        """What is to be said beside a score, once all images are finished."""
        said = fed_as(self.protocol, self.mean, self.std)
        if self.images and self.empty == self.images:
            effect = "has the network the right weights, or is the threshold too high?"
            option = "protocol.threshold"
            said.append(
                Note("nothing_found", "images have no segment at all", self.images, self.images, effect, option)
            )
        return said

    def tally(self) -> dict[str, int]:
        """In how many images something was looked for, and how many are empty (contracts.TalliesNotes)."""
        return {"images": self.images, "empty": self.empty}

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what was counted on other images."""
        self.images += tally["images"]
        self.empty += tally["empty"]

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> dict[int | str, Any]:
        """Sample id -> (ids (H, W), {id: position of its class}) that predictions hold for it, for `draw`."""
        names, things = self.scheme.names, np.array(self.scheme.things)
        categories = Categories(np.array(self.scheme.ids or range(len(names)), np.int64), names, things)
        images = predicted_images(predictions, categories).images
        found = {}
        for sample in samples:
            one = images[sample.id]
            places = zip(one.segments.ids.tolist(), one.segments.category.tolist(), strict=True)
            found[sample.id] = read_ids(one.png, "a PNG of predicted segment ids"), dict(places)
        return found

    def draw(self, sample: Sample, rows: tuple[np.ndarray, Mapping[int, int]], path: Path) -> None:
        """Writes a picture of segments beside their image to `path`, whose suffix says the format."""
        ids, places = rows if rows else (np.zeros((1, 1), np.int64), {})
        picture = render_segments(read_image(sample.path, sample.size, sample.orientation), ids, places, self.scheme)
        write_picture(path, picture)
