"""Class maps of networks with class and mask queries, as the library's own post-processing makes them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hrbench.cost.operations.count import count_operations
from hrbench.models.adapters.transformers import build

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.numeric

SMALL: dict[str, Any] = {
    "num_labels": 3, "feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "num_queries": 7,
    "encoder_layers": 1, "decoder_layers": 2, "num_attention_heads": 2, "dim_feedforward": 32,
    "encoder_feedforward_dim": 32,
}  # fmt: skip


def test_mask2former_gives_the_maps_of_its_own_post_processing() -> None:
    torch.manual_seed(0)
    net: Any = build("mask2former", task="segmentation", **SMALL).eval()
    images = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        ours = net(images)
        net._forward_hooks.clear()
        made = transformers.Mask2FormerImageProcessor().post_process_semantic_segmentation(net(images), [(70, 90)])
    assert ours.shape == (1, 3, 384, 384)
    maps = torch.nn.functional.interpolate(ours, size=(70, 90), mode="bilinear", align_corners=False)[0]
    assert torch.equal(maps.argmax(0), made[0])


def test_oneformer_takes_its_task_and_is_counted() -> None:
    net = build("oneformer", task="segmentation", num_labels=3, num_queries=5, encoder_layers=1)
    with torch.inference_mode():
        assert net.eval()(torch.randn(2, 3, 64, 64)).shape[:2] == (2, 3)
    assert count_operations(net, (1, 3, 64, 64), device="cpu").total("macs") > 0
