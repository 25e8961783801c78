"""The detectors against records of mmdetection 3.3.0 (record_mmdet.py): keys, shapes, counts and float64 outputs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from empty import on_meta
from pycocotools import mask as coco_mask
from seeds import some
from torch import Tensor, nn

from hrbench import catalog
from hrbench.models.build import build
from hrbench.models.detectors.anchors import cell_anchors, grid_anchors, grid_points
from hrbench.models.detectors.boxes import decode
from hrbench.models.detectors.rcnn import RCNN, faster_rcnn
from hrbench.models.detectors.roi import level_of, region_features
from hrbench.models.resnet import resnet_fpn
from hrbench.tasks.detection.mask_pasting import pasted

pytestmark = pytest.mark.numeric

PARTS = ("keys", "legacy", "parameters", "parts")
RECORDS = sorted(p.stem for p in (Path(__file__).parent / "data/mmdet").glob("*.json") if p.stem not in PARTS)
# Heads of other records; and parts of the cascade with masks on the same backbone.
ALIKE = [f"{name}_r50_fpn" for name in ("mask_rcnn", "cascade_rcnn", "cascade_mask_rcnn")]
ALIKE += ["mask_rcnn_hrnetv2p_w18", "cascade_rcnn_hrnetv2p_w18"]
SIZES = [(64, 96), (50, 70)]
BACKGROUND = {(False, False): 7.5, (False, True): 0.5, (True, False): 10.0, (True, True): 3.0}  # as recorded
CONVENTIONS: Any = ("mmdet3", "mmdet1")


def images(fill: Any) -> list[Tensor]:
    return [torch.from_numpy(fill.image((3, *size), name=f"image{i}")) for i, size in enumerate(SIZES)]


def padded(fill: Any) -> Tensor:
    batch = torch.zeros(2, 3, 64, 96, dtype=torch.float64)
    for into, image in zip(batch, images(fill), strict=True):
        into[:, : image.shape[1], : image.shape[2]] = image
    return batch


def agree(ours: Tensor, expected: dict[str, Any], fill: Any) -> None:
    """One output of ours has the shape, the deviation and the spread values of the record."""
    found = fill.sample(ours.numpy(), len(expected["index"]))
    assert found["shape"] == expected["shape"] and found["index"] == expected["index"]
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-9, atol=1e-12 * expected["std"])
    np.testing.assert_allclose(found["std"], expected["std"], rtol=1e-9)


def agree_all(ours: list[Tensor], expected: list[dict[str, Any]], fill: Any) -> None:
    assert len(ours) == len(expected)
    for each, record in zip(ours, expected, strict=True):
        agree(each, record, fill)


def same_detections(found: list[dict[str, Tensor]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for ours, theirs, size in zip(found, expected, SIZES, strict=True):
        kept = len(theirs["scores"])
        assert len(ours["boxes"]) == theirs["count"] and kept
        assert ours["labels"][:kept].tolist() == theirs["labels"]
        np.testing.assert_allclose(ours["scores"][:kept], theirs["scores"], rtol=1e-9)
        np.testing.assert_allclose(ours["boxes"][:kept], theirs["boxes"], rtol=1e-9, atol=1e-9)
        if "areas" in theirs:
            masks = pasted(ours["mask_crops"].numpy(), ours["boxes"].numpy(), size[::-1], "mmdet")
            assert coco_mask.area(masks).tolist() == theirs["areas"]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of pycocotools, about NumPy
                assert np.packbits(coco_mask.decode(masks[0])).tolist() == theirs["mask"]


def same_proposals(found: list[Tensor], expected: list[dict[str, Any]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) == theirs["count"]
        np.testing.assert_allclose(ours[: len(theirs["boxes"])], theirs["boxes"], rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module", params=some(RECORDS, later=ALIKE))
def filled(request: pytest.FixtureRequest, golden: Any, fill: Any) -> tuple[dict[str, Any], Any]:
    name = request.param
    with on_meta():
        net = build(name)
    fill.fill(net.to_empty(device="cpu"))
    if "hrnet" in name:
        net.neck.reduction_conv.conv.weight.data /= 100
    if "rcnn" in name:
        for head in net.roi_head.box_heads:
            head.fc_cls.bias.data[-1] += BACKGROUND["hrnet" in name, "cascade" in name]
    return golden(f"mmdet/{name}.json"), net


def test_the_records_are_those_that_were_made() -> None:
    frameworks = ("faster_rcnn", "mask_rcnn", "cascade_rcnn", "cascade_mask_rcnn", "fcos")
    assert sorted(f"{name}_{on}" for name in frameworks for on in ("r50_fpn", "hrnetv2p_w18")) == RECORDS


def test_keys_shapes_and_counts_are_mmdetections(filled: tuple[dict[str, Any], nn.Module], golden: Any) -> None:
    record, net = filled
    groups = golden("mmdet/keys.json")
    expected = [each for name in record["keys"] for each in groups[name]]
    assert sorted([key, list(value.shape)] for key, value in net.state_dict().items()) == sorted(expected)
    assert sum(p.numel() for p in net.parameters()) == record["n_params"]


def test_heads_are_mmdetections(filled: tuple[dict[str, Any], Any], fill: Any) -> None:
    record, net = filled
    with torch.inference_mode():
        features = net.neck(net.backbone(padded(fill)))
        agree_all(features, record["neck"], fill)
        if "head" in record:
            for outputs, name in zip(net.bbox_head(features), ("classes", "distances", "centreness"), strict=True):
                agree_all(outputs, record["head"][name], fill)
            return
        classes, deltas = net.rpn_head(features)
        agree_all(classes, record["rpn"]["classes"], fill)
        agree_all(deltas, record["rpn"]["deltas"], fill)
        same_proposals(net.propose(features, SIZES), record["proposals"])
        regions = torch.from_numpy(fill.image((3, 256, 7, 7), name="regions"))
        for head, expected in zip(net.roi_head.box_heads, record["box_heads"], strict=True):
            agree_all(list(head(regions)), expected, fill)
        regions = torch.from_numpy(fill.image((2, 256, 14, 14), name="mask regions"))
        for head, expected in zip(net.roi_head.mask_heads, record.get("mask_heads", []), strict=True):
            agree(head(regions), expected, fill)


def test_detections_are_mmdetections(filled: tuple[dict[str, Any], nn.Module], fill: Any) -> None:
    record, net = filled
    with torch.inference_mode():
        same_detections(net(images(fill)), record["detections"])


@pytest.fixture(scope="module")
def legacy(fill: Any) -> RCNN:
    """Faster R-CNN of mmdet 1 with the weights of mmdet 3's, whose background comes last and has no box."""
    with on_meta():
        newer, net = faster_rcnn(resnet_fpn(50)), faster_rcnn(resnet_fpn(50), convention="mmdet1")
    state = fill.fill(newer.to_empty(device="cpu")).state_dict()
    for name in ("weight", "bias"):
        scores, boxes = f"roi_head.bbox_head.fc_cls.{name}", f"roi_head.bbox_head.fc_reg.{name}"
        state[scores] = state[scores].roll(1, dims=0)
        state[boxes] = torch.cat([torch.full_like(state[boxes][:4], 9.0), state[boxes]])
    net.double().load_state_dict(state, assign=True)
    return net.eval()


