"""The OCR head against its equations, written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from empty import on_meta
from torch import nn

from hrbench.models.hrnet import seg_hrnet_ocr
from hrbench.models.layers.ocr import SpatialGather
from hrbench.models.layers.pyramid import concatenate_branches

pytestmark = pytest.mark.numeric

NARROW: dict[str, Any] = {"stem": 4, "planes": 2, "widths": (2, 3, 4, 5), "modules": (1, 1, 1), "blocks": 1}


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


class Written:
    """Layers from a state dict, by hand. Maps are (N, C, pixels)."""

    def __init__(self, net: nn.Module) -> None:
        self.state = {key: value.numpy() for key, value in net.state_dict().items()}

    def point(self, key: str, x: np.ndarray) -> np.ndarray:
        y = np.einsum("oi,nip->nop", self.state[f"{key}.weight"][:, :, 0, 0], x)
        return y + self.state.get(f"{key}.bias", np.zeros(y.shape[1]))[:, None]

    def normed(self, key: str, x: np.ndarray) -> np.ndarray:
        """Batch norm in eval mode, then ReLU."""
        weight, bias, mean, var = (
            self.state[f"{key}.{name}"][:, None] for name in ("weight", "bias", "running_mean", "running_var")
        )
        return np.maximum((x - mean) / np.sqrt(var + 1e-5) * weight + bias, 0)

    def window(self, key: str, x: np.ndarray, height: int, width: int) -> np.ndarray:
        """A 3x3 convolution with padding 1 and a bias."""
        weight = self.state[f"{key}.weight"]
        padded = np.pad(x.reshape(*x.shape[:2], height, width), ((0, 0), (0, 0), (1, 1), (1, 1)))
        total = np.zeros((len(x), len(weight), height, width))
        for i in range(3):
            for j in range(3):
                total += np.einsum("oi,nihw->nohw", weight[:, :, i, j], padded[:, :, i : i + height, j : j + width])
        return total.reshape(len(x), len(weight), -1) + self.state[f"{key}.bias"][:, None]

    def twice(self, key: str, x: np.ndarray) -> np.ndarray:
        return self.normed(f"{key}.3.0", self.point(f"{key}.2", self.once(key, x)))

    def once(self, key: str, x: np.ndarray) -> np.ndarray:
        return self.normed(f"{key}.1.0", self.point(f"{key}.0", x))


def by_hand(net: nn.Module, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Auxiliary and final logits (N, classes, h, w) of the concatenated branches (N, C, h, w)."""
    layer, (n, _, height, width) = Written(net), x.shape
    flat = x.reshape(n, x.shape[1], -1)
    auxiliary = layer.point("aux_head.3", layer.normed("aux_head.1", layer.point("aux_head.0", flat)))
    features = layer.normed("conv3x3_ocr.1", layer.window("conv3x3_ocr.0", flat, height, width))
    objects = np.einsum("nkp,ncp->nck", softmax(auxiliary, 2), features)
    block = "ocr_distri_head.object_context_block"
    query = layer.twice(f"{block}.f_pixel", features)
    key, value = layer.twice(f"{block}.f_object", objects), layer.once(f"{block}.f_down", objects)
    relation = softmax(np.einsum("ncp,nck->npk", query, key) / np.sqrt(key.shape[1]), 2)
    context = layer.once(f"{block}.f_up", np.einsum("npk,nck->ncp", relation, value))
    both = layer.once("ocr_distri_head.conv_bn_dropout", np.concatenate([context, features], 1))
    final = layer.point("cls_head", both)
    return auxiliary.reshape(n, -1, height, width), final.reshape(n, -1, height, width)


@pytest.mark.parametrize("aligned", [True, False])
def test_logits_are_the_papers_equations(aligned: bool, fill: Any) -> None:
    net = fill.fill(seg_hrnet_ocr(classes=3, align_corners=aligned, middle=6, key=4, layer1=1, **NARROW))
    image = torch.from_numpy(fill.image((2, 3, 45, 36)))
    with torch.inference_mode():
        output = net(image)
        expected = by_hand(net, concatenate_branches(net.features(image), aligned).numpy())
    assert [tuple(each.shape) for each in output] == [(2, 3, 12, 9)] * 2
    for got, wanted in zip(output, expected, strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_objects_are_weighted_means_over_pixels() -> None:
    torch.manual_seed(0)
    gather = SpatialGather()
    same = torch.full((2, 5, 4, 3), 7.0, dtype=torch.float64)
    logits = torch.randn(2, 3, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(gather(same, logits), torch.full((2, 5, 3, 1), 7.0, dtype=torch.float64))
    logits[:, 1, 2, 0] = 1e4  # a class that is sure of one pixel is that pixel
    features = torch.randn(2, 5, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(gather(features, logits)[:, :, 1, 0], features[:, :, 2, 0])


def norm(prefix: str) -> set[str]:
    names = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {f"{prefix}.{name}" for name in names}


def test_keys_of_the_head_are_those_of_the_official_branch() -> None:
    with on_meta():
        net = seg_hrnet_ocr(classes=3, **NARROW)
    biased = {"conv3x3_ocr.0", "aux_head.0", "aux_head.3", "cls_head"}
    block = "ocr_distri_head.object_context_block"
    plain = {f"{block}.{name}" for name in ("f_pixel.0", "f_pixel.2", "f_object.0", "f_object.2", "f_down.0", "f_up.0")}
    plain |= {"ocr_distri_head.conv_bn_dropout.0"}
    norms = {"conv3x3_ocr.1", "aux_head.1", "ocr_distri_head.conv_bn_dropout.1.0"}
    norms |= {
        f"{block}.{name}.0" for name in ("f_pixel.1", "f_pixel.3", "f_object.1", "f_object.3", "f_down.1", "f_up.1")
    }
    keys = {f"{name}.weight" for name in biased | plain} | {f"{name}.bias" for name in biased}
    trunk = ("conv1.", "conv2.", "bn1.", "bn2.", "layer1.", "stage", "transition")
    assert {key for key in net.state_dict() if not key.startswith(trunk)} == keys.union(*map(norm, norms))


def test_parameters_of_the_head_counted_by_hand() -> None:
    with on_meta():
        whole = sum(p.numel() for p in seg_hrnet_ocr(48, classes=19).parameters())
        trunk = sum(
            p.numel()
            for key, p in seg_hrnet_ocr(48, classes=1).named_parameters()
            if "_" not in key or "fuse_layers" in key
        )
    channels, middle, key, classes = 15 * 48, 512, 256, 19
    aux = channels * channels + channels + 2 * channels + channels * classes + classes
    wide = 9 * channels * middle + middle + 2 * middle
    attention = 2 * (middle * key + key * key + 4 * key) + middle * key + 2 * key + key * middle + 2 * middle
    last = 2 * middle * middle + 2 * middle + middle * classes + classes
    assert whole - trunk == aux + wide + attention + last
    assert whole == 70_372_678
