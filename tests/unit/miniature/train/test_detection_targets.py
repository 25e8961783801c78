"""Assignment, sampling and encoding against small cases that can be read, and against torchvision's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, tensor
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import box_iou

from hrbench.miniature.train.detection_targets import BACKGROUND, IGNORED, Truth, assign, encode, sample
from hrbench.models.detectors.boxes import decode

pytestmark = pytest.mark.numeric


def truth(boxes: Tensor, crowds: Tensor | None = None) -> Truth:
    none = torch.zeros(0, 4)
    return Truth(
        boxes, torch.zeros(len(boxes)).long(), torch.zeros(len(boxes), 4, 4), none if crowds is None else crowds, 0
    )


def random_boxes(count: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=draw) * 100
    return torch.cat([corner, corner + 5 + 50 * torch.rand(count, 2, generator=draw)], dim=1)


@pytest.mark.parametrize("stds", [(1.0, 1.0, 1.0, 1.0), (0.1, 0.1, 0.2, 0.2)])
def test_encoding_undoes_decoding_and_is_torchvision_s(stds: tuple[float, ...]) -> None:
    boxes, targets = random_boxes(40, 0), random_boxes(40, 1)
    deltas = encode(boxes, targets, stds)
    torch.testing.assert_close(decode(boxes, deltas, stds, (1000, 1000), "mmdet3")[:, 0], targets, rtol=1e-5, atol=1e-3)
    weights = (1 / stds[0], 1 / stds[1], 1 / stds[2], 1 / stds[3])
    torch.testing.assert_close(deltas, BoxCoder(weights).encode_single(targets, boxes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("best", [False, True])
def test_assignment_is_torchvision_s(seed: int, best: bool) -> None:
    objects, boxes = random_boxes(6, seed), random_boxes(300, seed + 100)
    ours = assign(boxes, truth(objects), 0.3, 0.5, min_overlap=0.0 if best else None)
    theirs = Matcher(0.5, 0.3, allow_low_quality_matches=best)(box_iou(objects, boxes))
    if not best:
        assert torch.equal(ours, theirs)
        return
    # torchvision gives a box that is the best of some object to the object that it overlaps most, we to the former.
    assert torch.equal(ours >= 0, theirs >= 0)
    assert set(range(6)) <= set(ours.tolist())


def test_an_object_takes_no_box_that_overlaps_it_less_than_asked() -> None:
    objects, boxes = tensor([[0.0, 0, 10, 10]]), tensor([[0.0, 0, 10, 2], [50.0, 50, 60, 60]])
    assert assign(boxes, truth(objects), 0.3, 0.7, min_overlap=0.3).tolist() == [BACKGROUND, BACKGROUND]
    assert assign(boxes, truth(objects), 0.3, 0.7, min_overlap=0.2).tolist() == [0, BACKGROUND]


def test_what_lies_in_a_crowd_is_no_background() -> None:
    objects, crowd = tensor([[0.0, 0, 10, 10]]), tensor([[0.0, 0, 30, 30]])
    boxes = tensor([[0.0, 0, 10, 10], [20.0, 20, 30, 30], [25.0, 0, 35, 10], [26.0, 0, 36, 10]])
    assert assign(boxes, truth(objects, crowd), 0.3, 0.5).tolist() == [0, IGNORED, IGNORED, BACKGROUND]


def test_without_objects_all_is_background() -> None:
    assert assign(random_boxes(5, 0), truth(torch.zeros(0, 4)), 0.3, 0.5, min_overlap=0.0).tolist() == [BACKGROUND] * 5


@pytest.mark.parametrize(
    ("objects", "background", "expected"), [(40, 100, (8, 24)), (3, 100, (3, 29)), (40, 5, (8, 5))]
)
def test_a_sample_keeps_its_share_and_fills_up(objects: int, background: int, expected: tuple[int, int]) -> None:
    assigned = torch.cat([torch.full((objects,), 2), torch.full((background,), BACKGROUND), torch.full((9,), IGNORED)])
    one, other = (sample(assigned, 32, 0.25, torch.Generator().manual_seed(1)) for _ in range(2))
    assert (len(one[0]), len(one[1])) == expected
    assert (assigned[one[0]] == 2).all() and (assigned[one[1]] == BACKGROUND).all()
    assert len(set(one[0].tolist())) == len(one[0]) and len(set(one[1].tolist())) == len(one[1])
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    third = sample(assigned, 32, 0.25, torch.Generator().manual_seed(2))
    assert objects < 9 or not torch.equal(one[0], third[0])
