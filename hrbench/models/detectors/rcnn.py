"""Faster, Mask and Cascade R-CNN on any backbone with a pyramid: regions are proposed, then classified and refined.

Ren, He, Girshick, Sun: Faster R-CNN, NeurIPS 2015. He, Gkioxari, Dollar, Girshick: Mask R-CNN, ICCV 2017. Cai,
Vasconcelos: Cascade R-CNN, CVPR 2018. State-dict keys are mmdetection 3's.

    entry                box heads                      boxes regressed    mask heads    R50-FPN        HRNetV2p-W32
    faster_rcnn          1                              per class          -             41,753,056     47,279,712
    mask_rcnn            1                              per class          1             44,396,336     49,922,992
    cascade_rcnn         3, each on the boxes before    for all classes    -             69,394,766     74,921,422
    cascade_mask_rcnn    3                              for all classes    3             77,324,606     82,851,262

                    mmdet3                                     mmdet1
    proposals       1000 per level, 1000 after NMS at 0.7      2000, 2000 (HRNet-Object-Detection; late mmdet 1: 1000)
    classes         80 and, last, the background               the background, first, and 80
    boxes           `boxes.py`, and anchors and regions in `anchors.py`, `roi.py`

Detections: score > 0.05, NMS by class at an IoU of 0.5, the 100 best of an image. Scores of a cascade: its three
heads' logits averaged, then softmax; its masks: three heads' probabilities averaged.

mmdet1 suppresses detections, not proposals, in pixels of the original image, and its mask heads see their boxes as
they are after going there and back, which moves last digits (`two_stage.py`, `test_mixins.py` and `cascade_rcnn.py`
of mmdetection 1). It takes `scales` for that, see `detector.py`; mmdet3's IoU knows no such difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.detectors.anchors import cell_anchors, grid_anchors
from hrbench.models.detectors.boxes import (
    Convention,
    at_least_float32,
    decode,
    detections,
    extent,
    in_original,
    positive,
    suppress,
)
from hrbench.models.detectors.detector import backbone_and_neck, flat, image_scales, levels_of, pad_to_batch
from hrbench.models.detectors.roi import FINEST, region_features
from hrbench.models.layers.fpn import named_conv

STDS = ((0.1, 0.1, 0.2, 0.2), (0.05, 0.05, 0.1, 0.1), (0.033, 0.033, 0.067, 0.067))
PROPOSALS = {"mmdet3": 1000, "mmdet1": 2000}
PROPOSAL_NMS_IOU, SCORE_THRESHOLD, NMS_IOU, MAX_DETECTIONS = 0.7, 0.05, 0.5, 100
ROI_LEVELS, BOX_CELLS, MASK_CELLS = 4, 7, 14
Sizes = Sequence[tuple[int, int]]


def faster_rcnn(
    backbone: nn.Module,
    classes: int = 80,
    convention: Convention = "mmdet3",
    anchor_scale: float = 8.0,
    proposals: int | None = None,
    finest: float = FINEST,
    hidden: int = 1024,
) -> RCNN:
    """Faster R-CNN: a list of images (3, h, w), normalised, of any sizes -> a list of dicts, see `RCNN`.

    Weights are randomly initialised as in mmdet. Parameters other than these are for small images and narrow networks,
    see `DetectorSizes`.

    backbone: with attributes `channels` (one number for all levels) and `strides`, at least four levels, finest first:
        a new one, which becomes part of the detector.
    classes: without the background.
    convention: "mmdet3" or "mmdet1", see the top of this file.

    Raises UsageError for a backbone that does not fit, an unknown convention and sizes that make no network.
    """
    detector_sizes = DetectorSizes(anchor_scale, proposals, finest, hidden)
    return RCNN("faster_rcnn", backbone, classes, convention, cascade=False, masks=False, detector_sizes=detector_sizes)


def mask_rcnn(
    backbone: nn.Module,
    classes: int = 80,
    convention: Convention = "mmdet3",
    anchor_scale: float = 8.0,
    proposals: int | None = None,
    finest: float = FINEST,
    hidden: int = 1024,
    mask_hidden: int = 256,
) -> RCNN:
    """Mask R-CNN: as `faster_rcnn`, and a mask for each box."""
    detector_sizes = DetectorSizes(anchor_scale, proposals, finest, hidden, mask_hidden)
    return RCNN("mask_rcnn", backbone, classes, convention, cascade=False, masks=True, detector_sizes=detector_sizes)


def cascade_rcnn(
    backbone: nn.Module,
    classes: int = 80,
    convention: Convention = "mmdet3",
    anchor_scale: float = 8.0,
    proposals: int | None = None,
    finest: float = FINEST,
    hidden: int = 1024,
) -> RCNN:
    """Cascade R-CNN: as `faster_rcnn`, with three box heads in a row."""
    detector_sizes = DetectorSizes(anchor_scale, proposals, finest, hidden)
    return RCNN("cascade_rcnn", backbone, classes, convention, cascade=True, masks=False, detector_sizes=detector_sizes)


def cascade_mask_rcnn(
    backbone: nn.Module,
    classes: int = 80,
    convention: Convention = "mmdet3",
    anchor_scale: float = 8.0,
    proposals: int | None = None,
    finest: float = FINEST,
    hidden: int = 1024,
    mask_hidden: int = 256,
) -> RCNN:
    """Cascade Mask R-CNN: as `cascade_rcnn`, and a mask for each box."""
    detector_sizes = DetectorSizes(anchor_scale, proposals, finest, hidden, mask_hidden)
    return RCNN(
        "cascade_mask_rcnn", backbone, classes, convention, cascade=True, masks=True, detector_sizes=detector_sizes
    )


@dataclass(frozen=True, slots=True)
class DetectorSizes:
    """The sizes of a detector; the defaults are those of every published one.

    anchor_scale: side of a square anchor, in strides of its level.
    proposals: kept of each level, and in all after their suppression; None for the convention's number.
    finest: boxes with sides below twice this many pixels are read from the finest level (`roi.level_of`).
    hidden: width of a box head.
    mask_hidden: width of a mask head.
    """

    anchor_scale: float = 8.0
    proposals: int | None = None
    finest: float = FINEST
    hidden: int = 1024
    mask_hidden: int = 256

    def check(self, who: str) -> None:
        """Raises UsageError for sizes that make no detector."""
        for name in ("anchor_scale", "proposals", "finest", "hidden", "mask_hidden"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{who}: {name} {value!r} was given; it is above 0.")


class RCNN(nn.Module):
    """A list of images (3, h, w), normalised -> for each a dict of what was found in it, best first:

    boxes (M, 4) x1 y1 x2 y2 in pixels of that image, scores (M,) in (0.05, 1], labels (M,) int64, 0 to classes - 1 in
    the order of training (COCO: category ids in rising order) under either convention, and where there is a mask
    head, mask_crops (M, 28, 28), probabilities in its box.

    Under mmdet1 it takes `scales`, see `detector.py`; under mmdet3 they change nothing.
    """

    def __init__(
        self,
        who: str,
        network: nn.Module,
        classes: int,
        convention: Convention,
        cascade: bool,
        masks: bool,
        detector_sizes: DetectorSizes = DetectorSizes(),
    ) -> None:
        super().__init__()
        extent(convention)
        detector_sizes.check(who)
        channels, self.strides = levels_of(network, who, ROI_LEVELS)
        if classes < 1:
            raise UsageError(f"{who}: classes {classes} was given; there is at least 1 beside the background.")
        self.label_count = classes
        self.most_detections, self.most_option = MAX_DETECTIONS, ""
        self.convention: Convention = convention
        self.takes_scales = convention == "mmdet1"
        self.anchor_scale, self.proposals = (
            detector_sizes.anchor_scale,
            detector_sizes.proposals or PROPOSALS[convention],
        )
        self.backbone, self.neck = backbone_and_neck(network)
        self.rpn_head = RPNHead(channels)
        self.roi_head = RoIHead(channels, classes, convention, cascade, masks, detector_sizes)

    def forward(self, images: Sequence[Tensor], scales: Sequence[float] | None = None) -> list[dict[str, Tensor]]:
        batch, sizes = pad_to_batch(images)
        scales = image_scales(scales, len(sizes))
        features = self.neck(self.backbone(batch))  # strides as self.strides
        proposals = self.propose(features, sizes)
        found = self.roi_head.boxes(features, self.strides, proposals, sizes, scales)
        if self.roi_head.mask_head is not None:
            self.roi_head.add_masks(features, self.strides, found, scales)
        return found

    def propose(self, features: Sequence[Tensor], sizes: Sizes) -> list[Tensor]:
        """Feature maps of a batch and its images' (h, w) -> the boxes (M, 4) of each that are worth a look."""
        logits, deltas = self.rpn_head(features)
        return self.select_proposals(logits, deltas, self.anchors(features), sizes)

    def anchors(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The anchors of each level, (h x w x A, 4): row by row, those of a cell innermost."""
        cells = [cell_anchors(stride, self.convention, (self.anchor_scale,)) for stride in self.strides]
        return [
            grid_anchors(cell.to(at_least_float32(feature[:0])), feature.shape[-2:], stride)
            for cell, feature, stride in zip(cells, features, self.strides, strict=True)
        ]

    def select_proposals(
        self, logits: Sequence[Tensor], deltas: Sequence[Tensor], anchors: Sequence[Tensor], sizes: Sizes
    ) -> list[Tensor]:
        """What the proposal head says of each level, its anchors and the images' (h, w) -> the boxes (M, 4) of each."""
        max_proposals = self.proposals
        results = []
        for image, size in enumerate(sizes):
            boxes, scores, levels = [], [], []
            for level, (logit, delta, anchor) in enumerate(zip(logits, deltas, anchors, strict=True)):
                score, order = at_least_float32(flat(logit, 1)[image, :, 0]).sigmoid().sort(descending=True)
                chosen = order[:max_proposals]
                boxes.append(decode(anchor[chosen], flat(delta, 4)[image, chosen], (1, 1, 1, 1), size, self.convention))
                scores.append(score[:max_proposals])
                levels.append(torch.full_like(chosen, level))
            every = torch.cat(boxes)[:, 0]
            real = positive(every, self.convention)
            every = every[real]
            kept = suppress(every, torch.cat(scores)[real], torch.cat(levels)[real], PROPOSAL_NMS_IOU, self.convention)
            results.append(every[kept[:max_proposals]])
        return results

    def count_parts(self, images: Tensor, proposals: int = 1000, masks: int = 100) -> dict[str, Any]:
        """Runs all that can be counted without values: images (N, 3, H, W), so many proposals and masks per image.

        Every stage of a cascade sees all proposals, every mask head all masks. Returns the conditions of the count.
        """
        batch, _ = pad_to_batch(list(images))
        features = self.neck(self.backbone(batch))
        self.rpn_head(features)
        conditions: dict[str, Any] = {"proposals": proposals}
        regions = features[0].new_empty(proposals * len(batch), features[0].shape[1], BOX_CELLS, BOX_CELLS)
        for head in self.roi_head.box_heads:
            head(regions)
        if self.roi_head.mask_head is not None:
            conditions["masks"] = masks
            regions = features[0].new_empty(masks * len(batch), features[0].shape[1], MASK_CELLS, MASK_CELLS)
            for head in self.roi_head.mask_heads:
                head(regions)
        return {**conditions, "not counted": "anchors, box decoding, top-k, NMS, RoIAlign, pasting of masks"}


class RPNHead(nn.Module):
    """Maps (N, C, h, w) -> of each, objectness logits (N, A, h, w) and deltas (N, 4 A, h, w), A anchors a cell."""

    def __init__(self, channels: int, anchors: int = 3) -> None:
        super().__init__()
        self.rpn_conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.rpn_cls = nn.Conv2d(channels, anchors, 1)
        self.rpn_reg = nn.Conv2d(channels, 4 * anchors, 1)
        for convolution in (self.rpn_conv, self.rpn_cls, self.rpn_reg):
            init_normal(convolution, 0.01)

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        hidden = [F.relu(self.rpn_conv(feature)) for feature in features]
        return [self.rpn_cls(x) for x in hidden], [self.rpn_reg(x) for x in hidden]


class RoIHead(nn.Module):
    """Proposals -> classified boxes, by one box head or three in a row, and their masks."""

    def __init__(
        self,
        channels: int,
        classes: int,
        convention: Convention,
        cascade: bool,
        masks: bool,
        detector_sizes: DetectorSizes = DetectorSizes(),
    ) -> None:
        super().__init__()
        self.convention: Convention = convention
        self.classes, self.finest = classes, detector_sizes.finest
        outputs = classes + (convention == "mmdet1")  # mmdet 1 regresses boxes and masks of the background too
        heads = [
            RCNNBoxHead(channels, classes, 1 if cascade else outputs, detector_sizes.hidden)
            for _ in STDS[: 3 if cascade else 1]
        ]
        self.bbox_head = nn.ModuleList(heads) if cascade else heads[0]
        self.mask_head: nn.Module | None = None
        if masks:
            makers = [RCNNMaskHead(channels, outputs, detector_sizes.mask_hidden) for _ in heads]
            self.mask_head = nn.ModuleList(makers) if cascade else makers[0]

    @property
    def box_heads(self) -> list[nn.Module]:
        """All box heads in order."""
        return list(self.bbox_head) if isinstance(self.bbox_head, nn.ModuleList) else [self.bbox_head]

    @property
    def mask_heads(self) -> list[nn.Module]:
        """All mask heads; none where there are no masks."""
        if self.mask_head is None:
            return []
        return list(self.mask_head) if isinstance(self.mask_head, nn.ModuleList) else [self.mask_head]

    def boxes(
        self,
        features: Sequence[Tensor],
        strides: Sequence[int],
        proposals: list[Tensor],
        sizes: Sizes,
        scales: Sequence[float],
    ) -> list[dict[str, Tensor]]:
        """Boxes (M, 4) of each image -> its detections, without masks."""
        levels = range(min(ROI_LEVELS, len(features)))
        maps, strides = [features[i] for i in levels], [strides[i] for i in levels]
        heads = self.box_heads
        total: Tensor | None = None
        refined = proposals
        for head, stds in zip(heads, STDS, strict=False):
            proposals = refined
            logits, deltas = head(region_features(maps, strides, proposals, BOX_CELLS, self.convention, self.finest))
            total = logits if total is None else total + logits
            counts = [len(each) for each in proposals]
            moved = [
                decode(box, delta, stds, size, self.convention)
                for box, delta, size in zip(proposals, deltas.split(counts), sizes, strict=True)
            ]
            refined = [each[:, 0] for each in moved]  # of a cascade, which has one box for all classes
        assert total is not None
        scores = at_least_float32(total / len(heads)).softmax(dim=1).split([len(each) for each in proposals])
        return [self._selected(*each) for each in zip(moved, scores, scales, strict=True)]

    def _selected(self, boxes: Tensor, scores: Tensor, scale: float = 1.0) -> dict[str, Tensor]:
        """Boxes (M, 1 or outputs, 4) and scores (M, classes + 1) of one image -> its detections."""
        background_first = self.convention == "mmdet1"
        scores = scores[:, 1:] if background_first else scores[:, :-1]
        row, label = torch.nonzero(scores > SCORE_THRESHOLD, as_tuple=True)
        column = label + background_first if boxes.shape[1] > 1 else torch.zeros_like(label)
        return detections(
            boxes[row, column], scores[row, label], label, NMS_IOU, MAX_DETECTIONS, self.convention, scale
        )

    def add_masks(
        self,
        features: Sequence[Tensor],
        strides: Sequence[int],
        found: list[dict[str, Tensor]],
        scales: Sequence[float],
    ) -> None:
        """Puts `mask_crops` (M, 28, 28) beside the boxes of each image: of each box that of its own class."""
        levels = range(min(ROI_LEVELS, len(features)))
        boxes = [each["boxes"] for each in found]
        if self.convention == "mmdet1":
            boxes = [
                in_original(each, scale) * each.new_full((), scale) for each, scale in zip(boxes, scales, strict=True)
            ]
        maps, strides = [features[i] for i in levels], [strides[i] for i in levels]
        regions = region_features(maps, strides, boxes, MASK_CELLS, self.convention, self.finest)
        labels = torch.cat([each["labels"] for each in found]) + (self.convention == "mmdet1")
        rows = torch.arange(len(labels), device=labels.device)
        heads = self.mask_heads
        chosen = torch.stack([at_least_float32(head(regions)[rows, labels]).sigmoid() for head in heads]).mean(
            dim=0
        )  # (M, 28, 28)
        split = chosen.split([len(each) for each in boxes])
        for each, crops in zip(found, split, strict=True):
            each["mask_crops"] = crops


class RCNNBoxHead(nn.Module):
    """Region features (M, C, 7, 7) -> class logits (M, classes + 1), background included, and deltas (M, 4 boxes)."""

    def __init__(self, channels: int, classes: int, boxes: int, hidden: int = 1024) -> None:
        super().__init__()
        first = nn.Linear(channels * BOX_CELLS**2, hidden)
        self.shared_fcs = nn.ModuleList([first, nn.Linear(hidden, hidden)])
        self.fc_cls = nn.Linear(hidden, classes + 1)
        self.fc_reg = nn.Linear(hidden, 4 * boxes)
        for layer in self.shared_fcs:
            assert isinstance(layer, nn.Linear)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        init_normal(self.fc_cls, 0.01)
        init_normal(self.fc_reg, 0.001)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.flatten(1)
        for layer in self.shared_fcs:
            x = F.relu(layer(x))  # (M, hidden)
        return self.fc_cls(x), self.fc_reg(x)


class RCNNMaskHead(nn.Module):
    """Region features (M, C, 14, 14) -> mask logits (M, outputs, 28, 28)."""

    def __init__(self, channels: int, outputs: int, hidden: int = 256, convolutions: int = 4) -> None:
        super().__init__()
        inputs = [channels] + [hidden] * (convolutions - 1)
        self.convs = nn.ModuleList(named_conv(each, hidden, 3) for each in inputs)
        self.upsample = nn.ConvTranspose2d(hidden, hidden, 2, stride=2)
        self.conv_logits = nn.Conv2d(hidden, outputs, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convs:
            x = F.relu(convolution(x))  # (M, hidden, 14, 14)
        return self.conv_logits(F.relu(self.upsample(x)))


def init_normal(layer: nn.Conv2d | nn.Linear, std: float) -> None:
    """Initialises the weights: normal with this standard deviation, bias 0."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
