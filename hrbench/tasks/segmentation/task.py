"""Semantic segmentation: a class for each pixel, from whole images or windows, at one scale or several.

The protocols of HRNetV2, its OCR branch and RefineNet, and a plain one for any network, as
`protocols.py` describes them. torch is imported only where a network is called, so that worker processes
and listings start without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hrbench.contracts import HasScheme, Network
from hrbench.core.stages import stage
from hrbench.errors import EntryError, UsageError
from hrbench.formats.images import read_image, stated_size
from hrbench.formats.label_colours import PLAIN, LabelForm
from hrbench.formats.pil_images import read_rgb
from hrbench.tasks.inputs import fed_as, tensor_like
from hrbench.tasks.outputs import OutputMonitor
from hrbench.tasks.picture_files import write_picture
from hrbench.tasks.segmentation import geometry, inference
from hrbench.tasks.segmentation.class_maps import class_map_later
from hrbench.tasks.segmentation.inference import Segmenter, checked_logits, image_scores, resized
from hrbench.tasks.segmentation.pixels import input_pixels
from hrbench.tasks.segmentation.protocols import NAMED_PROTOCOLS, Inference, checked, fed_size, usual
from hrbench.tasks.segmentation.render import read_maps, render_class_map
from hrbench.types import ClassScheme, Item, Note, Prediction, Sample, Variant


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an item comes from: (height, width) of the image, and of the part of the item that is not padding."""

    image: geometry.Size
    inner: geometry.Size


