"""Mask R-CNN as the SpineNet paper and its official code have it: proposals, then a box and a mask for each.

He, Gkioxari, Dollar, Girshick: Mask R-CNN, ICCV 2017; Du, Lin, Jin, Ghiasi, Tan, Cui, Le, Song: SpineNet, CVPR 2020,
section 4.3. Official code: tensorflow/models 2.17, official/vision (configs/maskrcnn.py, modeling/maskrcnn_model.py,
modeling/heads/{dense_prediction_heads,instance_heads}.py) and tensorflow/tpu, models/official/detection
(configs/maskrcnn_config.py, configs/spinenet/*_mrcnn.yaml).

    backbone         input    RPN, box and mask head             anchors       parameters     GMACs
    SpineNet-49S      640     1, 4, 4 convolutions x 128, 512    size 3, 1      13,946,608      59.70
    SpineNet-49       640     1, 4, 4 convolutions x 256, 1024   size 3, 1      40,753,521     215.45
    SpineNet-96      1024     1, 4, 4 convolutions x 256, 1024   size 3, 1      55,185,009     314.13
    SpineNet-143     1280     1, 4, 4 convolutions x 256, 1024   size 3, 1      79,169,649     497.63
    SpineNet-190     1536     7, 7, 7 convolutions x 384, 1024   size 5, 1     176,198,465    2074.04
    ResNet-50-FPN     640     1, 4, 4 convolutions x 256, 1024   size 3, 1      46,301,297     227.04

The last number of a head is the width of its fully connected layer; "size 3, 1" is a side of 3 strides and one scale.
GMACs are those of convolutions and linear layers, with 1000 proposals through the box head and 100 through the mask
head. All are the published figures to within a percent. The anchors are those of tensorflow/tpu, which made the paper's
table; tensorflow/models trains SpineNet-143 with anchor_size=4, scales=3 (79,177,359 parameters).

Classes are those of the official networks: 91 outputs, index 0 the background, 1 to 90 the category ids of COCO.
**Labels that come out are COCO category ids minus 1, 0 to 89**; ten of them are unused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import clip_boxes_to_image

from hrbench.core.stages import stage
from hrbench.errors import UsageError
from hrbench.models.detectors.detector import flat, levels_of
from hrbench.models.detectors.tf_boxes import (
    MAX_DETECTIONS,
    Anchors,
    at_least_float32,
    crop,
    decode,
    propose,
    select,
    square_batches,
)
from hrbench.models.layers.scale_permuted import ACTIVATIONS, Activation, check_choices
from hrbench.models.layers.tf_layers import Tower, init_normal, official_norms

BOX_CROP, MASK_CROP = 7, 14
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def spinenet_mask_rcnn(
    backbone: nn.Module,
    convs: Sequence[int] = (1, 4, 4),
    width: int = 256,
    linear: int = 1024,
    anchor_size: float = 3.0,
    scales: int = 1,
    classes: int = 91,
    activation: Activation = "relu",
    threshold: float = 0.05,
) -> SpineNetMaskRCNN:
    """Mask R-CNN: a list of images (3, h, w), normalised -> a list of {boxes, scores, labels, mask_crops}, at most 100.

    Boxes (m, 4) are x1, y1, x2, y2 in pixels of the image given; scores (m,) in (threshold, 1], descending; labels
    (m,) int64, COCO category ids minus 1; mask_crops (m, 28, 28), probabilities in the box. The official pipeline
    resizes the longer side of an image to the input size of the catalog row; the network fills it up to a square
    (`tf_boxes.square_batches`).

    backbone: images (N, 3, H, W) -> feature maps, finest first, all of one width, with `channels` and `strides`.
    convs: number of convolutions of the RPN, the box and the mask head.
    width: channels of these convolutions.
    linear: width of the box head's one fully connected layer.
    anchor_size: side of a square anchor, in strides.
    scales: anchor sizes within an octave.
    classes: with the background.
    activation: of the heads; the backbone has its own.
    threshold: scores up to it are dropped: 0.05 in tensorflow/models, 0 in tensorflow/tpu.

    Raises UsageError for values that make no network.
    """
    channels, strides = levels_of(backbone, "spinenet_mask_rcnn", 1)
    check_choices("spinenet_mask_rcnn", activation, "tf2")
    if len(convs) != 3 or min(*convs, width, linear, scales) < 1 or classes < 2 or anchor_size <= 0:
        raise UsageError(
            f"spinenet_mask_rcnn: convolutions {tuple(convs)} of {width} channels, {linear} linear, anchors of size "
            f"{anchor_size} at {scales} scales, {classes} classes were given; there are three heads (RPN, box, mask), "
            "sizes and counts are positive, and classes count the background."
        )
    anchors = Anchors(strides, anchor_size, scales)
    return SpineNetMaskRCNN(
        backbone,
        anchors,
        rpn_head(channels, width, convs[0], anchors, activation),
        SpineNetBoxHead(channels, width, convs[1], linear, classes, activation),
        SpineNetMaskHead(channels, width, convs[2], classes, activation),
        threshold,
        classes,
    )


class SpineNetMaskRCNN(nn.Module):
    """`spinenet_mask_rcnn` says what it is. Inference only."""

    def __init__(
        self,
        backbone: nn.Module,
        anchors: Anchors,
        rpn_head: Tower,
        box_head: SpineNetBoxHead,
        mask_head: SpineNetMaskHead,
        threshold: float,
        classes: int,
    ) -> None:
        super().__init__()
        self.label_count = classes - 1
        self.most_detections, self.most_option = MAX_DETECTIONS, ""
        self.backbone, self.rpn_head, self.box_head, self.mask_head = backbone, rpn_head, box_head, mask_head
        self.anchors, self.strides, self.threshold = anchors, anchors.strides, threshold

    def forward(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        found: dict[int, dict[str, Tensor]] = {}
        for places, batch in square_batches(images, self.strides[-1]):
            features = self.backbone(batch)
            sizes = [(images[i].shape[1], images[i].shape[2]) for i in places]
            proposals = self.proposals(features, sizes)
            detections = list(self.boxes(features, proposals, sizes))
            self.add_masks(features, detections)
            found |= dict(zip(places, detections, strict=True))
        return [found[i] for i in range(len(images))]

    def proposals(self, features: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Of each image, whose size (h, w) is given, up to 1000 boxes (p, 4)."""
        logits, deltas = self.rpn_head(features)
        scores = [at_least_float32(flat(x, 1)[..., 0]).sigmoid() for x in logits]  # (N, A_l) by level, A_l its anchors
        moves = [at_least_float32(flat(x, 4)) for x in deltas]  # (N, A_l, 4)
        anchors = self.anchors.of(features)  # (A_l, 4)
        found = []
        for i, size in enumerate(sizes):
            boxes = [decode(move[i][:, None], each)[:, 0] for move, each in zip(moves, anchors, strict=True)]
            clipped = [clip_boxes_to_image(each, size) for each in boxes]
            found.append(propose([(box, score[i]) for box, score in zip(clipped, scores, strict=True)]))
        return found

    def boxes(
        self, features: Sequence[Tensor], proposals: Sequence[Tensor], sizes: Sequence[tuple[int, int]]
    ) -> Iterator[dict[str, Tensor]]:
        """Proposals (p, 4) of each image, its size (h, w) -> its {boxes, scores, labels}."""
        logits, deltas = self.box_head(crop(features, self.strides, proposals, BOX_CROP))
        counts = [len(each) for each in proposals]
        parts = (
            proposals,
            at_least_float32(logits).softmax(dim=-1).split(counts),
            at_least_float32(deltas).split(counts),
            sizes,
        )
        for mine, scores, moves, size in zip(*parts, strict=True):
            # Index 0 is the background, in the scores as in the boxes.
            decoded = clip_boxes_to_image(decode(moves[:, 1:], mine, BOX_WEIGHTS), size)  # (p, 90, 4)
            with stage("suppression"):
                best, confidences, labels = select(decoded, scores[:, 1:], self.threshold)
            yield {"boxes": best, "scores": confidences, "labels": labels}

    def add_masks(self, features: Sequence[Tensor], detections: Sequence[dict[str, Tensor]]) -> None:
        """Puts `mask_crops` (m, 28, 28) into the detections of each image: of each box that of its own label."""
        boxes = [each["boxes"] for each in detections]
        logits = self.mask_head(crop(features, self.strides, boxes, MASK_CROP))  # (all m, 91, 28, 28)
        labels = torch.cat([each["labels"] for each in detections]) + 1
        masks = at_least_float32(logits[torch.arange(len(labels), device=labels.device), labels]).sigmoid()
        for each, mine in zip(detections, masks.split([len(box) for box in boxes]), strict=True):
            each["mask_crops"] = mine

    def count_parts(self, images: Tensor, proposals: int = 1000, masks: int = 100) -> dict[str, Any]:
        """Backbone and RPN head on images (N, 3, H, W); box and mask head on that many RoI features of each."""
        features = self.backbone(images)
        self.rpn_head(features)
        n, channels = features[0].shape[:2]
        self.box_head(images.new_zeros(n * proposals, channels, BOX_CROP, BOX_CROP))
        self.mask_head(images.new_zeros(n * masks, channels, MASK_CROP, MASK_CROP))
        left_out = "anchors, box decoding, top-k, NMS, RoIAlign, mask pasting"
        return {"proposals": proposals, "masks": masks, "not counted": left_out}


