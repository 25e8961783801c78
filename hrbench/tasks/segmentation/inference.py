"""From a network's logits to the scores of whole images: mirrored inputs, scales, windows.

This module is imported where a network is called; nothing above it loads torch. Shapes: scores of one image are
(C, H, W), those of a batch (N, C, H, W), on the network's device, in float32, or float64 of a network in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hrbench.contracts import Network
from hrbench.core.stages import stage
from hrbench.errors import EntryError
from hrbench.tasks.outputs import OutputMonitor, real
from hrbench.tasks.segmentation import geometry
from hrbench.tasks.segmentation.geometry import Size
from hrbench.tasks.segmentation.pixels import batch_of, inputs_of, size_of
from hrbench.tasks.segmentation.protocols import Inference

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from hrbench.tasks.segmentation.pixels import Pixels

OPENCV_CHANNELS = 512
"""Class maps that OpenCV resizes together at most."""


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A network with what is needed to call it.

    net: images (N, 3, H, W) -> logits.
    protocol: windows, scales, flip and so on.
    classes: number of them.
    order: of the classes in a mirrored input's logits (left and right exchanged).
    device, dtype: of the inputs.
    black: the normalised black pixel.
    batch: maximum number of inputs in one call.
    monitor: notes the dtype of the logits, if not None.
    """

    net: Network
    protocol: Inference
    classes: int
    order: tuple[int, ...]
    device: torch.device
    dtype: torch.dtype
    black: tuple[float, ...]
    batch: int
    monitor: OutputMonitor | None = None

    def logits(self, inputs: Sequence[Pixels]) -> Tensor:
        """Logits (N, C, h, w) of inputs of one kind and size, averaged with those of the mirrored inputs if the
        protocol has `flip`.

        They are averaged at their own size: resizing is linear and has no left and right, so the sum is the same.
        Raises EntryError if the network returns anything else.
        """
        with stage("preprocess"):
            batch = batch_of(inputs, self.device, self.dtype)
        with stage("forward"):
            output = self.net(batch)
        direct = self._checked(output, len(inputs))
        if not self.protocol.flip:
            return direct
        with stage("preprocess"):
            batch = batch.flip(3)
        with stage("forward"):
            output = self.net(batch)
        mirrored = self._checked(output, len(inputs))
        if self.order != tuple(range(self.classes)):
            lacking = self.classes - mirrored.shape[1]  # classes before the first output
            mirrored = mirrored[:, [number - lacking for number in self.order[lacking:]]]
        return (direct + mirrored.flip(3)) * 0.5

    def _checked(self, output: Any, n: int) -> Tensor:
        import torch

        last = checked_logits(output, n, self.classes, self.protocol)
        if self.monitor is not None:
            self.monitor.note_dtype(last)
        return last if last.dtype in (torch.float32, torch.float64) else last.float()


def checked_logits(output: Any, n: int, classes: int, protocol: Inference) -> Tensor:
    """The logits (N, C, h, w) of a network's output for n images: itself, or the last of a list.

    An output of one channel becomes what the protocol's `outputs` says. Raises EntryError for anything else.
    """
    import torch

    last: Any = output[-1] if isinstance(output, (list, tuple)) and output else output
    last = _converted(last, classes, protocol.outputs)
    fits = (classes, classes - 1) if protocol.reduced_labels else (classes,)
    if not isinstance(last, torch.Tensor) or last.ndim != 4 or len(last) != n or last.shape[1] not in fits:
        what = tuple(last.shape) if isinstance(last, torch.Tensor) else f"a {type(last).__name__}"
        raise EntryError(
            f"the network returned {what} for {n} images; the data set has {classes} classes, so it must "
            f"return logits ({n}, {classes}, h, w), or a list of them whose last is used{_single(last)}"
        )
    return real(last, f"a network for {classes} classes returns logits ({n}, {classes}, h, w)")


def _converted(output: Any, classes: int, kind: str) -> Any:
    """An output of one channel as the protocol's `outputs` says: scores (N, C, h, w); others as they are."""
    import torch

    if kind == "logits" or not isinstance(output, torch.Tensor) or output.ndim != 4 or output.shape[1] != 1:
        return output
    if kind == "classes":
        numbers = torch.arange(classes, device=output.device).view(1, -1, 1, 1)
        if output.is_meta:
            return (output == numbers).float()
        wrong = (output < 0) | (output >= classes) | (output != output.round())
        if bool(wrong.any()):
            raise EntryError(
                f"the network returned class {output[wrong][0].item()}; the data set has {classes} classes"
            )
        return (output == numbers).float()
    one = output.float()
    if kind == "one probability":
        if not one.is_meta and bool(((one < 0) | (one > 1)).any()):
            raise EntryError("the network returned values outside [0, 1]: set protocol.outputs to one logit")
        one = one.logit(eps=1e-7)
    return torch.cat([torch.zeros_like(one), one], 1)


