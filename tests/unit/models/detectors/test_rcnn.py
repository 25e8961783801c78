"""Faster, Mask and Cascade R-CNN beyond the records: batches, conventions, parts, what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from empty import on_meta
from seeds import some
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.detectors import rcnn
from hrbench.models.detectors.rcnn import RoIHead, cascade_mask_rcnn, faster_rcnn, mask_rcnn
from hrbench.models.detectors.roi import region_features

pytestmark = pytest.mark.numeric

BOTH: Any = ("mmdet3", "mmdet1")


class Pyramid(nn.Module):
    """A small backbone without a neck: one convolution per level."""

    def __init__(self, channels: int = 8, strides: tuple[int, ...] = (4, 8, 16, 32, 64)) -> None:
        super().__init__()
        self.channels, self.strides = (channels,) * len(strides), strides
        self.levels = nn.ModuleList(nn.Conv2d(3, channels, 3, stride, padding=1) for stride in strides)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [level(x) for level in self.levels]


def drawn(make: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    net = make(Pyramid(), classes=3, **options).double().eval()
    for head in net.roi_head.box_heads:
        nn.init.normal_(head.fc_cls.weight, std=1.0)
    return net


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer proposals and detections than the sources keep, for the time that heads take."""
    monkeypatch.setattr(rcnn, "PROPOSALS", {"mmdet3": 60, "mmdet1": 60})
    monkeypatch.setattr(rcnn, "MAX_DETECTIONS", 4)


def images() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(3, h, w, generator=generator, dtype=torch.float64) for h, w in ((64, 96), (50, 70), (33, 64))]


@pytest.mark.parametrize("convention", BOTH)
@pytest.mark.parametrize("make", [mask_rcnn, cascade_mask_rcnn])
def test_what_is_found_is_in_the_image(make: Any, convention: Any) -> None:
    net = drawn(make, convention=convention)
    with torch.inference_mode():
        found = net(images())
    for each, image in zip(found, images(), strict=True):
        height, width = image.shape[1:]
        count = len(each["boxes"])
        assert 0 < count <= 4 and each["labels"].dtype == torch.int64 and set(each["labels"].tolist()) <= {0, 1, 2}
        last = each["boxes"].new_tensor([width, height] * 2) - float(convention == "mmdet1")
        assert bool((each["boxes"] >= 0).all()) and bool((each["boxes"] <= last).all())
        assert bool((each["scores"] > 0.05).all()) and bool((each["scores"].diff() <= 0).all())
        assert each["mask_crops"].shape == (count, 28, 28)
        assert bool((each["mask_crops"] > 0).all()) and bool((each["mask_crops"] < 1).all())


