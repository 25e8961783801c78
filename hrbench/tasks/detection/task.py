"""Detection: boxes, and masks where a network has them, by the protocols of the code that the networks come from.

    protocol       input                                         masks pasted as    labels are
    plain          the image at its own size, for any network    mmdet              positions in the class list
    mmdet          short side 800, long side 1333 at most        mmdet              positions in the class list
    mmdet1         the same, legacy boxes                        mmdet1             positions in the class list
    spinenet       the long side as the network's input          tf                 COCO category ids less one
    torchvision    short side 800, long side 1333 at most        torchvision        COCO category ids less one
    torchvision-fixed    the network's input, squashed (SSD)     torchvision        COCO category ids less one
    transformers   as the network's image processor (Pillow)     mmdet              as the network's config.json names

At most 100 detections of an image are kept by mmdet, mmdet1 and spinenet, as their code does; otherwise all that the
network gives (torchvision's RetinaNet 300, RT-DETR 300).

`geometry.py` and `mask_pasting.py` describe the differences and name the sources. Score thresholds,
suppression and padding are the network's own. torch is imported only where a network is called or a mask pasted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hrbench.contracts import LATER, PREPARES, Deferred, HasScheme, Network, TakesScales
from hrbench.core.plugins import model_ref
from hrbench.core.stages import stage
from hrbench.errors import EntryError
from hrbench.formats.images import read_image
from hrbench.formats.pil_images import Interpolation, read_rgb
from hrbench.formats.pil_images import resize as resized_by_pillow
from hrbench.tasks.detection import geometry, mask_pasting
from hrbench.tasks.detection.outputs import ImageDetections, read_detections, sent_detections
from hrbench.tasks.detection.render import read_detections_file, render_detections
from hrbench.tasks.inputs import fed_as, normalised, tensor_like
from hrbench.tasks.picture_files import write_picture
from hrbench.types import ClassScheme, Item, Note, Prediction, Sample, Variant

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Detect:
    """A protocol; `version` is raised by hand whenever a prediction may change.

    resize: how an image is resized to the input (`detection/geometry.py`).
    short, long: for "mmdet", "mmdet1" and "torchvision": the short side is resized to `short` pixels, or to less if the
        long side would exceed `long`; "tf" and "fixed" resize to the network's input.
    labels: what a network's label is: a position in the data set's class list ("contiguous"), a category id minus one
        ("category": networks with an output for each of COCO's 90 ids, unused ones included), or a category id ("id":
        with an output for 0 as well).
    paste: the code whose method pastes masks on the image (`mask_pasting`).
    extent: pixels added to x2 - x1 for the width of a result, 1 in mmdetection 1.
    most: maximum number of detections of an image; None for all that the network gives. COCO's metric judges the 100
        best of an image and a class, not of an image.
    interpolation: Pillow's filter, for "aspect" and "squash".
    round_down_to: of "aspect": sides are multiples of it (16 for YOLOS).
    stated_by: the configuration of a library that these settings come from; "" if they come from elsewhere.
    """

    name: str = "plain"
    version: int = 1
    resize: geometry.Resize = field(default="none", metadata=PREPARES)
    short: int = 800
    long: int = 1333
    labels: Literal["contiguous", "category", "id"] = "contiguous"
    paste: mask_pasting.Paste = "mmdet"
    extent: Literal[0, 1] = 0
    most: int | None = None
    interpolation: Interpolation = field(default="bilinear", metadata=LATER)
    round_down_to: int = field(default=1, metadata=LATER)
    stated_by: str = field(default="", metadata=LATER)


MMDET = ("faster_rcnn", "mask_rcnn", "cascade_rcnn", "cascade_mask_rcnn", "fcos")
SPINENET = ("retinanet", "spinenet_mask_rcnn")
SQUASHED = "ssd"
"""Networks by their entry points, or by how the names begin of torchvision's, that have a usual protocol."""