def _single(output: Any) -> str:
    """What allows an output of one channel, as the end of a sentence; "" for others."""
    if getattr(output, "ndim", 0) != 4 or output.shape[1] != 1:
        return ""
    if not output.is_floating_point():
        return "; if these are class numbers, set protocol.outputs to classes"
    return "; if this is class 1 of two classes, set protocol.outputs to one logit or one probability"


def image_scores(segmenter: Segmenter, images: Sequence[Pixels]) -> Iterator[Tensor]:
    """Scores of each image at its size, in order: logits, or what the protocol's `combine` adds up over scales.

    images: as `pixels.input_pixels` gives them, all of one size. Scores are made when they are asked for: at a
    single scale those of one image exist at a time.
    """
    scales = segmenter.protocol.scales
    totals: list[Tensor | None] = [None] * len(images)
    for scale in scales[:-1]:
        for number, scores in enumerate(_at_scale(segmenter, images, scale)):
            before = totals[number]
            totals[number] = scores if before is None else before.add_(scores)
    for number, scores in enumerate(_at_scale(segmenter, images, scales[-1])):
        before, totals[number] = totals[number], None
        yield scores if before is None else before.add_(scores)


def _at_scale(segmenter: Segmenter, images: Sequence[Pixels], scale: float) -> Iterator[Tensor]:
    """Scores of each image at its size, from its inputs at one scale."""
    import torch

    protocol = segmenter.protocol
    size = size_of(images[0])
    plan = geometry.window_plan(size, scale, protocol)
    whole = at_once(protocol, size)
    several = len(plan.corners) > 1
    added_up = several or len(protocol.scales) > 1 or protocol.combine == "exp"
    count = torch.from_numpy(plan.counts()).to(segmenter.device) if several else None
    inputs = ((corner, pixels) for image in images for corner, pixels in inputs_of(plan, image, segmenter.black))
    total: Tensor | None = None
    while chunk := _next_inputs(inputs, segmenter.batch):
        logits = segmenter.logits([pixels for _, pixels in chunk])
        for (corner, _), one in zip(chunk, logits, strict=True):
            if whole:
                yield one
                continue
            scores = resized(one, plan.window, protocol.upsampling, protocol.align_corners)
            scores = _combined(scores, protocol.combine, may_overwrite=scores is not one) if added_up else scores
            if count is not None:
                total = scores.new_zeros(len(scores), *plan.whole) if total is None else total
                _add(total, scores, corner)
                if corner != plan.corners[-1]:
                    continue
                scores, total = total.div_(count), None
            scores = scores[:, : plan.scaled[0], : plan.scaled[1]]
            yield resized(scores, size, "bilinear", protocol.align_corners)


def at_once(protocol: Inference, size: Size) -> bool:
    """Whether the network's output goes to the image at once: an image of this size is one input without padding."""
    return (
        protocol.logits_to == "image"
        and protocol.scales == (1.0,)
        and protocol.windows == "none"
        and protocol.combine == "softmax"
        and geometry.window_plan(size, 1.0, protocol).whole == size
    )


def _next_inputs(inputs: Iterator[tuple[Size, Pixels]], most: int) -> list[tuple[Size, Pixels]]:
    """At most so many inputs with their corners, which are cut from the images now; none at the end."""
    with stage("preprocess"):
        return list(islice(inputs, most))


def _combined(logits: Tensor, method: str, may_overwrite: bool) -> Tensor:
    """The scores that are summed over windows and scales. may_overwrite: whether the logits may be overwritten."""
    if method == "softmax":
        return logits.softmax(dim=0)
    return logits.exp_() if may_overwrite else logits.exp()


def _add(total: Tensor, scores: Tensor, corner: tuple[int, int]) -> None:
    """Adds a window's scores to those of its image, as far as it lies inside."""
    top, left = corner
    part = total[:, top : top + scores.shape[1], left : left + scores.shape[2]]
    part += scores[:, : part.shape[1], : part.shape[2]]


def resized(scores: Tensor, size: Size, method: str, align_corners: bool) -> Tensor:
    """Scores (C, h, w) at another size, (C, *size); unchanged if they have that size.

    how: "bilinear", or "bicubic" for OpenCV's, which knows no aligned corners.
    """
    if tuple(scores.shape[1:]) == size:
        return scores
    import torch.nn.functional as F

    if method == "bilinear":
        return F.interpolate(scores[None], size=size, mode="bilinear", align_corners=align_corners)[0]
    return _opencv_bicubic(scores, size)


def _opencv_bicubic(scores: Tensor, size: Size) -> Tensor:
    import torch

    with stage("transfer"):
        maps = scores.permute(1, 2, 0).cpu().numpy()
    made = np.empty((*size, maps.shape[2]), dtype=maps.dtype)
    for first in range(0, maps.shape[2], OPENCV_CHANNELS):
        some = np.ascontiguousarray(maps[..., first : first + OPENCV_CHANNELS])
        large = cv2.resize(some, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
        made[..., first : first + OPENCV_CHANNELS] = large.reshape(*size, some.shape[2])
    with stage("transfer"):
        return torch.from_numpy(made).permute(2, 0, 1).to(scores.device)
