"""Joints of networks that find people themselves: the whole image goes in, people with boxes and joints come out.

    resize        size of the input                                          joints go back by
    none          the image's own                                            nothing
    torchvision   short side, long side at most; floats, bilinear            a factor each side
    letterbox     the largest within the network's, OpenCV bilinear, in the  what was added to the left and above, a
                  middle of grey (114)                                       factor each side; clipped to the image

torchvision: GeneralizedRCNNTransform. letterbox: ultralytics 8.4 (`data/augment.py` LetterBox, `utils/ops.py`
scale_coords, `utils/nms.py`), whose raw candidates are suppressed here as there; pinned by golden records.
torch is imported only where a network is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hrbench.contracts import Network
from hrbench.core.stages import stage
from hrbench.errors import EntryError
from hrbench.formats.images import read_image
from hrbench.tasks.detection.geometry import resizing_of
from hrbench.tasks.inputs import fed_as, normalised, tensor_like
from hrbench.tasks.outputs import fetched, real
from hrbench.tasks.pose.protocols import TopDown
from hrbench.types import Item, KeypointScheme, Note, Prediction, Sample, Variant

if TYPE_CHECKING:
    import torch

GREY = 114
MOST_CANDIDATES = 30000
"""Raw candidates of an image that are suppressed, the best first, as in ultralytics' code."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """Where an image lies in its item.

    original, resized, input: (width, height) of the image, of what it became, and of the item, in pixels.
    corner: x, y of what it became, in the item.
    clips: whether joints are clipped to the image.
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    input: tuple[int, int]
    corner: tuple[int, int] = (0, 0)
    clips: bool = False


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """People of one image. joints: (M, K, 3) float32, x and y in pixels of the input, confidence; scores: (M,)."""

    joints: np.ndarray
    scores: np.ndarray


def letterboxed(original: tuple[int, int], target: tuple[int, int]) -> Fitting:
    """How an image of this (width, height) is fitted into the middle of an input of the `target` (width, height).

    >>> letterboxed((640, 427), (640, 640)).corner, letterboxed((100, 301), (64, 64)).resized
    ((0, 106), (21, 64))
    """
    ratio = min(target[0] / original[0], target[1] / original[1])
    resized = max(1, round(original[0] * ratio)), max(1, round(original[1] * ratio))
    left, top = (round((whole - part) / 2 - 0.1) for whole, part in zip(target, resized, strict=True))
    return Fitting(original, resized, target, (left, top), clips=True)


def on_grey(image: np.ndarray, fitting: Fitting) -> np.ndarray:
    """The uint8 image (H, W, 3) resized and placed on grey, uint8 (h, w, 3) of the fitting's input."""
    if fitting.resized != fitting.original:
        image = cv2.resize(image, fitting.resized, interpolation=cv2.INTER_LINEAR)
    width, height = fitting.input
    canvas = np.full((height, width, 3), GREY, np.uint8)
    left, top = fitting.corner
    canvas[top : top + fitting.resized[1], left : left + fitting.resized[0]] = image
    return canvas


def to_image(joints: np.ndarray, fitting: Fitting) -> np.ndarray:
    """Joints (M, K, 3) float32 in pixels of the input -> in pixels of the image, a new array."""
    found = joints.copy()
    for axis in (0, 1):
        found[..., axis] -= np.float32(fitting.corner[axis])
        found[..., axis] /= np.float32(fitting.resized[axis] / fitting.original[axis])
        if fitting.clips:
            found[..., axis] = found[..., axis].clip(0, fitting.original[axis])
    return found


