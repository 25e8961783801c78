"""Detectors that were changed: whether they find what they found before."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hrbench import catalog
from hrbench.errors import UnavailableError
from hrbench.models.build import build
from hrbench.models.runtimes import detections, norms
from hrbench.models.runtimes.configured import Configured
from hrbench.models.runtimes.eager import Eager
from hrbench.types import RuntimeSettings

FUSED = RuntimeSettings(fused_bn=True)
IMAGE = torch.zeros(3, 96, 96)


def boxes(*rows: tuple[float, float, int]) -> dict[str, torch.Tensor]:
    """Detections at a place, with a score and a label, and a mask of that place."""
    place = torch.tensor([[row[0], 0.0, row[0] + 10, 10.0] for row in rows]).reshape(-1, 4).double()
    scores, labels = torch.tensor([row[1] for row in rows]).double(), torch.tensor([row[2] for row in rows])
    return {"boxes": place, "scores": scores, "labels": labels, "mask_crops": place[:, :1, None] / 100}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ([(0, 0.9, 1), (40, 0.5, 2)], 2),
        ([(40.5, 0.505, 2), (0.5, 0.9, 1)], 2),  # in another order, rounded
        ([(0, 0.9, 2), (40, 0.5, 2)], 1),  # another label
        ([(0, 0.7, 1), (40, 0.5, 2)], 1),  # another score
        ([(3, 0.9, 1), (3, 0.9, 1)], 0),
        ([], 0),
    ],
)
def test_counterparts(other: list, same: int) -> None:
    assert detections.matched(boxes((0, 0.9, 1), (40, 0.5, 2)), boxes(*other)) == same


def test_one_detection_is_the_counterpart_of_one() -> None:
    assert detections.matched(boxes((0, 0.9, 1), (0.2, 0.9, 1)), boxes((0.1, 0.9, 1))) == 1


def test_another_mask_is_another_detection() -> None:
    other = boxes((0, 0.9, 1))
    other["mask_crops"] = other["mask_crops"] + 0.5
    assert detections.matched(boxes((0, 0.9, 1)), other) == 0


def network() -> nn.Module:
    torch.manual_seed(0)
    net = build(catalog.variants()["mask_rcnn_hrnetv2p_miniature_coco"]).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2.0)
    return net


def test_a_folded_detector_finds_the_same() -> None:
    made = Configured(Eager(), FUSED)
    made.prepare(network(), [IMAGE])
    assert len(made.notes()) == 1 and "batch norms folded" in made.notes()[0]  # nothing says that it was not held
    assert made.checked > 0


def test_a_detector_that_is_folded_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(layer: nn.Module, norm: nn.Module) -> nn.Module:
        return layer  # without the norm

    monkeypatch.setattr(norms, "_fused", wrong)
    with pytest.raises(UnavailableError, match=r"does not compute what .* of \d+ detections are other ones"):
        Configured(Eager(), FUSED).prepare(network(), [IMAGE])


class Blind(nn.Module):
    """Finds nothing, or returns something else than detections."""

    def __init__(self, outputs: object) -> None:
        super().__init__()
        self.conv, self.outputs = nn.Conv2d(3, 3, 1), outputs

    def forward(self, images: list[torch.Tensor]) -> object:
        return [self.outputs for _ in images]


@pytest.mark.parametrize(
    ("outputs", "said"), [(boxes(), "it finds nothing in 2 random images"), (torch.ones(3), "no boxes, scores and")]
)
def test_what_cannot_be_held_is_told(outputs: object, said: str) -> None:
    net = Blind(outputs)
    assert said in detections.check(net, detections.reference(net, [IMAGE]), "eager, fused_bn")
