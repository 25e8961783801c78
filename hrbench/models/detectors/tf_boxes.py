"""Boxes in the convention of the official TensorFlow detectors: anchors, box coding, RoI crop, selection.

Facts from official/vision/ops (anchor.py, box_ops.py, spatial_transform_ops.py, nms.py) and
official/vision/modeling/layers/detection_generator.py of tensorflow/models 2.17. Boxes are continuous there: width is
x2 - x1, and the centre of cell i of a level lies at (i + 0.5) x stride.

Boxes are (x1, y1, x2, y2) in pixels of the network's input here, as everywhere in hrbench. Only what a head predicts
keeps the official order, (dy, dx, dh, dw), because the order of its channels is that of its weights. Boxes and scores
are float32 at least, also of a network in half precision: float16 has no fractions of a pixel above 1024, and
torchvision suppresses no bfloat16 boxes.

torchvision serves where it computes the same: `BoxCoder`, `roi_align`, `nms`, `clip_boxes_to_image`. Its anchors do not
(rounded, centred at i x stride, ratio h/w, ratio-major), nor do its crop (it forces RoIs to the size of a cell), its
selection (RetinaNet: 1000 of each level before the suppression instead of 5000 of each class; both: boxes without area
are dropped) and its proposals (equal scores, of which a padded border has many, come in no certain order).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import nms, roi_align

from hrbench.errors import UsageError
from hrbench.models.detectors.anchors import grid_points

RATIOS = (0.5, 1.0, 2.0)
MAX_DETECTIONS = 100


@dataclass(frozen=True, slots=True)
class Anchors:
    """The anchors of every cell of a pyramid, scale-major: index scale x 3 + ratio within a cell.

    strides: in pixels, powers of two, finest first.
    size: side of the square anchor of the first scale, in strides of its level.
    scales: number of scales within an octave, 2^(i / scales).
    Ratios are width / height: 0.5, 1, 2.
    """

    strides: tuple[int, ...]
    size: float
    scales: int

    @property
    def per_cell(self) -> int:
        """How many anchors a cell has."""
        return self.scales * len(RATIOS)

    @property
    def levels(self) -> tuple[int, ...]:
        """log2 of the strides: what the official code calls a level."""
        return tuple(int(math.log2(stride)) for stride in self.strides)

    def of(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps (N, C, h_l, w_l) -> for each level its anchors (h_l x w_l x per_cell, 4), cells row by row."""
        return [self._level(x, stride) for x, stride in zip(features, self.strides, strict=True)]

    def _level(self, feature: Tensor, stride: int) -> Tensor:
        sides = [self.size * stride * 2 ** (scale / self.scales) for scale in range(self.scales)]
        halves = [(side * ratio**0.5 / 2, side * ratio**-0.5 / 2) for side in sides for ratio in RATIOS]
        corner = feature.new_tensor(halves, dtype=precision(feature))  # (per_cell, 2)
        centre = grid_points(feature.shape[-2:], stride, 0.5, corner)[:, None]  # (h x w, 1, 2)
        return torch.cat([centre - corner, centre + corner], dim=-1).reshape(-1, 4)


def precision(x: Tensor) -> torch.dtype:
    """In what boxes and scores of a network that computes in the dtype of x are computed."""
    return torch.promote_types(x.dtype, torch.float32)