class Segmentation:
    """The segmentation task for one variant, data set and protocol (contracts.Task).

    Raises UsageError if the protocol's settings are invalid or the data set names no classes.
    """

    Protocol = Inference
    protocols = NAMED_PROTOCOLS
    usual = staticmethod(usual)
    fed_size = staticmethod(fed_size)

    def __init__(self, variant: Variant, dataset: HasScheme[ClassScheme], protocol: Mapping[str, Any]) -> None:
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in protocol.items()}
        self.protocol = checked(Inference(**settings))
        self.colour = variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme: ClassScheme = dataset.scheme
        form = getattr(dataset, "form", None)
        self.form: LabelForm = form if isinstance(form, LabelForm) else PLAIN
        """How precomputed label maps are stored, for `rows`."""
        self.monitor = OutputMonitor("images", "every class has the same score in {}, where ties go to the first class")
        if not self.scheme.names:
            raise UsageError("the data set names no classes, so no network can be evaluated on it")

    def work(self, sample: Sample) -> int:
        """Forward passes of the network: windows at every scale, each twice with mirrored inputs."""
        width, height = sample.size or stated_size(sample.path, sample.orientation)
        _, whole = geometry.input_sizes((height, width), self.protocol)
        windows = sum(len(geometry.window_plan(whole, scale, self.protocol).corners) for scale in self.protocol.scales)
        return windows * (2 if self.protocol.flip else 1)

    def prepare(self, sample: Sample) -> list[Item]:
        """The image, uint8 (H, W, 3) in the network's colour order, resized as the protocol's `size` says."""
        by_pillow = self.protocol.resizer == "pillow"
        read = read_rgb if by_pillow else read_image
        image = read(sample.path, sample.size, sample.orientation)
        if (self.colour == "rgb") != by_pillow:
            image = np.ascontiguousarray(image[..., ::-1])
        size = (image.shape[0], image.shape[1])
        inner, whole = geometry.input_sizes(size, self.protocol)
        frame = Frame(size, whole if self.protocol.keep_padding else inner)
        return [Item(sample.id, geometry.sized(image, self.protocol, self.mean), frame)]

    def forward(self, net: Network, items: Sequence[Item]) -> list[np.ndarray]:
        """The class map of each item's image, (H, W) uint8 or uint16 at the image's own size.

        The network is called with at most as many inputs as there are items.
        """
        return self.launch(net, items)()

    def launch(self, net: Network, items: Sequence[Item]) -> Callable[[], list[np.ndarray]]:
        """As `forward`; what is returned waits for the device (contracts.ForwardsAhead)."""
        import torch

        with torch.inference_mode():
            segmenter = self._segmenter(net, batch=len(items))
            with stage("preprocess"):
                table = geometry.value_table(self.mean, self.std, single=self.protocol.resizer == "pillow")
                images = input_pixels([item.image for item in items], table, segmenter)
            maps = []
            with stage("postprocess"):  # what `image_scores` does before and for the network has stages of its own
                for item, scores in zip(items, image_scores(segmenter, images), strict=True):
                    note = self.monitor.note_classes(item.sample, scores)
                    found = class_map_later(self._fitted(scores, item.content), item.sample)
                    maps.append((note, found, len(self.scheme.names) - len(scores)))
        return partial(_collected, maps)

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError unless the output is logits (N, C, h, w) of the data set's C classes, or ends with such."""
        checked_logits(output, len(inputs), len(self.scheme.names), self.protocol)

    def _segmenter(self, net: Network, batch: int) -> Segmenter:
        like = tensor_like(net)
        order = list(range(len(self.scheme.names)))
        for left, right in self.scheme.flip_pairs:
            order[left], order[right] = order[right], order[left]
        return Segmenter(
            net=net,
            protocol=self.protocol,
            classes=len(order),
            order=tuple(order),
            device=like.device,
            dtype=like.dtype,
            black=tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True)),
            batch=batch,
            monitor=self.monitor,
        )

    def _fitted(self, scores: Any, frame: Frame) -> Any:
        """Scores (C, H, W) of an item without its padding, resized to the image."""
        if not self._at_once(frame):
            scores = scores[:, : frame.inner[0], : frame.inner[1]]
        return resized(scores, frame.image, "bilinear", self.protocol.align_corners)

    def _at_once(self, frame: Frame) -> bool:
        """Whether scores are still at the size of the network's output (`Inference.logits_to`)."""
        return inference.at_once(self.protocol, frame.inner)

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, np.ndarray]]) -> Prediction:
        """The class map of the image as its prediction."""
        if len(pairs) != 1:
            raise EntryError(f"image {sample.path} has {len(pairs)} class maps, not one")
        return Prediction(sample.id, pairs[0][1])

    def notes(self) -> list[Note]:
        """Notes to print with a score, for example that it took more forward passes than costs count."""
        scales, flip = len(self.protocol.scales), self.protocol.flip
        fed = fed_as(self.protocol, self.mean, self.std)
        if scales == 1 and not flip:
            return [*self.monitor.notes(), *fed]
        how = [f"{scales} scales"] * (scales > 1) + ["the mirrored image"] * flip
        several = Note("several_passes", f"predicted from {' and '.join(how)}", effect="costs are of one forward pass")
        return [*self.monitor.notes(), *fed, several]

    def tally(self) -> dict[str, Any]:
        """What was counted of the network's outputs (contracts.TalliesNotes)."""
        return self.monitor.tally()

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what was counted on other images."""
        self.monitor.add_tally(tally)

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> dict[int | str, np.ndarray]:
        """Sample id -> the class map (H, W) that a folder of predictions holds for it, for `draw`."""
        return read_maps(predictions, samples, self.scheme, self.form)

    def draw(self, sample: Sample, rows: np.ndarray, path: Path) -> None:
        """Writes a picture of a class map beside its image to `path`, whose suffix says the format."""
        picture = render_class_map(read_image(sample.path, sample.size, sample.orientation), rows, self.scheme)
        write_picture(path, picture)

    def classes_in(self, sample: Sample, rows: np.ndarray) -> list[str]:
        """Names of the classes in a class map, in the order of the data set."""
        return [self.scheme.names[number] for number in np.unique(rows).tolist() if number < len(self.scheme.names)]


def _collected(maps: Sequence[tuple[Callable[[], None], Callable[[], np.ndarray], int]]) -> list[np.ndarray]:
    """The class maps, with the numbers of the data set's classes. Each: its note, itself, classes before its first."""
    made = []
    with stage("postprocess"):
        for note, class_map, before in maps:
            note()
            found = class_map()
            made.append(found + found.dtype.type(before))
    return made
