"""RetinaNet as a whole: what comes out, whatever its backbone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import tf_reference
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.cost.operations.count import count_operations
from hrbench.errors import UsageError
from hrbench.models.detectors.retinanet import RetinaNet, retinanet

pytestmark = pytest.mark.numeric

STRIDES = (8, 16, 32, 64, 128)
CLASSES, SIZE = 4, 3.0


class Pyramid(nn.Module):
    """A backbone that averages: each level is the image at its resolution, under a few convolved channels."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.channels, self.strides = (channels,) * 5, STRIDES
        self.conv = nn.Conv2d(3, channels, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.conv(F.avg_pool2d(images, stride)) for stride in self.strides]


def images(*sizes: tuple[int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [4 * torch.randn(3, *size, generator=generator, dtype=torch.float64) for size in sizes]


@pytest.fixture(scope="module")
def net(fill: Any) -> RetinaNet:
    net = fill.fill(retinanet(Pyramid(), convs=2, width=8, anchor_size=SIZE, scales=2, classes=CLASSES))
    with torch.no_grad():
        net.head.cls.predictor.weight.mul_(4)
        net.head.cls.predictor.bias.sub_(1.5)
    return net


def official(net: RetinaNet, image: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One image that fits 128 x 128 through the network's backbone and head, and then through NumPy."""
    square = torch.zeros(1, 3, 128, 128, dtype=torch.float64)
    height, width = image.shape[1:]
    square[0, :, :height, :width] = image
    with torch.inference_mode():
        logits, deltas = net.head(net.backbone(square))
    boxes, scores, size = [], [], (height, width)
    for stride, cls, box in zip(STRIDES, logits, deltas, strict=True):
        side = 128 // stride
        scores.append(1 / (1 + np.exp(-cls[0].permute(1, 2, 0).reshape(-1, CLASSES).numpy())))
        moves = box[0].permute(1, 2, 0).reshape(-1, 4).numpy()
        anchors = tf_reference.anchors(side, side, stride, SIZE, 2)
        boxes += [tf_reference.decode(*pair, (1, 1, 1, 1), size) for pair in zip(moves, anchors, strict=True)]
    return tf_reference.select(np.array(boxes)[:, None], np.concatenate(scores)[:, 1:], 0.05, 5000, 100)


@pytest.mark.parametrize("size", [(128, 128), (128, 70), (90, 128)])
def test_what_is_behind_the_head_is_the_official_code_in_numpy(net: RetinaNet, size: tuple[int, int]) -> None:
    (image,) = images(size)
    with torch.inference_mode():
        (found,) = net([image])
    boxes, scores, labels = official(net, image)
    assert len(scores) > 20 and len(set(labels.tolist())) == CLASSES - 1
    assert found["labels"].tolist() == labels.tolist()
    np.testing.assert_allclose(found["scores"], scores, rtol=1e-9)
    np.testing.assert_allclose(found["boxes"][:, [1, 0, 3, 2]], boxes, rtol=1e-9, atol=1e-9)
    assert found["boxes"][:, 0::2].max() <= size[1] and found["boxes"][:, 1::2].max() <= size[0]


def test_no_image_touches_another(net: RetinaNet) -> None:
    several = images((128, 70), (200, 256), (60, 128), (128, 70))
    with torch.inference_mode():
        together, alone = net(several), [net([image])[0] for image in several]
        assert net([]) == []
    for one, two in zip(together, alone, strict=True):
        assert one["labels"].tolist() == two["labels"].tolist()
        torch.testing.assert_close(one["boxes"], two["boxes"], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(one["scores"], two["scores"], rtol=1e-9, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_boxes_of_a_network_in_half_precision_are_float32(net: RetinaNet, dtype: torch.dtype) -> None:
    half = copy.deepcopy(net).to(dtype).requires_grad_(False)
    (found,) = half([image.to(dtype) for image in images((100, 128))])
    assert len(found["boxes"]) and found["boxes"].dtype == found["scores"].dtype == torch.float32
    assert (found["boxes"] != found["boxes"].to(dtype)).any()


def test_every_class_starts_at_a_hundredth() -> None:
    (found,) = retinanet(Pyramid()).eval()([torch.zeros(3, 128, 128)])
    assert len(found["boxes"]) == 0
    logits, _ = retinanet(Pyramid()).eval().head(Pyramid()(torch.zeros(1, 3, 128, 128)))
    torch.testing.assert_close(logits[0].sigmoid(), torch.full_like(logits[0], 0.01), rtol=1e-2, atol=0)


def test_it_is_counted_without_proposals_or_masks_and_one_image_costs_as_much_as_another() -> None:
    one, two = (count_operations(lambda: retinanet(Pyramid()), (n, 3, 256, 256)) for n in (1, 2))
    assert two.total("macs") == 2 * one.total("macs")
    assert set(one.conditions) == {"not counted"}
    few = count_operations(lambda: retinanet(Pyramid()), (1, 3, 256, 256), proposals=3, masks=2)
    assert few.total("macs") == one.total("macs")


def test_swish_is_a_choice_of_the_head() -> None:
    head = retinanet(Pyramid(), activation="swish").head
    assert isinstance(head.cls.activation, nn.SiLU) and isinstance(head.box.activation, nn.SiLU)


@pytest.mark.parametrize(
    "given",
    [{"convs": 0}, {"width": 0}, {"classes": 1}, {"scales": 0}, {"anchor_size": 0.0}, {"activation": "gelu"}],
)
def test_values_that_make_no_network(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="retinanet"):
        retinanet(Pyramid(), **given)


def test_a_backbone_without_levels() -> None:
    with pytest.raises(UsageError, match="Conv2d"):
        retinanet(nn.Conv2d(3, 3, 1))


def test_a_divisor_fills_small_images_up_less(fill: Any) -> None:
    seen: list[torch.Size] = []
    for divisor in (None, 32):
        made = fill.fill(retinanet(Pyramid(), convs=1, width=4, classes=CLASSES, divisor=divisor))
        made.backbone.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape))
        with torch.inference_mode():
            made(images((160, 150)))
    assert [tuple(shape) for shape in seen] == [(1, 3, 256, 256), (1, 3, 160, 160)]
    with pytest.raises(UsageError, match="divisor 0 were given"):
        retinanet(Pyramid(), divisor=0)
