"""FCOS: every point of a feature map names a class, its distances to the four sides of a box, and how central it is.

Tian, Shen, Chen, He: FCOS: Fully Convolutional One-Stage Object Detection, ICCV 2019. The head with group norm, as in
mmdetection's `gn-head` configurations (centre sampling, normalised boxes and centreness on the regression branch are
later additions and not in it). State-dict keys are mmdetection 3's.

    backbone       levels        strides          parameters
    ResNet-50      P3 to P7      8 to 128         32,295,322
    ResNet-101     P3 to P7      8 to 128         51,287,450
    HRNetV2p-W18   stride 2      8 to 128         17,500,654
    HRNetV2p-W32   stride 2      8 to 128         37,297,690

Detections: class score > 0.05; of each level the 1000 best; then class score x centreness, NMS by class at an IoU of
0.5, the 100 best of an image. The 1000 best are pairs of point and class under mmdet3, ranked by class score; points
under mmdet1, ranked by their best class score x centreness. `boxes.py` says how boxes differ, and that mmdet1
suppresses them in pixels of the original image.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.detectors.anchors import grid_points
from hrbench.models.detectors.boxes import Convention, at_least_float32, decode_distances, detections, extent, positive
from hrbench.models.detectors.detector import backbone_and_neck, flat, image_scales, levels_of, pad_to_batch

CANDIDATES_PER_LEVEL, SCORE_THRESHOLD, NMS_IOU, MAX_DETECTIONS = 1000, 0.05, 0.5, 100


def fcos(backbone: nn.Module, classes: int = 80, convention: Convention = "mmdet3") -> FCOS:
    """FCOS: a list of images (3, h, w), normalised, of any sizes -> a list of dicts, see `FCOS`.

    backbone: with attributes `channels` (one number for all levels) and `strides`, finest first: a new one, which
    becomes part of the detector. Raises UsageError for one that does not fit, and for an unknown convention.
    Weights are randomly initialised as in mmdet.
    """
    extent(convention)
    channels, strides = levels_of(backbone, "fcos", 1)
    if classes < 1:
        raise UsageError(f"fcos: classes {classes} was given; there is at least 1.")
    return FCOS(backbone, channels, strides, classes, convention)


class FCOS(nn.Module):
    """A list of images (3, h, w), normalised -> for each a dict of what was found in it, best first:

    boxes (M, 4) x1 y1 x2 y2 in pixels of that image, scores (M,) in (0, 1], labels (M,) int64, 0 to classes - 1 in the
    order of training (COCO: category ids in rising order).

    Under mmdet1 it takes `scales`, see `detector.py`; under mmdet3 they change nothing.
    """

    def __init__(
        self, network: nn.Module, channels: int, strides: tuple[int, ...], classes: int, convention: Convention
    ) -> None:
        super().__init__()
        self.strides, self.classes = strides, classes
        self.label_count = classes
        self.most_detections, self.most_option = MAX_DETECTIONS, ""
        self.convention: Convention = convention
        self.takes_scales = convention == "mmdet1"
        self.backbone, self.neck = backbone_and_neck(network)
        self.bbox_head = FCOSHead(channels, classes, len(strides))

    def forward(self, images: Sequence[Tensor], scales: Sequence[float] | None = None) -> list[dict[str, Tensor]]:
        batch, sizes = pad_to_batch(images)
        scales = image_scales(scales, len(sizes))
        outputs = self.bbox_head(self.neck(self.backbone(batch)))
        return [self._selected(outputs, image, size, scales[image]) for image, size in enumerate(sizes)]

    def _selected(
        self, outputs: tuple[list[Tensor], ...], image: int, size: tuple[int, int], scale: float = 1.0
    ) -> dict[str, Tensor]:
        """Detections of one image of the batch."""
        boxes, scores, labels = [], [], []
        for stride, classes, distances, centreness in zip(self.strides, *outputs, strict=True):
            score = at_least_float32(flat(classes, self.classes)[image]).sigmoid()  # (points, classes)
            centre = at_least_float32(flat(centreness, 1)[image]).sigmoid()  # (points, 1)
            points = grid_points(classes.shape[-2:], stride, 0.5, score)
            point, label = self._candidates(score, centre)
            boxes.append(decode_distances(points[point], flat(distances, 4)[image, point], size, self.convention))
            scores.append(score[point, label] * centre[point, 0])
            labels.append(label)
        every = torch.cat(boxes)
        real = positive(every, self.convention)
        found = (every[real], torch.cat(scores)[real], torch.cat(labels)[real])
        return detections(*found, NMS_IOU, MAX_DETECTIONS, self.convention, scale)

    def _candidates(self, score: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
        """Which points and classes of a level may become detections: two index tensors of one length."""
        if self.convention == "mmdet1":
            best = (score * centre).amax(dim=1)
            kept = best.topk(min(CANDIDATES_PER_LEVEL, len(best))).indices
            row, label = torch.nonzero(score[kept] > SCORE_THRESHOLD, as_tuple=True)
            return kept[row], label
        point, label = torch.nonzero(score > SCORE_THRESHOLD, as_tuple=True)
        order = score[point, label].sort(descending=True).indices[:CANDIDATES_PER_LEVEL]
        return point[order], label[order]

    def count_parts(self, images: Tensor, proposals: int = 1000, masks: int = 100) -> dict[str, Any]:
        """Runs backbone, neck and head on images (N, 3, H, W); returns the conditions of the count.

        A one-stage detector has neither proposals nor masks: their numbers are left unused.
        """
        batch, _ = pad_to_batch(list(images))
        self.bbox_head(self.neck(self.backbone(batch)))
        return {"not counted": "points, box decoding, top-k, NMS"}


class FCOSHead(nn.Module):
    """Feature maps (N, C, h, w) -> class logits (N, classes, h, w), distances in pixels (N, 4, h, w) above zero and
    centreness logits (N, 1, h, w) of each. All levels share the weights, except one scale of the distances.
    """

    def __init__(self, channels: int, classes: int, levels: int, hidden: int = 256, convolutions: int = 4) -> None:
        super().__init__()
        inputs = [channels] + [hidden] * (convolutions - 1)
        self.cls_convs = nn.ModuleList(conv_group_norm(each, hidden) for each in inputs)
        self.reg_convs = nn.ModuleList(conv_group_norm(each, hidden) for each in inputs)
        self.conv_cls = nn.Conv2d(hidden, classes, 3, padding=1)
        self.conv_reg = nn.Conv2d(hidden, 4, 3, padding=1)
        self.conv_centerness = nn.Conv2d(hidden, 1, 3, padding=1)
        self.scales = nn.ModuleList(Scale() for _ in range(levels))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.constant_(self.conv_cls.bias, -math.log(99))  # type: ignore[arg-type]  # a prior of 0.01

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        classes, distances, centreness = [], [], []
        for feature, scale in zip(features, self.scales, strict=True):
            x, y = feature, feature
            for convolution in self.cls_convs:
                x = convolution(x)  # (N, hidden, h, w)
            for convolution in self.reg_convs:
                y = convolution(y)
            classes.append(self.conv_cls(x))
            centreness.append(self.conv_centerness(x))
            distances.append(scale(self.conv_reg(y)).exp())
        return classes, distances, centreness


class Scale(nn.Module):
    """Multiplication by one learnt number."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def conv_group_norm(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution without bias, group norm of 32 groups, ReLU: (N, inputs, h, w) -> (N, outputs, h, w)."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(OrderedDict(conv=convolution, gn=nn.GroupNorm(32, outputs), relu=nn.ReLU(inplace=True)))