def at_least_float32(x: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; float32 and float64 as they are."""
    return x.to(precision(x))


def decode(deltas: Tensor, anchors: Tensor, weights: tuple[float, float, float, float] = (1, 1, 1, 1)) -> Tensor:
    """Deltas (n, k, 4) in the official order on anchors (n, 4) -> boxes (n, k, 4).

    weights: what dx, dy, dw and dh are divided by. Sizes grow by at most 1000 / 16 times; nothing limits shrinking.
    """
    return BoxCoder(weights).decode_single(deltas[..., [1, 0, 3, 2]].flatten(1), anchors).reshape(deltas.shape)


def crop(features: Sequence[Tensor], strides: Sequence[int], boxes: Sequence[Tensor], size: int) -> Tensor:
    """What is in each box: one bilinear sample at the centre of each of size x size bins.

    features: (N, C, h_l, w_l) for each level, whose strides are powers of two. boxes: for each image (m, 4), within
    the image. -> (all m, C, size, size), images one after another. A box is looked up on the level
    4 + floor(log2(sqrt(area) / 224)), or the nearest there is. A sample at (x, y) pixels is read from the feature map
    at (x, y) / stride with no shift by half a cell, that is half a cell to the lower right of where the anchors place
    the cells; `roi_align(aligned=True)` takes half a cell off, so it is added before. Neither takes a box to be larger
    than it is. Positions are read in the precision of the boxes; what was read has the dtype of the features.
    """
    owner = torch.cat([each.new_full((len(each), 1), i) for i, each in enumerate(boxes)])
    every = torch.cat(list(boxes))
    area = (every[:, 2] - every[:, 0]) * (every[:, 3] - every[:, 1])
    level = 4 + torch.floor(torch.log2(area.sqrt() / 224))
    level = level.clamp(math.log2(strides[0]), math.log2(strides[-1]))
    crops = features[0].new_zeros(len(every), features[0].shape[1], size, size)
    for feature, stride in zip(features, strides, strict=True):
        here = torch.nonzero(level == math.log2(stride))[:, 0]
        rois = torch.cat([owner[here], every[here] + stride / 2], dim=1)
        read = roi_align(feature.to(rois.dtype), rois, size, spatial_scale=1 / stride, sampling_ratio=1, aligned=True)
        crops[here] = read.to(feature.dtype)
    return crops


def suppress(
    boxes: Tensor, scores: Tensor, max_candidates: int, overlap: float, max_kept: int
) -> tuple[Tensor, Tensor]:
    """Of boxes (n, 4) the `max_candidates` best, of these the ones that overlap no better one, of these the `max_kept`
    best.

    -> (m, 4) and their scores (m,), descending; of equal scores the first comes first. The official suppression drops
    a box that overlaps a better one by exactly `overlap`, torchvision's only above that. A box whose corners are all 0
    is none, and goes after it was counted among the `max_candidates`.
    """
    scores, order = scores.sort(descending=True, stable=True)
    scores, boxes = scores[:max_candidates], boxes[order[:max_candidates]]
    real = (boxes > 0).any(dim=1)
    scores, boxes = scores[real], boxes[real]
    kept = nms(boxes, scores, math.nextafter(overlap, 0))[:max_kept]
    return boxes[kept], scores[kept]


def propose(levels: Sequence[tuple[Tensor, Tensor]], max_kept: int = 1000) -> Tensor:
    """The official choice of proposals: boxes (n_l, 4), clipped, and scores (n_l,) of each level -> (m, 4), m <= most.

    The 1000 best of each level are suppressed at an overlap of 0.7 among themselves; the `max_kept` best of all remain.
    """
    boxes, scores = zip(*(suppress(*level, 1000, 0.7, 1000) for level in levels), strict=True)
    return torch.cat(boxes)[torch.cat(scores).sort(descending=True, stable=True)[1][:max_kept]]


def select(
    boxes: Tensor, scores: Tensor, threshold: float = 0.05, max_candidates: int = 5000, max_kept: int = MAX_DETECTIONS
) -> tuple[Tensor, Tensor, Tensor]:
    """The official choice of detections: boxes (m, 4), scores (m,) in descending order, labels (m,) int64, m <= most.

    boxes: (n, k, 4), clipped to the image, k the number of classes or 1 where all share them. scores: (n, classes) in
    [0, 1], without the background. Of each class the `max_candidates` best above the threshold are suppressed at an
    overlap of 0.5 among themselves; the `max_kept` best of all classes remain.
    """
    good = scores > threshold
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    for label in torch.nonzero(good.any(dim=0))[:, 0].tolist():
        candidates = torch.nonzero(good[:, label])[:, 0]
        column = boxes[candidates, min(label, boxes.shape[1] - 1)]
        best, confidences = suppress(column, scores[candidates, label], max_candidates, 0.5, max_kept)
        kept.append((best, confidences, candidates.new_full((len(best),), label)))
    if not kept:
        return boxes.new_zeros(0, 4), scores.new_zeros(0), torch.zeros(0, dtype=torch.int64, device=boxes.device)
    chosen, confidences, labels = (torch.cat(parts) for parts in zip(*kept, strict=True))
    order = confidences.sort(descending=True, stable=True)[1][:max_kept]
    return chosen[order], confidences[order], labels[order]


def square_batches(images: Sequence[Tensor], multiple: int = 128) -> Iterator[tuple[list[int], Tensor]]:
    """Images (3, h, w) as batches (n, 3, side, side) of equal squares, with the positions of the images of each batch.

    side: the longer side, rounded up to a multiple of the coarsest stride; zeros fill below and to the right, as the
    official pipeline does after it has resized the longer side to the input size. Images of different sides go into
    different batches, so that none changes what another one gives.
    """
    for image in images:
        if image.ndim != 3 or image.shape[0] != 3 or not image.numel():
            raise UsageError(f"a detector takes images (3, height, width), not {tuple(image.shape)}")
    sides = [-(-max(image.shape[-2:]) // multiple) * multiple for image in images]
    for side in sorted(set(sides)):
        places = [i for i, each in enumerate(sides) if each == side]
        batch = images[places[0]].new_zeros(len(places), 3, side, side)
        for canvas, i in zip(batch, places, strict=True):
            canvas[:, : images[i].shape[1], : images[i].shape[2]] = images[i]
        yield places, batch
