"""Operations on images: closed forms for networks whose work depends on the size and on the values of an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hrbench.contracts import Evaluated
from hrbench.cost.operations.images_probe import OnImagesOptions, OperationsOnImages
from hrbench.types import Item, Measurement, Reason, Sample, Variant

PROBE = OperationsOnImages()
SIDES = ((4, 6), (8, 6), (5, 5))
"""(height, width) of the images, which have 2, 3 and 1 bright pixels."""
BRIGHT = (2, 3, 1)


class OwnSizes:
    """A task that calls its network twice for each image, both times with a batch of two, as with mirrored crops."""

    def work(self, sample: Sample) -> int:
        return 1

    def prepare(self, sample: Sample) -> list[Item]:
        image = np.zeros((*SIDES[int(sample.id)], 3), np.float32)
        image[0, : BRIGHT[int(sample.id)]] = 1.0
        return [Item(sample.id, image)] * 3

    def forward(self, net: Any, items: Sequence[Item]) -> list[Any]:
        like = next(iter(net.parameters()))
        images = [torch.from_numpy(item.image).permute(2, 0, 1).to(like) for item in items]
        return [net(self.batched(images + [-each for each in images])) for _ in range(2)]

    def batched(self, images: list[Tensor]) -> Any:
        return torch.stack(images)


class Listed(OwnSizes):
    """A detector's task: a list of images, and how they were resized if the network asks for it."""

    def forward(self, net: Any, items: Sequence[Item]) -> list[Any]:
        scales = {"scales": [2.0, 3.0]} if net.takes_scales else {}
        image = torch.from_numpy(items[0].image).permute(2, 0, 1)
        return [net([image, image], **scales)]


class Finding(nn.Module):
    """A convolution of the image, and a linear layer of each bright pixel: what a detector does with its boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 2, 3, padding=1), nn.Linear(3, 5)

    def forward(self, images: Tensor) -> Tensor:
        self.conv(images).relu()
        found = images.permute(0, 2, 3, 1)
        return self.head(found[found.amax(3) > 0.5])


def subject(net: nn.Module, task: Any = None, samples: int = len(SIDES), weights: str = "file") -> Any:
    told: list[tuple[str, int, int]] = []
    data = [Sample(number, Path(f"{number}.png")) for number in range(samples)]
    found = Evaluated(task or OwnSizes(), data, "drawn", "0123456789abcdef", weights, "bfloat16", lambda: net.eval())
    return SimpleNamespace(
        variant=Variant("v", "net", "detection", (4, 4)),
        evaluated=lambda: found,
        progress=lambda *done: told.append(done),
        told=told,
    )


def measured(made: Any, images: int = 8) -> dict[str, Measurement]:
    options = OnImagesOptions(images)
    (cell,) = PROBE.cells(options)
    return {one.quantity.name: one for one in PROBE.measure(made, cell, options)}


def test_mean_and_spread_are_those_of_the_closed_form():
    """54 multiply-adds a pixel, 15 a bright one: 1,326, 2,637 and 1,365 of the three images."""
    made = subject(Finding())
    found = measured(made)
    counts = [54 * height * width + 15 * bright for (height, width), bright in zip(SIDES, BRIGHT, strict=True)]
    assert counts == [1326, 2637, 1365]
    macs = found["macs-on-images"]
    assert (macs.value, macs.n, macs.samples) == (1776.0, 3, tuple(map(float, counts)))
    assert macs.conditions.spread == pytest.approx(float(np.std(counts)), rel=1e-12)
    assert found["flops-on-images"].samples == tuple(2.0 * count for count in counts)
    assert found["activations-on-images"].samples == tuple(
        2.0 * height * width + 5 * bright for (height, width), bright in zip(SIDES, BRIGHT, strict=True)
    )
    assert {*found} == {one.name for one in PROBE.quantities} and made.told[-1] == ("images", 3, 3)


def test_the_conditions_say_on_what():
    under = measured(subject(Finding()))["macs-on-images"].conditions
    assert (under.batch, under.dtype, under.images, under.inputs) == (1, "float32", 3, "3 images of drawn")
    assert (under.data, under.weights, under.counted_on) == ("0123456789ab", "file", "the CPU")
    assert (under.input, under.sizes) == (None, ("4x6", "8x6"))
    assert under.uncounted["aten::relu"] == 3 and under.uncounted["aten::gt"] == 3  # one for each image


def test_images_of_one_size_have_no_spread_if_no_value_decides():
    found = measured(subject(nn.Conv2d(3, 2, 3, padding=1), samples=1))
    assert (found["macs-on-images"].value, found["macs-on-images"].conditions.spread) == (54.0 * 24, 0.0)
    assert (found["macs-on-images"].conditions.input, found["macs-on-images"].conditions.sizes) == ((4, 6), ())


def test_fewer_images_are_spread_over_the_data_set():
    assert measured(subject(Finding()), 2)["macs-on-images"].samples == (1326.0, 2637.0)


class Told(Finding):
    """A detector that takes scales."""

    takes_scales = True

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, list[float]]] = []

    def forward(self, images: Sequence[Tensor], scales: Sequence[float] = ()) -> Tensor:
        self.calls.append((len(images), list(scales)))
        return super().forward(torch.stack(list(images)))


def test_a_detector_is_called_as_its_task_does_with_one_image():
    net = Told()
    assert measured(subject(net, Listed()))["macs-on-images"].value == 1776.0
    assert net.calls == [(1, [2.0])] * 3


class Elsewhere(nn.Module):
    """A network that NumPy runs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(np.tensordot(images.numpy(), self.weight.numpy(), (1, 1)))


class Failing(Finding):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(images)


class Silent(OwnSizes):
    def forward(self, net: Any, items: Sequence[Item]) -> list[Any]:
        return []


class Flat(OwnSizes):
    def batched(self, images: list[Tensor]) -> Any:
        return images[0].flatten()


class Idle(OwnSizes):
    def work(self, sample: Sample) -> int:
        return 0


@pytest.mark.parametrize(
    ("net", "task", "why"),
    [
        (Elsewhere(), OwnSizes(), "another library than torch runs the network"),
        (Failing(), OwnSizes(), "counting operations failed at aten::"),
        (Finding(), Silent(), "the task does not call the network"),
        (Finding(), Flat(), "no images (3, h, w)"),
        (Finding(), Idle(), "no image of drawn gives the network an input"),
    ],
)
def test_what_cannot_be_counted_has_a_reason_and_no_number(net: nn.Module, task: Any, why: str):
    found = measured(subject(net, task))
    assert {one.value for one in found.values()} == {None} and len(found) == 5
    assert all(why in str(one.reason) for one in found.values())


def test_without_data_or_weights_the_reason_is_theirs():
    missing = Reason("the weights are not there", "name others")
    found = measured(SimpleNamespace(evaluated=lambda: missing))
    assert {one.reason for one in found.values()} == {missing} and len(found) == 5
    assert {one.conditions.images for one in found.values()} == {8}