def test_proposals_of_mmdet_1(legacy: RCNN, golden: Any, fill: Any) -> None:
    with torch.inference_mode():
        same_proposals(
            legacy.propose(legacy.neck(legacy.backbone(padded(fill))), SIZES), golden("mmdet/legacy.json")["proposals"]
        )


def test_detections_of_mmdet_1(legacy: RCNN, golden: Any, fill: Any) -> None:
    with torch.inference_mode():
        same_detections(legacy(images(fill)), golden("mmdet/legacy.json")["detections"])


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_anchors(convention: Any, golden: Any) -> None:
    record = golden("mmdet/parts.json")
    for stride, size, expected in zip((4, 8, 16, 32, 64), record["maps"], record["anchors"][convention], strict=True):
        anchors = grid_anchors(cell_anchors(stride, convention).double(), size, stride)
        np.testing.assert_array_equal(anchors, expected)


def test_points(golden: Any) -> None:
    record = golden("mmdet/parts.json")
    for stride, size, expected in zip((8, 16), record["maps"], record["points"], strict=False):
        np.testing.assert_array_equal(grid_points(size, stride, 0.5, torch.zeros(1)), expected)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_decoded_boxes(convention: Any, golden: Any) -> None:
    record = golden("mmdet/parts.json")
    boxes, deltas = (torch.tensor(record[name], dtype=torch.float64) for name in ("boxes", "deltas"))
    ours = decode(boxes, deltas, (0.1, 0.1, 0.2, 0.2), tuple(record["size"]), convention)
    np.testing.assert_allclose(ours, record["decoded"][convention], rtol=1e-12, atol=1e-10)


def test_regions_of_every_level(golden: Any, fill: Any) -> None:
    record = golden("mmdet/parts.json")
    boxes = torch.tensor(record["boxes"], dtype=torch.float64)
    levels = level_of(boxes, 4, "mmdet3")
    assert levels.tolist() == record["levels"] and set(record["levels"]) == {0, 1, 2, 3}
    strides = (4, 8, 16, 32)
    features = [torch.from_numpy(fill.image((2, 2, 800 // s, 1216 // s), name=f"level{s}")) for s in strides]
    regions = region_features(features, strides, [boxes[0::2], boxes[1::2]], 7, "mmdet3")
    interleaved = regions.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)
    agree(interleaved, record["regions"], fill)


def test_parameters_of_the_rest_of_the_family(golden: Any) -> None:
    rows = catalog.variants()
    assert {name: rows[name].parameters for name in golden("mmdet/parameters.json")} == golden("mmdet/parameters.json")
