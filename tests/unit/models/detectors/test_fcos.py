"""FCOS beyond the records: what is chosen under either convention, parts, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from empty import on_meta
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.detectors import fcos as module
from hrbench.models.detectors.fcos import fcos

pytestmark = pytest.mark.numeric

BOTH: Any = ("mmdet3", "mmdet1")


class Level(nn.Module):
    """A backbone of one level at 1/8."""

    channels, strides = (32,), (8,)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 8, stride=8)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.conv(x)]


def outputs(scores: Tensor, centreness: Tensor, distances: Tensor) -> tuple[list[Tensor], ...]:
    """One level of head outputs of one image from probabilities (C, h, w), (h, w) and distances (4, h, w)."""
    return [scores.logit()[None]], [distances[None]], [centreness.logit()[None, None]]


@pytest.mark.parametrize("convention", BOTH)
def test_a_point_becomes_a_box_around_its_cell(convention: Any) -> None:
    net = fcos(Level(), classes=2, convention=convention)
    scores = torch.full((2, 3, 4), 0.01)
    scores[1, 2, 3] = 0.8
    distances = torch.tensor([20.0, 10, 2, 1])[:, None, None].expand(4, 3, 4)
    found = net._selected(outputs(scores, torch.full((3, 4), 0.5), distances), 0, (24, 32))
    # the cell (2, 3) of stride 8 has its centre at x 28, y 20
    assert found["boxes"].tolist() == [[8, 10, 30, 21]] and found["labels"].tolist() == [1]
    torch.testing.assert_close(found["scores"], torch.tensor([0.4]))  # class score x centreness


@pytest.mark.parametrize(("convention", "kept"), [("mmdet3", [2, 2, 2]), ("mmdet1", [2, 2, 1])])
def test_boxes_are_suppressed_in_pixels_of_the_original_image(convention: Any, kept: list[int]) -> None:
    net: Any = fcos(Level(), classes=1, convention=convention)
    scores = torch.full((3, 1, 12, 4), 0.01)
    scores[:, 0, 4, 2], scores[:, 0, 6, 2] = 0.9, 0.8
    distances = torch.tensor([10.0, 20, 10, 26])[:, None, None].expand(3, 4, 12, 4)
    # 46 high and 16 apart: an IoU of 31 / 63 with the pixel added here, 11 / 21.67 with one of three pixels
    given = [[scores.logit()], [distances], [torch.zeros(3, 1, 12, 4)]]
    net.bbox_head.forward = lambda features: given
    assert net.takes_scales is (convention == "mmdet1")
    with torch.inference_mode():
        found = net([torch.zeros(3, 96, 32)] * 3, scales=[1.0, 0.5, 3.0])
        assert [len(each["boxes"]) for each in found] == kept
        assert [len(each["boxes"]) for each in net([torch.zeros(3, 96, 32)] * 3)] == [2, 2, 2]
    assert [box.tolist() for box in found[0]["boxes"]] == [[10, 16, 30, 62], [10, 32, 30, 78]]
    assert found[2]["boxes"][0].tolist() == [10, 16, 30, 62]


def test_the_best_candidates_are_pairs_or_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANDIDATES_PER_LEVEL", 1)
    score, centre = torch.tensor([[0.9, 0.8], [0.7, 0.6]]), torch.tensor([[0.1], [0.9]])
    newer, older = (fcos(Level(), classes=2, convention=convention)._candidates(score, centre) for convention in BOTH)
    assert [each.tolist() for each in newer] == [[0], [0]]  # the best class score
    assert [each.tolist() for each in older] == [[1, 1], [0, 1]]  # all classes of the point with the best product


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("convention", BOTH)
def test_what_is_found_is_in_the_image(convention: Any, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = fcos(Level(), classes=3, convention=convention).eval().to(dtype)
    nn.init.normal_(net.bbox_head.conv_cls.weight, std=0.2)
    nn.init.zeros_(net.bbox_head.conv_cls.bias)
    generator = torch.Generator().manual_seed(1)
    images = [torch.randn(3, h, w, generator=generator).to(dtype) for h, w in ((64, 96), (50, 70))]
    with torch.inference_mode():
        found = net(images)
    for each, image in zip(found, images, strict=True):
        height, width = image.shape[1:]
        last = torch.tensor([width, height] * 2) - float(convention == "mmdet1")
        assert each["boxes"].dtype == each["scores"].dtype == torch.float32
        assert 0 < len(each["boxes"]) <= 100 and set(each["labels"].tolist()) <= {0, 1, 2}
        assert bool((each["boxes"] >= 0).all()) and bool((each["boxes"] <= last).all())
        assert bool((each["scores"].diff() <= 0).all())


def test_parts_run_on_meta() -> None:
    with on_meta():
        conditions = fcos(Level()).count_parts(torch.empty(2, 3, 64, 96), proposals=10, masks=4)
    assert set(conditions) == {"not counted"}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"fcos: the backbone Conv2d has channels \(\)"):
        fcos(nn.Conv2d(1, 1, 1))
    with pytest.raises(UsageError, match="convention 'mmdet2'"):
        fcos(Level(), convention="mmdet2")
    with pytest.raises(UsageError, match="classes 0"):
        fcos(Level(), classes=0)