class OneStage:
    """The steps of `Pose` for a protocol without boxes (contracts.Task).

    variant: the network.
    scheme: the joints of the data set.
    protocol: with `boxes: none`.
    """

    def __init__(self, variant: Variant, scheme: KeypointScheme, protocol: TopDown) -> None:
        self.input, self.colour = variant.input, variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme, self.protocol = scheme, protocol
        self.images = self.images_with_people = self.cut = 0

    def prepare(self, sample: Sample) -> list[Item]:
        """The image, uint8 (h, w, 3) in the network's colour order; at its own size where floats are resized."""
        image = read_image(sample.path, sample.size, sample.orientation)
        original, (height, width) = (image.shape[1], image.shape[0]), self.input
        protocol = self.protocol
        fitting = Fitting(original, original, original)
        if protocol.resize == "letterbox":
            fitting = letterboxed(original, (width, height))
            image = on_grey(image, fitting)
        elif protocol.resize == "torchvision":
            size = resizing_of(original, "torchvision", protocol.short, protocol.long, (width, height)).input
            fitting = Fitting(original, size, size)
        if self.colour == "rgb":
            image = image[..., ::-1]
        return [Item(sample=sample.id, image=np.require(image, requirements=["C", "W"]), content=fitting)]

    def launch(self, net: Network, items: Sequence[Item]) -> Callable[[], list[FoundPeople]]:
        """Sends a batch to the device; what is returned waits for the people of each item."""
        import torch

        found: dict[int, Callable[[], FoundPeople]] = {}
        with torch.inference_mode():
            with stage("preprocess"):
                inputs = [self._input(net, item) for item in items]
            for size in dict.fromkeys(tuple(each.shape[1:]) for each in inputs):
                places = [i for i, each in enumerate(inputs) if each.shape[1:] == size]
                with stage("forward"):
                    output = net(torch.stack([inputs[i] for i in places]))
                with stage("postprocess"):
                    found |= dict(zip(places, self._sent(output, len(places)), strict=True))
        return lambda: [found[place]() for place in range(len(found))]

    def _input(self, net: Network, item: Item) -> torch.Tensor:
        """(3, h, w) on the network's device in its dtype: / 255, minus mean, over std, and then to the input's size."""
        import torch.nn.functional as F

        like = tensor_like(net)
        image = normalised([item.image], self.mean, self.std, like.device)
        width, height = item.content.input
        if image.shape[2:] != (height, width):
            image = F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)
        return image[0].to(like.dtype)

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError unless the output is people of the data set's joints, or raw candidates of them."""
        self._sent(output, len(inputs))

    def _sent(self, output: Any, count: int) -> list[Callable[[], FoundPeople]]:
        import torch

        joints = len(self.scheme.names)
        wanted = (
            "a one-stage pose network returns for each image a dictionary with keypoints (M, "
            f"{joints}, 3) and scores (M,), or candidates ({count}, {5 + 3 * joints}, A) of all images"
        )
        if isinstance(output, torch.Tensor):
            if output.ndim != 3 or output.shape[:2] != (count, 5 + 3 * joints):
                raise EntryError(f"the network returned {tuple(output.shape)} for {count} images; {wanted}")
            if output.is_meta:
                return []
            return [self._of_candidates(each) for each in real(output, wanted).float()]
        if not isinstance(output, list | tuple) or len(output) != count:
            what = f"{len(output)} outputs" if isinstance(output, list | tuple) else f"a {type(output).__name__}"
            raise EntryError(f"the network returned {what} for {count} images; {wanted}")
        return [self._of_people(each, wanted) for each in output]

    def _of_people(self, output: Any, wanted: str) -> Callable[[], FoundPeople]:
        """People as the network gives them, of label 0 where it has labels."""
        if not isinstance(output, Mapping) or not {"keypoints", "scores"} <= set(output):
            what = ", ".join(map(str, output)) if isinstance(output, Mapping) else f"a {type(output).__name__}"
            raise EntryError(f"the network returned {what} for an image; {wanted}")
        keypoints, scores = output["keypoints"], output["scores"]
        if tuple(keypoints.shape[1:]) != (len(self.scheme.names), 3) or tuple(scores.shape) != (len(keypoints),):
            shapes = f"keypoints {tuple(keypoints.shape)} and scores {tuple(scores.shape)}"
            raise EntryError(f"the network returned {shapes}; {wanted}")
        kept = real(scores, wanted) > self.protocol.score_threshold
        if "labels" in output:
            kept = kept & (output["labels"] == 0)
        return self._waits(keypoints[kept], scores[kept])

    def _of_candidates(self, raw: torch.Tensor) -> Callable[[], FoundPeople]:
        """People of raw candidates (5 + 3 K, A): x and y of the box's centre, width, height, score, joints."""
        from torchvision.ops import nms

        with stage("suppression"):
            rows = raw.T[raw[4] > self.protocol.score_threshold]
            if len(rows) > MOST_CANDIDATES:
                rows = rows[rows[:, 4].argsort(descending=True)[:MOST_CANDIDATES]]
            if self.protocol.box_iou:
                half = rows[:, 2:4] / 2
                boxes = rows.new_empty((len(rows), 4))
                boxes[:, :2], boxes[:, 2:] = rows[:, :2] - half, rows[:, :2] + half
                rows = rows[nms(boxes, rows[:, 4], self.protocol.box_iou)]
        return self._waits(rows[:, 5:].reshape(len(rows), -1, 3), rows[:, 4])

    def _waits(self, joints: torch.Tensor, scores: torch.Tensor) -> Callable[[], FoundPeople]:
        with stage("transfer"):
            people, confidences = fetched(joints.float()), fetched(scores.float())
        return lambda: FoundPeople(people(), confidences())

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, FoundPeople]]) -> Prediction:
        """COCO results rows of one image, best first. Raises EntryError for numbers that are not finite."""
        if not pairs:
            return Prediction(sample.id, [])
        ((item, found),) = pairs
        if not (np.isfinite(found.joints).all() and np.isfinite(found.scores).all()):
            raise EntryError(
                f"the network gave {sample.path.name} joints or scores that are not finite; does it diverge?"
            )
        order = np.argsort(-found.scores, kind="stable")
        kept = order[: self.protocol.most or None]
        self.images += 1
        self.images_with_people += len(order) > 0
        self.cut += len(order) - len(kept)
        joints = to_image(found.joints[kept], item.content)
        return Prediction(
            sample.id,
            [
                {
                    "image_id": sample.id,
                    "category_id": self.scheme.category,
                    "keypoints": person.reshape(-1).tolist(),
                    "score": score,
                }
                for person, score in zip(joints, found.scores[kept].tolist(), strict=True)
            ],
        )

    def tally(self) -> dict[str, int]:
        """What was counted of the images that are finished (contracts.TalliesNotes)."""
        return {"images": self.images, "with people": self.images_with_people, "cut": self.cut}

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what was counted on other images."""
        self.images += tally["images"]
        self.images_with_people += tally["with people"]
        self.cut += tally["cut"]

    def notes(self) -> list[Note]:
        """What is to be said beside a score, once all images are finished."""
        said = fed_as(self.protocol, self.mean, self.std)
        if self.images and not self.images_with_people:
            effect = "has the network the right weights?"
            said.append(Note("nothing_found", "images have no person at all", self.images, self.images, effect))
        if self.cut:
            what = f"people beyond the {self.protocol.most} best of their image were left out"
            said.append(Note("cut_by_protocol", what, self.cut, None, "AP and AR may be lower", "protocol.most: 0"))
        return said
