from __future__ import annotations

import pytest
import torch
import torchvision
from empty import on_meta

from hrbench.errors import UsageError
from hrbench.models.deconvnet import deconvnet

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    with on_meta():
        return deconvnet().eval()


def test_layers_are_those_of_the_prototxt(net: torch.nn.Module) -> None:
    shapes = {key[: -len(".weight")]: tuple(p.shape) for key, p in net.named_parameters() if p.dim() == 4}
    assert shapes["fc6"] == (4096, 512, 7, 7)
    assert shapes["fc6-deconv"] == (4096, 512, 7, 7)
    assert shapes["deconv4_3"] == (512, 256, 3, 3)  # transposed: read, then written channels
    assert shapes["deconv3_3"] == (256, 128, 3, 3)
    assert shapes["deconv2_2"] == (128, 64, 3, 3)
    assert shapes["deconv1_2"] == (64, 64, 3, 3)
    assert shapes["seg-score-voc"] == (21, 64, 1, 1)
    assert sum(p.numel() for p in net.parameters()) == 251_805_653


def test_the_encoder_is_vgg16(net: torch.nn.Module) -> None:
    with on_meta():
        peer = torchvision.models.vgg16_bn(weights=None)
    counted = sum(p.numel() for key, p in net.named_parameters() if key.startswith(("conv", "bn")) and "fc" not in key)
    assert counted == sum(p.numel() for p in peer.features.parameters())
    dense = [(layer.in_features, layer.out_features) for layer in peer.classifier if hasattr(layer, "in_features")]
    assert dense[:2] == [(512 * 7 * 7, 4096), (4096, 4096)]


@pytest.mark.parametrize("size", [(224, 224), (256, 320)])
def test_logits_have_the_size_of_the_image(net: torch.nn.Module, size: tuple[int, int]) -> None:
    assert net(torch.empty(2, 3, *size, device="meta")).shape == (2, 21, *size)


def test_classes_below_one() -> None:
    with pytest.raises(UsageError, match="classes 0 was given"):
        deconvnet(classes=0)


@pytest.mark.parametrize("size", [(192, 224), (224, 250)])
def test_sizes_that_its_layers_do_not_mirror(net: torch.nn.Module, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=f"{size[0]}x{size[1]} was given; it reads multiples of 32 from 224 on"):
        net(torch.empty(1, 3, *size, device="meta"))