class Detection:
    """The detection task for one variant, data set and protocol (contracts.Task)."""

    Protocol = Detect
    protocols = (
        Detect(),
        Detect("mmdet", resize="mmdet", most=100),
        Detect("mmdet1", resize="mmdet1", paste="mmdet1", extent=1, most=100),
        Detect("spinenet", resize="tf", paste="tf", labels="category", most=100),
        Detect("torchvision", resize="torchvision", paste="torchvision", labels="category"),
        Detect("torchvision-fixed", resize="fixed", paste="torchvision", labels="category"),
        Detect("transformers", resize="aspect"),
    )

    @staticmethod
    def usual(use: str) -> str:
        """The protocol for networks of this `use` if no other is named.

        >>> Detection.usual("torchvision:fcos_resnet50_fpn"), Detection.usual("mine:detector")
        ('torchvision', 'plain')
        """
        ref = model_ref(use)
        if ref.source == "torchvision":
            return "torchvision-fixed" if ref.target.startswith(SQUASHED) else "torchvision"
        return "mmdet" if use in MMDET else "spinenet" if use in SPINENET else "plain"

    @staticmethod
    def fed_size(protocol: Mapping[str, Any], input: tuple[int, int]) -> str:
        """At which size an image goes in, in words.

        >>> Detection.fed_size({"resize": "none"}, (64, 96)), Detection.fed_size({"resize": "fixed"}, (64, 96))
        ('at their own size, and not to its input of 64x96', 'resized to its input of 64x96')
        """
        resize = protocol["resize"]
        at = f"its input of {input[0]}x{input[1]}"
        if resize == "none":
            return f"at their own size, and not to {at}"
        if resize in geometry.BY_SHORT_SIDE:
            short, long = protocol["short"], protocol["long"]
            return f"with a short side of {short} pixels and a long side of at most {long}, and not to {at}"
        return f"resized to {at}"

    def __init__(self, variant: Variant, dataset: HasScheme[ClassScheme], protocol: Mapping[str, Any]) -> None:
        self.input = variant.input
        self.colour = variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme: ClassScheme = dataset.scheme
        self.protocol = Detect(**protocol)
        self.unknown: Counter[int] = Counter()
        """How many detections of each category id that no class of the data set has were left out."""
        self.detections: Counter[float] = Counter()
        """How many detections have each score, as long as there is only one score."""
        self.cut = 0
        """How many detections were left out because an image had more than the protocol's `most`."""
        self.images = self.images_with_objects = 0
        """How many images have been finished, and in how many of them anything was found."""

    def work(self, sample: Sample) -> int:
        """Forward passes of one image: one."""
        return 1

    def prepare(self, sample: Sample) -> list[Item]:
        """The image, uint8 (h, w, 3) in the network's colour order, at the input's size, or at its own
        size if floats are resized (`geometry.ON_FLOATS`).
        """
        protocol, (height, width) = self.protocol, self.input
        by_pillow = protocol.resize in geometry.BY_PILLOW
        read = read_rgb if by_pillow else read_image
        image = read(sample.path, sample.size, sample.orientation)
        if by_pillow:
            image = image[..., ::-1]
        original = (image.shape[1], image.shape[0])
        resizing = geometry.resizing_of(
            original, protocol.resize, protocol.short, protocol.long, (width, height), protocol.round_down_to
        )
        if by_pillow:
            image = resized_by_pillow(np.ascontiguousarray(image), resizing.input, protocol.interpolation, True)
        elif protocol.resize not in geometry.ON_FLOATS:
            image = geometry.resized(image, resizing.input)
        if self.colour == "rgb":
            image = image[..., ::-1]
        return [Item(sample=sample.id, image=np.require(image, requirements=["C", "W"]), content=resizing)]

    def forward(self, net: Network, items: Sequence[Item]) -> list[ImageDetections]:
        """What the network found in each item, in pixels of its input.

        A network with `takes_scales` is told by what factor each image was resized (mmdetection 1 suppresses boxes in
        pixels of the original image).

        Inputs of one size go through together and others apart: networks pad a batch to its largest image, and what
        is found in a small one would change with its company. Raises EntryError for a network that returns anything
        but detections.
        """
        return self.launch(net, items)()

    def launch(self, net: Network, items: Sequence[Item]) -> Callable[[], list[ImageDetections]]:
        """As `forward`; what is returned waits for the device (contracts.ForwardsAhead).

        Networks wait for it themselves wherever a number of boxes depends on values.
        """
        import torch

        found: dict[int, Callable[[], ImageDetections]] = {}
        takes_scales = isinstance(net, TakesScales) and net.takes_scales
        with torch.inference_mode():
            with stage("preprocess"):
                inputs = [self._input(net, item) for item in items]
            for height, width in dict.fromkeys((each.shape[1], each.shape[2]) for each in inputs):
                places = [i for i, each in enumerate(inputs) if each.shape[1:] == (height, width)]
                told = {"scales": [items[i].content.factor for i in places]} if takes_scales else {}
                with stage("forward"):
                    output = net([inputs[i] for i in places], **told)
                with stage("postprocess"):
                    read = sent_detections(output, [(height, width)] * len(places))
                found |= dict(zip(places, read, strict=True))
        return lambda: _in_order(found)

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError unless the output is detections, with labels that the protocol has classes for."""
        for found in read_detections(output, inputs):
            self._ids(found.labels)

    def _input(self, net: Network, item: Item) -> torch.Tensor:
        """(3, h, w) on the network's device in its dtype: / 255, minus mean, over std, and then to the input's size."""
        import torch.nn.functional as F

        like = tensor_like(net)
        image = normalised([item.image], self.mean, self.std, like.device)
        width, height = item.content.input
        if image.shape[2:] != (height, width):
            image = F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)
        return image[0].to(like.dtype)

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, ImageDetections]]) -> Prediction:
        """COCO results rows of one image, best first: bbox x, y, width, height in its pixels, and `segmentation` as
        run lengths where the network gives masks.

        Raises EntryError for a label that the data set has no class for, and for numbers that are not finite.
        """
        begun = self.begin_finish(sample, pairs)
        if isinstance(begun, Prediction):
            return begun
        with stage("pasting"):
            masks = begun.function(*begun.arguments)
        return begun.complete(masks)

    def begin_finish(self, sample: Sample, pairs: Sequence[tuple[Item, ImageDetections]]) -> Prediction | Deferred:
        """As `finish`, up to pasting and encoding masks, which is nearly all of its work (contracts.FinishesBeside)."""
        if not pairs:
            return Prediction(sample.id, [])
        ((item, found),) = pairs
        protocol, resizing = self.protocol, item.content
        numbers = (found.boxes, found.scores) if found.crops is None else (found.boxes, found.scores, found.crops)
        if not all(np.isfinite(each).all() for each in numbers):
            raise EntryError(
                f"the network gave {sample.path.name} boxes, scores or masks that are not finite; does it diverge?"
            )
        self.images += 1
        self.images_with_objects += len(found.scores) > 0
        if len(self.detections) < 2:
            self.detections.update(found.scores.tolist())
        categories = self._categories(found.labels)
        order = np.argsort(-found.scores, kind="stable")
        order = order[categories[order] >= 0]
        self.cut += len(order) - len(order[: protocol.most])
        order = order[: protocol.most]
        boxes = geometry.to_original(found.boxes[order], resizing, protocol.resize)
        rows = [
            {
                "image_id": sample.id,
                "category_id": int(category),
                "bbox": [x1, y1, x2 - x1 + protocol.extent, y2 - y1 + protocol.extent],
                "score": score,
            }
            for category, (x1, y1, x2, y2), score in zip(
                categories[order], boxes.tolist(), found.scores[order].tolist(), strict=True
            )
        ]
        if found.crops is not None:
            at = geometry.pasted_at(boxes, resizing, protocol.resize)
            crops = np.ascontiguousarray(found.crops[order], np.float32)
            pasted = (crops, at, resizing.original, protocol.paste)
            return Deferred(mask_pasting.pasted, pasted, partial(_with_masks, sample.id, rows))
        if found.masks is not None:
            scaled = (found.masks[order], found.size, resizing.original)
            return Deferred(mask_pasting.scaled, scaled, partial(_with_masks, sample.id, rows))
        return Prediction(sample.id, rows)

    def _categories(self, labels: np.ndarray) -> np.ndarray:
        """Category ids (M,) of labels (M,), -1 for those of no class, which are counted: networks have outputs for ids
        that COCO does not use, which only drawn weights choose, or only some classes were asked for.
        """
        categories, known = self._ids(labels)
        self.unknown.update(categories[~known].tolist())
        return np.where(known, categories, -1)

    def _ids(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Category ids (M,) of labels (M,), and whether the data set has a class of each."""
        ids = np.array(self.scheme.ids or range(len(self.scheme.names)), np.int64)
        if self.protocol.labels == "contiguous":
            if len(labels) and not 0 <= labels.min() <= labels.max() < len(ids):
                wrong = labels.max() if labels.max() >= len(ids) else labels.min()
                raise EntryError(
                    f"the network returned label {wrong}; the data set has {len(ids)} classes, labels 0 to "
                    f"{len(ids) - 1}: set protocol.labels to category where labels are COCO's category ids less one, "
                    "to id where they are the ids, or give the network the data set's classes"
                )
            return ids[labels], np.ones(len(labels), bool)
        categories = labels + (self.protocol.labels == "category")
        return categories, np.isin(categories, ids)

    def notes(self) -> list[Note]:
        """What is to be said beside a score, once all images are finished."""
        said = []
        short = self.protocol.short
        if self.protocol.resize in geometry.BY_SHORT_SIDE and self.input[0] and min(self.input) != short:
            what = f"images went in with a short side of {short} px (protocol.short)"
            effect = "costs are of an input of {}x{}".format(*self.input)
            said.append(Note("other_input", what, effect=effect, option=f"protocol.short: {min(self.input)}"))
        if self.images and not self.images_with_objects:  # numbers that are not finite are above no threshold
            effect = "has the network the right weights, or diverged?"
            said.append(Note("nothing_found", "images have no detection at all", self.images, self.images, effect))
        if len(self.detections) == 1 and (total := self.detections.total()) > 1:
            what = f"detections all have the same score, {next(iter(self.detections)):g}"
            said.append(Note("tied_detections", what, total, effect="their order, and so AP, is arbitrary"))
        if self.cut:
            what = f"detections beyond the {self.protocol.most} best of their image were left out"
            said.append(Note("cut_by_protocol", what, self.cut, None, "AP and AR may be lower", "protocol.most: null"))
        said += fed_as(self.protocol, self.mean, self.std)
        if self.unknown:
            some = ", ".join(map(str, sorted(self.unknown)[:5])) + (", ..." if len(self.unknown) > 5 else "")
            what = f"detections of category ids that are no class of the data set ({some}) were left out"
            effect = "if the network's labels are positions in the data set's list of classes, all are misread"
            option = "protocol.labels: contiguous"
            said.append(Note("unknown_labels", what, self.unknown.total(), None, effect, option))
        return said

    def tally(self) -> dict[str, Any]:
        """What was counted of the images that are finished (contracts.TalliesNotes)."""
        return {
            "images": self.images,
            "with objects": self.images_with_objects,
            "cut": self.cut,
            "scores": dict(self.detections.most_common(2)),  # of two that differ nothing is told
            "unknown": dict(self.unknown),
        }

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what was counted on other images."""
        self.images += tally["images"]
        self.images_with_objects += tally["with objects"]
        self.cut += tally["cut"]
        self.detections.update(tally["scores"])
        self.unknown.update(tally["unknown"])

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> the rows that a prediction file holds for it, with masks of the file beside it, for `draw`."""
        return read_detections_file(predictions, samples)

    def draw(self, sample: Sample, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Writes a picture of the rows on their image to `path`, whose suffix says the format."""
        image = render_detections(read_image(sample.path, sample.size, sample.orientation), rows, self.scheme)
        write_picture(path, image)

    def classes_in(self, sample: Sample, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Names of the classes of objects, in the order of the data set."""
        there = {row["category_id"] for row in rows}
        numbers = self.scheme.ids or range(len(self.scheme.names))
        return [name for number, name in zip(numbers, self.scheme.names, strict=True) if number in there]


def _in_order(found: Mapping[int, Callable[[], ImageDetections]]) -> list[ImageDetections]:
    with stage("postprocess"):
        return [found[place]() for place in range(len(found))]


def _with_masks(image: int | str, rows: list[dict[str, Any]], masks: Sequence[dict[str, Any]]) -> Prediction:
    for row, mask in zip(rows, masks, strict=True):
        row["segmentation"] = mask
    return Prediction(image, rows)
