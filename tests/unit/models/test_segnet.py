from __future__ import annotations

import pytest
import torch
import torchvision
from empty import on_meta

from hrbench.errors import UsageError
from hrbench.models.segnet import segnet

pytestmark = pytest.mark.numeric


def test_layers_are_those_of_the_prototxt() -> None:
    with on_meta():
        net = segnet(classes=11)
    shapes = {key[: -len(".weight")]: tuple(p.shape) for key, p in net.named_parameters() if p.dim() == 4}
    assert len(shapes) == 26
    outputs = {name: shape[0] for name, shape in shapes.items()}
    assert [outputs[f"conv{i}_1_D"] for i in (5, 4, 3, 2, 1)] == [512, 256, 128, 64, 11]
    assert [outputs[name] for name in ("conv4_3_D", "conv4_2_D", "conv3_2_D", "conv2_2_D", "conv1_2_D")] == [
        512,
        512,
        256,
        128,
        64,
    ]
    assert "conv1_1_D_bn" not in dict(net.named_modules())
    assert sum(p.numel() for p in net.parameters()) == 29_449_355


def test_the_encoder_is_vgg16() -> None:
    with on_meta():
        peer, net = torchvision.models.vgg16_bn(weights=None).features, segnet()
    counted = sum(p.numel() for key, p in net.named_parameters() if "_D" not in key)
    assert counted == sum(p.numel() for p in peer.parameters())


@pytest.mark.parametrize("size", [(64, 64), (45, 70)])
def test_logits_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert segnet(classes=3).eval()(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_values_return_to_where_the_poolings_took_them_from() -> None:
    net = segnet(classes=1).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
            module.weight.data[0, 0, 1, 1] = 1.0  # the first channel passes through
    image = torch.rand(1, 3, 32, 32)
    highest = image[0, 0].argmax()
    with torch.inference_mode():
        logits = net(image)[0, 0]
    assert logits.argmax() == highest
    assert (logits != 0).sum() == 1  # of 32 x 32 values the five poolings keep one


def test_classes_below_one() -> None:
    with pytest.raises(UsageError, match="classes 0 was given"):
        segnet(classes=0)
