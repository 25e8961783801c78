"""Mask R-CNN in the official TensorFlow convention as a whole: what comes out, whatever its backbone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tf_reference
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.cost.operations.count import count_operations
from hrbench.errors import UsageError
from hrbench.models.detectors.spinenet_rcnn import SpineNetMaskRCNN, spinenet_mask_rcnn

pytestmark = pytest.mark.numeric

STRIDES = (8, 16, 32, 64, 128)
CLASSES, SIZE = 4, 3.0


class Averages(nn.Module):
    """A backbone that averages: each level is the image at its resolution, under a few convolved channels."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.channels, self.strides = (channels,) * 5, STRIDES
        self.conv = nn.Conv2d(3, channels, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.conv(F.avg_pool2d(images, stride)) for stride in self.strides]


def small(**given: Any) -> SpineNetMaskRCNN:
    settings = {"convs": (1, 1, 1), "width": 8, "linear": 12, "anchor_size": SIZE, "classes": CLASSES, **given}
    return spinenet_mask_rcnn(Averages(), **settings)


def images(*sizes: tuple[int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [8 * torch.randn(3, *size, generator=generator, dtype=torch.float64) for size in sizes]


@pytest.fixture(scope="module")
def net(fill: Any) -> SpineNetMaskRCNN:
    net = fill.fill(small())
    with torch.no_grad():
        net.box_head.scores.weight.mul_(3)
        net.box_head.boxes.weight.mul_(4)
        net.mask_head.logits.weight.mul_(4)
    return net


def numbers(x: Tensor) -> np.ndarray:
    return x.detach().numpy()


def proposals_of(net: SpineNetMaskRCNN, features: list[Tensor], size: tuple[int, int]) -> np.ndarray:
    scores, deltas = net.rpn_head(features)
    levels = []
    for stride, score, box in zip(STRIDES, scores, deltas, strict=True):
        side = features[0].shape[-1] * 8 // stride
        moves = numbers(box[0].permute(1, 2, 0).reshape(-1, 4))
        anchors = tf_reference.anchors(side, side, stride, SIZE, 1)
        boxes = [tf_reference.decode(*pair, (1, 1, 1, 1), size) for pair in zip(moves, anchors, strict=True)]
        levels.append((np.array(boxes), numbers(score[0].permute(1, 2, 0).reshape(-1).sigmoid())))
    return tf_reference.propose(levels, 1000)


def crops(features: list[Tensor], boxes: np.ndarray, size: int) -> Tensor:
    maps = [numbers(each[0]) for each in features]
    return torch.from_numpy(np.array([tf_reference.crop(maps, 3, box, size) for box in boxes]))


@pytest.mark.parametrize("size", [(128, 128), (100, 128), (128, 60)])
def test_what_is_between_the_heads_is_the_official_code_in_numpy(net: SpineNetMaskRCNN, size: tuple[int, int]) -> None:
    (image,) = images(size)
    square = F.pad(image, (0, 128 - size[1], 0, 128 - size[0]))[None]
    with torch.inference_mode():
        (found,) = net([image])
        features = net.backbone(square)
        proposals = proposals_of(net, features, size)
        (own,) = net.proposals(features, [size])
        np.testing.assert_allclose(own[:, [1, 0, 3, 2]], proposals, rtol=1e-9, atol=1e-9)

        logits, moves = net.box_head(crops(features, proposals, 7))
        boxes = [
            [tf_reference.decode(move, proposal, (10, 10, 5, 5), size) for move in each[1:]]
            for each, proposal in zip(numbers(moves), proposals, strict=True)
        ]
        shares = numbers(logits.softmax(dim=-1))[:, 1:]
        chosen, scores, labels = tf_reference.select(np.array(boxes), shares, 0.05, 5000, 100)
        masks = numbers(net.mask_head(crops(features, chosen, 14)).sigmoid())

    assert len(scores) > 20 and len(set(labels.tolist())) == CLASSES - 1
    assert found["labels"].tolist() == labels.tolist()
    np.testing.assert_allclose(found["scores"], scores, rtol=1e-9)
    np.testing.assert_allclose(found["boxes"][:, [1, 0, 3, 2]], chosen, rtol=1e-9, atol=1e-9)
    own = [mask[label + 1] for mask, label in zip(masks, labels, strict=True)]
    np.testing.assert_allclose(found["mask_crops"], own, rtol=1e-9, atol=1e-9)


def test_no_image_touches_another(net: SpineNetMaskRCNN) -> None:
    several = images((128, 70), (200, 256), (60, 128), (128, 70))
    with torch.inference_mode():
        together, alone = net(several), [net([image])[0] for image in several]
    for one, two in zip(together, alone, strict=True):
        assert one["labels"].tolist() == two["labels"].tolist()
        torch.testing.assert_close(one["boxes"], two["boxes"], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(one["mask_crops"], two["mask_crops"], rtol=1e-9, atol=1e-9)


def test_an_image_where_nothing_is_found(fill: Any) -> None:
    net = fill.fill(small(threshold=1.0))
    with torch.inference_mode():
        (found,) = net(images((50, 128)))
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "boxes": (0, 4),
        "scores": (0,),
        "labels": (0,),
        "mask_crops": (0, 28, 28),
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_boxes_of_a_network_in_half_precision_are_float32(fill: Any, dtype: torch.dtype) -> None:
    single = fill.fill(small(threshold=0.0)).float()
    pictures = [image.to(dtype) for image in images((100, 128))]
    with torch.inference_mode():
        (expected,) = single([image.float() for image in pictures])
        (found,) = single.to(dtype)(pictures)
    assert {key: value.dtype for key, value in found.items()} == {key: value.dtype for key, value in expected.items()}
    assert len(found["boxes"]) > 10
    best = found["boxes"][0]
    assert (expected["boxes"] - best).abs().amax(dim=1).min() < 2  # pixels: its best is among the others' boxes
    assert (best != best.to(dtype)).any()


def test_operations_grow_with_proposals_and_masks_alone() -> None:
    def macs(proposals: int, masks: int, n: int = 1) -> dict[str, int]:
        ledger = count_operations(lambda: small(), (n, 3, 256, 256), proposals=proposals, masks=masks)
        assert (ledger.conditions["proposals"], ledger.conditions["masks"]) == (proposals, masks)
        return {row.module: row.counts["macs"] for row in ledger.by_module(depth=1)}

    base, more, two = macs(10, 5), macs(30, 10), macs(10, 5, 2)
    assert more["box_head"] == 3 * base["box_head"] and more["mask_head"] == 2 * base["mask_head"]
    assert {key: more[key] for key in ("backbone", "rpn_head")} == {key: base[key] for key in ("backbone", "rpn_head")}
    assert two == {key: 2 * value for key, value in base.items()}


@pytest.mark.parametrize(
    "given",
    [
        {"convs": (1, 4)},
        {"convs": (1, 0, 4)},
        {"width": 0},
        {"linear": 0},
        {"classes": 1},
        {"scales": 0},
        {"anchor_size": -1.0},
        {"activation": "gelu"},
    ],
)
def test_values_that_make_no_network(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="spinenet_mask_rcnn"):
        small(**given)
