"""HRNetV2, V2p and C against records of the official code: keys, shapes, counts and float64 outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from empty import empty, on_meta
from seeds import some
from torch import nn

from hrbench.models.hrnet import cls_hrnet, det_hrnetv2p, seg_hrnet

pytestmark = pytest.mark.numeric

FOLDER = "seg_cls_det/models"
RECORDS = sorted(path.stem for path in (Path(__file__).parent / "data" / FOLDER).glob("*_hrnet*.json"))
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "cls_hrnet_w18": lambda: cls_hrnet(18),
    "cls_hrnet_w48": lambda: cls_hrnet(48),
    "det_hrnetv2p_w32_hrfpn": lambda: det_hrnetv2p(32),
    "det_hrnetv2p_w32_hrfpn_mmdet3": lambda: det_hrnetv2p(32, keys="mmdet3"),
    "seg_hrnet_w18_small_v2_cityscapes19": lambda **aligned: seg_hrnet(
        18, 19, modules=(1, 3, 2), blocks=2, layer1=2, **aligned
    ),
    "seg_hrnet_w48_cityscapes19": lambda **aligned: seg_hrnet(48, 19, **aligned),
    "seg_hrnet_w48_lip20": lambda **aligned: seg_hrnet(48, 20, **aligned),
}
# But for classes, for names of keys, and for widths.
ALIKE = ("seg_hrnet_w48_lip20", "det_hrnetv2p_w32_hrfpn_mmdet3", "cls_hrnet_w48")
ALIGNED = [name for name in NETWORKS if name.startswith("seg_")]


def test_every_record_has_its_network() -> None:
    assert sorted(NETWORKS) == RECORDS


@pytest.mark.parametrize("name", NETWORKS)
def test_keys_shapes_and_counts_are_the_official_ones(name: str, golden: Any) -> None:
    record = golden(f"{FOLDER}/{name}.json")
    with on_meta():
        net = NETWORKS[name]()
    keys = [[key, list(value.shape)] for key, value in net.state_dict().items()]
    assert sorted(keys) == sorted(record["keys"])
    assert sum(p.numel() for p in net.parameters()) == record["n_params"]


def agrees(output: Any, expected: Any, fill: Any) -> None:
    """Whether sampled values are those recorded, for one tensor or a list of them."""
    if isinstance(expected, list):
        assert len(output) == len(expected)
        for each, wanted in zip(output, expected, strict=True):
            agrees(each, wanted, fill)
        return
    ours = fill.sample(output.numpy())
    assert (ours["shape"], ours["index"]) == (expected["shape"], expected["index"])
    np.testing.assert_allclose(ours["value"], expected["value"], rtol=1e-9, atol=0)
    np.testing.assert_allclose(ours["std"], expected["std"], rtol=1e-9, atol=0)
    # The mean is what is left of large terms of both signs: relative to them, not to itself.
    assert abs(ours["mean"] - expected["mean"]) <= 1e-9 * expected["std"]


def check(net: nn.Module, records: list[dict[str, Any]], fill: Any) -> None:
    assert records
    for record in records:
        image = torch.from_numpy(fill.image(tuple(record["input_shape"]), seed=0))
        with torch.inference_mode():
            agrees(net(image), record["output"], fill)


@pytest.mark.parametrize("name", some(NETWORKS, later=ALIKE))
def test_outputs_are_the_official_ones(name: str, golden: Any, fill: Any) -> None:
    record = golden(f"{FOLDER}/{name}.json")
    net = fill.fill(empty(NETWORKS[name]))
    check(net, [record, *record["more"]], fill)
    if "inplace_abn" in record:  # what old in-place norms make of the same weights: their scale is |weight| + eps
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.data = module.weight.data.abs() + 1e-5
        check(net, [record["inplace_abn"]], fill)


@pytest.mark.parametrize("name", some(ALIGNED, later=[*ALIKE, "seg_hrnet_w48_cityscapes19"]))
def test_both_official_ways_to_enlarge(name: str, golden: Any, fill: Any) -> None:
    """Branch HRNet-OCR aligns corners, in exchange units and before the head; the others do not."""
    record = golden(f"{FOLDER}/{name}.json")["ocr_branch_seg_hrnet"]
    net = fill.fill(empty(NETWORKS[name], align_corners=True))
    check(net, record["align_corners_True"], fill)
    if "small" in name:
        check(fill.fill(empty(NETWORKS[name])), record["align_corners_False"], fill)


@pytest.mark.parametrize("keys", some(["official", "mmdet3"], later=["official"]))
def test_a_detector_may_take_backbone_and_neck_apart(keys: Any, golden: Any, fill: Any) -> None:
    name = "det_hrnetv2p_w32_hrfpn" + ("_mmdet3" if keys == "mmdet3" else "")
    record = golden(f"{FOLDER}/{name}.json")
    whole = fill.fill(empty(det_hrnetv2p, 32, keys=keys))
    detector = nn.Module()
    detector.backbone, detector.neck = whole.backbone, whole.neck
    assert sorted(detector.state_dict()) == sorted(key for key, _ in record["keys"])
    smallest = record["more"][0]
    image = torch.from_numpy(fill.image(tuple(smallest["input_shape"]), seed=0))
    with torch.inference_mode():
        agrees(detector.neck(detector.backbone(image)), smallest["output"], fill)
