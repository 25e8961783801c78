"""The losses of Mask R-CNN and of RetinaNet, on images of one size.

    Mask R-CNN    proposals: cross entropy of object or not, smooth L1 (beta 1/9) of deltas
                  boxes: cross entropy of the class, smooth L1 (beta 1) of deltas, both over all sampled boxes
                  masks: cross entropy of every pixel of a 28 x 28 crop, of the true class alone
    RetinaNet     focal loss of every anchor and class, smooth L1 (beta 0.1) of deltas, both by objects' anchors

Ren et al., Faster R-CNN, NeurIPS 2015; He et al., Mask R-CNN, ICCV 2017; Lin et al., RetinaNet, ICCV 2017, with the
focusing parameter of Du et al., SpineNet, CVPR 2020, 1.5. Parts are added up with a weight of 1. Convention mmdet3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align, sigmoid_focal_loss

from hrbench.miniature.train.detection_targets import IGNORED, Truth, assign, encode, sample
from hrbench.models.detectors.detector import flat
from hrbench.models.detectors.rcnn import BOX_CELLS, MASK_CELLS, RCNN, ROI_LEVELS, STDS
from hrbench.models.detectors.retinanet import RetinaNet
from hrbench.models.detectors.roi import region_features

SAMPLED, SAMPLED_SHARE = 128, 0.5  # anchors of an image that proposals learn from
REGIONS, REGIONS_SHARE = 48, 0.25  # boxes of an image that the box head learns from
ALPHA, GAMMA = 0.25, 1.5


def mask_rcnn_loss(net: RCNN, images: Tensor, truths: Sequence[Truth]) -> Tensor:
    """The loss of a network with one box head and one mask head on images (N, 3, H, W), normalised."""
    features = net.neck(net.backbone(images))
    anchors = net.anchors(features)
    logits, deltas = net.rpn_head(features)
    generators = [torch.Generator().manual_seed(truth.seed) for truth in truths]
    loss = _proposals(logits, deltas, torch.cat(anchors), truths, generators)
    with torch.no_grad():
        sizes = [(images.shape[2], images.shape[3])] * len(images)
        proposals = net.select_proposals(logits, deltas, anchors, sizes)
    return loss + _regions(net, features, proposals, truths, generators)


def _proposals(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: Tensor,
    truths: Sequence[Truth],
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Objectness and box loss of sampled anchors, over all images."""
    logit = torch.cat([flat(each, 1) for each in logits], dim=1)[..., 0]  # (N, A)
    delta = torch.cat([flat(each, 4) for each in deltas], dim=1)  # (N, A, 4)
    count, total = 0, logit.new_zeros(())
    for image, (truth, generator) in enumerate(zip(truths, generators, strict=True)):
        assigned = assign(anchors, truth, 0.3, 0.7, min_overlap=0.3)
        objects, background = sample(assigned, SAMPLED, SAMPLED_SHARE, generator)
        chosen = torch.cat([objects, background])
        wanted = (assigned[chosen] >= 0).to(logit.dtype)
        total = total + F.binary_cross_entropy_with_logits(logit[image, chosen], wanted, reduction="sum")
        if len(objects):
            moves = encode(anchors[objects], truth.boxes[assigned[objects]])
            total = total + F.smooth_l1_loss(delta[image, objects], moves, reduction="sum", beta=1 / 9)
        count += len(chosen)
    return total / max(1, count)


def _regions(
    net: RCNN,
    features: Sequence[Tensor],
    proposals: Sequence[Tensor],
    truths: Sequence[Truth],
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Class, box and mask of sampled proposals and of the true boxes, over all images."""
    regions, found, labels, moves, masks = [], [], [], [], []
    background = net.roi_head.classes
    for proposed, truth, generator in zip(proposals, truths, generators, strict=True):
        boxes = torch.cat([truth.boxes, proposed])
        assigned = assign(boxes, truth, 0.5, 0.5)
        objects, others = sample(assigned, REGIONS, REGIONS_SHARE, generator)
        owners = assigned[objects]
        regions.append(boxes[torch.cat([objects, others])])
        found.append(boxes[objects])
        labels.append(torch.cat([truth.labels[owners], torch.full_like(others, background)]))
        moves.append(encode(boxes[objects], truth.boxes[owners], STDS[0]))
        masks.append(mask_targets(truth.masks, boxes[objects], owners, 2 * MASK_CELLS))
    levels = range(min(ROI_LEVELS, len(features)))
    maps, strides = [features[i] for i in levels], [net.strides[i] for i in levels]
    label, move = torch.cat(labels), torch.cat(moves)
    (head,), (mask_head,) = net.roi_head.box_heads, net.roi_head.mask_heads
    logits, deltas = head(region_features(maps, strides, regions, BOX_CELLS, "mmdet3", net.roi_head.finest))
    (rows,) = torch.nonzero(label < background, as_tuple=True)
    of_class = deltas.unflatten(1, (-1, 4))[rows, label[rows]]
    loss = F.cross_entropy(logits, label) + F.smooth_l1_loss(of_class, move, reduction="sum") / len(label)
    if len(rows):
        crops = region_features(maps, strides, found, MASK_CELLS, "mmdet3", net.roi_head.finest)
        chosen = mask_head(crops)[torch.arange(len(rows)), label[rows]]  # (M, 28, 28)
        loss = loss + F.binary_cross_entropy_with_logits(chosen, torch.cat(masks))
    return loss


def mask_targets(masks: Tensor, boxes: Tensor, owners: Tensor, cells: int) -> Tensor:
    """The masks (n, h, w) of the objects that boxes (M, 4) are assigned to, cropped: (M, cells, cells), 0 or 1.

    A cell is 1 if at least half of it is mask.
    """
    if not len(boxes):
        return masks.new_zeros(0, cells, cells)
    regions = torch.cat([owners[:, None].to(boxes.dtype), boxes], dim=1)
    return (roi_align(masks[:, None], regions, cells, 1.0, 0, aligned=True)[:, 0] >= 0.5).to(masks.dtype)


def retinanet_loss(net: RetinaNet, images: Tensor, truths: Sequence[Truth]) -> Tensor:
    """The loss on images (N, 3, H, W), normalised. The target of class 0, the background, is always 0."""
    features = net.backbone(images)
    logits, deltas = net.head(features)
    logit = torch.cat([flat(each, net.classes) for each in logits], dim=1)  # (N, A, classes)
    delta = torch.cat([flat(each, 4) for each in deltas], dim=1)  # (N, A, 4): dy, dx, dh, dw
    anchors = torch.cat(net.anchors.of(features))
    count, total = 0, logit.new_zeros(())
    for image, truth in enumerate(truths):
        assigned = assign(anchors, truth, 0.4, 0.5, min_overlap=0.0)
        (objects,) = torch.nonzero(assigned >= 0, as_tuple=True)
        wanted = torch.zeros_like(logit[image])
        wanted[objects, truth.labels[assigned[objects]] + 1] = 1
        used = assigned != IGNORED
        total = total + sigmoid_focal_loss(logit[image, used], wanted[used], ALPHA, GAMMA, "sum")
        moves = encode(anchors[objects], truth.boxes[assigned[objects]])[:, [1, 0, 3, 2]]
        total = total + F.smooth_l1_loss(delta[image, objects], moves, reduction="sum", beta=0.1)
        count += len(objects)
    return total / max(1, count)
