"""The losses of detectors: closed forms, nothing left to gain at the truth, crowds and empty images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from hrbench.catalog import variants
from hrbench.miniature.train import detection_losses as losses
from hrbench.miniature.train.detection_losses import mask_rcnn_loss, mask_targets, retinanet_loss
from hrbench.miniature.train.detection_targets import IGNORED, Truth, assign, encode
from hrbench.models.build import build

pytestmark = pytest.mark.numeric

SIDE = 160


def truth(boxes: list[list[float]], labels: list[int], crowds: list[list[float]] | None = None) -> Truth:
    masks = torch.zeros(len(boxes), SIDE, SIDE)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[int(y1) : int(y2), int(x1) : int(x2)] = 1
    where = torch.tensor(boxes).reshape(-1, 4)
    return Truth(where, torch.tensor(labels, dtype=torch.int64), masks, torch.tensor(crowds or []).reshape(-1, 4), 7)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mask_rcnn() -> Any:
    torch.manual_seed(0)
    return build(variants()["mask_rcnn_hrnetv2p_miniature_coco"]).train()


@pytest.fixture
def retinanet() -> Any:
    torch.manual_seed(0)
    return build(variants()["retinanet_spinenet_miniature_coco"]).train()


# --- masks ---------------------------------------------------------------------------------------------------------


def test_a_mask_is_cut_out_and_scaled() -> None:
    masks = torch.zeros(2, 40, 40)
    masks[1, 10:20, 10:15] = 1  # the left half of the box
    crops = mask_targets(masks, tensor([[10.0, 10, 20, 20], [10.0, 10, 15, 20]]), tensor([1, 1]), 8)
    assert crops.shape == (2, 8, 8)
    assert crops[0, :, :4].all() and not crops[0, :, 4:].any()
    assert crops[1].all()
    assert not mask_targets(masks, tensor([[10.0, 10, 20, 20]]), tensor([0]), 8).any()
    assert mask_targets(masks, torch.zeros(0, 4), torch.zeros(0).long(), 8).shape == (0, 8, 8)


# --- proposals -------------------------------------------------------------------------------------------------------


def proposal_loss(anchors: Tensor, logit: Tensor, delta: Tensor, target: Truth) -> float:
    """With one level of A anchors in A cells."""
    logits, deltas = logit.reshape(1, 1, 1, -1), delta.T.reshape(1, 4, 1, -1)
    return losses._proposals([logits], [deltas], anchors, [target], [torch.Generator().manual_seed(0)]).item()


def test_undecided_proposals_lose_a_bit_each() -> None:
    anchors = tensor([[0.0, 0, 10, 10], [50.0, 50, 60, 60], [80.0, 80, 95, 90]])
    target = truth([[0, 0, 10, 10]], [0])
    assert proposal_loss(anchors, torch.zeros(3), torch.zeros(3, 4), target) == pytest.approx(math.log(2))
    sure = tensor([30.0, -30, -30])
    assert proposal_loss(anchors, sure, torch.zeros(3, 4), target) == pytest.approx(0, abs=1e-6)


def test_proposals_far_from_their_object_lose_by_smooth_l1() -> None:
    anchors, sure = tensor([[0.0, 0, 10, 10], [50.0, 50, 60, 60]]), tensor([30.0, -30])
    target = truth([[0, 0, 10, 10]], [0])
    delta = torch.zeros(2, 4)
    delta[0] = tensor([1.0, 0, 0, 0.05])  # linear beyond a ninth, quadratic within
    expected = (1 - 0.5 / 9 + 0.5 * 0.05**2 * 9) / 2
    assert proposal_loss(anchors, sure, delta, target) == pytest.approx(expected, rel=1e-5)
    delta[1] = 100.0  # background has no place to be
    assert proposal_loss(anchors, sure, delta, target) == pytest.approx(expected, rel=1e-5)


# --- whole networks --------------------------------------------------------------------------------------------------


def test_retinanet_s_loss_is_the_sum_of_its_formulas(retinanet: Any, images: Tensor) -> None:
    truths = [
        truth([[20, 30, 60, 70], [90, 90, 120, 110]], [4, 0]),
        truth([[10, 10, 90, 100]], [2], [[100, 0, 160, 60]]),
    ]
    ours = retinanet_loss(retinanet, images, truths)
    features = retinanet.backbone(images)
    logits, deltas = ([each.detach() for each in maps] for maps in retinanet.head(features))
    anchors = torch.cat(retinanet.anchors.of(features)).numpy().astype(np.float64)
    total, count = 0.0, 0
    for i, target in enumerate(truths):
        rows = [x[i].permute(1, 2, 0).reshape(-1, 6) for x in logits]
        p = torch.cat(rows).double().sigmoid()
        moves = torch.cat([x[i].permute(1, 2, 0).reshape(-1, 4) for x in deltas]).double()
        owner = assign(torch.from_numpy(anchors).float(), target, 0.4, 0.5, min_overlap=0.0)
        for a in torch.nonzero(owner != IGNORED)[:, 0].tolist():
            k = int(owner[a])
            for c in range(6):
                hit = k >= 0 and int(target.labels[k]) + 1 == c
                q = float(p[a, c]) if hit else 1 - float(p[a, c])
                total -= (0.25 if hit else 0.75) * (1 - q) ** 1.5 * math.log(q)
            if k >= 0:
                count += 1
                dx, dy, dw, dh = encode(torch.from_numpy(anchors[a : a + 1]), target.boxes[k : k + 1].double())[
                    0
                ].tolist()
                for wanted, got in zip((dy, dx, dh, dw), moves[a].tolist(), strict=True):
                    d = abs(wanted - got)
                    total += 5 * d * d if d < 0.1 else d - 0.05
    assert count > 5
    assert ours.item() == pytest.approx(total / count, rel=1e-4)


@pytest.mark.parametrize("kind", ["mask_rcnn", "retinanet"])
def test_images_without_objects_give_a_loss_and_gradients(
    kind: str, images: Tensor, request: pytest.FixtureRequest
) -> None:
    net = request.getfixturevalue(kind)
    loss = {"mask_rcnn": mask_rcnn_loss, "retinanet": retinanet_loss}[kind](net, images, [truth([], []), truth([], [])])
    loss.backward()
    assert torch.isfinite(loss) and loss > 0
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_every_part_of_mask_rcnn_learns_and_the_loss_repeats(mask_rcnn: Any, images: Tensor) -> None:
    truths = [truth([[20, 30, 60, 70]], [4]), truth([[10, 10, 90, 100]], [2])]
    loss = mask_rcnn_loss(mask_rcnn, images, truths)
    loss.backward()
    for name, parameter in mask_rcnn.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert mask_rcnn_loss(mask_rcnn, images, truths).item() == pytest.approx(loss.item(), rel=1e-5)


def test_mask_rcnn_s_regions_lose_what_an_undecided_head_must(mask_rcnn: Any, images: Tensor) -> None:
    """With heads that say nothing: a sixth for each class, half for each pixel, and deltas of zero."""
    for layer in (mask_rcnn.roi_head.bbox_head.fc_cls, mask_rcnn.roi_head.bbox_head.fc_reg):
        torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(mask_rcnn.roi_head.mask_head.conv_logits.weight)
    target = truth([[20, 30, 60, 70]], [4])
    features = mask_rcnn.neck(mask_rcnn.backbone(images[:1]))
    proposed = [tensor([[24.0, 30, 64, 70], [100.0, 100, 130, 130]])]
    loss = losses._regions(mask_rcnn, features, proposed, [target], [torch.Generator().manual_seed(0)])
    shift = -0.1 / 0.1  # the first proposal lies a tenth of its width to the right, in units of 0.1
    box = F.smooth_l1_loss(tensor(shift), tensor(0.0)).item() / 3
    assert loss.item() == pytest.approx(math.log(6) + math.log(2) + box, rel=1e-4)