@pytest.mark.parametrize("convention", BOTH)
@pytest.mark.parametrize("make", [mask_rcnn, cascade_mask_rcnn])
def test_nothing_is_found_where_nothing_is_proposed(make: Any, convention: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(rcnn, "PROPOSALS", {"mmdet3": 0, "mmdet1": 0})
    with torch.inference_mode():
        found = drawn(make, convention=convention)(images())
    assert [len(each["boxes"]) for each in found] == [0, 0, 0]
    assert [each["mask_crops"].shape for each in found] == [(0, 28, 28)] * 3


@pytest.mark.parametrize(
    ("dtype", "convention"),
    some(product([torch.float16, torch.bfloat16], BOTH), later=[(torch.float16, "mmdet3"), (torch.bfloat16, "mmdet1")]),
)
def test_half_precision_finds_boxes_of_float32(dtype: torch.dtype, convention: Any) -> None:
    net = drawn(mask_rcnn, convention=convention).to(dtype)
    with torch.inference_mode():
        found = net([images()[2].to(dtype)])  # the smallest: some processors compute in half precision very slowly
    assert all(len(each["boxes"]) for each in found)
    assert {each[key].dtype for each in found for key in ("boxes", "scores")} == {torch.float32}


@pytest.mark.parametrize("convention", BOTH)
def test_no_image_of_a_size_touches_another(convention: Any) -> None:
    net = drawn(mask_rcnn, convention=convention)
    first, _, _ = images()
    other = first.flip(2)
    with torch.inference_mode():
        together = net([first, other])
        alone = [net([first])[0], net([other])[0]]
    for one, two in zip(together, alone, strict=True):
        torch.testing.assert_close(one["boxes"], two["boxes"], rtol=1e-9, atol=1e-9)
        assert torch.equal(one["labels"], two["labels"])
        torch.testing.assert_close(one["mask_crops"], two["mask_crops"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("convention", "background"), [("mmdet3", 3), ("mmdet1", 0)])
def test_nothing_is_found_where_all_is_background(convention: Any, background: int) -> None:
    net = drawn(mask_rcnn, convention=convention)
    net.roi_head.bbox_head.fc_cls.weight.data.zero_()
    net.roi_head.bbox_head.fc_cls.bias.data[background] = 20
    with torch.inference_mode():
        found = net(images())
    assert [tuple(each["boxes"].shape) for each in found] == [(0, 4)] * 3
    assert [tuple(each["mask_crops"].shape) for each in found] == [(0, 28, 28)] * 3


@pytest.mark.parametrize("convention", BOTH)
def test_a_class_has_its_own_box(convention: Any) -> None:
    head = RoIHead(8, 3, convention, cascade=False, masks=False)
    outputs = 3 + (convention == "mmdet1")
    boxes = torch.arange(outputs, dtype=torch.float64)[None, :, None] * 100 + torch.tensor([0.0, 0, 50, 50])
    scores = torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)  # of the background: first 0.1, or last 0.4
    found = head._selected(boxes, scores)
    shift = convention == "mmdet1"
    expected = {0: (0.2 if shift else 0.1), 1: (0.3 if shift else 0.2), 2: (0.4 if shift else 0.3)}
    assert dict(zip(found["labels"].tolist(), found["scores"].tolist(), strict=True)) == pytest.approx(expected)
    assert [box[0] for box in found["boxes"].tolist()] == [100 * (label + shift) for label in found["labels"].tolist()]


class Says(nn.Module):
    """A box head that is sure of the first class and moves no box."""

    def __init__(self, convention: Any, outputs: int) -> None:
        super().__init__()
        self.label, self.outputs = int(convention == "mmdet1"), outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = x.new_zeros(len(x), 4)
        logits[:, self.label] = torch.linspace(9, 5, len(x), dtype=x.dtype)
        return logits, x.new_zeros(len(x), 4 * self.outputs)


@pytest.mark.parametrize(("convention", "kept"), [("mmdet3", [2, 2, 2]), ("mmdet1", [2, 2, 1])])
@pytest.mark.parametrize("make", [faster_rcnn, cascade_mask_rcnn])
def test_boxes_are_suppressed_in_pixels_of_the_original_image(make: Any, convention: Any, kept: list[int]) -> None:
    net = drawn(make, convention=convention)
    if make is faster_rcnn:
        net.roi_head.bbox_head = Says(convention, 3 + (convention == "mmdet1"))
    else:
        net.roi_head.bbox_head = nn.ModuleList(Says(convention, 1) for _ in range(3))
    # 46 high and 16 apart: an IoU of 31 / 63 with the pixel added here, 11 / 21.67 with one of three pixels
    pair = torch.tensor([[10.0, 10, 30, 56], [10, 26, 30, 72]], dtype=torch.float64)
    net.propose = lambda features, sizes: [pair] * len(sizes)
    assert net.takes_scales is (convention == "mmdet1")
    given = [torch.zeros(3, 96, 64, dtype=torch.float64)] * 3
    with torch.inference_mode():
        assert [len(each["boxes"]) for each in net(given)] == [2, 2, 2]
        found = net(given, scales=[1.0, 0.5, 3.0])
    assert [len(each["boxes"]) for each in found] == kept
    for each in found:
        torch.testing.assert_close(each["boxes"], pair[: len(each["boxes"])])
        assert len(each.get("mask_crops", each["boxes"])) == len(each["boxes"])


@pytest.mark.parametrize("convention", BOTH)
def test_mask_heads_of_mmdetection_1_see_boxes_that_went_to_the_image_and_back(
    convention: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[Tensor]] = []

    def watched(maps: Any, strides: Any, boxes: Any, cells: int, *rest: Any) -> Tensor:
        seen.extend([boxes] if cells == rcnn.MASK_CELLS else [])
        return region_features(maps, strides, boxes, cells, *rest)

    monkeypatch.setattr(rcnn, "region_features", watched)
    monkeypatch.setattr(rcnn, "MAX_DETECTIONS", 50)
    net = drawn(mask_rcnn, convention=convention).float()
    scales = [800 / 427, 1.3, 1.0]
    with torch.inference_mode():
        found = net([image.float() for image in images()], scales=scales)
    (masked,) = seen
    factors = torch.tensor(scales)
    moved = [each["boxes"] / factor * factor for each, factor in zip(found, factors, strict=True)]
    if convention == "mmdet3":
        moved = [each["boxes"] for each in found]
    else:
        assert any(not torch.equal(one, each["boxes"]) for one, each in zip(moved, found, strict=True))
    assert all(torch.equal(one, two) for one, two in zip(masked, moved, strict=True))


@pytest.mark.parametrize("convention", BOTH)
def test_so_many_proposals_are_kept(convention: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rcnn.PROPOSALS, convention, 5)
    net = drawn(faster_rcnn, convention=convention)
    with torch.inference_mode():
        batch = torch.stack([images()[0]] * 2)
        proposals = net.propose(net.neck(net.backbone(batch)), [(64, 96)] * 2)
    assert [tuple(each.shape) for each in proposals] == [(5, 4)] * 2


def test_parts_run_on_meta_and_every_head_sees_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_meta():
        net = cascade_mask_rcnn(Pyramid(), classes=3)
        seen: list[tuple[int, ...]] = []
        for head in (*net.roi_head.box_heads, *net.roi_head.mask_heads):
            head.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape)))
        conditions = net.count_parts(torch.empty(2, 3, 64, 96), proposals=10, masks=4)
    assert seen == [(20, 8, 7, 7)] * 3 + [(8, 8, 14, 14)] * 3
    assert conditions["proposals"] == 10 and conditions["masks"] == 4 and "NMS" in conditions["not counted"]
    with on_meta():
        assert "masks" not in faster_rcnn(Pyramid(), classes=3).count_parts(torch.empty(1, 3, 64, 96))


