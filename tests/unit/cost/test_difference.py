"""How far outputs differ: closed forms, and a probe with a runtime that is known to be off."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hrbench.contracts import Evaluated
from hrbench.cost.difference import DifferenceOptions, OutputDifference, largest_differences
from hrbench.errors import EntryError
from hrbench.models.runtimes.configured import Configured
from hrbench.models.runtimes.eager import Eager
from hrbench.tasks.inputs import normalised_batch
from hrbench.types import Item, Reason, RuntimeSettings, Sample, Variant

VARIANT = Variant("v", "net", "classification", (4, 4))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (torch.tensor([1.0, -4.0]), torch.tensor([1.0, -4.0]), (0.0, 0.0)),
        (torch.tensor([1.0, -4.0]), torch.tensor([1.5, -4.0]), (0.5, 0.125)),
        ([torch.zeros(2), torch.tensor([8.0])], [torch.zeros(2), torch.tensor([6.0])], (2.0, 0.25)),
        ({"a": torch.tensor([2.0]), "b": 3}, {"a": torch.tensor([2.0], dtype=torch.bfloat16), "b": 3}, (0.0, 0.0)),
        (torch.zeros(2), torch.tensor([0.0, 1.0]), (1.0, math.inf)),
        (torch.tensor([math.inf, 1.0]), torch.tensor([math.inf, 0.0]), (1.0, 1.0)),
        (torch.tensor([math.nan, 1.0]), torch.tensor([math.nan, 1.0]), (math.inf, math.inf)),
        (torch.tensor([math.inf, 1.0]), torch.tensor([5.0, 1.0]), (math.inf, math.inf)),
        (torch.tensor([1.0]), torch.tensor([math.nan]), (math.inf, math.inf)),
        (torch.zeros(0), torch.zeros(0), (0.0, 0.0)),
    ],
)
def test_largest_differences(one: Any, other: Any, expected: tuple[float, float]):
    assert largest_differences(one, other) == expected


@pytest.mark.parametrize("other", [torch.zeros(3), [torch.zeros(2)], (torch.zeros(2), torch.zeros(2))])
def test_outputs_of_another_form_have_none(other: Any):
    with pytest.raises(EntryError, match="outputs of other shapes"):
        largest_differences(torch.zeros(2), other)


class Asking:
    """A task that calls its network twice for an image, as with a mirrored image."""

    def work(self, sample: Sample) -> int:
        return int(sample.id) % 3 != 0  # every third image has nothing to do

    def prepare(self, sample: Sample) -> list[Item]:
        return [Item(sample.id, np.full((4, 4, 3), sample.id, np.uint8))] * 2

    def forward(self, net: Any, items: Any) -> list[Any]:
        assert len(items) == 1
        batch = normalised_batch(net, items, (0.0,) * 3, (1 / 255,) * 3)
        return [net(batch), net(-batch)]


class Off(Eager):
    """Returns a little more than the network does: a quarter of an image's value."""

    def prepare(self, net: nn.Module, input: Any) -> Any:
        super().prepare(net, input)
        return lambda images: net(images) + images.mean() / 4


def subject(evaluated: Any, inner: Eager, task: str = "classification") -> Any:
    told: list[tuple[int, int]] = []
    return SimpleNamespace(
        variant=Variant("v", "net", task, (4, 4)),
        device="cpu",
        runtime=Configured(inner, RuntimeSettings()),
        evaluated=lambda: evaluated,
        progress=lambda unit, done, total: told.append((done, total)),
        told=told,
    )


def evaluated(dtype: str = "float32") -> Evaluated:
    samples = [Sample(number, Path(f"{number}.png")) for number in range(9)]
    return Evaluated(Asking(), samples, "drawn", "0123456789abcdef", "own", dtype, lambda: nn.Flatten().eval())


def test_a_runtime_that_is_off_has_its_difference():
    made = subject(evaluated(), Off())
    absolute, relative = OutputDifference().measure(
        made, OutputDifference().cells(DifferenceOptions(3))[0], DifferenceOptions(3)
    )
    # of the images 0 to 8, three are spread over them; in place of one with nothing to do comes the next
    last = 7
    assert absolute.value == pytest.approx(last / 4, rel=1e-6) and relative.value == pytest.approx(0.25)
    assert absolute.n == 3 and made.told[-1] == (3, 3)
    under = absolute.conditions
    assert (under.images, under.inputs, under.data) == (3, "3 images of drawn", "0123456789ab")
    assert (under.weights, under.dtype, under.runtime) == ("own", "float32", "")


def test_eager_float32_has_none():
    exact = OutputDifference().measure(subject(evaluated(), Eager()), *_cell())
    assert [one.value for one in exact] == [0.0, 0.0]


def test_a_detector_and_an_entry_without_images_have_the_reason():
    found = OutputDifference().measure(subject(evaluated(), Eager(), "detection"), *_cell())
    assert {one.value for one in found} == {None} and "compare its AP" in str(found[0].reason)
    missing = Reason("no data set was asked for")
    found = OutputDifference().measure(subject(missing, Eager()), *_cell())
    assert [one.reason for one in found] == [missing, missing]


def test_a_network_in_a_file_has_the_reason():
    made = subject(evaluated(), Eager())
    made.runtime = Configured(Eager(), RuntimeSettings("own"))
    found = OutputDifference().measure(made, *_cell())
    assert {one.value for one in found} == {None} and "no eager PyTorch" in str(found[0].reason)


def _cell() -> tuple[Any, DifferenceOptions]:
    options = DifferenceOptions()
    return OutputDifference().cells(options)[0], options
