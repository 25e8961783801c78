"""RetinaNet as the SpineNet paper and its official code have it: one stage, dense boxes from every level of a pyramid.

Lin, Goyal, Girshick, He, Dollar: Focal Loss for Dense Object Detection, ICCV 2017; Du, Lin, Jin, Ghiasi, Tan, Cui, Le,
Song: SpineNet, CVPR 2020, section 4.1. Official code: tensorflow/models 2.17, official/vision (configs/retinanet.py,
modeling/heads/dense_prediction_heads.py) and tensorflow/tpu, models/official/detection (configs/spinenet/*.yaml).

    backbone           input    head       anchor size    parameters     GMACs (convolutions)
    SpineNet-49S        640     4 x 128    3               11,265,942      30.78
    SpineNet-49         640     4 x 256    3               28,543,383      85.28
    SpineNet-49         896     4 x 256    3               28,543,383     167.15
    SpineNet-96        1024     4 x 256    3               42,974,871     265.02
    SpineNet-143       1280     4 x 256    4               66,959,511     523.34
    SpineNet-190       1280     7 x 512    4              163,637,351    1881.66
    ResNet-50-FPN       640     4 x 256    4               34,091,159      96.88

Of these all are the published figures but SpineNet-49S: the official configuration gives 11.27 M and 30.8 G where
11.9 or 12.0 M and 33.8 G were published, and no setting of it gives that pair; and the parameters of ResNet-50-FPN,
published as 34.0 M (its 101- and 152-layer siblings are 53.1 and 68.7 M, which this construction gives).

Classes are those of the official networks: 91 outputs, index 0 the background, 1 to 90 the category ids of COCO. The
background's score is dropped. **Labels that come out are COCO category ids minus 1, 0 to 89**; ten of them are unused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import clip_boxes_to_image

from hrbench.core.stages import stage
from hrbench.errors import UsageError
from hrbench.models.detectors.detector import flat, levels_of
from hrbench.models.detectors.tf_boxes import MAX_DETECTIONS, Anchors, at_least_float32, decode, select, square_batches
from hrbench.models.layers.scale_permuted import Activation, check_choices
from hrbench.models.layers.tf_layers import Tower


def retinanet(
    backbone: nn.Module,
    convs: int = 4,
    width: int | None = None,
    anchor_size: float = 4.0,
    scales: int = 3,
    classes: int = 91,
    activation: Activation = "relu",
    divisor: int | None = None,
) -> RetinaNet:
    """RetinaNet: a list of images (3, h, w), normalised, -> a list of {boxes, scores, labels}, at most 100 of each.

    Boxes (m, 4) are x1, y1, x2, y2 in pixels of the image given; scores (m,) in (0.05, 1], descending; labels (m,)
    int64, COCO category ids minus 1. The official pipeline resizes the longer side of an image to the input size of
    the catalog row; the network fills it up to a square (`tf_boxes.square_batches`).

    backbone: images (N, 3, H, W) -> feature maps, finest first, all of one width, with `channels` and `strides`.
    convs, width: convolutions and channels of each of the two towers; None for the backbone's width.
    anchor_size: side of a square anchor, in strides.
    scales: anchor sizes within an octave.
    classes: with the background.
    activation: of the head, relu (protocols A and B of the paper) or swish (protocol C); the backbone has its own.
    divisor: squares are padded to a multiple of it; None for the coarsest stride, as in the official code (small images
        need less padding with 32).

    Raises UsageError for values that make no network.
    """
    channels, strides = levels_of(backbone, "retinanet", 1)
    width = channels if width is None else width
    check_choices("retinanet", activation, "tf2")
    divisor = strides[-1] if divisor is None else divisor
    if min(convs, width, scales, divisor) < 1 or classes < 2 or anchor_size <= 0:
        raise UsageError(
            f"retinanet: {convs} convolutions of {width} channels, anchors of size {anchor_size} at {scales} scales, "
            f"{classes} classes, divisor {divisor} were given; sizes and counts are positive, and classes count the "
            "background."
        )
    anchors = Anchors(strides, anchor_size, scales)
    head = RetinaNetHead(channels, width, convs, anchors, classes, activation)
    return RetinaNet(backbone, head, anchors, classes, divisor)


class RetinaNet(nn.Module):
    """`retinanet` says what it is."""

    def __init__(self, backbone: nn.Module, head: RetinaNetHead, anchors: Anchors, classes: int, divisor: int) -> None:
        super().__init__()
        self.backbone, self.head, self.anchors, self.classes = backbone, head, anchors, classes
        self.divisor = divisor
        self.label_count = classes - 1
        self.most_detections, self.most_option = MAX_DETECTIONS, ""

    def forward(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        found: dict[int, dict[str, Tensor]] = {}
        for places, batch in square_batches(images, self.divisor):
            features = self.backbone(batch)
            logits, deltas = self.head(features)
            scores = at_least_float32(torch.cat([flat(x, self.classes) for x in logits], dim=1)).sigmoid()[
                ..., 1:
            ]  # (N, A, 90)
            moves = at_least_float32(torch.cat([flat(x, 4) for x in deltas], dim=1))  # (N, A, 4), A all anchors
            anchors = torch.cat(self.anchors.of(features))  # (A, 4)
            for i, place in enumerate(places):
                height, width = images[place].shape[-2:]
                boxes = clip_boxes_to_image(decode(moves[i][:, None], anchors), (height, width))  # (A, 1, 4)
                with stage("suppression"):
                    best, confidences, labels = select(boxes, scores[i])
                found[place] = {"boxes": best, "scores": confidences, "labels": labels}
        return [found[i] for i in range(len(images))]

    def count_parts(self, images: Tensor, proposals: int = 1000, masks: int = 100) -> dict[str, Any]:
        """Backbone and head on images (N, 3, H, W); a one-stage detector has no proposals and no masks."""
        self.head(self.backbone(images))
        return {"not counted": "anchors, box decoding, top-k, NMS"}


class RetinaNetHead(nn.Module):
    """Feature maps, finest first -> class logits (N, A x classes, h_l, w_l) and deltas (N, A x 4, h_l, w_l) by level.

    Channel anchor x classes + class, and anchor x 4 + (dy, dx, dh, dw). Keys: `cls` and `box`, each with `convs.{i}`,
    `bns.{level}.{i}` and `predictor`. Every class starts at a probability of 0.01.
    """

    def __init__(
        self, inputs: int, width: int, convs: int, anchors: Anchors, classes: int, activation: Activation
    ) -> None:
        super().__init__()
        levels, each = anchors.levels, anchors.per_cell
        self.cls = Tower(inputs, width, convs, levels, {"predictor": each * classes}, 3, activation)
        self.box = Tower(inputs, width, convs, levels, {"predictor": each * 4}, 3, activation)
        nn.init.constant_(self.cls.get_submodule("predictor").bias, -math.log(99))  # type: ignore[arg-type]

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        (logits,), (deltas,) = self.cls(features), self.box(features)
        return logits, deltas