def rpn_head(inputs: int, width: int, convs: int, anchors: Anchors, activation: Activation) -> Tower:
    """Feature maps -> objectness logits (N, A, h_l, w_l) and deltas (N, A x 4, h_l, w_l) by level.

    Channel anchor x 4 + (dy, dx, dh, dw).
    """
    predictors = {"scores": anchors.per_cell, "boxes": 4 * anchors.per_cell}
    return Tower(inputs, width, convs, anchors.levels, predictors, 1, activation)


class SpineNetBoxHead(nn.Module):
    """RoI features (r, inputs, 7, 7) -> class logits (r, classes) and deltas (r, classes, 4), each dy, dx, dh, dw.

    Features are flattened channel by channel; the official kernel has its rows by y, x, channel.
    """

    def __init__(self, inputs: int, width: int, convs: int, linear: int, classes: int, activation: Activation) -> None:
        super().__init__()
        self.convs, self.bns = tower(inputs, width, convs)
        self.fc, self.fc_bn = nn.Linear(width * BOX_CROP**2, linear), nn.BatchNorm1d(linear)
        self.scores, self.boxes = nn.Linear(linear, classes), nn.Linear(linear, 4 * classes)
        self.activation = ACTIVATIONS[activation]()
        nn.init.uniform_(self.fc.weight, -(linear**-0.5), linear**-0.5)
        nn.init.zeros_(self.fc.bias)
        init_normal(self.scores, 0.01)
        init_normal(self.boxes, 0.001)
        official_norms(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for conv, bn in zip(self.convs, self.bns, strict=True):
            x = self.activation(bn(conv(x)))  # (r, width, 7, 7)
        x = self.activation(self.fc_bn(self.fc(x.flatten(1))))  # (r, linear)
        return self.scores(x), self.boxes(x).unflatten(1, (-1, 4))


class SpineNetMaskHead(nn.Module):
    """RoI features (r, inputs, 14, 14) -> mask logits (r, classes, 28, 28)."""

    def __init__(self, inputs: int, width: int, convs: int, classes: int, activation: Activation) -> None:
        super().__init__()
        self.convs, self.bns = tower(inputs, width, convs)
        self.deconv, self.deconv_bn = nn.ConvTranspose2d(width, width, 2, 2), nn.BatchNorm2d(width)
        self.logits = nn.Conv2d(width, classes, 1)
        self.activation = ACTIVATIONS[activation]()
        for layer in (self.deconv, self.logits):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        official_norms(self)

    def forward(self, x: Tensor) -> Tensor:
        for conv, bn in zip(self.convs, self.bns, strict=True):
            x = self.activation(bn(conv(x)))  # (r, width, 14, 14)
        x = self.activation(self.deconv_bn(self.deconv(x)))  # (r, width, 28, 28)
        return self.logits(x)


def tower(inputs: int, width: int, convs: int) -> tuple[nn.ModuleList, nn.ModuleList]:
    """3x3 convolutions of `width` channels, with biases, and a batch norm for each."""
    widths = [inputs] + [width] * convs
    layers = nn.ModuleList(nn.Conv2d(widths[i], width, 3, padding=1) for i in range(convs))
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, mode="fan_out")  # type: ignore[arg-type]
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layers, nn.ModuleList(nn.BatchNorm2d(width) for _ in range(convs))