def test_a_backbone_that_needs_no_neck_is_the_backbone() -> None:
    with on_meta():
        keys = faster_rcnn(Pyramid()).state_dict()
    assert "backbone.levels.0.weight" in keys and not any(key.startswith("neck") for key in keys)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"channels \(8, 8, 8\) and strides \(4, 8, 16\).*at least 4 levels"):
        faster_rcnn(Pyramid(strides=(4, 8, 16)))
    with pytest.raises(UsageError, match=r"Linear has channels \(\)"):
        faster_rcnn(nn.Linear(1, 1))
    with pytest.raises(UsageError, match="convention 'tf'"):
        faster_rcnn(Pyramid(), convention="tf")
    with pytest.raises(UsageError, match="mask_rcnn: classes 0"):
        mask_rcnn(Pyramid(), classes=0)
    with pytest.raises(UsageError, match="no images"):
        faster_rcnn(Pyramid())([])
    for wrong in ([1.0], [1.0, 0.0], [1.0, float("nan")]):
        with pytest.raises(UsageError, match=r"scales .* were given for 2 images"):
            faster_rcnn(Pyramid(), convention="mmdet1")([torch.zeros(3, 64, 64)] * 2, scales=wrong)


def test_small_detectors_are_small_where_they_are_told() -> None:
    net = mask_rcnn(Pyramid(), 3, anchor_scale=2.0, proposals=7, finest=10, hidden=16, mask_hidden=5).eval()
    assert net.roi_head.bbox_head.fc_cls.in_features == 16
    assert {each.conv.out_channels for each in net.roi_head.mask_head.convs} == {5}
    features = net.backbone(torch.randn(2, 3, 64, 64))
    (square,) = (net.anchors(features)[1][1:2],)  # of the second level, with a side of two strides of 8
    assert (square[0, 2:] - square[0, :2]).tolist() == [16.0, 16.0]
    with torch.inference_mode():
        assert all(0 < len(each) <= 7 for each in net.propose(features, [(64, 64)] * 2))
    regular = mask_rcnn(Pyramid(), 3, anchor_scale=2.0, proposals=7, hidden=16, mask_hidden=5)
    assert (net.roi_head.finest, regular.roi_head.finest) == (10, 56)


@pytest.mark.parametrize("wrong", [{"proposals": 0}, {"hidden": 0}, {"anchor_scale": -1.0}, {"finest": 0.0}])
def test_sizes_that_make_no_detector_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=f"faster_rcnn: {name} .* was given; it is above 0"):
        faster_rcnn(Pyramid(), **wrong)
