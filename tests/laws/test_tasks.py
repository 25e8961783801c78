"""What every task obeys, tried on the miniature of its kind."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from hrbench import catalog, resolve
from hrbench.evaluate import Settings, assemble
from hrbench.types import Entry

TASKS = resolve.names("hrbench.tasks")


def entry_of(name: str, data) -> tuple:
    """A task on a miniature data set, and its first samples."""
    kind = resolve.resolve("hrbench.tasks", name)
    row = next(row for row in catalog.datasets().values() if row.task == name and row.draw)
    variant = next(v for v in catalog.variants().values() if v.task == name and v.miniature)
    protocol = {**dataclasses.asdict(kind.Protocol()), **row.fixed}
    parts = assemble(Entry("one", variant, row, protocol, row.metrics, {}), Settings(data=data))
    assert not parts.reason
    return parts.task, variant, list(parts.dataset.samples(protocol))[:6]


@pytest.fixture(scope="module", params=TASKS)
def case(request, tmp_path_factory):
    return entry_of(request.param, tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("name", TASKS)
def test_its_protocol_is_frozen_named_and_versioned(name):
    protocol = resolve.resolve("hrbench.tasks", name).Protocol()
    assert dataclasses.is_dataclass(protocol)
    assert isinstance(protocol.name, str) and isinstance(protocol.version, int) and protocol.version >= 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        protocol.version = 2


def test_it_prepares_alike_again_and_in_another_process(case):
    task, variant, samples = case
    again = pickle.loads(pickle.dumps(task))
    for sample in samples:
        items, others = task.prepare(sample), again.prepare(sample)
        assert len(items) == len(others)
        for item, other in zip(items, others, strict=True):
            assert item.sample == sample.id and item.image.dtype == np.uint8
            assert item.image.shape == (*variant.input, 3)
            np.testing.assert_array_equal(item.image, other.image)


def test_a_prediction_belongs_to_its_sample_and_none_is_empty(case):
    task, _, samples = case

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(3, len(task.scheme.names), 1, stride=4)

        def forward(self, x):
            return self.layer(x)

    net = Net().eval()
    for sample in samples:
        items = task.prepare(sample)
        one_by_one = [raw for item in items for raw in task.forward(net, [item])]
        together = task.forward(net, items) if items else []
        for single, batched in zip(one_by_one, together, strict=True):
            np.testing.assert_allclose(single, batched, atol=1e-5)
        prediction = task.finish(sample, list(zip(items, together, strict=True)))
        assert prediction.sample == sample.id
        assert task.work(sample) >= len(items)
    empty = task.finish(samples[0], [])
    assert empty.sample == samples[0].id and not empty.value
